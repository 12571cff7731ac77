//! What can be said about one item without looking at any other, field by field while the lines are known.
//!
//! Values come as options: a field that could not be read is reported already and must not hide its neighbours.

use std::{collections::BTreeSet, fmt::Display};

use bakau_model::{DatastreamName, Level, Parameter, StationId, Text, Unit, UtcMillis};

use super::{
    fields::Fields,
    grammar::{
        STATION_LEVEL, is_area_code, is_json_pointer, is_variable_name, misspelling, station_levels, topic_problem,
        webhook_problem,
    },
};
use crate::{
    parameters,
    snapshot::{Direction, JsonValue, Threshold},
    token,
};

/// Longest free text, in bytes: a long sentence with its source.
const MAX_TEXT_BYTES: usize = 1_000;
/// Slowest expected datastream; anything slower is a survey, not a sensor.
pub(crate) const MAX_INTERVAL_S: u32 = 86_400;
/// Longest hold: the engine keeps what it has seen of a level that long.
pub(crate) const MAX_HOLD_S: u32 = 86_400;
/// Most values of one payload mapping.
const MAX_JSON_VALUES: usize = 500;
/// Most entries of short lists: topics of a device, channels of a rule, former names.
const MAX_LIST: usize = 100;
/// Parameters whose values mean nothing without a vertical datum.
const LEVEL_PARAMETERS: &[&str] = &["water_level"];

type Values<'a, const N: usize> = [(&'static str, &'a dyn Display); N];

pub(crate) fn area_code(fields: &mut Fields<'_, '_>, code: Option<&str>) {
    if let Some(code) = code.filter(|code| !is_area_code(code)) {
        fields.error_at("code", "area_code", &[("value", &code)]);
    }
}

pub(crate) fn time_zone(fields: &mut Fields<'_, '_>, zone: Option<&str>) {
    if let Some(zone) = zone.filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
        fields.error_at("time_zone", "time_zone", &[("value", &zone)]);
    }
}

pub(crate) fn datastream(fields: &mut Fields<'_, '_>, id: &DatastreamName, was: &[DatastreamName]) {
    let code = id.parameter();
    if !parameters().contains_key(code) {
        unknown_parameter(fields, "id", code);
    }
    if LEVEL_PARAMETERS.contains(&code) && !fields.is_written("vertical_datum") {
        fields.error_at("", "datum_missing", &[("id", id)]);
    }
    if was.contains(id) {
        fields.error_at("was", "was_itself", &[("id", id)]);
    }
}

fn unknown_parameter(fields: &mut Fields<'_, '_>, field: &str, code: &str) {
    let near = near(code, parameters().keys().map(Parameter::as_str));
    fields.error_at(field, "unknown_parameter", &[("code", &code), ("near", &near)]);
}

pub(crate) fn deployment(
    fields: &mut Fields<'_, '_>,
    times: (Option<UtcMillis>, Option<UtcMillis>),
    gain: Option<f64>,
    offset: Option<f64>,
) {
    if let (Some(from), Some(to)) = times
        && to <= from
    {
        fields.error_at("to", "deployment_order", &[]);
    }
    finite(fields, "gain", gain);
    finite(fields, "offset", offset);
    if gain == Some(0.0) {
        fields.error_at("gain", "gain_zero", &[]);
    }
}

pub(crate) fn route(fields: &mut Fields<'_, '_>, topic_filter: Option<&str>) {
    let Some(topic_filter) = topic_filter else { return };
    topic(fields, "topic", topic_filter);
    match (station_levels(topic_filter), fields.is_written("station")) {
        (0, false) => fields.error_at("topic", "station_unknown", &[("level", &STATION_LEVEL)]),
        (1.., true) => fields.error_at("station", "station_twice", &[("level", &STATION_LEVEL)]),
        (0, true) | (1.., false) => {}
    }
}

pub(crate) fn json_values(fields: &mut Fields<'_, '_>, count: usize, values: &[JsonValue]) {
    if count == 0 || MAX_JSON_VALUES < count {
        fields.error_at("values", "values_count", &[("limit", &MAX_JSON_VALUES)]);
    }
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert((&value.parameter, &value.qualifier)) {
            fields.error_at("values", "value_twice", &[("parameter", &value.parameter)]);
        }
    }
}

/// Checks the time of a JSON mapping.
pub(crate) fn json_time(fields: &mut Fields<'_, '_>, time: Option<&str>) {
    if let Some(time) = time.filter(|time| !is_json_pointer(time)) {
        fields.error_at("time", "pointer", &[("value", &time)]);
    }
}

/// Checks one value of a JSON mapping.
pub(crate) fn json_value(
    fields: &mut Fields<'_, '_>,
    path: Option<&str>,
    parameter: Option<&Parameter>,
    qualifier: Option<&str>,
    unit: Option<&Unit>,
) {
    if let Some(path) = path.filter(|path| !is_json_pointer(path)) {
        fields.error_at("path", "pointer", &[("value", &path)]);
    }
    let info = parameter.and_then(|code| parameters().get(code));
    if let Some(code) = parameter.filter(|_| info.is_none()) {
        unknown_parameter(fields, "parameter", code.as_str());
    }
    if let (Some(info), Some(unit)) = (info, unit)
        && let Err(error) = unit.conversion_to(&info.unit)
    {
        fields.error_at("unit", "bad_value", &[("key", &"unit"), ("detail", &error)]);
    }
    if let Some(qualifier) = qualifier.filter(|qualifier| StationId::new(qualifier).is_err()) {
        fields.error_at("qualifier", "qualifier", &[("value", &qualifier)]);
    }
}

