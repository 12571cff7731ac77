//! A clock that is ahead: values from a time that has not come yet.
//!
//! A device whose clock is minutes fast stamps values with instants in the future. They are kept as they are, and wait for
//! their time in rules and among present values; here they are only told apart from the rest.

use bakau_model::{Flag, UtcMillis};

/// By how much a value may be stamped later than it arrived: so far apart are clocks that nobody would call wrong.
pub const CLOCK_TOLERANCE_MS: i64 = 30_000;

/// By how many milliseconds the clock that stamped a value is ahead of ours; `None` within [`CLOCK_TOLERANCE_MS`], and for
/// a clock that is behind, which looks like a message that was long on its way.
#[must_use]
pub fn clock_ahead_ms(observed_at: UtcMillis, received_at: UtcMillis) -> Option<i64> {
    Some(observed_at.since(received_at)).filter(|ahead| CLOCK_TOLERANCE_MS < *ahead)
}

/// The test `clock`: *suspect* for a value from a clock that is ahead, else not evaluated, because a time that may be
/// right is no reason to call a value good.
#[must_use]
pub fn clock(observed_at: UtcMillis, received_at: UtcMillis) -> Flag {
    match clock_ahead_ms(observed_at, received_at) {
        Some(_) => Flag::Suspect,
        None => Flag::NotEvaluated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_when_a_value_is_stamped_more_than_30_seconds_after_it_arrived() {
        let test = |observed_at: i64, received_at: i64| clock(UtcMillis::new(observed_at), UtcMillis::new(received_at));
        assert_eq!((test(30_000, 0), test(30_001, 0)), (Flag::NotEvaluated, Flag::Suspect));
        assert_eq!(test(-3_600_000, 0), Flag::NotEvaluated, "what was long on its way");
        assert_eq!((test(i64::MAX, i64::MIN), test(i64::MIN, i64::MAX)), (Flag::Suspect, Flag::NotEvaluated));
        assert_eq!(clock_ahead_ms(UtcMillis::new(240_000), UtcMillis::new(0)), Some(240_000));
    }
}
