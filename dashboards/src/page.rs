//! Pages, drawn on the server and complete without the script.
//!
//! Links inside pages lead to `/`, `/stations/{id}?range=`, `/alerts`, `/rules`, `/alerts?all=true`, `/alerts/{id}`, `/status`,
//! `/assets/{name}`, to charts under `/charts` and to `/api/v1/observations` for a file of values.

use std::{borrow::Borrow, cmp::Reverse};

use askama::Template;
use bakau_answers::SourceState;
use bakau_model::{
    AgencyId, ConditionKind, DatastreamName, Flag, Language, Level, MessageLedger, ReadingLedger, SourceKind, State,
    StationId, StationKind, StoreKind, UtcMillis,
};

use crate::{
    assets,
    chart_link::ChartLink,
    fragment,
    link::{LinkState, LinkView},
    live::{self, Live},
    say::Say,
    standing::Piece,
    view::{
        AlertFilter, AlertPageView, AlertRow, AlertsView, DeliveryState, DeploymentRow, EpisodeRow, Frame, Freshness,
        Grouping, ListForm, OverviewView, ProblemView, ReferenceView, RulesView, SearchWords, StationClass,
        StationView, StatusView, ValueCell, Window,
    },
};
use nearby::Nearby;
use overview::Layout;

mod head;
mod nearby;
mod overview;

/// Time until a page fetches itself while deliveries or counts change, of which nothing tells.
const SOON_MS: i64 = 3_000;

/// A page that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be drawn")]
pub struct PageError(#[from] askama::Error);

macro_rules! page {
    ($name:ident, $file:literal, $here:literal { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Template)]
        #[template(path = $file, whitespace = "minimize")]
        struct $name<'a> {
            s: Say<'a>,
            css: String,
            morph: String,
            js: String,
            alarm: String,
            icon: String,
            manifest: String,
            here: &'static str,
            /// What keeps the page current; `None` for one that stays as it is.
            live: Option<Live>,
            $($field: $kind,)*
        }

        impl<'a> $name<'a> {
            fn render_in(frame: &'a Frame, live: Option<Live>, $($field: $kind),*) -> Result<String, PageError> {
                let [css, morph, js, alarm, icon, manifest] =
                    ["bakau.css", "idiomorph.min.js", "bakau.js", "alarm.js", "icon.svg", "manifest.webmanifest"]
                        .map(assets::path);
                let s = Say::new(frame);
                let page = Self { s, css, morph, js, alarm, icon, manifest, here: $here, live, $($field),* };
                Ok(fragment::settle(&page.render()?, &frame.held))
            }
        }
    };
}

