//! Completeness of the last 24 hours, by datastream.
//!
//! Counting reads the store once per datastream, so requests do not wait for it: they get a count that is a few minutes
//! old and start a new one in the background. Only where there is no count yet do they wait, for a moment.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bakau_model::{DatastreamId, MINUTE_MS, UtcMillis};
use bakau_registry::{Datastream, Registry, Snapshot};
use bakau_store::{Hour, Store};
use jiff::tz::TimeZone;
use tokio::sync::{Semaphore, watch};

use crate::{
    http::{error::ApiError, query::Span},
    read::{
        aggregate::{
            self,
            bucket::Step,
            fold::{Folder, Kind, Plan},
        },
        range,
    },
};

const HOURS: i64 = 24;
/// Maximum age of the cached completeness.
const FRESH_MS: i64 = 5 * MINUTE_MS;
/// A count older than this is not shown: it would be about another day.
const OLD_MS: i64 = 2 * Hour::MS;
/// Longest wait of a request where there is no count yet.
const PATIENCE: Duration = Duration::from_millis(400);

/// Completeness of one datastream, or of several together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Part {
    /// Usable values.
    pub(crate) observed: u64,
    /// Values expected by the declared intervals.
    pub(crate) expected: u64,
    /// How many of the expected ones those observed stand for; never more than expected.
    pub(crate) covered: f64,
}

impl Part {
    /// Share of what was expected; `None` where nothing was.
    pub(crate) fn share(&self) -> Option<f64> {
        (0 < self.expected).then(|| self.covered / self.expected as f64)
    }
}

impl std::ops::AddAssign for Part {
    fn add_assign(&mut self, other: Self) {
        self.observed += other.observed;
        self.expected += other.expected;
        self.covered += other.covered;
    }
}

/// The last 24 whole hours, as counted at an instant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LastDay {
    pub(crate) span: Span,
    counted_at: UtcMillis,
    parts: HashMap<DatastreamId, Part>,
}

impl LastDay {
    #[cfg(test)]
    pub(crate) fn of(parts: impl IntoIterator<Item = (DatastreamId, Part)>) -> Self {
        let at = UtcMillis::new(0);
        Self { span: Span { from: at, to: at }, counted_at: at, parts: parts.into_iter().collect() }
    }

    /// Of one datastream; `None` for one that has been registered since.
    pub(crate) fn part(&self, datastream: DatastreamId) -> Option<Part> {
        self.parts.get(&datastream).copied()
    }
}

/// The last count, and who may count anew.
#[derive(Debug)]
pub(crate) struct LastDayCache {
    store: Arc<dyn Store>,
    registry: Registry,
    known: watch::Sender<Option<Arc<LastDay>>>,
    counting: Arc<Semaphore>,
}

impl LastDayCache {
    /// Counts what `store` holds of the datastreams in `registry`.
    pub(crate) fn new(store: Arc<dyn Store>, registry: Registry) -> Self {
        Self { store, registry, known: watch::Sender::new(None), counting: Arc::new(Semaphore::new(1)) }
    }

    /// The last day as it is known; `None` where it has not been counted yet or cannot be.
    pub(crate) async fn get(&self, now: UtcMillis) -> Option<Arc<LastDay>> {
        let younger = |known: &Arc<LastDay>, ms: i64| now.since(known.counted_at) < ms;
        let known = self.known.borrow().clone();
        if known.as_ref().is_some_and(|known| younger(known, FRESH_MS)) {
            return known;
        }
        let mut counted = self.known.subscribe();
        // Whoever finds somebody counting waits for the same result.
        if let Ok(permit) = Arc::clone(&self.counting).try_acquire_owned() {
            let (store, snapshot, result) = (Arc::clone(&self.store), self.registry.snapshot(), self.known.clone());
            tokio::spawn(async move {
                match count(&*store, &snapshot, now).await {
                    Ok(day) => drop(result.send_replace(Some(Arc::new(day)))),
                    Err(error) => tracing::warn!(cause = error.cause(), "values of the last day cannot be counted"),
                }
                drop(permit);
            });
        }
        if let Some(known) = known.filter(|known| younger(known, OLD_MS)) {
            return Some(known);
        }
        let recent = |known: &Option<Arc<LastDay>>| known.as_ref().is_some_and(|known| younger(known, OLD_MS));
        tokio::time::timeout(PATIENCE, counted.wait_for(recent)).await.ok()?.ok()?.clone()
    }
}

/// Counts every datastream, one after the other, so that readers of the store are left to others.
async fn count(store: &dyn Store, snapshot: &Snapshot, now: UtcMillis) -> Result<LastDay, ApiError> {
    let to = UtcMillis::new(Hour::start_of(now.get()));
    let span = Span { from: to.saturating_add(-HOURS * Hour::MS), to };
    let mut parts = HashMap::with_capacity(snapshot.datastreams.len());
    for datastream in snapshot.datastreams.values() {
        let expects = whole_hours(range::expects(snapshot, datastream, span, now));
        parts.insert(datastream.number, part(store, datastream, expects).await?);
    }
    Ok(LastDay { span, counted_at: now, parts })
}

/// Without the begun hour in which a datastream came to be.
fn whole_hours(span: Span) -> Span {
    let begun = span.from.get().rem_euclid(Hour::MS);
    let from = if begun == 0 { span.from } else { span.from.saturating_add(Hour::MS - begun) };
    Span { from: from.min(span.to), to: span.to }
}

/// The same measure as the completeness of aggregates.
async fn part(store: &dyn Store, datastream: &Datastream, span: Span) -> Result<Part, ApiError> {
    let interval_ms = datastream.interval_ms.max(1);
    if span.to <= span.from {
        return Ok(Part::default());
    }
    let plan = Plan { step: Step::Day, kind: Kind::Mean, interval_ms, span, expects: span, good_only: false };
    let folder = || Folder::new(plan, TimeZone::UTC);
    let hours = store.hours(datastream.number, span.from, span.to).await?;
    let by_hour = hours.and_then(|hours| {
        let mut folder = folder();
        hours.iter().all(|hour| folder.push_hour(hour)).then_some(folder)
    });
    let folder = match by_hour {
        Some(folder) => folder,
        None => aggregate::fold_values(store, datastream.number, span, folder()).await?,
    };
    let expected = u64::try_from(span.to.since(span.from) / interval_ms).unwrap_or_default();
    let summaries = folder.finish();
    let covered: f64 = summaries.iter().map(|summary| summary.covered).sum();
    Ok(Part {
        observed: summaries.iter().map(|summary| summary.count).sum(),
        expected,
        covered: covered.min(expected as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_in_which_a_datastream_came_is_left_out() {
        let span = |from, to| Span { from: UtcMillis::new(from), to: UtcMillis::new(to) };
        let hour = Hour::MS;
        assert_eq!(whole_hours(span(hour, 3 * hour)), span(hour, 3 * hour));
        assert_eq!(whole_hours(span(hour + 1, 3 * hour)), span(2 * hour, 3 * hour));
        assert_eq!(whole_hours(span(3 * hour - 1, 3 * hour)), span(3 * hour, 3 * hour));
    }
}
