//! What the engine decided, written as one transaction.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{
    ChannelId, DatastreamName, Flag, Level, Observation, PersonId, RuleId, Seq, SourceName, UtcMillis, hex,
};
use sha2::{Digest, Sha256};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{Db, DbError, Outcome, optional_person, read::alert_views};
use crate::{
    AlertId, AlertView, NoticeKind, NoticeState,
    engine::{Mute, Reason, Remembered, Reminder, Requester, SlotKey, Subject, WaitingKey},
    message::facts::Facts,
    recipients::routes::Recipient,
};

/// Everything since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) cursor: Seq,
    pub(crate) states: BTreeMap<SlotKey, Vec<u8>>,
    pub(crate) heard: BTreeMap<Subject, Remembered>,
    /// Values from the future that wait, and those that no longer do.
    pub(crate) waiting: BTreeMap<WaitingKey, Option<Observation>>,
    pub(crate) decisions: Vec<Decision>,
    /// Requests decided: id, outcome, when.
    pub(crate) outcomes: Vec<(i64, Outcome, UtcMillis)>,
}

/// One effect of the engine with what is needed to record it.
#[derive(Debug)]
pub(crate) enum Decision {
    Transition {
        facts: Box<Facts>,
        /// Those whom a raised level concerns; otherwise those are told who have been told before.
        recipients: Vec<Recipient>,
        /// Whether anybody is told; otherwise it is recorded only.
        tells: bool,
        muted_until: Option<UtcMillis>,
        received_at: Option<UtcMillis>,
    },
    Reminder(Reminder),
    Acknowledged {
        alert: AlertId,
        level: Level,
        by: Requester,
        note: Option<String>,
        at: UtcMillis,
    },
    Muted(Mute),
    MuteEnded(RuleId),
}

/// Rows per statement; sqlx costs about as much per statement as SQLite per ten rows.
const ROWS_PER_STATEMENT: usize = 100;

impl Db {
    /// Writes decisions, notices, states and cursor together; gives the alerts as they are now.
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<Vec<AlertView>, DbError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut touched = BTreeSet::new();
        for decision in &commit.decisions {
            touched.extend(record(&mut transaction, decision).await?);
        }
        for (id, outcome, at) in &commit.outcomes {
            let update = sqlx::query("UPDATE commands SET outcome = ?, decided_at = ? WHERE id = ?");
            update.bind(outcome.key()).bind(at.get()).bind(id).execute(&mut *transaction).await?;
        }
        let states: Vec<_> = commit.states.iter().collect();
        for rows in states.chunks(ROWS_PER_STATEMENT) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO engine_state (subject, rule, state) ");
            insert.push_values(rows, |mut row, (key, state)| {
                row.push_bind(key.subject.to_string()).push_bind(key.rule.as_str()).push_bind(state.as_slice());
            });
            insert.build().execute(&mut *transaction).await?;
        }
        let heard: Vec<_> = commit.heard.iter().collect();
        for rows in heard.chunks(ROWS_PER_STATEMENT) {
            let mut insert =
                QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO heard (subject, last, offline_since, source) ");
            insert.push_values(rows, |mut row, (subject, Remembered { heard, source })| {
                let (last, offline) = (heard.last.map(UtcMillis::get), heard.offline_since.map(UtcMillis::get));
                row.push_bind(subject.to_string()).push_bind(last).push_bind(offline);
                row.push_bind(source.as_ref().map(SourceName::as_str));
            });
            insert.build().execute(&mut *transaction).await?;
        }
        for (key, observation) in &commit.waiting {
            super::ahead::write(&mut transaction, *key, observation.as_ref()).await?;
        }
        let cursor = sqlx::query("UPDATE cursor SET seq = ?").bind(commit.cursor.get().cast_signed());
        cursor.execute(&mut *transaction).await?;
        let views = alert_views(&mut transaction, &touched).await?;
        transaction.commit().await?;
        Ok(views)
    }
}

