//! Values of the server: ranges, single instants, and hours that the journal does not know exactly.

pub(crate) mod influxql;
mod msgpack;
mod prefetch;

use std::{collections::BTreeSet, ops::ControlFlow};

use bakau_model::{DatastreamId, UtcMillis};

pub(crate) use self::prefetch::Prefetch;
use super::{Inner, journal::series::Series, point::Wanted};
use crate::{Hour, RangeQuery, SeriesPoint, StoreError, StoreErrorKind, StoredObservation};

/// Inexact hours this close are read together.
const JOINED_HOURS: usize = 24;
/// Reads for the inexact hours of one query, at most.
const MAX_RUNS: usize = 16;

impl Inner {
    /// The server's values at these instants.
    pub(crate) async fn load(
        &self,
        unknown: Vec<(Series, BTreeSet<i64>)>,
    ) -> Result<Vec<StoredObservation>, StoreError> {
        let mut loaded = Vec::new();
        for (series, instants) in unknown {
            let (Some(&first), Some(&last)) = (instants.first(), instants.last()) else { continue };
            let (first, last) = (UtcMillis::new(first), UtcMillis::new(last));
            let query = RangeQuery {
                datastream: series.datastream,
                from: first,
                to: last.saturating_add(1),
                after: None,
                limit: usize::MAX,
                newest_first: false,
            };
            let mut reading = self.read::<StoredObservation>(&query);
            while let Some(values) = reading.next().await? {
                loaded.extend(values.into_iter().filter(|row| instants.contains(&row.observation.observed_at.get())));
            }
        }
        Ok(loaded)
    }

    /// The values of a range as the server has them.
    pub(crate) fn read<T: Wanted>(&self, query: &RangeQuery) -> Prefetch<'_, T> {
        Prefetch::new(self, query)
    }

    /// Calls `visit` with the values of a range, on a thread that may block, until it breaks off.
    pub(crate) async fn visit<T: Wanted>(
        &self,
        query: &RangeQuery,
        mut visit: impl FnMut(&T) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut reading = self.read::<T>(query);
        while let Some(values) = reading.next().await? {
            let visiting = tokio::task::spawn_blocking(move || {
                let flow = values.iter().try_for_each(&mut visit);
                (visit, flow)
            });
            let flow;
            (visit, flow) = visiting.await.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The hours with those that are inexact summed up again from the server's values; `None` when they lie so far
    /// scattered that reading everything is no slower.
    pub(crate) async fn exact(
        &self,
        of: DatastreamId,
        mut found: Vec<(Hour, bool)>,
    ) -> Result<Option<Vec<Hour>>, StoreError> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (n, _) in found.iter().enumerate().filter(|(_, (_, exact))| !exact) {
            match runs.last_mut() {
                Some((_, end)) if n - *end < JOINED_HOURS => *end = n,
                Some(_) | None => runs.push((n, n)),
            }
        }
        if MAX_RUNS < runs.len() {
            return Ok(None);
        }
        for (first, last) in runs {
            let hours = &mut found[first..=last];
            hours.iter_mut().for_each(|(hour, _)| *hour = Hour::empty(hour.start));
            let (Some((start, _)), Some((end, _))) = (hours.first(), hours.last()) else { continue };
            // The value before matters when it is less than an hour away.
            let (from, to) = (start.start.saturating_add(-Hour::MS), end.start.saturating_add(Hour::MS));
            let query = RangeQuery { datastream: of, from, to, after: None, limit: usize::MAX, newest_first: false };
            let mut previous = None;
            let mut reading = self.read::<SeriesPoint>(&query);
            while let Some(points) = reading.next().await? {
                for point in points.into_iter().filter(|point| point.flag.is_usable()) {
                    let (at, Some(value)) = (point.observed_at, point.value) else { continue };
                    let hour = UtcMillis::new(Hour::start_of(at.get()));
                    if let Ok(place) = hours.binary_search_by_key(&hour, |(hour, _)| hour.start) {
                        hours[place].0.add(at, value, previous);
                    }
                    previous = Some(at);
                }
            }
        }
        Ok(Some(found.into_iter().map(|(hour, _)| hour).collect()))
    }
}
