//! What each route takes and answers. A test holds this table to the router, to the handlers and to their real answers.

use crate::http::error::ProblemType;

bakau_model::words! {
    /// Groups of routes, in the order documents list them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Tag {
        /// What is registered.
        Registry => "registry",
        /// Values: present, past and summed up.
        Values => "values",
        /// Alerts and rules.
        Alerts => "alerts",
        /// Bakau itself.
        Operation => "operation",
        /// Pages and pictures for people.
        Pages => "pages",
    }
}

/// One thing a successful answer may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// JSON of a named schema.
    Json(&'static str),
    /// Another media type.
    Other(&'static str),
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Unique; its message key is `route_` and this.
    pub(crate) key: &'static str,
    pub(crate) tag: Tag,
    /// Keys of [`PARAMETERS`].
    pub(crate) parameters: &'static [&'static str],
    pub(crate) bodies: &'static [Body],
    /// Whether it answers 304 to a client that has the content already.
    pub(crate) conditional: bool,
    /// Problems of its own, beside those every route can have.
    pub(crate) problems: &'static [ProblemType],
}

/// How a parameter is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// RFC 3339 with offset.
    Time,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number in a range.
    Number(u64, u64),
    /// Words with commas between them.
    Flags,
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Unique; its message key is `param_` and this.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    /// Part of the path instead of the query.
    pub(crate) in_path: bool,
    pub(crate) required: bool,
    pub(crate) form: Form,
    pub(crate) example: &'static str,
}

const fn query(key: &'static str, name: &'static str, form: Form, example: &'static str) -> Parameter {
    Parameter { key, name, in_path: false, required: false, form, example }
}

const fn needed(key: &'static str, name: &'static str, form: Form, example: &'static str) -> Parameter {
    Parameter { key, name, in_path: false, required: true, form, example }
}

const fn path(key: &'static str, name: &'static str, example: &'static str) -> Parameter {
    Parameter { key, name, in_path: true, required: true, form: Form::Text, example }
}

const YES_NO: Form = Form::Words(&["true", "false"]);
const STEP: Form = Form::Words(&["5m", "15m", "1h", "3h", "8h", "1d", "1mo", "1y"]);
const FILE: Form = Form::Words(&["json", "csv"]);

/// Every parameter.
pub(crate) const PARAMETERS: [Parameter; 39] = [
    query("lang", "lang", Form::Words(&["id", "en"]), "id"),
    path("station_id", "id", "prb-bjbr-01"),
    path("alert_id", "id", "a41d1d4c25c0a0e4b5a6"),
    path("link_token", "token", ""),
    path("rule_id", "id", "do-low"),
    path("quarantine_id", "id", "1"),
    path("chart_station", "station", "prb-bjbr-01"),
    path("chart_file", "file", "do.svg"),
    path("asset", "name", "bakau.css"),
    path("problem_key", "key", "busy"),
    query("station", "station", Form::Text, "prb-bjbr-01"),
    needed("datastream", "datastream", Form::Text, "prb-bjbr-01/do"),
    query("of_datastream", "datastream", Form::Text, "prb-bjbr-01/do"),
    query("from", "from", Form::Time, "2026-03-01T00:00:00+07:00"),
    query("to", "to", Form::Time, "2026-04-01T00:00:00+07:00"),
    query("flags", "flags", Form::Flags, "usable"),
    query("good", "flags", Form::Words(&["usable", "good"]), "good"),
    query("rows", "limit", Form::Number(1, 20_000), "1000"),
    query("cursor", "cursor", Form::Text, ""),
    query("format", "format", FILE, "csv"),
    query("local", "local", YES_NO, "true"),
    query("step", "step", STEP, "1d"),
    query("tz", "tz", Form::Text, "Asia/Jakarta"),
    query("active", "active", YES_NO, "true"),
    query("agency", "agency", Form::Text, "dlh"),
    query("kind", "kind", Form::Words(&["threshold", "silence", "source_down"]), "threshold"),
    query("level", "level", Form::Words(&["waspada", "siaga", "awas"]), "siaga"),
    query("alerts", "limit", Form::Number(1, 999), "100"),
    query("before_alert", "before", Form::Text, ""),
    query("after", "after", Form::Text, ""),
    query("rule", "rule", Form::Text, "do-low"),
    query("quarantined", "limit", Form::Number(1, 100), "20"),
    query("before_row", "before", Form::Number(1, u64::MAX), ""),
    query("range", "range", Form::Words(&["1d", "7d", "30d", "365d", "day", "week", "month", "year"]), "7d"),
    query("window", "range", Form::Words(&["day", "week", "month", "year"]), "week"),
    query("width", "width", Form::Number(240, 2000), "640"),
    query("height", "height", Form::Number(140, 2000), "320"),
    query("theme", "theme", Form::Words(&["light", "dark"]), "dark"),
    query("all", "all", YES_NO, "true"),
];

