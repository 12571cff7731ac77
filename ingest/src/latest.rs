//! The present values of all datastreams, in memory.
//!
//! Loaded from the store and from the part of the spool that the store does not have yet, then kept up with the live
//! tail of the spool. A tail that was too fast is read again from the spool, so nothing is missed. Flags are those of
//! quality control at this moment: a store that is away does not hold them up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bakau_model::{
    Batch, DatastreamId, Observation, QualityLimits, Seq, StationId, StationStatus, TestResults, UtcMillis,
};
use bakau_quality::{Flagger, Judgement, Stream, flag};
use bakau_registry::Snapshot;
use bakau_spool::SpoolReader;
use bakau_store::{Store, stream_before};
use parking_lot::RwLock;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

use crate::limits::limits_of;

/// How often changed datastreams are announced: often enough to look live, seldom enough for hundreds of open pages.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// Announcements a slow listener may be behind before it has to take a snapshot.
const ANNOUNCEMENTS: usize = 64;

/// Stations that came or went which a slow listener may be behind: a broker that ends takes all of its devices with it.
const COMINGS: usize = 4_096;

/// Observations read from the spool at once when catching up.
const CATCH_UP_OBSERVATIONS: usize = 50_000;

/// Stored values from which the quality control of a datastream goes on after a start: a day at one value per minute.
const WARM_UP_VALUES: usize = 1_500;

/// Pause before asking a store again that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The present value of a datastream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatestEntry {
    /// The observation with the greatest `observed_at`; of two with the same, the number received later, or a missing value
    /// where there is no number.
    pub observation: Observation,
    /// One flag per test of quality control; the spike test waits for the next value.
    pub tests: TestResults,
    /// What was counted since the reading before, of a counter; `None` where that is not known.
    pub increment: Option<f64>,
    /// When the value before it was received.
    pub previous_received_at: Option<UtcMillis>,
}

#[derive(Debug)]
struct Shared {
    entries: RwLock<BTreeMap<DatastreamId, LatestEntry>>,
    statuses: RwLock<BTreeMap<StationId, StationStatus>>,
    announcements: broadcast::Sender<Arc<[DatastreamId]>>,
    comings: broadcast::Sender<StationStatus>,
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
        let comings = broadcast::Sender::new(COMINGS);
        let (entries, statuses) = (RwLock::default(), RwLock::default());
        Self { shared: Arc::new(Shared { entries, statuses, announcements, comings }) }
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

    /// What was last said about whether a station's device is there, since the process started.
    #[must_use]
    pub fn status(&self, station: &StationId) -> Option<StationStatus> {
        self.shared.statuses.read().get(station).cloned()
    }

