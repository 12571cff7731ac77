//! Quality control goes on after a restart where it was: the last stored values give its state back.
//!
//! It is read beside everything else. A slow store delays no rule; a datastream whose next value is faster than the
//! store is judged from that value on.
//!
//! The store may be further than the rules: what they have still to evaluate is no part of the state, or a reading of a
//! counter would find itself counted already and an alarm would be lost with the process that had decided it.

use std::{collections::HashSet, sync::Arc};

use bakau_model::{DatastreamId, Observation, UtcMillis};
use bakau_quality::Stream;
use bakau_registry::Datastream;
use bakau_store::{Store, stream_of_known};
use tokio::sync::mpsc;

use crate::engine::WaitingKey;

/// The most values read of one datastream: half a day of values a second.
const MOST_VALUES: usize = 43_200;
/// States on their way to the runner.
const WAITING: usize = 64;

/// What rules have not evaluated yet, although it may be stored.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// When the first of the batches behind cursor B arrived; nothing where there are none.
    pub(crate) unread_since: Option<UtcMillis>,
    /// Readings that wait for their time.
    pub(crate) waiting: HashSet<WaitingKey>,
}

impl Open {
    fn has_evaluated(&self, observation: &Observation) -> bool {
        self.unread_since.is_none_or(|since| observation.received_at < since)
            && !self.waiting.contains(&(observation.observed_at, observation.datastream))
    }
}

/// Reads the states of datastreams; the receiver ends when all have been read.
pub(crate) fn states(
    store: Arc<dyn Store>,
    datastreams: Vec<Arc<Datastream>>,
    now: UtcMillis,
    open: Open,
) -> mpsc::Receiver<(DatastreamId, Stream)> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let open = Arc::new(open);
    tokio::spawn(async move {
        for datastream in datastreams {
            // Values from the future are judged when their time has come.
            let (number, end, open) = (datastream.number, now.saturating_add(1), Arc::clone(&open));
            let is_known = move |observation: &Observation| open.has_evaluated(observation);
            match stream_of_known(&*store, &datastream.limits, (number, end), MOST_VALUES, is_known).await {
                Ok(stream) => {
                    // A runner that has ended needs no states.
                    if sender.send((number, stream)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "quality control begins anew, because the last values cannot be read");
                    return;
                }
            }
        }
    });
    receiver
}