/// Writes one decision; gives the alert whose view it changed.
async fn record(connection: &mut SqliteConnection, decision: &Decision) -> Result<Option<AlertId>, DbError> {
    match decision {
        Decision::Transition { facts, recipients, tells, muted_until, received_at } => {
            let recipients = tells.then_some(recipients.as_slice());
            record_transition(connection, facts, recipients, (*muted_until, *received_at)).await?;
            Ok(Some(facts.alert))
        }
        Decision::Reminder(reminder) => record_reminder(connection, reminder).await,
        Decision::Acknowledged { alert, level, by, note, at } => {
            record_acknowledgement(connection, *alert, *level, (by, note.as_deref(), *at)).await?;
            Ok(Some(*alert))
        }
        Decision::Muted(mute) => {
            let insert = sqlx::query("INSERT OR REPLACE INTO mutes (rule, until, by) VALUES (?, ?, ?)");
            insert.bind(mute.rule.as_str()).bind(mute.until.get()).bind(&mute.by).execute(&mut *connection).await?;
            Ok(None)
        }
        Decision::MuteEnded(rule) => {
            sqlx::query("DELETE FROM mutes WHERE rule = ?").bind(rule.as_str()).execute(&mut *connection).await?;
            Ok(None)
        }
    }
}

async fn record_acknowledgement(
    connection: &mut SqliteConnection,
    alert: AlertId,
    level: Level,
    (by, note, at): (&Requester, Option<&str>, UtcMillis),
) -> Result<(), DbError> {
    for statement in [
        "UPDATE alerts SET ack_level = ?2, ack_by = ?3, ack_person = ?4, ack_at = ?5, ack_note = ?6 WHERE id = ?1",
        "INSERT INTO acknowledgements (alert, ack_level, ack_by, ack_person, ack_at, ack_note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    ] {
        let write = sqlx::query(statement).bind(alert.bytes().as_slice()).bind(level.code()).bind(&by.name);
        let write = write.bind(by.person.as_ref().map(PersonId::as_str)).bind(at.get()).bind(note);
        write.execute(&mut *connection).await?;
    }
    // Nobody needs to be reminded of what somebody has in hand. First notices stay owed.
    cancel_reminders(connection, alert, Some(level), "acknowledged").await
}

/// A change of level and the notices it owes: to the recipients of the rule on the way up, to whoever was told on the way
/// down and of what is known about it; to nobody where there are no recipients.
async fn record_transition(
    connection: &mut SqliteConnection,
    facts: &Facts,
    recipients: Option<&[Recipient]>,
    (muted_until, received_at): (Option<UtcMillis>, Option<UtcMillis>),
) -> Result<(), DbError> {
    write_alert(connection, facts).await?;
    let transition = write_transition(connection, facts, muted_until, received_at).await?;
    let told = told(connection, facts.alert).await?;
    let notice = Notice {
        transition,
        alert: facts.alert,
        sequence: facts.sequence,
        number: 0,
        at: facts.decided_at,
        muted_until,
    };
    if let Some(recipients) = recipients {
        let recipients = if facts.previous_level < facts.level { recipients } else { &told };
        write_notices(connection, &notice, recipients).await?;
    }
    if facts.level == Level::Normal {
        return cancel_reminders(connection, facts.alert, None, "the alert is over").await;
    }
    // Reminders of a higher level that waited are out of date where what is left is in hand.
    let select = sqlx::query_scalar("SELECT ack_level FROM alerts WHERE id = ?").bind(facts.alert.bytes().as_slice());
    let taken: Option<u8> = select.fetch_one(&mut *connection).await?;
    if taken.is_some_and(|taken| facts.level.code() <= taken) {
        cancel_reminders(connection, facts.alert, None, "back at a level that is acknowledged").await?;
    }
    Ok(())
}