/// The parameter of a key.
pub(crate) fn parameter(key: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.key == key)
}

const fn get(
    path: &'static str,
    key: &'static str,
    tag: Tag,
    parameters: &'static [&'static str],
    bodies: &'static [Body],
) -> Operation {
    Operation { method: "GET", path, key, tag, parameters, bodies, conditional: false, problems: &[] }
}

const fn post(path: &'static str, key: &'static str, tag: Tag, bodies: &'static [Body]) -> Operation {
    const PROBLEMS: &[ProblemType] = &[
        ProblemType::AlertNotFound,
        ProblemType::AlreadyAcknowledged,
        ProblemType::AlertClosed,
        ProblemType::InvalidBody,
        ProblemType::BodyTooLarge,
        ProblemType::BodyTooSlow,
        ProblemType::UnsupportedMediaType,
        ProblemType::AlertsUnavailable,
    ];
    Operation {
        method: "POST",
        path,
        key,
        tag,
        parameters: &["alert_id", "lang"],
        bodies,
        conditional: false,
        problems: PROBLEMS,
    }
}

impl Operation {
    const fn tagged(mut self) -> Self {
        self.conditional = true;
        self
    }

    const fn fails(mut self, problems: &'static [ProblemType]) -> Self {
        self.problems = problems;
        self
    }
}

const CSV: Body = Body::Other("text/csv");
const HTML: &[Body] = &[Body::Other("text/html")];
const NO_STATION: &[ProblemType] = &[ProblemType::StationNotFound];
const NO_HISTORY: &[ProblemType] = &[ProblemType::DatastreamNotFound, ProblemType::StoreUnavailable];
const NO_ALERTS: &[ProblemType] = &[ProblemType::AlertsUnavailable];
const NO_ALERT: &[ProblemType] = &[ProblemType::AlertNotFound, ProblemType::AlertsUnavailable];
const NO_SPOOL: &[ProblemType] = &[ProblemType::SpoolUnavailable];

