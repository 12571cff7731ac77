//! Rows of the outbox and of the delivery log.

use std::collections::BTreeSet;

use bakau_model::{ChannelId, UtcMillis};
use sqlx::Row;

use super::{Db, DbError};
use crate::{NoticeState, facts::Facts};

/// A notice to be sent now.
#[derive(Debug, Clone)]
pub(crate) struct DueNotice {
    pub(crate) id: i64,
    pub(crate) attempts: u32,
    pub(crate) idempotency_key: String,
    pub(crate) facts: Facts,
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
    /// 1 for the first.
    pub(crate) number: u32,
    pub(crate) at: UtcMillis,
    pub(crate) verdict: &'static str,
    pub(crate) http_status: Option<u16>,
    pub(crate) duration_ms: i64,
    pub(crate) detail: String,
    pub(crate) state: NoticeState,
    pub(crate) next_attempt_at: UtcMillis,
}

impl Db {
    /// Channels with pending notices.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, DbError> {
        let select = sqlx::query(
            "SELECT channel, min(next_attempt_at) AS next, min(created_at) AS oldest FROM outbox
             WHERE state = 0 GROUP BY channel",
        );
        let rows = select.fetch_all(&self.read).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let channel = ChannelId::new(row.try_get("channel")?).map_err(|_| DbError::Damaged("channel id"))?;
            Ok(Backlog { channel, next_attempt_at: super::time(row, "next")?, oldest: super::time(row, "oldest")? })
        };
        rows.iter().map(read).collect()
    }

    /// Notices of a channel due at `now`, longest due first, without those being sent.
    pub(crate) async fn due(
        &self,
        channel: &ChannelId,
        now: UtcMillis,
        sending: &BTreeSet<i64>,
        limit: usize,
    ) -> Result<Vec<DueNotice>, DbError> {
        let select = sqlx::query(
            "SELECT outbox.id, attempts, idempotency_key, facts
             FROM outbox JOIN transitions ON transitions.id = transition_id
             WHERE state = 0 AND channel = ? AND next_attempt_at <= ? ORDER BY next_attempt_at, outbox.id LIMIT ?",
        );
        let rows_wanted = i64::try_from(limit.saturating_add(sending.len())).unwrap_or(i64::MAX);
        let select = select.bind(channel.as_str()).bind(now.get()).bind(rows_wanted);
        let mut due = Vec::new();
        for row in select.fetch_all(&self.read).await? {
            let id = row.try_get("id")?;
            if sending.contains(&id) || due.len() == limit {
                continue;
            }
            let facts = serde_json::from_str(row.try_get("facts")?).map_err(|_| DbError::Damaged("transition"))?;
            let (attempts, idempotency_key) = (row.try_get("attempts")?, row.try_get("idempotency_key")?);
            due.push(DueNotice { id, attempts, idempotency_key, facts });
        }
        Ok(due)
    }

    /// Writes attempts to the delivery log and their consequence to the outbox.
    pub(crate) async fn record_attempts(&self, attempts: &[Attempt]) -> Result<(), DbError> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for attempt in attempts {
            let insert = sqlx::query(
                "INSERT INTO deliveries (outbox_id, attempt, at, verdict, http_status, duration_ms, detail)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            );
            let insert = insert.bind(attempt.notice).bind(attempt.number).bind(attempt.at.get()).bind(attempt.verdict);
            let insert = insert.bind(attempt.http_status).bind(attempt.duration_ms).bind(&attempt.detail);
            insert.execute(&mut *transaction).await?;
            let update = sqlx::query(
                "UPDATE outbox SET state = ?, attempts = ?, next_attempt_at = ?, last_result = ? WHERE id = ?",
            );
            let update = update.bind(attempt.state.code()).bind(attempt.number).bind(attempt.next_attempt_at.get());
            update.bind(&attempt.detail).bind(attempt.notice).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
