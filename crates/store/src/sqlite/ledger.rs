//! The reading ledger: outcomes by minute and source.

use std::collections::BTreeMap;

use bakau_model::{LedgerKey, SourceName, UtcMillis};
use rusqlite::{Connection, Row, Transaction, params};

use super::{bounded, row::count, write::Line};
use crate::{StoreCounts, StoreError, StoreErrorKind};

pub(crate) fn add_to_ledger(transaction: &Transaction<'_>, lines: &[Line<'_>]) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO ledger (minute, source, stored, duplicate, corrected, ignored_missing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (minute, source) DO UPDATE SET stored = stored + excluded.stored,
         duplicate = duplicate + excluded.duplicate, corrected = corrected + excluded.corrected,
         ignored_missing = ignored_missing + excluded.ignored_missing",
    )?;
    for Line { minute, source, counts } in lines {
        let StoreCounts { stored, duplicate, corrected, ignored_missing } = *counts;
        add.execute(params![minute.get(), source.as_str(), stored, duplicate, corrected, ignored_missing])?;
    }
    Ok(())
}

/// Lines of the ledger as they are.
pub(crate) fn put_ledger(transaction: &Transaction<'_>, lines: &[(LedgerKey, StoreCounts)]) -> Result<(), StoreError> {
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO ledger (minute, source, stored, duplicate, corrected, ignored_missing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (LedgerKey { minute, source }, StoreCounts { stored, duplicate, corrected, ignored_missing }) in lines {
        put.execute(params![minute.get(), source.as_str(), stored, duplicate, corrected, ignored_missing])?;
    }
    Ok(())
}

pub(crate) fn ledger(
    connection: &Connection,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT minute, source, stored, duplicate, corrected, ignored_missing FROM ledger
         WHERE ?1 <= minute AND minute < ?2",
    )?;
    let mut rows = statement.query([from.get(), to.get()])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let minute = UtcMillis::new(row.get(0)?);
        let source: String = row.get(1)?;
        let Ok(source) = SourceName::new(&source) else {
            tracing::error!(%minute, source, "ledger line without a valid source left out");
            continue;
        };
        found.insert(LedgerKey { minute, source }, counts(row, 2)?);
    }
    Ok(found)
}

/// The counts of a row of the ledger, from a column on.
pub(crate) fn counts(row: &Row<'_>, from: usize) -> rusqlite::Result<StoreCounts> {
    let (stored, duplicate, corrected) = (count(row, from)?, count(row, from + 1)?, count(row, from + 2)?);
    Ok(StoreCounts { stored, duplicate, corrected, ignored_missing: count(row, from + 3)? })
}

/// A page of the ledger; a line without a valid source is no line of ours, and the sums will say so.
pub(crate) fn ledger_lines(
    connection: &Connection,
    after: Option<&LedgerKey>,
    limit: usize,
) -> Result<Vec<(LedgerKey, StoreCounts)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT minute, source, stored, duplicate, corrected, ignored_missing FROM ledger
         WHERE (minute, source) > (?1, ?2) ORDER BY minute, source LIMIT ?3",
    )?;
    let (minute, source) = after.map_or((i64::MIN, ""), |key| (key.minute.get(), key.source.as_str()));
    let mut rows = statement.query(params![minute, source, bounded(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let source: String = row.get(1)?;
        let damaged = |_| StoreError::new(StoreErrorKind::Corrupt, "a line of the ledger has no valid source");
        let key = LedgerKey { minute: UtcMillis::new(row.get(0)?), source: SourceName::new(&source).map_err(damaged)? };
        found.push((key, counts(row, 2)?));
    }
    Ok(found)
}
