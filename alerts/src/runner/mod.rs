//! The shell of the engine: reads the spool behind cursor B, evaluates, commits.
//!
//! What was decided is committed at once, together with the notifications it owes and the state and cursor it came
//! from; while nothing is decided, state and cursor are committed once a second. A commit that fails is kept and tried
//! again while evaluation goes on: neither the store nor a receiver nor a full disk blinds the engine.

mod ahead;
mod commit;
mod forgotten;
mod refused;
pub(crate) mod reserve;
mod rules;
pub(crate) mod sources;
mod through;
mod warm;
mod warm_up;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bakau_clock::Clock;
use bakau_model::{Batch, Flag, Observation, Seq, StationStatus, UtcMillis};
use bakau_quality::Flagger;
use bakau_registry::Snapshot;
use bakau_spool::{Consumer, SpoolError, SpoolReader};
use bakau_store::Store;
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    AlertView, PendingView, Sources,
    db::{Command, Commit, Db, Decision, Loaded, Outcome, StoredCommand},
    engine::{Ahead, Effect, EndpointView, Engine, Input, Mute, Requester, Subject, Transition},
    message::facts::Facts,
    metrics::METRICS,
    recipients::routes::recipients,
    runner::{reserve::Reserve, through::Through},
};

/// Observations per read: some milliseconds of work, so that a decision never waits long for its commit.
const READ_OBSERVATIONS: usize = 20_000;
/// So many unread batches are still in the spool's memory at any ordinary rate.
const FEW_BATCHES: u64 = 64;
/// Decisions kept in memory while the database refuses them; then reading waits.
const MOST_UNCOMMITTED: usize = 10_000;

/// What engine, handle and outbox share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Alerts that are not closed, newest first.
    pub(crate) active: Arc<ArcSwap<Vec<AlertView>>>,
    /// Levels that wait for their hold time.
    pub(crate) pending: Arc<ArcSwap<Vec<PendingView>>>,
    /// Every changed alert, after its commit.
    pub(crate) changes: broadcast::Sender<Arc<AlertView>>,
    /// Number of commits that decided requests.
    pub(crate) answered: watch::Sender<u64>,
    /// There are new requests in the inbox.
    pub(crate) requests: Arc<Notify>,
    /// There are new notifications in the outbox.
    pub(crate) notifications: Arc<Notify>,
}

/// The single writer of decisions.
#[derive(Debug)]
pub(crate) struct Runner {
    given: Setup,
    engine: Engine,
    /// Judges values as they arrive; the settled history judges the stored ones anew.
    flagger: Flagger,
    /// Values from the future, which wait for their time before they are judged.
    ahead: Ahead,
    /// Through which source each datastream last came.
    through: Through,
    snapshot: Arc<Snapshot>,
    /// As last told to the engine.
    endpoints: Vec<EndpointView>,
    pending: Commit,
    /// Cursor B as it is in the database.
    committed: Seq,
    last_try: Instant,
    failing: bool,
}

/// What a runner is started with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) db: Db,
    pub(crate) spool: SpoolReader,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sources: Arc<dyn Sources>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: CancellationToken,
    pub(crate) lateness_ms: i64,
    pub(crate) commit_every: Duration,
    pub(crate) gather: Duration,
    pub(crate) shared: Shared,
    pub(crate) reserve: Reserve,
}

impl Runner {
    pub(crate) fn new(given: Setup, loaded: Loaded) -> Self {
        for (key, error) in &loaded.unreadable {
            tracing::error!(rule = %key.rule, subject = %key.subject, %error, "engine state is unreadable, this rule starts anew");
        }
        let cursor = start_of(&given.spool, loaded.cursor);
        given.spool.report(Consumer::Alerts, cursor);
        METRICS.cursor.set(cursor.get().cast_signed());
        Self {
            engine: Engine::restore(given.lateness_ms, loaded.engine),
            ahead: Ahead::remembering(loaded.ahead),
            flagger: Flagger::new(),
            through: Through::default(),
            snapshot: Arc::default(),
            endpoints: given.sources.endpoints(),
            pending: Commit { cursor, ..Commit::default() },
            committed: cursor,
            last_try: Instant::now(),
            failing: false,
            given,
        }
    }

