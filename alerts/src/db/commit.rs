//! What the engine decided, written as one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bakau_model::{DatastreamName, Flag, Level, Observation, PersonId, RuleId, Seq, SourceName, UtcMillis, hex};
use rusqlite::{Connection, TransactionBehavior, named_params, params};
use sha2::{Digest, Sha256};

use super::{
    Db, DbError, Outcome,
    read::alert_view,
    rows::{all, execute, first, optional_person, parsed, value},
};
use crate::{
    AlertId, AlertView, NotificationKind, NotificationState,
    engine::{Acknowledged, Mute, Reason, Remembered, Reminder, SlotKey, Subject, WaitingKey},
    message::facts::Facts,
    recipients::routes::Recipient,
};

/// Everything since the last commit.
#[derive(Debug, Clone, Default)]
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
#[derive(Debug, Clone)]
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
    Acknowledged(Acknowledged),
    Muted(Mute),
    MuteEnded(RuleId),
}

impl Db {
    /// Writes decisions, notifications, states and cursor together; gives the alerts as they are now.
    pub(crate) async fn commit(&self, commit: Arc<Commit>) -> Result<Vec<AlertView>, DbError> {
        self.writer.run(move |connection| write(connection, &commit)).await
    }
}

fn write(connection: &mut Connection, commit: &Commit) -> Result<Vec<AlertView>, DbError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut touched = BTreeSet::new();
    for decision in &commit.decisions {
        touched.extend(record(&transaction, decision)?);
    }
    for (id, outcome, at) in &commit.outcomes {
        let update = "UPDATE commands SET outcome = ?, decided_at = ? WHERE id = ?";
        execute(&transaction, update, params![outcome.key(), at.get(), id])?;
    }
    write_states(&transaction, commit)?;
    for (key, observation) in &commit.waiting {
        super::ahead::write(&transaction, *key, observation.as_ref())?;
    }
    execute(&transaction, "UPDATE cursor SET seq = ?", [commit.cursor.get()])?;
    let views = touched.iter().filter_map(|id| alert_view(&transaction, *id).transpose()).collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(views)
}

/// States and signs of life: the bulk of a commit, up to some for every datastream.
fn write_states(connection: &Connection, commit: &Commit) -> Result<(), DbError> {
    let sql = "INSERT OR REPLACE INTO engine_state (subject, rule, state) VALUES (?, ?, ?)";
    let mut insert = connection.prepare_cached(sql)?;
    for (key, state) in &commit.states {
        insert.execute(params![key.subject.to_string(), key.rule.as_str(), state])?;
    }
    let sql = "INSERT OR REPLACE INTO heard (subject, last, offline_since, source) VALUES (?, ?, ?, ?)";
    let mut insert = connection.prepare_cached(sql)?;
    for (subject, Remembered { heard, source }) in &commit.heard {
        let (last, offline) = (heard.last.map(UtcMillis::get), heard.offline_since.map(UtcMillis::get));
        insert.execute(params![subject.to_string(), last, offline, source.as_ref().map(SourceName::as_str)])?;
    }
    Ok(())
}

/// Writes one decision; gives the alert whose view it changed.
fn record(connection: &Connection, decision: &Decision) -> Result<Option<AlertId>, DbError> {
    match decision {
        Decision::Transition { facts, recipients, tells, muted_until, received_at } => {
            let recipients = tells.then_some(recipients.as_slice());
            record_transition(connection, facts, recipients, (*muted_until, *received_at))?;
            Ok(Some(facts.alert))
        }
        Decision::Reminder(reminder) => record_reminder(connection, reminder),
        Decision::Acknowledged(acknowledged) => {
            record_acknowledgement(connection, acknowledged)?;
            Ok(Some(acknowledged.alert))
        }
        Decision::Muted(mute) => {
            let insert = "INSERT OR REPLACE INTO mutes (rule, until, by) VALUES (?, ?, ?)";
            execute(connection, insert, params![mute.rule.as_str(), mute.until.get(), mute.by])?;
            Ok(None)
        }
        Decision::MuteEnded(rule) => {
            execute(connection, "DELETE FROM mutes WHERE rule = ?", [rule.as_str()])?;
            Ok(None)
        }
    }
}

fn record_acknowledgement(connection: &Connection, acknowledged: &Acknowledged) -> Result<(), DbError> {
    let Acknowledged { alert, level, by, note, decided_at } = acknowledged;
    for statement in [
        "UPDATE alerts SET ack_level = ?2, ack_by = ?3, ack_person = ?4, ack_at = ?5, ack_note = ?6 WHERE id = ?1",
        "INSERT INTO acknowledgements (alert, ack_level, ack_by, ack_person, ack_at, ack_note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    ] {
        let person = by.person.as_ref().map(PersonId::as_str);
        execute(connection, statement, params![alert.bytes(), level.code(), by.name, person, decided_at.get(), note])?;
    }
    // Nobody needs to be reminded of what is acknowledged. First notifications stay owed.
    cancel_reminders(connection, *alert, Some(*level), "acknowledged")
}

