//! Replaced values, and flags that were taken back.

use bakau_model::{DatastreamId, UtcMillis};
use rusqlite::{Connection, Row, Transaction, params};

use super::{
    row::{COLUMNS, RawRow, increment, tests_column, verdict},
    values::{bind, bounds},
};
use crate::{RangeQuery, Reflagged, StoreError, StoredObservation, Superseded, metrics};

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
