//! The present values of all datastreams, in memory.
//!
//! Loaded from the store and from the part of the spool that the store does not have yet, then kept up with the live
//! tail of the spool. A tail that was too fast is read again from the spool, so nothing is missed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bakau_model::{Batch, DatastreamId, Observation, Seq, UtcMillis};
use bakau_spool::SpoolReader;
use bakau_store::Store;
use parking_lot::RwLock;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How often changed datastreams are announced: often enough to look live, seldom enough for hundreds of open pages.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// Announcements a slow listener may be behind before it has to take a snapshot.
const ANNOUNCEMENTS: usize = 64;

/// Observations read from the spool at once when catching up.
const CATCH_UP_OBSERVATIONS: usize = 50_000;

/// Pause before asking a store again that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The present value of a datastream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatestEntry {
    /// The observation with the greatest `observed_at`; of two with the same, the one received later.
    pub observation: Observation,
    /// When the value before it was received.
    pub previous_received_at: Option<UtcMillis>,
}

#[derive(Debug)]
struct Shared {
    entries: RwLock<BTreeMap<DatastreamId, LatestEntry>>,
    announcements: broadcast::Sender<Arc<[DatastreamId]>>,
}

/// The present values of all datastreams. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LatestTable {
    shared: Arc<Shared>,
}

impl Default for LatestTable {
    fn default() -> Self {
        Self::new()
    }
}

impl LatestTable {
    /// An empty table; [`Self::run`] fills it.
    #[must_use]
    pub fn new() -> Self {
        let announcements = broadcast::Sender::new(ANNOUNCEMENTS);
        Self { shared: Arc::new(Shared { entries: RwLock::default(), announcements }) }
    }

    /// The present value of one datastream.
    #[must_use]
    pub fn get(&self, datastream: DatastreamId) -> Option<LatestEntry> {
        self.shared.entries.read().get(&datastream).copied()
    }

