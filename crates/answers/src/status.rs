//! How Bakau itself is doing.

use bakau_model::{ChannelId, Level, StoreKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AgencyReadiness, Check, Source, Time};

/// How Bakau itself is doing, in one answer.
///
/// ```
/// use bakau_answers::Status;
///
/// let status: Status = serde_json::from_str(
///     r#"{"now": "2026-03-10T09:00:00Z", "now_local": "2026-03-10T16:00:00+07:00", "version": "0.1.0",
///         "ready": false, "checks": [{"check": "store", "name": "Store", "ok": false, "reasons": ["It is full."]}],
///         "spool": null, "store": {"behind_batches": 3, "lag_ms": 4200, "kind": "embedded", "last_write_at": null,
///         "last_write_at_local": null, "last_error": null}, "alerts": {"behind_batches": 0, "lag_ms": 0,
///         "active": 2, "level": "siaga"}, "outbox": null, "sources": [], "agencies": [], "registry_revision": 1}"#,
/// )?;
/// let failing: Vec<&str> = status.checks.iter().filter(|check| !check.ok).map(|check| &*check.check).collect();
/// assert_eq!(failing, ["store"]);
/// assert_eq!(status.alerts.level, bakau_model::Level::Siaga);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// When the answer was made.
    pub now: Time,
    /// The same in the zone of the platform.
    #[schema(format = DateTime)]
    pub now_local: String,
    /// The version that runs.
    pub version: String,
    /// Whether every check works.
    pub ready: bool,
    /// What must work.
    pub checks: Vec<Check>,
    /// The spool; null where it cannot be read.
    #[schema(required)]
    pub spool: Option<SpoolStatus>,
    /// The store and how far it is behind the spool.
    pub store: StoreStatus,
    /// The rules and how far they are behind the spool.
    pub alerts: AlertsStatus,
    /// Notifications that nobody has yet; null where they cannot be read.
    #[schema(required)]
    pub outbox: Option<OutboxStatus>,
    /// Where messages come in.
    pub sources: Vec<Source>,
    /// How ready agencies are.
    pub agencies: Vec<AgencyReadiness>,
    /// Revision of the registry.
    pub registry_revision: u64,
}

/// What waits in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpoolStatus {
    /// Bytes not yet consumed.
    pub unconsumed_bytes: u64,
    /// Messages not yet consumed.
    pub unconsumed_messages: u64,
    /// Bytes allowed for what is not yet consumed; 0 where there is no bound.
    pub max_bytes: u64,
    /// Free bytes of the disk that holds the data; null where it cannot tell.
    #[schema(required)]
    pub disk_free_bytes: Option<u64>,
}

/// How the store is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoreStatus {
    /// Batches it has still to take.
    pub behind_batches: u64,
    /// How long the oldest of them has waited, in milliseconds; null where that cannot be read.
    #[schema(required, minimum = 0)]
    pub lag_ms: Option<i64>,
    /// What the store is.
    pub kind: StoreKind,
    /// When it last took something.
    #[schema(required)]
    pub last_write_at: Option<Time>,
    /// The same in the zone of the platform.
    #[schema(required, format = DateTime)]
    pub last_write_at_local: Option<String>,
    /// What went wrong last.
    #[schema(required)]
    pub last_error: Option<StoreError>,
}

/// What went wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreError {
    /// Why, as a word for programs: `unavailable`, `full`, `token`, `bucket`, ...
    pub key: String,
    /// Why, and what can be done about it.
    pub reason: String,
    /// Whether it goes on.
    pub present: bool,
    /// Since when it has gone wrong in a row.
    pub since: Time,
    /// When last.
    pub at: Time,
    /// The same in the zone of the platform.
    #[schema(format = DateTime)]
    pub at_local: String,
    /// Details that may name machines; with the admin token only.
    #[schema(required)]
    pub problem: Option<String>,
}

/// How the rules are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertsStatus {
    /// Batches they have still to take.
    pub behind_batches: u64,
    /// How long the oldest of them has waited, in milliseconds; null where that cannot be read.
    #[schema(required, minimum = 0)]
    pub lag_ms: Option<i64>,
    /// Alerts that are not closed.
    pub active: u64,
    /// The worst level of them.
    pub level: Level,
}

/// Notifications that nobody has yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxStatus {
    /// Whether there is anybody whom an alert could be told: a channel of a rule, or a notification route.
    pub has_recipients: bool,
    /// Notifications that nobody has yet.
    pub waiting: u64,
    /// Those of them that were tried at least once.
    pub retrying: u64,
    /// Notifications that were ever given up.
    pub failed: u64,
    /// Since when the oldest one waits.
    #[schema(required)]
    pub oldest_at: Option<Time>,
    /// For how many seconds the oldest one has waited.
    #[schema(required, minimum = 0)]
    pub oldest_age_s: Option<i64>,
    /// Channels that did not deliver in the last 24 hours, the one in most trouble first.
    pub channels: Vec<ChannelStatus>,
}

/// A channel that did not deliver lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelStatus {
    /// Its name in the registry.
    pub channel: ChannelId,
    /// Notifications that are tried again.
    pub retrying: u64,
    /// Notifications that were given up.
    pub failed: u64,
    /// The newest attempt.
    pub last_attempt_at: Time,
    /// The same in the zone of the platform.
    #[schema(format = DateTime)]
    pub last_attempt_at_local: String,
    /// What the newest attempt met.
    pub fault: DeliveryFault,
    /// What the receiver answered, by its protocol; null where it did not.
    #[schema(required)]
    pub code: Option<u16>,
    /// The receiver's own words, which may name people; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

/// Why a channel did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryFault {
    /// Nobody answered.
    NoAnswer,
    /// The receiver answered with a code.
    Answered,
    /// It cannot work as it is configured.
    NotConfigured,
}
