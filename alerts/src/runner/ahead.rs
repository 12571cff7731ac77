//! Values from the future: what waits, and when it is taken.

use std::time::Duration;

use bakau_model::{Flag, Observation, UtcMillis};

use super::Runner;
use crate::{
    engine::{Input, Measured, Origin},
    metrics::METRICS,
};

impl Runner {
    /// Evaluates values from the future whose time has come, among those of right clocks as their times are.
    pub(super) fn take_due(&mut self, now: UtcMillis) {
        while let Some(observation) = self.ahead.take_due(now) {
            let judged = self.judge(&observation);
            let measured = Measured { waited: true, ..measured(&observation, judged, None) };
            self.decide(now, Input::Observation(measured), None, None);
        }
        METRICS.crowded_out.set(i64::try_from(self.ahead.crowded_out()).unwrap_or(i64::MAX));
    }

    /// How long it is until the time of the next value that waits.
    pub(super) fn until_due(&self) -> Duration {
        let ms = self.ahead.next().map_or(i64::MAX, |at| at.since(self.given.clock.now()));
        Duration::from_millis(ms.max(0).cast_unsigned()).min(self.given.commit_every)
    }
}

/// What the engine needs of an observation.
pub(super) const fn measured(
    observation: &Observation,
    (value, flag): (Option<f64>, Flag),
    origin: Option<Origin>,
) -> Measured {
    Measured {
        datastream: observation.datastream,
        observed_at: observation.observed_at,
        received_at: observation.received_at,
        value,
        flag,
        waited: false,
        origin,
    }
}
