//! Pause before a failed write is tried again; pure.

use std::time::Duration;

use bakau_model::Backoff;

use crate::{StoreError, StoreErrorKind};

/// Pauses after failures that may pass by themselves.
const PASSING: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15)).spread(0.5, 1.0);
/// Pauses while settings must change first: rare, yet short enough to notice the change soon.
const REFUSED: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60)).spread(0.5, 1.0);
/// Longest pause that a server may ask for; longer ones are mistakes.
const LONGEST_WANTED: Duration = Duration::from_secs(300);

/// The pause before the next attempt.
///
/// `failures` counts those in a row, from 1; `random` from 0 to 1 spreads attempts over half of the pause, so that many
/// writers do not come back at once. The pause that the server asks for is the least.
#[must_use]
pub fn pause(error: &StoreError, failures: u32, random: f64) -> Duration {
    let pauses = if error.kind() == StoreErrorKind::Refused { REFUSED } else { PASSING };
    let wanted = error.wanted_pause().map_or(Duration::ZERO, |wanted| wanted.min(LONGEST_WANTED));
    let beyond = pauses.spread_by(wanted.min(pauses.doubled(failures)), random) / 2;
    pauses.pause(failures, random).max(wanted + beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: StoreErrorKind, wanted: Option<u64>) -> StoreError {
        StoreError::new(kind, "no").retry_after(wanted.map(Duration::from_secs))
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread() {
        let passing = error(StoreErrorKind::Unavailable, None);
        let pauses: Vec<u128> = [1, 2, 3, 7, 8, u32::MAX].map(|n| pause(&passing, n, 1.0).as_millis()).to_vec();
        assert_eq!(pauses, [200, 400, 800, 12_800, 15_000, 15_000]);
        assert_eq!(pause(&passing, 1, 0.0).as_millis(), 100);
        assert_eq!(pause(&passing, 1, f64::MAX).as_millis(), 200);
    }

    #[test]
    fn what_is_refused_is_tried_rarely() {
        let refused = error(StoreErrorKind::Refused, None);
        assert_eq!([1, 5, 6, 99].map(|n| pause(&refused, n, 1.0).as_secs()), [2, 32, 60, 60]);
    }

    #[test]
    fn the_other_side_is_left_alone_as_long_as_it_wants_within_reason() {
        let busy = |seconds| error(StoreErrorKind::Unavailable, Some(seconds));
        assert!((Duration::from_secs(40)..Duration::from_secs(41)).contains(&pause(&busy(40), 1, 0.5)));
        assert_eq!(pause(&busy(0), 9, 1.0), Duration::from_secs(15), "nothing wanted is no reason to hurry");
        for random in [0.0, 0.5, 1.0] {
            assert!(pause(&busy(u64::MAX), 9, random) <= LONGEST_WANTED + PASSING.longest());
        }
    }
}
