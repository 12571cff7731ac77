//! The one thread that makes messages durable.
//!
//! It owns the spool. Each round takes what has arrived, works it out, appends it with one fsync and then answers the
//! senders, so an acknowledgement always means *stored*. It waits for more messages only while more is arriving and
//! not every open connection already waits, because then nothing more can come.
//!
//! When the spool refuses, nothing is acknowledged: senders that repeat their message get the refusal at once, messages
//! of client sources are held and tried again. Nothing is dropped.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{
    Backoff, DAY_MS, DeclaredCode, Envelope, LedgerKey, MINUTE_MS, MessageLedger, Missing, Observation, SourceName,
    UtcMillis,
};
use bakau_registry::Snapshot;
use bakau_spool::{BatchDraft, DeliveryWindow, ReadingCounts, Spool, SpoolError, SpoolErrorKind};
use smart_default::SmartDefault;
use tokio::sync::{mpsc::UnboundedSender, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Intake, IntakeHealth, NotCommitted,
    identify::AcceptWindow,
    intake::{AckToken, Aside, Reply, Taken},
    metrics,
    process::{Findings, Limits, Outcome, Processed, Processor},
};

/// One step of waiting for more messages: long enough to collect some, short enough that a lone sender hardly notices.
const LINGER_STEP: Duration = Duration::from_micros(500);
/// "More is arriving" means that something came within this time. Brokers deliver in bursts: at 5,000 messages a second
/// through mosquitto, stopping at the first empty step gave 5 messages a commit and 43 CPU-s per million; waiting
/// through the gaps gives three times as many.
const QUIET: Duration = Duration::from_millis(2);

/// How long an idle committer sleeps before it looks at the stop signal again.
const IDLE: Duration = Duration::from_millis(100);

/// How often consumed batches are deleted, and counts of denied messages written, while messages keep coming.
const CHORES: Duration = Duration::from_secs(1);

/// First and longest pause between attempts while the spool refuses.
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Settings of the committer.
#[derive(Debug, Clone, SmartDefault)]
pub struct IngestConfig {
    /// How old a measured time may be at arrival, in milliseconds, by source; others use `default_accept_past_ms`.
    pub accept_past_ms: BTreeMap<SourceName, i64>,
    /// How old a measured time may be at arrival, in milliseconds, for sources without a window of their own.
    #[default(7 * DAY_MS)]
    pub default_accept_past_ms: i64,
    /// How far a measured time may lie after arrival, in milliseconds.
    #[default(5 * MINUTE_MS)]
    pub accept_future_ms: i64,
    /// Time zone (IANA name) of sources whose devices send local times without an offset.
    pub time_zones: BTreeMap<SourceName, String>,
    /// Codes and words that mean "no value" in everything of a source.
    pub missing: BTreeMap<SourceName, Vec<DeclaredCode>>,
    /// Largest payload that is decoded; a larger one goes to quarantine.
    #[default(1024 * 1024)]
    pub max_payload_bytes: usize,
    /// Longest time a group waits for more messages.
    #[default(Duration::from_millis(5))]
    pub linger: Duration,
    /// Most messages in one group.
    #[default(4_096)]
    pub group_messages: usize,
    /// Most topic and payload bytes in one group (one message may exceed it).
    #[default(4 * 1024 * 1024)]
    pub group_bytes: usize,
}

impl IngestConfig {
    fn limits(&self) -> Limits {
        let window = |past_ms| AcceptWindow { past_ms, future_ms: self.accept_future_ms };
        Limits {
            windows: self.accept_past_ms.iter().map(|(source, past_ms)| (source.clone(), window(*past_ms))).collect(),
            zones: self.time_zones.clone(),
            missing: self.missing.iter().map(|(source, codes)| (source.clone(), Missing::of(codes.iter()))).collect(),
            default_window: window(self.default_accept_past_ms),
            max_payload_bytes: self.max_payload_bytes,
        }
    }
}

