//! Values of an hour put together.

use bakau_model::UtcMillis;

/// The usable values of one datastream in one hour of UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Its beginning.
    pub start: UtcMillis,
    /// How many there are.
    pub usable: u64,
    /// Their sum, as far as one number holds it.
    pub sum: f64,
    /// What rounding has lost of the sum (Neumaier), so that sums of hours give the mean that the values give.
    pub lost: f64,
    /// The least; infinity when there is none.
    pub min: f64,
    /// The greatest; minus infinity when there is none.
    pub max: f64,
    /// The last one.
    pub last_at: Option<UtcMillis>,
    /// Shortest time between one of them and the usable value before it, in this hour or not; at most an hour.
    pub gap_ms: i64,
}

impl Hour {
    /// Milliseconds of an hour.
    pub const MS: i64 = 3_600_000;

    /// An hour without values.
    #[must_use]
    pub const fn empty(start: UtcMillis) -> Self {
        Self {
            start,
            usable: 0,
            sum: 0.0,
            lost: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last_at: None,
            gap_ms: Self::MS,
        }
    }

    /// Adds a usable value; `previous` is the instant of the one before.
    pub fn add(&mut self, at: UtcMillis, value: f64, previous: Option<UtcMillis>) {
        self.usable += 1;
        let sum = self.sum + value;
        self.lost += if value.abs() <= self.sum.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last_at = self.last_at.max(Some(at));
        self.gap_ms = previous.map_or(self.gap_ms, |previous| self.gap_ms.min(at.since(previous)));
    }
}