    /// Runs until `stop`, then commits what is left.
    pub(crate) async fn run(mut self) {
        let (mut arrivals, mut refused) = (self.given.spool.watch(), self.given.spool.refused());
        let mut spool_open = true;
        self.take_rules(true);
        self.close_forgotten().await;
        let mut states = self.warm_up().await;
        // Requests may have been waiting since before the restart, or come from another process.
        let mut look_at_requests = true;
        while !self.given.stop.is_cancelled() {
            self.take_rules(false);
            if look_at_requests {
                self.take_requests().await;
            }
            self.take_endpoints();
            let (now, arrived) = (self.given.clock.now(), self.given.spool.last_seq());
            let more = self.evaluate_next().await;
            self.take_due(now);
            if arrived <= self.pending.cursor {
                // Everything that had arrived by then has been heard: what is missing now is missing.
                self.decide(now, Input::Tick, None, None);
            }
            self.commit_if_due().await;
            self.show_pending();
            look_at_requests = false;
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let next_commit = self.last_try + self.given.commit_every;
            let next_due = self.until_due();
            tokio::select! {
                () = self.given.stop.cancelled() => break,
                changed = arrivals.changed(), if spool_open => {
                    // Without a writer nothing more arrives in this run; requests and rules go on.
                    spool_open = changed.is_ok();
                    self.gather().await;
                }
                batch = refused::next(&mut refused) => self.take_refused(&batch),
                // None: every state has been read.
                Some((datastream, stream)) = states.recv() => self.take_state(datastream, stream),
                () = self.given.shared.requests.notified() => look_at_requests = true,
                // A registry that has gone away keeps its last rules in force; the pause below paces the loop.
                () = changed_or_never(&mut self.given.snapshots) => {}
                // The time of a value that waits has come.
                () = tokio::time::sleep(next_due) => {}
                () = tokio::time::sleep_until(next_commit) => {
                    look_at_requests = true;
                    self.last_try = Instant::now();
                    self.commit().await;
                }
            }
        }
        self.engine.mark_unsaved();
        self.commit().await;
    }

    async fn gather(&self) {
        tokio::select! {
            () = self.given.stop.cancelled() => {}
            () = tokio::time::sleep(self.given.gather) => {}
        }
    }

    async fn take_requests(&mut self) {
        let requests = match self.given.db.requests().await {
            Ok(requests) => requests,
            Err(error) => {
                tracing::error!(%error, "command inbox cannot be read, trying again");
                return;
            }
        };
        for StoredCommand { id, by, person, command } in requests {
            if self.pending.outcomes.iter().any(|(taken, ..)| *taken == id) {
                continue;
            }
            let input = match command {
                Some(Command::Acknowledge { alert, seen, note }) => {
                    Input::Acknowledge { alert, by: Requester { name: by, person }, seen, note }
                }
                Some(Command::Mute { rule, until }) => Input::Mute(Mute { rule, until, by }),
                None => {
                    tracing::error!(request = id, "a request in the command inbox is unreadable, it is set aside");
                    self.pending.outcomes.push((id, Outcome::Unreadable, self.given.clock.now()));
                    continue;
                }
            };
            let now = self.given.clock.now();
            self.decide(now, input, None, Some(id));
        }
    }

    /// Evaluates the next batches; whether there were any.
    async fn evaluate_next(&mut self) -> bool {
        if MOST_UNCOMMITTED < self.pending.decisions.len() {
            return false;
        }
        let behind = self.given.spool.last_seq().get().saturating_sub(self.pending.cursor.get());
        let batches = match behind {
            0 => return false,
            // These are in the spool's memory; handing the reading to another thread would cost more than the rules.
            1..=FEW_BATCHES => self.given.spool.read_after(self.pending.cursor, READ_OBSERVATIONS),
            _ => self.read_far_behind().await,
        };
        let batches = match batches {
            Ok(batches) => batches,
            Err(error) => {
                let after = self.pending.cursor;
                tracing::error!(%error, %after, "spool cannot be read, alerts wait and try again");
                return false;
            }
        };
        let now = self.given.clock.now();
        for batch in &batches {
            self.evaluate(now, batch);
        }
        !batches.is_empty()
    }

    /// File reading, which must not hold up other tasks.
    async fn read_far_behind(&self) -> Result<Vec<Arc<Batch>>, SpoolError> {
        let (spool, after) = (self.given.spool.clone(), self.pending.cursor);
        match tokio::task::spawn_blocking(move || spool.read_after(after, READ_OBSERVATIONS)).await {
            Ok(read) => read,
            Err(error) => {
                // Only a runtime that is shutting down drops the work; then the loop ends by itself.
                tracing::warn!(%error, "reading the spool was interrupted");
                Ok(Vec::new())
            }
        }
    }

    fn evaluate(&mut self, now: UtcMillis, batch: &Batch) {
        let missing = batch.seq.get().saturating_sub(self.pending.cursor.get().saturating_add(1));
        if 0 < missing {
            METRICS.skipped_batches.inc_by(missing);
            let (from, to) = (self.pending.cursor, batch.seq);
            tracing::error!(%from, %to, missing, "spool batches are gone before alerts saw them: were spool.db or alerts.db replaced?");
        }
        self.weigh(now, batch);
        self.pending.cursor = batch.seq;
    }

