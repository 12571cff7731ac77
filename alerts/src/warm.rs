//! Quality control goes on after a restart where it was: the last stored values give its state back.
//!
//! It is read beside everything else. A slow store delays no rule; a datastream whose next value is faster than the
//! store is judged from that value on.

use std::sync::Arc;

use bakau_model::DatastreamId;
use bakau_model::UtcMillis;
use bakau_quality::{Stream, margin};
use bakau_registry::Datastream;
use bakau_store::{RangeQuery, Store, StoreError, stream_before};
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
            match state(&*store, &datastream, now).await {
                Ok(stream) => {
                    // A runner that has ended needs no states.
                    if sender.send((datastream.number, stream)).await.is_err() {
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

async fn state(store: &dyn Store, datastream: &Datastream, now: UtcMillis) -> Result<Stream, StoreError> {
    if datastream.counter().is_some() {
        // However long ago they were, the last readings are what the next one is counted from; those from the future are
        // counted when their time has come.
        let (limits, end) = (&datastream.limits, now.saturating_add(1));
        return stream_before(store, limits, datastream.number, end, MOST_VALUES).await;
    }
    let reach = margin(&datastream.limits).to_resume();
    let mut stream = Stream::new();
    if reach == 0 {
        return Ok(stream);
    }
    let query = RangeQuery {
        datastream: datastream.number,
        from: now.saturating_add(-reach),
        // Values from the future are judged when their time has come.
        to: now.saturating_add(1),
        after: None,
        limit: MOST_VALUES,
        newest_first: true,
    };
    for stored in store.observations(&query).await?.iter().rev() {
        stream.judge(&datastream.limits, stored.observation.observed_at, stored.observation.value);
    }
    Ok(stream)
}
