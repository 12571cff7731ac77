//! Whether everything that the broker received came here, by its own counters; pure.
//!
//! Mosquitto counts every PUBLISH it receives, and what it drops because a queue is full. Where nobody else publishes
//! anything that is not for this source, *received - dropped - taken here* stays what it is; the excess. It grows when
//! somebody took our session over and consumed or cleaned what was queued for us, and by how many messages.
//!
//! A counter that has not changed for a minute is not told to somebody who connects (mosquitto lets its own retained
//! messages expire), so the number may have to wait for the next message that the broker receives.
//!
//! Nothing is claimed that this cannot carry: only moments count at which nothing is under way, the excess must have
//! stood still over [`STEADY_MESSAGES`] messages before, and must no longer fall afterwards. Publishing with QoS 2 or
//! the retain flag is not in mosquitto's counter, last wills are not either: where these are usual the excess never
//! stands still, and the number of what was lost stays unknown.

use serde::{Deserialize, Serialize};

/// Messages that must have come without the excess changing, before its growth is believed to be a loss.
const STEADY_MESSAGES: i64 = 100;

/// Ticks (mosquitto's `sys_interval`, 10 s) until a number that is not found stays unknown.
const MAX_TICKS: u32 = 30;

/// Verdict of the counters after a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// So many messages that the broker received for us never arrived.
    Lost(u64),
    /// There was a sign of loss of unknown size.
    Unknown,
}

/// The excess while it stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Steady {
    excess: i64,
    /// What had been taken when it became that.
    since: i64,
}

/// A connection ended since; whether anything was lost meanwhile is being found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Inquiry {
    /// The excess before.
    base: i64,
    /// Whether there is a sign of loss apart from the counters.
    sign: bool,
    /// The excess at the last quiet tick of this connection.
    #[serde(skip)]
    before: Option<i64>,
    ticks: u32,
}

/// What had been taken at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tick {
    taken: i64,
    /// Whether nothing was under way between the broker and the disk.
    quiet: bool,
}

/// The account of one session. Kept in the source's file only while Bakau is stopped in good order: after a crash it is
/// not known what was taken last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Books {
    /// Messages taken and acknowledged, without retained ones that were sent again.
    taken: i64,
    steady: Option<Steady>,
    inquiry: Option<Inquiry>,
    /// What the broker last said that it dropped; what it was before it said anything is part of the excess.
    dropped: u64,
    /// Counted as lost while it was not known what the broker had dropped: perhaps these.
    presumed: u64,
    /// Whether the broker said on this connection what it dropped.
    #[serde(skip)]
    dropped_told: bool,
    /// What the broker said on this connection.
    #[serde(skip)]
    received: Option<u64>,
    #[serde(skip)]
    tick: Option<Tick>,
}

impl Books {
    /// Messages were taken for good; negative for a retained message that will be acknowledged and is not news.
    pub(crate) fn took(&mut self, messages: i64) {
        self.taken = self.taken.saturating_add(messages);
    }

    /// The broker says how many messages it received.
    pub(crate) fn received(&mut self, messages: u64) {
        self.received = Some(messages);
    }

    /// The broker says how many it dropped.
    pub(crate) fn dropped(&mut self, messages: u64) {
        (self.dropped, self.dropped_told) = (messages, true);
    }

    /// Of messages now known to be dropped, those that are not counted yet.
    pub(crate) fn uncounted(&mut self, dropped: u64) -> u64 {
        let counted = dropped.min(self.presumed);
        self.presumed -= counted;
        dropped - counted
    }

    /// Whether a sign of loss waits for its number.
    pub(crate) fn inquires(&self) -> bool {
        self.inquiry.is_some_and(|inquiry| inquiry.sign)
    }

    /// A new connection of the session. `sign`: the session was taken over or is gone.
    pub(crate) fn connected(&mut self, sign: bool) -> Option<Verdict> {
        (self.received, self.dropped_told, self.tick) = (None, false, None);
        if let Some(inquiry) = &mut self.inquiry {
            inquiry.sign |= sign;
            inquiry.before = None;
            return None;
        }
        let steady = self.steady.filter(|steady| STEADY_MESSAGES <= self.taken.saturating_sub(steady.since));
        self.inquiry = steady.map(|steady| Inquiry { base: steady.excess, sign, before: None, ticks: 0 });
        (sign && self.inquiry.is_none()).then_some(Verdict::Unknown)
    }

    /// The broker began to count from zero.
    pub(crate) fn restarted(&mut self) -> Option<Verdict> {
        (self.steady, self.tick) = (None, None);
        self.inquiry.take().filter(|inquiry| inquiry.sign).map(|_| Verdict::Unknown)
    }

    /// The broker is about to say what it counted: its uptime comes first, and counters that did not change do not come at
    /// all. So what it said is complete at the next tick. `under_way`: messages that are here and not acknowledged.
    pub(crate) fn tick(&mut self, under_way: usize) -> Option<Verdict> {
        let done = self.tick.replace(Tick { taken: self.taken, quiet: under_way == 0 })?;
        let received = self.received?;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let excess = count(received).saturating_sub(count(self.dropped)).saturating_sub(done.taken);
        match self.inquiry {
            Some(inquiry) => self.inquire(inquiry, done.quiet.then_some(excess)),
            None if done.quiet && self.steady.is_none_or(|steady| steady.excess != excess) => {
                self.steady = Some(Steady { excess, since: done.taken });
                None
            }
            None => None,
        }
    }

