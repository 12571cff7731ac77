//! Kinds of stations, and their status.

use serde::{Deserialize, Serialize};

use crate::{StationId, Text, UtcMillis};

crate::words! {
    /// What environment a station measures.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum StationKind {
        /// Ambient air.
        Air => "air",
        /// River, lake or sea water.
        Water => "water",
        /// Mangrove area.
        Mangrove => "mangrove",
    }
}

/// The class a river or lake is managed for (PP 22/2021, Lampiran VI).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WaterClass {
    /// 1 to 4.
    pub class: u8,
    /// The decree that assigns it, or on which assumption it stands.
    pub source: Text,
}

crate::words! {
    /// How far the values of an air station may be used.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum AirType {
        /// Reference-grade monitors: their index is official.
        Reference => "reference",
        /// Low-cost sensors: an index from them is shown as indicative.
        Lcs => "lcs",
    }
}

/// Status of a station by an availability message or a last will: its device is online or offline.
///
/// Offline counts as no data at once, without waiting for a deadline; any observation received later, or an online status,
/// ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationStatus {
    /// The station.
    pub station: StationId,
    /// Whether its device is online.
    pub online: bool,
    /// Whether the broker had retained the message: it is then of unknown age and must not override an observation
    /// received before.
    pub retained: bool,
    /// When Bakau received it.
    pub at: UtcMillis,
}
