//! The table of contents: every address with its method, who may use it, who answers, and what it takes and answers.
//!
//! Router, document and page are made from it. It is a table rather than attributes on handlers, because summaries and
//! meanings of parameters come from the message files in two languages, and problems, pages and access belong to a route
//! as much as its answer does.

use axum::routing::{MethodRouter, get, post};
use bakau_answers::{
    Aggregates, Alert, AlertDetail, AlertList, DatastreamList, Event, LatestList, Ledger, ObservationPage,
    QuarantineList, QuarantineRow, Readiness, RuleDetail, RuleList, SettledHistory, SourceList, StationDetail,
    StationList, Status,
};

use crate::{
    http::{call::Call, error::ProblemType},
    live::{events, page_stream},
    pages::{charts, link, reference, rules_page, status_page, take, views},
    route::{self, Access, Body, RouteInfo, Tag, json, route},
    state::AppState,
    v1::{
        aggregate, alerts, catalogue, health, latest, ledger, observations, openapi, quarantine, rules, station, status,
    },
};

const CSV: Body = Body::Other("text/csv");
const NO_STATION: &[ProblemType] = &[ProblemType::StationNotFound];
const NO_HISTORY: &[ProblemType] = &[ProblemType::DatastreamNotFound, ProblemType::StoreUnavailable];
const NO_ALERTS: &[ProblemType] = &[ProblemType::AlertsUnavailable];
const NO_ALERT: &[ProblemType] = &[ProblemType::AlertNotFound, ProblemType::AlertsUnavailable];
const NO_SPOOL: &[ProblemType] = &[ProblemType::SpoolUnavailable];
const NOT_TAKEN: &[ProblemType] = &[
    ProblemType::AlertNotFound,
    ProblemType::AlreadyAcknowledged,
    ProblemType::AlertClosed,
    ProblemType::InvalidBody,
    ProblemType::BodyTooLarge,
    ProblemType::BodyTooSlow,
    ProblemType::UnsupportedMediaType,
    ProblemType::AlertsUnavailable,
];

const NOT_ALL_TAKEN: &[ProblemType] =
    &[ProblemType::InvalidBody, ProblemType::BodyTooLarge, ProblemType::BodyTooSlow, ProblemType::AlertsUnavailable];

