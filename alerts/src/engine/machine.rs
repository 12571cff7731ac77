//! The level machine of one threshold rule: the only place that decides levels, shared by the live engine and the
//! settled history.
//!
//! It sees the usable observations of one datastream in strictly increasing event time.
//!
//! * A level is *crossed* at or beyond its raise value. It is raised once it has been crossed by every observation
//!   for `hold` of event time; each level keeps its own start, so a higher level never waits for a lower one.
//! * A hold is not bridged over a gap: where two observations that cross a level are further apart than 2.5 expected
//!   intervals ([`bakau_model::is_gap`]), its hold begins anew with the second one.
//! * Where both sides are bad, either side crosses a level, and it ends only behind the clear values of both.
//! * A level ends when the value is back behind its clear value; the alert then drops to the highest level whose
//!   clear value is not passed. Between raise and clear nothing changes.
//! * A suspect observation raises as any other, but never clears: where it does not cross, it ends nothing, lowers nothing,
//!   breaks no hold and carries none on. After [`UNCONFIRMED_AFTER`] of them in a row that would have ended or lowered an
//!   alert it says that it cannot be confirmed, until an observation that is not suspect comes.
//! * The excursion (onset, worst value, count) begins with the first crossing observation, so the onset does not
//!   depend on the hold time. Where no good observation behind every clear value was seen before it, nobody knows how long
//!   it had been crossed by then: the onset is the latest that it can be.

use bakau_model::{Flag, Level, UtcMillis, is_gap};
use bakau_registry::{Rule, Threshold};
use serde::{Deserialize, Serialize};

/// So many suspect observations in a row that would have ended or lowered an alert make it one that cannot be confirmed: two
/// may be noise of a sensor that is being cleaned, and at intervals of minutes people hear of three within half an hour.
pub(crate) const UNCONFIRMED_AFTER: u8 = 3;

/// The thresholds of one level, as stored with a state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sides {
    low: Option<Threshold>,
    high: Option<Threshold>,
}

/// What decides levels: the figures of a rule, and how often values of the datastream are expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Bands of [`Level::RAISED`], in that order: the high side alone for *above*, the low one for *below*.
    bands: [Option<Sides>; 3],
    hold_ms: i64,
    /// Expected milliseconds between observations; [`Limits::ANY_INTERVAL`] where it is not known.
    interval_ms: i64,
}

impl Limits {
    /// An interval so long that nothing is a gap.
    pub(crate) const ANY_INTERVAL: i64 = i64::MAX;

    /// The limits of a rule on a datastream whose values are expected so often.
    #[must_use]
    pub(crate) fn of(rule: &Rule, interval_ms: i64) -> Self {
        Self {
            bands: Level::RAISED.map(|level| rule.band(level).map(|band| Sides { low: band.low, high: band.high })),
            hold_ms: i64::from(rule.condition.hold_s().unwrap_or(0)) * 1000,
            interval_ms,
        }
    }

    /// Limits as states of formats 1 and 2 hold them, which knew no interval.
    pub(super) const fn restored(bands: [Option<Sides>; 3], hold_ms: i64) -> Self {
        Self { bands, hold_ms, interval_ms: Self::ANY_INTERVAL }
    }

    /// Bands and hold time.
    #[cfg(test)]
    pub(super) const fn parts(&self) -> ([Option<Sides>; 3], i64) {
        (self.bands, self.hold_ms)
    }

    /// Whether the figures of the rule are the same. Another interval is no other rule: it closes no alert.
    #[must_use]
    pub(crate) fn has_figures_of(&self, rule: &Rule) -> bool {
        Self { interval_ms: 0, ..*self } == Self::of(rule, 0)
    }

    /// Goes on with another interval; whether it is one.
    pub(super) const fn set_interval(&mut self, interval_ms: i64) -> bool {
        let changed = self.interval_ms != interval_ms;
        self.interval_ms = interval_ms;
        changed
    }

    /// Whether the value is at or beyond the raise value of a level, on either side.
    #[must_use]
    pub(crate) fn crossed(&self, level: Level, value: f64) -> bool {
        self.band(level).is_some_and(|band| {
            band.high.is_some_and(|high| high.raise <= value) || band.low.is_some_and(|low| value <= low.raise)
        })
    }

    /// Whether the value is back behind the clear value of a level, on both sides; a crossed level is never behind it, whatever the
    /// figures of the rule, so a careless pair of figures cannot make an alert flap.
    #[must_use]
    pub(crate) fn behind(&self, level: Level, value: f64) -> bool {
        let back = self.band(level).is_none_or(|band| {
            band.high.is_none_or(|high| value < high.clear) && band.low.is_none_or(|low| low.clear < value)
        });
        back && !self.crossed(level, value)
    }

    /// Whether the value is behind every clear value: after such an observation the machine is at rest, whatever came
    /// before. The settled history starts reading there.
    #[must_use]
    pub(crate) fn at_rest(&self, value: f64) -> bool {
        Level::RAISED.iter().all(|level| self.behind(*level, value))
    }

