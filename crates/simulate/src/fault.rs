//! Faults of stations, as data.

use std::time::Duration;

use bakau_model::{HOUR_MS, UtcMillis};
use serde::{Deserialize, Serialize};

use crate::noise;

/// Something wrong with a station for a while; offsets count from the start of its publishing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Begin, from the start of publishing.
    pub from: Duration,
    /// Duration.
    pub lasts: Duration,
}

/// Kinds of faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum FaultKind {
    /// Single values, about one in `one_in`, are off by half to all of `height`.
    Spike {
        /// The parameter.
        parameter: String,
        /// The most that is added to a value, in its unit.
        height: f64,
        /// About one message in so many; 1 is every one.
        one_in: u32,
    },
    /// The value of the first instant of the fault, again and again.
    Stuck {
        /// The parameter.
        parameter: String,
    },
    /// The value moves away.
    Drift {
        /// The parameter.
        parameter: String,
        /// Units per hour.
        per_hour: f64,
    },
    /// The station sends nothing.
    NoData,
    /// The device's clock is wrong.
    ClockJump {
        /// Seconds its clock is ahead (negative: behind).
        ahead_s: i64,
    },
    /// The sonde hangs in the air: air temperature, no salt, oxygen of air, no level.
    OutOfWater,
    /// The value goes in a straight line to `to` and stays there.
    Crossing {
        /// The parameter.
        parameter: String,
        /// Value at the end of the ramp, in its unit.
        to: f64,
        /// How long the ramp takes.
        ramp: Duration,
    },
}

/// A fault at an instant: the part of it that applies.
pub(crate) struct Active<'a> {
    pub(crate) kind: &'a FaultKind,
    /// Start of the fault.
    pub(crate) began: UtcMillis,
    /// Milliseconds since then.
    pub(crate) for_ms: i64,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Fault {
    /// A fault that never ends.
    #[must_use]
    pub const fn lasting(kind: FaultKind, from: Duration) -> Self {
        Self { kind, from, lasts: Duration::MAX }
    }

    /// The fault at an instant, if it applies then.
    pub(crate) fn at(&self, start: UtcMillis, now: UtcMillis) -> Option<Active<'_>> {
        let began = start.saturating_add(millis(self.from));
        let for_ms = now.since(began);
        (0 <= for_ms && for_ms < millis(self.lasts)).then_some(Active { kind: &self.kind, began, for_ms })
    }
}

impl Active<'_> {
    /// The value of a parameter under this fault. `honest` gives the value the station would have at an instant.
    pub(crate) fn apply(
        &self,
        parameter: &str,
        value: f64,
        now: UtcMillis,
        honest: &dyn Fn(UtcMillis) -> f64,
    ) -> Option<f64> {
        match self.kind {
            FaultKind::Spike { parameter: of, height, one_in } if of == parameter => {
                let draw = |what: u64| noise::white(noise::stream(of), what, now.get()) / 2.0 + 0.5;
                let is_hit = draw(0x5350_494B) * f64::from((*one_in).max(1)) < 1.0;
                Some(if is_hit { value + height * (0.5 + 0.5 * draw(0x4849_4748)) } else { value })
            }
            FaultKind::Stuck { parameter: of } if of == parameter => Some(honest(self.began)),
            FaultKind::Drift { parameter: of, per_hour } if of == parameter => {
                Some(value + per_hour * self.for_ms as f64 / HOUR_MS as f64)
            }
            FaultKind::Crossing { parameter: of, to, ramp } if of == parameter => {
                let from = honest(self.began);
                let share = self.for_ms as f64 / (millis(*ramp).max(1)) as f64;
                // The scatter of the instrument stays, so that the line does not look drawn.
                let scatter = 0.01 * (to - from).abs().max(0.01) * noise::white(1, noise::stream(of), now.get());
                Some(from + (to - from) * share.min(1.0) + scatter)
            }
            FaultKind::OutOfWater => match parameter {
                "water_level" => None,
                "salinity" | "conductivity" => Some(0.0),
                "do" => Some(8.2),
                "water_temperature" => Some(value + 3.0),
                _ => Some(value),
            },
            FaultKind::Spike { .. }
            | FaultKind::Stuck { .. }
            | FaultKind::Drift { .. }
            | FaultKind::Crossing { .. }
            | FaultKind::NoData
            | FaultKind::ClockJump { .. } => Some(value),
        }
    }
}
