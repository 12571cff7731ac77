//! History: what was observed.

use bakau_model::{DatastreamName, QualityTest, Reason, TimeSource, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FlagCode, Time, told};

/// A page of the history of one datastream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObservationPage {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Unit of its values (UCUM).
    pub unit: Unit,
    /// IANA zone of local times.
    pub time_zone: String,
    /// The tests, in the order of the flags in `tests` of each observation.
    pub tests: Vec<QualityTest>,
    /// Earliest first.
    pub observations: Vec<Observation>,
    /// Address of the next page, also in the Link header; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// One observation. The API writes it by hand, because a year of minutes must not cost an allocation each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observation {
    /// When the environment had the value.
    pub observed_at: Time,
    /// The same with the offset of the zone; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub observed_at_local: Option<String>,
    /// Instrument value in the canonical unit, before calibration; null where the device said that it has none.
    #[schema(required)]
    pub value: Option<f64>,
    /// Of a counter, whose value is the reading: what was counted since the reading before; null where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<f64>)]
    pub increment: Option<Option<f64>>,
    /// Its quality.
    pub flag: FlagCode,
    /// One flag per test, in the order of the page's member `tests`.
    pub tests: String,
    /// Why it is doubted; only where it is suspect or fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Who stamped `observed_at`.
    pub time_source: TimeSource,
    /// When Bakau received it.
    pub received_at: Time,
    /// 1, and one more with each correction.
    pub revision: u32,
}
