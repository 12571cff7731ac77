//! The page of one station.

use bakau_model::{Level, State, StationId, StationKind, Text, Unit, UtcMillis};

use super::{AlertRow, ClockAhead, Frame, Freshness, RuleFacts, ValueCell, Window};

/// A datastream on its station's page: newest value, limits and chart.
#[derive(Debug, Clone)]
pub struct ParameterPanel {
    /// The newest value.
    pub cell: ValueCell,
    /// Rules that compare its values with limits.
    pub rules: Vec<RuleFacts>,
    /// Expected milliseconds between observations.
    pub interval_ms: i64,
    /// Vertical datum of a level.
    pub vertical_datum: Option<String>,
}

/// An instrument at a station, from when to when, and what it measured there.
#[derive(Debug, Clone)]
pub struct DeploymentRow {
    /// Names of the parameters it measures.
    pub labels: Vec<Text>,
    /// Manufacturer.
    pub make: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Deployed since.
    pub from: UtcMillis,
    /// First instant after it; `None` while no end is known.
    pub to: Option<UtcMillis>,
}

/// Where another station is.
#[derive(Debug, Clone)]
pub struct OtherStation {
    /// Text id; the page links to `/stations/{id}`.
    pub id: StationId,
    /// Name.
    pub name: Text,
    /// Name of its city; empty where the catalogue lacks it.
    pub city: Text,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
}

/// The class the values of a station are held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StationClass {
    /// River or lake class 1 to 4, and what assigns it.
    Water {
        /// 1 to 4.
        class: u8,
        /// The decree, or on which assumption it stands.
        source: Text,
    },
    /// Reference-grade air monitors.
    AirReference,
    /// Low-cost air sensors, whose values are indicative.
    AirIndicative,
}

/// One episode of the settled history.
#[derive(Debug, Clone)]
pub struct EpisodeRow {
    /// Id; an alert that was raised for the same event has the same.
    pub id: String,
    /// Name of the parameter.
    pub label: Text,
    /// Name of the rule.
    pub rule_name: Text,
    /// Worst level.
    pub peak: Level,
    /// When it began to hold.
    pub onset: UtcMillis,
    /// Whether it may have begun before that, because nothing is stored from before.
    pub onset_at_latest: bool,
    /// When it ended; `None` while it lasts.
    pub end: Option<UtcMillis>,
    /// Worst value, in `unit`.
    pub peak_value: f64,
    /// Canonical unit.
    pub unit: Unit,
    /// Decimal places to show.
    pub decimals: u8,
}

/// The settled history of a station.
#[derive(Debug, Clone)]
pub struct SettledView {
    /// From when.
    pub from: UtcMillis,
    /// Up to when values are in it; one that still comes changes it.
    pub until: UtcMillis,
    /// Its episodes, newest first.
    pub episodes: Vec<EpisodeRow>,
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
    /// What is said of it in one word.
    pub state: State,
    /// Since when every alert of that level is acknowledged; `None` while one is not, and where there is none.
    pub acknowledged_at: Option<UtcMillis>,
    /// Whether it reports.
    pub freshness: Freshness,
    /// Where the clock of its device is ahead.
    pub clock: Option<ClockAhead>,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// Metres above mean sea level.
    pub elevation_m: Option<f64>,
    /// What people should know about the place.
    pub description: Option<Text>,
    /// The class its values are held to.
    pub class: Option<StationClass>,
    /// Every other station; the page picks those near by.
    pub others: Vec<OtherStation>,
    /// Instruments that are or were deployed, in any order; may be empty.
    pub deployments: Vec<DeploymentRow>,
    /// Datastreams with newest value, limits and chart.
    pub parameters: Vec<ParameterPanel>,
    /// Time covered by the charts.
    pub window: Window,
    /// Alerts of this station, newest first; a few.
    pub alerts: Vec<AlertRow>,
    /// Episodes of the past weeks, computed anew from what is stored; `None` where nobody asked for them.
    pub settled: Option<SettledView>,
}
