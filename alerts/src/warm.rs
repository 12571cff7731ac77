//! Quality control goes on after a restart where it was: the last stored values give its state back.
//!
//! It is read beside everything else. A slow store delays no rule; a datastream whose next value is faster than the
//! store is judged from that value on.

use std::sync::Arc;

use bakau_model::{DatastreamId, UtcMillis};
use bakau_quality::Stream;
use bakau_registry::Datastream;
use bakau_store::{Store, stream_before};
use tokio::sync::mpsc;

/// The most values read of one datastream: half a day of values a second.
const MOST_VALUES: usize = 43_200;
/// States on their way to the runner.
const WAITING: usize = 64;

/// Reads the states of datastreams; the receiver ends when all have been read.
pub(crate) fn states(
    store: Arc<dyn Store>,
    datastreams: Vec<Arc<Datastream>>,
    now: UtcMillis,
) -> mpsc::Receiver<(DatastreamId, Stream)> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        for datastream in datastreams {
            // Values from the future are judged when their time has come.
            let (number, end) = (datastream.number, now.saturating_add(1));
            match stream_before(&*store, &datastream.limits, number, end, MOST_VALUES).await {
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
