//! Rows of the outbox and of the delivery log.

use std::collections::BTreeSet;

use bakau_model::{ChannelId, DeliveryVerdict, Level, PersonId, UtcMillis, hex};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{Db, DbError, optional_person, read::acknowledgement, time};
use crate::{Acknowledgement, AlertId, NoticeKind, NoticeState, delivery::escalate::Way, message::facts::Facts};

/// The next notice of one alert for one recipient; later ones wait for it, so that nobody reads of a level after the
/// one that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) recipient: String,
    /// The highest level that waits behind it.
    pub(crate) urgency: Level,
}

/// A notice to be sent now.
#[derive(Debug, Clone)]
pub(crate) struct DueNotice {
    pub(crate) id: i64,
    pub(crate) transition: i64,
    pub(crate) kind: NoticeKind,
    pub(crate) person: Option<PersonId>,
    pub(crate) channel: ChannelId,
    pub(crate) urgency: Level,
    pub(crate) attempts: u32,
    pub(crate) created_at: UtcMillis,
    pub(crate) idempotency_key: String,
    pub(crate) facts: Facts,
    /// Who has the alert in hand by now, and up to which level.
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
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) notice: i64,
    pub(crate) transition: i64,
    /// 1 for the first.
    pub(crate) number: u32,
    pub(crate) at: UtcMillis,
    pub(crate) verdict: DeliveryVerdict,
    pub(crate) http_status: Option<u16>,
    pub(crate) duration_ms: i64,
    pub(crate) detail: String,
    pub(crate) state: NoticeState,
    pub(crate) next_attempt_at: UtcMillis,
    pub(crate) escalations: Vec<Escalation>,
}

/// Which notices others are told of, when an attempt has reached nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// The one that has failed for good.
    This,
    /// Everything urgent that waits for this recipient about this alert, itself included.
    Waiting,
}

/// Who is told of a notice in place of its recipient, with the recipient in each channel's own words.
#[derive(Debug)]
pub(crate) struct Escalation {
    pub(crate) notice: i64,
    pub(crate) transition: i64,
    pub(crate) facts: Facts,
    pub(crate) at: UtcMillis,
    pub(crate) ways: Vec<(Way, String)>,
}

/// Recipients looked at together; each is asked for its most urgent notice first.
const HEADS_AT_ONCE: i64 = 200;
/// Each notice that gets through after an outage has so many others tried at once: all of them soon, where the receiver is
/// back, and few in vain, where it is not.
const FOLLOWERS: i64 = 8;