/// Starts the committer thread. Cancel `stop` after the sources have ended: it commits what is queued and ends.
///
/// # Errors
/// When the operating system gives no thread.
pub fn start_committer(
    spool: Spool,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    config: IngestConfig,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> std::io::Result<(Intake, JoinHandle<()>)> {
    let intake = Intake::new();
    let mut processor = Processor::new(config.limits(), Arc::clone(&snapshots.borrow()));
    let window = spool.delivery_window();
    if processor.has_frames() {
        spool.recent(|envelopes, batch| {
            let key = |one: &Observation| (one.datastream, one.observed_at, one.received_at);
            let taken: HashSet<_> = batch.observations.iter().map(|one| key(&one.observation)).collect();
            processor.recall(envelopes.iter(), |observation| taken.contains(&key(observation)));
        });
    }
    let committer = Committer {
        spool,
        snapshots,
        config,
        clock,
        stop,
        intake: intake.clone(),
        processor,
        window,
        taken: Taken::default(),
        last_chores: Instant::now(),
        failures: 0,
    };
    let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run())?;
    Ok((intake, thread))
}

struct Committer {
    spool: Spool,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    config: IngestConfig,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    intake: Intake,
    processor: Processor,
    window: DeliveryWindow,
    /// The group in hand; survives a refused append.
    taken: Taken,
    last_chores: Instant,
    /// Refused appends since the last that was taken.
    failures: u32,
}