    /// Every present value, in order of datastream number.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LatestEntry> {
        self.shared.entries.read().values().copied().collect()
    }

    /// Which datastreams changed, at most four times a second. A listener that lags takes a snapshot instead.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[DatastreamId]>> {
        self.shared.announcements.subscribe()
    }

    /// Takes one observation in if it is the newest of its datastream; returns whether it is.
    pub fn offer(&self, observation: &Observation) -> bool {
        offer(&mut self.shared.entries.write(), observation)
    }

    /// Loads what store and spool hold, then follows the spool until stopped.
    pub async fn run(self, store: Arc<dyn Store>, spool: SpoolReader, stop: CancellationToken) {
        // Subscribed before loading, so that nothing falls between the two.
        let mut tail = spool.subscribe();
        let Some(cursor) = self.load(&*store, &stop).await else { return };
        let mut follower = Follower { table: self, spool, seen: cursor, changed: BTreeSet::new() };
        follower.catch_up().await;
        follower.announce();
        let mut tick = tokio::time::interval(ANNOUNCE);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => follower.announce(),
                received = tail.recv() => match received {
                    Ok(batch) => follower.take(&batch),
                    Err(RecvError::Lagged(_)) => follower.catch_up().await,
                    // The spool is closed: nothing will change any more.
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// Fills the table from the store; returns the store's cursor, or `None` when stopped before the store answered.
    async fn load(&self, store: &dyn Store, stop: &CancellationToken) -> Option<Seq> {
        let mut told = false;
        loop {
            // The cursor first: what is written between the two calls is then only seen twice.
            let loaded = async { Ok::<_, bakau_store::StoreError>((store.cursor().await?, store.latest().await?)) };
            match loaded.await {
                Ok((cursor, stored)) => {
                    let mut entries = self.shared.entries.write();
                    for stored in stored {
                        offer(&mut entries, &stored.observation);
                    }
                    return Some(cursor);
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "present values wait for the store");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }
}

fn offer(entries: &mut BTreeMap<DatastreamId, LatestEntry>, observation: &Observation) -> bool {
    let Some(entry) = entries.get_mut(&observation.datastream) else {
        entries.insert(observation.datastream, LatestEntry { observation: *observation, previous_received_at: None });
        return true;
    };
    // At the same instant the later arrival corrects, as in the store.
    let order = |observation: &Observation| (observation.observed_at, observation.received_at);
    if order(observation) < order(&entry.observation) || *observation == entry.observation {
        return false;
    }
    entry.previous_received_at = Some(entry.observation.received_at);
    entry.observation = *observation;
    true
}

/// Keeps a table up with the spool.
struct Follower {
    table: LatestTable,
    spool: SpoolReader,
    seen: Seq,
    changed: BTreeSet<DatastreamId>,
}

impl Follower {
    fn take(&mut self, batch: &Batch) {
        if batch.seq <= self.seen {
            return;
        }
        self.seen = batch.seq;
        let mut entries = self.table.shared.entries.write();
        for sourced in &batch.observations {
            if offer(&mut entries, &sourced.observation) {
                self.changed.insert(sourced.observation.datastream);
            }
        }
    }

    /// Reads what the live tail did not bring.
    async fn catch_up(&mut self) {
        loop {
            let (spool, seen) = (self.spool.clone(), self.seen);
            let read = tokio::task::spawn_blocking(move || spool.read_after(seen, CATCH_UP_OBSERVATIONS)).await;
            match read {
                Ok(Ok(batches)) if batches.is_empty() => return,
                Ok(Ok(batches)) => batches.iter().for_each(|batch| self.take(batch)),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "present values may be incomplete until the next readings");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "present values may be incomplete until the next readings");
                    return;
                }
            }
        }
    }

    fn announce(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        let changed: Arc<[DatastreamId]> = std::mem::take(&mut self.changed).into_iter().collect();
        // Nobody listening is no error.
        drop(self.table.shared.announcements.send(changed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{House, observation};

    fn value(table: &LatestTable, datastream: u32) -> Option<f64> {
        table.get(DatastreamId::new(datastream)).and_then(|entry| entry.observation.value)
    }

    #[test]
    fn the_greatest_measured_time_wins_and_at_the_same_time_the_later_arrival() {
        let table = LatestTable::new();
        assert!(table.offer(&observation(1, 1_000, 5, 1.0)));
        assert!(!table.offer(&observation(1, 900, 6, 2.0)), "late data is not the present");
        assert!(table.offer(&observation(1, 1_000, 7, 3.0)), "a correction is");
        assert!(!table.offer(&observation(1, 1_000, 6, 4.0)));
        assert!(table.offer(&observation(1, 2_000, 8, 5.0)));
        let entry = table.get(DatastreamId::new(1)).unwrap();
        assert_eq!((entry.observation.value, entry.previous_received_at), (Some(5.0), Some(UtcMillis::new(7))));
    }

    #[tokio::test]
    async fn store_spool_and_live_tail_come_together_without_a_gap() {
        let mut house = House::new();
        house.spool(&[observation(1, 1_000, 1, 1.0), observation(2, 1_000, 1, 2.0)]);
        let written = house.reader.read_after(Seq::START, 10).unwrap();
        house.store.write(&written, Vec::new()).await.unwrap();
        house.spool(&[observation(2, 2_000, 2, 22.0), observation(3, 1_000, 2, 3.0)]);

        let table = LatestTable::new();
        let mut announced = table.subscribe();
        let stop = CancellationToken::new();
        let running = tokio::spawn(table.clone().run(Arc::clone(&house.store), house.reader.clone(), stop.clone()));
        assert_eq!(&*announced.recv().await.unwrap(), [DatastreamId::new(2), DatastreamId::new(3)]);
        assert_eq!((value(&table, 1), value(&table, 2), value(&table, 3)), (Some(1.0), Some(22.0), Some(3.0)));

        house.spool(&[observation(1, 3_000, 3, 111.0)]);
        house.spool(&[observation(1, 2_500, 4, 0.0)]);
        house.spool(&[observation(3, 3_000, 3, 333.0)]);
        let mut changed = BTreeSet::new();
        while changed.len() < 2 {
            changed.extend(announced.recv().await.unwrap().iter().copied());
        }
        assert_eq!(
            table.snapshot().iter().map(|e| e.observation.value).collect::<Vec<_>>(),
            [Some(111.0), Some(22.0), Some(333.0)]
        );
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_table_that_lags_reads_the_gap_from_the_spool() {
        let mut house = House::new();
        let table = LatestTable::new();
        let stop = CancellationToken::new();
        let running = tokio::spawn(table.clone().run(Arc::clone(&house.store), house.reader.clone(), stop.clone()));
        let mut announced = table.subscribe();
        house.spool(&[observation(1, 0, 0, 0.0)]);
        announced.recv().await.unwrap();
        // No await in between: the single-threaded runtime cannot follow, so the live tail overflows.
        for at in 1..=2_000 {
            house.spool(&[observation(at % 50, i64::from(at), i64::from(at), f64::from(at))]);
        }
        while value(&table, 0) != Some(2_000.0) {
            announced.recv().await.unwrap();
        }
        assert_eq!(table.snapshot().len(), 50);
        assert_eq!(value(&table, 49), Some(1_999.0));
        stop.cancel();
        running.await.unwrap();
    }
}