page!(Overview, "overview.html", "stations" { o: Layout<'a> });
page!(Station, "station.html", "stations" {
    v: &'a StationView,
    nearby: Option<Nearby<'a>>,
    deployments: Vec<(&'a DeploymentRow, bool)>,
});
page!(Alerts, "alerts.html", "alerts" { v: &'a AlertsView, a: AlertParts<'a> });
page!(Rules, "rules.html", "alerts" { v: &'a RulesView });
page!(Alert, "alert.html", "alerts" { v: &'a AlertPageView, acknowledge_path: String });
page!(Status, "status.html", "status" { v: &'a StatusView, ledgers: [Ledger; 2] });
page!(Reference, "reference.html", "api" { v: &'a ReferenceView });
page!(Problem, "problem.html", "" { v: &'a ProblemView });
page!(Link, "link.html", "" { v: &'a LinkView });

/// The page with all stations, worst first.
///
/// ```
/// use bakau_dashboards::{
///     fragment::Held,
///     page,
///     view::{Frame, OverviewFilter, OverviewView},
/// };
/// use bakau_model::{Language, UtcMillis};
/// use jiff::tz::TimeZone;
///
/// let frame = Frame {
///     language: Language::En,
///     generated_at: UtcMillis::parse("2026-03-10T09:00:00Z")?,
///     time_zone: TimeZone::get("Asia/Jakarta")?,
///     path: "/".to_owned(),
///     active_alerts: 0,
///     alarms: Vec::new(),
///     site: None,
///     position: String::new(),
///     held: Held::default(),
/// };
/// let html = page::overview(&OverviewView { frame, stations: Vec::new(), filter: OverviewFilter::default() })?;
/// assert!(html.starts_with("<!doctype html>"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the template fails.
pub fn overview(view: &OverviewView) -> Result<String, PageError> {
    let cells = view.stations.iter().flat_map(|card| &card.values);
    let live = Live::of(view.stations.len(), next_change(cells, view.frame.generated_at));
    Overview::render_in(&view.frame, Some(live), Layout::new(view))
}

/// The page of one station.
///
/// # Errors
/// When the template fails.
pub fn station(view: &StationView) -> Result<String, PageError> {
    let now = view.frame.generated_at;
    let current = |row: &DeploymentRow| row.from <= now && row.to.is_none_or(|to| now < to);
    let mut deployments: Vec<_> = view.deployments.iter().map(|row| (row, current(row))).collect();
    deployments.sort_by_key(|(row, current)| (!current, Reverse(row.from)));
    let cells = view.parameters.iter().map(|panel| &panel.cell);
    let due = next_change(cells, now).into_iter().chain([ChartLink::ending(now, view.window)]).min();
    let live = Live { about: Some(view.id.clone()), ..Live::of(1, due) };
    Station::render_in(&view.frame, Some(live), view, Nearby::new(view), deployments)
}

/// The list of alerts.
///
/// # Errors
/// When the template fails.
pub fn alerts(view: &AlertsView) -> Result<String, PageError> {
    let due = next_change(view.alerts.iter().filter_map(|alert| alert.present.as_ref()), view.frame.generated_at);
    let answers = view.form.error.is_some() || !view.form.answers.is_empty();
    // The answer to a form has no address that could be fetched again.
    let live = (!answers).then(|| Live::of(view.alerts.len(), due));
    Alerts::render_in(&view.frame, live, view, AlertParts::new(view))
}

/// The page of rules.
///
/// # Errors
/// When the template fails.
pub fn rules(view: &RulesView) -> Result<String, PageError> {
    Rules::render_in(&view.frame, Some(Live::of(1, None)), view)
}

/// The page of one alert.
///
/// # Errors
/// When the template fails.
pub fn alert(view: &AlertPageView) -> Result<String, PageError> {
    let acknowledge = format!("{}/acknowledge", view.alert.path());
    let now = view.frame.generated_at;
    let sending = view.deliveries.iter().any(|row| row.state == DeliveryState::Waiting);
    let chart = view.alert.closed_at.is_none().then(|| ChartLink::ending(now, Window::Day));
    let stale = next_change(view.alert.present.iter(), now);
    let due = sending.then(|| now.saturating_add(SOON_MS)).into_iter().chain(chart).chain(stale).min();
    let live = Live { about: view.alert.station.clone(), ..Live::of(1, due) };
    // The answer to a form has no address that could be fetched again.
    Alert::render_in(&view.frame, view.form_error.is_none().then_some(live), view, acknowledge)
}

/// The page about Bakau itself.
///
/// # Errors
/// When the template fails.
pub fn status(view: &StatusView) -> Result<String, PageError> {
    Status::render_in(
        &view.frame,
        Some(Live::of(1, Some(view.frame.generated_at.saturating_add(SOON_MS)))),
        view,
        [Ledger::messages(&view.messages), Ledger::readings(&view.readings)],
    )
}

/// The page that documents the API.
///
/// # Errors
/// When the template fails.
pub fn reference(view: &ReferenceView) -> Result<String, PageError> {
    Reference::render_in(&view.frame, None, view)
}

/// The page that says what went wrong.
///
/// # Errors
/// When the template fails.
pub fn problem(view: &ProblemView) -> Result<String, PageError> {
    Problem::render_in(&view.frame, None, view)
}

/// The page behind the link in a message.
///
/// # Errors
/// When the template fails.
pub fn link(view: &LinkView) -> Result<String, PageError> {
    Link::render_in(&view.frame, None, view)
}

/// When something of these values changes by time alone: the next becomes stale, or its hold time is over.
fn next_change<'a>(cells: impl Iterator<Item = &'a ValueCell>, now: UtcMillis) -> Option<UtcMillis> {
    let changes = |cell: &ValueCell| {
        // It is stale behind this instant, not at it.
        let stale = cell.current_until().map(|until| until.saturating_add(1));
        stale.into_iter().chain(cell.pending.map(|pending| pending.until)).filter(|at| now < *at).min()
    };
    cells.filter_map(changes).min()
}

/// Alerts in the order and under the headings they are listed.
struct AlertParts<'a> {
    filtered: bool,
    /// Whether any can be chosen to be acknowledged.
    offered: bool,
    parts: Vec<(&'static str, &'static str, Vec<&'a AlertRow>)>,
}

impl<'a> AlertParts<'a> {
    fn new(view: &'a AlertsView) -> Self {
        let part = |id, key, takes: &dyn Fn(&AlertRow) -> bool| {
            let mut alerts: Vec<&AlertRow> = view.alerts.iter().filter(|alert| takes(alert)).collect();
            // Among those still open the worst first; closed ones stay newest first.
            alerts.sort_by_key(|alert| {
                (alert.closed_at.is_some(), Reverse(alert.closed_at.is_none().then_some(alert.level)))
            });
            (id, key, alerts)
        };
        let open = |alert: &AlertRow| alert.closed_at.is_none();
        let parts = [
            part("environment", "alerts_environment", &|alert| open(alert) && !alert.kind.is_technical()),
            part("technical", "alerts_technical", &|alert| open(alert) && alert.kind.is_technical()),
            part("history", "alerts_history", &|alert| !open(alert)),
        ];
        Self {
            filtered: view.filter.with_all(false) != AlertFilter::default(),
            offered: view.alerts.iter().any(|alert| alert.chosen.is_some()),
            parts: parts.into_iter().filter(|(_, _, alerts)| !alerts.is_empty()).collect(),
        }
    }
}

/// A ledger as lines of (message key, count), the sum first.
struct Ledger {
    title: &'static str,
    balanced: bool,
    lines: Vec<(&'static str, u64)>,
}

impl Ledger {
    fn messages(ledger: &MessageLedger) -> Self {
        let lines = vec![
            ("ledger_received", ledger.received),
            ("ledger_decoded", ledger.decoded),
            ("ledger_quarantined", ledger.quarantined),
            ("ledger_unrouted", ledger.unrouted),
            ("ledger_denied", ledger.denied),
            ("ledger_ignored_retained", ledger.ignored_retained),
            ("ledger_ignored_duplicate", ledger.ignored_duplicate),
        ];
        Self { title: "ledger_messages", balanced: ledger.balances(), lines }
    }

    fn readings(ledger: &ReadingLedger) -> Self {
        let lines = vec![
            ("ledger_decoded", ledger.decoded),
            ("ledger_stored", ledger.stored),
            ("ledger_duplicate", ledger.duplicate),
            ("ledger_corrected", ledger.corrected),
            ("ledger_ignored_missing", ledger.ignored_missing),
            ("ledger_quarantined", ledger.quarantined),
            ("ledger_waiting", ledger.waiting),
        ];
        Self { title: "ledger_readings", balanced: ledger.balances(), lines }
    }
}

impl AlertRow {
    const fn level_state(&self) -> Option<Level> {
        Some(self.level)
    }

    /// The level a list shows: the present one, and of a closed alert the worst it had.
    const fn shown(&self) -> Option<Level> {
        Some(if self.closed_at.is_some() { self.peak } else { self.level })
    }

    /// The worst value of all of a closed alert. Of an open one the worst is known up to its last change alone, so it
    /// is not told apart from that.
    fn whole_worst(&self) -> Option<(f64, UtcMillis)> {
        self.worst.filter(|_| self.closed_at.is_some())
    }

    fn path(&self) -> String {
        // The id is a hash in hexadecimal; anything else in it must not become another path.
        let safe: String = self.id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        format!("/alerts/{safe}")
    }
}

impl AlertPageView {
    /// Whether somebody acknowledged it whose name the reader may not see.
    fn hides_people(&self) -> bool {
        self.acknowledgements.iter().any(|one| one.by.is_none())
    }
}

impl StationView {
    /// The listed alert that was raised for the same event as an episode.
    fn alert_of(&self, episode: &EpisodeRow) -> Option<&AlertRow> {
        self.alerts.iter().find(|alert| alert.id == episode.id)
    }
}

/// Whether somebody acknowledged one of them whose name the reader may not see.
fn hides_people(alerts: &[AlertRow]) -> bool {
    alerts.iter().filter_map(|alert| alert.acknowledged.as_ref()).any(|one| one.by.is_none())
}

fn station_path(id: &StationId) -> String {
    format!("/stations/{id}")
}

fn settled_path(id: &StationId) -> String {
    format!("/stations/{id}?history=settled")
}

fn agency_path(id: &AgencyId) -> String {
    format!("/?agency={id}")
}

fn window_path(id: &StationId, window: impl Borrow<Window>) -> String {
    format!("/stations/{id}?range={}", window.borrow().key())
}

/// Id of a datastream's chart on its station's page.
fn anchor(datastream: &DatastreamName) -> String {
    let qualifier = datastream.qualifier().map(|qualifier| format!("-{qualifier}")).unwrap_or_default();
    format!("chart-{}{qualifier}", datastream.parameter())
}

/// The class of a level, as the style sheet knows it.
fn level_class(level: impl Borrow<Option<Level>>) -> &'static str {
    level.borrow().map_or("none", Level::key)
}

/// The class of a state: one for each level, for one that waits, and for all that say nothing of a level.
fn state_class(state: impl Borrow<State>) -> &'static str {
    match *state.borrow() {
        State::Pending => "pending",
        state => level_class(state.level()),
    }
}
