//! Delivers what the engine decided to tell, until somebody has it or it visibly failed.
//!
//! The outbox is rows, so a restart loses nothing; a notification whose answer was not recorded is sent again under the
//! same idempotency key. A slow receiver holds up only its own channel, what waits for one that was away follows the first
//! notification that gets through, and a recipient who is not reached is replaced by others
//! ([`crate::delivery::escalate`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{ChannelId, DeliveryVerdict, UtcMillis};
use bakau_registry::Snapshot;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    NotificationState,
    db::{Attempt, Backlog, Db, DbError, DueNotification, Escalation, Head, Unreached},
    delivery::{
        channel::{Answer, Verdict, classify},
        deliver::Courier,
        escalate,
        pace::Pace,
        retry::{RetryPolicy, Tried},
    },
    metrics::METRICS,
};

/// Notifications of one channel on their way at once.
const SENDING_PER_CHANNEL: usize = 4;
/// Charts on their way after their texts; beyond that they are left out.
const MOST_FOLLOW_UPS: usize = 8;
/// Look at the rows this often even if nobody says that there are new ones.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// At shutdown, answers are awaited this long; what comes later is sent again after the restart.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The worker that delivers.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) db: Db,
    pub(crate) courier: Arc<Courier>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retry: RetryPolicy,
    /// Told after each commit with new notifications.
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Sending {
    tasks: JoinSet<Finished>,
    /// Charts after delivered texts; nothing waits for them.
    follow_ups: JoinSet<()>,
    /// Being sent, or sent and not yet recorded.
    notifications: BTreeSet<i64>,
    channels: BTreeMap<ChannelId, Line>,
    unrecorded: Vec<(DueNotification, Attempt, Option<Unreached>)>,
}

/// What is known of a channel.
#[derive(Debug, Default)]
struct Line {
    sending: usize,
    pace: Pace,
}

#[derive(Debug)]
struct Finished {
    notification: DueNotification,
    at: UtcMillis,
    took: Duration,
    answer: Answer,
}

