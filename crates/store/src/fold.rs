//! Reading long ranges without holding them.

use std::{ops::ControlFlow, sync::Arc};

use bakau_model::{DatastreamId, QualityLimits, UtcMillis};
use bakau_quality::{Stream, margin};
use parking_lot::Mutex;

use crate::{RangeQuery, Store, StoreError, StoredObservation};

/// Takes every value of a range into `state`, in reading order, until `step` breaks off.
///
/// # Errors
/// When the store cannot be read.
pub async fn fold<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    state: T,
    mut step: impl FnMut(&mut T, &StoredObservation) -> ControlFlow<()> + Send + 'static,
) -> Result<T, StoreError> {
    // The visitor is dropped when the scan ends, but not before it answers: the state is taken out, not unwrapped.
    let shared = Arc::new(Mutex::new(Some(state)));
    let inside = Arc::clone(&shared);
    let visit = move |row: &StoredObservation| match inside.lock().as_mut() {
        Some(state) => step(state, row),
        None => ControlFlow::Break(()),
    };
    store.scan(query, Box::new(visit)).await?;
    let state = shared.lock().take();
    state.ok_or_else(|| StoreError::new(crate::StoreErrorKind::Other, "a scan went on after its end"))
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
    let from = before.saturating_add(-margin(limits).to_resume());
    let newest = RangeQuery { datastream, from, to: before, after: None, limit, newest_first: true };
    let mut values = fold(store, &newest, Vec::new(), |values, row| {
        values.push((row.observation.observed_at, row.observation.value));
        ControlFlow::Continue(())
    })
    .await?;
    values.reverse();
    let mut stream = Stream::new();
    for (at, value) in values {
        stream.judge(limits, at, value);
    }
    Ok(stream)
}
