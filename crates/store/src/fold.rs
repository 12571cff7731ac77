//! Folding over long ranges without holding them in memory.

use std::{ops::ControlFlow, sync::Arc};

use bakau_model::{DatastreamId, Observation, QualityLimits, UtcMillis};
use bakau_quality::{LookBack, Sample, Stream, margin};
use parking_lot::Mutex;

use crate::{RangeQuery, SeriesPoint, Store, StoreError, StoreErrorKind, StoredObservation};

/// Readings of a counter asked for first: nearly always more than matter.
const FIRST_PAGE: usize = 8;

/// Takes every value of a range into `state`, in reading order, until `step` breaks off.
///
/// # Errors
/// When the store cannot be read.
pub async fn fold<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    state: T,
    step: impl FnMut(&mut T, &StoredObservation) -> ControlFlow<()> + Send + 'static,
) -> Result<T, StoreError> {
    folded(state, step, |visitor| store.scan(query, visitor)).await
}

/// The same with [`Store::scan_points`].
///
/// # Errors
/// When the store cannot be read.
pub async fn fold_points<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    state: T,
    step: impl FnMut(&mut T, &SeriesPoint) -> ControlFlow<()> + Send + 'static,
) -> Result<T, StoreError> {
    folded(state, step, |visitor| store.scan_points(query, visitor)).await
}

/// The same with [`Store::scan_increments`].
///
/// # Errors
/// When the store cannot be read.
pub async fn fold_increments<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    state: T,
    step: impl FnMut(&mut T, &SeriesPoint) -> ControlFlow<()> + Send + 'static,
) -> Result<T, StoreError> {
    folded(state, step, |visitor| store.scan_increments(query, visitor)).await
}

/// [`crate::Visit`] for rows of any kind.
type Visitor<R> = Box<dyn FnMut(&R) -> ControlFlow<()> + Send>;

/// Takes every row that `scan` shows its visitor into `state`.
async fn folded<T: Send + 'static, R, F: Future<Output = Result<(), StoreError>>>(
    state: T,
    mut step: impl FnMut(&mut T, &R) -> ControlFlow<()> + Send + 'static,
    scan: impl FnOnce(Visitor<R>) -> F,
) -> Result<T, StoreError> {
    // The visitor is dropped when the scan ends, but not before it answers: the state is taken out, not unwrapped.
    let held = Arc::new(Mutex::new(Some(state)));
    let inside = Arc::clone(&held);
    let visitor = move |row: &R| match inside.lock().as_mut() {
        Some(state) => step(state, row),
        None => ControlFlow::Break(()),
    };
    scan(Box::new(visitor)).await?;
    let state = held.lock().take();
    state.ok_or_else(|| StoreError::new(StoreErrorKind::Other, "a scan went on after its end"))
}

/// The state of quality control just before an instant, from the stored values that matter for it.
///
/// At most `limit` of the newest values are read, so that a datastream with absurdly many values delays nobody.
///
/// # Errors
/// When the store cannot be read.
pub async fn stream_before(
    store: &dyn Store,
    limits: &QualityLimits,
    datastream: DatastreamId,
    before: UtcMillis,
    limit: usize,
) -> Result<Stream, StoreError> {
    stream_of_known(store, limits, (datastream, before), limit, |_| true).await
}

/// The same from those values alone that the caller has judged already; the store may have more.
///
/// # Errors
/// When the store cannot be read.
pub async fn stream_of_known(
    store: &dyn Store,
    limits: &QualityLimits,
    (datastream, before): (DatastreamId, UtcMillis),
    limit: usize,
    is_known: impl Fn(&Observation) -> bool + Send + Sync + 'static,
) -> Result<Stream, StoreError> {
    let reach = margin(limits).to_resume();
    if reach == 0 {
        return Ok(Stream::new());
    }
    // How long ago the readings were that the next one of a counter is counted from, nobody knows.
    let is_counter = limits.counter.is_some();
    let from = if is_counter { UtcMillis::new(i64::MIN) } else { before.saturating_add(-reach) };
    let query = RangeQuery { datastream, from, to: before, after: None, limit, newest_first: true };
    let newest_first = if let Some(window) = LookBack::of(limits) {
        readings_of_counter(store, query, window, is_known).await?
    } else {
        fold(store, &query, Vec::new(), move |readings, row| {
            if is_known(&row.observation) {
                readings.push(Sample::from(&row.observation));
            }
            ControlFlow::Continue(())
        })
        .await?
    };
    let mut stream = Stream::new();
    for reading in newest_first.into_iter().rev() {
        stream.judge(limits, reading);
    }
    Ok(stream)
}

/// The newest readings of a counter, from the last plain step on.
async fn readings_of_counter(
    store: &dyn Store,
    mut query: RangeQuery,
    mut window: LookBack<'_>,
    is_known: impl Fn(&Observation) -> bool,
) -> Result<Vec<Sample>, StoreError> {
    let (mut newest_first, limit) = (Vec::new(), query.limit);
    query.limit = FIRST_PAGE;
    loop {
        let found = store.observations(&query).await?;
        query.after = found.last().map(|row| row.observation.observed_at);
        let mut known = found.iter().map(|row| &row.observation).filter(|observation| is_known(observation));
        let is_closed = known.any(|observation| {
            let reading = Sample::from(observation);
            newest_first.push(reading);
            window.closed_by(reading).is_some()
        });
        if is_closed || found.len() < query.limit || limit <= newest_first.len() {
            return Ok(newest_first);
        }
        query.limit *= 4;
    }
}
