//! Kinds of stations, and what they say about being there.

use serde::{Deserialize, Serialize};

use crate::{StationId, UtcMillis};

crate::words! {
    /// What environment a station measures.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    pub serde enum StationKind {
        /// Ambient air.
        Air => "air",
        /// River, lake or sea water.
        Water => "water",
        /// Mangrove area.
        Mangrove => "mangrove",
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
