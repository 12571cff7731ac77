//! The flat-line test: least and greatest value per slot of event time, enough for a window that slides by slots.

use bakau_model::{Flag, FlatLine, UtcMillis};

/// Slots per longest window. Slots are counted from 1970, so a window is the same however its values arrived.
pub const FLAT_SLOTS: usize = 16;

/// A window begins anywhere in its first slot, so it touches one slot more.
const SPANS: usize = FLAT_SLOTS + 1;

/// Least and greatest value; `min > max` where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    min: f64,
    max: f64,
}

impl Span {
    const EMPTY: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY };

    fn join(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// The longest window of these limits; `None` when the test is off.
pub(crate) fn longest_window_ms(limits: &FlatLine) -> Option<i64> {
    let windows = [limits.suspect_s, limits.fail_s].into_iter().flatten();
    windows.max().filter(|&seconds| seconds != 0).map(window_ms)
}

/// The length of a slot for a longest window.
pub(crate) const fn slot_ms(longest_window_ms: i64) -> i64 {
    let slots = FLAT_SLOTS as i64;
    (longest_window_ms + slots - 1) / slots
}

fn window_ms(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000
}

/// An unbroken run of neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    /// Its first value; `None` before the first.
    since: Option<UtcMillis>,
    slot_ms: i64,
    /// Number of the slot that `spans` starts with.
    slot: i64,
    /// Newest slot first.
    spans: [Span; SPANS],
}

impl Run {
    pub(crate) const EMPTY: Self = Self { since: None, slot_ms: 0, slot: 0, spans: [Span::EMPTY; SPANS] };

    /// Takes the next value of the run in and judges it.
    pub(crate) fn judge(&mut self, limits: &FlatLine, at: UtcMillis, value: f64) -> Flag {
        let Some(longest) = longest_window_ms(limits) else { return Flag::NotEvaluated };
        self.add(slot_ms(longest), at, value);
        let flat_for = |seconds: Option<u32>| {
            let seconds = seconds.filter(|&seconds| seconds != 0)?;
            self.is_flat(window_ms(seconds), at, limits.tolerance)
        };
        match (flat_for(limits.fail_s), flat_for(limits.suspect_s)) {
            (Some(true), _) => Flag::Fail,
            (_, Some(true)) => Flag::Suspect,
            (Some(false), _) | (_, Some(false)) => Flag::Good,
            (None, None) => Flag::NotEvaluated,
        }
    }

    fn add(&mut self, slot_ms: i64, at: UtcMillis, value: f64) {
        let slot = at.get().div_euclid(slot_ms);
        if self.since.is_none() || self.slot_ms != slot_ms {
            *self = Self { since: Some(at), slot_ms, slot, spans: [Span::EMPTY; SPANS] };
        }
        let moved = usize::try_from(slot.saturating_sub(self.slot)).unwrap_or(0).min(SPANS);
        if moved != 0 {
            self.spans.copy_within(..SPANS - moved, moved);
            self.spans[..moved].fill(Span::EMPTY);
            self.slot = slot;
        }
        self.spans[0] = self.spans[0].join(Span { min: value, max: value });
    }

    /// Whether nothing moved over the window that ends at the newest value; `None` while the run is shorter.
    fn is_flat(&self, window_ms: i64, at: UtcMillis, tolerance: f64) -> Option<bool> {
        let start = at.saturating_add(-window_ms);
        if self.since.is_none_or(|since| start < since) {
            return None;
        }
        let behind = self.slot.saturating_sub(start.get().div_euclid(self.slot_ms));
        let spans = usize::try_from(behind).unwrap_or(0).min(FLAT_SLOTS);
        let all = self.spans[..=spans].iter().fold(Span::EMPTY, |all, span| all.join(*span));
        Some(all.max - all.min <= tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: FlatLine = FlatLine { tolerance: 0.02, suspect_s: Some(3_600), fail_s: Some(4 * 3_600) };

    fn run(values: impl IntoIterator<Item = (i64, f64)>) -> Vec<Flag> {
        let mut run = Run::EMPTY;
        values.into_iter().map(|(minute, value)| run.judge(&HOUR, UtcMillis::new(minute * 60_000), value)).collect()
    }

    #[test]
    fn a_stuck_value_is_not_evaluated_then_suspect_then_fails() {
        let flags = run((0..600).map(|minute| (minute, if minute % 2 == 0 { 7.0 } else { 7.01 })));
        let first = |flag: Flag| flags.iter().position(|&f| f == flag);
        assert_eq!(first(Flag::NotEvaluated), Some(0));
        assert_eq!((first(Flag::Suspect), first(Flag::Fail), first(Flag::Good)), (Some(60), Some(240), None));
    }

    #[test]
    fn a_slow_drift_is_no_flat_line() {
        // Less than the tolerance from one value to the next, more over an hour.
        let flags = run((0..600).map(|minute| (minute, minute as f64 * 0.001)));
        assert!(flags[60..].iter().all(|&flag| flag == Flag::Good), "{flags:?}");
    }

    #[test]
    fn the_first_move_ends_it() {
        let flags = run((0..300).map(|minute| (minute, if minute == 299 { 7.5 } else { 7.0 })));
        assert_eq!((flags[298], flags[299]), (Flag::Fail, Flag::Good));
    }
}