/// A reminder to everybody who was told; its notices have changed, so the alert is shown and the outbox is woken.
async fn record_reminder(connection: &mut SqliteConnection, reminder: &Reminder) -> Result<Option<AlertId>, DbError> {
    let select = sqlx::query_scalar("SELECT id FROM transitions WHERE alert = ? AND sequence = ?");
    let select = select.bind(reminder.alert.bytes().as_slice()).bind(reminder.sequence);
    let Some(transition) = select.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let told = told(connection, reminder.alert).await?;
    // Who has not got the last one needs no second one.
    cancel_reminders(connection, reminder.alert, None, "a newer reminder followed").await?;
    let notice = Notice {
        transition,
        alert: reminder.alert,
        sequence: reminder.sequence,
        number: reminder.number,
        at: reminder.decided_at,
        muted_until: reminder.muted_until,
    };
    write_notices(connection, &notice, &told).await?;
    Ok(Some(reminder.alert))
}

async fn write_alert(connection: &mut SqliteConnection, facts: &Facts) -> Result<(), DbError> {
    let closed = facts.level == Level::Normal;
    let rule_name = serde_json::to_string(&facts.rule.name).map_err(|_| DbError::Damaged("rule name"))?;
    let upsert = sqlx::query(
        "INSERT INTO alerts (id, rule, rule_name, datastream, station, level, peak, onset, updated, value, decided_at,
                             opened_at, closed_at, closed_reason, kind, agency, source, flag, worst, worst_at,
                             unconfirmed_since, onset_at_latest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
         ON CONFLICT (id) DO UPDATE SET rule_name = ?3, datastream = ?4, level = ?6, peak = max(peak, ?7),
            updated = ?9, value = ?10, decided_at = ?11, closed_at = ?12, closed_reason = ?13, agency = ?15, flag = ?17,
            worst = ?18, worst_at = ?19, unconfirmed_since = ?20",
    );
    let upsert = upsert
        .bind(facts.alert.bytes().as_slice())
        .bind(facts.rule.id.as_str())
        .bind(rule_name)
        .bind(facts.datastream().map(DatastreamName::as_str))
        .bind(facts.station().map(|station| station.id.as_str()))
        .bind(facts.level.code())
        .bind(facts.peak.code())
        .bind(facts.onset.get())
        .bind(facts.observed_at.get())
        .bind(facts.value)
        .bind(facts.decided_at.get())
        .bind(closed.then_some(facts.decided_at.get()))
        .bind(closed.then_some(facts.reason.key()))
        .bind(facts.kind.key())
        .bind(facts.agency.as_ref().map(|agency| agency.id.as_str()))
        .bind(facts.source().map(SourceName::as_str))
        .bind(facts.flag.map(Flag::code))
        .bind(facts.worst)
        .bind(facts.worst_at.map(UtcMillis::get))
        .bind((facts.reason == Reason::Unconfirmed).then_some(facts.decided_at.get()))
        .bind(facts.onset_at_latest);
    upsert.execute(connection).await?;
    Ok(())
}

