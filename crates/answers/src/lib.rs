//! What the API says, as types: `api` builds them, `dashboards` draws them, the command line reads them, and the OpenAPI
//! document describes them.
//!
//! A comment on a field is its description in the document, so it says what a client has to know, with units. Instants are
//! told in UTC ([`Time`]), most of them once more in the zone of the platform (`*_local`), for people and spreadsheets.

mod aggregate;
mod alert;
mod event;
mod flag;
mod latest;
mod ledger;
mod observation;
mod problem;
mod readiness;
mod rule;
mod source;
mod station;
mod status;
mod time;
mod value;

pub use aggregate::{Aggregates, Bucket, BucketLabel, BucketStep, Statistic, Summed};
pub use alert::{
    Acknowledged, Acknowledgement, AcknowledgementState, Alert, AlertDetail, AlertList, Delivery, Episode,
    Notification, SettledHistory, Transition,
};
pub use event::{AlertEvent, Event, LevelsEvent, ReloadEvent, ReloadReason, StationEvent, StatusEvent, ValueEvent};
pub use flag::FlagCode;
pub use latest::{ClockAhead, LatestList, LatestValue};
pub use ledger::{Ledger, LedgerLine, QuarantineList, QuarantineRow};
pub use observation::{Observation, ObservationPage};
pub use problem::{Problem, ProblemType};
pub use readiness::{AgencyReadiness, Check, LastDay, Readiness};
pub use rule::{LevelCondition, Rule, RuleDetail, RuleList, RuleTarget};
pub use source::{ExternalBroker, Source, SourceList, SourceState};
pub use station::{
    Agency, City, Datastream, DatastreamDetail, DatastreamList, Deployment, DeviceClock, Instrument, PendingLevel,
    PresentValue, Site, Station, StationDetail, StationList, StationState, StationStatus,
};
pub use status::{
    AlertsStatus, ChannelStatus, DeliveryFault, OutboxStatus, SpoolStatus, Status, StoreError, StoreStatus,
};
pub use time::Time;
pub use value::{MeasuredValue, TestedValue};

/// Reads a member that is there and `null` as `Some(None)`, and one that is not there as `None`.
fn told<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}