    /// Evaluates what a batch holds.
    fn weigh(&mut self, now: UtcMillis, batch: &Batch) {
        self.take_due(now);
        let origins: Vec<_> = batch.sources.iter().map(|source| self.engine.origin(source)).collect();
        for sourced in &batch.observations {
            let observation = &sourced.observation;
            let origin = origins.get(usize::from(sourced.source)).copied().flatten();
            self.through.note(observation.datastream, origin);
            if !self.engine.watches(observation.datastream) {
                continue;
            }
            // What is ahead is judged when its time has come, among the values of right clocks.
            let is_ahead = now < observation.observed_at;
            if is_ahead && self.engine.measures(observation.datastream) {
                self.ahead.put(*observation);
            }
            let judged = if is_ahead { (observation.value, observation.flag) } else { self.judge(observation) };
            let measured = ahead::measured(observation, judged, origin);
            self.decide(now, Input::Observation(measured), Some(observation.received_at), None);
        }
        for StationStatus { station, online, retained, at } in &batch.statuses {
            let (station, online, kept, at) = (station.clone(), *online, *retained, *at);
            self.decide(now, Input::Status { station, online, kept, at }, Some(at), None);
        }
    }

    /// What rules are about, and its quality, as far as that can be known at arrival: the value, or of a counter what it
    /// counted since the reading before.
    fn judge(&mut self, observation: &Observation) -> (Option<f64>, Flag) {
        let Some(datastream) = self.snapshot.datastreams.get(&observation.datastream) else {
            return (observation.value, observation.flag);
        };
        if !self.engine.measures(observation.datastream) {
            let fails = || {
                let alone = bakau_quality::evaluate(&datastream.limits, &[observation]);
                alone.iter().any(|results| bakau_quality::flag(observation.value, *results) == Flag::Fail)
            };
            let failed = self.engine.doubts_life(observation.datastream) && fails();
            return (observation.value, if failed { Flag::Fail } else { observation.flag });
        }
        let judgement = self.flagger.judge(&datastream.limits, observation);
        let flag = bakau_quality::flag(observation.value, judgement.results);
        let flag = if flag == Flag::NotEvaluated { observation.flag } else { flag };
        let is_counter = datastream.counter().is_some();
        (if is_counter { judgement.increment } else { observation.value }, flag)
    }

    /// Hands an input to the engine, and turns its effects into what is to be committed.
    fn decide(&mut self, now: UtcMillis, input: Input, received_at: Option<UtcMillis>, request: Option<i64>) {
        let mut outcome = Outcome::Done;
        for effect in self.engine.step(now, input) {
            match effect {
                Effect::Transition(transition) => {
                    let decision = self.transition(&transition, received_at);
                    self.pending.decisions.extend(decision);
                }
                Effect::Acknowledged(acknowledged) => {
                    self.pending.decisions.push(Decision::Acknowledged(acknowledged));
                }
                Effect::Reminder(reminder) => self.pending.decisions.push(Decision::Reminder(reminder)),
                Effect::Muted(mute) => self.pending.decisions.push(Decision::Muted(mute)),
                Effect::MuteEnded(rule) => self.pending.decisions.push(Decision::MuteEnded(rule)),
                Effect::Refused(refusal) => outcome = Outcome::Refused(refusal),
            }
        }
        if let Some(id) = request {
            self.pending.outcomes.push((id, outcome, self.given.clock.now()));
        }
    }

    fn transition(&self, transition: &Transition, received_at: Option<UtcMillis>) -> Option<Decision> {
        let (alert, from, to) = (transition.alert, transition.told.from, transition.told.to);
        tracing::info!(%alert, rule = %transition.rule.id, %from, %to, observed_at = %transition.told.observed_at, "alert changed its level");
        let behind = match &transition.subject {
            Subject::Source(source) => through::behind(source, &self.engine, &self.through, &self.snapshot),
            Subject::Store => through::everybody(&self.snapshot),
            Subject::Datastream(_) | Subject::Station(_) => Vec::new(),
        };
        let facts = Facts::of(transition, behind, &self.snapshot);
        if facts.is_none() {
            tracing::error!(%alert, "a name is unusable, this transition cannot be recorded");
        }
        let facts = facts?;
        // Whoever has been told of an alert hears how it goes on; whom a raised level concerns, the registry says.
        let raised = from < to;
        let recipients =
            if raised { recipients(&facts.matter(), &transition.rule, &self.snapshot) } else { Vec::new() };
        Some(Decision::Transition {
            facts: Box::new(facts),
            recipients,
            tells: transition.tells,
            muted_until: transition.muted_until,
            received_at,
        })
    }
}

/// Where to go on reading. A cursor beyond the spool means that the files do not belong together.
fn start_of(spool: &SpoolReader, cursor: Seq) -> Seq {
    let last = spool.last_seq();
    if cursor <= last {
        return cursor;
    }
    // Evaluating a batch twice changes nothing, because the last evaluated time is kept per rule.
    tracing::error!(%cursor, %last, "alerts.db is ahead of spool.db: was spool.db replaced? evaluating it from its start");
    Seq::START
}

async fn changed_or_never(snapshots: &mut watch::Receiver<Arc<Snapshot>>) {
    // Marked as seen by `take_rules`, so it is only looked at here.
    let mut own = snapshots.clone();
    if own.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
