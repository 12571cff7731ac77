//! Rows of the outbox and of the delivery log.

use std::collections::BTreeSet;

use bakau_model::{ChannelId, DeliveryVerdict, Level, PersonId, UtcMillis, hex};
use rusqlite::{Connection, Row, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{
    Db, DbError,
    read::acknowledgement,
    rows::{all, execute, facts, first, level, optional_person, parsed, text, time},
};
use crate::{
    Acknowledgement, AlertId, NotificationKind, NotificationState, delivery::escalate::Way, message::facts::Facts,
};

/// The next notification of one alert for one recipient; later ones wait for it, so that nobody reads of a level after
/// the one that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) recipient: String,
    /// The highest level that waits behind it.
    pub(crate) urgency: Level,
}

/// A notification to be sent now.
#[derive(Debug, Clone)]
pub(crate) struct DueNotification {
    pub(crate) id: i64,
    pub(crate) transition: i64,
    pub(crate) kind: NotificationKind,
    pub(crate) person: Option<PersonId>,
    pub(crate) channel: ChannelId,
    pub(crate) urgency: Level,
    pub(crate) attempts: u32,
    pub(crate) created_at: UtcMillis,
    pub(crate) idempotency_key: String,
    pub(crate) facts: Facts,
    /// Who has acknowledged the alert by now, and up to which level.
    pub(crate) acknowledged: Option<Acknowledgement>,
}

/// What waits for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) channel: ChannelId,
    pub(crate) next_attempt_at: UtcMillis,
    pub(crate) oldest: UtcMillis,
}

/// One attempt and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) notification: i64,
    pub(crate) transition: i64,
    /// 1 for the first.
    pub(crate) number: u32,
    pub(crate) at: UtcMillis,
    pub(crate) verdict: DeliveryVerdict,
    pub(crate) http_status: Option<u16>,
    pub(crate) duration_ms: i64,
    pub(crate) detail: String,
    pub(crate) state: NotificationState,
    pub(crate) next_attempt_at: UtcMillis,
    pub(crate) escalations: Vec<Escalation>,
}

/// Which notifications others are told of, when an attempt has reached nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// The one that has failed for good.
    This,
    /// Everything urgent that waits for this recipient about this alert, itself included.
    Waiting,
}

/// Who is told of a notification in place of its recipient, with the recipient in each channel's own words.
#[derive(Debug, Clone)]
pub(crate) struct Escalation {
    pub(crate) notification: i64,
    pub(crate) transition: i64,
    pub(crate) facts: Facts,
    pub(crate) at: UtcMillis,
    pub(crate) ways: Vec<(Way, String)>,
}

/// Recipients looked at together; each is asked for its most urgent notification first.
const HEADS_AT_ONCE: i64 = 200;
/// Notifications tried at once after one got through: all that wait are tried soon where the receiver is back, and few in
/// vain where it is not.
const FOLLOWERS: i64 = 8;

