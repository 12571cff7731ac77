//! The bounded queue between the sources and the committer.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bakau_model::{Envelope, LedgerKey, Qos, SourceName, UtcMillis};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Messages the queue holds before sources have to wait: a second of the highest measured rate through one broker.
pub(crate) const QUEUE_MESSAGES: usize = 65_536;

/// Payload and topic bytes the queue holds before sources have to wait.
pub(crate) const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes counted per message on top of topic and payload, so that empty messages are not free.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// Why an envelope is not durable; the source must not acknowledge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// The spool reached its bound.
    #[error("the spool is full: free space, raise its bound, or bring the store and the alert engine back")]
    SpoolFull,
    /// The spool could not be written.
    #[error("the spool cannot be written: see the log for the cause")]
    SpoolFailed,
    /// Bakau is stopping.
    #[error("Bakau is stopping")]
    Stopping,
}

/// Whether the committer can make messages durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeHealth {
    /// Messages are committed as they arrive.
    Open,
    /// Nothing is acknowledged until the cause is gone; messages of client sources are held and tried again.
    Blocked(NotCommitted),
}

/// Identity of a delivery; comes back to its client source when the message is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AckToken {
    pub(crate) epoch: u64,
    pub(crate) packet_id: u16,
    pub(crate) qos: Qos,
}

/// Receiver of the answer once the message is durable.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A source that waits for this one message and repeats it if refused.
    One(oneshot::Sender<Result<(), NotCommitted>>),
    /// A client source: acknowledgements come back together, once per group.
    Group(AckToken, mpsc::UnboundedSender<Vec<AckToken>>),
    /// Nobody waits (QoS 0).
    Nobody,
}

impl Reply {
    /// Answers a sender that waits for this one message; others get no answer here.
    pub(crate) fn refuse(self, refusal: NotCommitted) {
        match self {
            // A sender that no longer waits needs no answer.
            Self::One(sender) => drop(sender.send(Err(refusal))),
            Self::Group(..) | Self::Nobody => {}
        }
    }
}

/// One message on its way to the committer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) envelope: Envelope,
    pub(crate) reply: Reply,
}

impl Job {
    fn bytes(&self) -> usize {
        self.envelope.payload.len() + self.envelope.topic.len() + MESSAGE_OVERHEAD_BYTES
    }
}

/// Messages that are counted but never spooled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aside {
    /// Refused by rights or limits.
    pub(crate) denied: u64,
    /// Dropped by an external broker before they came here.
    pub(crate) lost_in_broker: u64,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: std::collections::VecDeque<Job>,
    bytes: usize,
    aside: BTreeMap<LedgerKey, Aside>,
    committer_waits: bool,
    closed: bool,
}

impl Queue {
    fn is_full(&self) -> bool {
        QUEUE_MESSAGES <= self.jobs.len() || QUEUE_BYTES <= self.bytes
    }
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    space: Notify,
    /// Messages all open connections together can have waiting for their acknowledgement.
    window: AtomicUsize,
    /// Messages taken in and not yet answered.
    unanswered: AtomicUsize,
    health: watch::Sender<IntakeHealth>,
}

/// Where sources put envelopes. Cheap to clone; bounded in messages and bytes.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("unanswered", &self.shared.unanswered.load(Ordering::Relaxed)).finish()
    }
}

/// One open connection of a source; while it lives, the committer may wait a few milliseconds for its next message.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    shared: Arc<Shared>,
    window: usize,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.shared.window.fetch_sub(self.window, Ordering::Relaxed);
    }
}

impl Intake {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            space: Notify::new(),
            window: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            health: watch::Sender::new(IntakeHealth::Open),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hands over one envelope; resolves when it is durable.
    ///
    /// Waits while the queue is full: put a timeout around it.
    ///
    /// # Errors
    /// When the message is not durable and must not be acknowledged: the spool is full or failing, or Bakau is stopping.
    pub async fn commit(&self, envelope: Envelope) -> Result<(), NotCommitted> {
        let (reply, answer) = oneshot::channel();
        let mut job = Some(Job { envelope, reply: Reply::One(reply) });
        loop {
            // Registered before looking, so that space freed in between is not missed.
            let space = self.shared.space.notified();
            if self.offer(&mut job)? {
                break;
            }
            space.await;
        }
        // A dropped answer means that the committer ended before it reached the message.
        answer.await.unwrap_or(Err(NotCommitted::Stopping))
    }

    /// Counts one message refused by rights or limits; it is never spooled.
    pub fn denied(&self, source: &SourceName, received_at: UtcMillis) {
        self.count_aside(source, received_at, Aside { denied: 1, lost_in_broker: 0 });
    }

    /// Counts messages that an external broker says it dropped; they are lost, and no part of any balance.
    pub(crate) fn lost_in_broker(&self, source: &SourceName, noticed_at: UtcMillis, messages: u64) {
        self.count_aside(source, noticed_at, Aside { denied: 0, lost_in_broker: messages });
    }

    fn count_aside(&self, source: &SourceName, at: UtcMillis, more: Aside) {
        let key = LedgerKey { minute: at.minute(), source: source.clone() };
        let mut queue = self.shared.queue.lock();
        let aside = queue.aside.entry(key).or_default();
        aside.denied += more.denied;
        aside.lost_in_broker += more.lost_in_broker;
    }

