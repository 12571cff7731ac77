//! skeleton
use std::sync::Arc;

use bakau_model::{DatastreamId, Observation, UtcMillis};
use bakau_spool::SpoolReader;
use bakau_store::Store;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The present value of a datastream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatestEntry {
    /// The observation with the greatest `observed_at`; of two with the same, the one received later.
    pub observation: Observation,
    /// When the value before it was received.
    pub previous_received_at: Option<UtcMillis>,
}

/// The present values of all datastreams, in memory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LatestTable {}

impl LatestTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }
    /// The present value of one datastream.
    #[must_use]
    pub fn get(&self, datastream: DatastreamId) -> Option<LatestEntry> {
        let _ = datastream;
        todo!()
    }
    /// Every present value, in order of datastream number.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LatestEntry> {
        todo!()
    }
    /// Datastreams whose value changed, coalesced to a few messages per second. Lagging: take a snapshot.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[DatastreamId]>> {
        todo!()
    }
    /// Loads what the store and the spool hold, then follows the spool until stopped.
    pub async fn run(self, store: Arc<dyn Store>, spool: SpoolReader, stop: CancellationToken) {
        let _ = (store, spool, stop);
        todo!()
    }
}