/// A change of level and the notifications it owes: on the way up to the recipients of the rule, on the way down to those
/// who were notified, and so for what becomes known about it; to nobody where there are no recipients.
fn record_transition(
    connection: &Connection,
    facts: &Facts,
    recipients: Option<&[Recipient]>,
    (muted_until, received_at): (Option<UtcMillis>, Option<UtcMillis>),
) -> Result<(), DbError> {
    write_alert(connection, facts)?;
    let transition = write_transition(connection, facts, muted_until, received_at)?;
    let told = told(connection, facts.alert)?;
    let notification = Notification {
        transition,
        alert: facts.alert,
        sequence: facts.sequence,
        number: 0,
        at: facts.decided_at,
        muted_until,
    };
    if let Some(recipients) = recipients {
        let recipients = if facts.previous_level < facts.level { recipients } else { &told };
        write_notifications(connection, &notification, recipients)?;
    }
    if facts.level == Level::Normal {
        return cancel_reminders(connection, facts.alert, None, "the alert is over");
    }
    // Reminders of a higher level that waited are out of date where what is left is acknowledged.
    let taken: Option<u8> = value(connection, "SELECT ack_level FROM alerts WHERE id = ?", [facts.alert.bytes()])?;
    if taken.is_some_and(|taken| facts.level.code() <= taken) {
        cancel_reminders(connection, facts.alert, None, "back at a level that is acknowledged")?;
    }
    Ok(())
}

/// A reminder to everybody who was told; its notifications have changed, so the alert is shown and the outbox is woken.
fn record_reminder(connection: &Connection, reminder: &Reminder) -> Result<Option<AlertId>, DbError> {
    let select = "SELECT id FROM transitions WHERE alert = ? AND sequence = ?";
    let found =
        first(connection, select, params![reminder.alert.bytes(), reminder.sequence], |row| Ok(row.get("id")?))?;
    let Some(transition) = found else { return Ok(None) };
    let told = told(connection, reminder.alert)?;
    // Who has not got the last one needs no second one.
    cancel_reminders(connection, reminder.alert, None, "a newer reminder followed")?;
    let notification = Notification {
        transition,
        alert: reminder.alert,
        sequence: reminder.sequence,
        number: reminder.number,
        at: reminder.decided_at,
        muted_until: reminder.muted_until,
    };
    write_notifications(connection, &notification, &told)?;
    Ok(Some(reminder.alert))
}

fn write_alert(connection: &Connection, facts: &Facts) -> Result<(), DbError> {
    let closed = facts.level == Level::Normal;
    let rule_name = serde_json::to_string(&facts.rule.name).map_err(|_| DbError::Damaged("rule name"))?;
    let upsert =
        "INSERT INTO alerts (id, rule, rule_name, datastream, station, level, peak, onset, updated, value, decided_at,
                             opened_at, closed_at, closed_reason, kind, agency, source, flag, worst, worst_at,
                             unconfirmed_since, onset_at_latest)
         VALUES (:id, :rule, :rule_name, :datastream, :station, :level, :peak, :onset, :updated, :value, :decided_at,
                 :decided_at, :closed_at, :closed_reason, :kind, :agency, :source, :flag, :worst, :worst_at,
                 :unconfirmed_since, :onset_at_latest)
         ON CONFLICT (id) DO UPDATE SET rule_name = :rule_name, datastream = :datastream, level = :level,
            peak = max(peak, :peak), updated = :updated, value = :value, decided_at = :decided_at,
            closed_at = :closed_at, closed_reason = :closed_reason, agency = :agency, flag = :flag, worst = :worst,
            worst_at = :worst_at, unconfirmed_since = :unconfirmed_since";
    let row = named_params! {
        ":id": facts.alert.bytes(),
        ":rule": facts.rule.id.as_str(),
        ":rule_name": rule_name,
        ":datastream": facts.datastream().map(DatastreamName::as_str),
        ":station": facts.station().map(|station| station.id.as_str()),
        ":level": facts.level.code(),
        ":peak": facts.peak.code(),
        ":onset": facts.onset.get(),
        ":updated": facts.observed_at.get(),
        ":value": facts.value,
        ":decided_at": facts.decided_at.get(),
        ":closed_at": closed.then_some(facts.decided_at.get()),
        ":closed_reason": closed.then_some(facts.reason.key()),
        ":kind": facts.kind.key(),
        ":agency": facts.agency.as_ref().map(|agency| agency.id.as_str()),
        ":source": facts.source().map(SourceName::as_str),
        ":flag": facts.flag.map(Flag::code),
        ":worst": facts.worst,
        ":worst_at": facts.worst_at.map(UtcMillis::get),
        ":unconfirmed_since": (facts.reason == Reason::Unconfirmed).then_some(facts.decided_at.get()),
        ":onset_at_latest": facts.onset_at_latest,
    };
    execute(connection, upsert, row)
}

