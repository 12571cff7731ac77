//! Aggregates of an hour.

use bakau_model::{HOUR_MS, UtcMillis};

use crate::Sum;

/// The usable values of one datastream in one hour of UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Start of the hour.
    pub start: UtcMillis,
    /// Number of usable values.
    pub usable: u64,
    /// Sum of the values.
    pub sum: Sum,
    /// Least value; infinity when there is none.
    pub min: f64,
    /// Greatest value; minus infinity when there is none.
    pub max: f64,
    /// Instant of the last value.
    pub last_at: Option<UtcMillis>,
    /// Shortest time between one of them and the usable value before it, in this hour or not; at most an hour.
    pub gap_ms: i64,
}

impl Hour {
    /// Milliseconds of an hour.
    pub const MS: i64 = HOUR_MS;

    /// Start of the hour of an instant, in milliseconds.
    #[must_use]
    pub const fn start_of(at: i64) -> i64 {
        at.div_euclid(Self::MS).saturating_mul(Self::MS)
    }

    /// An hour without values.
    #[must_use]
    pub const fn empty(start: UtcMillis) -> Self {
        Self {
            start,
            usable: 0,
            sum: Sum::ZERO,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last_at: None,
            gap_ms: Self::MS,
        }
    }

    /// Adds a usable value; `previous` is the instant of the one before.
    pub fn add(&mut self, at: UtcMillis, value: f64, previous: Option<UtcMillis>) {
        self.usable += 1;
        self.sum.add(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last_at = self.last_at.max(Some(at));
        self.gap_ms = previous.map_or(self.gap_ms, |previous| self.gap_ms.min(at.since(previous)));
    }
}
