//! Parts of a range by the counts of the journal.

use bakau_model::{DatastreamId, UtcMillis};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    super::point::INSTANTS,
    series::{Series, series},
};
use crate::{Hour, RangeQuery, StoreError, sqlite::values::bounds};

/// A part of a range that holds about as many values as were asked for; both ends inclusive.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) series: Series,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Where the next one begins behind; `None` when the range ends here.
    pub(crate) next: Option<UtcMillis>,
}

/// Least and greatest instant of a datastream.
pub(crate) fn extent(
    connection: &Connection,
    datastream: DatastreamId,
) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT first_at, (SELECT max(observed_at) FROM recent WHERE datastream = ?1) FROM series WHERE datastream = ?1",
    )?;
    let found: Option<(i64, Option<i64>)> =
        statement.query_row([datastream.get()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.and_then(|(first, last)| last.map(|last| (UtcMillis::new(first), UtcMillis::new(last)))))
}

/// The first part of a range in reading order that holds at least `most` values, as far as the counts by hour tell, or
/// the whole range. `None` when nothing can be there.
pub(crate) fn window(connection: &Connection, query: &RangeQuery, most: usize) -> Result<Option<Window>, StoreError> {
    let Some(series) = series(connection, query.datastream)? else { return Ok(None) };
    let (Some((least, greatest)), Some((first, last))) = (extent(connection, query.datastream)?, bounds(query)) else {
        return Ok(None);
    };
    // The journal may know instants that no point can have.
    let (first, last) = (first.max(least.max(INSTANTS.0).get()), last.min(greatest.min(INSTANTS.1).get()));
    if last < first {
        return Ok(None);
    }
    let direction = if query.newest_first { "DESC" } else { "ASC" };
    let mut hours = connection.prepare_cached(&format!(
        "SELECT hour, stored FROM hours WHERE datastream = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour {direction}"
    ))?;
    let mut rows = hours.query(params![query.datastream.get(), first, last.saturating_sub(Hour::MS - 1)])?;
    // Only whole hours are counted, those in which the range begins or ends are not.
    let mut counted = 0;
    while let Some(row) = rows.next()? {
        let (hour, stored): (i64, i64) = (row.get(0)?, row.get(1)?);
        counted += usize::try_from(stored).unwrap_or(0);
        if counted < most {
            continue;
        }
        let (first, last) = if query.newest_first { (hour, last) } else { (first, hour + Hour::MS - 1) };
        let next = UtcMillis::new(if query.newest_first { first } else { last });
        return Ok(Some(Window { series, first, last, next: Some(next) }));
    }
    Ok(Some(Window { series, first, last, next: None }))
}
