//! Current values: all of them in the embedded store, the newest of each datastream in the journal of InfluxDB.

use bakau_model::{DatastreamId, Observation, TestResults, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Statement, Transaction};

use super::row::{COLUMNS, RawRow, tests_column};
use crate::{RangeQuery, StoreError, StoredObservation};

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
pub(crate) fn bind(
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
