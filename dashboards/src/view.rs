//! What pages show, as plain values: filled by the caller, formatted here.
//!
//! Texts that people wrote (names, notes, error details) are shown as they are, escaped; nothing in a view may be
//! markup.

use bakau_model::{
    DatastreamName, Flag, Language, Level, MessageLedger, ReadingLedger, StationId, StationKind, Text, Unit, UtcMillis,
};
use jiff::tz::TimeZone;

pub use crate::chart::LimitLine;

/// What every page needs around its content.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Language of the page.
    pub language: Language,
    /// When the values were taken; every age on the page is counted from here.
    pub generated_at: UtcMillis,
    /// Zone of the times on the page; of the station on pages about one, of the platform elsewhere.
    pub time_zone: TimeZone,
    /// Path and query of this page, without `lang`, such as `/stations/prb-bjbr-01?range=week`; the language switch
    /// adds `lang` to it.
    pub path: String,
    /// Active alerts of the whole platform, shown in the navigation.
    pub active_alerts: u32,
}

/// Whether a station or datastream still reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Reports as often as it should.
    Live {
        /// Milliseconds since the newest observation.
        age_ms: i64,
    },
    /// Reported once, but not lately.
    Stale {
        /// Milliseconds since the newest observation.
        age_ms: i64,
    },
    /// Has never reported.
    NeverReported,
}

/// The newest value of a datastream.
#[derive(Debug, Clone)]
pub struct ValueCell {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Name of the parameter, with qualifier where the station has several.
    pub label: Text,
    /// The value in `unit`; `None` where the device reported that it has none, or never reported.
    pub value: Option<f64>,
    /// Canonical unit.
    pub unit: Unit,
    /// Decimal places to show.
    pub decimals: u8,
    /// When the environment had the value; `None` when there has never been one.
    pub observed_at: Option<UtcMillis>,
    /// Worst active alert of the datastream.
    pub level: Level,
    /// Quality of the value.
    pub flag: Flag,
    /// Whether the value is older than the datastream's interval allows.
    pub stale: bool,
}

/// A station on the overview.
#[derive(Debug, Clone)]
pub struct StationCard {
    /// Text id; the page links to `/stations/{id}`.
    pub id: StationId,
    /// Name.
    pub name: Text,
    /// Name of the agency that owns it.
    pub agency: Text,
    /// What it measures.
    pub kind: StationKind,
    /// Worst active alert; `None` when there is no current data to judge by.
    pub level: Option<Level>,
    /// Whether it reports.
    pub freshness: Freshness,
    /// Key values, most important first; the page shows the first six.
    pub values: Vec<ValueCell>,
}

/// The page with all stations (`/`). The page sorts and counts them itself.
#[derive(Debug, Clone)]
pub struct OverviewView {
    /// Around the content.
    pub frame: Frame,
    /// The stations, in any order.
    pub stations: Vec<StationCard>,
}

/// How much time the charts of a station page cover, ending now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// 24 hours.
    #[default]
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The word in `?range=`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The window of a word in `?range=`.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.key() == key)
    }

    /// Length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        match self {
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
        }
    }
}

/// A datastream on its station's page: newest value, limits and chart.
#[derive(Debug, Clone)]
pub struct ParameterPanel {
    /// The newest value.
    pub cell: ValueCell,
    /// Limits that raise alerts.
    pub limits: Vec<LimitLine>,
    /// Expected milliseconds between observations.
    pub interval_ms: i64,
    /// Vertical datum of a level.
    pub vertical_datum: Option<String>,
}

/// An instrument now deployed at a station.
#[derive(Debug, Clone)]
pub struct InstrumentRow {
    /// What it measures.
    pub label: Text,
    /// Manufacturer.
    pub make: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Deployed since.
    pub since: UtcMillis,
}

/// The page of one station (`/stations/{id}?range=day|week|month`).
#[derive(Debug, Clone)]
pub struct StationView {
    /// Around the content; its zone is the station's.
    pub frame: Frame,
    /// Text id.
    pub id: StationId,
    /// Name.
    pub name: Text,
    /// Name of the agency that owns it.
    pub agency: Text,
    /// Name of the city.
    pub city: Text,
    /// What it measures.
    pub kind: StationKind,
    /// Worst active alert; `None` when there is no current data to judge by.
    pub level: Option<Level>,
    /// Whether it reports.
    pub freshness: Freshness,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// Instruments now deployed; may be empty.
    pub instruments: Vec<InstrumentRow>,
    /// Datastreams with newest value, limits and chart.
    pub parameters: Vec<ParameterPanel>,
    /// Time covered by the charts.
    pub window: Window,
    /// Alerts of this station, newest first; a few.
    pub alerts: Vec<AlertRow>,
}

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

/// How a source of messages is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// Not there yet, or again.
    Connecting,
    /// Messages can arrive.
    Connected,
    /// Messages wait outside because of this.
    Blocked(String),
    /// Ended with the process.
    Stopped,
}

/// What kind of source it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// The broker inside Bakau.
    Broker,
    /// A connection to another broker.
    Client,
}

/// A source on the status page.
#[derive(Debug, Clone)]
pub struct SourceRow {
    /// Configured name.
    pub name: String,
    /// Kind.
    pub kind: SourceKind,
    /// How it is doing.
    pub state: SourceState,
    /// In that state since.
    pub since: UtcMillis,
    /// Newest message of any outcome.
    pub last_message_at: Option<UtcMillis>,
    /// Messages received since start.
    pub received: u64,
}

/// One thing that must work for Bakau to be ready.
#[derive(Debug, Clone)]
pub struct CheckRow {
    /// Name, in the page's language.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// More, in the page's language; empty when there is nothing to say.
    pub detail: String,
}

/// How full the spool is and how far its consumers are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpoolStatus {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes allowed for data not yet consumed.
    pub max_bytes: u64,
    /// Messages not yet consumed.
    pub unconsumed_messages: u64,
    /// Batches the store has still to write.
    pub store_behind: u64,
    /// Batches the rules have still to see.
    pub alerts_behind: u64,
}

/// The page about Bakau itself (`/status`).
#[derive(Debug, Clone)]
pub struct StatusView {
    /// Around the content.
    pub frame: Frame,
    /// Whether every check works.
    pub ready: bool,
    /// The checks of `/readyz`.
    pub checks: Vec<CheckRow>,
    /// Sources.
    pub sources: Vec<SourceRow>,
    /// Spool and lags.
    pub spool: SpoolStatus,
    /// The ledgers cover receptions from here...
    pub ledger_from: UtcMillis,
    /// ...to before here.
    pub ledger_to: UtcMillis,
    /// Where messages went.
    pub messages: MessageLedger,
    /// Where readings went.
    pub readings: ReadingLedger,
}

/// A page instead of the one that was asked for.
#[derive(Debug, Clone)]
pub struct ProblemView {
    /// Around the content.
    pub frame: Frame,
    /// HTTP status.
    pub status: u16,
    /// What is wrong, in the page's language.
    pub title: String,
    /// What can be done, in the page's language.
    pub detail: String,
    /// Id to look for in the log.
    pub request_id: Option<String>,
}
