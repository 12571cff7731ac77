//! The present values of all datastreams, in memory.
//!
//! Loaded from the store and from the part of the spool that the store does not have yet, then updated from the live
//! tail of the spool. A tail that was too fast is read again from the spool, so nothing is missed. Flags are those of
//! quality control at arrival, so that they need no store. Once the store has a value, the table takes over its flags
//! (`settle`).
//!
//! A reading from the future waits for its time: the present value is the newest one that is not later than now, whatever
//! the clocks of devices say. Stations whose clock is ahead are listed ([`ClockAhead`]).

mod clocks;
mod follow;
mod settle;
mod waiting;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::{Batch, DatastreamId, Observation, Seq, StationId, StationStatus, TestResults, UtcMillis};
use bakau_registry::Snapshot;
use bakau_spool::SpoolReader;
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation};
use parking_lot::RwLock;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

pub use self::clocks::ClockAhead;
use self::{
    clocks::StationClock,
    follow::Follower,
    waiting::{PER_DATASTREAM, Waiting, rank},
};

/// How often changed datastreams are announced: often enough to look live, seldom enough for hundreds of open pages.
const ANNOUNCE: Duration = Duration::from_millis(250);

/// Announcements a slow listener may be behind before it has to take a snapshot.
const ANNOUNCEMENTS: usize = 64;

/// Stations that came or went which a slow listener may be behind: a broker that ends takes all of its devices with it.
const COMINGS: usize = 4_096;

/// Stored values looked at after a start to see since when a clock is ahead: a day at one value per minute.
const CLOCK_VALUES: usize = 1_500;

/// Pause before the next question to a store that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The present value of a datastream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatestEntry {
    /// The observation with the greatest `observed_at` up to now; of two with the same, the number received later, or a
    /// missing value where there is no number.
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
    /// Stations whose clock is, or lately was, ahead.
    clocks: RwLock<BTreeMap<StationId, StationClock>>,
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
        let (entries, statuses, clocks) = (RwLock::default(), RwLock::default(), RwLock::default());
        Self { shared: Arc::new(Shared { entries, statuses, clocks, announcements, comings }) }
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

    /// The last status of a station's device since the process started.
    #[must_use]
    pub fn status(&self, station: &StationId) -> Option<StationStatus> {
        self.shared.statuses.read().get(station).cloned()
    }

    /// Whether the clock at a station is ahead of ours.
    #[must_use]
    pub fn clock(&self, station: &StationId) -> Option<ClockAhead> {
        self.shared.clocks.read().get(station).and_then(StationClock::ahead)
    }

    /// Every station whose clock is ahead.
    #[must_use]
    pub fn clocks(&self) -> Vec<(StationId, ClockAhead)> {
        let clocks = self.shared.clocks.read();
        clocks.iter().filter_map(|(station, clock)| clock.ahead().map(|ahead| (station.clone(), ahead))).collect()
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

    /// Loads what store and spool hold, then follows the spool until stopped; what arrives after this call is not missed,
    /// whenever the future is first polled.
    pub fn run(
        self,
        store: Arc<dyn Store>,
        spool: SpoolReader,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        // Before loading, so that nothing falls between the two.
        let (known, tail) = (spool.last_seq(), spool.subscribe());
        async move {
            let Some(mut loaded) = self.load(&*store, &*clock, &stop).await else { return };
            // What was stored since then is read again: the store does not hold what devices said of themselves.
            loaded.cursor = loaded.cursor.min(known);
            let follower = Follower::new(self, (store, spool), snapshots, clock, loaded);
            follow(follower, tail, &stop).await;
        }
    }

    /// Fills the table from the store; `None` when stopped before the store answered.
    async fn load(&self, store: &dyn Store, clock: &dyn Clock, stop: &CancellationToken) -> Option<Loaded> {
        let mut told = false;
        loop {
            match self.load_now(store, clock.now()).await {
                Ok(loaded) => return Some(loaded),
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "store cannot be read; present values are not loaded yet");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn load_now(&self, store: &dyn Store, now: UtcMillis) -> Result<Loaded, StoreError> {
        // The cursor first: what is written between the two calls is then only seen twice.
        let cursor = store.cursor().await?;
        let mut loaded = Loaded { cursor, waiting: Waiting::default(), ahead: Vec::new() };
        let mut present = Vec::new();
        for newest in store.latest().await? {
            let Observation { datastream, observed_at, received_at, .. } = newest.observation;
            if bakau_quality::clock_ahead_ms(observed_at, received_at).is_some() {
                loaded
                    .ahead
                    .push(store.observations(&RangeQuery { limit: CLOCK_VALUES, ..everything(datastream) }).await?);
            }
            if observed_at <= now {
                present.push(newest);
                continue;
            }
            let future = now.saturating_add(1);
            let until_now = RangeQuery { to: future, limit: 1, ..everything(datastream) };
            present.extend(store.observations(&until_now).await?);
            let later =
                RangeQuery { from: future, limit: PER_DATASTREAM, newest_first: false, ..everything(datastream) };
            for later in store.observations(&later).await? {
                loaded.waiting.hold(&later.observation);
            }
        }
        let mut entries = self.shared.entries.write();
        for stored in present {
            offer(&mut entries, &stored.observation, (stored.tests, stored.increment));
        }
        Ok(loaded)
    }
}

async fn follow(mut follower: Follower, mut tail: broadcast::Receiver<Arc<Batch>>, stop: &CancellationToken) {
    follower.catch_up().await;
    follower.tick().await;
    let mut tick = tokio::time::interval(ANNOUNCE);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => follower.tick().await,
            Some(Ok(answers)) = follower.asking.join_next() => follower.settle(answers),
            received = tail.recv() => match received {
                Ok(batch) => follower.take(&batch).await,
                Err(RecvError::Lagged(_)) => follower.catch_up().await,
                // The spool is closed: nothing will change any more.
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Values of the store at the start, besides present ones.
struct Loaded {
    cursor: Seq,
    waiting: Waiting,
    /// The newest values of datastreams whose last one came from a clock that is ahead, newest first.
    ahead: Vec<Vec<StoredObservation>>,
}

/// The stored values of a datastream, newest first.
const fn everything(datastream: DatastreamId) -> RangeQuery {
    let (from, to) = (UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX));
    RangeQuery { datastream, from, to, after: None, limit: 1, newest_first: true }
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
    let order = |observation: &Observation| (observation.observed_at, rank(observation));
    order(&entry.observation) <= order(observation)
}

#[cfg(test)]
mod tests;
