//! Delivers what the engine decided to tell, until somebody has it or it visibly failed.
//!
//! The outbox is rows, so a restart loses nothing; a notice whose answer was not recorded is sent again under the
//! same idempotency key. A slow receiver holds up only its own channel.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{ChannelId, UtcMillis};
use bakau_registry::{Channel, Snapshot};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    NoticeState, Secrets,
    channel::{Answer, Verdict, classify, webhook},
    db::{Attempt, Db, DbError, DueNotice},
    metrics::METRICS,
};

/// When to try again, and when to give up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Wait after the first failed attempt; doubled after each further one.
    pub base_ms: i64,
    /// Longest wait between two attempts.
    pub max_ms: i64,
    /// Attempts before giving up.
    pub attempts: u32,
    /// Share of the wait that is random, 0 to 1.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    /// Ten attempts within about 50 minutes: a receiver may be restarted, but nobody waits for a dead one all night.
    fn default() -> Self {
        Self { base_ms: 10_000, max_ms: 900_000, attempts: 10, jitter: 0.2 }
    }
}

impl RetryPolicy {
    /// Milliseconds to wait after failed attempt number `attempt` (1 for the first); `random` is from 0 to 1.
    #[must_use]
    pub fn wait_ms(&self, attempt: u32, random: f64) -> i64 {
        let doubled = self.base_ms.saturating_mul(1_i64 << attempt.saturating_sub(1).min(30));
        let wait = doubled.min(self.max_ms);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most hours")]
        let random_part = (wait as f64 * self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0)) as i64;
        wait.saturating_add(random_part)
    }

    /// What follows from an attempt.
    fn next(&self, attempt: u32, verdict: Verdict, now: UtcMillis, random: f64) -> (NoticeState, UtcMillis) {
        match verdict {
            Verdict::Sent => (NoticeState::Sent, now),
            Verdict::Failed => (NoticeState::Failed, now),
            Verdict::Retry { .. } if self.attempts <= attempt => (NoticeState::Failed, now),
            Verdict::Retry { not_before } => {
                let after_wait = now.saturating_add(self.wait_ms(attempt, random));
                (NoticeState::Pending, not_before.map_or(after_wait, |at| at.max(after_wait)))
            }
        }
    }
}

/// Notices of one channel on their way at once.
const SENDING_PER_CHANNEL: usize = 4;
/// Look at the rows this often even if nobody says that there are new ones.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// At shutdown, answers are awaited this long; what comes later is sent again after the restart.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The worker that delivers.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) db: Db,
    pub(crate) client: reqwest::Client,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retry: RetryPolicy,
    pub(crate) public_url: Option<String>,
    /// Told after each commit with new notices.
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Sending {
    tasks: JoinSet<Finished>,
    /// Being sent, or sent and not yet recorded.
    notices: BTreeSet<i64>,
    per_channel: BTreeMap<ChannelId, usize>,
    unrecorded: Vec<Attempt>,
}