impl Outbox {
    /// Runs until `stop`.
    pub(crate) async fn run(self) {
        let mut sending = Sending::default();
        let mut failing = false;
        while !self.stop.is_cancelled() {
            let pause = match self.turn(&mut sending).await {
                Ok(pause) => {
                    failing = false;
                    pause
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "outbox cannot be read or written, trying again every second");
                    }
                    failing = true;
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                // Woken by the commit of new notifications; the handle and the runner keep the other end alive.
                () = self.wake.notified() => {}
                Some(done) = sending.tasks.join_next(), if !sending.tasks.is_empty() => self.take(done, &mut sending),
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.finish(sending).await;
    }

    /// Records what has been answered and sends what is due; gives the time until more is due.
    async fn turn(&self, sending: &mut Sending) -> Result<Duration, DbError> {
        while let Some(done) = sending.tasks.try_join_next() {
            self.take(done, sending);
        }
        while sending.follow_ups.try_join_next().is_some() {}
        // On a full disk nothing can be recorded, but what is owed can still be read and sent.
        let recorded = self.record(sending).await;
        let now = self.clock.now();
        let backlog = self.db.backlog().await?;
        measure(&backlog, sending, now);
        let mut pause = LONGEST_SLEEP;
        for waiting in backlog {
            let due_in = waiting.next_attempt_at.since(now);
            if 0 < due_in {
                pause = pause.min(Duration::from_millis(due_in.cast_unsigned()));
            } else {
                pause = pause.min(self.send_due(&waiting.channel, now, sending).await?);
            }
        }
        recorded.map(|()| pause)
    }

    /// Starts what a channel may send now; gives the time until its pace allows more.
    async fn send_due(&self, channel: &ChannelId, now: UtcMillis, sending: &mut Sending) -> Result<Duration, DbError> {
        let mut pause = LONGEST_SLEEP;
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let entry = snapshot.channels.get(channel);
        if SENDING_PER_CHANNEL <= sending.channels.get(channel).map_or(0, |line| line.sending) {
            return Ok(pause);
        }
        for head in self.db.heads(channel, now).await? {
            if sending.notifications.contains(&head.id) {
                continue;
            }
            let line = sending.channels.entry(channel.clone()).or_default();
            if SENDING_PER_CHANNEL <= line.sending {
                break;
            }
            let instant = Instant::now();
            let wait = line.pace.wait(entry, &head.recipient, instant);
            if !wait.is_zero() {
                pause = pause.min(wait);
                continue;
            }
            line.pace.note(entry, &head.recipient, instant);
            self.start(&head, &snapshot, sending).await?;
        }
        Ok(pause)
    }

    async fn start(&self, head: &Head, snapshot: &Arc<Snapshot>, sending: &mut Sending) -> Result<(), DbError> {
        let notification = self.db.notification(head).await?;
        sending.notifications.insert(notification.id);
        sending.channels.entry(notification.channel.clone()).or_default().sending += 1;
        let (courier, snapshot) = (Arc::clone(&self.courier), Arc::clone(snapshot));
        let at = self.clock.now();
        sending.tasks.spawn(async move {
            let begun = Instant::now();
            let answer = courier.deliver(&notification, &snapshot, at).await;
            Finished { notification, at, took: begun.elapsed(), answer }
        });
        Ok(())
    }

    fn take(&self, done: Result<Finished, tokio::task::JoinError>, sending: &mut Sending) {
        let Finished { notification, at, took, answer } = match done {
            Ok(finished) => finished,
            Err(error) => {
                // Its row stays pending in the database; it is sent again after a restart.
                tracing::error!(%error, "a delivery ended without an answer");
                return;
            }
        };
        if let Some(line) = sending.channels.get_mut(&notification.channel) {
            line.sending = line.sending.saturating_sub(1);
        }
        let (now, verdict) = (self.clock.now(), classify(&answer, self.clock.now()));
        let number = notification.attempts.saturating_add(1);
        let tried =
            Tried { number, since: notification.created_at, level: notification.urgency, random: rand::random() };
        let (state, next_attempt_at) = self.retry.next(tried, verdict, now);
        let is_acknowledged =
            notification.acknowledged.as_ref().is_some_and(|taken| notification.urgency <= taken.level);
        let escalates = !is_acknowledged && self.retry.escalates(tried, verdict, state, now);
        let unreached = if state == NotificationState::Failed { Unreached::This } else { Unreached::Waiting };
        let attempt = Attempt {
            notification: notification.id,
            transition: notification.transition,
            number,
            at,
            verdict: recorded(verdict, state),
            http_status: answer.status(),
            duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            detail: answer.detail(),
            state,
            next_attempt_at,
            escalations: Vec::new(),
        };
        tell(&notification, &attempt, verdict);
        if state == NotificationState::Sent && sending.follow_ups.len() < MOST_FOLLOW_UPS {
            let (courier, snapshot) = (Arc::clone(&self.courier), Arc::clone(&self.snapshots.borrow()));
            let notification = notification.clone();
            sending.follow_ups.spawn(async move { courier.follow_up(&notification, &snapshot).await });
        }
        sending.unrecorded.push((notification, attempt, escalates.then_some(unreached)));
    }

    async fn record(&self, sending: &mut Sending) -> Result<(), DbError> {
        if sending.unrecorded.is_empty() {
            return Ok(());
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let mut attempts = Vec::with_capacity(sending.unrecorded.len());
        for (notification, attempt, unreached) in &mut sending.unrecorded {
            if let Some(which) = *unreached {
                attempt.escalations = self.escalations(notification, which, &snapshot).await?;
            }
            attempts.push(attempt.clone());
        }
        self.db.record_attempts(attempts).await?;
        for (notification, attempt, _) in sending.unrecorded.drain(..) {
            sending.notifications.remove(&notification.id);
            attempt.escalations.iter().for_each(|escalation| tell_escalation(&notification, escalation));
        }
        Ok(())
    }

    /// Who is told in place of a recipient who is not reached.
    async fn escalations(
        &self,
        notification: &DueNotification,
        which: Unreached,
        snapshot: &Snapshot,
    ) -> Result<Vec<Escalation>, DbError> {
        let mut escalations = self.db.unreached(notification, which, self.clock.now()).await?;
        for escalation in &mut escalations {
            let told = self.db.told(escalation.transition).await?;
            let ways = escalate::next_ways(&escalation.facts, notification.person.as_ref(), &told, snapshot);
            let named = |way| escalate::recipient(&way, snapshot).map(|recipient| (way, recipient));
            escalation.ways = ways.into_iter().filter_map(named).collect();
        }
        Ok(escalations)
    }

    async fn finish(&self, mut sending: Sending) {
        let deadline = tokio::time::Instant::now() + LAST_ANSWERS;
        while let Ok(Some(done)) = tokio::time::timeout_at(deadline, sending.tasks.join_next()).await {
            self.take(done, &mut sending);
        }
        if let Err(error) = self.record(&mut sending).await {
            tracing::error!(%error, "last deliveries cannot be recorded, they will be repeated");
        }
    }
}

/// What is recorded of an attempt: a retry that is not followed by another has failed.
const fn recorded(verdict: Verdict, state: NotificationState) -> DeliveryVerdict {
    match (verdict, state) {
        (_, NotificationState::Sent) => DeliveryVerdict::Sent,
        (_, NotificationState::Failed | NotificationState::Cancelled) => DeliveryVerdict::Failed,
        (Verdict::NotConfigured, NotificationState::Pending) => DeliveryVerdict::NotConfigured,
        (Verdict::Sent | Verdict::Retry { .. } | Verdict::Failed, NotificationState::Pending) => DeliveryVerdict::Retry,
    }
}

/// One line of the log and one count per attempt; neither holds an address of a person.
fn tell(notification: &DueNotification, attempt: &Attempt, verdict: Verdict) {
    let (channel, alert, number, detail) =
        (&notification.channel, notification.facts.alert, attempt.number, attempt.detail.as_str());
    METRICS.deliveries.with_label_values(&[channel.as_str(), attempt.verdict.key()]).inc();
    let next_attempt_at = attempt.next_attempt_at;
    match (attempt.state, verdict) {
        (NotificationState::Sent, _) => tracing::info!(%channel, %alert, attempt = number, "notification delivered"),
        (NotificationState::Pending, Verdict::NotConfigured) => {
            tracing::error!(%channel, %alert, attempt = number, %next_attempt_at, detail, "this channel reaches nobody until its configuration is put right");
        }
        (NotificationState::Pending, Verdict::Sent | Verdict::Retry { .. } | Verdict::Failed) => {
            tracing::warn!(%channel, %alert, attempt = number, %next_attempt_at, detail, "notification not delivered, will be tried again");
        }
        (NotificationState::Failed | NotificationState::Cancelled, _) => {
            tracing::error!(%channel, %alert, attempt = number, detail, "notification given up, tell the people concerned another way");
        }
    }
}

fn tell_escalation(notification: &DueNotification, escalation: &Escalation) {
    let (channel, alert) = (&notification.channel, escalation.facts.alert);
    if escalation.ways.is_empty() {
        tracing::error!(%channel, %alert, "a recipient was not reached and there is nobody else to tell");
        return;
    }
    METRICS.escalations.inc();
    tracing::warn!(%channel, %alert, ways = escalation.ways.len(), "a recipient was not reached, others are told");
}

/// How long the oldest notification of each channel has been waiting; channels without any show zero.
fn measure(backlog: &[Backlog], sending: &mut Sending, now: UtcMillis) {
    for waiting in backlog {
        sending.channels.entry(waiting.channel.clone()).or_default();
    }
    let age = |waiting: &Backlog| (now.since(waiting.oldest) / 1000).max(0);
    METRICS.outbox_oldest_seconds.set(backlog.iter().map(age).max().unwrap_or(0));
    for channel in sending.channels.keys() {
        let waiting = backlog.iter().find(|waiting| waiting.channel == *channel);
        METRICS.channel_oldest_seconds.with_label_values(&[channel.as_str()]).set(waiting.map_or(0, age));
    }
}
