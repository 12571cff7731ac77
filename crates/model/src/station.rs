//! Kinds of stations, and what they say about being there.

use serde::{Deserialize, Serialize};

use crate::{StationId, UtcMillis};

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

/// What an availability message or a last will says about a station: its device is there or gone.
///
/// Offline means silent at once, without waiting for a deadline; any observation received later, or an online status,
/// ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationStatus {
    /// The station.
    pub station: StationId,
    /// Whether its device is there.
    pub online: bool,
    /// Whether the broker had kept the message: it then tells the state of some earlier time, not news, so it must
    /// not override an observation received before.
    pub retained: bool,
    /// When Bakau received it.
    pub at: UtcMillis,
}
