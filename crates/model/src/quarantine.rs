//! Why a message or a reading could not be used.

use serde::{Deserialize, Serialize};

crate::words! {
    /// The reason a message or one of its readings is in quarantine; its key is stable and translated in message files.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum QuarantineReason {
        /// The payload is not what the route's format expects (not JSON, too deep, wrong shape).
        Undecodable => "undecodable",
        /// A value is there but is no finite number.
        NotANumber => "not_a_number",
        /// The device that topic or payload name belongs to no station.
        UnknownDevice => "unknown_device",
        /// No registered datastream has that station, parameter and qualifier.
        UnknownDatastream => "unknown_datastream",
        /// The unit cannot be converted to the parameter's canonical unit.
        UnknownUnit => "unknown_unit",
        /// The time is no time.
        InvalidTime => "invalid_time",
        /// The time is before the source's accept window.
        TooOld => "too_old",
        /// The time is later than arrival by more than clocks may differ.
        InFuture => "in_future",
        /// More readings in one message than the limit.
        TooManyReadings => "too_many_readings",
    }
}
