//! The steps of a copy as SQL: the files of both backends have these tables.

use bakau_model::{DatastreamId, LedgerKey, Observation, Seq, SourceName, TestResults, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};

use super::plan::{Place, Unfinished};
use crate::{
    Reflagged, RefusedPoint, StoreCounts, StoreError, StoreErrorKind, StoredObservation, Superseded,
    embedded::{
        read::{COLUMNS, counts, tests_column},
        write::write_cursor,
    },
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

/// Where the copy into this file stands.
pub(crate) fn unfinished(connection: &Connection) -> Result<Option<Unfinished>, StoreError> {
    let mut statement = connection.prepare("SELECT source, stage, number, at, name FROM copying WHERE id = 1")?;
    let found = statement.query_row([], |row| {
        let (source, stage, number, at): (i64, i64, u32, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((source, stage, number, UtcMillis::new(at), row.get::<_, String>(4)?))
    });
    let Some((source, stage, number, at, name)) = found.optional()? else { return Ok(None) };
    let damaged = || StoreError::new(StoreErrorKind::Corrupt, "the place of an unfinished copy makes no sense");
    let place = match stage {
        0 => Place::Start,
        1 => Place::Values { datastream: DatastreamId::new(number), through: at },
        2 => Place::Quarantine { series: name, observed_at: at },
        3 => Place::Ledger(LedgerKey { minute: at, source: SourceName::new(&name).map_err(|_| damaged())? }),
        _ => return Err(damaged()),
    };
    Ok(Some(Unfinished { source: Seq::new(u64::try_from(source).map_err(|_| damaged())?), place }))
}

/// Numbers of all datastreams with values: one seek each.
pub(crate) fn datastreams(connection: &Connection) -> Result<Vec<DatastreamId>, StoreError> {
    let mut next = connection.prepare_cached("SELECT min(datastream) FROM recent WHERE ?1 < datastream")?;
    let (mut found, mut last) = (Vec::new(), -1_i64);
    while let Some(number) = next.query_row([last], |row| row.get::<_, Option<u32>>(0))? {
        found.push(DatastreamId::new(number));
        last = number.into();
    }
    Ok(found)
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

/// The mark goes, the cursor comes.
pub(crate) fn end(transaction: &Transaction<'_>, cursor: Seq) -> Result<(), StoreError> {
    write_cursor(transaction, cursor)?;
    transaction.execute("DELETE FROM copying", [])?;
    Ok(())
}

/// Current values as they are.
pub(crate) fn put_values(transaction: &Transaction<'_>, rows: &[StoredObservation]) -> Result<(), StoreError> {
    insert_values(transaction, rows, ("INSERT OR REPLACE", ""))
}

/// Current values of keys that have none.
#[cfg(feature = "influx")]
pub(crate) fn add_values(transaction: &Transaction<'_>, rows: &[StoredObservation]) -> Result<(), StoreError> {
    insert_values(transaction, rows, ("INSERT", "ON CONFLICT DO NOTHING"))
}

fn insert_values(
    transaction: &Transaction<'_>,
    rows: &[StoredObservation],
    (insert, known): (&str, &str),
) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(&format!(
        "{insert} INTO recent ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) {known}",
    ))?;
    for StoredObservation { observation, revision, tests, increment } in rows {
        bind(&mut insert, observation, *revision, (*tests, *increment))?;
        insert.raw_execute()?;
    }
    Ok(())
}

/// The first parameters of a statement, in the order of [`COLUMNS`].
fn bind(
    to: &mut Statement<'_>,
    value: &Observation,
    revision: u32,
    (tests, increment): (TestResults, Option<f64>),
) -> rusqlite::Result<()> {
    to.raw_bind_parameter(1, value.datastream.get())?;
    to.raw_bind_parameter(2, value.observed_at.get())?;
    to.raw_bind_parameter(3, revision)?;
    to.raw_bind_parameter(4, value.value)?;
    to.raw_bind_parameter(5, value.flag.code())?;
    to.raw_bind_parameter(6, tests_column(tests))?;
    to.raw_bind_parameter(7, value.deployment.get())?;
    to.raw_bind_parameter(8, value.time_source.code())?;
    to.raw_bind_parameter(9, value.received_at.get())?;
    to.raw_bind_parameter(10, increment)
}

/// Replaced values and flags as they are.
pub(crate) fn put_versions(
    transaction: &Transaction<'_>,
    superseded: &[Superseded],
    reflagged: &[Reflagged],
) -> Result<(), StoreError> {
    let mut put = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO superseded ({COLUMNS}, recorded_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    ))?;
    for Superseded { observation, revision, tests, increment, recorded_at } in superseded {
        bind(&mut put, observation, *revision, (*tests, *increment))?;
        put.raw_bind_parameter(11, recorded_at.get())?;
        put.raw_execute()?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO reflagged (datastream, observed_at, revision, recorded_at, flag, tests, increment)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Reflagged { datastream, observed_at, revision, flag, tests, increment, recorded_at } in reflagged {
        let (datastream, observed_at, recorded_at) = (datastream.get(), observed_at.get(), recorded_at.get());
        let (flag, tests) = (flag.code(), tests_column(*tests));
        put.execute((datastream, observed_at, revision, recorded_at, flag, tests, increment))?;
    }
    Ok(())
}

/// Points in quarantine as they are.
pub(crate) fn put_quarantine(transaction: &Transaction<'_>, points: &[RefusedPoint]) -> Result<(), StoreError> {
    let mut put = transaction
        .prepare_cached("INSERT OR REPLACE INTO refused (series, observed_at, reason, line) VALUES (?1, ?2, ?3, ?4)")?;
    for RefusedPoint { series, observed_at, reason, line } in points {
        put.execute(params![series, observed_at.get(), reason, line])?;
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

/// A page of the quarantine.
pub(crate) fn quarantine(
    connection: &Connection,
    after: Option<&(String, UtcMillis)>,
    limit: usize,
) -> Result<Vec<RefusedPoint>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT series, observed_at, reason, line FROM refused
         WHERE (series, observed_at) > (?1, ?2) ORDER BY series, observed_at LIMIT ?3",
    )?;
    let (series, at) = after.map_or(("", i64::MIN), |(series, at)| (series.as_str(), at.get()));
    let found = statement.query_map(params![series, at, bounded(limit)], |row| {
        let (series, observed_at) = (row.get(0)?, UtcMillis::new(row.get(1)?));
        Ok(RefusedPoint { series, observed_at, reason: row.get(2)?, line: row.get(3)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
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

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
