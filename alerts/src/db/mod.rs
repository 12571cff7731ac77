//! alerts.db: engine state with cursor B, decision log, alerts, outbox, delivery log and command inbox.
//!
//! One connection writes; what belongs together (decision, notifications, state, cursor) is one transaction with full
//! fsync. Questions never wait for it.

mod ahead;
mod commands;
mod commit;
mod key;
#[cfg(test)]
mod migration_tests;
mod outbox;
mod read;
mod rows;
mod schema;

use std::{collections::BTreeMap, path::Path};

use bakau_model::{Level, Observation, Seq};
use bakau_sqlite::{Readers, Writer};
use rusqlite::Connection;

use crate::{
    AlertId,
    engine::{EngineSnapshot, Heard, Mute, Remembered, SlotKey, SlotState, StateError},
};
use rows::{alert_id, all, bytes, level, optional, optional_time, parsed, rule_id, time, value};
use schema::ALERTS;

pub(crate) use commands::{Command, Outcome, StoredCommand};
pub(crate) use commit::{Commit, Decision};
pub(crate) use outbox::{Attempt, Backlog, DueNotification, Escalation, Head, Unreached};

/// Why the alert database failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The file cannot be opened, is something else or comes from a newer version.
    #[error(transparent)]
    File(#[from] bakau_sqlite::Error),
    /// A row holds something that was never written there.
    #[error(
        "alerts.db holds an unreadable {0}: restore a backup, or move the file away to start without alert history"
    )]
    Damaged(&'static str),
    /// SQLite failed.
    #[error("alerts.db cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The system gives no random numbers for a key.
    #[error("no key for links can be made: {0}")]
    Key(String),
}

/// Questions answered at the same time: one of the outbox and one of pages.
const READERS: u32 = 2;

#[derive(Debug, Clone)]
pub(crate) struct Db {
    writer: Writer,
    readers: Readers,
}

/// What the engine starts from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) cursor: Seq,
    pub(crate) engine: EngineSnapshot,
    /// Values from the future that wait for their time.
    pub(crate) ahead: Vec<Observation>,
    /// States that could not be read; they start anew.
    pub(crate) unreadable: Vec<(SlotKey, StateError)>,
}

impl Db {
    pub(crate) fn open(path: &Path) -> Result<Self, DbError> {
        let writer = Writer::start("alerts-db", ALERTS.open_writer(path)?, None)?;
        Ok(Self { writer, readers: Readers::new(&ALERTS, path, READERS) })
    }

    pub(crate) async fn load(&self) -> Result<Loaded, DbError> {
        self.readers.run(load).await
    }

    /// Waits for what is being written and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn load(connection: &Connection) -> Result<Loaded, DbError> {
    let transaction = connection.unchecked_transaction()?;
    let (engine, unreadable) = engine(&transaction)?;
    let cursor = Seq::new(value(&transaction, "SELECT seq FROM cursor", [])?);
    Ok(Loaded { cursor, engine, ahead: ahead::read(&transaction)?, unreadable })
}

fn engine(connection: &Connection) -> Result<(EngineSnapshot, Vec<(SlotKey, StateError)>), DbError> {
    let (mut engine, mut unreadable) = (EngineSnapshot::default(), Vec::new());
    let taken = taken(connection)?;
    let states = all(connection, "SELECT subject, rule, state FROM engine_state", [], |row| {
        let key = SlotKey { subject: parsed(row, "subject", "engine state")?, rule: rule_id(row, "rule")? };
        Ok((key, SlotState::decode(bytes(row, "state")?)))
    })?;
    for (key, state) in states {
        match state {
            Ok(mut state) => {
                // A state from before acknowledgements had levels does not say at which one that was.
                if let Some(open) = state.alert.as_mut().filter(|open| open.acknowledged.is_some()) {
                    open.acknowledged = taken.get(&open.id).copied().or(open.acknowledged);
                }
                engine.slots.push((key, state));
            }
            Err(error) => unreadable.push((key, error)),
        }
    }
    engine.heard = all(connection, "SELECT subject, last, offline_since, source FROM heard", [], |row| {
        let (last, offline_since) = (optional_time(row, "last")?, optional_time(row, "offline_since")?);
        let remembered =
            Remembered { heard: Heard { last, offline_since }, source: optional(row, "source", "source")? };
        Ok((parsed(row, "subject", "subject")?, remembered))
    })?;
    engine.mutes = all(connection, "SELECT rule, until, by FROM mutes", [], |row| {
        Ok(Mute { rule: rule_id(row, "rule")?, until: time(row, "until")?, by: row.get("by")? })
    })?;
    Ok((engine, unreadable))
}

/// The level at which each open alert was acknowledged.
fn taken(connection: &Connection) -> Result<BTreeMap<AlertId, Level>, DbError> {
    let sql = "SELECT id, ack_level FROM alerts WHERE closed_at IS NULL AND ack_level IS NOT NULL";
    let rows = all(connection, sql, [], |row| Ok((alert_id(row, "id")?, level(row, "ack_level")?)))?;
    Ok(rows.into_iter().collect())
}
