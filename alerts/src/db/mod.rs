//! alerts.db: engine state with cursor B, decision log, alerts, outbox, delivery log and command inbox.
//!
//! One connection writes; what belongs together (decision, notices, state, cursor) is one transaction with full fsync.

mod ahead;
mod commands;
mod commit;
mod key;
#[cfg(test)]
mod migration_tests;
mod outbox;
mod read;
mod schema;

use std::{collections::BTreeMap, path::Path, time::Duration};

use bakau_model::{Level, Observation, PersonId, RuleId, Seq, SourceName, UtcMillis};
use sqlx::{
    Connection as _, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::{
    AlertId,
    engine::{EngineSnapshot, Heard, Mute, Remembered, SlotKey, SlotState, StateError},
};

pub(crate) use commands::{Command, Outcome, StoredCommand};
pub(crate) use commit::{Commit, Decision};
pub(crate) use outbox::{Attempt, Backlog, DueNotice, Escalation, Head, Unreached};

/// Why the alert database failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// A newer version wrote it.
    #[error("{path} has format {found}, this version of Bakau knows up to {known}: start the newer version again")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest format this version knows.
        known: i64,
    },
    /// A row holds something that was never written there.
    #[error(
        "alerts.db holds an unreadable {0}: restore a backup, or move the file away to start without alert history"
    )]
    Damaged(&'static str),
    /// SQLite failed.
    #[error("alerts.db cannot be used: {0}")]
    Sqlite(#[from] sqlx::Error),
}

/// Readers that never wait for the writer.
const READ_CONNECTIONS: u32 = 2;

#[derive(Debug, Clone)]
pub(crate) struct Db {
    write: SqlitePool,
    read: SqlitePool,
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
    pub(crate) async fn open(path: &Path) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // The writer is ours: asking it whether it is alive before each use would double small transactions.
            .test_before_acquire(false)
            // A full disk makes SQLite roll back by itself; sqlx then believes for ever that the transaction is open, and
            // could never begin another one. A fresh connection can.
            .after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        migrate(&write, path).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READ_CONNECTIONS)
            .test_before_acquire(false)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { write, read })
    }

    pub(crate) async fn load(&self) -> Result<Loaded, DbError> {
        let mut connection = self.write.acquire().await?;
        let seq: i64 = sqlx::query_scalar("SELECT seq FROM cursor").fetch_one(&mut *connection).await?;
        let mut loaded = Loaded {
            cursor: Seq::new(seq.cast_unsigned()),
            engine: EngineSnapshot::default(),
            ahead: ahead::read(&mut connection).await?,
            unreadable: Vec::new(),
        };
        let taken = taken(&mut connection).await?;
        let rows = sqlx::query("SELECT subject, rule, state FROM engine_state").fetch_all(&mut *connection).await?;
        for row in rows {
            let subject: &str = row.try_get("subject")?;
            let subject = subject.parse().map_err(|_| DbError::Damaged("engine state"))?;
            let key = SlotKey { subject, rule: rule_id(&row, "rule")? };
            match SlotState::decode(row.try_get("state")?) {
                Ok(mut state) => {
                    // A state from before acknowledgements had levels does not say at which one that was.
                    if let Some(open) = state.alert.as_mut().filter(|open| open.acknowledged.is_some()) {
                        open.acknowledged = taken.get(&open.id).copied().or(open.acknowledged);
                    }
                    loaded.engine.slots.push((key, state));
                }
                Err(error) => loaded.unreadable.push((key, error)),
            }
        }
        let rows =
            sqlx::query("SELECT subject, last, offline_since, source FROM heard").fetch_all(&mut *connection).await?;
        for row in rows {
            let subject: &str = row.try_get("subject")?;
            let subject = subject.parse().map_err(|_| DbError::Damaged("subject"))?;
            let heard =
                Heard { last: optional_time(&row, "last")?, offline_since: optional_time(&row, "offline_since")? };
            let source: Option<&str> = row.try_get("source")?;
            let source = source.map(SourceName::new).transpose().map_err(|_| DbError::Damaged("source"))?;
            loaded.engine.heard.push((subject, Remembered { heard, source }));
        }
        for row in sqlx::query("SELECT rule, until, by FROM mutes").fetch_all(&mut *connection).await? {
            let mute = Mute { rule: rule_id(&row, "rule")?, until: time(&row, "until")?, by: row.try_get("by")? };
            loaded.engine.mutes.push(mute);
        }
        Ok(loaded)
    }

    /// Waits for what is being written and closes the file.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), DbError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let known = i64::try_from(schema::MIGRATIONS.len()).unwrap_or(i64::MAX);
    let done = usize::try_from(found).ok().filter(|_| found <= known);
    let Some(done) = done else { return Err(DbError::Newer { path: path.display().to_string(), found, known }) };
    for migration in &schema::MIGRATIONS[done..] {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    let set_version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}"));
    sqlx::raw_sql(set_version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// The level at which each open alert was acknowledged.
async fn taken(connection: &mut SqliteConnection) -> Result<BTreeMap<AlertId, Level>, DbError> {
    let select = sqlx::query("SELECT id, ack_level FROM alerts WHERE closed_at IS NULL AND ack_level IS NOT NULL");
    let rows = select.fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let id = AlertId::from_bytes(row.try_get("id")?).ok_or(DbError::Damaged("alert id"))?;
        Ok((id, level(row, "ack_level")?))
    };
    rows.iter().map(read).collect()
}

// === columns ===

fn time(row: &SqliteRow, column: &str) -> Result<UtcMillis, DbError> {
    Ok(UtcMillis::new(row.try_get(column)?))
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<UtcMillis>, DbError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UtcMillis::new))
}

fn level(row: &SqliteRow, column: &str) -> Result<Level, DbError> {
    Level::from_code(row.try_get(column)?).ok_or(DbError::Damaged("level"))
}

fn optional_person(row: &SqliteRow, column: &str) -> Result<Option<PersonId>, DbError> {
    let id: Option<&str> = row.try_get(column)?;
    id.map(|id| PersonId::new(id).map_err(|_| DbError::Damaged("person id"))).transpose()
}

fn rule_id(row: &SqliteRow, column: &str) -> Result<RuleId, DbError> {
    RuleId::new(row.try_get(column)?).map_err(|_| DbError::Damaged("rule id"))
}
