//! Present values.

use bakau_model::{DatastreamName, Parameter, QualityTest, StationId, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{TestedValue, Time};

/// The present value of every datastream, or of one station's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatestList {
    /// The tests, in the order of the flags in `tests` of each value.
    pub tests: Vec<QualityTest>,
    /// By number of the datastream.
    pub latest: Vec<LatestValue>,
    /// Stations with a device clock that is ahead of ours; its values wait for their time.
    pub clocks_ahead: Vec<ClockAhead>,
}

/// The present value of a datastream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatestValue {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Its station.
    pub station: StationId,
    /// What is measured.
    pub parameter: Parameter,
    /// Unit of the value (UCUM).
    pub unit: Unit,
    /// When the environment had it.
    pub observed_at: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub observed_at_local: String,
    /// The value. The spike test waits for the next one.
    #[serde(flatten)]
    pub tested: TestedValue,
}

/// That the clock of a station's device is ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockAhead {
    /// The station.
    pub station: StationId,
    /// By how many seconds, as the newest reading says.
    #[schema(minimum = 0)]
    pub ahead_s: i64,
    /// When the first of these readings was received.
    pub since: Time,
    /// Whether it is so far ahead that every reading is refused.
    pub refused: bool,
}