/// Every route, in the order of [`crate::ROUTES`].
pub(crate) const OPERATIONS: [Operation; 34] = [
    get("/api/v1/stations", "stations", Tag::Registry, &["lang"], &[Body::Json("StationList")]).tagged(),
    get("/api/v1/stations/{id}", "station", Tag::Registry, &["station_id", "lang"], &[Body::Json("StationDetail")])
        .tagged()
        .fails(NO_STATION),
    get("/api/v1/datastreams", "datastreams", Tag::Registry, &["station", "lang"], &[Body::Json("DatastreamList")])
        .tagged()
        .fails(NO_STATION),
    get("/api/v1/latest", "latest", Tag::Values, &["station", "lang"], &[Body::Json("LatestList")])
        .tagged()
        .fails(NO_STATION),
    get(
        "/api/v1/observations",
        "observations",
        Tag::Values,
        &["datastream", "from", "to", "flags", "rows", "cursor", "format", "local", "lang"],
        &[Body::Json("ObservationPage"), CSV],
    )
    .tagged()
    .fails(&[ProblemType::DatastreamNotFound, ProblemType::InvalidCursor, ProblemType::StoreUnavailable]),
    get(
        "/api/v1/aggregates",
        "aggregates",
        Tag::Values,
        &["datastream", "from", "to", "step", "tz", "good", "format", "lang"],
        &[Body::Json("Aggregates"), CSV],
    )
    .tagged()
    .fails(NO_HISTORY),
    get(
        "/api/v1/alerts",
        "alerts",
        Tag::Alerts,
        &[
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
        ],
        &[Body::Json("AlertList")],
    )
    .fails(NO_ALERTS),
    get(
        "/api/v1/alerts/settled",
        "settled",
        Tag::Alerts,
        &["rule", "of_datastream", "from", "to", "lang"],
        &[Body::Json("SettledHistory")],
    )
    .fails(&[ProblemType::DatastreamNotFound, ProblemType::StoreUnavailable, ProblemType::AlertsUnavailable]),
    get("/api/v1/alerts/{id}", "alert", Tag::Alerts, &["alert_id", "lang"], &[Body::Json("AlertDetail")])
        .fails(NO_ALERT),
    post("/api/v1/alerts/{id}/acknowledge", "acknowledge", Tag::Alerts, &[Body::Json("Alert")]),
    get("/api/v1/rules", "rules", Tag::Alerts, &["lang"], &[Body::Json("RuleList")]).tagged(),
    get("/api/v1/rules/{id}", "rule", Tag::Alerts, &["rule_id", "lang"], &[Body::Json("RuleDetail")])
        .tagged()
        .fails(&[ProblemType::RuleNotFound]),
    get(
        "/api/v1/quarantine",
        "quarantine",
        Tag::Operation,
        &["before_row", "quarantined", "lang"],
        &[Body::Json("QuarantineList")],
    )
    .fails(NO_SPOOL),
    get(
        "/api/v1/quarantine/{id}",
        "quarantine_row",
        Tag::Operation,
        &["quarantine_id", "lang"],
        &[Body::Json("QuarantineRow")],
    )
    .fails(NO_SPOOL),
    get("/api/v1/ledger", "ledger", Tag::Operation, &["from", "to", "lang"], &[Body::Json("Ledger")])
        .fails(&[ProblemType::StoreUnavailable, ProblemType::SpoolUnavailable]),
    get("/api/v1/sources", "sources", Tag::Operation, &["lang"], &[Body::Json("SourceList")]),
    get("/api/v1/status", "status", Tag::Operation, &["lang"], &[Body::Json("Status")]),
    get("/api/v1/events", "events", Tag::Values, &["station", "after", "lang"], &[Body::Other("text/event-stream")])
        .fails(NO_STATION),
    get("/api/v1/openapi.json", "openapi", Tag::Registry, &["lang"], &[Body::Other("application/json")]).tagged(),
    get(
        "/charts/{station}/{file}",
        "chart",
        Tag::Pages,
        &["chart_station", "chart_file", "range", "from", "to", "width", "height", "theme", "lang"],
        &[Body::Other("image/svg+xml"), Body::Other("image/png")],
    )
    .tagged()
    .fails(&[
        ProblemType::StationNotFound,
        ProblemType::DatastreamNotFound,
        ProblemType::RangeTooLarge,
        ProblemType::StoreUnavailable,
    ]),
    get("/", "page_overview", Tag::Pages, &["lang"], HTML),
    get("/stations/{id}", "page_station", Tag::Pages, &["station_id", "window", "lang"], HTML)
        .fails(&[ProblemType::StationNotFound, ProblemType::AlertsUnavailable]),
    get("/alerts", "page_alerts", Tag::Pages, &["all", "before_alert", "lang"], HTML).fails(NO_ALERTS),
    get("/alerts/{id}", "page_alert", Tag::Pages, &["alert_id", "lang"], HTML).fails(NO_ALERT),
    post("/alerts/{id}/acknowledge", "page_acknowledge", Tag::Pages, HTML),
    get("/status", "page_status", Tag::Pages, &["lang"], HTML),
    get("/api", "page_reference", Tag::Pages, &["lang"], HTML),
    get("/a/{token}", "page_link", Tag::Pages, &["link_token", "lang"], HTML).fails(NO_ALERT),
    Operation {
        parameters: &["link_token", "lang"],
        problems: &[
            ProblemType::AlertNotFound,
            ProblemType::InvalidBody,
            ProblemType::BodyTooLarge,
            ProblemType::BodyTooSlow,
            ProblemType::AlertsUnavailable,
        ],
        ..post("/a/{token}", "page_link_acknowledge", Tag::Pages, HTML)
    },
    get("/assets/{name}", "asset_file", Tag::Pages, &["asset"], &[Body::Other("text/css")]).tagged(),
    get("/problems/{key}", "problem", Tag::Operation, &["problem_key"], &[Body::Json("ProblemType")]),
    get("/healthz", "healthz", Tag::Operation, &[], &[Body::Other("text/plain")]),
    get("/readyz", "readyz", Tag::Operation, &["lang"], &[Body::Json("Readiness")]),
    get("/metrics", "metrics", Tag::Operation, &[], &[Body::Other("text/plain")]),
];

/// What a route takes and answers.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.method == method && operation.path == path)
}