    /// Milliseconds of event time a level must be crossed.
    #[cfg(test)]
    pub(crate) const fn hold_ms(&self) -> i64 {
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

/// How far a level has been crossed without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hold {
    /// The first observation beyond the raise value.
    since: UtcMillis,
    /// The last one so far.
    last: UtcMillis,
}

#[cfg(test)]
impl Hold {
    pub(super) const fn at(at: UtcMillis) -> Self {
        Self { since: at, last: at }
    }
}

/// A stretch in which some level is crossed or raised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Excursion {
    /// `observed_at` of the first crossing observation.
    pub(crate) onset: UtcMillis,
    /// The worst level raised so far.
    pub(crate) peak: Level,
    /// The worst value so far.
    pub(crate) worst: f64,
    /// `observed_at` of the first observation with it.
    pub(crate) worst_at: UtcMillis,
    /// Usable observations so far; suspect ones behind every clear value are none of them.
    pub(crate) count: u64,
    /// How many of them are suspect.
    pub(crate) suspect: u64,
    /// Whether it may have begun before `onset`, where nobody looked.
    pub(crate) onset_at_latest: bool,
}

impl Excursion {
    const fn begun(at: UtcMillis, value: f64, onset_at_latest: bool) -> Self {
        Self { onset: at, peak: Level::Normal, worst: value, worst_at: at, count: 0, suspect: 0, onset_at_latest }
    }
}

/// A level that will be raised if the next values cross it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The level.
    pub(crate) level: Level,
    /// `observed_at` of the first value beyond its raise value.
    pub(crate) since: UtcMillis,
    /// The hold is over with a value of this instant or later.
    pub(crate) until: UtcMillis,
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The level.
    Level,
    /// The level stands, and suspect values say that it does not: it cannot be confirmed.
    Unconfirmed,
    /// A good value has confirmed a level of which that had been said.
    Confirmed,
}

/// A change of level, or of what is known about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    /// What changed.
    pub(crate) news: News,
    /// Level before.
    pub(crate) from: Level,
    /// Level after; the same where it is not the level that changed.
    pub(crate) to: Level,
    /// The excursion it belongs to; without the observation that ended it.
    pub(crate) excursion: Excursion,
}

/// State of one rule on one datastream.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    level: Level,
    /// How each of [`Level::RAISED`] has been crossed without a break.
    crossed: [Option<Hold>; 3],
    excursion: Option<Excursion>,
    /// Suspect observations since the last good one that would have ended or lowered the alert; up to
    /// [`UNCONFIRMED_AFTER`].
    doubts: u8,
    /// Whether a good observation behind every clear value was seen, so that what begins next is seen from its onset.
    seen_rest: bool,
}

impl Machine {
    /// A machine as states of format 3 describe it; where it has seen any observation, an onset is what it was told as.
    pub(super) const fn with(
        level: Level,
        crossed: [Option<Hold>; 3],
        excursion: Option<Excursion>,
        doubts: u8,
        seen_rest: bool,
    ) -> Self {
        Self { level, crossed, excursion, doubts, seen_rest }
    }

    /// A machine as states of formats 1 and 2 describe it; `last` is the last observation it saw.
    pub(super) fn restored(
        level: Level,
        crossed_since: [Option<UtcMillis>; 3],
        excursion: Option<Excursion>,
        last: Option<UtcMillis>,
    ) -> Self {
        let hold = |since: UtcMillis| Hold { since, last: last.map_or(since, |last| last.max(since)) };
        let crossed = crossed_since.map(|since| since.map(hold));
        Self { level, crossed, excursion, doubts: 0, seen_rest: last.is_some() }
    }

    /// The level now.
    #[must_use]
    pub(crate) const fn level(&self) -> Level {
        self.level
    }

    /// The highest level that is crossed and not raised yet because it has not been crossed for long enough, and since when;
    /// with the instant up to which it has to be.
    pub(crate) fn pending(&self, limits: &Limits) -> Option<Pending> {
        let above = |level: Level| self.level < level && 0 < limits.hold_ms;
        let mut held = Level::RAISED.into_iter().zip(self.crossed).rev().filter(|(level, _)| above(*level));
        held.find_map(|(level, hold)| {
            let since = hold?.since;
            Some(Pending { level, since, until: since.saturating_add(limits.hold_ms) })
        })
    }

