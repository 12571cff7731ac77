//! Gaps in data: one rule for charts and for alerts.

/// The longest time between two values, in milliseconds, that is no gap: 2.5 expected intervals, so that one value may be
/// missing and the next may be late.
#[must_use]
pub const fn longest_joined_ms(interval_ms: i64) -> i64 {
    let interval_ms = if interval_ms < 1 { 1 } else { interval_ms };
    interval_ms.saturating_mul(2).saturating_add(interval_ms / 2)
}

/// Whether so many milliseconds between two values that are expected every `interval_ms` are a gap.
#[must_use]
pub const fn is_gap(apart_ms: i64, interval_ms: i64) -> bool {
    longest_joined_ms(interval_ms) < apart_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_and_a_half_intervals_are_none_and_more_is() {
        assert!(!is_gap(150_000, 60_000));
        assert!(is_gap(150_001, 60_000));
        assert!(!is_gap(i64::MAX, i64::MAX), "an interval that is not known has no gaps");
        assert!(is_gap(3, 0), "a nonsense interval is one millisecond");
    }
}
