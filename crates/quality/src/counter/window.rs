//! Where readings of a counter stop to matter for each other.
//!
//! Both look for a plain step between two usable readings of which neither can be out of place, whatever stands before
//! them. A reading is out of place only behind one that came at once and arrived later, at the latest [`SET_BACK_MS`] after
//! its own time. So a reading is in place when it arrived after all that came at once before it, and so long after the
//! time of everything that is not looked at.

use bakau_model::{Counter, Decimal, Flag, QualityLimits, UtcMillis};

use super::{SET_BACK_MS, came_at_once, is_reading, range};
use crate::Sample;

/// A reading that can be one of the counter.
#[derive(Debug, Clone, Copy)]
struct Usable {
    at: UtcMillis,
    value: f64,
    received_at: UtcMillis,
}

impl Usable {
    fn of(counter: &Counter, Sample { at, value, received_at }: Sample) -> Option<Self> {
        let value = value.filter(|&value| is_reading(counter, value))?;
        Some(Self { at, value, received_at })
    }

    /// The arrival before which readings behind it are out of place; nothing where it came late.
    fn arrival(&self) -> Option<UtcMillis> {
        came_at_once(self.at, self.received_at).then_some(self.received_at)
    }
}

/// Whether nothing before two usable readings in a row matters once both are known and in place.
fn is_plain_step(limits: &QualityLimits, counter: &Counter, from: &Usable, to: &Usable) -> bool {
    from.value <= to.value
        && from.received_at <= to.received_at
        && range(limits, counter, to.at.since(from.at), Decimal::difference(to.value, from.value)) != Flag::Fail
}

/// Whether a reading arrived so long after everything up to an instant that nothing there can put it out of place.
fn is_past(instant: UtcMillis, received_at: UtcMillis) -> bool {
    instant.saturating_add(SET_BACK_MS) <= received_at
}

/// Looks back from an instant, newest reading first, for the step before which nothing matters.
#[derive(Debug, Clone, Copy)]
pub struct LookBack<'a> {
    limits: &'a QualityLimits,
    counter: &'a Counter,
    /// The usable reading seen before, which is later.
    later: Option<Usable>,
    /// A plain step that may still be out of place: when its first reading arrived, and the instant of its second.
    step: Option<(UtcMillis, UtcMillis)>,
}

impl<'a> LookBack<'a> {
    /// Nothing seen yet; `None` where the limits are not those of a counter.
    #[must_use]
    pub fn of(limits: &'a QualityLimits) -> Option<Self> {
        limits.counter.as_ref().map(|counter| Self { limits, counter, later: None, step: None })
    }

    /// Takes the next older reading. Where nothing older matters any more, the instant of the later reading of the step:
    /// what is said of readings up to there, nothing behind it can change.
    pub fn closed_by(&mut self, reading: Sample) -> Option<UtcMillis> {
        let usable = Usable::of(self.counter, reading);
        if let Some((arrived, to)) = self.step {
            if usable.and_then(|usable| usable.arrival()).is_some_and(|arrival| arrived < arrival) {
                self.step = None;
            } else if is_past(reading.at, arrived) {
                return Some(to);
            }
        }
        let from = usable?;
        let to = self.later.replace(from)?;
        if self.step.is_none() && is_plain_step(self.limits, self.counter, &from, &to) {
            self.step = Some((from.received_at, to.at));
        }
        None
    }
}

/// Looks ahead from changed readings, oldest first, for the step behind which nothing has changed.
#[derive(Debug, Clone, Copy)]
pub struct LookAhead<'a> {
    limits: &'a QualityLimits,
    counter: &'a Counter,
    /// The last reading that changed.
    changed: Option<UtcMillis>,
    /// The latest arrival of a reading that came at once.
    arrived: Option<UtcMillis>,
    /// The usable reading before, where it has not changed and is in place.
    from: Option<Usable>,
}

impl<'a> LookAhead<'a> {
    /// Nothing seen yet; `None` where the limits are not those of a counter.
    #[must_use]
    pub fn of(limits: &'a QualityLimits) -> Option<Self> {
        limits.counter.as_ref().map(|counter| Self { limits, counter, changed: None, arrived: None, from: None })
    }

    /// Takes the next reading, and whether it changed. Where nothing behind it has changed, its instant.
    ///
    /// Readings are taken from so far back on that nothing before them matters ([`LookBack`]).
    pub fn closed_by(&mut self, reading: Sample, has_changed: bool) -> Option<UtcMillis> {
        if has_changed {
            self.changed = Some(reading.at);
            self.from = None;
        }
        let to = Usable::of(self.counter, reading)?;
        let is_closed = self.from.is_some_and(|from| is_plain_step(self.limits, self.counter, &from, &to));
        let is_in_place = self.arrived <= Some(to.received_at)
            && self.changed.is_some_and(|changed| changed < to.at && is_past(changed, to.received_at));
        self.from = is_in_place.then_some(to);
        self.arrived = self.arrived.max(to.arrival());
        is_closed.then_some(to.at)
    }
}