fn write_transition(
    connection: &Connection,
    facts: &Facts,
    muted_until: Option<UtcMillis>,
    received_at: Option<UtcMillis>,
) -> Result<i64, DbError> {
    let json = serde_json::to_string(facts).map_err(|_| DbError::Damaged("transition"))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO transitions (alert, sequence, from_level, to_level, reason, observed_at, value, flag,
                                  received_at, decided_at, rule_revision, muted_until, facts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let id = insert.insert(params![
        facts.alert.bytes(),
        facts.sequence,
        facts.previous_level.code(),
        facts.level.code(),
        facts.reason.key(),
        facts.observed_at.get(),
        facts.value,
        facts.flag.map(Flag::code),
        received_at.map(UtcMillis::get),
        facts.decided_at.get(),
        facts.rule.revision,
        muted_until.map(UtcMillis::get),
        json,
    ])?;
    Ok(id)
}

/// What the notifications of one decision have in common.
#[derive(Debug)]
struct Notification {
    transition: i64,
    alert: AlertId,
    sequence: u32,
    /// 0 for the transition itself, 1 for the first reminder of it.
    number: u32,
    at: UtcMillis,
    muted_until: Option<UtcMillis>,
}

/// Everybody who was told of an alert, or is still going to be; not those from whom it was held back.
fn told(connection: &Connection, alert: AlertId) -> Result<Vec<Recipient>, DbError> {
    // A bare column next to max() is that of the newest row.
    let sql = "SELECT person, channel, recipient, max(outbox.id) FROM outbox
         JOIN transitions ON transitions.id = transition_id
         WHERE alert = ? AND (state <> ? OR kind = 'reminder') GROUP BY person, channel ORDER BY person, channel";
    all(connection, sql, params![alert.bytes(), NotificationState::Cancelled.code()], |row| {
        Ok(Recipient {
            person: optional_person(row, "person")?,
            channel: parsed(row, "channel", "channel id")?,
            address: row.get("recipient")?,
            reachable: true,
        })
    })
}

/// Takes back the reminders that wait: all of an alert, or those of levels up to one.
fn cancel_reminders(connection: &Connection, alert: AlertId, up_to: Option<Level>, why: &str) -> Result<(), DbError> {
    let cancel = "UPDATE outbox SET state = ?, last_result = ? WHERE state = 0 AND kind = 'reminder'
         AND transition_id IN (SELECT id FROM transitions WHERE alert = ? AND to_level <= ?)";
    let up_to = up_to.unwrap_or(Level::Awas).code();
    execute(connection, cancel, params![NotificationState::Cancelled.code(), why, alert.bytes(), up_to])
}

fn write_notifications(
    connection: &Connection,
    notification: &Notification,
    recipients: &[Recipient],
) -> Result<(), DbError> {
    let kind = if notification.number == 0 { NotificationKind::Transition } else { NotificationKind::Reminder };
    for recipient in recipients {
        let (state, result) = match notification.muted_until {
            Some(until) => (NotificationState::Cancelled, Some(format!("muted until {until}"))),
            None if recipient.reachable => (NotificationState::Pending, None),
            None => {
                (NotificationState::Failed, Some("no address for any channel: add one with `bakau apply`".to_owned()))
            }
        };
        let insert = "INSERT INTO outbox (transition_id, kind, number, person, channel, recipient, state, created_at,
                                 next_attempt_at, idempotency_key, last_result)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let row = params![
            notification.transition,
            kind.key(),
            notification.number,
            recipient.person.as_ref().map(PersonId::as_str),
            recipient.channel.as_str(),
            recipient.address,
            state.code(),
            notification.at.get(),
            notification.at.get(),
            idempotency_key(notification, recipient),
            result,
        ];
        execute(connection, insert, row)?;
    }
    Ok(())
}

/// The same for every attempt, so that a receiver can drop what it already has.
fn idempotency_key(notification: &Notification, recipient: &Recipient) -> String {
    let mut hash = Sha256::new();
    // An older word for a notification: another one would change every key.
    hash.update(b"bakau notice 1\0");
    hash.update(notification.alert.bytes());
    hash.update(notification.sequence.to_be_bytes());
    hash.update(notification.number.to_be_bytes());
    hash.update(recipient.channel.as_str().as_bytes());
    hash.update([0]);
    hash.update(recipient.person.as_ref().map_or("", PersonId::as_str).as_bytes());
    hex::encode(&hash.finalize()[..16])
}