async fn write_transition(
    connection: &mut SqliteConnection,
    facts: &Facts,
    muted_until: Option<UtcMillis>,
    received_at: Option<UtcMillis>,
) -> Result<i64, DbError> {
    let json = serde_json::to_string(facts).map_err(|_| DbError::Damaged("transition"))?;
    let insert = sqlx::query(
        "INSERT INTO transitions (alert, sequence, from_level, to_level, reason, observed_at, value, flag,
                                  received_at, decided_at, rule_revision, muted_until, facts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let insert = insert
        .bind(facts.alert.bytes().as_slice())
        .bind(facts.sequence)
        .bind(facts.previous_level.code())
        .bind(facts.level.code())
        .bind(facts.reason.key())
        .bind(facts.observed_at.get())
        .bind(facts.value)
        .bind(facts.flag.map(Flag::code))
        .bind(received_at.map(UtcMillis::get))
        .bind(facts.decided_at.get())
        .bind(facts.rule.revision.cast_signed())
        .bind(muted_until.map(UtcMillis::get))
        .bind(json);
    Ok(insert.execute(connection).await?.last_insert_rowid())
}

/// What the notices of one decision have in common.
#[derive(Debug)]
struct Notice {
    transition: i64,
    alert: AlertId,
    sequence: u32,
    /// 0 for the transition itself, 1 for the first reminder of it.
    number: u32,
    at: UtcMillis,
    muted_until: Option<UtcMillis>,
}

/// Everybody who was told of an alert, or is still going to be; not those from whom it was held back.
async fn told(connection: &mut SqliteConnection, alert: AlertId) -> Result<Vec<Recipient>, DbError> {
    // A bare column next to max() is that of the newest row.
    let select = sqlx::query(
        "SELECT person, channel, recipient, max(outbox.id) FROM outbox
         JOIN transitions ON transitions.id = transition_id
         WHERE alert = ? AND (state <> ? OR kind = 'reminder') GROUP BY person, channel ORDER BY person, channel",
    );
    let select = select.bind(alert.bytes().as_slice()).bind(NoticeState::Cancelled.code());
    let read = |row: &SqliteRow| {
        Ok(Recipient {
            person: optional_person(row, "person")?,
            channel: ChannelId::new(row.try_get("channel")?).map_err(|_| DbError::Damaged("channel id"))?,
            address: row.try_get("recipient")?,
            reachable: true,
        })
    };
    select.fetch_all(connection).await?.iter().map(read).collect()
}

/// Takes back the reminders that wait: all of an alert, or those of levels up to one.
async fn cancel_reminders(
    connection: &mut SqliteConnection,
    alert: AlertId,
    up_to: Option<Level>,
    why: &str,
) -> Result<(), DbError> {
    let cancel = sqlx::query(
        "UPDATE outbox SET state = ?, last_result = ? WHERE state = 0 AND kind = 'reminder'
         AND transition_id IN (SELECT id FROM transitions WHERE alert = ? AND to_level <= ?)",
    );
    let cancel = cancel.bind(NoticeState::Cancelled.code()).bind(why).bind(alert.bytes().as_slice());
    cancel.bind(up_to.unwrap_or(Level::Awas).code()).execute(connection).await?;
    Ok(())
}

async fn write_notices(
    connection: &mut SqliteConnection,
    notice: &Notice,
    recipients: &[Recipient],
) -> Result<(), DbError> {
    let kind = if notice.number == 0 { NoticeKind::Transition } else { NoticeKind::Reminder };
    for recipient in recipients {
        let (state, result) = match notice.muted_until {
            Some(until) => (NoticeState::Cancelled, Some(format!("muted until {until}"))),
            None if recipient.reachable => (NoticeState::Pending, None),
            None => (NoticeState::Failed, Some("no address for any channel: add one with `bakau apply`".to_owned())),
        };
        let insert = sqlx::query(
            "INSERT INTO outbox (transition_id, kind, number, person, channel, recipient, state, created_at,
                                 next_attempt_at, idempotency_key, last_result)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        );
        let insert = insert
            .bind(notice.transition)
            .bind(kind.key())
            .bind(notice.number)
            .bind(recipient.person.as_ref().map(PersonId::as_str))
            .bind(recipient.channel.as_str())
            .bind(&recipient.address)
            .bind(state.code())
            .bind(notice.at.get())
            .bind(notice.at.get())
            .bind(idempotency_key(notice, recipient))
            .bind(result);
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The same for every attempt, so that a receiver can drop what it already has.
fn idempotency_key(notice: &Notice, recipient: &Recipient) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bakau notice 1\0");
    hash.update(notice.alert.bytes());
    hash.update(notice.sequence.to_be_bytes());
    hash.update(notice.number.to_be_bytes());
    hash.update(recipient.channel.as_str().as_bytes());
    hash.update([0]);
    hash.update(recipient.person.as_ref().map_or("", PersonId::as_str).as_bytes());
    hex::encode(&hash.finalize()[..16])
}
