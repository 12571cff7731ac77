//! Alerts: the list, and one of them.

use bakau_model::{DatastreamName, Level, StationId, Text, Unit, UtcMillis};

use super::{Frame, LimitLine};

/// Who has taken care of an alert.
#[derive(Debug, Clone)]
pub struct AcknowledgementRow {
    /// Name given for the record.
    pub by: String,
    /// When.
    pub at: UtcMillis,
    /// What they wrote.
    pub note: Option<String>,
}

/// An alert in a list.
#[derive(Debug, Clone)]
pub struct AlertRow {
    /// Id; the page links to `/alerts/{id}`.
    pub id: String,
    /// The station.
    pub station: StationId,
    /// Its name.
    pub station_name: Text,
    /// The datastream.
    pub datastream: DatastreamName,
    /// Name of the parameter.
    pub label: Text,
    /// Name of the rule.
    pub rule_name: Text,
    /// Level now.
    pub level: Level,
    /// Worst level since it was raised.
    pub peak: Level,
    /// Observed time at which the first level began to hold.
    pub onset: UtcMillis,
    /// Observed time of the newest transition.
    pub observed_at: UtcMillis,
    /// Value at the newest transition, in `unit`.
    pub value: Option<f64>,
    /// Canonical unit.
    pub unit: Unit,
    /// Decimal places to show.
    pub decimals: u8,
    /// When the newest transition was decided.
    pub decided_at: UtcMillis,
    /// When it closed; `None` while active.
    pub closed_at: Option<UtcMillis>,
    /// Who has taken care of it.
    pub acknowledged: Option<AcknowledgementRow>,
}

/// The list of alerts (`/alerts`, `/alerts?all=true`), newest first.
#[derive(Debug, Clone)]
pub struct AlertsView {
    /// Around the content.
    pub frame: Frame,
    /// Whether closed alerts are listed too.
    pub all: bool,
    /// The alerts.
    pub alerts: Vec<AlertRow>,
    /// Path and query of the next page.
    pub next: Option<String>,
}

/// One change of level.
#[derive(Debug, Clone)]
pub struct TransitionRow {
    /// Level before.
    pub from: Level,
    /// Level after.
    pub to: Level,
    /// When the environment had the value that decided it.
    pub observed_at: UtcMillis,
    /// When the rule acted.
    pub decided_at: UtcMillis,
    /// The value, in the alert's unit.
    pub value: Option<f64>,
}

/// Where a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting for its first or next attempt.
    Waiting,
    /// The receiver confirmed it.
    Delivered,
    /// Given up.
    Failed,
}

/// One notification to one channel.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// The channel.
    pub channel: String,
    /// Level it told.
    pub level: Level,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// The newest attempt.
    pub last_attempt_at: Option<UtcMillis>,
    /// What the receiver answered, or why it could not be reached.
    pub detail: Option<String>,
}

/// The page of one alert (`/alerts/{id}`), with the form that acknowledges it.
///
/// The form posts `name`, `note` and `token` (`application/x-www-form-urlencoded`) to `/alerts/{id}/acknowledge?lang=`.
#[derive(Debug, Clone)]
pub struct AlertPageView {
    /// Around the content; its zone is the station's.
    pub frame: Frame,
    /// The alert.
    pub alert: AlertRow,
    /// Limits of its rule.
    pub limits: Vec<LimitLine>,
    /// Changes of level, oldest first.
    pub transitions: Vec<TransitionRow>,
    /// Notifications, oldest first.
    pub deliveries: Vec<DeliveryRow>,
    /// Whether the form is shown: the alert may still be acknowledged.
    pub can_acknowledge: bool,
    /// Why the form was refused, in the page's language; what was typed, but for the token, is in `form`.
    pub form_error: Option<String>,
    /// What the form holds.
    pub form: AcknowledgeForm,
}

/// What the acknowledge form holds when the page is shown.
#[derive(Debug, Clone, Default)]
pub struct AcknowledgeForm {
    /// Name for the record.
    pub name: String,
    /// Note.
    pub note: String,
}
