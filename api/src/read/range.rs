//! Long ranges of the store, read for as long as somebody waits for them.

use std::ops::ControlFlow;

use bakau_model::UtcMillis;
use bakau_registry::{Datastream, Snapshot};
use bakau_store::{RangeQuery, SeriesPoint, Store};
use tokio_util::sync::CancellationToken;

use crate::http::{error::ApiError, query::Span};

/// The number of an observation that is summed or drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// The value, which is what was measured.
    Value,
    /// What was counted since the reading before: the value is the reading of a counter, which only grows.
    Increment,
}

impl Quantity {
    /// What sums and charts of a datastream are about.
    pub(crate) const fn of(datastream: &Datastream) -> Self {
        if datastream.counter().is_some() { Self::Increment } else { Self::Value }
    }
}

/// The part of a range in which values of a datastream are expected: from its first deployment on, where there is one, and
/// until now.
pub(crate) fn expects(snapshot: &Snapshot, datastream: &Datastream, span: Span, now: UtcMillis) -> Span {
    let deployments = snapshot.deployments.get(&datastream.number).into_iter().flatten();
    let first = deployments.map(|deployment| deployment.from).min();
    let from = first.map_or(span.from, |first| first.max(span.from)).min(span.to);
    Span { from, to: span.to.min(now).max(from) }
}

/// Takes every value of a range into `state`, in reading order.
///
/// A client that has gone away, or a timeout, must not leave a decade being read for nobody: dropping the future ends the
/// read.
pub(crate) async fn fold<T: Send + 'static>(
    store: &dyn Store,
    query: &RangeQuery,
    quantity: Quantity,
    state: T,
    mut step: impl FnMut(&mut T, &SeriesPoint) + Send + 'static,
) -> Result<T, ApiError> {
    let gone = CancellationToken::new();
    let _guard = gone.clone().drop_guard();
    let step = move |state: &mut T, point: &SeriesPoint| {
        step(state, point);
        if gone.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let folded = match quantity {
        Quantity::Value => bakau_store::fold_points(store, query, state, step).await,
        Quantity::Increment => bakau_store::fold_increments(store, query, state, step).await,
    };
    Ok(folded?)
}
