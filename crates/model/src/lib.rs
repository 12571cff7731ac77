//! The nouns of Bakau, used with the same words in code, API, pages and documents.
//!
//! Nothing here does I/O or reads a clock; every other crate depends on this one and this one on none of them.
//! Times are UTC milliseconds ([`UtcMillis`]); three of them are never mixed: `observed_at` (when the environment
//! had the value), `received_at` (when Bakau got it) and `decided_at` (when a rule acted).
//!
//! An id is checked where it is made:
//!
//! ```
//! use bakau_model::Parameter;
//!
//! assert_eq!(Parameter::new("pm25")?.as_str(), "pm25");
//! assert!(Parameter::new("PM2.5").is_err());
//! # Ok::<(), bakau_model::InvalidId>(())
//! ```

mod alert;
mod backoff;
mod batch;
mod declared;
mod envelope;
mod exact;
mod gap;
pub mod hex;
mod id;
mod ledger;
mod length;
mod level;
mod missing;
mod observation;
mod parameter;
mod principal;
mod quality;
mod quarantine;
mod reason;
mod rule;
mod secret;
mod share;
mod source;
mod state;
mod station;
mod store;
mod text;
mod time;
mod unit;
mod words;

pub use alert::{
    AlertId, ConditionKind, DeliveryVerdict, InvalidAlertId, NotificationKind, NotificationState, TransitionReason,
};
pub use backoff::Backoff;
pub use batch::{Batch, Seq, SourcedObservation};
pub use declared::{DeclaredCode, InvalidMissing, Missing, decimal, decimal_end, is_unit_text, trim};
pub use envelope::{Envelope, Qos};
pub use exact::Decimal;
pub use gap::{is_gap, longest_joined_ms};
pub use id::{
    AgencyId, ChannelId, CityId, DatastreamId, DatastreamName, DeploymentId, InstrumentId, InvalidId,
    NotificationRouteId, Parameter, PersonId, RouteId, RuleId, SourceName, StationId,
};
pub use ledger::{LedgerKey, MessageLedger, ReadingLedger};
pub use length::{LengthTooLong, RemainingLength};
pub use level::{Level, PerLevel};
pub use missing::{MissingCode, MissingCodes};
pub use observation::{Flag, Observation, TimeSource};
pub use parameter::ParameterInfo;
pub use principal::Principal;
pub use quality::{Counter, FlatLine, QualityLimits, QualityTest, Range, Step, TestResults};
pub use quarantine::QuarantineReason;
pub use reason::Reason;
pub use rule::{Direction, Threshold};
pub use secret::Secret;
pub use share::thousandths;
pub use source::{BlockedReason, SourceKind};
pub use state::{DatastreamFacts, Newest, State, StationFacts, datastream_state, station_state};
pub use station::{AirType, StationKind, StationStatus, WaterClass};
pub use store::StoreKind;
pub use text::{Language, Text};
pub use time::{DAY_MS, DAY_S, DEFAULT_ZONE, HOUR_MS, HOUR_S, InvalidTime, MINUTE_MS, SECOND_MS, UtcMillis};
pub use unit::{Conversion, GasReference, Unit, UnitError};