/// Every route, in the order documents list them.
pub const ROUTES: [RouteInfo; 37] = [
    route("/api/v1/stations", "stations", Tag::Registry, Access::Read, || get(catalogue::stations))
        .answers(&[json::<StationList>()])
        .tagged(),
    route("/api/v1/stations/{id}", "station", Tag::Registry, Access::Read, || get(station::station))
        .takes(&["station_id", "lang"])
        .answers(&[json::<StationDetail>()])
        .tagged()
        .fails(NO_STATION),
    route("/api/v1/datastreams", "datastreams", Tag::Registry, Access::Read, || get(catalogue::datastreams))
        .takes(&["station", "lang"])
        .answers(&[json::<DatastreamList>()])
        .tagged()
        .fails(NO_STATION),
    route("/api/v1/latest", "latest", Tag::Values, Access::Read, || get(latest::latest))
        .takes(&["station", "lang"])
        .answers(&[json::<LatestList>()])
        .tagged()
        .fails(NO_STATION),
    route("/api/v1/observations", "observations", Tag::Values, Access::Read, || get(observations::observations))
        .takes(&["datastream", "from", "to", "flags", "rows", "cursor", "format", "local", "lang"])
        .answers(&[json::<ObservationPage>(), CSV])
        .tagged()
        .fails(&[ProblemType::DatastreamNotFound, ProblemType::InvalidCursor, ProblemType::StoreUnavailable]),
    route("/api/v1/aggregates", "aggregates", Tag::Values, Access::Read, || get(aggregate::aggregates))
        .takes(&["datastream", "from", "to", "step", "tz", "good", "format", "lang"])
        .answers(&[json::<Aggregates>(), CSV])
        .tagged()
        .fails(NO_HISTORY),
    route("/api/v1/alerts", "alerts", Tag::Alerts, Access::Read, || get(alerts::list))
        .takes(&[
            "active",
            "station",
            "agency",
            "of_datastream",
            "kind",
            "level",
            "from",
            "to",
            "before_alert",
            "alerts",
            "lang",
        ])
        .answers(&[json::<AlertList>()])
        .fails(NO_ALERTS),
    route("/api/v1/alerts/settled", "settled", Tag::Alerts, Access::Read, || get(alerts::settled))
        .takes(&["rule", "of_datastream", "from", "to", "lang"])
        .answers(&[json::<SettledHistory>()])
        .fails(&[ProblemType::DatastreamNotFound, ProblemType::StoreUnavailable, ProblemType::AlertsUnavailable]),
    route("/api/v1/alerts/{id}", "alert", Tag::Alerts, Access::Read, || get(alerts::one))
        .takes(&["alert_id", "lang"])
        .answers(&[json::<AlertDetail>()])
        .fails(NO_ALERT),
    route("/api/v1/alerts/{id}/acknowledge", "acknowledge", Tag::Alerts, Access::Write, || post(alerts::acknowledge))
        .post()
        .takes(&["alert_id", "lang"])
        .answers(&[json::<Alert>()])
        .fails(NOT_TAKEN),
    route("/api/v1/rules", "rules", Tag::Alerts, Access::Read, || get(rules::list))
        .answers(&[json::<RuleList>()])
        .tagged(),
    route("/api/v1/rules/{id}", "rule", Tag::Alerts, Access::Read, || get(rules::one))
        .takes(&["rule_id", "lang"])
        .answers(&[json::<RuleDetail>()])
        .tagged()
        .fails(&[ProblemType::RuleNotFound]),
    route("/api/v1/quarantine", "quarantine", Tag::Operation, Access::Payloads, || get(quarantine::list))
        .takes(&["before_row", "quarantined", "lang"])
        .answers(&[json::<QuarantineList>()])
        .fails(NO_SPOOL),
    route("/api/v1/quarantine/{id}", "quarantine_row", Tag::Operation, Access::Payloads, || get(quarantine::one))
        .takes(&["quarantine_id", "lang"])
        .answers(&[json::<QuarantineRow>()])
        .fails(NO_SPOOL),
    route("/api/v1/ledger", "ledger", Tag::Operation, Access::Read, || get(ledger::ledger))
        .takes(&["from", "to", "lang"])
        .answers(&[json::<Ledger>()])
        .fails(&[ProblemType::StoreUnavailable, ProblemType::SpoolUnavailable]),
    route("/api/v1/sources", "sources", Tag::Operation, Access::Read, || get(health::sources))
        .answers(&[json::<SourceList>()]),
    route("/api/v1/status", "status", Tag::Operation, Access::Read, || get(status::status))
        .answers(&[json::<Status>()]),
    route("/api/v1/events", "events", Tag::Values, Access::Read, || get(events::events))
        .takes(&["station", "after", "lang"])
        .answers(&[route::events::<Event>()])
        .fails(NO_STATION),
    route("/api/v1/openapi.json", "openapi", Tag::Registry, Access::Open, document)
        .answers(&[Body::Other("application/json")])
        .tagged(),
    route("/charts/{station}/{file}", "chart", Tag::Pages, Access::Read, || get(charts::chart))
        .takes(&["chart_station", "chart_file", "range", "from", "to", "width", "height", "theme", "lang"])
        .answers(&[Body::Other("image/svg+xml"), Body::Other("image/png")])
        .tagged()
        .fails(&[
            ProblemType::StationNotFound,
            ProblemType::DatastreamNotFound,
            ProblemType::RangeTooLarge,
            ProblemType::StoreUnavailable,
        ]),
    route("/", "page_overview", Tag::Pages, Access::Read, || get(views::overview)).page(),
    route("/stations/{id}", "page_station", Tag::Pages, Access::Read, || get(views::station))
        .page()
        .takes(&["station_id", "window", "lang"])
        .fails(&[ProblemType::StationNotFound, ProblemType::AlertsUnavailable]),
    route("/alerts", "page_alerts", Tag::Pages, Access::Read, || get(views::alerts))
        .page()
        .takes(&["all", "before_alert", "lang"])
        .fails(NO_ALERTS),
    route("/alerts/{id}", "page_alert", Tag::Pages, Access::Read, || get(views::alert))
        .page()
        .takes(&["alert_id", "lang"])
        .fails(NO_ALERT),
    route("/alerts/{id}/acknowledge", "page_acknowledge", Tag::Pages, Access::Write, || post(views::acknowledge))
        .post()
        .page()
        .takes(&["alert_id", "lang"])
        .fails(NOT_TAKEN),
    route("/alerts/acknowledge", "page_take", Tag::Pages, Access::Write, || post(take::acknowledge))
        .post()
        .page()
        .takes(&["lang"])
        .fails(NOT_ALL_TAKEN),
    route("/rules", "page_rules", Tag::Pages, Access::Read, || get(rules_page::rules)).page(),
    route("/status", "page_status", Tag::Pages, Access::Read, || get(status_page::status)).page(),
    route("/api", "page_reference", Tag::Pages, Access::Open, reference).page(),
    route("/a/{token}", "page_link", Tag::Pages, Access::Open, || get(link::show))
        .page()
        .takes(&["link_token", "lang"])
        .fails(NO_ALERT),
    route("/a/{token}", "page_link_acknowledge", Tag::Pages, Access::Open, || post(link::acknowledge))
        .post()
        .page()
        .takes(&["link_token", "lang"])
        .fails(&[
            ProblemType::AlertNotFound,
            ProblemType::InvalidBody,
            ProblemType::BodyTooLarge,
            ProblemType::BodyTooSlow,
            ProblemType::AlertsUnavailable,
        ]),
    route("/live", "page_stream", Tag::Pages, Access::Read, || get(page_stream::live))
        .answers(&[Body::Other("text/event-stream")]),
    route("/assets/{name}", "asset_file", Tag::Pages, Access::Open, || get(views::asset))
        .takes(&["asset"])
        .answers(&[Body::Other("text/css")])
        .tagged(),
    route("/problems/{key}", "problem", Tag::Operation, Access::Open, || get(views::problem_type))
        .takes(&["problem_key"])
        .answers(&[json::<bakau_answers::ProblemType>()]),
    route("/healthz", "healthz", Tag::Operation, Access::Open, || get(health::healthz))
        .takes(&[])
        .answers(&[Body::Other("text/plain")]),
    route("/readyz", "readyz", Tag::Operation, Access::Open, || get(health::readyz)).answers(&[json::<Readiness>()]),
    route("/metrics", "metrics", Tag::Operation, Access::Read, || get(health::prometheus_text))
        .takes(&[])
        .answers(&[Body::Other("text/plain")]),
];

fn document() -> MethodRouter<AppState> {
    get(|call: Call| async move { openapi::openapi(&ROUTES, &call) })
}

fn reference() -> MethodRouter<AppState> {
    get(|call: Call| async move { reference::page(&ROUTES, &call) })
}

/// Whether problems of this route are told by a page.
pub(crate) fn is_page(path: &str) -> bool {
    ROUTES.iter().any(|route| route.page && route.path == path)
}
