//! One value with its times.

use bakau_model::{Observation, UtcMillis};

/// A value to judge, with its times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was measured, by the clock of whoever stamped it.
    pub at: UtcMillis,
    /// The value; `None` (and anything that is no finite number) is a missing one.
    pub value: Option<f64>,
    /// When it arrived, by our clock.
    pub received_at: UtcMillis,
}

/// One that arrived the moment it was measured.
impl From<(UtcMillis, Option<f64>)> for Sample {
    fn from((at, value): (UtcMillis, Option<f64>)) -> Self {
        Self { at, value, received_at: at }
    }
}

impl From<&Observation> for Sample {
    fn from(observation: &Observation) -> Self {
        let Observation { observed_at: at, value, received_at, .. } = *observation;
        Self { at, value, received_at }
    }
}
