//! Quality control of many datastreams, for followers that see values as they arrive.

use std::collections::HashMap;

use bakau_model::{DatastreamId, Observation, QualityLimits, TestResults, UtcMillis};

use crate::{Judgement, Stream};

/// One datastream: its state, and the one before the newest value, for when that value is corrected.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    before_newest: Stream,
    now: Stream,
    /// The newest instant, when it has a number.
    number_at: Option<UtcMillis>,
}

/// The streams of many datastreams, for a follower that sees values in order of arrival and wants the best verdict at
/// once: present values, live rules.
///
/// A late value is judged by its range alone, and what it would change in later verdicts is not found out; the store
/// writer does that with the stored values around it.
#[derive(Debug, Default)]
pub struct Flagger {
    tracks: HashMap<DatastreamId, Track>,
}

impl Flagger {
    /// No datastream is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is a state for the datastream.
    #[must_use]
    pub fn knows(&self, datastream: DatastreamId) -> bool {
        self.tracks.contains_key(&datastream)
    }

    /// Continues a datastream from a state, such as one made from stored values after a start.
    pub fn resume(&mut self, datastream: DatastreamId, stream: Stream) {
        self.tracks.insert(datastream, Track { before_newest: stream, now: stream, number_at: None });
    }

    /// Forgets a datastream.
    pub fn forget(&mut self, datastream: DatastreamId) {
        self.tracks.remove(&datastream);
    }

    /// Judges an observation: a newer one in full, one of the newest instant as a correction, an older one by its range.
    ///
    /// A missing value replaces no number of its instant: it changes nothing.
    pub fn judge(&mut self, limits: &QualityLimits, observation: &Observation) -> Judgement {
        let track = self.tracks.entry(observation.datastream).or_default();
        let at = observation.observed_at;
        let is_number = observation.value.is_some_and(f64::is_finite);
        if !is_number && track.number_at == Some(at) {
            return Judgement { results: TestResults::NONE, increment: None, revises: None };
        }
        if is_number && track.now.newest() <= Some(at) {
            track.number_at = Some(at);
        }
        if track.now.newest() < Some(at) {
            track.before_newest = track.now;
        } else if track.now.newest() == Some(at) && track.before_newest.newest() < Some(at) {
            track.now = track.before_newest;
        }
        track.now.judge(limits, observation.into())
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::{DeploymentId, Flag, QualityTest, Step, TimeSource};

    use super::*;

    fn observation(minute: i64, value: Option<f64>) -> Observation {
        let at = UtcMillis::new(minute * 60_000);
        Observation {
            datastream: DatastreamId::new(1),
            observed_at: at,
            value,
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at: at,
            flag: Flag::NotEvaluated,
        }
    }

    #[test]
    fn a_missing_value_of_the_instant_of_a_number_changes_nothing_and_a_number_replaces_it() {
        let step = Some(Step { suspect: Some(1.0), fail: None });
        let limits = QualityLimits { rate_per_min: step, ..QualityLimits::default() };
        let rate = |values: &[(i64, Option<f64>)]| {
            let mut flagger = Flagger::new();
            let judged = values.iter().map(|&(minute, value)| flagger.judge(&limits, &observation(minute, value)));
            judged.last().map(|judgement| judgement.results.get(QualityTest::RateOfChange))
        };
        let plain = rate(&[(0, Some(1.0)), (1, Some(9.0)), (2, Some(9.0))]);
        assert_eq!(plain, Some(Flag::Good));
        assert_eq!(rate(&[(0, Some(1.0)), (1, Some(9.0)), (1, None), (2, Some(9.0))]), plain);
        assert_eq!(rate(&[(0, Some(1.0)), (1, None), (1, Some(9.0)), (2, Some(9.0))]), plain);
        assert_eq!(rate(&[(0, Some(1.0)), (1, None), (2, Some(9.0))]), Some(Flag::Suspect));
    }
}
