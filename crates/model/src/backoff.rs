//! Back-off: pauses between attempts; pure.

use std::time::Duration;

/// Pauses that double from a first one up to a longest one.
///
/// ```
/// use std::time::Duration;
/// let pauses = bakau_model::Backoff::new(Duration::from_secs(1), Duration::from_secs(5)).spread(0.5, 1.0);
/// assert_eq!([1, 2, 3, 9].map(|failures| pauses.pause(failures, 1.0).as_secs()), [1, 2, 4, 5]);
/// assert_eq!(pauses.pause(1, 0.0), Duration::from_millis(500));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    least: f64,
    most: f64,
}

impl Backoff {
    /// Pauses of exactly these lengths.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, least: 1.0, most: 1.0 }
    }

    /// Spreads each pause between these shares of its length, so that clients that failed together do not retry together.
    #[must_use]
    pub const fn spread(self, least: f64, most: f64) -> Self {
        Self { least, most, ..self }
    }

    /// The longest pause, before it is spread.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }

    /// The pause after so many failures in a row, from 1, before it is spread.
    #[must_use]
    pub fn doubled(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.saturating_sub(1).min(31)).min(self.longest)
    }

    /// A pause spread by a random number from 0 to 1.
    #[must_use]
    pub fn spread_by(self, pause: Duration, random: f64) -> Duration {
        pause.mul_f64(self.least + (self.most - self.least) * random.clamp(0.0, 1.0))
    }

    /// The pause after so many failures in a row, from 1, spread by a random number from 0 to 1.
    #[must_use]
    pub fn pause(self, failures: u32, random: f64) -> Duration {
        self.spread_by(self.doubled(failures), random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_however_often_it_failed() {
        let pauses = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let of = |failures| pauses.pause(failures, 0.7).as_millis();
        assert_eq!([0, 1, 2, 3, 9, 10, u32::MAX].map(of), [100, 100, 200, 400, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn pauses_are_spread_between_the_shares_and_never_beyond() {
        let later = Backoff::new(Duration::from_secs(5), Duration::from_secs(60)).spread(1.0, 1.2);
        assert_eq!(
            [-1.0, 0.0, 0.5, 1.0, f64::MAX].map(|r| later.pause(1, r).as_millis()),
            [5_000, 5_000, 5_500, 6_000, 6_000]
        );
    }
}