#[derive(Debug)]
struct Finished {
    channel: ChannelId,
    notice: DueNotice,
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
                // Woken by the commit of new notices; the handle and the runner keep the other end alive.
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
        self.record(sending).await?;
        let now = self.clock.now();
        let backlog = self.db.backlog().await?;
        let oldest = backlog.iter().map(|channel| now.since(channel.oldest) / 1000).max().unwrap_or(0);
        METRICS.outbox_oldest_seconds.set(oldest.max(0));
        let mut pause = LONGEST_SLEEP;
        for waiting in backlog {
            let room = SENDING_PER_CHANNEL.saturating_sub(*sending.per_channel.get(&waiting.channel).unwrap_or(&0));
            let due_in = waiting.next_attempt_at.since(now);
            if 0 < due_in {
                pause = pause.min(Duration::from_millis(due_in.cast_unsigned()));
            } else if 0 < room {
                for notice in self.db.due(&waiting.channel, now, &sending.notices, room).await? {
                    self.start(waiting.channel.clone(), notice, sending);
                }
            }
        }
        Ok(pause)
    }

    fn start(&self, channel: ChannelId, notice: DueNotice, sending: &mut Sending) {
        sending.notices.insert(notice.id);
        *sending.per_channel.entry(channel.clone()).or_insert(0) += 1;
        let entry = self.snapshots.borrow().channels.get(&channel).cloned();
        let now = self.clock.now();
        let client = self.client.clone();
        let (secrets, public_url) = (Arc::clone(&self.secrets), self.public_url.clone());
        sending.tasks.spawn(async move {
            let begun = Instant::now();
            let answer = match entry {
                Some(entry) => deliver(&client, &entry, &notice, &*secrets, public_url.as_deref(), now).await,
                None => {
                    Answer::NotConfigured(format!("channel '{channel}' is not registered: add it with `bakau apply`"))
                }
            };
            Finished { channel, notice, at: now, took: begun.elapsed(), answer }
        });
    }

    fn take(&self, done: Result<Finished, tokio::task::JoinError>, sending: &mut Sending) {
        let Finished { channel, notice, at, took, answer } = match done {
            Ok(finished) => finished,
            Err(error) => {
                // Its row stays pending in the database; it is sent again after a restart.
                tracing::error!(%error, "a delivery ended without an answer");
                return;
            }
        };
        if let Some(count) = sending.per_channel.get_mut(&channel) {
            *count = count.saturating_sub(1);
        }
        let now = self.clock.now();
        let number = notice.attempts.saturating_add(1);
        let (state, next_attempt_at) = self.retry.next(number, classify(&answer, now), now, rand::random());
        let verdict = match state {
            NoticeState::Sent => "sent",
            NoticeState::Pending => "retry",
            NoticeState::Failed | NoticeState::Cancelled => "failed",
        };
        METRICS.deliveries.with_label_values(&[channel.as_str(), verdict]).inc();
        let (alert, detail) = (notice.facts.alert, answer.detail());
        match state {
            NoticeState::Sent => tracing::info!(%channel, %alert, attempt = number, "notice delivered"),
            NoticeState::Pending => {
                tracing::warn!(%channel, %alert, attempt = number, %next_attempt_at, detail, "notice not delivered, will be tried again");
            }
            NoticeState::Failed | NoticeState::Cancelled => {
                tracing::error!(%channel, %alert, attempt = number, detail, "notice given up, tell the people concerned another way");
            }
        }
        let duration_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let http_status = answer.status();
        sending.unrecorded.push(Attempt {
            notice: notice.id,
            number,
            at,
            verdict,
            http_status,
            duration_ms,
            detail,
            state,
            next_attempt_at,
        });
    }

    async fn record(&self, sending: &mut Sending) -> Result<(), DbError> {
        if sending.unrecorded.is_empty() {
            return Ok(());
        }
        self.db.record_attempts(&sending.unrecorded).await?;
        for attempt in sending.unrecorded.drain(..) {
            sending.notices.remove(&attempt.notice);
        }
        Ok(())
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

async fn deliver(
    client: &reqwest::Client,
    channel: &Channel,
    notice: &DueNotice,
    secrets: &dyn Secrets,
    public_url: Option<&str>,
    now: UtcMillis,
) -> Answer {
    match channel {
        Channel::Email { .. } | Channel::Telegram { .. } => {
            Answer::NotConfigured("this channel tells people by notifications".to_owned())
        }
        Channel::Webhook { url, secret_env, .. } => {
            let Some(secret) = secrets.get(secret_env) else {
                return Answer::NotConfigured(format!(
                    "the signing secret {secret_env} is not set: set it and restart Bakau"
                ));
            };
            match webhook::render(&notice.facts, &notice.idempotency_key, public_url) {
                Ok(body) => {
                    let signature = webhook::sign(&secret, now, &body);
                    webhook::send(client, url, &signature, &notice.idempotency_key, body).await
                }
                Err(error) => Answer::Impossible(format!("the notice cannot be written as JSON: {error}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_ten_attempts_take_about_an_hour() {
        let policy = RetryPolicy::default();
        let waits: Vec<i64> = (1..policy.attempts).map(|attempt| policy.wait_ms(attempt, 0.0) / 1000).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(policy.wait_ms(1, 1.0), 12_000);
        assert_eq!(policy.wait_ms(u32::MAX, 0.0), 900_000);
    }

    #[test]
    fn the_last_attempt_is_final_and_a_receivers_wish_is_the_shortest_wait() {
        let (policy, now) = (RetryPolicy::default(), UtcMillis::new(0));
        let retry = Verdict::Retry { not_before: Some(UtcMillis::new(60_000)) };
        assert_eq!(policy.next(1, retry, now, 0.0), (NoticeState::Pending, UtcMillis::new(60_000)));
        assert_eq!(policy.next(6, retry, now, 0.0), (NoticeState::Pending, UtcMillis::new(320_000)));
        assert_eq!(policy.next(10, retry, now, 0.0), (NoticeState::Failed, now));
        assert_eq!(policy.next(1, Verdict::Failed, now, 0.0), (NoticeState::Failed, now));
    }
}
