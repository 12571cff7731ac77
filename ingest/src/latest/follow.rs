//! Keeps the table of present values up with the spool and with time.

use std::{collections::BTreeSet, sync::Arc};

use bakau_clock::Clock;
use bakau_model::{
    Batch, DatastreamId, DatastreamName, Observation, QualityLimits, QuarantineReason, Seq, StationId, StationStatus,
    TestResults, TimeSource, UtcMillis,
};
use bakau_quality::{Flagger, Judgement, Stream, clock_ahead_ms, flag};
use bakau_registry::Snapshot;
use bakau_spool::{Consumer, SpoolReader};
use bakau_store::{Store, stream_before};
use tokio::{sync::watch, task::JoinSet};

use super::{
    LatestTable, Loaded,
    clocks::StationClock,
    is_present, offer,
    settle::{self, Answers, Question, Unsettled},
    waiting::Waiting,
};
use crate::{identify, limits::limits_of};

/// Observations read from the spool at once when catching up.
const CATCH_UP_OBSERVATIONS: usize = 50_000;

/// Stored values from which the quality control of a datastream goes on after a start: a day at one value per minute.
const WARM_UP_VALUES: usize = 1_500;

/// Refused readings looked at together: after a start the newest of them.
const REFUSED: usize = 10_000;

/// Follows the spool.
pub(super) struct Follower {
    table: LatestTable,
    store: Arc<dyn Store>,
    spool: SpoolReader,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The one whose limits hold.
    snapshot: Arc<Snapshot>,
    clock: Arc<dyn Clock>,
    flagger: Flagger,
    waiting: Waiting,
    pub(super) unsettled: Unsettled,
    /// The question that the store is busy with, if any.
    pub(super) asking: JoinSet<Answers>,
    seen: Seq,
    /// The last row of the quarantine list that was looked at, and whether there may be more.
    refused: (u64, bool),
    changed: BTreeSet<DatastreamId>,
}

impl Follower {
    /// Goes on from what the store held.
    pub(super) fn new(
        table: LatestTable,
        (store, spool): (Arc<dyn Store>, SpoolReader),
        snapshots: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
        loaded: Loaded,
    ) -> Self {
        let Loaded { cursor, waiting, ahead } = loaded;
        let snapshot = Arc::clone(&snapshots.borrow());
        // Listeners from before the table was filled get its content now.
        let changed = table.shared.entries.read().keys().copied().collect();
        let me = Self {
            table,
            store,
            spool,
            snapshots,
            snapshot: Arc::clone(&snapshot),
            clock,
            flagger: Flagger::new(),
            waiting,
            unsettled: Unsettled::default(),
            asking: JoinSet::new(),
            seen: cursor,
            refused: (0, true),
            changed,
        };
        for stored in ahead {
            let mut observations: Vec<_> = stored.iter().map(|stored| stored.observation).collect();
            observations.sort_by_key(|observation| observation.received_at);
            observations.iter().for_each(|observation| me.note(observation, &snapshot));
        }
        me
    }

    /// Periodic work: readings whose time has come, clocks of refused readings, questions to the store,
    /// announcements.
    pub(super) async fn tick(&mut self) {
        let snapshot = self.snapshot_now();
        let due = self.waiting.due(self.clock.now());
        if !due.is_empty() {
            self.present(&due, &snapshot).await;
            // The store judged them when they came.
            due.iter().for_each(|observation| self.note_unsettled(observation.datastream, &snapshot));
        }
        if std::mem::take(&mut self.refused.1) {
            self.look_at_refused().await;
        }
        self.ask_store(&snapshot);
        self.announce();
    }

