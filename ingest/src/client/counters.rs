//! The counters that an external broker publishes under `$SYS`, and what follows from them; pure.
//!
//! Mosquitto counts the messages it drops because a queue is full, for whichever subscriber, and starts from zero when
//! it starts. Its counters arrive as retained messages right after subscribing (as old as its `sys_interval`, 10 s), and
//! then as they change.

use bakau_model::UtcMillis;

use super::{
    books::{Books, Verdict},
    memory::Memory,
};

const DROPPED: &str = "$SYS/broker/publish/messages/dropped";
const RECEIVED: &str = "$SYS/broker/publish/messages/received";
const HOLDS: &str = "$SYS/broker/store/messages/count";
const UPTIME: &str = "$SYS/broker/uptime";

/// Topics to subscribe to, at QoS 0.
pub(crate) const FILTERS: [&str; 4] = [DROPPED, HOLDS, UPTIME, RECEIVED];

/// How much later than remembered a broker may seem to have started before it counts as restarted: clocks are corrected,
/// and its uptime is whole seconds.
const SAME_START_MS: i64 = 30_000;

/// Counters received on the present connection.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The last uptime in seconds, on any connection of this run.
    uptime_s: Option<i64>,
    /// Whether the present connection brought an uptime: only then is it known whose counter `dropped` is.
    asked_uptime: bool,
    dropped_waits: Option<u64>,
    /// Whether what the broker received came here.
    pub(crate) books: Books,
}

/// Changes that one message brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Messages newly known to be dropped.
    pub(crate) lost: u64,
    /// Messages newly known to have gone to another client.
    pub(crate) strayed: u64,
    /// Whether messages of unknown number were lost.
    pub(crate) unknown: bool,
    /// Whether the broker restarted.
    pub(crate) restarted: bool,
}

impl Counters {
    /// A new connection: perhaps to a broker that restarted. `sign`: the session was taken over or is gone.
    pub(crate) fn connected(&mut self, sign: bool, memory: &mut Memory, now: UtcMillis) -> Change {
        self.asked_uptime = false;
        self.dropped_waits = None;
        let mut change = Change::default();
        change.judge(self.books.connected(sign), memory, now);
        change
    }

    /// Takes one message in. `live` means that the broker sent it now, not from its retained messages; `under_way` is how
    /// many messages are here and not acknowledged.
    pub(crate) fn hear(
        &mut self,
        memory: &mut Memory,
        topic: &str,
        payload: &[u8],
        live: bool,
        under_way: usize,
        now: UtcMillis,
    ) -> Change {
        // "1234 seconds" for the uptime, plain numbers otherwise.
        let number = std::str::from_utf8(payload).ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
        let Some(number) = number.filter(|number: &i64| 0 <= *number) else { return Change::default() };
        let mut change = Change::default();
        memory.external.counters = true;
        if topic == DROPPED {
            self.books.dropped(number.unsigned_abs());
        }
        match topic {
            HOLDS => memory.external.holds = Some(number.unsigned_abs()),
            RECEIVED => self.books.received(number.unsigned_abs()),
            UPTIME => {
                change.restarted = self.uptime(memory, number, live, now);
                if change.restarted {
                    change.judge(self.books.restarted(), memory, now);
                } else if live {
                    change.judge(self.books.tick(under_way), memory, now);
                }
                if let Some(dropped) = self.dropped_waits.take() {
                    change.lost = self.lost(memory, dropped, now);
                }
            }
            DROPPED if self.asked_uptime => change.lost = self.lost(memory, number.unsigned_abs(), now),
            DROPPED => self.dropped_waits = Some(number.unsigned_abs()),
            _ => {}
        }
        change
    }

    /// Messages dropped since the counter was last seen. What it says at first sight happened before Bakau came.
    fn lost(&mut self, memory: &mut Memory, dropped: u64, now: UtcMillis) -> u64 {
        let before = memory.dropped.replace(dropped).unwrap_or(dropped);
        // A counter that fell belongs to a broker that started again.
        let lost = self.books.uncounted(dropped.checked_sub(before).unwrap_or(dropped));
        if 0 < lost {
            memory.external.lost_in_broker += lost;
            memory.external.last_lost = Some(now);
        }
        lost
    }

