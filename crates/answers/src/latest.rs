//! Present values.

use bakau_model::{DatastreamName, Parameter, QualityTest, Reason, StationId, TimeSource, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FlagCode, Time, told};

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
    /// The value; null where the device said that it has none.
    #[schema(required)]
    pub value: Option<f64>,
    /// Of a counter, whose value is the reading: what was counted since the reading before; null where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<f64>)]
    pub increment: Option<Option<f64>>,
    /// Its quality.
    pub flag: FlagCode,
    /// One flag per test, in the order of the list's member `tests`; spike waits for the next value.
    pub tests: String,
    /// Why it is doubted; only where it is suspect or fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Who stamped `observed_at`.
    pub time_source: TimeSource,
    /// When Bakau received it.
    pub received_at: Time,
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
