//! The cursor: the number of the last batch that is in the file.

use bakau_model::Seq;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::{StoreError, StoreErrorKind};

/// The cursor as stored.
pub(crate) fn read_cursor(connection: &Connection) -> Result<Seq, StoreError> {
    let seq: Option<i64> =
        connection.prepare_cached("SELECT seq FROM cursor WHERE id = 1")?.query_row([], |row| row.get(0)).optional()?;
    let seq = seq.and_then(|seq| u64::try_from(seq).ok());
    seq.map(Seq::new).ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "the cursor is missing or negative"))
}

/// Moves the cursor.
pub(crate) fn write_cursor(transaction: &Transaction<'_>, cursor: Seq) -> Result<(), StoreError> {
    let seq = i64::try_from(cursor.get())
        .map_err(|_| StoreError::new(StoreErrorKind::Other, "the batch number is beyond 63 bits"))?;
    transaction.prepare_cached("UPDATE cursor SET seq = ?1 WHERE id = 1")?.execute([seq])?;
    Ok(())
}