    /// Notes an uptime; returns whether it is another run of the broker.
    fn uptime(&mut self, memory: &mut Memory, uptime_s: i64, live: bool, now: UtcMillis) -> bool {
        self.asked_uptime = true;
        let started = UtcMillis::new(now.get() - uptime_s.saturating_mul(1_000));
        let earlier = self.uptime_s.replace(uptime_s).is_some_and(|before| uptime_s < before);
        // A retained uptime may be old, which makes the start seem later than it was.
        let later = live && memory.broker_started.is_some_and(|known| SAME_START_MS < started.since(known));
        let restarted = earlier || later;
        if restarted {
            memory.dropped = Some(0);
            memory.external.restarts += 1;
            memory.external.last_restart = Some(now);
        }
        if restarted || memory.broker_started.is_none_or(|known| live && started < known) {
            memory.broker_started = Some(started);
        }
        restarted
    }
}

impl Change {
    /// Notes what the books say.
    fn judge(&mut self, verdict: Option<Verdict>, memory: &mut Memory, now: UtcMillis) {
        let external = &mut memory.external;
        match verdict {
            None => {}
            Some(Verdict::Lost(lost)) => {
                self.strayed += lost;
                external.lost_in_broker += lost;
                external.last_lost = Some(now);
            }
            Some(Verdict::Unknown) => {
                self.unknown = true;
                external.uncounted_losses += 1;
                external.last_uncounted_loss = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Source {
        counters: Counters,
        memory: Memory,
    }

    impl Source {
        fn hear(&mut self, topic: &str, payload: &str, live: bool, second: i64) -> Change {
            let now = UtcMillis::new(second * 1_000);
            self.counters.hear(&mut self.memory, topic, payload.as_bytes(), live, 0, now)
        }
    }

    impl Source {
        fn connect(&mut self) {
            self.counters.connected(false, &mut self.memory, UtcMillis::new(0));
        }
    }

    fn source() -> Source {
        Source { counters: Counters::default(), memory: Memory::default() }
    }

    const fn lost(lost: u64) -> Change {
        Change { lost, strayed: 0, unknown: false, restarted: false }
    }

    #[test]
    fn what_was_dropped_before_bakau_came_is_not_counted_and_what_follows_is() {
        let mut source = source();
        assert_eq!(source.hear(DROPPED, "40", false, 1_000), lost(0));
        assert_eq!(source.hear(UPTIME, "990 seconds", false, 1_000), lost(0));
        assert_eq!(source.hear(DROPPED, "45", true, 1_010), lost(5));
        assert_eq!(source.hear(DROPPED, "45", true, 1_020), lost(0));
        assert_eq!(source.memory.external.lost_in_broker, 5);
        assert_eq!(source.memory.external.last_lost, Some(UtcMillis::new(1_010_000)));
    }

    #[test]
    fn what_was_dropped_while_bakau_was_away_is_counted_when_it_is_back() {
        let mut before = source();
        before.hear(UPTIME, "100 seconds", true, 1_000);
        before.hear(DROPPED, "40", true, 1_000);
        let mut after = Source { memory: before.memory, ..source() };
        after.connect();
        assert_eq!(after.hear(DROPPED, "4040", false, 5_000), lost(0), "not before it is known whose counter it is");
        assert_eq!(after.hear(UPTIME, "4095 seconds", false, 5_000), lost(4_000));
    }

    #[test]
    fn a_broker_that_starts_again_is_noticed_and_counts_from_zero() {
        let mut source = source();
        source.hear(UPTIME, "100 seconds", true, 1_000);
        source.hear(DROPPED, "40", true, 1_000);
        source.connect();
        assert_eq!(source.hear(DROPPED, "50", false, 1_030), lost(0));
        assert_eq!(source.hear(UPTIME, "0 seconds", false, 1_030), Change { restarted: true, ..lost(50) });
        assert_eq!(source.hear(UPTIME, "10 seconds", true, 1_040), lost(0), "once per restart");
        assert_eq!(source.memory.external.restarts, 1);
    }

    #[test]
    fn a_restart_while_bakau_was_away_is_noticed_by_the_start_it_remembers() {
        let mut before = source();
        before.hear(UPTIME, "100 seconds", true, 1_000);
        let mut after = Source { memory: before.memory, ..source() };
        after.connect();
        assert!(!after.hear(UPTIME, "150 seconds", false, 2_000).restarted, "a retained uptime may be old");
        assert!(after.hear(UPTIME, "160 seconds", true, 2_000).restarted);
        assert!(!after.hear(UPTIME, "170 seconds", true, 2_010).restarted);
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut source = source();
        for payload in ["", "-5", "many", "99999999999999999999999"] {
            assert_eq!(source.hear(DROPPED, payload, true, 1), Change::default());
        }
        assert_eq!(source.memory, Memory::default());
    }
}