    /// Takes a batch in.
    pub(super) async fn take(&mut self, batch: &Batch) {
        if batch.seq <= self.seen {
            return;
        }
        self.seen = batch.seq;
        self.refused.1 = true;
        self.take_statuses(&batch.statuses);
        let snapshot = self.snapshot_now();
        let now = self.clock.now();
        let mut come = Vec::with_capacity(batch.observations.len());
        // While every clock is right there is nothing to remember of any.
        let mut remembers = !self.table.shared.clocks.read().is_empty();
        for sourced in &batch.observations {
            let observation = sourced.observation;
            remembers |= clock_ahead_ms(observation.observed_at, observation.received_at).is_some();
            if remembers {
                self.note(&observation, &snapshot);
            }
            if observation.observed_at <= now {
                come.push(observation);
                continue;
            }
            // To the store it is the neighbour of the present value already.
            self.note_unsettled(observation.datastream, &snapshot);
            if !self.waiting.hold(&observation) {
                tracing::warn!(
                    datastream = observation.datastream.get(),
                    "more readings from the future than wait for their time; this one is never a present value"
                );
            }
        }
        self.present(&come, &snapshot).await;
    }

    /// Takes observations whose time has come.
    async fn present(&mut self, observations: &[Observation], snapshot: &Snapshot) {
        self.warm_up(observations, snapshot).await;
        let mut entries = self.table.shared.entries.write();
        for observation in observations {
            let mut observation = *observation;
            let Observation { datastream, observed_at, .. } = observation;
            let limits = limits_of(snapshot, datastream);
            let (has_limits, entry) = (limits != QualityLimits::default(), entries.get(&datastream));
            let is_out_of_order = entry.is_some_and(|entry| observed_at <= entry.observation.observed_at);
            if has_limits && (is_out_of_order || self.waiting.holds(datastream)) {
                self.unsettled.note(datastream, self.seen);
            }
            if entry.is_some_and(|entry| !is_present(&observation, entry)) {
                continue;
            }
            self.unsettled.touch(datastream, self.seen);
            let (mut tests, mut increment) = (TestResults::NONE, None);
            // Without limits the flag is the one that the observation came with.
            if has_limits {
                Judgement { results: tests, increment, .. } = self.flagger.judge(&limits, &observation);
                observation.flag = flag(observation.value, tests);
            }
            if offer(&mut entries, &observation, (tests, increment)) {
                self.changed.insert(datastream);
            }
        }
    }

    /// The catalogue as it is now; where it brought other limits, the store judges by them from now on.
    fn snapshot_now(&mut self) -> Arc<Snapshot> {
        let now = Arc::clone(&self.snapshots.borrow());
        let before = std::mem::replace(&mut self.snapshot, Arc::clone(&now));
        if !Arc::ptr_eq(&before, &now) {
            let newest = self.spool.last_seq().max(self.seen);
            for &datastream in self.table.shared.entries.read().keys() {
                let limits = limits_of(&now, datastream);
                if limits != limits_of(&before, datastream) && limits != QualityLimits::default() {
                    self.unsettled.note(datastream, newest);
                    self.unsettled.touch(datastream, newest);
                }
            }
        }
        now
    }

    /// Notes that the store may say otherwise of the present value, once it has what was seen until now. Where there are no
    /// limits nobody judges.
    fn note_unsettled(&mut self, datastream: DatastreamId, snapshot: &Snapshot) {
        if limits_of(snapshot, datastream) != QualityLimits::default() {
            self.unsettled.note(datastream, self.seen);
        }
    }

    /// Asks the store about what it is far enough for, unless it is still busy with the last question.
    fn ask_store(&mut self, snapshot: &Snapshot) {
        if !self.asking.is_empty() {
            return;
        }
        let cursor = self.spool.cursor(Consumer::Store);
        let mut questions = Vec::new();
        for datastream in self.unsettled.ready(cursor) {
            match self.table.get(datastream) {
                Some(entry) => questions.push(Question { entry, limits: limits_of(snapshot, datastream) }),
                None => self.unsettled.forget(datastream),
            }
        }
        if !questions.is_empty() {
            self.asking.spawn(settle::ask(Arc::clone(&self.store), cursor, questions));
        }
    }

