//! The series of the journal: the name under which a datastream is written, and the floor from which all its rows are here.

use std::collections::HashMap;

use bakau_model::DatastreamId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{
    super::point::{Unfit, series_key},
    hours::Before,
};
use crate::{RefusedPoint, StoreError, StoreErrorKind};

/// Rows of a datastream kept in `recent` at least, and as many more before it is cut back: repeats and verdicts about a
/// spike concern the last few.
pub(crate) const KEPT_ROWS: usize = 32;

/// Station and parameter (with qualifier) under which a datastream is written, fixed at its first value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) datastream: DatastreamId,
    pub(crate) station: String,
    pub(crate) parameter: String,
    pub(crate) first_at: i64,
    /// From here on `recent` has every row.
    pub(crate) floor: i64,
    /// Whether a point was ever given an increment.
    pub(crate) counted: bool,
}

impl Series {
    /// In the order of [`SERIES`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let datastream = DatastreamId::new(row.get(0)?);
        let (station, parameter, first_at, floor) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Self { datastream, station, parameter, first_at, floor, counted: row.get(5)? })
    }
}

const SERIES: &str = "SELECT datastream, station, parameter, first_at, floor, counted FROM series";

/// Every series.
pub(crate) fn all_series(connection: &Connection) -> Result<Vec<Series>, StoreError> {
    let mut statement = connection.prepare(SERIES)?;
    let found = statement.query_map([], Series::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The series of one datastream.
pub(crate) fn series(connection: &Connection, of: DatastreamId) -> Result<Option<Series>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SERIES} WHERE datastream = ?1"))?;
    Ok(statement.query_row([of.get()], Series::read).optional()?)
}

/// The datastream of a point in quarantine.
pub(crate) fn datastream_of(connection: &Connection, point: &RefusedPoint) -> Result<Option<DatastreamId>, StoreError> {
    if let Some(number) = point.datastream() {
        return Ok(Some(number));
    }
    let named = all_series(connection)?
        .into_iter()
        .find(|series| series_key(&series.station, &series.parameter).is_ok_and(|key| key == point.series));
    Ok(named.map(|series| series.datastream))
}

/// New rows of each datastream since its part of `recent` was cut back, as far as this process knows.
pub(crate) type Grown = HashMap<u32, usize>;

/// The keys of each datastream together.
pub(crate) fn by_datastream(touched: &[(u32, i64)]) -> impl Iterator<Item = &[(u32, i64)]> {
    touched.chunk_by(|a, b| a.0 == b.0)
}

/// A datastream that a write touches.
pub(crate) struct Known {
    pub(crate) series: Series,
    /// Measurement and tags.
    pub(crate) key: Result<String, Unfit>,
    pub(crate) before: Before,
    /// How many new values there are, and the first of them.
    pub(crate) new: (usize, i64),
    /// Whether any point of the series has an increment now.
    pub(crate) counted: bool,
}

impl Known {
    /// Notes the first value, and cuts `recent` back now and then: each time would cost as much as the values.
    pub(crate) fn keep(&self, transaction: &Transaction<'_>, grown: &mut Grown) -> Result<(), StoreError> {
        let (datastream, (count, first)) = (self.series.datastream.get(), self.new);
        if first < self.series.first_at {
            let mut note = transaction.prepare_cached("UPDATE series SET first_at = ?2 WHERE datastream = ?1")?;
            note.execute((datastream, first))?;
        }
        if self.counted && !self.series.counted {
            transaction.execute("UPDATE series SET counted = 1 WHERE datastream = ?1", [datastream])?;
        }
        // How many rows an earlier process left is not known.
        let rows = grown.entry(datastream).or_insert(KEPT_ROWS);
        *rows += count;
        if KEPT_ROWS <= *rows {
            prune(transaction, datastream)?;
            *rows = 0;
        }
        Ok(())
    }
}

/// Gives new datastreams their series.
pub(crate) struct Names<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) name: &'a dyn Fn(DatastreamId) -> Option<(String, String)>,
}

impl Names<'_> {
    /// State of each datastream before the write.
    pub(crate) fn ensure(&self, touched: &[(u32, i64)]) -> Result<Vec<Known>, StoreError> {
        let datastreams = by_datastream(touched).filter_map(|keys| keys.first()).map(|key| key.0);
        let known = datastreams.map(|datastream| {
            let series = self.ensure_one(DatastreamId::new(datastream))?;
            let key = series_key(&series.station, &series.parameter);
            let (before, counted) = (Before::read(self.transaction, datastream)?, series.counted);
            Ok(Known { series, key, before, new: (0, i64::MAX), counted })
        });
        known.collect()
    }

    fn ensure_one(&self, datastream: DatastreamId) -> Result<Series, StoreError> {
        if let Some(known) = series(self.transaction, datastream)? {
            return Ok(known);
        }
        let Some((station, parameter)) = (self.name)(datastream) else {
            let message = format!("the registry has no name for datastream {datastream}");
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        };
        let add = "INSERT INTO series (datastream, station, parameter, first_at, floor)
                       VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (station, parameter) DO NOTHING";
        let mut add = self.transaction.prepare_cached(add)?;
        if add.execute(params![datastream.get(), station, parameter, i64::MAX, i64::MIN])? == 0 {
            // The name belonged to another datastream once; its points stay its own.
            let parameter = format!("{parameter}~{datastream}");
            add.execute(params![datastream.get(), station, parameter, i64::MAX, i64::MIN])?;
        }
        let made = series(self.transaction, datastream)?;
        made.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "a series that was just created is missing"))
    }
}

/// The series of a datastream, made where there is none.
pub(crate) fn ensure_series(
    connection: &mut Connection,
    datastream: DatastreamId,
    name: &dyn Fn(DatastreamId) -> Option<(String, String)>,
) -> Result<Series, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let series = Names { transaction: &transaction, name }.ensure_one(datastream)?;
    transaction.commit()?;
    Ok(series)
}

/// Keeps `recent` small: only the newest rows of a datastream, without gaps from the floor on.
pub(crate) fn prune(transaction: &Transaction<'_>, datastream: u32) -> Result<(), StoreError> {
    let mut floor = transaction.prepare_cached(
        "UPDATE series SET floor = max(floor, ifnull((SELECT observed_at FROM recent WHERE datastream = ?1
         ORDER BY observed_at DESC LIMIT 1 OFFSET ?2), floor)) WHERE datastream = ?1",
    )?;
    let mut remove = transaction.prepare_cached(
        "DELETE FROM recent WHERE datastream = ?1
         AND observed_at < (SELECT floor FROM series WHERE datastream = ?1)",
    )?;
    floor.execute((datastream, KEPT_ROWS - 1))?;
    remove.execute([datastream])?;
    Ok(())
}