impl Committer {
    fn run(mut self) {
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping {
                self.intake.close();
            }
            self.gather(stopping);
            let due = CHORES <= self.last_chores.elapsed();
            let has_work = !self.taken.envelopes.is_empty() || ((due || stopping) && !self.taken.aside.is_empty());
            if has_work {
                match self.commit_group() {
                    Ok(()) => {}
                    Err(error) if stopping => return self.give_up(&error),
                    Err(error) => self.hold(&error),
                }
            } else if stopping {
                return;
            } else {
                self.intake.wait_for_arrival(IDLE);
            }
            if due {
                self.trim();
            }
        }
    }

    /// Takes what has arrived, and a little more while more is arriving.
    fn gather(&mut self, stopping: bool) {
        let (messages, bytes) = (self.config.group_messages, self.config.group_bytes);
        if self.intake.take(&mut self.taken, messages, bytes) == 0 || stopping {
            return;
        }
        let started = Instant::now();
        let mut last_arrival = started;
        while last_arrival.elapsed() < QUIET
            && self.taken.envelopes.len() < messages
            && self.taken.bytes < bytes
            && started.elapsed() < self.config.linger
            && !self.intake.everyone_waits()
        {
            std::thread::sleep(LINGER_STEP.min(self.config.linger));
            if 0 < self.intake.take(&mut self.taken, messages, bytes) {
                last_arrival = Instant::now();
            }
        }
    }

    /// Appends the group and answers its senders; on error the group stays as it is.
    fn commit_group(&mut self) -> Result<(), SpoolError> {
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        self.processor.use_snapshot(&snapshot);
        let (draft, counts) = self.draft();
        let started = Instant::now();
        if let Err(error) = self.spool.append(&draft) {
            self.taken.envelopes = draft.envelopes;
            self.processor.undo();
            return Err(error);
        }
        self.processor.keep();
        metrics::committed(started.elapsed().as_secs_f64(), draft.envelopes.len());
        if let Some(first) = draft.envelopes.first() {
            metrics::durable_after(self.clock.now().since(first.received_at));
        }
        let replies = std::mem::take(&mut self.taken.replies);
        self.taken.bytes = 0;
        self.taken.aside.clear();
        self.answer(replies);
        for envelope in &draft.envelopes {
            self.window.insert(envelope);
        }
        counts.report();
        if self.intake.set_health(IntakeHealth::Open) {
            tracing::info!("spool accepts messages again");
            metrics::blocked(false);
        }
        self.failures = 0;
        Ok(())
    }

    /// Processes every message of the group.
    fn draft(&mut self) -> (BatchDraft, Counts) {
        let envelopes = std::mem::take(&mut self.taken.envelopes);
        let mut findings = Findings::default();
        findings.observations.reserve(envelopes.len());
        let mut counts = Counts::default();
        let mut group = GroupMemory::default();
        for (at, envelope) in envelopes.iter().enumerate() {
            let window = &self.window;
            let spooled = |envelope: &_| window.contains(envelope) || group.contains(envelope, &envelopes, at);
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            let processed = self.processor.process(index, envelope, spooled, &mut findings);
            counts.add(&envelope.source, envelope.received_at.minute(), processed);
        }
        for (key, aside) in &self.taken.aside {
            counts.add_aside(key, *aside);
        }
        let draft = BatchDraft {
            registry_revision: self.processor.revision(),
            envelopes,
            observations: findings.observations,
            statuses: findings.statuses,
            quarantine: findings.quarantine,
            messages: counts.rows.iter().map(|row| (row.key.clone(), row.messages)).collect(),
            readings: counts.rows.iter().map(|row| (row.key.clone(), row.readings)).collect(),
        };
        (draft, counts)
    }

    fn answer(&self, replies: Vec<Reply>) {
        self.intake.answered(replies.len());
        let mut groups: Vec<(UnboundedSender<Vec<AckToken>>, Vec<AckToken>)> = Vec::new();
        for reply in replies {
            match reply {
                Reply::Nobody => {}
                // A sender that gave up waiting repeats its message; the store recognises it.
                Reply::One(sender) => drop(sender.send(Ok(()))),
                Reply::Group(token, sender) => match groups.iter_mut().find(|(known, _)| known.same_channel(&sender)) {
                    Some((_, tokens)) => tokens.push(token),
                    None => groups.push((sender, vec![token])),
                },
            }
        }
        for (sender, tokens) in groups {
            // A client source that ended acknowledges nothing; its broker delivers again.
            drop(sender.send(tokens));
        }
    }

    /// After a refusal: answers senders that repeat their message, keeps the rest, and waits.
    fn hold(&mut self, error: &SpoolError) {
        let refusal = refusal(error);
        if self.intake.set_health(IntakeHealth::Blocked(refusal)) {
            tracing::error!(%error, "spool refuses messages; nothing is acknowledged until it accepts them again");
            metrics::blocked(true);
        }
        self.refuse_taken(refusal);
        self.failures = self.failures.saturating_add(1);
        let until = Instant::now() + RETRY.doubled(self.failures);
        while Instant::now() < until && !self.stop.is_cancelled() {
            // What is queued goes into the next try, because the spool shows what it refuses to the alert engine. Only
            // when held messages fill the group already is nothing gained by that.
            if self.config.group_messages <= self.taken.envelopes.len() {
                self.intake.refuse_queued(refusal);
            }
            std::thread::sleep(LINGER_STEP * 20);
        }
        self.trim();
    }

    /// Refuses the messages of the group whose senders wait for each one; keeps the others.
    fn refuse_taken(&mut self, refusal: NotCommitted) {
        let envelopes = std::mem::take(&mut self.taken.envelopes);
        let replies = std::mem::take(&mut self.taken.replies);
        let before = envelopes.len();
        for (envelope, reply) in envelopes.into_iter().zip(replies) {
            match reply {
                Reply::One(_) => reply.refuse(refusal),
                Reply::Group(..) | Reply::Nobody => {
                    self.taken.envelopes.push(envelope);
                    self.taken.replies.push(reply);
                }
            }
        }
        self.intake.answered(before - self.taken.envelopes.len());
    }

    /// Ends without having written what was queued: none of it was acknowledged, so it is delivered again.
    fn give_up(mut self, error: &SpoolError) {
        self.intake.take(&mut self.taken, usize::MAX, usize::MAX);
        let messages = self.taken.envelopes.len();
        tracing::error!(%error, messages, "stopping with messages that are neither spooled nor acknowledged");
        self.refuse_taken(refusal(error));
    }

    fn trim(&mut self) {
        self.last_chores = Instant::now();
        if let Err(error) = self.spool.trim() {
            tracing::warn!(%error, "consumed batches could not be deleted from the spool");
        }
    }
}

