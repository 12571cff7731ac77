//! Questions answered from rows, on connections that only read.

use std::{collections::BTreeMap, ops::ControlFlow};

use bakau_model::{
    DatastreamId, DeploymentId, Flag, LedgerKey, Observation, SourceName, TestResults, TimeSource, UtcMillis,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{RangeQuery, Reflagged, SeriesPoint, StoreCounts, StoreError, StoredObservation, Superseded, metrics};

/// Columns of both tables of values in the order that [`RawRow::read`] expects.
pub(crate) const COLUMNS: &str =
    "datastream, observed_at, revision, value, flag, tests, deployment, time_source, received_at, increment";

/// A row as SQLite holds it, before anything of it is believed.
pub(crate) struct RawRow {
    pub(crate) datastream: i64,
    pub(crate) observed_at: i64,
    pub(crate) revision: i64,
    value: Option<f64>,
    flag: i64,
    tests: i64,
    deployment: i64,
    time_source: i64,
    received_at: i64,
    increment: Option<f64>,
}

impl RawRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            datastream: row.get(0)?,
            observed_at: row.get(1)?,
            revision: row.get(2)?,
            value: row.get(3)?,
            flag: row.get(4)?,
            tests: row.get(5)?,
            deployment: row.get(6)?,
            time_source: row.get(7)?,
            received_at: row.get(8)?,
            increment: row.get(9)?,
        })
    }

    /// The row in our types, or what is wrong with it.
    pub(crate) fn check(&self) -> Result<StoredObservation, &'static str> {
        let datastream = u32::try_from(self.datastream).map_err(|_| "the datastream number is out of range")?;
        let revision = u32::try_from(self.revision).ok().filter(|&revision| revision != 0);
        let (flag, tests) = verdict(self.flag, self.tests)?;
        let deployment = u32::try_from(self.deployment).map_err(|_| "the deployment number is out of range")?;
        let time_source = u8::try_from(self.time_source).ok().and_then(TimeSource::from_code);
        fits(self.value, flag)?;
        let increment = increment(self.increment)?;
        let observation = Observation {
            datastream: DatastreamId::new(datastream),
            observed_at: UtcMillis::new(self.observed_at),
            value: self.value,
            deployment: DeploymentId::new(deployment),
            time_source: time_source.ok_or("the time source is unknown")?,
            received_at: UtcMillis::new(self.received_at),
            flag,
        };
        let revision = revision.ok_or("the revision is not positive")?;
        Ok(StoredObservation { observation, revision, tests, increment })
    }

    /// The row in our types; a damaged one is named and left out, so that the others stay readable.
    pub(crate) fn accept(&self) -> Option<StoredObservation> {
        let checked = self.check();
        checked.map_err(|what| metrics::damaged_row(self.datastream, self.observed_at, what)).ok()
    }
}

/// Whether value and flag say the same, or what is wrong with them.
fn fits(value: Option<f64>, flag: Flag) -> Result<(), &'static str> {
    if value.is_none() != (flag == Flag::Missing) {
        return Err("a value and the flag 'missing' exclude each other");
    }
    if value.is_some_and(|value| !value.is_finite()) {
        return Err("the value is no finite number");
    }
    Ok(())
}

/// An increment, or what is wrong with it.
pub(crate) fn increment(increment: Option<f64>) -> Result<Option<f64>, &'static str> {
    let is_sound = increment.is_none_or(|increment| increment.is_finite() && 0.0 <= increment);
    if is_sound { Ok(increment) } else { Err("the increment is negative or no finite number") }
}

/// A flag, or what is wrong with it.
pub(crate) fn flag_of(code: i64) -> Result<Flag, &'static str> {
    u8::try_from(code).ok().and_then(Flag::from_code).ok_or("the flag is no QARTOD code")
}

/// Results as they stand in a column: SQLite has no unsigned numbers.
pub(crate) const fn tests_column(tests: TestResults) -> i64 {
    tests.code().cast_signed()
}

