//! The tests of one datastream, value by value in event time.

use bakau_model::{Flag, MINUTE_MS, QualityLimits, QualityTest, Step, TestResults, UtcMillis};

use crate::{
    clock::clock,
    flat::Run,
    margin::{GAP_RATIO, NEIGHBOUR_GAP_MS},
    sample::Sample,
};

/// Result of judging one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Results of the value.
    pub results: TestResults,
    /// Increment since the reading before, of a counter; `None` where it is not known.
    pub increment: Option<f64>,
    /// New verdict about the usable value before it, whose spike test had to wait for this one; only where it changed.
    pub revises: Option<Revision>,
}

/// A verdict that the next value changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Revision {
    /// Instant of the value.
    pub at: UtcMillis,
    /// Its results.
    pub results: TestResults,
    /// Its increment, of a counter.
    pub increment: Option<f64>,
}

/// A usable value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    pub(crate) at: UtcMillis,
    pub(crate) value: f64,
    pub(crate) received_at: UtcMillis,
    pub(crate) results: TestResults,
}

/// State of the tests of one datastream: two values and one span per slot of the flat-line window.
///
/// Values are handed in by strictly increasing event time. Limits may change from call to call; the flat-line test
/// begins anew when the length of its windows does.
///
/// ```
/// use bakau_model::{Flag, QualityLimits, QualityTest, Step, UtcMillis};
/// use bakau_quality::Stream;
///
/// let spike = Some(Step { suspect: Some(2.0), fail: None });
/// let limits = QualityLimits { spike, ..QualityLimits::default() };
/// let mut stream = Stream::new();
/// let mut judge = |minute: i64, value| stream.judge(&limits, (UtcMillis::new(minute * 60_000), Some(value)).into());
/// judge(0, 4.1);
/// assert_eq!(judge(1, 9.5).results.get(QualityTest::Spike), Flag::NotEvaluated);
/// // Only the next value completes the neighbours of 9.5.
/// let revision = judge(2, 4.2).revises.expect("the verdict about 9.5 changes");
/// assert_eq!((revision.at.get(), revision.results.aggregate()), (60_000, Flag::Suspect));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stream {
    pub(crate) newest: Option<UtcMillis>,
    pub(crate) last: Option<Seen>,
    pub(crate) before_last: Option<Seen>,
    run: Run,
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// A datastream without values.
    #[must_use]
    pub const fn new() -> Self {
        Self { newest: None, last: None, before_last: None, run: Run::EMPTY }
    }

    /// Event time of the newest value, missing ones included.
    #[must_use]
    pub const fn newest(&self) -> Option<UtcMillis> {
        self.newest
    }

    /// Judges the next value; `None` (and anything that is no finite number) is a missing one.
    ///
    /// A value that is not newer than every earlier one is judged by its range alone and not remembered. Readings of a
    /// counter are judged by what they count ([`crate::counter`]).
    pub fn judge(&mut self, limits: &QualityLimits, Sample { at, value, received_at }: Sample) -> Judgement {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            self.newest = self.newest.max(Some(at));
            return Judgement { results: TestResults::NONE, increment: None, revises: None };
        };
        let clock = TestResults::NONE.with(QualityTest::Clock, clock(at, received_at));
        if let Some(counter) = &limits.counter {
            return self.count(limits, counter, Seen { at, value, received_at, results: clock });
        }
        let range = gross_range(limits, value, 1.0);
        let results =
            clock.with(QualityTest::GrossRange, range).with(QualityTest::MissingCode, code(limits, value, range));
        if self.newest.is_some_and(|newest| at <= newest) {
            return Judgement { results, increment: None, revises: None };
        }
        self.newest = Some(at);
        if range == Flag::Fail {
            return Judgement { results, increment: None, revises: None };
        }
        self.judge_usable(limits, Seen { at, value, received_at, results })
    }

    fn judge_usable(&mut self, limits: &QualityLimits, mut next: Seen) -> Judgement {
        if self.last.is_some_and(|last| NEIGHBOUR_GAP_MS < next.at.since(last.at)) {
            *self = Self { newest: self.newest, ..Self::new() };
        }
        let spike = self.spike_of_last(limits, &next);
        let revises = self.last.as_mut().and_then(|last| {
            let revised = last.results.with(QualityTest::Spike, spike);
            let changed = revised != last.results;
            last.results = revised;
            changed.then_some(Revision { at: last.at, results: revised, increment: None })
        });
        if self.last.is_some_and(|last| last.value.to_bits() == next.value.to_bits())
            && limits.codes.has_sent(next.value)
        {
            next.results = next.results.with(QualityTest::MissingCode, Flag::Suspect);
        }
        let rate = self.rate_of_change(limits, &next, spike);
        next.results = next.results.with(QualityTest::RateOfChange, rate);
        if let Some(limits) = &limits.flat_line {
            let flat = self.run.judge(limits, next.at, next.value);
            next.results = next.results.with(QualityTest::FlatLine, flat);
        }
        self.before_last = self.last.replace(next);
        Judgement { results: next.results, increment: None, revises }
    }

    /// The spike test of the value before `next`, which completes its neighbours.
    fn spike_of_last(&self, limits: &QualityLimits, next: &Seen) -> Flag {
        let (Some(limits), Some(before), Some(last)) = (&limits.spike, &self.before_last, &self.last) else {
            return Flag::NotEvaluated;
        };
        let gaps = (last.at.since(before.at), next.at.since(last.at));
        if GAP_RATIO.saturating_mul(gaps.0.min(gaps.1)) < gaps.0.max(gaps.1) {
            return Flag::NotEvaluated;
        }
        let (low, high) = (before.value.min(next.value), before.value.max(next.value));
        beyond(limits, (last.value - high).max(low - last.value))
    }

    fn rate_of_change(&self, limits: &QualityLimits, next: &Seen, spike_of_last: Flag) -> Flag {
        let from = match spike_of_last {
            Flag::Suspect | Flag::Fail => &self.before_last,
            Flag::Good | Flag::NotEvaluated | Flag::Missing => &self.last,
        };
        let (Some(limits), Some(from)) = (&limits.rate_per_min, from) else { return Flag::NotEvaluated };
        let gap = next.at.since(from.at);
        if NEIGHBOUR_GAP_MS < gap {
            return Flag::NotEvaluated;
        }
        beyond(limits, (next.value - from.value).abs() / minutes(gap))
    }
}

