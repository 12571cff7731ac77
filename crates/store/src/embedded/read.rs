//! Queries that read every current value from the file.

use std::ops::ControlFlow;

use bakau_model::{DatastreamId, UtcMillis};
use rusqlite::{Connection, Row, params};

use crate::{
    RangeQuery, SeriesPoint, StoreError, StoredObservation, metrics,
    sqlite::{
        row::{COLUMNS, RawRow, fits, flag_of},
        values::bounds,
    },
};

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

/// Calls `take` with the rows of a range; it returns `None` for a damaged one.
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
