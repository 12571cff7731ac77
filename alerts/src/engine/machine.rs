//! The level machine of one threshold rule: the only place that decides levels, shared by the live engine and the
//! settled history.
//!
//! It sees the usable observations of one datastream in strictly increasing event time.
//!
//! * A level is *crossed* at or beyond its raise value. It is raised once it has been crossed by every observation
//!   for `hold` of event time; each level keeps its own start, so a higher level never waits for a lower one.
//! * Where both sides are bad, either side crosses a level, and it ends only behind the clear values of both.
//! * A level ends when the value is back behind its clear value; the alert then drops to the highest level whose
//!   clear value is not passed. Between raise and clear nothing changes.
//! * The excursion (onset, worst value, count) begins with the first crossing observation, so the onset does not
//!   depend on the hold time.

use bakau_model::{Flag, Level, UtcMillis};
use bakau_registry::{Rule, Threshold};
use serde::{Deserialize, Serialize};

/// The thresholds of one level, as stored with a state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sides {
    low: Option<Threshold>,
    high: Option<Threshold>,
}

/// What of a rule decides levels; alerts of a rule are closed when any of it changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bands of [`Level::RAISED`], in that order: the high side alone for *above*, the low one for *below*.
    bands: [Option<Sides>; 3],
    hold_ms: i64,
}

impl Limits {
    /// The limits of a rule.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        Self {
            bands: Level::RAISED.map(|level| rule.band(level).map(|band| Sides { low: band.low, high: band.high })),
            hold_ms: i64::from(rule.hold_s) * 1000,
        }
    }

    /// Whether the value is at or beyond the raise value of a level, on either side.
    #[must_use]
    pub fn crossed(&self, level: Level, value: f64) -> bool {
        self.band(level).is_some_and(|band| {
            band.high.is_some_and(|high| high.raise <= value) || band.low.is_some_and(|low| value <= low.raise)
        })
    }

    /// Whether the value is back behind the clear value of a level, on both sides; a crossed level is never behind it, whatever the
    /// figures of the rule, so a careless pair of figures cannot make an alert flap.
    #[must_use]
    pub fn behind(&self, level: Level, value: f64) -> bool {
        let back = self.band(level).is_none_or(|band| {
            band.high.is_none_or(|high| value < high.clear) && band.low.is_none_or(|low| low.clear < value)
        });
        back && !self.crossed(level, value)
    }

    /// Whether the value is behind every clear value: after such an observation the machine is at rest, whatever came
    /// before. The settled history starts reading there.
    #[must_use]
    pub fn at_rest(&self, value: f64) -> bool {
        Level::RAISED.iter().all(|level| self.behind(*level, value))
    }

    /// Milliseconds of event time a level must be crossed.
    #[must_use]
    pub const fn hold_ms(&self) -> i64 {
        self.hold_ms
    }

    const fn band(&self, level: Level) -> Option<Sides> {
        match level {
            Level::Normal => None,
            Level::Waspada => self.bands[0],
            Level::Siaga => self.bands[1],
            Level::Awas => self.bands[2],
        }
    }

    /// The highest level up to `level` whose clear value is not passed.
    fn resting_level(&self, level: Level, value: f64) -> Level {
        let holds = |candidate: &Level| *candidate <= level && !self.behind(*candidate, value);
        Level::RAISED.into_iter().rev().find(holds).unwrap_or(Level::Normal)
    }

    /// Whether the second of two values is further out, measured from the raise values of the lowest level.
    fn is_worse(&self, a: f64, b: f64) -> bool {
        let lowest = self.bands.iter().flatten().next();
        let out = |value: f64| {
            let high = lowest.and_then(|band| band.high).map_or(f64::NEG_INFINITY, |high| value - high.raise);
            let low = lowest.and_then(|band| band.low).map_or(f64::NEG_INFINITY, |low| low.raise - value);
            high.max(low)
        };
        out(a) < out(b)
    }
}

/// A stretch in which some level is crossed or raised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Excursion {
    /// `observed_at` of the first crossing observation.
    pub onset: UtcMillis,
    /// The worst level raised so far.
    pub peak: Level,
    /// The worst value so far.
    pub worst: f64,
    /// `observed_at` of the first observation with it.
    pub worst_at: UtcMillis,
    /// Usable observations so far.
    pub count: u64,
    /// How many of them are suspect.
    pub suspect: u64,
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Level before.
    pub from: Level,
    /// Level after.
    pub to: Level,
    /// The excursion it belongs to; without the observation that ended it.
    pub excursion: Excursion,
}

/// State of one rule on one datastream.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    level: Level,
    /// Since when each of [`Level::RAISED`] has been crossed without a break.
    crossed_since: [Option<UtcMillis>; 3],
    excursion: Option<Excursion>,
}

impl Machine {
    /// The level now.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Whether nothing is crossed and nothing raised.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.excursion.is_none()
    }

    /// The stretch going on now.
    #[must_use]
    pub const fn excursion(&self) -> Option<Excursion> {
        self.excursion
    }

    /// Takes the next usable observation; `at` must be later than that of every one before.
    pub fn observe(&mut self, limits: &Limits, at: UtcMillis, value: f64, flag: Flag) -> Option<Change> {
        for (level, since) in Level::RAISED.into_iter().zip(&mut self.crossed_since) {
            *since = if limits.crossed(level, value) { Some(since.unwrap_or(at)) } else { None };
        }
        let due = self.due(limits, at);
        let next = if self.level < due { due } else { limits.resting_level(self.level, value) };
        if next == Level::Normal && self.crossed_since.iter().all(Option::is_none) {
            return self.come_to_rest();
        }
        let new = Excursion { onset: at, peak: Level::Normal, worst: value, worst_at: at, count: 0, suspect: 0 };
        let mut excursion = self.excursion.unwrap_or(new);
        if limits.is_worse(excursion.worst, value) {
            (excursion.worst, excursion.worst_at) = (value, at);
        }
        excursion.count += 1;
        excursion.suspect += u64::from(flag == Flag::Suspect);
        excursion.peak = excursion.peak.max(next);
        self.excursion = Some(excursion);
        let from = std::mem::replace(&mut self.level, next);
        if from != Level::Normal && next == Level::Normal {
            // Only figures of levels in the wrong order come here: a higher level is crossed while a lower one ends.
            *self = Self::default();
        }
        (from != next).then_some(Change { from, to: next, excursion })
    }

    /// The highest level that has been crossed for long enough.
    fn due(&self, limits: &Limits, at: UtcMillis) -> Level {
        let long_enough = |since: &Option<UtcMillis>| since.is_some_and(|since| limits.hold_ms <= at.since(since));
        let levels = Level::RAISED.into_iter().zip(&self.crossed_since).rev();
        levels.filter(|(_, since)| long_enough(since)).map(|(level, _)| level).next().unwrap_or(Level::Normal)
    }

    fn come_to_rest(&mut self) -> Option<Change> {
        let before = std::mem::take(self);
        let raised = before.level != Level::Normal;
        before.excursion.filter(|_| raised).map(|excursion| Change { from: before.level, to: Level::Normal, excursion })
    }
}
