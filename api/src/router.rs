//! The table of contents: every address, its methods and who may use it.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    http::{access, admission::MAX_BODY_BYTES, layers},
    live::events,
    pages::{charts, link, reference, status_page, views},
    state::AppState,
    v1::{
        aggregate, alerts, catalogue, health, latest, ledger, observations, openapi, quarantine, rules, station, status,
    },
};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, always.
    Open,
    /// Everybody, unless reading is closed by configuration.
    Read,
    /// Holders of the admin token, because payloads or people are shown.
    Payloads,
    /// Holders of the admin token, because something is changed.
    Write,
}

/// A route, for documents and tests.
#[derive(Debug, Clone, Copy)]
pub struct RouteInfo {
    /// HTTP method.
    pub method: &'static str,
    /// Path, with `{placeholders}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether it answers with a page for people (problems, too).
    pub page: bool,
    /// What it answers, in one line.
    pub summary: &'static str,
}

const fn route(method: &'static str, path: &'static str, access: Access, summary: &'static str) -> RouteInfo {
    RouteInfo { method, path, access, page: false, summary }
}

const fn page(method: &'static str, path: &'static str, access: Access, summary: &'static str) -> RouteInfo {
    RouteInfo { method, path, access, page: true, summary }
}

/// Every route, in the order documents list them. A test compares it with the router.
pub const ROUTES: [RouteInfo; 34] = [
    route("GET", "/api/v1/stations", Access::Read, "stations with agency, city, place and datastreams"),
    route("GET", "/api/v1/stations/{id}", Access::Read, "one station with datastreams and instruments"),
    route("GET", "/api/v1/datastreams", Access::Read, "datastreams with unit and interval; ?station="),
    route("GET", "/api/v1/latest", Access::Read, "the present value of every datastream; ?station="),
    route(
        "GET",
        "/api/v1/observations",
        Access::Read,
        "history; ?datastream=&from=&to=&limit=&cursor=&format=json|csv",
    ),
    route(
        "GET",
        "/api/v1/aggregates",
        Access::Read,
        "means by hour, day, month or year; ?datastream=&from=&to=&step=&tz=&flags=&format=json|csv",
    ),
    route(
        "GET",
        "/api/v1/alerts",
        Access::Read,
        "alerts, newest first; ?active=&station=&agency=&datastream=&kind=&level=&from=&to=&limit=&before=",
    ),
    route("GET", "/api/v1/alerts/settled", Access::Read, "settled history; ?rule= or ?datastream=, &from=&to="),
    route("GET", "/api/v1/alerts/{id}", Access::Read, "one alert with transitions; notices and names with the token"),
    route("POST", "/api/v1/alerts/{id}/acknowledge", Access::Write, "takes an alert in hand; {name, note?}"),
    route("GET", "/api/v1/rules", Access::Read, "rules: conditions, thresholds and where they come from"),
    route("GET", "/api/v1/rules/{id}", Access::Read, "one rule with the datastreams and stations it watches"),
    route("GET", "/api/v1/quarantine", Access::Payloads, "what could not be used, newest first; ?limit=&before="),
    route("GET", "/api/v1/quarantine/{id}", Access::Payloads, "one row of the quarantine with its whole payload"),
    route("GET", "/api/v1/ledger", Access::Read, "where messages and readings went, by minute and source; ?from=&to="),
    route("GET", "/api/v1/sources", Access::Read, "where messages come in, and how that is going"),
    route("GET", "/api/v1/status", Access::Read, "how Bakau itself is doing, in one answer"),
    route("GET", "/api/v1/events", Access::Read, "live events (SSE): values, alert, station, status; ?station=&after="),
    route("GET", "/api/v1/openapi.json", Access::Open, "this API as an OpenAPI 3.1 document"),
    route("GET", "/charts/{station}/{file}", Access::Read, "a chart, {parameter}[@qualifier].svg or .png"),
    page("GET", "/", Access::Read, "overview"),
    page("GET", "/stations/{id}", Access::Read, "a station"),
    page("GET", "/alerts", Access::Read, "alerts"),
    page("GET", "/alerts/{id}", Access::Read, "an alert"),
    page("POST", "/alerts/{id}/acknowledge", Access::Write, "the form that takes an alert in hand; token in the body"),
    page("GET", "/status", Access::Read, "how Bakau itself is doing"),
    page("GET", "/api", Access::Open, "this API for people, with examples"),
    page("GET", "/a/{token}", Access::Open, "what the signed link of a message is about; changes nothing"),
    page("POST", "/a/{token}", Access::Open, "takes the alert of a signed link in hand; {note}"),
    route("GET", "/assets/{name}", Access::Open, "style sheet, script and icon of the pages"),
    route("GET", "/problems/{key}", Access::Open, "what a problem type means"),
    route("GET", "/healthz", Access::Open, "the process answers"),
    route("GET", "/readyz", Access::Open, "the whole line works, or why not"),
    route("GET", "/metrics", Access::Read, "counters in the Prometheus text format"),
];

/// Whether problems of this route are told by a page.
pub(crate) fn is_page(path: &str) -> bool {
    ROUTES.iter().any(|route| route.page && route.path == path)
}

/// The whole HTTP side of Bakau.
pub fn router(state: AppState) -> Router {
    let readers = middleware::from_fn_with_state(state.clone(), access::require_reader);
    Router::new()
        .merge(api())
        .merge(charts_and_pages())
        .route("/metrics", get(health::prometheus_text))
        .route_layer(readers)
        .merge(open())
        .fallback(layers::no_route)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(state.clone(), layers::limits))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(middleware::from_fn_with_state(state.clone(), layers::answers))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), layers::caching))
        .with_state(state)
}

fn api() -> Router<AppState> {
    Router::new()
        .route("/api/v1/stations", get(catalogue::stations))
        .route("/api/v1/stations/{id}", get(station::station))
        .route("/api/v1/datastreams", get(catalogue::datastreams))
        .route("/api/v1/latest", get(latest::latest))
        .route("/api/v1/observations", get(observations::observations))
        .route("/api/v1/aggregates", get(aggregate::aggregates))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/alerts/settled", get(alerts::settled))
        .route("/api/v1/alerts/{id}", get(alerts::one))
        .route("/api/v1/alerts/{id}/acknowledge", post(alerts::acknowledge))
        .route("/api/v1/rules", get(rules::list))
        .route("/api/v1/rules/{id}", get(rules::one))
        .route("/api/v1/quarantine", get(quarantine::list))
        .route("/api/v1/quarantine/{id}", get(quarantine::one))
        .route("/api/v1/ledger", get(ledger::ledger))
        .route("/api/v1/sources", get(health::sources))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/events", get(events::events))
}

fn charts_and_pages() -> Router<AppState> {
    Router::new()
        .route("/charts/{station}/{file}", get(charts::chart))
        .route("/", get(views::overview))
        .route("/stations/{id}", get(views::station))
        .route("/alerts", get(views::alerts))
        .route("/alerts/{id}", get(views::alert))
        .route("/alerts/{id}/acknowledge", post(views::acknowledge))
        .route("/status", get(status_page::status))
}

fn open() -> Router<AppState> {
    Router::new()
        .route("/api", get(reference::page))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/a/{token}", get(link::show).post(link::acknowledge))
        .route("/assets/{name}", get(views::asset))
        .route("/problems/{key}", get(views::problem_type))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
}
