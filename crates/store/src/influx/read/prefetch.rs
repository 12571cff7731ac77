//! A range read window by window, with the next windows requested while the caller works on the last.
//!
//! A window is taken off the server whole, so that a slow reader keeps no question open there; what is held of a range
//! are [`UNDER_WAY`] windows and the one in use. Nothing goes on once the reader is gone.

use std::collections::VecDeque;

use bakau_model::{DatastreamId, UtcMillis};
use tokio::task::JoinHandle;

use super::{
    super::{
        Inner,
        http::Server,
        journal::{
            series::Series,
            window::{self, Window},
        },
        point::Wanted,
    },
    influxql::{self, SeriesRange},
    msgpack::Row,
};
use crate::{RangeQuery, StoreError, StoreErrorKind, metrics};

/// Windows asked for at the same time: InfluxDB works on one question with one core.
const UNDER_WAY: usize = 2;

/// Values of a window: what lies in few days is found sooner.
const WINDOW_VALUES: usize = 25_000;

/// Values of a window at most; hours fuller than that are asked for in parts.
const MOST_VALUES: usize = 2 * WINDOW_VALUES;

/// The values of a range, in reading order.
pub(crate) struct Prefetch<'s, T> {
    store: &'s Inner,
    /// Behind `after` nothing is asked for yet.
    query: RangeQuery,
    /// Whether the whole range is asked for.
    over: bool,
    /// Values that are still wanted.
    left: usize,
    under_way: VecDeque<Request<T>>,
}

/// A window that was asked for.
struct Request<T> {
    /// Values that it has, as far as counts by hour tell.
    expected: usize,
    limit: usize,
    reading: JoinHandle<Result<Found<T>, StoreError>>,
}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Rows of one window.
struct Found<T> {
    /// Without damaged ones.
    values: Vec<T>,
    rows: usize,
    last: Option<UtcMillis>,
}

impl<'s, T: Wanted> Prefetch<'s, T> {
    pub(crate) fn new(store: &'s Inner, query: &RangeQuery) -> Self {
        Self { store, query: query.clone(), over: false, left: query.limit, under_way: VecDeque::new() }
    }

    /// The next values, some ten thousands at most; `None` once all have come.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<T>>, StoreError> {
        self.ask().await?;
        let Some(mut asked) = self.under_way.pop_front().filter(|_| self.left != 0) else { return Ok(None) };
        let read = (&mut asked.reading).await.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?;
        let Found { mut values, rows, last } = read?;
        values.truncate(self.left);
        self.left -= values.len();
        // A window that its limit cut goes on behind its last row, which may be one that was left out.
        if asked.limit <= rows && last.is_some() {
            self.under_way.clear();
            (self.query.after, self.over) = (last, false);
        }
        self.ask().await?;
        Ok(Some(values))
    }

    /// Asks for windows until enough are under way.
    async fn ask(&mut self) -> Result<(), StoreError> {
        while !self.over && self.under_way.len() < UNDER_WAY {
            let expected = self.under_way.iter().map(|asked| asked.expected).sum();
            let wanted = self.left.saturating_sub(expected);
            if wanted == 0 {
                break;
            }
            let (query, most) = (self.query.clone(), wanted.min(WINDOW_VALUES));
            let window = self.store.readers.run(move |connection| window::window(connection, &query, most)).await?;
            let Some(Window { series: Series { station, parameter, .. }, first, last, next }) = window else {
                self.over = true;
                break;
            };
            (self.query.after, self.over) = (next, next.is_none());
            let (newest_first, limit) = (self.query.newest_first, wanted.min(MOST_VALUES));
            let range = SeriesRange { station, parameter, first, last, newest_first, limit };
            let reading = tokio::spawn(read(self.store.server.clone(), self.query.datastream, range));
            self.under_way.push_back(Request { expected: most, limit, reading });
        }
        Ok(())
    }
}

async fn read<T: Wanted>(server: Server, of: DatastreamId, range: SeriesRange) -> Result<Found<T>, StoreError> {
    let mut found = Found { values: Vec::new(), rows: 0, last: None };
    let mut answer = influxql::ask::<T>(&server, &range).await?;
    while let Some(rows) = answer.next().await? {
        found.rows += rows.len();
        found.last = rows.last().map(Row::at).or(found.last);
        found.values.extend(rows.iter().filter_map(|row| checked::<T>(of, row)));
    }
    Ok(found)
}

/// A row in our types; a damaged one is named and left out, so that the others stay readable.
fn checked<T: Wanted>(of: DatastreamId, row: &Row) -> Option<T> {
    let checked = match row {
        Row::Whole(point) => T::check(point, of),
        Row::Torn(_) => Err("a field is missing"),
    };
    checked.map_err(|what| metrics::damaged_row(of.get().into(), row.at().get(), what)).ok()
}
