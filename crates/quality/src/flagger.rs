//! Many datastreams at once, for those who follow values as they arrive.

use std::collections::HashMap;

use bakau_model::{DatastreamId, Observation, QualityLimits};

use crate::{Judgement, Stream};

/// One datastream: its state, and the one before the newest value, for when that value is corrected.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    before_newest: Stream,
    now: Stream,
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
        self.tracks.insert(datastream, Track { before_newest: stream, now: stream });
    }

    /// Forgets a datastream.
    pub fn forget(&mut self, datastream: DatastreamId) {
        self.tracks.remove(&datastream);
    }

    /// Judges an observation: a newer one in full, one of the newest instant as a correction, an older one by its range.
    pub fn judge(&mut self, limits: &QualityLimits, observation: &Observation) -> Judgement {
        let track = self.tracks.entry(observation.datastream).or_default();
        let at = observation.observed_at;
        if track.now.newest() < Some(at) {
            track.before_newest = track.now;
        } else if track.now.newest() == Some(at) && track.before_newest.newest() < Some(at) {
            track.now = track.before_newest;
        }
        track.now.judge_received(limits, at, observation.value, observation.received_at)
    }
}
