//! Whether the whole line works, and how ready agencies are.

use bakau_model::{AgencyId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Whether the whole line works, with reasons where it does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether every check works.
    pub ready: bool,
    /// What must work.
    pub checks: Vec<Check>,
}

/// One thing that must work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its stable key.
    pub check: String,
    /// Its name in the reader's language.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// What is wrong, as sentences in the reader's language.
    pub reasons: Vec<String>,
}

/// How many stations and datastreams of an agency have a current value, and how much of the last day is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgencyReadiness {
    /// The agency.
    pub id: AgencyId,
    /// Its name.
    pub name: Text,
    /// Its stations.
    pub stations: u32,
    /// Those that report.
    pub stations_reporting: u32,
    /// What they measure.
    pub datastreams: u32,
    /// Those with a current value.
    pub datastreams_current: u32,
    /// Null while it is not known; counted anew every few minutes when asked for.
    #[schema(required)]
    pub last_24h: Option<LastDay>,
}

/// How much of what was expected in the last 24 whole hours is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LastDay {
    /// Where the day begins.
    pub from: Time,
    /// The same in the zone of the platform.
    #[schema(format = DateTime)]
    pub from_local: String,
    /// Where it ends.
    pub to: Time,
    /// The same in the zone of the platform.
    #[schema(format = DateTime)]
    pub to_local: String,
    /// Usable values.
    pub observed: u64,
    /// Values expected by the declared intervals.
    pub expected: u64,
    /// Share of the expected intervals that usable values stand for, 0 to 1.
    #[schema(required)]
    pub completeness: Option<f64>,
}
