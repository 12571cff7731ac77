//! Back-off between connection attempts, and the suspicion that another client uses our client id; pure.
//!
//! Two clients with one id push each other out for ever: each connects again when it is pushed out. Against that a source
//! waits longer each time, and only a connection that lasts ends the suspicion.

use std::time::Duration;

use bakau_model::Backoff;

/// Pauses between connection attempts.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30)).spread(0.5, 1.0);

/// A connection that lasted this long was a success: the next attempt comes without delay.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// A connection that lasted this long ends the suspicion that somebody else uses our client id: longer than the longest
/// pause of one who is pushed out as we are.
pub(crate) const UNCONTESTED_AFTER: Duration = Duration::from_secs(60);

/// How often in a row we must be pushed out before we say so as a state.
const TAKEN_OVER: u32 = 2;

/// How often in a row a connection must be closed soon and without a reason (MQTT 3.1.1 has none) before we suspect it.
const CLOSED: u32 = 3;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The broker says that another client took the session over.
    TakenOver,
    /// The broker accepted us and closed the connection without a word.
    Closed,
    /// Anything else, failed connection attempts included.
    Other,
}

/// Attempts since the last connection that lasted.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// Since the last connection that lasted.
    failures: u32,
    taken_over: u32,
    closed: u32,
}

impl Attempts {
    /// Notes the end of an attempt that was connected for `lasted`; gives the pause before the next one, spread by
    /// `random` from 0 to 1.
    pub(crate) fn ended(&mut self, end: End, lasted: Duration, random: f64) -> Duration {
        if UNCONTESTED_AFTER <= lasted {
            (self.taken_over, self.closed) = (0, 0);
        }
        let settled = match end {
            End::TakenOver => {
                self.taken_over = self.taken_over.saturating_add(1);
                UNCONTESTED_AFTER
            }
            End::Closed => {
                self.closed = self.closed.saturating_add(1);
                UNCONTESTED_AFTER
            }
            End::Other if self.contested() => UNCONTESTED_AFTER,
            End::Other => SETTLED_AFTER,
        };
        if settled <= lasted {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        PAUSES.pause(self.failures, random)
    }

    /// The broker was restarted: that is why it closed connections.
    pub(crate) fn restarted(&mut self) {
        self.closed = 0;
    }

    /// Whether another client seems to use our client id.
    pub(crate) fn contested(&self) -> bool {
        TAKEN_OVER <= self.taken_over || CLOSED <= self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(6);

    /// The longest the pause may be.
    fn ended(attempts: &mut Attempts, end: End, lasted: Duration) -> Duration {
        attempts.ended(end, lasted, 1.0)
    }

    #[test]
    fn pauses_grow_and_begin_anew_after_a_connection_that_lasted() {
        let mut attempts = Attempts::default();
        let pauses: Vec<_> = (0..12).map(|_| ended(&mut attempts, End::Other, Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000]);
        assert_eq!(ended(&mut attempts, End::Other, SHORT).as_millis(), 100);
        assert_eq!(attempts.ended(End::Other, SHORT, 0.0).as_millis(), 50, "spread over half of it");
        assert!(!attempts.contested());
    }

    #[test]
    fn two_clients_that_push_each_other_out_do_so_less_and_less_often() {
        let mut attempts = Attempts::default();
        assert_eq!(ended(&mut attempts, End::TakenOver, Duration::from_secs(9_000)).as_millis(), 100);
        assert!(!attempts.contested(), "once may be somebody's mistake");
        assert_eq!(ended(&mut attempts, End::TakenOver, SHORT).as_millis(), 200);
        assert!(attempts.contested());
        (0..20).for_each(|_| _ = ended(&mut attempts, End::TakenOver, SHORT));
        assert_eq!(ended(&mut attempts, End::Other, SHORT).as_secs(), 30);
        assert!(attempts.contested());
        ended(&mut attempts, End::Other, UNCONTESTED_AFTER);
        assert!(!attempts.contested());
    }

    #[test]
    fn a_broker_that_closes_without_a_word_is_suspected_later_and_not_when_it_restarted() {
        let mut attempts = Attempts::default();
        (0..2).for_each(|_| _ = ended(&mut attempts, End::Closed, SHORT));
        assert!(!attempts.contested());
        ended(&mut attempts, End::Closed, SHORT);
        assert!(attempts.contested());
        attempts.restarted();
        assert!(!attempts.contested());
    }
}