/// Minutes between neighbours; less than one counts as one.
pub(crate) fn minutes(gap_ms: i64) -> f64 {
    (gap_ms as f64 / MINUTE_MS as f64).max(1.0)
}

/// The range test with upper limits so many times wider.
pub(crate) fn gross_range(limits: &QualityLimits, value: f64, wider: f64) -> Flag {
    let outside = |range: Option<bakau_model::Range>| range.map(|range| value < range.min || range.max * wider < value);
    match (outside(limits.fail), outside(limits.suspect)) {
        (Some(true), _) => Flag::Fail,
        (_, Some(true)) => Flag::Suspect,
        (Some(false), _) | (_, Some(false)) => Flag::Good,
        (None, None) => Flag::NotEvaluated,
    }
}

/// Whether a value is a code for "no value", which outside the `fail` range it can only be.
pub(crate) fn code(limits: &QualityLimits, value: f64, range: Flag) -> Flag {
    if range == Flag::Fail && limits.codes.has(value) { Flag::Fail } else { Flag::NotEvaluated }
}

pub(crate) fn beyond(limits: &Step, distance: f64) -> Flag {
    let exceeds = |limit: Option<f64>| limit.map(|limit| limit < distance);
    match (exceeds(limits.fail), exceeds(limits.suspect)) {
        (Some(true), _) => Flag::Fail,
        (_, Some(true)) => Flag::Suspect,
        (Some(false), _) | (_, Some(false)) => Flag::Good,
        (None, None) => Flag::NotEvaluated,
    }
}

#[cfg(test)]
mod tests;