    /// Whether nothing is crossed and nothing raised.
    #[must_use]
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.excursion.is_none()
    }

    /// The stretch going on now.
    #[must_use]
    pub(crate) const fn excursion(&self) -> Option<Excursion> {
        self.excursion
    }

    /// Takes the next usable observation; `at` should be later than that of every one before.
    pub(crate) fn observe(&mut self, limits: &Limits, at: UtcMillis, value: f64, flag: Flag) -> Option<Change> {
        let crossed = Level::RAISED.map(|level| limits.crossed(level, value));
        if flag == Flag::Suspect {
            return self.suspect(limits, at, value, crossed);
        }
        let doubted = UNCONFIRMED_AFTER <= std::mem::take(&mut self.doubts);
        self.seen_rest |= limits.at_rest(value);
        for (hold, crossed) in self.crossed.iter_mut().zip(crossed) {
            hold.take_if(|_| !crossed);
        }
        self.hold(limits, at, crossed);
        let due = self.due(limits, at, crossed);
        let next = if self.level < due { due } else { limits.resting_level(self.level, value) };
        if next == Level::Normal && !crossed.contains(&true) {
            return self.come_to_rest();
        }
        let excursion = self.count(limits, at, value, next, false);
        let from = std::mem::replace(&mut self.level, next);
        if from != Level::Normal && next == Level::Normal {
            // Only figures of levels in the wrong order come here: a higher level is crossed while a lower one ends.
            *self = Self { seen_rest: self.seen_rest, ..Self::default() };
        }
        let news = match (from == next, doubted) {
            (false, _) => News::Level,
            (true, true) => News::Confirmed,
            (true, false) => return None,
        };
        Some(Change { news, from, to: next, excursion })
    }

    /// Passes over an observation that comes too late to decide anything, after every one before: what began there began
    /// unseen. Whether that changed anything.
    pub(super) fn pass_over(&mut self, limits: &Limits, value: f64, flag: Flag) -> bool {
        let seen_rest = flag != Flag::Suspect && limits.at_rest(value);
        self.is_at_rest() && std::mem::replace(&mut self.seen_rest, seen_rest) != seen_rest
    }

    /// A suspect observation raises and goes on with what is raised; it ends nothing, lowers nothing and breaks no hold.
    fn suspect(&mut self, limits: &Limits, at: UtcMillis, value: f64, crossed: [bool; 3]) -> Option<Change> {
        if self.excursion.is_none() && !crossed.contains(&true) {
            return None;
        }
        self.hold(limits, at, crossed);
        let next = self.due(limits, at, crossed).max(self.level);
        // One that says that nothing is crossed is no value of the stretch: it neither ends it nor belongs to it.
        let excursion = match self.excursion {
            Some(excursion) if limits.at_rest(value) => excursion,
            None if limits.at_rest(value) => return None,
            Some(_) | None => self.count(limits, at, value, next, true),
        };
        let from = std::mem::replace(&mut self.level, next);
        if from != next {
            self.doubts = 0;
            return Some(Change { news: News::Level, from, to: next, excursion });
        }
        if limits.resting_level(next, value) == next || UNCONFIRMED_AFTER <= self.doubts {
            return None;
        }
        self.doubts += 1;
        let told = UNCONFIRMED_AFTER <= self.doubts;
        told.then_some(Change { news: News::Unconfirmed, from, to: next, excursion })
    }

    /// Goes on with the holds of the levels that are crossed; behind a gap they begin anew, and with them a stretch in
    /// which nothing has been raised.
    fn hold(&mut self, limits: &Limits, at: UtcMillis, crossed: [bool; 3]) {
        for (hold, _) in self.crossed.iter_mut().zip(crossed).filter(|(_, crossed)| *crossed) {
            let joined = hold.filter(|hold| !is_gap(at.since(hold.last), limits.interval_ms));
            *hold = Some(joined.map_or(Hold { since: at, last: at }, |hold| Hold {
                since: hold.since.min(at),
                last: hold.last.max(at),
            }));
        }
        let begins = |hold: &Hold| hold.since == at;
        if self.level == Level::Normal && self.crossed.iter().flatten().all(begins) {
            self.excursion = None;
        }
    }

    /// The highest crossed level that has been crossed for long enough.
    fn due(&self, limits: &Limits, at: UtcMillis, crossed: [bool; 3]) -> Level {
        let long_enough = |hold: &Option<Hold>| hold.is_some_and(|hold| limits.hold_ms <= at.since(hold.since));
        let levels = Level::RAISED.into_iter().zip(&self.crossed).zip(crossed).rev();
        let mut due = levels.filter(|((_, hold), crossed)| *crossed && long_enough(hold));
        due.next().map_or(Level::Normal, |((level, _), _)| level)
    }

    /// Adds an observation to the stretch that goes on.
    fn count(&mut self, limits: &Limits, at: UtcMillis, value: f64, next: Level, suspect: bool) -> Excursion {
        let excursion = self.excursion.get_or_insert(Excursion::begun(at, value, !self.seen_rest));
        if limits.is_worse(excursion.worst, value) {
            (excursion.worst, excursion.worst_at) = (value, at);
        }
        excursion.count += 1;
        excursion.suspect += u64::from(suspect);
        excursion.peak = excursion.peak.max(next);
        *excursion
    }

    fn come_to_rest(&mut self) -> Option<Change> {
        let before = std::mem::replace(self, Self { seen_rest: self.seen_rest, ..Self::default() });
        let raised = before.level != Level::Normal;
        let ended = |excursion| Change { news: News::Level, from: before.level, to: Level::Normal, excursion };
        before.excursion.filter(|_| raised).map(ended)
    }
}
