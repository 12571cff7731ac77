//! registry.db: its tables, how they are read and how one change is written.

use bakau_model::{DatastreamName, Principal, UtcMillis};
use bakau_sqlite::Database;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, types::Type};

use crate::{
    error::RegistryError,
    plan::{DatastreamWrite, Writes},
    rows::{DatastreamRow, Stored},
};

/// The file of a registry.
pub(crate) const REGISTRY: Database = Database {
    what: "a registry",
    // "bakr".
    application_id: 0x6261_6b72,
    migrations: &[
        include_str!("../migrations/0001.sql"),
        include_str!("../migrations/0002.sql"),
        include_str!("../migrations/0003.sql"),
    ],
    ..Database::DEFAULTS
};

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

pub(crate) fn revision(connection: &Connection) -> Result<u64, RegistryError> {
    Ok(connection.query_row("SELECT number FROM revision", [], |row| row.get(0))?)
}

/// Reads everything at one revision.
pub(crate) fn load(connection: &Connection) -> Result<Stored, RegistryError> {
    let transaction = connection.unchecked_transaction()?;
    let datastream = |row: &Row<'_>| {
        let (number, name, unit, json) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(DatastreamRow { number, name, unit, json, retired: row.get(4)? })
    };
    let stored = Stored {
        revision: revision(&transaction)?,
        items: all(&transaction, "SELECT kind, id, json FROM item ORDER BY kind, position, id", |row| row.try_into())?,
        datastreams: all(
            &transaction,
            "SELECT number, name, unit, json, retired_revision IS NOT NULL FROM datastream_number ORDER BY number",
            datastream,
        )?,
        aliases: all(&transaction, "SELECT alias, number FROM datastream_alias ORDER BY alias", |row| row.try_into())?,
        deployments: all(
            &transaction,
            "SELECT number, datastream, from_ms FROM deployment_number ORDER BY number",
            |row| row.try_into(),
        )?,
    };
    Ok(stored)
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map([], read)?.collect()
}

/// Begins a change: takes the write lock and the present revision.
pub(crate) fn begin_change(connection: &mut Connection) -> Result<(Transaction<'_>, u64), RegistryError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let current = revision(&transaction)?;
    Ok((transaction, current))
}

/// Writes a plan's changes; `revision` is the new one.
pub(crate) fn write(transaction: &Transaction<'_>, writes: &Writes, revision: u64) -> Result<(), RegistryError> {
    for number in &writes.retired {
        let sql = "UPDATE datastream_number SET retired_revision = ? WHERE number = ?";
        transaction.prepare_cached(sql)?.execute(params![revision, number.get()])?;
    }
    for datastream in &writes.datastreams {
        write_datastream(transaction, datastream, revision)?;
    }
    for (name, from) in &writes.deployments {
        let sql = "INSERT INTO deployment_number (datastream, from_ms)
                   SELECT number, ? FROM datastream_number WHERE name = ? ON CONFLICT DO NOTHING";
        transaction.prepare_cached(sql)?.execute(params![from.get(), name.as_str()])?;
    }
    for (kind, id) in &writes.deleted {
        let sql = "DELETE FROM item WHERE kind = ? AND id = ?";
        transaction.prepare_cached(sql)?.execute(params![kind.key(), id])?;
    }
    for ((kind, id), row) in &writes.upserted {
        let sql = "INSERT INTO item (kind, id, position, json, revision) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (kind, id) DO UPDATE SET
                   position = excluded.position, json = excluded.json, revision = excluded.revision";
        transaction.prepare_cached(sql)?.execute(params![kind.key(), id, row.position, row.json, revision])?;
    }
    Ok(())
}

fn write_datastream(
    transaction: &Transaction<'_>,
    datastream: &DatastreamWrite,
    revision: u64,
) -> Result<(), RegistryError> {
    let DatastreamWrite { number, name, unit, json, aliases } = datastream;
    let number = match number {
        Some(number) => {
            // The unit stays: it is the one the stored values are in.
            let sql = "UPDATE datastream_number SET name = ?, json = ?, retired_revision = NULL WHERE number = ?";
            transaction.prepare_cached(sql)?.execute(params![name.as_str(), json, number.get()])?;
            i64::from(number.get())
        }
        None => {
            let sql = "INSERT INTO datastream_number (name, unit, json, created_revision) VALUES (?, ?, ?, ?)";
            transaction.prepare_cached(sql)?.insert(params![name.as_str(), unit.as_str(), json, revision])?
        }
    };
    aliases.iter().try_for_each(|alias| add_alias(transaction, alias, number))
}

fn add_alias(transaction: &Transaction<'_>, alias: &DatastreamName, number: i64) -> Result<(), RegistryError> {
    let sql = "INSERT INTO datastream_alias (alias, number) VALUES (?, ?) ON CONFLICT DO NOTHING";
    transaction.prepare_cached(sql)?.execute(params![alias.as_str(), number])?;
    Ok(())
}

/// Ends a change: the new revision and its audit row.
pub(crate) fn end_change(transaction: Transaction<'_>, row: &AuditRow) -> Result<(), RegistryError> {
    let by =
        serde_json::to_string(&row.by).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO audit (revision, at, by, summary, difference) VALUES (?, ?, ?, ?, ?)";
    transaction.execute(sql, params![row.revision, row.at.get(), by, row.summary, row.difference])?;
    transaction.execute("UPDATE revision SET number = ?", [row.revision])?;
    Ok(transaction.commit()?)
}

/// The newest changes first.
pub(crate) fn audit(connection: &Connection, limit: u32) -> Result<Vec<AuditRow>, RegistryError> {
    let sql = "SELECT revision, at, by, summary, difference FROM audit ORDER BY revision DESC LIMIT ?";
    let read = |row: &Row<'_>| {
        let by: String = row.get(2)?;
        let by = serde_json::from_str(&by)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error)))?;
        let (revision, at) = (row.get(0)?, UtcMillis::new(row.get(1)?));
        Ok(AuditRow { revision, at, by, summary: row.get(3)?, difference: row.get(4)? })
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([limit], read)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

pub(crate) fn setting(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, RegistryError> {
    let found = connection.query_row("SELECT value FROM setting WHERE key = ?", [key], |row| row.get(0));
    Ok(found.optional()?)
}

pub(crate) fn set(transaction: &Transaction<'_>, key: &str, value: &[u8]) -> Result<(), RegistryError> {
    let sql = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    transaction.execute(sql, params![key, value])?;
    Ok(())
}
