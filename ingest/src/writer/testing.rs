//! The writer step by step, and a store that can be shut.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bakau_model::{DatastreamId, LedgerKey, UtcMillis};
use bakau_store::{
    RangeQuery, Reflagged, StoreCounts, StoreErrorKind, StoreVerify, StoredObservation, Superseded, Verdict, Visit,
};

use super::*;
use crate::testing::House;

/// The writer, one group at a time.
pub(crate) struct Steps(Writer);

impl Steps {
    /// On an empty store.
    pub(crate) fn new(house: &House, snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self(Writer::new(Arc::clone(&house.store), house.reader.clone(), snapshots, unwatched()))
    }

    /// Writes what is in the spool.
    pub(crate) async fn write(&mut self) {
        let group = self.0.read().await.unwrap();
        assert!(group.is_empty() || self.0.write(&group).await);
    }
}

/// A real store in front of which the door can be shut.
#[derive(Debug)]
pub(crate) struct Door {
    store: Arc<dyn Store>,
    pub(crate) shut: AtomicBool,
    pub(crate) refused: AtomicUsize,
    pub(crate) writes: AtomicUsize,
}

impl Door {
    pub(crate) fn new(store: &Arc<dyn Store>, shut: bool) -> Arc<Self> {
        let door = Self {
            store: Arc::clone(store),
            shut: AtomicBool::new(shut),
            refused: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        };
        Arc::new(door)
    }

    fn pass(&self) -> Result<(), StoreError> {
        if self.shut.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::new(StoreErrorKind::Unavailable, "shut"));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Store for Door {
    async fn write(&self, batches: &[Arc<Batch>], verdicts: Vec<Verdict>) -> Result<WriteReceipt, StoreError> {
        self.pass()?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.write(batches, verdicts).await
    }
    async fn scan(&self, query: &RangeQuery, visit: Visit) -> Result<(), StoreError> {
        self.store.scan(query, visit).await
    }
    async fn reflagged(&self, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError> {
        self.store.reflagged(query).await
    }
    async fn cursor(&self) -> Result<Seq, StoreError> {
        self.store.cursor().await
    }
    async fn observations(&self, query: &RangeQuery) -> Result<Vec<StoredObservation>, StoreError> {
        self.pass()?;
        self.store.observations(query).await
    }
    async fn latest(&self) -> Result<Vec<StoredObservation>, StoreError> {
        self.store.latest().await
    }
    async fn extent(&self, datastream: DatastreamId) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
        self.store.extent(datastream).await
    }
    async fn superseded(&self, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError> {
        self.store.superseded(query).await
    }
    async fn ledger(&self, from: UtcMillis, to: UtcMillis) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError> {
        self.store.ledger(from, to).await
    }
    async fn health(&self) -> Result<(), StoreError> {
        self.store.health().await
    }
    async fn verify(&self) -> Result<StoreVerify, StoreError> {
        self.store.verify().await
    }
}

/// A board that nobody looks at.
pub(crate) fn unwatched() -> (StoreBoard, Arc<dyn Clock>) {
    (StoreBoard::default(), Arc::new(bakau_clock::SystemClock))
}
