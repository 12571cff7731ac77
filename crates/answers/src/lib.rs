//! What the API says, as types: `api` builds them, `dashboards` draws them, the command line reads them, and the OpenAPI
//! document describes them.
//!
//! A comment on a field is its description in the document, so it says what a client has to know, with units. Instants are
//! told in UTC ([`Time`]), most of them once more in the zone of the platform (`*_local`), for people and spreadsheets.

mod readiness;
mod source;
mod status;
mod time;

pub use readiness::{AgencyReadiness, Check, LastDay, Readiness};
pub use source::{ExternalBroker, Source, SourceList, SourceState};
pub use status::{
    AlertsStatus, ChannelStatus, DeliveryFault, OutboxStatus, SpoolStatus, Status, StoreError, StoreStatus,
};
pub use time::Time;

/// Reads a member that is there and `null` as `Some(None)`, and one that is not there as `None`.
fn told<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}
