//! Alerts: crossings of thresholds, and what sends no data or is down.

use bakau_model::{
    AgencyId, AlertId, ChannelId, ConditionKind, DatastreamName, DeliveryVerdict, Level, NotificationKind,
    NotificationState, PersonId, RuleId, SourceName, StationId, Text, TransitionReason, Unit,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FlagCode, Time, told};

/// A page of alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertList {
    /// The newest decision first.
    pub alerts: Vec<Alert>,
    /// Address of the next page, also in the Link header; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// An alert as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its identity, by rule, subject and onset.
    pub id: AlertId,
    /// The rule that raised it.
    pub rule: RuleId,
    /// The name of the rule at the last transition.
    pub rule_name: Text,
    /// What it is about.
    pub kind: ConditionKind,
    /// The agency that owned the station at the last transition; null where it is about a source.
    #[schema(required)]
    pub agency: Option<AgencyId>,
    /// The station; null where it is about a source.
    #[schema(required)]
    pub station: Option<StationId>,
    /// The datastream; null where it is about a whole station or a source.
    #[schema(required)]
    pub datastream: Option<DatastreamName>,
    /// The source, where it is about one.
    #[schema(required)]
    pub source: Option<SourceName>,
    /// The unit of its values (UCUM).
    #[schema(required)]
    pub unit: Option<Unit>,
    /// The level at present; normal once it is closed.
    pub level: Level,
    /// The worst level so far.
    pub peak: Level,
    /// IANA zone of its local times.
    pub time_zone: String,
    /// `observed_at` of the first observation of the crossing; of no data, when something was last heard or, where nothing
    /// ever was, from when it has been expected.
    pub onset: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub onset_local: String,
    /// Whether it may have begun before `onset`: no good value that is no crossing was seen before.
    pub onset_at_latest: bool,
    /// `observed_at` of the last transition; of no data, when it was decided.
    pub observed_at: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub observed_at_local: String,
    /// The value that made the last transition; of thresholds only.
    #[schema(required)]
    pub value: Option<f64>,
    /// The quality of that value.
    #[schema(required)]
    pub flag: Option<FlagCode>,
    /// The worst value of the episode up to the last transition: of all of it once closed.
    #[schema(required)]
    pub worst: Option<f64>,
    /// `observed_at` of the first observation with it.
    #[schema(required)]
    pub worst_at: Option<Time>,
    /// The same with the offset of the zone.
    #[schema(required, format = DateTime)]
    pub worst_at_local: Option<String>,
    /// When the first transition was decided.
    pub opened_at: Time,
    /// When the last transition was decided.
    pub decided_at: Time,
    /// When it was decided that it is over.
    #[schema(required)]
    pub closed_at: Option<Time>,
    /// The same with the offset of the zone.
    #[schema(required, format = DateTime)]
    pub closed_at_local: Option<String>,
    /// Why it is over.
    #[schema(required)]
    pub closed_reason: Option<TransitionReason>,
    /// Since when it cannot be confirmed: suspect values speak against it, they never end it.
    #[schema(required)]
    pub unconfirmed_since: Option<Time>,
    /// Whether and how far it is acknowledged.
    #[serde(flatten)]
    pub acknowledgement: AcknowledgementState,
    /// Who that was; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acknowledged_by: Option<String>,
    /// What they wrote; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<String>)]
    pub note: Option<Option<String>>,
}

/// Whether and how far an alert is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcknowledgementState {
    /// Whether somebody acknowledged it at the level that it has now, or at a higher one.
    pub acknowledged: bool,
    /// The highest level up to which it was acknowledged.
    #[schema(required)]
    pub acknowledged_level: Option<Level>,
    /// When that was.
    #[schema(required)]
    pub acknowledged_at: Option<Time>,
}

/// An alert with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertDetail {
    /// The alert as it stands.
    #[serde(flatten)]
    pub alert: Alert,
    /// Its decision log, oldest first.
    pub transitions: Vec<Transition>,
    /// Who acknowledged it, one per level, oldest first.
    pub acknowledgements: Vec<Acknowledged>,
    /// Who was told, oldest first; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub notifications: Option<Vec<Notification>>,
}

/// One line of the decision log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transition {
    /// Its place within the alert, 1 for the first.
    #[schema(minimum = 1)]
    pub sequence: u32,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// Why.
    pub reason: TransitionReason,
    /// When the environment had the deciding value.
    pub observed_at: Time,
    /// The deciding value; of thresholds only.
    #[schema(required)]
    pub value: Option<f64>,
    /// The quality of that value.
    #[schema(required)]
    pub flag: Option<FlagCode>,
    /// When it was decided.
    pub decided_at: Time,
    /// Registry revision of the rules in force.
    pub rule_revision: u64,
    /// Until when a mute held notifications back.
    #[schema(required)]
    pub muted_until: Option<Time>,
}

/// The acknowledgement of a level of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledged {
    /// The level up to which it holds; a higher one is to be acknowledged anew.
    pub level: Level,
    /// When.
    pub at: Time,
    /// Who; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<String>,
    /// What they wrote; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<String>)]
    pub note: Option<Option<String>>,
}

/// A notification owed to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notification {
    /// Its number in the outbox.
    pub id: i64,
    /// The number of the transition it tells of, in the decision log.
    pub transition: i64,
    /// Why it is sent.
    pub kind: NotificationKind,
    /// Who is told; null where a rule tells a webhook directly.
    #[schema(required)]
    pub person: Option<PersonId>,
    /// The channel.
    pub channel: ChannelId,
    /// Who gets it, in the channel's own words.
    pub recipient: String,
    /// Where it stands.
    pub state: NotificationState,
    /// Attempts made.
    pub attempts: u32,
    /// When it is tried next; null once it is not tried again.
    #[schema(required)]
    pub next_attempt_at: Option<Time>,
    /// What the last attempt said, or why it was cancelled.
    #[schema(required)]
    pub last_result: Option<String>,
    /// Every attempt, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// One attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// 1 for the first attempt.
    #[schema(minimum = 1)]
    pub attempt: u32,
    /// When it began.
    pub at: Time,
    /// What came of it.
    pub verdict: DeliveryVerdict,
    /// What the receiver answered, by its protocol; null where it did not.
    #[schema(required)]
    pub http_status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// What happened, in a sentence without secrets.
    pub detail: String,
}

/// An acknowledgement to be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Who takes care of it, 1 to 80 characters.
    pub name: String,
    /// The level that was seen; without it that of the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// At most 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What happened by all that is known today, whatever order it arrived in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettledHistory {
    /// The first instant: episodes that end at or before it are left out.
    pub from: Time,
    /// The end, exclusive: episodes that begin at or after it are left out.
    pub to: Time,
    /// Observations measured before this are in it, later ones not yet; one that still comes changes it.
    pub settled_until: Time,
    /// By onset.
    pub episodes: Vec<Episode>,
}

/// One crossing of a threshold, from its onset to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Episode {
    /// That of the alert of the same crossing.
    pub id: AlertId,
    /// The rule.
    pub rule: RuleId,
    /// The datastream.
    pub datastream: DatastreamName,
    /// `observed_at` of the first observation of the crossing.
    pub onset: Time,
    /// Whether it may have begun before `onset`: no good value that is no crossing was seen before.
    pub onset_at_latest: bool,
    /// The worst level reached.
    pub peak: Level,
    /// `observed_at` of the observation that ended it; null while it lasts.
    #[schema(required)]
    pub end: Option<Time>,
    /// The worst value, in the unit of the datastream.
    pub peak_value: f64,
    /// Usable observations from the onset on, without the one that ended it.
    pub observations: u64,
}
