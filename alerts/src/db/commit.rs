//! What the engine decided, written as one transaction.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{ChannelId, DatastreamName, Flag, Level, PersonId, RuleId, Seq, SourceName, UtcMillis};
use sha2::{Digest, Sha256};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Db, DbError, Outcome, read::alert_views};
use crate::{
    AlertId, AlertView, NoticeState,
    engine::{Mute, Requester, SlotKey},
    facts::Facts,
};

/// Everything since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) cursor: Seq,
    pub(crate) states: BTreeMap<SlotKey, Vec<u8>>,
    pub(crate) decisions: Vec<Decision>,
    /// Requests decided: id, outcome, when.
    pub(crate) outcomes: Vec<(i64, Outcome, UtcMillis)>,
}

/// One effect of the engine with what is needed to record it.
#[derive(Debug)]
pub(crate) enum Decision {
    Transition {
        facts: Box<Facts>,
        channels: Vec<ChannelId>,
        muted_until: Option<UtcMillis>,
        received_at: Option<UtcMillis>,
    },
    Acknowledged {
        alert: AlertId,
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
        let cursor = sqlx::query("UPDATE cursor SET seq = ?").bind(commit.cursor.get().cast_signed());
        cursor.execute(&mut *transaction).await?;
        let views = alert_views(&mut transaction, &touched).await?;
        transaction.commit().await?;
        Ok(views)
    }
}

async fn record(connection: &mut SqliteConnection, decision: &Decision) -> Result<Option<AlertId>, DbError> {
    match decision {
        Decision::Transition { facts, channels, muted_until, received_at } => {
            write_alert(connection, facts).await?;
            let transition = write_transition(connection, facts, *muted_until, *received_at).await?;
            for channel in channels {
                write_notice(connection, transition, facts, channel, *muted_until).await?;
            }
            return Ok(Some(facts.alert));
        }
        Decision::Acknowledged { alert, by, note, at } => {
            let update =
                sqlx::query("UPDATE alerts SET ack_by = ?, ack_person = ?, ack_at = ?, ack_note = ? WHERE id = ?");
            let update = update
                .bind(&by.name)
                .bind(by.person.as_ref().map(PersonId::as_str))
                .bind(at.get())
                .bind(note)
                .bind(alert.bytes().as_slice());
            update.execute(&mut *connection).await?;
            // Nobody needs to be reminded of what somebody has in hand. First notices stay owed.
            let cancel = sqlx::query(
                "UPDATE outbox SET state = ?, last_result = 'acknowledged' WHERE state = 0 AND kind = 'reminder'
                 AND transition_id IN (SELECT id FROM transitions WHERE alert = ?)",
            );
            let cancel = cancel.bind(NoticeState::Cancelled.code()).bind(alert.bytes().as_slice());
            cancel.execute(&mut *connection).await?;
            return Ok(Some(*alert));
        }
        Decision::Muted(mute) => {
            let insert = sqlx::query("INSERT OR REPLACE INTO mutes (rule, until, by) VALUES (?, ?, ?)");
            insert.bind(mute.rule.as_str()).bind(mute.until.get()).bind(&mute.by).execute(&mut *connection).await?;
        }
        Decision::MuteEnded(rule) => {
            sqlx::query("DELETE FROM mutes WHERE rule = ?").bind(rule.as_str()).execute(&mut *connection).await?;
        }
    }
    Ok(None)
}

async fn write_alert(connection: &mut SqliteConnection, facts: &Facts) -> Result<(), DbError> {
    let closed = facts.level == Level::Normal;
    let rule_name = serde_json::to_string(&facts.rule.name).map_err(|_| DbError::Damaged("rule name"))?;
    let upsert = sqlx::query(
        "INSERT INTO alerts (id, rule, rule_name, datastream, station, level, peak, onset, updated, value, decided_at,
                             opened_at, closed_at, closed_reason, kind, agency, source, flag)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         ON CONFLICT (id) DO UPDATE SET rule_name = ?3, datastream = ?4, level = ?6, peak = max(peak, ?7),
            updated = ?9, value = ?10, decided_at = ?11, closed_at = ?12, closed_reason = ?13, agency = ?15, flag = ?17",
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
        .bind(facts.flag.map(Flag::code));
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

async fn write_notice(
    connection: &mut SqliteConnection,
    transition: i64,
    facts: &Facts,
    channel: &ChannelId,
    muted_until: Option<UtcMillis>,
) -> Result<(), DbError> {
    // A webhook is its own and only recipient; channels that reach people name each of them.
    let recipient = channel.as_str();
    let state = if muted_until.is_some() { NoticeState::Cancelled } else { NoticeState::Pending };
    let insert = sqlx::query(
        "INSERT INTO outbox (transition_id, kind, number, channel, recipient, state, created_at, next_attempt_at,
                             idempotency_key, last_result)
         VALUES (?, 'transition', 0, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    let insert = insert
        .bind(transition)
        .bind(channel.as_str())
        .bind(recipient)
        .bind(state.code())
        .bind(facts.decided_at.get())
        .bind(facts.decided_at.get())
        .bind(idempotency_key(facts, channel, recipient))
        .bind(muted_until.map(|until| format!("muted until {until}")));
    insert.execute(connection).await?;
    Ok(())
}

/// The same for every attempt, so that a receiver can drop what it already has.
fn idempotency_key(facts: &Facts, channel: &ChannelId, recipient: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bakau notice 1\0");
    hash.update(facts.alert.bytes());
    hash.update(facts.sequence.to_be_bytes());
    hash.update(channel.as_str().as_bytes());
    hash.update([0]);
    hash.update(recipient.as_bytes());
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