impl Db {
    /// Channels with pending notifications.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, DbError> {
        let ask = |connection: &Connection| {
            let sql = "SELECT channel, min(next_attempt_at) AS next, min(created_at) AS oldest FROM outbox
                 WHERE state = 0 GROUP BY channel";
            all(connection, sql, [], |row| {
                let (next_attempt_at, oldest) = (time(row, "next")?, time(row, "oldest")?);
                Ok(Backlog { channel: channel(row)?, next_attempt_at, oldest })
            })
        };
        self.readers.run(ask).await
    }

    /// What a channel may send at `now`: of each recipient first, the highest levels first, of equal ones the newest
    /// alert first; within an alert in the order of its transitions.
    pub(crate) async fn heads(&self, channel: &ChannelId, now: UtcMillis) -> Result<Vec<Head>, DbError> {
        let channel = channel.clone();
        let ask = move |connection: &Connection| {
            let sql = "WITH waiting AS (
                    SELECT recipient, min(outbox.id) AS head, max(to_level) AS urgency, max(created_at) AS newest,
                           min(next_attempt_at) AS next
                    FROM outbox JOIN transitions ON transitions.id = transition_id
                    WHERE state = 0 AND channel = ? GROUP BY recipient, alert)
                 SELECT head, recipient, urgency,
                        row_number() OVER (PARTITION BY recipient ORDER BY urgency DESC, newest DESC) AS place
                 FROM waiting WHERE next <= ? ORDER BY place, urgency DESC, newest DESC LIMIT ?";
            all(connection, sql, params![channel.as_str(), now.get(), HEADS_AT_ONCE], |row| {
                let (id, recipient) = (row.get("head")?, row.get("recipient")?);
                Ok(Head { id, recipient, urgency: level(row, "urgency")? })
            })
        };
        self.readers.run(ask).await
    }

    /// Everything that is needed to send a notification.
    pub(crate) async fn notification(&self, head: &Head) -> Result<DueNotification, DbError> {
        let (id, urgency) = (head.id, head.urgency);
        self.readers.run(move |connection| due_notification(connection, id, urgency)).await
    }

    /// The notifications that others are to be told of, once each: those of levels that nobody has acknowledged.
    pub(crate) async fn unreached(
        &self,
        notification: &DueNotification,
        which: Unreached,
        at: UtcMillis,
    ) -> Result<Vec<Escalation>, DbError> {
        let (id, transition) = (notification.id, notification.transition);
        self.readers.run(move |connection| unreached(connection, which, (id, transition), at)).await
    }

    /// The people told of a transition so far, and how; whether or not it reached them.
    pub(crate) async fn told(&self, transition: i64) -> Result<BTreeSet<Way>, DbError> {
        let ask = move |connection: &Connection| {
            let sql = "SELECT person, channel FROM outbox WHERE transition_id = ? AND person IS NOT NULL";
            let ways =
                all(connection, sql, [transition], |row| Ok((parsed(row, "person", "person id")?, channel(row)?)))?;
            Ok(ways.into_iter().collect())
        };
        self.readers.run(ask).await
    }

    /// Writes attempts to the delivery log and their consequences to the outbox.
    pub(crate) async fn record_attempts(&self, attempts: Vec<Attempt>) -> Result<(), DbError> {
        let write = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for attempt in &attempts {
                record(&transaction, attempt)?;
                attempt.escalations.iter().try_for_each(|escalation| escalate(&transaction, escalation))?;
            }
            Ok(transaction.commit()?)
        };
        self.writer.run(write).await
    }
}

fn due_notification(connection: &Connection, id: i64, urgency: Level) -> Result<DueNotification, DbError> {
    let sql = "SELECT transition_id, outbox.kind AS notification_kind, person, channel, attempts, created_at,
                idempotency_key, facts, ack_level, ack_by, ack_person, ack_at, ack_note
         FROM outbox JOIN transitions ON transitions.id = transition_id JOIN alerts ON alerts.id = alert
         WHERE outbox.id = ?";
    let found = first(connection, sql, [id], |row| {
        Ok(DueNotification {
            id,
            transition: row.get("transition_id")?,
            kind: NotificationKind::from_key(text(row, "notification_kind")?)
                .ok_or(DbError::Damaged("notification kind"))?,
            person: optional_person(row, "person")?,
            channel: channel(row)?,
            urgency,
            attempts: row.get("attempts")?,
            created_at: time(row, "created_at")?,
            idempotency_key: row.get("idempotency_key")?,
            facts: facts(row)?,
            acknowledged: acknowledgement(row)?,
        })
    })?;
    found.ok_or(DbError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
}

fn unreached(
    connection: &Connection,
    which: Unreached,
    (notification, transition): (i64, i64),
    at: UtcMillis,
) -> Result<Vec<Escalation>, DbError> {
    let escalation = |row: &Row<'_>| {
        let (notification, transition) = (row.get("id")?, row.get("transition_id")?);
        Ok(Escalation { notification, transition, facts: facts(row)?, at, ways: Vec::new() })
    };
    match which {
        Unreached::This => all(
            connection,
            "SELECT outbox.id, transition_id, facts FROM outbox JOIN transitions ON transitions.id = transition_id
             JOIN alerts ON alerts.id = alert
             WHERE outbox.id = ? AND escalated_at IS NULL AND coalesce(ack_level, -1) < to_level",
            [notification],
            escalation,
        ),
        Unreached::Waiting => all(
            connection,
            "SELECT outbox.id, transition_id, facts FROM outbox JOIN transitions ON transitions.id = transition_id
             JOIN alerts ON alerts.id = alert
             WHERE state = 0 AND escalated_at IS NULL AND ?2 <= to_level AND coalesce(ack_level, -1) < to_level
             AND (channel, recipient) = (SELECT channel, recipient FROM outbox WHERE id = ?1)
             AND alert = (SELECT alert FROM transitions WHERE id = ?3) ORDER BY outbox.id",
            params![notification, Level::Siaga.code(), transition],
            escalation,
        ),
    }
}