/// A flag and its tests, or what is wrong with them.
pub(crate) fn verdict(flag: i64, tests: i64) -> Result<(Flag, TestResults), &'static str> {
    let flag = flag_of(flag)?;
    let tests = TestResults::from_code(tests.cast_unsigned()).ok_or("a test has no QARTOD code")?;
    if tests != TestResults::NONE && flag != Flag::Missing && flag != tests.aggregate() {
        return Err("the flag is not the worst of its tests");
    }
    Ok((flag, tests))
}

/// Smallest and greatest `observed_at` (both inclusive) a query asks for; `None` when it asks for nothing.
pub(crate) fn bounds(query: &RangeQuery) -> Option<(i64, i64)> {
    let (from, last) = (query.from.get(), query.to.get().checked_sub(1)?);
    let (from, last) = match query.after.map(UtcMillis::get) {
        None => (from, last),
        Some(after) if query.newest_first => (from, last.min(after.checked_sub(1)?)),
        Some(after) => (from.max(after.checked_add(1)?), last),
    };
    (from <= last).then_some((from, last))
}

pub(crate) fn observations(connection: &Connection, query: &RangeQuery) -> Result<Vec<StoredObservation>, StoreError> {
    let mut found = Vec::new();
    scan(connection, query, &mut |row| {
        found.push(*row);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

pub(crate) fn scan(
    connection: &Connection,
    query: &RangeQuery,
    visit: &mut dyn FnMut(&StoredObservation) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    each(connection, query, COLUMNS, |row| Ok(RawRow::read(row)?.accept().map(|row| visit(&row))))
}

pub(crate) fn scan_points(
    connection: &Connection,
    query: &RangeQuery,
    visit: &mut dyn FnMut(&SeriesPoint) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    // Most of the time of a long read goes into asking for columns one by one: three of them cost a third of nine.
    each(connection, query, "observed_at, value, flag", |row| {
        let (observed_at, value): (i64, Option<f64>) = (row.get(0)?, row.get(1)?);
        match flag_of(row.get(2)?).and_then(|flag| fits(value, flag).map(|()| flag)) {
            Ok(flag) => Ok(Some(visit(&SeriesPoint { observed_at: UtcMillis::new(observed_at), value, flag }))),
            Err(what) => {
                metrics::damaged_row(query.datastream.get().into(), observed_at, what);
                Ok(None)
            }
        }
    })
}

/// Shows rows of a range to `take`, which says `None` to a damaged one.
fn each(
    connection: &Connection,
    query: &RangeQuery,
    columns: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<ControlFlow<()>>>,
) -> Result<(), StoreError> {
    let Some((from, last)) = bounds(query) else { return Ok(()) };
    let direction = if query.newest_first { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM recent WHERE datastream = ?1 AND observed_at BETWEEN ?2 AND ?3
         ORDER BY observed_at {direction}"
    ))?;
    let mut rows = statement.query(params![query.datastream.get(), from, last])?;
    // Counted here and not by LIMIT: a damaged row that is left out must not make a page look like the last one.
    let mut left = query.limit;
    while left != 0 {
        let Some(row) = rows.next()? else { break };
        let Some(flow) = take(row)? else { continue };
        left -= 1;
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn superseded(connection: &Connection, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError> {
    let Some((from, last)) = bounds(query) else { return Ok(Vec::new()) };
    let direction = if query.newest_first { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, recorded_at FROM superseded WHERE datastream = ?1 AND observed_at BETWEEN ?2 AND ?3
         ORDER BY observed_at {direction}, revision {direction}"
    ))?;
    let mut rows = statement.query(params![query.datastream.get(), from, last])?;
    let mut found = Vec::new();
    while found.len() < query.limit {
        let Some(row) = rows.next()? else { break };
        let recorded_at = UtcMillis::new(row.get(10)?);
        let accepted = RawRow::read(row)?.accept();
        found.extend(accepted.map(|StoredObservation { observation, revision, tests, increment }| Superseded {
            observation,
            revision,
            tests,
            increment,
            recorded_at,
        }));
    }
    Ok(found)
}

/// A replaced flag, or what is wrong with its row.
pub(crate) fn check_reflagged(row: &Row<'_>) -> rusqlite::Result<Result<Reflagged, &'static str>> {
    let (datastream, observed_at, revision): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (recorded_at, flag, tests): (i64, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let counted: Option<f64> = row.get(6)?;
    let check = || {
        let (flag, tests) = verdict(flag, tests)?;
        let datastream = u32::try_from(datastream).map_err(|_| "the datastream number is out of range")?;
        let revision = u32::try_from(revision).map_err(|_| "the revision is out of range")?;
        let (datastream, observed_at) = (DatastreamId::new(datastream), UtcMillis::new(observed_at));
        let (increment, recorded_at) = (increment(counted)?, UtcMillis::new(recorded_at));
        Ok(Reflagged { datastream, observed_at, revision, flag, tests, increment, recorded_at })
    };
    let checked: Result<Reflagged, &'static str> = check();
    if let Err(what) = &checked {
        metrics::damaged_row(datastream, observed_at, what);
    }
    Ok(checked)
}

pub(crate) fn reflagged(connection: &Connection, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError> {
    let Some((from, last)) = bounds(query) else { return Ok(Vec::new()) };
    let direction = if query.newest_first { "DESC" } else { "ASC" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT datastream, observed_at, revision, recorded_at, flag, tests, increment FROM reflagged
         WHERE datastream = ?1 AND observed_at BETWEEN ?2 AND ?3
         ORDER BY observed_at {direction}, revision {direction}, recorded_at {direction}"
    ))?;
    let mut rows = statement.query(params![query.datastream.get(), from, last])?;
    let mut found = Vec::new();
    while found.len() < query.limit {
        let Some(row) = rows.next()? else { break };
        found.extend(check_reflagged(row)?.ok());
    }
    Ok(found)
}

/// One seek per datastream from the greatest number downwards: its last row is the one before the next number.
pub(crate) fn latest(connection: &Connection) -> Result<Vec<StoredObservation>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut last_below = snapshot.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM recent WHERE datastream < ?1 ORDER BY datastream DESC, observed_at DESC LIMIT 1"
    ))?;
    let mut found = Vec::new();
    let mut below = i64::MAX;
    while let Some(raw) = last_below.query_row([below], RawRow::read).optional()? {
        below = raw.datastream;
        found.extend(raw.accept());
    }
    found.reverse();
    Ok(found)
}

pub(crate) fn extent(
    connection: &Connection,
    datastream: DatastreamId,
) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
    // Two sub-queries: SQLite answers min() and max() by one seek each only when they are asked one at a time.
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT min(observed_at) FROM recent WHERE datastream = ?1),
                (SELECT max(observed_at) FROM recent WHERE datastream = ?1)",
    )?;
    let (first, last): (Option<i64>, Option<i64>) =
        statement.query_row([datastream.get()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(first.zip(last).map(|(first, last)| (UtcMillis::new(first), UtcMillis::new(last))))
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

/// A count of a row; a negative one is damage.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(after: Option<i64>, newest_first: bool) -> RangeQuery {
        let at = UtcMillis::new;
        RangeQuery {
            datastream: DatastreamId::new(1),
            from: at(10),
            to: at(20),
            after: after.map(at),
            limit: 5,
            newest_first,
        }
    }

    #[test]
    fn bounds_follow_the_reading_direction() {
        assert_eq!(bounds(&query(None, false)), Some((10, 19)));
        assert_eq!(bounds(&query(Some(12), false)), Some((13, 19)));
        assert_eq!(bounds(&query(Some(12), true)), Some((10, 11)));
        assert_eq!(bounds(&query(Some(3), false)), Some((10, 19)));
        assert_eq!(bounds(&query(Some(19), false)), None);
        assert_eq!(bounds(&query(Some(i64::MAX), false)), None);
        assert_eq!(bounds(&query(Some(i64::MIN), true)), None);
    }

    #[test]
    fn a_range_that_ends_at_the_least_instant_is_empty() {
        let everything = UtcMillis::new(i64::MIN);
        assert_eq!(bounds(&RangeQuery { from: everything, to: everything, ..query(None, false) }), None);
    }
}