    /// Registers an open connection whose sender may have `window` messages waiting for acknowledgement at a time
    /// (1 for a connection of the embedded broker, which awaits each commit).
    #[must_use = "the connection counts as open until this is dropped"]
    pub(crate) fn open_connection(&self, window: usize) -> OpenConnection {
        self.shared.window.fetch_add(window, Ordering::Relaxed);
        OpenConnection { shared: Arc::clone(&self.shared), window }
    }

    /// Whether messages are being committed; changes are seen by every receiver.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<IntakeHealth> {
        self.shared.health.subscribe()
    }

    /// Puts the job into the queue and leaves `None`, or leaves it where it is when there is no space.
    fn offer(&self, job: &mut Option<Job>) -> Result<bool, NotCommitted> {
        let mut queue = self.shared.queue.lock();
        if queue.closed {
            return Err(NotCommitted::Stopping);
        }
        if queue.is_full() {
            return Ok(false);
        }
        if let Some(job) = job.take() {
            self.shared.unanswered.fetch_add(1, Ordering::Relaxed);
            queue.bytes += job.bytes();
            queue.jobs.push_back(job);
        }
        self.wake_committer(queue);
        Ok(true)
    }

    /// Puts all jobs into the queue, whatever its length: the caller stops reading afterwards until [`Self::has_space`].
    pub(crate) fn push_all(&self, jobs: &mut Vec<Job>) -> Result<(), NotCommitted> {
        let mut queue = self.shared.queue.lock();
        if queue.closed {
            return Err(NotCommitted::Stopping);
        }
        self.shared.unanswered.fetch_add(jobs.len(), Ordering::Relaxed);
        queue.bytes += jobs.iter().map(Job::bytes).sum::<usize>();
        queue.jobs.extend(jobs.drain(..));
        self.wake_committer(queue);
        Ok(())
    }

    /// A wake-up is a system call, so only a committer that sleeps gets one.
    fn wake_committer(&self, mut queue: parking_lot::MutexGuard<'_, Queue>) {
        let wake = std::mem::take(&mut queue.committer_waits);
        drop(queue);
        if wake {
            self.shared.arrived.notify_one();
        }
    }

    pub(crate) fn has_space(&self) -> bool {
        !self.shared.queue.lock().is_full()
    }

    /// Resolves when there is space in the queue.
    pub(crate) async fn space(&self) {
        loop {
            let space = self.shared.space.notified();
            if self.has_space() {
                return;
            }
            space.await;
        }
    }
}

// === the committer's side ===

/// Messages that the committer takes out of the queue at once, in order, each with the receiver of its answer.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) bytes: usize,
    pub(crate) aside: BTreeMap<LedgerKey, Aside>,
}

impl Intake {
    /// Waits until something is in the queue, at most `patience`.
    pub(crate) fn wait_for_arrival(&self, patience: Duration) {
        let mut queue = self.shared.queue.lock();
        if queue.jobs.is_empty() && !queue.closed {
            queue.committer_waits = true;
            self.shared.arrived.wait_for(&mut queue, patience);
            queue.committer_waits = false;
        }
    }

    /// Moves jobs into `taken` until it holds `max_messages` or `max_bytes`; returns how many were moved.
    pub(crate) fn take(&self, taken: &mut Taken, max_messages: usize, max_bytes: usize) -> usize {
        let mut queue = self.shared.queue.lock();
        let mut moved = 0;
        while taken.envelopes.len() < max_messages && taken.bytes < max_bytes {
            let Some(job) = queue.jobs.pop_front() else { break };
            let bytes = job.bytes();
            queue.bytes = queue.bytes.saturating_sub(bytes);
            taken.bytes += bytes;
            taken.envelopes.push(job.envelope);
            taken.replies.push(job.reply);
            moved += 1;
        }
        for (key, more) in std::mem::take(&mut queue.aside) {
            let aside = taken.aside.entry(key).or_default();
            aside.denied += more.denied;
            aside.lost_in_broker += more.lost_in_broker;
        }
        drop(queue);
        if 0 < moved {
            self.shared.space.notify_waiters();
        }
        moved
    }

    /// Refuses the queued messages whose senders wait for each one and repeat it.
    pub(crate) fn refuse_queued(&self, refusal: NotCommitted) {
        let mut queue = self.shared.queue.lock();
        let all = std::mem::take(&mut queue.jobs);
        let (single, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|job| matches!(job.reply, Reply::One(_)));
        queue.bytes = rest.iter().map(Job::bytes).sum();
        queue.jobs = rest.into();
        drop(queue);
        if single.is_empty() {
            return;
        }
        self.answered(single.len());
        for job in single {
            job.reply.refuse(refusal);
        }
        self.shared.space.notify_waiters();
    }

    /// Whether every open connection already waits for its acknowledgements, so that nothing more can come.
    pub(crate) fn everyone_waits(&self) -> bool {
        self.shared.window.load(Ordering::Relaxed) <= self.shared.unanswered.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self, messages: usize) {
        self.shared.unanswered.fetch_sub(messages, Ordering::Relaxed);
    }

    pub(crate) fn set_health(&self, health: IntakeHealth) -> bool {
        self.shared.health.send_if_modified(|current| std::mem::replace(current, health) != health)
    }

    /// Refuses everything from now on; what is in the queue stays until taken.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.space.notify_waiters();
    }
}