impl Db {
    /// Channels with pending notices.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, DbError> {
        let select = sqlx::query(
            "SELECT channel, min(next_attempt_at) AS next, min(created_at) AS oldest FROM outbox
             WHERE state = 0 GROUP BY channel",
        );
        let rows = select.fetch_all(&self.read).await?;
        let read = |row: &SqliteRow| {
            let (next_attempt_at, oldest) = (time(row, "next")?, time(row, "oldest")?);
            Ok(Backlog { channel: channel(row)?, next_attempt_at, oldest })
        };
        rows.iter().map(read).collect()
    }

    /// What a channel may send at `now`: of each recipient first, the highest levels first, of equal ones the newest
    /// alert first; within an alert in the order of its transitions.
    pub(crate) async fn heads(&self, channel: &ChannelId, now: UtcMillis) -> Result<Vec<Head>, DbError> {
        let select = sqlx::query(
            "WITH waiting AS (
                SELECT recipient, min(outbox.id) AS head, max(to_level) AS urgency, max(created_at) AS newest,
                       min(next_attempt_at) AS next
                FROM outbox JOIN transitions ON transitions.id = transition_id
                WHERE state = 0 AND channel = ? GROUP BY recipient, alert)
             SELECT head, recipient, urgency,
                    row_number() OVER (PARTITION BY recipient ORDER BY urgency DESC, newest DESC) AS place
             FROM waiting WHERE next <= ? ORDER BY place, urgency DESC, newest DESC LIMIT ?",
        );
        let rows = select.bind(channel.as_str()).bind(now.get()).bind(HEADS_AT_ONCE).fetch_all(&self.read).await?;
        let read = |row: &SqliteRow| {
            let (id, recipient) = (row.try_get("head")?, row.try_get("recipient")?);
            Ok(Head { id, recipient, urgency: super::level(row, "urgency")? })
        };
        rows.iter().map(read).collect()
    }

    /// Everything that is needed to send a notice.
    pub(crate) async fn notice(&self, head: &Head) -> Result<DueNotice, DbError> {
        let select = sqlx::query(
            "SELECT outbox.id, transition_id, outbox.kind AS notice_kind, person, channel, attempts, created_at,
                    idempotency_key, facts, ack_level, ack_by, ack_person, ack_at, ack_note
             FROM outbox JOIN transitions ON transitions.id = transition_id JOIN alerts ON alerts.id = alert
             WHERE outbox.id = ?",
        );
        let row = select.bind(head.id).fetch_one(&self.read).await?;
        Ok(DueNotice {
            id: head.id,
            transition: row.try_get("transition_id")?,
            kind: NoticeKind::from_key(row.try_get("notice_kind")?).ok_or(DbError::Damaged("notice kind"))?,
            person: optional_person(&row, "person")?,
            channel: channel(&row)?,
            urgency: head.urgency,
            attempts: row.try_get("attempts")?,
            created_at: time(&row, "created_at")?,
            idempotency_key: row.try_get("idempotency_key")?,
            facts: serde_json::from_str(row.try_get("facts")?).map_err(|_| DbError::Damaged("transition"))?,
            acknowledged: acknowledgement(&row)?,
        })
    }

    /// The notices that others are to be told of, once each: those of levels that nobody has acknowledged.
    pub(crate) async fn unreached(
        &self,
        notice: &DueNotice,
        which: Unreached,
        at: UtcMillis,
    ) -> Result<Vec<Escalation>, DbError> {
        let select = match which {
            Unreached::This => sqlx::query(
                "SELECT outbox.id, transition_id, facts FROM outbox JOIN transitions ON transitions.id = transition_id
                 JOIN alerts ON alerts.id = alert
                 WHERE outbox.id = ?1 AND escalated_at IS NULL AND coalesce(ack_level, -1) < to_level",
            ),
            Unreached::Waiting => sqlx::query(
                "SELECT outbox.id, transition_id, facts FROM outbox JOIN transitions ON transitions.id = transition_id
                 JOIN alerts ON alerts.id = alert
                 WHERE state = 0 AND escalated_at IS NULL AND ?2 <= to_level AND coalesce(ack_level, -1) < to_level
                 AND (channel, recipient) = (SELECT channel, recipient FROM outbox WHERE id = ?1)
                 AND alert = (SELECT alert FROM transitions WHERE id = ?3) ORDER BY outbox.id",
            ),
        };
        let select = select.bind(notice.id).bind(Level::Siaga.code()).bind(notice.transition);
        let rows = select.fetch_all(&self.read).await?;
        let read = |row: &SqliteRow| {
            let facts = serde_json::from_str(row.try_get("facts")?).map_err(|_| DbError::Damaged("transition"))?;
            let (notice, transition) = (row.try_get("id")?, row.try_get("transition_id")?);
            Ok(Escalation { notice, transition, facts, at, ways: Vec::new() })
        };
        rows.iter().map(read).collect()
    }

    /// The people told of a transition so far, and how; whether or not it reached them.
    pub(crate) async fn told(&self, transition: i64) -> Result<BTreeSet<Way>, DbError> {
        let select = sqlx::query("SELECT person, channel FROM outbox WHERE transition_id = ? AND person IS NOT NULL");
        let rows = select.bind(transition).fetch_all(&self.read).await?;
        let read = |row: &SqliteRow| Ok(optional_person(row, "person")?.zip(Some(channel(row)?)));
        rows.iter().filter_map(|row| read(row).transpose()).collect()
    }

    /// Writes attempts to the delivery log and their consequences to the outbox.
    pub(crate) async fn record_attempts(&self, attempts: &[&Attempt]) -> Result<(), DbError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for attempt in attempts {
            record(&mut transaction, attempt).await?;
            for escalation in &attempt.escalations {
                escalate(&mut transaction, escalation).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn record(connection: &mut SqliteConnection, attempt: &Attempt) -> Result<(), DbError> {
    let insert = sqlx::query(
        "INSERT INTO deliveries (outbox_id, attempt, at, verdict, http_status, duration_ms, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    let insert = insert.bind(attempt.notice).bind(attempt.number).bind(attempt.at.get()).bind(attempt.verdict.key());
    let insert = insert.bind(attempt.http_status).bind(attempt.duration_ms).bind(&attempt.detail);
    insert.execute(&mut *connection).await?;
    let update =
        sqlx::query("UPDATE outbox SET state = ?, attempts = ?, next_attempt_at = ?, last_result = ? WHERE id = ?");
    let update = update.bind(attempt.state.code()).bind(attempt.number).bind(attempt.next_attempt_at.get());
    update.bind(&attempt.detail).bind(attempt.notice).execute(&mut *connection).await?;
    if attempt.state == NoticeState::Pending {
        // What waits behind it waits as long; a notice that comes later lets the whole row be tried at once.
        let wait = sqlx::query(
            "UPDATE outbox SET next_attempt_at = max(next_attempt_at, ?1)
             WHERE state = 0 AND (channel, recipient) = (SELECT channel, recipient FROM outbox WHERE id = ?2)
             AND transition_id IN (SELECT id FROM transitions
                                   WHERE alert = (SELECT alert FROM transitions WHERE id = ?3))",
        );
        let wait = wait.bind(attempt.next_attempt_at.get()).bind(attempt.notice).bind(attempt.transition);
        wait.execute(&mut *connection).await?;
    }
    if attempt.state == NoticeState::Sent {
        bring_forward(connection, attempt).await?;
    }
    Ok(())
}

/// A receiver took a notice: those that it did not answer for before are due now, the most urgent first. What it answered
/// for, if only with "later", keeps its own time.
async fn bring_forward(connection: &mut SqliteConnection, sent: &Attempt) -> Result<(), DbError> {
    let update = sqlx::query(
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
    );
    update.bind(sent.notice).bind(sent.next_attempt_at.get()).bind(FOLLOWERS).execute(&mut *connection).await?;
    Ok(())
}

async fn escalate(connection: &mut SqliteConnection, escalation: &Escalation) -> Result<(), DbError> {
    for ((person, channel), recipient) in &escalation.ways {
        let insert = sqlx::query(
            "INSERT INTO outbox (transition_id, kind, number, person, channel, recipient, state, created_at,
                                 next_attempt_at, idempotency_key, escalated_from)
             VALUES (?, ?, 0, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        );
        let insert = insert.bind(escalation.transition).bind(NoticeKind::Escalation.key());
        let insert = insert.bind(person.as_str()).bind(channel.as_str()).bind(recipient);
        let insert = insert.bind(escalation.at.get()).bind(escalation.at.get());
        let insert = insert.bind(escalation_key(escalation.transition, escalation.facts.alert, person, channel));
        insert.bind(escalation.notice).execute(&mut *connection).await?;
    }
    let update = sqlx::query("UPDATE outbox SET escalated_at = ? WHERE id = ?");
    update.bind(escalation.at.get()).bind(escalation.notice).execute(&mut *connection).await?;
    Ok(())
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

fn channel(row: &SqliteRow) -> Result<ChannelId, DbError> {
    ChannelId::new(row.try_get("channel")?).map_err(|_| DbError::Damaged("channel id"))
}
