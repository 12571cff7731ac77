//! History: what was observed.

use bakau_model::{DatastreamName, QualityTest, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{TestedValue, Time};

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
    /// The value.
    #[serde(flatten)]
    pub tested: TestedValue,
    /// 1, and one more with each correction.
    pub revision: u32,
}
