//! What pages and the API see of alerts.

use bakau_model::{
    AgencyId, AlertId, ChannelId, ConditionKind, DatastreamName, DeliveryVerdict, Flag, Level, NotificationKind,
    NotificationState, PersonId, RuleId, SourceName, StationId, Text, UtcMillis,
};
use serde::{Deserialize, Serialize};

use crate::engine::Reason;

/// Who acknowledged an alert at a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// It holds up to this level; a higher one is to be acknowledged anew.
    pub level: Level,
    /// Name of the person.
    pub by: String,
    /// Their id, where they are registered and followed a link sent to them.
    pub person: Option<PersonId>,
    /// When the engine took it.
    pub at: UtcMillis,
    /// What they wrote, at most [`crate::MAX_NOTE_CHARS`] characters.
    pub note: Option<String>,
}

/// A level that is crossed and will be raised if that lasts for the hold time of its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingView {
    /// The rule.
    pub rule: RuleId,
    /// What it is about.
    pub datastream: DatastreamName,
    /// The level that would be raised.
    pub level: Level,
    /// `observed_at` of the first value beyond its raise value.
    pub since: UtcMillis,
    /// A value of this instant or later raises it, if no value before is back.
    pub until: UtcMillis,
}

/// One alert as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertView {
    /// Identity: hash of rule, subject and onset.
    pub id: AlertId,
    /// The rule.
    pub rule: RuleId,
    /// Its name at the last transition.
    pub rule_name: Text,
    /// What it is about.
    pub kind: ConditionKind,
    /// The agency that owned the station at the last transition.
    pub agency: Option<AgencyId>,
    /// The station; none where it is about a source.
    pub station: Option<StationId>,
    /// The datastream; none where it is about a whole station or a source.
    pub datastream: Option<DatastreamName>,
    /// The source, where it is about one.
    pub source: Option<SourceName>,
    /// The level now; *normal* once closed.
    pub level: Level,
    /// The worst level so far.
    pub peak: Level,
    /// `observed_at` of the first observation of the crossing; of no data, when something was last heard or, where
    /// nothing ever was, from when it has been expected.
    pub onset: UtcMillis,
    /// Whether the crossing may have begun before that: nobody looked there, as no rule was in force or no value came in time.
    pub onset_at_latest: bool,
    /// `observed_at` of the last transition; of no data, when it was decided.
    pub updated: UtcMillis,
    /// The value that made the last transition, in the canonical unit; of thresholds only.
    pub value: Option<f64>,
    /// The quality of that value.
    pub flag: Option<Flag>,
    /// The worst value of the episode up to the last transition, so of all of it once closed; of thresholds only.
    pub worst: Option<f64>,
    /// When the environment first had it.
    pub worst_at: Option<UtcMillis>,
    /// When the last transition was decided.
    pub decided_at: UtcMillis,
    /// When the first transition was decided.
    pub opened_at: UtcMillis,
    /// When it was decided that it is over.
    pub closed_at: Option<UtcMillis>,
    /// Why it is over.
    pub closed_reason: Option<Reason>,
    /// Since when it cannot be confirmed: suspect values say that it is over or less bad, and only a good one ends it.
    pub unconfirmed_since: Option<UtcMillis>,
    /// Who acknowledged the highest level that anybody did; whether that is enough for the level now says
    /// [`AlertView::is_acknowledged`].
    pub acknowledged: Option<Acknowledgement>,
}

impl AlertView {
    /// Whether somebody has acknowledged it at the level that it has now, or at a higher one.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged.as_ref().is_some_and(|taken| self.level <= taken.level)
    }
}

/// One line of the decision log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransitionView {
    /// Number in the decision log, increasing.
    pub id: i64,
    /// Position within the alert, 1 for the first.
    pub sequence: u32,
    /// Level before.
    pub from: Level,
    /// Level after.
    pub to: Level,
    /// Why.
    pub reason: Reason,
    /// When the environment had the deciding value.
    pub observed_at: UtcMillis,
    /// The deciding value, in the canonical unit; of thresholds only.
    pub value: Option<f64>,
    /// The quality of that value.
    pub flag: Option<Flag>,
    /// When it was decided.
    pub decided_at: UtcMillis,
    /// Registry revision of the rules in force.
    pub rule_revision: u64,
    /// Notifications were held back by a mute that lasted until then.
    pub muted_until: Option<UtcMillis>,
}

/// One notification owed to one receiver, and its attempts so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotificationView {
    /// Number in the outbox.
    pub id: i64,
    /// The transition it tells of ([`TransitionView::id`]).
    pub transition: i64,
    /// The alert.
    pub alert: AlertId,
    /// Why it is sent.
    pub kind: NotificationKind,
    /// Who is told; none where a rule tells a webhook directly.
    pub person: Option<PersonId>,
    /// The channel.
    pub channel: ChannelId,
    /// Who gets it, in the channel's own words.
    pub recipient: String,
    /// Where it stands.
    pub state: NotificationState,
    /// Attempts made.
    pub attempts: u32,
    /// When it is tried next; only while pending.
    pub next_attempt_at: Option<UtcMillis>,
    /// What the last attempt said, or why it was cancelled.
    pub last_result: Option<String>,
    /// Every attempt, oldest first.
    pub deliveries: Vec<DeliveryView>,
}

/// One attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryView {
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When it began.
    pub at: UtcMillis,
    /// What came of it.
    pub verdict: DeliveryVerdict,
    /// HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// How long it took.
    pub duration_ms: i64,
    /// What happened, in a sentence without secrets.
    pub detail: String,
}

/// How the outbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutboxView {
    /// Notifications that nobody has yet.
    pub waiting: u64,
    /// Those of them that were tried at least once.
    pub retrying: u64,
    /// Notifications that were given up.
    pub failed: u64,
    /// Since when the oldest one waits.
    pub oldest: Option<UtcMillis>,
}

/// An alert with its decision log and its notifications.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertDetail {
    /// The alert.
    pub alert: AlertView,
    /// Its transitions, oldest first.
    pub transitions: Vec<TransitionView>,
    /// Who acknowledged it at which level, oldest first.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Its notifications, oldest first.
    pub notifications: Vec<NotificationView>,
}

/// Which alerts to list, newest decision first.
#[derive(Debug, Clone, Default)]
pub struct AlertQuery {
    /// Only those not closed.
    pub active_only: bool,
    /// Only those of this datastream.
    pub datastream: Option<DatastreamName>,
    /// Only those of this station.
    pub station: Option<StationId>,
    /// Only those of stations this agency owns.
    pub agency: Option<AgencyId>,
    /// Only those of this kind.
    pub kind: Option<ConditionKind>,
    /// Only those that reached at least this level.
    pub min_level: Option<Level>,
    /// Only those not closed before this instant.
    pub from: Option<UtcMillis>,
    /// Only those opened before this instant.
    pub to: Option<UtcMillis>,
    /// Only those listed after this one: the last id of the page before.
    pub before: Option<AlertId>,
    /// At most so many, 1 to 1,000; 0 means 100.
    pub limit: usize,
}

/// Which episodes of the settled history to compute.
#[derive(Debug, Clone)]
pub struct SettledQuery {
    /// Only rules of this datastream.
    pub datastream: Option<DatastreamName>,
    /// Only this rule.
    pub rule: Option<RuleId>,
    /// First instant (inclusive): episodes that end at or before it are left out.
    pub from: UtcMillis,
    /// End (exclusive): episodes that begin at or after it are left out.
    pub to: UtcMillis,
}
