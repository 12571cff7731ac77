//! Counters: from readings that only grow to what was counted between them.
//!
//! A rain gauge, a water meter or an energy meter says how much it has counted since it began. What people ask for is the
//! *increment*: what was counted since the reading before in event time.
//!
//! | Reading | Increment |
//! |---|---|
//! | the first one known | 0: nothing is known to have been counted |
//! | not below the one before | the difference, as decimals ([`Decimal`]) |
//! | below it, with a known `max`, where what is left to `max` and the reading are together less than half of it | that: the counter overflowed |
//! | below it otherwise | the reading itself: the counter began again at 0 |
//! | missing, below 0, above `max` or no finite number | none; the next one counts from the last usable one |
//!
//! # One wrong reading invents nothing
//! A reading that falls may be a glitch, and so may one whose increment is outside the `fail` range. Only the next usable
//! reading tells:
//! - a fall, and the next reading is at or above the one before the fall, at most [`glitch_gap_ms`] after it: the low
//!   reading was a glitch. It has no increment and is *suspect* (spike), and the next one counts from the reading before.
//! - a rise outside the `fail` range, and the next reading is below it: the high one was a glitch. It fails as it did, and
//!   the next one counts from the reading before.
//!
//! Otherwise the counter really fell, or rose so far, and the next one counts from there. Two wrong readings in a row look
//! like a counter that began again, and are taken for one. So is a return later than that gap: a gauge that begins each
//! day at 0 and then sent nothing for hours must not lose its rain.
//!
//! # A clock that was set invents nothing
//! When a clock that was ahead is set right, or one is set back, later readings stand before earlier ones in event time,
//! and the counter seems to fall. So a fall proves nothing where the lower reading *arrived before* the higher one that
//! stands before it, and that one came at once, at most [`SET_BACK_MS`] after its time: the lower reading is out of place. It
//! has no increment and is *suspect* (spike), and the next one counts from the reading before. What arrived later than that
//! is a late or corrected reading, whose time is believed whatever the order of arrival.
//!
//! # Ranges
//! Ranges hold for the increment of one expected interval; where readings are missing in between they are as many times
//! wider as intervals have passed. The limit of the rate of change holds for the increment per minute. Spikes and flat
//! lines are no tests of a counter: rain comes in bursts, and a dry day is no stuck sensor.
//!
//! # Example
//! A tipping bucket that overflows at 1,000 mm:
//!
//! ```
//! use bakau_model::{Counter, QualityLimits, UtcMillis};
//! use bakau_quality::Stream;
//!
//! let counter = Some(Counter { max: Some(1_000.0), interval_ms: 600_000 });
//! let limits = QualityLimits { counter, ..QualityLimits::default() };
//! let mut stream = Stream::new();
//! let readings = [998.0, 998.4, 0.2].into_iter().zip(0..);
//! let increments: Vec<_> = readings
//!     .map(|(reading, n)| stream.judge(&limits, (UtcMillis::new(n * 600_000), Some(reading)).into()).increment)
//!     .collect();
//! assert_eq!(increments, [Some(0.0), Some(0.4), Some(1.8)]);
//! ```
//!
//! # How far readings matter
//! Behind two usable readings in a row of which the second is a *plain step* (no fall and no failing rise), and neither can
//! be out of place, nothing before them matters any more ([`LookBack`], [`LookAhead`]).

mod window;

use bakau_model::{Counter, Decimal, Flag, MINUTE_MS, QualityLimits, QualityTest, TestResults, UtcMillis};

pub use self::window::{LookAhead, LookBack};
use crate::{
    margin::glitch_gap_ms,
    stream::{self, Judgement, Revision, Seen, Stream},
};

/// A reading that arrives at most this long after its time came at once; so far may a clock have been set back for that to
/// be noticed.
pub const SET_BACK_MS: i64 = 10 * MINUTE_MS;

/// Whether a reading can be one of this counter at all.
#[must_use]
pub(crate) fn is_reading(counter: &Counter, value: f64) -> bool {
    value.is_finite() && 0.0 <= value && counter.max.is_none_or(|max| value <= max)
}

