//! Progress of a copy into the file.

use bakau_model::{DatastreamId, LedgerKey, Seq, SourceName, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::cursor::write_cursor;
use crate::{
    StoreError, StoreErrorKind,
    copy::{Place, Unfinished},
};

/// Refuses a file whose copy is unfinished: half a history must not look like a whole one.
pub(crate) fn refuse_unfinished(connection: &Connection) -> Result<(), StoreError> {
    match unfinished(connection)? {
        None => Ok(()),
        Some(_) => {
            let message = "a copy into it is unfinished: run `bakau store copy` again";
            Err(StoreError::new(StoreErrorKind::Other, message))
        }
    }
}

/// The unfinished copy into this file, if any.
pub(crate) fn unfinished(connection: &Connection) -> Result<Option<Unfinished>, StoreError> {
    let mut statement = connection.prepare("SELECT source, stage, number, at, name FROM copying WHERE id = 1")?;
    let found = statement.query_row([], |row| {
        let (source, stage, number, at): (i64, i64, u32, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((source, stage, number, UtcMillis::new(at), row.get::<_, String>(4)?))
    });
    let Some((source, stage, number, at, name)) = found.optional()? else { return Ok(None) };
    let damaged = || StoreError::new(StoreErrorKind::Corrupt, "the progress of an unfinished copy is not valid");
    let place = match stage {
        0 => Place::Start,
        1 => Place::Values { datastream: DatastreamId::new(number), through: at },
        2 => Place::Quarantine { series: name, observed_at: at },
        3 => Place::Ledger(LedgerKey { minute: at, source: SourceName::new(&name).map_err(|_| damaged())? }),
        _ => return Err(damaged()),
    };
    Ok(Some(Unfinished { source: Seq::new(u64::try_from(source).map_err(|_| damaged())?), place }))
}

/// Whether nothing was ever written into this file.
pub(crate) fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM recent) AND NOT EXISTS (SELECT 1 FROM ledger)
            AND NOT EXISTS (SELECT 1 FROM refused) AND (SELECT seq FROM cursor WHERE id = 1) = 0",
        [],
        |row| row.get(0),
    )?)
}

/// Empties the tables and marks the file; one that holds anything else than a copy is left alone.
pub(crate) fn begin(transaction: &Transaction<'_>, source: Seq) -> Result<(), StoreError> {
    if unfinished(transaction)?.is_none() && !is_empty(transaction)? {
        let message = "it holds values of its own: move its file away, or copy the other way";
        return Err(StoreError::new(StoreErrorKind::Other, message));
    }
    transaction.execute_batch(
        "DELETE FROM recent; DELETE FROM superseded; DELETE FROM reflagged; DELETE FROM refused; DELETE FROM ledger;
         UPDATE cursor SET seq = 0;",
    )?;
    let source = i64::try_from(source.get()).unwrap_or(i64::MAX);
    transaction.execute(
        "INSERT OR REPLACE INTO copying (id, source, stage, number, at, name) VALUES (1, ?1, 0, 0, 0, '')",
        [source],
    )?;
    Ok(())
}

/// The place after a step, in its transaction.
pub(crate) fn at_place(transaction: &Transaction<'_>, place: &Place) -> Result<(), StoreError> {
    let (stage, number, at, name) = match place {
        Place::Start => (0, 0, 0, ""),
        Place::Values { datastream, through } => (1, datastream.get(), through.get(), ""),
        Place::Quarantine { series, observed_at } => (2, 0, observed_at.get(), series.as_str()),
        Place::Ledger(key) => (3, 0, key.minute.get(), key.source.as_str()),
    };
    let moved = transaction.execute(
        "UPDATE copying SET stage = ?1, number = ?2, at = ?3, name = ?4 WHERE id = 1",
        params![stage, number, at, name],
    )?;
    if moved == 0 {
        return Err(StoreError::new(StoreErrorKind::Other, "no copy into this store was begun"));
    }
    Ok(())
}

/// Removes the mark and sets the cursor.
pub(crate) fn end(transaction: &Transaction<'_>, cursor: Seq) -> Result<(), StoreError> {
    write_cursor(transaction, cursor)?;
    transaction.execute("DELETE FROM copying", [])?;
    Ok(())
}
