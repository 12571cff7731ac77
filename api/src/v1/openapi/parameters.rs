//! What routes take. A test holds this to what their handlers accept.

use bakau_answers::BucketStep;
use bakau_dashboards::view::Window;
use bakau_model::{ConditionKind, Language};

use crate::http::query::FileFormat;

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
const STEP: Form = Form::Words(&BucketStep::KEYS);
const FILE: Form = Form::Words(&FileFormat::KEYS);

/// Every parameter.
pub(crate) const PARAMETERS: [Parameter; 39] = [
    query("lang", "lang", Form::Words(&Language::KEYS), "id"),
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
    query("kind", "kind", Form::Words(&ConditionKind::KEYS), "threshold"),
    query("level", "level", Form::Words(&["waspada", "siaga", "awas"]), "siaga"),
    query("alerts", "limit", Form::Number(1, 999), "100"),
    query("before_alert", "before", Form::Text, ""),
    query("after", "after", Form::Text, ""),
    query("rule", "rule", Form::Text, "do-low"),
    query("quarantined", "limit", Form::Number(1, 100), "20"),
    query("before_row", "before", Form::Number(1, u64::MAX), ""),
    query("range", "range", Form::Words(&["1d", "7d", "30d", "365d", "day", "week", "month", "year"]), "7d"),
    query("window", "range", Form::Words(&Window::KEYS), "week"),
    query("width", "width", Form::Number(240, 2000), "640"),
    query("height", "height", Form::Number(140, 2000), "320"),
    query("theme", "theme", Form::Words(&["light", "dark"]), "dark"),
    query("all", "all", YES_NO, "true"),
];

/// The parameter of a key.
pub(crate) fn parameter(key: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.key == key)
}