const fn refusal(error: &SpoolError) -> NotCommitted {
    match error.kind() {
        SpoolErrorKind::Full => NotCommitted::SpoolFull,
        SpoolErrorKind::NewerFormat
        | SpoolErrorKind::Refused
        | SpoolErrorKind::Corrupt
        | SpoolErrorKind::InvalidDraft
        | SpoolErrorKind::Unavailable => NotCommitted::SpoolFailed,
    }
}

/// The part of the present group that precedes a message; built only when a repeated delivery asks for it.
#[derive(Default)]
struct GroupMemory {
    window: DeliveryWindow,
    remembered: usize,
}

impl GroupMemory {
    fn contains(&mut self, envelope: &Envelope, group: &[Envelope], before: usize) -> bool {
        for earlier in group.get(self.remembered..before).unwrap_or(&[]) {
            self.window.insert(earlier);
        }
        self.remembered = before;
        self.window.contains(envelope)
    }
}

/// The ledger rows of a group; nearly always one.
#[derive(Default)]
struct Counts {
    rows: Vec<CountRow>,
}

struct CountRow {
    key: LedgerKey,
    messages: MessageLedger,
    readings: ReadingCounts,
}

impl Counts {
    fn row(&mut self, source: &SourceName, minute: UtcMillis) -> Option<&mut CountRow> {
        let is_row = |row: &CountRow| row.key.minute == minute && row.key.source == *source;
        let at = self.rows.iter().position(is_row).unwrap_or(self.rows.len());
        if at == self.rows.len() {
            let key = LedgerKey { minute, source: source.clone() };
            self.rows.push(CountRow { key, messages: MessageLedger::default(), readings: ReadingCounts::default() });
        }
        self.rows.get_mut(at)
    }

    fn add(&mut self, source: &SourceName, minute: UtcMillis, processed: Processed) {
        let Some(row) = self.row(source, minute) else { return };
        row.messages.received += 1;
        match processed.outcome {
            Outcome::Decoded => row.messages.decoded += 1,
            Outcome::Quarantined => row.messages.quarantined += 1,
            Outcome::Unrouted => row.messages.unrouted += 1,
            Outcome::IgnoredRetained => row.messages.ignored_retained += 1,
            Outcome::IgnoredDuplicate => row.messages.ignored_duplicate += 1,
        }
        row.readings.decoded += processed.readings;
        row.readings.quarantined += processed.quarantined;
    }

    fn add_aside(&mut self, key: &LedgerKey, aside: Aside) {
        if let Some(row) = self.row(&key.source, key.minute) {
            row.messages.received += aside.denied;
            row.messages.denied += aside.denied;
            row.messages.lost_in_broker += aside.lost_in_broker;
        }
    }

    fn report(&self) {
        for row in &self.rows {
            let counts = row.messages;
            let pairs = [
                (Outcome::Decoded.key(), counts.decoded),
                (Outcome::Quarantined.key(), counts.quarantined),
                (Outcome::Unrouted.key(), counts.unrouted),
                (Outcome::IgnoredRetained.key(), counts.ignored_retained),
                (Outcome::IgnoredDuplicate.key(), counts.ignored_duplicate),
                ("denied", counts.denied),
            ];
            for (outcome, count) in pairs {
                metrics::messages(&row.key.source, outcome, count);
            }
            metrics::lost_in_broker(&row.key.source, counts.lost_in_broker);
        }
    }
}

#[cfg(test)]
mod tests;