    /// What was queued for us still comes as long as the excess falls.
    fn inquire(&mut self, mut inquiry: Inquiry, excess: Option<i64>) -> Option<Verdict> {
        inquiry.ticks += 1;
        if let Some((excess, before)) = excess.zip(inquiry.before)
            && before <= excess
        {
            self.inquiry = None;
            self.steady = self.steady.map(|steady| Steady { excess, ..steady });
            let lost = u64::try_from(before.saturating_sub(inquiry.base)).unwrap_or(0);
            if !self.dropped_told {
                self.presumed = self.presumed.saturating_add(lost);
            }
            return (0 < lost).then_some(Verdict::Lost(lost));
        }
        inquiry.before = excess.or(inquiry.before);
        self.inquiry = Some(inquiry);
        if inquiry.ticks < MAX_TICKS {
            return None;
        }
        (self.steady, self.inquiry) = (None, None);
        inquiry.sign.then_some(Verdict::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A broker that counts, and a source that takes.
    #[derive(Debug, Default)]
    struct Line {
        books: Books,
        received: u64,
        dropped: u64,
        /// Whether mosquitto still has its own retained messages.
        fresh: bool,
        verdicts: Vec<Verdict>,
    }

    impl Line {
        /// So many come and are taken, of so many that the broker received.
        fn pass(&mut self, received: u64, taken: i64) {
            self.received += received;
            self.books.took(taken);
        }

        fn tick(&mut self, under_way: usize) {
            let verdict = self.books.tick(under_way);
            self.verdicts.extend(verdict);
            if self.fresh {
                self.books.received(self.received);
                self.books.dropped(self.dropped);
            }
        }

        fn connect(&mut self, sign: bool) {
            let verdict = self.books.connected(sign);
            self.verdicts.extend(verdict);
        }

        /// A line on which everything that is published comes here.
        fn steady() -> Self {
            let mut line = Self { received: 40, dropped: 3, fresh: true, ..Self::default() };
            line.connect(false);
            line.tick(0);
            line.tick(0);
            line.pass(STEADY_MESSAGES as u64, STEADY_MESSAGES);
            (0..3).for_each(|_| line.tick(0));
            line
        }

        fn settle(&mut self) -> &[Verdict] {
            (0..4).for_each(|_| self.tick(0));
            &self.verdicts
        }
    }

    #[test]
    fn what_was_published_while_somebody_else_had_the_session_is_counted_to_the_message() {
        let mut line = Line::steady();
        line.pass(37, 0);
        line.connect(true);
        line.pass(5, 5);
        assert_eq!(line.settle(), [Verdict::Lost(37)]);
        line.connect(false);
        assert_eq!(line.settle(), [Verdict::Lost(37)], "once");
    }

    #[test]
    fn what_waited_and_comes_late_is_not_lost() {
        let mut line = Line::steady();
        line.pass(1_000, 0);
        line.connect(true);
        for _ in 0..5 {
            line.tick(0);
            line.pass(0, 200);
        }
        assert_eq!(line.settle(), []);
    }

    #[test]
    fn what_the_broker_says_it_dropped_is_counted_there_and_not_twice() {
        let mut line = Line::steady();
        line.pass(500, 0);
        line.dropped += 400;
        line.connect(false);
        line.pass(0, 100);
        assert_eq!(line.settle(), []);
    }

    #[test]
    fn counters_that_are_too_old_to_be_told_are_waited_for_and_nothing_is_counted_twice() {
        let mut line = Line::steady();
        line.pass(37, 0);
        line.dropped += 30;
        line.fresh = false;
        line.connect(true);
        (0..2 * MAX_TICKS).for_each(|_| line.tick(0));
        assert_eq!(line.verdicts, [], "the broker has not said yet what it received");
        line.books.received(line.received);
        assert_eq!(line.settle(), [Verdict::Lost(37)]);
        line.dropped += 2;
        line.fresh = true;
        line.settle();
        assert_eq!(line.books.uncounted(32), 0, "30 of them were counted, and perhaps the other 2 as well");
        assert_eq!((line.books.uncounted(6), line.books.uncounted(6)), (1, 6));
    }

    #[test]
    fn where_others_publish_as_well_a_sign_of_loss_has_no_number() {
        let mut line = Line::steady();
        for _ in 0..20 {
            line.pass(11, 10);
            line.tick(0);
        }
        line.pass(37, 0);
        line.connect(false);
        assert_eq!(line.settle(), [], "without a sign nothing is said");
        line.connect(true);
        assert_eq!(line.settle(), [Verdict::Unknown]);
    }

    #[test]
    fn a_broker_that_counts_from_zero_and_a_line_that_is_never_quiet_leave_the_number_unknown() {
        let mut line = Line::steady();
        line.connect(true);
        let verdict = line.books.restarted();
        assert_eq!(verdict, Some(Verdict::Unknown));
        let mut line = Line::steady();
        line.connect(true);
        assert!(line.books.inquires());
        (0..=MAX_TICKS).for_each(|_| line.tick(7));
        assert_eq!(line.verdicts, [Verdict::Unknown]);
        assert!(!line.books.inquires());
    }

    #[test]
    fn what_was_under_way_does_not_count_before_it_is_here() {
        let mut line = Line::steady();
        line.connect(false);
        line.pass(50, 0);
        line.tick(50);
        line.tick(50);
        line.pass(0, 50);
        assert_eq!(line.settle(), []);
    }

    proptest! {
        #[test]
        fn any_mix_of_work_and_losses_adds_up(steps in prop::collection::vec((0_u64..50, 0_u64..50), 1..20)) {
            let mut line = Line::steady();
            let mut lost = 0;
            for (comes, goes) in steps {
                line.pass(comes + goes, comes as i64);
                line.connect(0 < goes);
                lost += goes;
                line.settle();
            }
            let told: u64 = line.verdicts.iter().map(|verdict| match verdict {
                Verdict::Lost(lost) => *lost,
                Verdict::Unknown => 0,
            }).sum();
            prop_assert_eq!(told, lost);
        }
    }
}