    /// Applies the answers of the store to present values.
    pub(super) fn settle(&mut self, answers: Answers) {
        let mut entries = self.table.shared.entries.write();
        self.changed.extend(answers.settle(&mut entries, &mut self.unsettled, &mut self.flagger));
    }

    /// Updates the clock of a station by a reading.
    fn note(&self, observation: &Observation, snapshot: &Snapshot) {
        let Observation { datastream, observed_at, received_at, time_source, .. } = *observation;
        let is_ahead = clock_ahead_ms(observed_at, received_at).is_some();
        if time_source == TimeSource::Server {
            return;
        }
        let Some(station) = snapshot.datastreams.get(&datastream).map(|datastream| &datastream.station) else { return };
        let mut clocks = self.table.shared.clocks.write();
        if is_ahead {
            clocks.entry(station.clone()).or_default().note(observed_at, received_at);
        } else if let Some(clock) = clocks.get_mut(station) {
            clock.note(observed_at, received_at);
            if clock.ahead().is_none() {
                clocks.remove(station);
            }
        }
    }

    /// Updates clocks by readings that were refused because they lie too far in the future.
    async fn look_at_refused(&mut self) {
        let (spool, after) = (self.spool.clone(), self.refused.0);
        let read = move || spool.refused_readings(QuarantineReason::InFuture, after, REFUSED);
        let refused = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(refused)) => refused,
            // The next batch is reason enough to look again.
            Ok(Err(_)) | Err(_) => return,
        };
        let snapshot = Arc::clone(&self.snapshots.borrow());
        for row in refused {
            self.refused.0 = self.refused.0.max(row.id);
            let name = row.reading.as_deref().and_then(|name| name.parse::<DatastreamName>().ok());
            let station = name.and_then(|name| snapshot.datastream(&name).map(|found| found.station.clone()));
            let observed_at = identify::time_in_future(&row.detail);
            if let (Some(station), Some(observed_at)) = (station, observed_at) {
                self.refuse(&station, observed_at, row.received_at, &snapshot);
            }
        }
    }

    fn refuse(&self, station: &StationId, observed_at: UtcMillis, received_at: UtcMillis, snapshot: &Snapshot) {
        let known = self.table.shared.clocks.read().get(station).copied();
        let mut clock = known.unwrap_or_else(|| self.clock_of(station, snapshot));
        clock.refuse(observed_at, received_at);
        if clock.ahead().is_some() {
            self.table.shared.clocks.write().insert(station.clone(), clock);
        }
    }

    /// The clock of a station of which nothing is remembered, from its present values.
    fn clock_of(&self, station: &StationId, snapshot: &Snapshot) -> StationClock {
        let mut clock = StationClock::default();
        let entries = self.table.shared.entries.read();
        let mine = snapshot.datastreams.values().filter(|datastream| datastream.station == *station);
        for entry in mine.filter_map(|datastream| entries.get(&datastream.number)) {
            if entry.observation.time_source != TimeSource::Server {
                clock.note(entry.observation.observed_at, entry.observation.received_at);
            }
        }
        clock
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
    async fn warm_up(&mut self, observations: &[Observation], snapshot: &Snapshot) {
        for &Observation { datastream, observed_at, .. } in observations {
            if self.flagger.knows(datastream) {
                continue;
            }
            let limits = limits_of(snapshot, datastream);
            let mut stream = Stream::new();
            if limits != QualityLimits::default() && self.table.get(datastream).is_some() {
                let stored = stream_before(&*self.store, &limits, datastream, observed_at, WARM_UP_VALUES).await;
                stream = stored.unwrap_or_else(|_| {
                    // Until the store answers the tests begin anew, as for a new datastream.
                    self.unsettled.note(datastream, self.seen);
                    Stream::new()
                });
            }
            self.flagger.resume(datastream, stream);
        }
    }

    /// Reads from the spool what the live tail left out.
    pub(super) async fn catch_up(&mut self) {
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