    /// Which datastreams changed, at most four times a second. A listener that lags takes a snapshot instead.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[DatastreamId]>> {
        self.shared.announcements.subscribe()
    }

    /// Which stations' devices left or came back, each as it happens. A listener that lags asks for [`Self::status`].
    #[must_use]
    pub fn subscribe_statuses(&self) -> broadcast::Receiver<StationStatus> {
        self.shared.comings.subscribe()
    }

    /// Takes one observation in if it is the newest of its datastream; returns whether it is.
    pub fn offer(&self, observation: &Observation, tests: TestResults) -> bool {
        offer(&mut self.shared.entries.write(), observation, (tests, None))
    }

    /// Loads what store and spool hold, then follows the spool until stopped.
    pub async fn run(
        self,
        store: Arc<dyn Store>,
        spool: SpoolReader,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        stop: CancellationToken,
    ) {
        // Subscribed before loading, so that nothing falls between the two.
        let mut tail = spool.subscribe();
        let Some(cursor) = self.load(&*store, &stop).await else { return };
        let (changed, flagger) = (BTreeSet::new(), Flagger::new());
        let mut follower = Follower { table: self, store, spool, snapshots, flagger, seen: cursor, changed };
        follower.catch_up().await;
        follower.announce();
        let mut tick = tokio::time::interval(ANNOUNCE);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => follower.announce(),
                received = tail.recv() => match received {
                    Ok(batch) => follower.take(&batch).await,
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
                        offer(&mut entries, &stored.observation, (stored.tests, stored.increment));
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

fn offer(
    entries: &mut BTreeMap<DatastreamId, LatestEntry>,
    observation: &Observation,
    (tests, increment): (TestResults, Option<f64>),
) -> bool {
    let Some(entry) = entries.get_mut(&observation.datastream) else {
        let entry = LatestEntry { observation: *observation, tests, increment, previous_received_at: None };
        entries.insert(observation.datastream, entry);
        return true;
    };
    let said = (entry.observation, entry.tests, entry.increment);
    if !is_present(observation, entry) || (*observation, tests, increment) == said {
        return false;
    }
    let previous_received_at = Some(entry.observation.received_at);
    *entry = LatestEntry { observation: *observation, tests, increment, previous_received_at };
    true
}

/// At the same instant the later arrival corrects, and a missing value never replaces a number, as in the store.
fn is_present(observation: &Observation, entry: &LatestEntry) -> bool {
    let order =
        |observation: &Observation| (observation.observed_at, observation.value.is_some(), observation.received_at);
    order(&entry.observation) <= order(observation)
}

/// Keeps a table up with the spool.
struct Follower {
    table: LatestTable,
    store: Arc<dyn Store>,
    spool: SpoolReader,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    flagger: Flagger,
    seen: Seq,
    changed: BTreeSet<DatastreamId>,
}

impl Follower {
    async fn take(&mut self, batch: &Batch) {
        if batch.seq <= self.seen {
            return;
        }
        self.seen = batch.seq;
        let snapshot = Arc::clone(&self.snapshots.borrow());
        self.warm_up(batch, &snapshot).await;
        self.take_statuses(&batch.statuses);
        let mut entries = self.table.shared.entries.write();
        for sourced in &batch.observations {
            let mut observation = sourced.observation;
            let entry = entries.get(&observation.datastream);
            if entry.is_some_and(|entry| !is_present(&observation, entry)) {
                continue;
            }
            let limits = limits_of(&snapshot, observation.datastream);
            let (mut tests, mut increment) = (TestResults::NONE, None);
            // Without limits the flag is the one that the observation came with.
            if limits != QualityLimits::default() {
                Judgement { results: tests, increment, .. } = self.flagger.judge(&limits, &observation);
                observation.flag = flag(observation.value, tests);
            }
            if offer(&mut entries, &observation, (tests, increment)) {
                self.changed.insert(observation.datastream);
            }
        }
    }

    /// The later one counts; one that the broker had kept is of unknown age and only fills a gap.
    fn take_statuses(&self, statuses: &[StationStatus]) {
        let mut known = self.table.shared.statuses.write();
        for status in statuses {
            let held = known.get(&status.station);
            if held.is_none_or(|held| !status.retained && held.at <= status.at) {
                // Said again, it counts again: values may have come in between that took the first word back.
                let news = held.is_none_or(|held| held.online != status.online || !status.online);
                known.insert(status.station.clone(), status.clone());
                if news {
                    // Nobody listening is no error.
                    drop(self.table.shared.comings.send(status.clone()));
                }
            }
        }
    }

    /// Lets the quality control of datastreams seen for the first time since the start go on where the store is.
    async fn warm_up(&mut self, batch: &Batch, snapshot: &Snapshot) {
        for sourced in &batch.observations {
            let Observation { datastream, observed_at, .. } = sourced.observation;
            if self.flagger.knows(datastream) {
                continue;
            }
            let limits = limits_of(snapshot, datastream);
            let mut stream = Stream::new();
            if limits != QualityLimits::default() && self.table.get(datastream).is_some() {
                let stored = stream_before(&*self.store, &limits, datastream, observed_at, WARM_UP_VALUES).await;
                // Without the store the tests begin anew, as for a new datastream.
                stream = stored.unwrap_or_default();
            }
            self.flagger.resume(datastream, stream);
        }
    }

    /// Reads what the live tail did not bring.
    async fn catch_up(&mut self) {
        loop {
            let (spool, seen) = (self.spool.clone(), self.seen);
            let read = tokio::task::spawn_blocking(move || spool.read_after(seen, CATCH_UP_OBSERVATIONS)).await;
            match read {
                Ok(Ok(batches)) if batches.is_empty() => return,
                Ok(Ok(batches)) => {
                    for batch in &batches {
                        self.take(batch).await;
                    }
                }
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
    use bakau_model::{Flag, FlatLine, QualityTest};

    use super::*;
    use crate::testing::{House, nothing_registered, observation, registered};

    fn value(table: &LatestTable, datastream: u32) -> Option<f64> {
        table.get(DatastreamId::new(datastream)).and_then(|entry| entry.observation.value)
    }

    #[test]
    fn the_greatest_measured_time_wins_and_at_the_same_time_the_later_arrival() {
        let table = LatestTable::new();
        assert!(table.offer(&observation(1, 1_000, 5, 1.0), TestResults::NONE));
        assert!(!table.offer(&observation(1, 900, 6, 2.0), TestResults::NONE), "late data is not the present");
        assert!(table.offer(&observation(1, 1_000, 7, 3.0), TestResults::NONE), "a correction is");
        assert!(!table.offer(&observation(1, 1_000, 6, 4.0), TestResults::NONE));
        assert!(table.offer(&observation(1, 2_000, 8, 5.0), TestResults::NONE));
        let missing =
            |at, received_at| Observation { value: None, flag: Flag::Missing, ..observation(1, at, received_at, 0.0) };
        assert!(!table.offer(&missing(2_000, 9), TestResults::NONE), "a missing value replaces no number");
        let entry = table.get(DatastreamId::new(1)).unwrap();
        assert_eq!((entry.observation.value, entry.previous_received_at), (Some(5.0), Some(UtcMillis::new(7))));
        assert!(table.offer(&missing(3_000, 12), TestResults::NONE), "at a later instant it is the present");
        assert!(
            table.offer(&observation(1, 3_000, 10, 6.0), TestResults::NONE),
            "a number replaces it, also an earlier"
        );
        assert_eq!(value(&table, 1), Some(6.0));
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
        let running = tokio::spawn(table.clone().run(
            Arc::clone(&house.store),
            house.reader.clone(),
            nothing_registered(),
            stop.clone(),
        ));
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
    async fn flags_go_on_after_a_start_where_the_store_is_and_statuses_are_kept() {
        let flat_line = Some(FlatLine { tolerance: 0.0, suspect_s: Some(3_600), fail_s: None });
        let limits = QualityLimits { flat_line, ..QualityLimits::default() };
        let mut house = House::new();
        let minutes = |range: std::ops::Range<i64>| -> Vec<_> {
            range.map(|minute| observation(1, minute * 60_000, minute, 7.0)).collect()
        };
        house.spool(&minutes(0..70));
        let written = house.reader.read_after(Seq::START, 10).unwrap();
        house.store.write(&written, Vec::new()).await.unwrap();

        let table = LatestTable::new();
        let mut announced = table.subscribe();
        let stop = CancellationToken::new();
        let running =
            table.clone().run(Arc::clone(&house.store), house.reader.clone(), registered(limits), stop.clone());
        let running = tokio::spawn(running);
        let s1 = StationId::new("s1").unwrap();
        let said =
            |online, retained, at| StationStatus { station: s1.clone(), online, retained, at: UtcMillis::new(at) };
        house.spool_with(&minutes(70..71), vec![said(true, true, 1), said(false, false, 2), said(true, true, 3)]);
        announced.recv().await.unwrap();
        let entry = table.get(DatastreamId::new(1)).unwrap();
        assert_eq!((entry.observation.observed_at.get(), entry.observation.flag), (70 * 60_000, Flag::Suspect));
        assert_eq!(entry.tests.get(QualityTest::FlatLine), Flag::Suspect, "stuck since before the start");
        assert_eq!(table.status(&s1), Some(said(false, false, 2)), "a kept message is no news");
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_table_that_lags_reads_the_gap_from_the_spool() {
        let mut house = House::new();
        let table = LatestTable::new();
        let stop = CancellationToken::new();
        let running = tokio::spawn(table.clone().run(
            Arc::clone(&house.store),
            house.reader.clone(),
            nothing_registered(),
            stop.clone(),
        ));
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
