//! When to try a notification again, and when to give it up. Pure.

use std::time::Duration;

use bakau_model::{Backoff, HOUR_MS, Level, MINUTE_MS, UtcMillis};

use crate::{NotificationState, delivery::channel::Verdict};

/// Waits between attempts double up to a limit that depends on how urgent the notification is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Waits between two attempts.
    pub usual: Backoff,
    /// Waits for *siaga* and *awas*: their receivers shall have them soon after a server is back.
    pub urgent: Backoff,
    /// Shortest wait where somebody must put the configuration right first.
    pub not_configured_ms: i64,
    /// How old a notification may become; older ones are given up, because they are news no more.
    pub give_up_ms: i64,
    /// How long *siaga* and *awas* are tried before somebody else is told.
    pub escalate_ms: i64,
}

/// Wait after the first failed attempt.
const FIRST: Duration = Duration::from_secs(5);

impl Default for RetryPolicy {
    /// A mail server that is away for ten minutes or for a night's update loses nothing; a notification of yesterday is
    /// given up.
    fn default() -> Self {
        Self {
            usual: Backoff::new(FIRST, Duration::from_secs(300)).spread(1.0, 1.2),
            urgent: Backoff::new(FIRST, Duration::from_secs(60)).spread(1.0, 1.2),
            not_configured_ms: 2 * MINUTE_MS,
            give_up_ms: 12 * HOUR_MS,
            escalate_ms: 5 * MINUTE_MS,
        }
    }
}

/// What a failed attempt is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// 1 for the first attempt.
    pub(crate) number: u32,
    /// When the notification was made.
    pub(crate) since: UtcMillis,
    /// The highest level waiting for this recipient about this alert.
    pub(crate) level: Level,
    /// From 0 to 1.
    pub(crate) random: f64,
}

impl RetryPolicy {
    /// What follows from an attempt.
    pub(crate) fn next(&self, tried: Tried, verdict: Verdict, now: UtcMillis) -> (NotificationState, UtcMillis) {
        let wait_ms = match verdict {
            Verdict::Sent => return (NotificationState::Sent, now),
            Verdict::Failed => return (NotificationState::Failed, now),
            Verdict::Retry { .. } | Verdict::NotConfigured if self.give_up_ms <= now.since(tried.since) => {
                return (NotificationState::Failed, now);
            }
            Verdict::Retry { .. } => self.wait_ms(tried),
            Verdict::NotConfigured => self.wait_ms(tried).max(self.not_configured_ms),
        };
        let after_wait = now.saturating_add(wait_ms);
        match verdict {
            Verdict::Retry { not_before: Some(wish) } => (NotificationState::Pending, wish.max(after_wait)),
            Verdict::Retry { not_before: None } | Verdict::NotConfigured | Verdict::Sent | Verdict::Failed => {
                (NotificationState::Pending, after_wait)
            }
        }
    }

    /// Whether somebody else must be told now, because this recipient was not reached.
    pub(crate) fn escalates(&self, tried: Tried, verdict: Verdict, state: NotificationState, now: UtcMillis) -> bool {
        match state {
            NotificationState::Failed => true,
            NotificationState::Sent | NotificationState::Cancelled => false,
            NotificationState::Pending => {
                let waited = verdict == Verdict::NotConfigured || self.escalate_ms <= now.since(tried.since);
                waited && is_urgent(tried.level)
            }
        }
    }

    fn wait_ms(&self, tried: Tried) -> i64 {
        let pauses = if is_urgent(tried.level) { self.urgent } else { self.usual };
        i64::try_from(pauses.pause(tried.number, tried.random).as_millis()).unwrap_or(i64::MAX)
    }
}

fn is_urgent(level: Level) -> bool {
    Level::Siaga <= level
}

#[cfg(test)]
mod tests {
    use bakau_model::SECOND_MS;

    use super::*;

    fn tried(number: u32, level: Level) -> Tried {
        Tried { number, since: UtcMillis::new(0), level, random: 0.0 }
    }

    fn waits(level: Level) -> Vec<i64> {
        let policy = RetryPolicy::default();
        (1..9).map(|number| policy.wait_ms(tried(number, level)) / SECOND_MS).collect()
    }

    #[test]
    fn waits_double_and_stay_within_a_minute_where_it_is_urgent() {
        assert_eq!(waits(Level::Waspada), [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(waits(Level::Awas), [5, 10, 20, 40, 60, 60, 60, 60]);
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait_ms(Tried { random: 1.0, ..tried(1, Level::Awas) }), 6_000);
        assert_eq!(policy.wait_ms(tried(u32::MAX, Level::Normal)), 300_000);
    }

    #[test]
    fn a_receivers_wish_is_the_shortest_wait_and_a_wrong_configuration_is_asked_now_and_then() {
        let (policy, now) = (RetryPolicy::default(), UtcMillis::new(0));
        let retry = Verdict::Retry { not_before: Some(UtcMillis::new(60_000)) };
        let next = |number, verdict| policy.next(tried(number, Level::Waspada), verdict, now);
        assert_eq!(next(1, retry), (NotificationState::Pending, UtcMillis::new(60_000)));
        assert_eq!(next(6, retry), (NotificationState::Pending, UtcMillis::new(160_000)));
        assert_eq!(next(1, Verdict::NotConfigured), (NotificationState::Pending, UtcMillis::new(120_000)));
        assert_eq!(next(1, Verdict::Failed), (NotificationState::Failed, now));
    }

    #[test]
    fn ten_minutes_away_lose_nothing_and_yesterdays_news_is_given_up() {
        let policy = RetryPolicy::default();
        let retry = Verdict::Retry { not_before: None };
        let after = |minutes: i64| policy.next(tried(99, Level::Awas), retry, UtcMillis::new(minutes * MINUTE_MS)).0;
        assert_eq!(after(10), NotificationState::Pending);
        assert_eq!(after(12 * 60), NotificationState::Failed);
    }

    #[test]
    fn somebody_else_is_told_when_it_failed_or_urgent_news_waits_too_long() {
        let policy = RetryPolicy::default();
        let retry = Verdict::Retry { not_before: None };
        let escalates = |level, verdict, state, minutes: i64| {
            policy.escalates(tried(1, level), verdict, state, UtcMillis::new(minutes * MINUTE_MS))
        };
        assert!(escalates(Level::Waspada, Verdict::Failed, NotificationState::Failed, 0));
        assert!(!escalates(Level::Waspada, retry, NotificationState::Pending, 60));
        assert!(!escalates(Level::Siaga, retry, NotificationState::Pending, 4));
        assert!(escalates(Level::Siaga, retry, NotificationState::Pending, 5));
        assert!(escalates(Level::Awas, Verdict::NotConfigured, NotificationState::Pending, 0));
        assert!(!escalates(Level::Awas, Verdict::Sent, NotificationState::Sent, 60));
    }
}
