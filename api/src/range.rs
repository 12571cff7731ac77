//! Long ranges of the store, read for as long as somebody waits for them.

use std::ops::ControlFlow;

use bakau_store::{RangeQuery, SeriesPoint, Store};
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, ProblemType};

/// Takes every value of a range into `state`, in reading order.
///
/// A client that has gone away, or a timeout, must not leave a decade being read for nobody: dropping the future ends the
/// read.
pub(crate) async fn fold<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    state: T,
    mut step: impl FnMut(&mut T, &SeriesPoint) + Send + 'static,
) -> Result<T, ApiError> {
    let gone = CancellationToken::new();
    let _guard = gone.clone().drop_guard();
    let folded = bakau_store::fold_points(store, query, state, move |state: &mut T, point| {
        step(state, point);
        if gone.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    folded.await.map_err(|error| ApiError::caused(ProblemType::StoreUnavailable, &error))
}
