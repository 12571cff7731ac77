//! Whom a technical alert concerns: the agencies, and kinds of stations, that are behind what it is about. Pure.

use bakau_model::{AgencyId, StationKind};
use bakau_registry::Station;
use serde::{Deserialize, Serialize};

/// An agency with a kind of its stations; people are chosen by both together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Concerned {
    pub(crate) agency: AgencyId,
    pub(crate) kind: Option<StationKind>,
}

impl Concerned {
    /// Whom an alert about a station concerns.
    pub(crate) fn of(station: &Station) -> Self {
        Self { agency: station.agency.clone(), kind: Some(station.kind) }
    }
}
