//! Batches: what one commit of the spool hands on to the store and to the alert engine.

use derive_more::Display;
use serde::{Deserialize, Serialize};

use crate::{Observation, SourceName, StationStatus};

/// Position of a batch in the spool: 1 for the first, without gaps; 0 means "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Display, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Before the first batch.
    pub const START: Self = Self(0);

    /// Wraps a position.
    #[must_use]
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// The position as stored.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// An observation and which of its batch's sources it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourcedObservation {
    /// Index into [`Batch::sources`].
    pub source: u16,
    /// The observation.
    pub observation: Observation,
}

/// The observations and statuses of one durable commit, each in order of arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Position in the spool.
    pub seq: Seq,
    /// Revision of the registry that identified the readings.
    pub registry_revision: u64,
    /// The sources named in `observations`.
    pub sources: Vec<SourceName>,
    /// Observations in order of arrival.
    pub observations: Vec<SourcedObservation>,
    /// Statuses of stations, in order of arrival.
    pub statuses: Vec<StationStatus>,
}
