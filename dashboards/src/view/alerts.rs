//! Alerts: the list, and one of them.

use bakau_model::{AgencyId, ConditionKind, DatastreamName, Level, StationId, Text, Unit, UtcMillis};

use super::{Frame, Named, RuleFacts, ValueCell};

/// An acknowledgement.
#[derive(Debug, Clone)]
pub struct AcknowledgementRow {
    /// The highest level that it covers.
    pub level: Level,
    /// When.
    pub at: UtcMillis,
    /// Name given for the record; `None` for readers who may not see people.
    pub by: Option<String>,
    /// Note for the record; `None` as for the name.
    pub note: Option<String>,
}

/// An alert in a list.
#[derive(Debug, Clone)]
pub struct AlertRow {
    /// Id; the page links to `/alerts/{id}`.
    pub id: String,
    /// Kind of the condition that raised it.
    pub kind: ConditionKind,
    /// The station; none where it is about a source.
    pub station: Option<StationId>,
    /// Name of the station, or of the source.
    pub subject: Text,
    /// The datastream; none where it is about a whole station or a source.
    pub datastream: Option<DatastreamName>,
    /// Name of the parameter; none where there is no datastream.
    pub label: Option<Text>,
    /// Name of the rule.
    pub rule_name: Text,
    /// Level now.
    pub level: Level,
    /// Worst level since it was raised.
    pub peak: Level,
    /// Observed time at which the first level began to hold.
    pub onset: UtcMillis,
    /// Whether it may have begun to hold before that, where nobody looked.
    pub onset_at_latest: bool,
    /// Observed time of the newest transition.
    pub observed_at: UtcMillis,
    /// Value at the newest transition, in `unit`.
    pub value: Option<f64>,
    /// Worst value up to the newest transition, and when it was measured; of the whole alert once it is closed.
    pub worst: Option<(f64, UtcMillis)>,
    /// Canonical unit.
    pub unit: Unit,
    /// Decimal places to show.
    pub decimals: u8,
    /// Since when suspect values speak against it, so that it cannot be confirmed.
    pub unconfirmed_since: Option<UtcMillis>,
    /// When the newest transition was decided.
    pub decided_at: UtcMillis,
    /// When it closed; `None` while active.
    pub closed_at: Option<UtcMillis>,
    /// The acknowledgement of the highest level.
    pub acknowledged: Option<AcknowledgementRow>,
    /// The newest value of its datastream, while it is open.
    pub present: Option<ValueCell>,
    /// Its rule as it is now; `None` where that is gone.
    pub rule: Option<RuleFacts>,
    /// Whether it is chosen in the form that acknowledges several; `None` where it is not offered.
    pub chosen: Option<bool>,
}

impl AlertRow {
    /// Whether the present level is acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged.as_ref().is_some_and(|acknowledgement| self.level <= acknowledgement.level)
    }
}

/// Which alerts are listed, as `?all=&level=&agency=&station=&kind=&days=` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Whether closed alerts are listed too.
    pub all: bool,
    /// Only those that reached this level.
    pub level: Option<Level>,
    /// Only those of stations of an agency.
    pub agency: Option<AgencyId>,
    /// Only those of a station.
    pub station: Option<StationId>,
    /// Only those of a kind of condition.
    pub kind: Option<ConditionKind>,
    /// Only those that were open in so many days before now.
    pub days: Option<u16>,
}

impl AlertFilter {
    /// The periods offered, in days.
    pub(crate) const PERIODS: [u16; 4] = [1, 7, 30, 365];

    /// Path and query of the list it filters.
    #[must_use]
    pub fn path(&self) -> String {
        let days = self.days.map(|days| days.to_string());
        let parts = [
            ("all", self.all.then_some("true")),
            ("level", self.level.map(Level::key)),
            ("agency", self.agency.as_ref().map(AgencyId::as_str)),
            ("station", self.station.as_ref().map(StationId::as_str)),
            ("kind", self.kind.map(ConditionKind::key)),
            ("days", days.as_deref()),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let query = parts.collect::<Vec<_>>().join("&");
        if query.is_empty() { "/alerts".to_owned() } else { format!("/alerts?{query}") }
    }

    /// The same, with or without closed alerts.
    pub(crate) fn with_all(&self, all: bool) -> Self {
        Self { all, ..self.clone() }
    }
}

/// The list of alerts (`/alerts`): open ones first, the worst at the top.
#[derive(Debug, Clone)]
pub struct AlertsView {
    /// Around the content.
    pub frame: Frame,
    /// Which alerts are listed.
    pub filter: AlertFilter,
    /// Agencies to choose from.
    pub agencies: Vec<Named<AgencyId>>,
    /// Stations to choose from.
    pub stations: Vec<Named<StationId>>,
    /// The alerts, newest decision first.
    pub alerts: Vec<AlertRow>,
    /// Path and query of the next page.
    pub next: Option<String>,
    /// The form that acknowledges several.
    pub form: TakeForm,
}

/// The form that acknowledges several alerts, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct TakeForm {
    /// What it holds, but for the token.
    pub fields: AcknowledgeForm,
    /// Why it was refused as a whole, in the page's language.
    pub error: Option<String>,
    /// What became of each alert.
    pub answers: Vec<TakeAnswer>,
}

/// What became of one of several alerts.
#[derive(Debug, Clone)]
pub struct TakeAnswer {
    /// The alert; `None` where there is none of the id sent.
    pub alert: Option<AlertRow>,
    /// Why it was not acknowledged, in the page's language; `None` where it was.
    pub refused: Option<String>,
}

/// One change of level.
#[derive(Debug, Clone)]
pub struct TransitionRow {
    /// Level before.
    pub from: Level,
    /// Level after.
    pub to: Level,
    /// Whether a level that stays as it is was confirmed.
    pub doubt: Option<Doubt>,
    /// When the environment had the value that decided it.
    pub observed_at: UtcMillis,
    /// When the rule acted.
    pub decided_at: UtcMillis,
    /// The value, in the alert's unit.
    pub value: Option<f64>,
}

/// Whether a level that stays as it is was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It cannot be confirmed: suspect values speak against it.
    Unconfirmed,
    /// A good value has confirmed it.
    Confirmed,
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
    /// Who is told, masked; empty where no person is.
    pub recipient: String,
    /// Level it told.
    pub level: Level,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// The newest attempt.
    pub last_attempt_at: Option<UtcMillis>,
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
    /// Changes of level, oldest first.
    pub transitions: Vec<TransitionRow>,
    /// Acknowledgements, one per level, oldest first.
    pub acknowledgements: Vec<AcknowledgementRow>,
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
