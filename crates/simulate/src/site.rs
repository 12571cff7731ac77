//! Places that are simulated: where they lie, what is there, what is measured.

use bakau_model::StationKind;

use crate::{channel::Channel, wire::Wire};

/// A city's weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// In the hills, about 900 m.
    Batu,
    /// On the plateau, about 450 m.
    Malang,
    /// On the north coast.
    Probolinggo,
    /// On the north coast.
    Pasuruan,
}

impl Region {
    pub(crate) const fn latitude(self) -> f64 {
        match self {
            Self::Batu => -7.87,
            Self::Malang => -7.98,
            Self::Probolinggo => -7.75,
            Self::Pasuruan => -7.65,
        }
    }

    pub(crate) const fn longitude(self) -> f64 {
        match self {
            Self::Batu => 112.53,
            Self::Malang => 112.63,
            Self::Probolinggo => 113.22,
            Self::Pasuruan => 112.91,
        }
    }

    pub(crate) const fn is_coast(self) -> bool {
        match self {
            Self::Probolinggo | Self::Pasuruan => true,
            Self::Batu | Self::Malang => false,
        }
    }

    /// Rain as a share of that of the plateau: more in the hills, less on the coast.
    pub(crate) const fn rainfall(self) -> f64 {
        match self {
            Self::Batu => 1.1,
            Self::Malang => 1.0,
            Self::Probolinggo | Self::Pasuruan => 0.8,
        }
    }

    /// Its own randomness.
    pub(crate) const fn stream(self) -> u64 {
        match self {
            Self::Batu => 0x4241_5455,
            Self::Malang => 0x4D41_4C41,
            Self::Probolinggo => 0x5052_4F42,
            Self::Pasuruan => 0x5041_5355,
        }
    }
}

/// A river's character.
#[derive(Debug, Clone, PartialEq)]
pub struct River {
    /// Flow between the seasons without rain, m3/s.
    pub base_flow_m3s: f64,
    /// What a millimetre per hour of runoff adds, m3/s.
    pub gain_m3s: f64,
    /// Rating curve: flow = `rating` * (level - `zero_m`)^1.6.
    pub rating: f64,
    /// Level of no flow, m over the local staff's zero.
    pub zero_m: f64,
    /// Hours between rain and flood.
    pub lag_h: f64,
    /// Share of the oxygen that waste takes at base flow.
    pub waste: f64,
    /// Conductivity at base flow, uS/cm.
    pub conductivity: f64,
    /// Turbidity without rain, NTU.
    pub turbidity: f64,
    /// NTU that the first flush of a millimetre per hour brings.
    pub silt: f64,
    /// pH at base flow.
    pub ph: f64,
}

impl River {
    /// The level of a flow, m over the local staff's zero.
    #[must_use]
    pub(crate) fn stage_of(&self, flow_m3s: f64) -> f64 {
        self.zero_m + (flow_m3s.max(0.0) / self.rating).powf(1.0 / 1.6)
    }
}

/// What is at a site.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Street air.
    Street {
        /// Traffic as a share of that of a main road.
        share_of_main_road: f64,
    },
    /// Weather alone.
    Weather,
    /// A river above the tide.
    River(River),
    /// A spring that feeds a waterworks.
    Spring,
    /// The lower reach of a river, where the tide comes in.
    TidalRiver,
    /// A quay in the harbour.
    Harbour,
    /// A mangrove creek.
    Creek,
    /// The floor of a mangrove forest.
    Soil,
}

/// A simulated place.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Station id, and part of its randomness.
    pub id: String,
    /// Whose weather it has.
    pub region: Region,
    /// Metres over the sea.
    pub elevation_m: f64,
    /// What is there.
    pub place: Place,
    /// What is measured.
    pub channels: Vec<Channel>,
    /// The device that sends it.
    pub wire: Wire,
}

impl Site {
    /// Whether its rain gauge says what it has counted since local midnight: an uplink that is lost then loses no rain.
    #[must_use]
    pub const fn counts_on(&self) -> bool {
        matches!(self.wire, Wire::Chirpstack(_))
    }

    /// The kind of station such a place is.
    #[must_use]
    pub const fn kind(&self) -> StationKind {
        match self.place {
            Place::Street { .. } | Place::Weather => StationKind::Air,
            Place::River(_) | Place::Spring | Place::TidalRiver | Place::Harbour => StationKind::Water,
            Place::Creek | Place::Soil => StationKind::Mangrove,
        }
    }
}
