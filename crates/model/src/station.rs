//! Kinds of stations.

use serde::{Deserialize, Serialize};

/// What environment a station measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StationKind {
    /// Ambient air.
    Air,
    /// River, lake or sea water.
    Water,
    /// Mangrove area.
    Mangrove,
}

impl StationKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Air, Self::Water, Self::Mangrove];

    /// The stable key used in the API and in message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Air => "air",
            Self::Water => "water",
            Self::Mangrove => "mangrove",
        }
    }
}
