//! registry.db: its tables, how they are read and how one change is written.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bakau_model::{DatastreamName, Principal, UtcMillis};
use sqlx::{
    Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    catalogue::CatalogueError,
    plan::{DatastreamWrite, Writes},
    rows::{DamagedRow, DatastreamRow, Stored},
};

/// Steps from an empty file to the present format, each one a format number; never changed once released.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001.sql")];
/// `PRAGMA application_id` of a registry: "bakr" in ASCII.
const APPLICATION_ID: i64 = 0x6261_6b72;
/// How long a write waits for another process that is applying.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Reads of pages and of the poller; writes are rare and one at a time.
const MAX_CONNECTIONS: u32 = 4;

/// The registry cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The catalogue and what is registered do not fit together.
    #[error("the catalogue does not fit what is registered:\n{}", lines(.0))]
    Invalid(Vec<CatalogueError>),
    /// Another change was applied since the plan was made.
    #[error(
        "the registry changed from revision {planned} to {current} since this was planned: plan again and look at the new difference"
    )]
    Stale {
        /// The revision planned against.
        planned: u64,
        /// The present revision.
        current: u64,
    },
    /// The file comes from a newer version of Bakau.
    #[error("{} was written by a newer version of Bakau (format {found}; this version knows up to {known}): start that version, or restore the backup made before the update", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known format.
        known: usize,
    },
    /// The file is something else.
    #[error("{} is a database of something else: choose another path for the registry", path.display())]
    NotARegistry {
        /// The file.
        path: PathBuf,
    },
    /// A stored item cannot be read.
    #[error("the registry is damaged; restore it from a backup")]
    Damaged(#[from] DamagedRow),
    /// The database refused or failed.
    #[error("the registry database failed")]
    Database(#[from] sqlx::Error),
}

fn lines(errors: &[CatalogueError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One applied change.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// The revision it made.
    pub revision: u64,
    /// When.
    pub at: UtcMillis,
    /// Who.
    pub by: Principal,
    /// One line.
    pub summary: String,
    /// Every difference, one a line.
    pub difference: String,
}

/// Opens or creates the file and brings it to the present format.
pub(crate) async fn open(path: &Path) -> Result<SqlitePool, RegistryError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).connect_with(options).await?;
    migrate(&pool, path).await?;
    Ok(pool)
}

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), RegistryError> {
    // The write lock is taken first, so that two processes starting at once do not both migrate.
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let (application,): (i64,) = sqlx::query_as("PRAGMA application_id").fetch_one(&mut *tx).await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *tx).await?;
    let (tables,): (i64,) = sqlx::query_as("SELECT count(*) FROM sqlite_master").fetch_one(&mut *tx).await?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && application != APPLICATION_ID {
        return Err(RegistryError::NotARegistry { path: path.to_owned() });
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if MIGRATIONS.len() < done {
        return Err(RegistryError::NewerFormat { path: path.to_owned(), found: version, known: MIGRATIONS.len() });
    }
    for migration in &MIGRATIONS[done..] {
        sqlx::raw_sql(*migration).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(crate) async fn revision(connection: &mut SqliteConnection) -> Result<u64, RegistryError> {
    let (number,): (i64,) = sqlx::query_as("SELECT number FROM revision").fetch_one(connection).await?;
    Ok(number.unsigned_abs())
}

/// Reads everything at one revision.
pub(crate) async fn load(pool: &SqlitePool) -> Result<Stored, RegistryError> {
    let mut tx = pool.begin().await?;
    let items = sqlx::query_as("SELECT kind, id, json FROM item ORDER BY kind, position, id");
    let datastreams = sqlx::query_as::<_, (u32, String, String, String, bool)>(
        "SELECT number, name, unit, json, retired_revision IS NOT NULL FROM datastream_number ORDER BY number",
    );
    let aliases = sqlx::query_as("SELECT alias, number FROM datastream_alias ORDER BY alias");
    let deployments = sqlx::query_as("SELECT number, datastream, from_ms FROM deployment_number ORDER BY number");
    let row = |(number, name, unit, json, retired)| DatastreamRow { number, name, unit, json, retired };
    let stored = Stored {
        revision: revision(&mut tx).await?,
        items: items.fetch_all(&mut *tx).await?,
        datastreams: datastreams.fetch_all(&mut *tx).await?.into_iter().map(row).collect(),
        aliases: aliases.fetch_all(&mut *tx).await?,
        deployments: deployments.fetch_all(&mut *tx).await?,
    };
    tx.commit().await?;
    Ok(stored)
}

/// Begins a change: takes the write lock and the next revision.
pub(crate) async fn begin_change(pool: &SqlitePool) -> Result<(Transaction<'static, Sqlite>, u64), RegistryError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let current = revision(&mut tx).await?;
    Ok((tx, current))
}

/// Writes a plan's changes; `revision` is the new one.
pub(crate) async fn write(tx: &mut SqliteConnection, writes: &Writes, revision: u64) -> Result<(), RegistryError> {
    let revision = signed(revision);
    for number in &writes.retired {
        let sql = "UPDATE datastream_number SET retired_revision = ? WHERE number = ?";
        sqlx::query(sql).bind(revision).bind(number.get()).execute(&mut *tx).await?;
    }
    for datastream in &writes.datastreams {
        write_datastream(tx, datastream, revision).await?;
    }
    for (name, from) in &writes.deployments {
        let sql = "INSERT INTO deployment_number (datastream, from_ms)
                   SELECT number, ? FROM datastream_number WHERE name = ? ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(from.get()).bind(name.as_str()).execute(&mut *tx).await?;
    }
    for (kind, id) in &writes.deleted {
        let sql = "DELETE FROM item WHERE kind = ? AND id = ?";
        sqlx::query(sql).bind(kind.key()).bind(id.as_str()).execute(&mut *tx).await?;
    }
    for ((kind, id), row) in &writes.upserted {
        let sql = "INSERT INTO item (kind, id, position, json, revision) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (kind, id) DO UPDATE SET
                   position = excluded.position, json = excluded.json, revision = excluded.revision";
        let query = sqlx::query(sql).bind(kind.key()).bind(id.as_str()).bind(row.position);
        query.bind(row.json.as_str()).bind(revision).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_datastream(
    tx: &mut SqliteConnection,
    datastream: &DatastreamWrite,
    revision: i64,
) -> Result<(), RegistryError> {
    let DatastreamWrite { number, name, unit, json, aliases } = datastream;
    let number = match number {
        Some(number) => {
            // The unit stays: it is the one the stored values are in.
            let sql = "UPDATE datastream_number SET name = ?, json = ?, retired_revision = NULL WHERE number = ?";
            let query = sqlx::query(sql).bind(name.as_str()).bind(json.as_str()).bind(number.get());
            query.execute(&mut *tx).await?;
            i64::from(number.get())
        }
        None => {
            let sql = "INSERT INTO datastream_number (name, unit, json, created_revision) VALUES (?, ?, ?, ?)";
            let query = sqlx::query(sql).bind(name.as_str()).bind(unit.as_str()).bind(json.as_str());
            query.bind(revision).execute(&mut *tx).await?.last_insert_rowid()
        }
    };
    for alias in aliases {
        add_alias(tx, alias, number).await?;
    }
    Ok(())
}

async fn add_alias(tx: &mut SqliteConnection, alias: &DatastreamName, number: i64) -> Result<(), RegistryError> {
    let sql = "INSERT INTO datastream_alias (alias, number) VALUES (?, ?) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(alias.as_str()).bind(number).execute(tx).await?;
    Ok(())
}

/// Ends a change: the new revision and its audit row.
pub(crate) async fn end_change(mut tx: Transaction<'static, Sqlite>, row: &AuditRow) -> Result<(), RegistryError> {
    let by = serde_json::to_string(&row.by).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let sql = "INSERT INTO audit (revision, at, by, summary, difference) VALUES (?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(signed(row.revision)).bind(row.at.get()).bind(by);
    query.bind(row.summary.as_str()).bind(row.difference.as_str()).execute(&mut *tx).await?;
    sqlx::query("UPDATE revision SET number = ?").bind(signed(row.revision)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest changes first.
pub(crate) async fn audit(pool: &SqlitePool, limit: u32) -> Result<Vec<AuditRow>, RegistryError> {
    let sql = "SELECT revision, at, by, summary, difference FROM audit ORDER BY revision DESC LIMIT ?";
    let rows: Vec<(i64, i64, String, String, String)> = sqlx::query_as(sql).bind(limit).fetch_all(pool).await?;
    let row = |(revision, at, by, summary, difference): (i64, i64, String, String, String)| {
        let by = serde_json::from_str(&by).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(AuditRow { revision: revision.unsigned_abs(), at: UtcMillis::new(at), by, summary, difference })
    };
    rows.into_iter().map(row).collect()
}

pub(crate) async fn setting(pool: &SqlitePool, key: &str) -> Result<Option<Vec<u8>>, RegistryError> {
    let found: Option<(Vec<u8>,)> =
        sqlx::query_as("SELECT value FROM setting WHERE key = ?").bind(key).fetch_optional(pool).await?;
    Ok(found.map(|(value,)| value))
}

pub(crate) async fn set(tx: &mut SqliteConnection, key: &str, value: &[u8]) -> Result<(), RegistryError> {
    let sql = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    sqlx::query(sql).bind(key).bind(value).execute(tx).await?;
    Ok(())
}

/// SQLite has no unsigned integers; revisions stay far below 2^63.
fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
