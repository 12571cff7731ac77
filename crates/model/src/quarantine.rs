//! Why a message or a reading could not be used.

use serde::{Deserialize, Serialize};

/// The reason a message or one of its readings is in quarantine; its key is stable and translated in message files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineReason {
    /// The payload is not what the route's format expects (not JSON, too deep, wrong shape).
    Undecodable,
    /// A value is there but is no finite number.
    NotANumber,
    /// The device that topic or payload name belongs to no station.
    UnknownDevice,
    /// No registered datastream has that station, parameter and qualifier.
    UnknownDatastream,
    /// The unit cannot be converted to the parameter's canonical unit.
    UnknownUnit,
    /// The time is no time.
    InvalidTime,
    /// The time is before the source's accept window.
    TooOld,
    /// The time is later than arrival by more than clocks may differ.
    InFuture,
    /// More readings in one message than the limit.
    TooManyReadings,
}

impl QuarantineReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Undecodable,
        Self::NotANumber,
        Self::UnknownDevice,
        Self::UnknownDatastream,
        Self::UnknownUnit,
        Self::InvalidTime,
        Self::TooOld,
        Self::InFuture,
        Self::TooManyReadings,
    ];

    /// The stable key used in the database, the API and message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::NotANumber => "not_a_number",
            Self::UnknownDevice => "unknown_device",
            Self::UnknownDatastream => "unknown_datastream",
            Self::UnknownUnit => "unknown_unit",
            Self::InvalidTime => "invalid_time",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::TooManyReadings => "too_many_readings",
        }
    }

    /// The reason of a stored key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.key() == key)
    }
}
