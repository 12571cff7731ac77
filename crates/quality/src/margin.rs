//! How far values matter for each other in event time.

use bakau_model::{Counter, HOUR_MS, QualityLimits};

use crate::flat;

/// The longest gap between neighbours: two hours, so that an hourly station may miss one value.
///
/// Further apart, tide and daily course change a value by more than any sensible step.
pub const NEIGHBOUR_GAP_MS: i64 = 2 * HOUR_MS;

/// A spike is judged only where the longer of the two gaps around it is at most so many times the shorter one.
///
/// Two lost values in a row are still bridged; beyond that the mean of the neighbours says little about the time between.
pub const GAP_RATIO: i64 = 3;

/// Intervals within which a counter that fell must be back for the fall to be a glitch, where that is more than
/// [`NEIGHBOUR_GAP_MS`].
const GLITCH_INTERVALS: i64 = 3;

/// How long after the reading before a fall the one after it must be, for the fall to be a glitch.
#[must_use]
pub fn glitch_gap_ms(counter: &Counter) -> i64 {
    NEIGHBOUR_GAP_MS.max(counter.interval_ms.saturating_mul(GLITCH_INTERVALS))
}

/// How far away in event time, in milliseconds, other values matter for the results of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Margin {
    /// How far values before it matter.
    pub before: i64,
    /// How far values after it matter.
    pub after: i64,
}

impl Margin {
    /// How much has to be read before an instant to continue there as if nothing had been forgotten: the results of the
    /// value before it may still be revised, and these look back themselves.
    #[must_use]
    pub const fn to_resume(self) -> i64 {
        self.before + self.after
    }
}

/// How far values matter for each other under these limits.
///
/// A value that changes at an instant can change results from `after` before it to `before` after it. Readings of a counter
/// matter for the next one however far away that is: this is only where that usually ends ([`crate::LookBack`]).
#[must_use]
pub fn margin(limits: &QualityLimits) -> Margin {
    if let Some(counter) = &limits.counter {
        let gap = glitch_gap_ms(counter);
        return Margin { before: gap, after: gap };
    }
    let (spike, rate) = (limits.spike.is_some(), limits.rate_per_min.is_some());
    // The rate of a value looks past the value before it when that one is a spike; whether a code is repeated shows the
    // value before it.
    let neighbours = match (spike || rate, limits.codes.is_empty()) {
        (true, _) => 2 * NEIGHBOUR_GAP_MS,
        (false, false) => NEIGHBOUR_GAP_MS,
        (false, true) => 0,
    };
    let flat = limits.flat_line.as_ref().and_then(flat::longest_window_ms).map_or(0, |window| {
        // The value that shows the window to be filled may lie one gap before it.
        window + NEIGHBOUR_GAP_MS.max(flat::slot_ms(window))
    });
    Margin { before: neighbours.max(flat), after: if spike { NEIGHBOUR_GAP_MS } else { 0 } }
}