/// What was counted from one reading to the next, whether the counter grew, overflowed or began again.
fn counted(counter: &Counter, before: f64, now: f64) -> f64 {
    if before <= now {
        return Decimal::difference(now, before);
    }
    let over = counter.max.map(|max| (max, Decimal::sum(Decimal::difference(max, before), now)));
    over.filter(|(max, counted)| *counted < max / 2.0).map_or(now, |(_, counted)| counted)
}

/// The range test of an increment over some time.
fn range(limits: &QualityLimits, counter: &Counter, elapsed_ms: i64, increment: f64) -> Flag {
    let intervals = (elapsed_ms as f64 / counter.interval_ms.max(1) as f64).max(1.0);
    stream::gross_range(limits, increment, intervals)
}

/// Whether a reading came at once, so that what arrived before it was measured before it.
const fn came_at_once(at: UtcMillis, received_at: UtcMillis) -> bool {
    received_at.since(at) <= SET_BACK_MS
}

/// Whether a reading stands behind a higher one that was measured after it: a clock was set in between.
fn is_out_of_place(before: &Seen, value: f64, received_at: UtcMillis) -> bool {
    value < before.value && received_at < before.received_at && came_at_once(before.at, before.received_at)
}

impl Stream {
    /// Judges the next reading of a counter. `last` is the newest usable one; `before_last` the one that it is counted
    /// from, while the next may still show that `last` is a glitch.
    ///
    /// The results of `next` are those that need no other reading.
    pub(crate) fn count(&mut self, limits: &QualityLimits, counter: &Counter, next: Seen) -> Judgement {
        let Seen { at, value, received_at, results } = next;
        if !is_reading(counter, value) {
            let code = stream::code(limits, value, Flag::Fail);
            let results = results.with(QualityTest::GrossRange, Flag::Fail).with(QualityTest::MissingCode, code);
            self.newest = self.newest.max(Some(at));
            return Judgement { results, increment: None, revises: None };
        }
        if self.newest.is_some_and(|newest| at <= newest) {
            // Where it belongs is not known here.
            return Judgement { results, increment: None, revises: None };
        }
        self.newest = Some(at);
        let Some(last) = self.last else {
            (self.last, self.before_last) = (Some(next), None);
            return Judgement { results, increment: Some(0.0), revises: None };
        };
        if [Some(last), self.before_last].iter().flatten().any(|before| is_out_of_place(before, value, received_at)) {
            let results = results.with(QualityTest::Spike, Flag::Suspect);
            return Judgement { results, increment: None, revises: None };
        }
        let glitch = self.before_last.filter(|base| is_glitch(counter, base, &last, (at, value)));
        let from = glitch.unwrap_or(last);
        let revises = glitch.filter(|base| last.value < base.value).map(|_| {
            let clock = last.results.get(QualityTest::Clock);
            let results = TestResults::NONE.with(QualityTest::Spike, Flag::Suspect).with(QualityTest::Clock, clock);
            Revision { at: last.at, results, increment: None }
        });
        let (elapsed, increment) = (at.since(from.at), counted(counter, from.value, value));
        let in_range = range(limits, counter, elapsed, increment);
        let rate = limits
            .rate_per_min
            .as_ref()
            .map_or(Flag::NotEvaluated, |limits| stream::beyond(limits, increment / stream::minutes(elapsed)));
        let results = results.with(QualityTest::GrossRange, in_range).with(QualityTest::RateOfChange, rate);
        let is_doubtful = value < from.value || in_range == Flag::Fail;
        // Behind a glitch the next reading is taken as it is: else one wrong reading could put off the next for ever.
        self.before_last = (is_doubtful && glitch.is_none()).then_some(from);
        self.last = Some(Seen { results, ..next });
        Judgement { results, increment: Some(increment), revises }
    }
}

/// Whether the next reading shows that the doubtful `last` was a glitch after `base`.
fn is_glitch(counter: &Counter, base: &Seen, last: &Seen, (at, value): (UtcMillis, f64)) -> bool {
    if last.value < base.value {
        base.value <= value && at.since(base.at) <= glitch_gap_ms(counter)
    } else {
        value < last.value
    }
}

#[cfg(test)]
mod tests;