/// Checks the levels of a rule; thresholds that could not be read are left out.
pub(crate) fn levels(fields: &mut Fields<'_, '_>, direction: Option<Direction>, thresholds: [Option<Threshold>; 3]) {
    if !Level::RAISED.into_iter().any(|level| fields.is_written(level.key())) {
        fields.error_at("", "rule_without_level", &[]);
    }
    let mut calmer: Option<(Level, Threshold)> = None;
    for (level, threshold) in Level::RAISED.into_iter().zip(thresholds) {
        let Some(threshold) = threshold else { continue };
        if !threshold.raise.is_finite() || !threshold.clear.is_finite() {
            fields.error_at(level.key(), "not_finite", &[("key", &level.key())]);
            continue;
        }
        let Some(direction) = direction else { continue };
        if is_worse(direction, threshold.clear, threshold.raise) {
            let values: Values<'_, 3> = [("level", &level), ("raise", &threshold.raise), ("clear", &threshold.clear)];
            fields.error_at(level.key(), clear_key(direction), &values);
        }
        let unordered = |(_, before): &(Level, Threshold)| !is_worse(direction, threshold.raise, before.raise);
        if let Some((calm, before)) = calmer.filter(unordered) {
            let values: Values<'_, 4> =
                [("level", &level), ("raise", &threshold.raise), ("calm", &calm), ("before", &before.raise)];
            fields.error_at(level.key(), order_key(direction), &values);
        }
        calmer = Some((level, threshold));
    }
}

const fn is_worse(direction: Direction, value: f64, than: f64) -> bool {
    match direction {
        Direction::Above => than < value,
        Direction::Below => value < than,
    }
}

const fn clear_key(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "clear_above",
        Direction::Below => "clear_below",
    }
}

const fn order_key(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "order_above",
        Direction::Below => "order_below",
    }
}

pub(crate) fn webhook(fields: &mut Fields<'_, '_>, url: Option<&str>, secret_env: Option<&str>) {
    if let Some(problem) = url.and_then(webhook_problem) {
        // A refused address may hold a password: it is not repeated.
        fields.error_at("url", problem, &[]);
    }
    if secret_env.is_some_and(|name| !is_variable_name(name)) {
        fields.error_at("secret_env", "variable_name", &[]);
    }
}

pub(crate) fn device(fields: &mut Fields<'_, '_>, token_sha256: Option<&str>, publish: Option<&[String]>) {
    if token_sha256.is_some_and(|digest| token::parse_digest(digest).is_none()) {
        // It may be the token itself, pasted by mistake: it is not repeated.
        fields.error_at("token_sha256", "token_digest", &[]);
    }
    let Some(publish) = publish else { return };
    if publish.is_empty() {
        fields.error_at("publish", "publish_nothing", &[]);
    }
    list(fields, "publish", publish.len());
    for filter in publish.iter().take(MAX_LIST) {
        if 0 < station_levels(filter) {
            fields.error_at("publish", "topic_braces", &[("value", filter)]);
        } else {
            topic(fields, "publish", filter);
        }
    }
}

fn topic(fields: &mut Fields<'_, '_>, field: &str, topic: &str) {
    if let Some(problem) = topic_problem(topic) {
        fields.error_at(field, problem, &[("value", &topic)]);
    }
}

pub(crate) fn name(fields: &mut Fields<'_, '_>, name: Option<&Text>) {
    text(fields, "name", name.map(|name| name.id.as_str()));
    text(fields, "name", name.filter(|name| name.id != name.en).map(|name| name.en.as_str()));
}

pub(crate) fn text(fields: &mut Fields<'_, '_>, field: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    if value.trim().is_empty() || MAX_TEXT_BYTES < value.len() || value.chars().any(char::is_control) {
        fields.error_at(field, "text", &[("key", &field), ("limit", &MAX_TEXT_BYTES)]);
    }
}

pub(crate) fn list(fields: &mut Fields<'_, '_>, field: &str, length: usize) {
    if MAX_LIST < length {
        fields.error_at(field, "list_too_long", &[("key", &field), ("limit", &MAX_LIST)]);
    }
}

pub(crate) fn within(fields: &mut Fields<'_, '_>, field: &str, value: Option<f64>, min: f64, max: f64) {
    if let Some(value) = value.filter(|value| !(min..=max).contains(value)) {
        let values: Values<'_, 4> = [("key", &field), ("value", &value), ("min", &min), ("max", &max)];
        fields.error_at(field, "range", &values);
    }
}

fn finite(fields: &mut Fields<'_, '_>, field: &str, value: Option<f64>) {
    if value.is_some_and(|value| !value.is_finite()) {
        fields.error_at(field, "not_finite", &[("key", &field)]);
    }
}

/// ` ('x'?)` where a known word is close, to be put behind an unknown one.
pub(super) fn near<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Enough for any real list; bounds the work for a large catalogue full of dangling references.
    const MAX_COMPARED: usize = 2_000;
    misspelling(given, known.take(MAX_COMPARED)).map_or_else(String::new, |word| format!(" ('{word}'?)"))
}
