//! Reading long ranges without holding them.

use std::{ops::ControlFlow, sync::Arc};

use bakau_model::{DatastreamId, QualityLimits, UtcMillis};
use bakau_quality::{LookBack, Reading, Stream, margin};
use parking_lot::Mutex;

use crate::{RangeQuery, SeriesPoint, Store, StoreError, StoreErrorKind, StoredObservation};

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
    if let Some(window) = LookBack::of(limits) {
        return counter_before(store, limits, window, (datastream, before), limit).await;
    }
    let reach = margin(limits).to_resume();
    if reach == 0 {
        return Ok(Stream::new());
    }
    let from = before.saturating_add(-reach);
    let newest = RangeQuery { datastream, from, to: before, after: None, limit, newest_first: true };
    let mut values = fold_points(store, &newest, Vec::new(), |values, point| {
        values.push((point.observed_at, point.value));
        ControlFlow::Continue(())
    })
    .await?;
    values.reverse();
    let mut stream = Stream::new();
    for (at, value) in values {
        stream.judge(limits, (at, value).into());
    }
    Ok(stream)
}

/// The same of a counter: from the last plain step on, however long ago that was.
async fn counter_before(
    store: &dyn Store,
    limits: &QualityLimits,
    mut window: LookBack<'_>,
    (datastream, before): (DatastreamId, UtcMillis),
    limit: usize,
) -> Result<Stream, StoreError> {
    let (from, mut newest_first, mut page) = (UtcMillis::new(i64::MIN), Vec::new(), 8);
    let mut query = RangeQuery { datastream, from, to: before, after: None, limit: page, newest_first: true };
    while newest_first.len() < limit {
        query.limit = page;
        let found = store.observations(&query).await?;
        query.after = found.last().map(|row| row.observation.observed_at);
        let is_last = found.len() < page;
        let is_closed = found.iter().any(|row| {
            let reading = Reading::from(&row.observation);
            newest_first.push(reading);
            window.closed_by(reading).is_some()
        });
        if is_closed || is_last {
            break;
        }
        page *= 4;
    }
    let mut stream = Stream::new();
    for reading in newest_first.into_iter().rev() {
        stream.judge(limits, reading);
    }
    Ok(stream)
}