fn record(connection: &Connection, attempt: &Attempt) -> Result<(), DbError> {
    let Attempt { notification, number, verdict, http_status, duration_ms, detail, .. } = attempt;
    let (at, next_attempt_at) = (attempt.at.get(), attempt.next_attempt_at.get());
    execute(
        connection,
        "INSERT INTO deliveries (outbox_id, attempt, at, verdict, http_status, duration_ms, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![notification, number, at, verdict.key(), http_status, duration_ms, detail],
    )?;
    execute(
        connection,
        "UPDATE outbox SET state = ?, attempts = ?, next_attempt_at = ?, last_result = ? WHERE id = ?",
        params![attempt.state.code(), number, next_attempt_at, detail, notification],
    )?;
    if attempt.state == NotificationState::Pending {
        // What waits behind it waits as long; a notification that comes later lets the whole row be tried at once.
        execute(
            connection,
            "UPDATE outbox SET next_attempt_at = max(next_attempt_at, ?1)
             WHERE state = 0 AND (channel, recipient) = (SELECT channel, recipient FROM outbox WHERE id = ?2)
             AND transition_id IN (SELECT id FROM transitions
                                   WHERE alert = (SELECT alert FROM transitions WHERE id = ?3))",
            params![next_attempt_at, notification, attempt.transition],
        )?;
    }
    if attempt.state == NotificationState::Sent {
        bring_forward(connection, attempt)?;
    }
    Ok(())
}

/// A receiver took a notification: those that it did not answer for before are due now, the most urgent first. What it
/// answered for, if only with "later", keeps its own time.
fn bring_forward(connection: &Connection, sent: &Attempt) -> Result<(), DbError> {
    execute(
        connection,
        "WITH waiting AS (
            SELECT recipient, alert, min(outbox.id) AS head, max(to_level) AS urgency, max(created_at) AS newest,
                   min(next_attempt_at) AS next
            FROM outbox JOIN transitions ON transitions.id = transition_id
            WHERE state = 0 AND channel = (SELECT channel FROM outbox WHERE id = ?1) GROUP BY recipient, alert),
         followers AS (
            SELECT waiting.recipient, alert FROM waiting JOIN outbox ON outbox.id = head
            JOIN deliveries ON outbox_id = head AND attempt = attempts
            WHERE ?2 < next AND verdict = 'retry' AND http_status IS NULL
            ORDER BY urgency DESC, newest DESC LIMIT ?3)
         UPDATE outbox SET next_attempt_at = ?2
         WHERE state = 0 AND channel = (SELECT channel FROM outbox WHERE id = ?1)
         AND (recipient, (SELECT alert FROM transitions WHERE id = transition_id)) IN followers",
        params![sent.notification, sent.next_attempt_at.get(), FOLLOWERS],
    )
}

fn escalate(connection: &Connection, escalation: &Escalation) -> Result<(), DbError> {
    let Escalation { notification, transition, facts, at, ways } = escalation;
    for ((person, channel), recipient) in ways {
        let key = escalation_key(*transition, facts.alert, person, channel);
        let (person, channel, kind) = (person.as_str(), channel.as_str(), NotificationKind::Escalation.key());
        execute(
            connection,
            "INSERT INTO outbox (transition_id, kind, number, person, channel, recipient, state, created_at,
                                 next_attempt_at, idempotency_key, escalated_from)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, 0, ?6, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            params![transition, kind, person, channel, recipient, at.get(), key, notification],
        )?;
    }
    execute(connection, "UPDATE outbox SET escalated_at = ? WHERE id = ?", params![at.get(), notification])
}

/// One per person and way of a transition, so that two failures tell nobody twice.
fn escalation_key(transition: i64, alert: AlertId, person: &PersonId, channel: &ChannelId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bakau escalation 1\0");
    hash.update(alert.bytes());
    hash.update(transition.to_be_bytes());
    hash.update(person.as_str().as_bytes());
    hash.update([0]);
    hash.update(channel.as_str().as_bytes());
    hex::encode(&hash.finalize()[..16])
}

fn channel(row: &Row<'_>) -> Result<ChannelId, DbError> {
    parsed(row, "channel", "channel id")
}
