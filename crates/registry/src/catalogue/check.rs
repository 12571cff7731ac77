//! What can be said about one item without looking at any other.

use std::{collections::BTreeMap, collections::BTreeSet, fmt::Display};

use bakau_model::{Level, Parameter, ParameterInfo, Text};

use super::{
    error::Errors,
    fields::Fields,
    grammar::{
        STATION_LEVEL, is_area_code, is_json_pointer, is_variable_name, misspelling, station_levels, topic_problem,
        webhook_problem,
    },
    items::Item,
};
use crate::{
    snapshot::{
        Agency, Channel, City, DatastreamEntry, DeploymentEntry, Device, Direction, Format, Instrument, JsonMapping,
        JsonValue, Route, Rule, Station, Threshold,
    },
    token,
};

/// Longest free text, in bytes: a long sentence with its source.
const MAX_TEXT_BYTES: usize = 1_000;
/// Slowest expected datastream; anything slower is a survey, not a sensor.
const MAX_INTERVAL_S: u32 = 86_400;
/// Longest hold: the engine keeps what it has seen of a level that long.
const MAX_HOLD_S: u32 = 86_400;
/// Most values of one payload mapping.
const MAX_JSON_VALUES: usize = 500;
/// Most entries of short lists: topics of a device, channels of a rule, former names.
const MAX_LIST: usize = 100;
/// Parameters whose values mean nothing without a vertical datum.
const LEVEL_PARAMETERS: &[&str] = &["water_level"];

pub(crate) fn city(item: &Item<City>, errors: &mut Errors) {
    name(item, &item.value.name, errors);
    if !is_area_code(&item.value.code) {
        errors.add(&item.at("code"), "area_code", &[("value", &item.value.code)]);
    }
}

pub(crate) fn agency(item: &Item<Agency>, errors: &mut Errors) {
    name(item, &item.value.name, errors);
}

pub(crate) fn station(item: &Item<Station>, errors: &mut Errors) {
    let station = &item.value;
    name(item, &station.name, errors);
    within(item, "latitude", station.latitude, -90.0, 90.0, errors);
    within(item, "longitude", station.longitude, -180.0, 180.0, errors);
    if jiff::tz::TimeZone::get(&station.time_zone).is_err() {
        errors.add(&item.at("time_zone"), "time_zone", &[("value", &station.time_zone)]);
    }
}

pub(crate) fn datastream(
    item: &Item<DatastreamEntry>,
    parameters: &BTreeMap<Parameter, ParameterInfo>,
    errors: &mut Errors,
) {
    let entry = &item.value;
    within(item, "interval_s", f64::from(entry.interval_s), 1.0, f64::from(MAX_INTERVAL_S), errors);
    let code = entry.id.parameter();
    if !parameters.contains_key(code) {
        let near = near(code, parameters.keys().map(Parameter::as_str));
        errors.add(&item.at("id"), "unknown_parameter", &[("code", &code), ("near", &near)]);
    }
    let needs_datum = LEVEL_PARAMETERS.contains(&code);
    if needs_datum && !item.has("vertical_datum") {
        errors.add(item.place(), "datum_missing", &[("id", &entry.id)]);
    }
    if let Some(datum) = &entry.vertical_datum {
        text(item, "vertical_datum", datum, errors);
    }
    list(item, "was", entry.was.len(), errors);
    if entry.was.contains(&entry.id) {
        errors.add(&item.at("was"), "was_itself", &[("id", &entry.id)]);
    }
}

pub(crate) fn instrument(item: &Item<Instrument>, errors: &mut Errors) {
    let Instrument { make, model, serial, .. } = &item.value;
    for (field, value) in [("make", make), ("model", model), ("serial", serial)] {
        text(item, field, value, errors);
    }
}

pub(crate) fn deployment(item: &Item<DeploymentEntry>, errors: &mut Errors) {
    let entry = &item.value;
    let instant = |text: &str| bakau_model::UtcMillis::parse(text).ok();
    let to = entry.to.as_deref().and_then(instant);
    if to.is_some_and(|to| instant(&entry.from).is_some_and(|from| to <= from)) {
        errors.add(&item.at("to"), "deployment_order", &[]);
    }
    finite(item, "gain", entry.gain, errors);
    finite(item, "offset", entry.offset, errors);
    if entry.gain == 0.0 {
        errors.add(&item.at("gain"), "gain_zero", &[]);
    }
}

pub(crate) fn route(item: &Item<Route>, errors: &mut Errors) {
    let route = &item.value;
    topic(item, "topic", &route.topic, errors);
    match (station_levels(&route.topic), &route.station) {
        (0, None) => errors.add(&item.at("topic"), "station_unknown", &[("level", &STATION_LEVEL)]),
        (1.., Some(_)) => errors.add(&item.at("station"), "station_twice", &[("level", &STATION_LEVEL)]),
        (0, Some(_)) | (1.., None) => {}
    }
    let Format::Json { json: JsonMapping { values, .. } } = &route.format;
    if values.is_empty() || MAX_JSON_VALUES < values.len() {
        errors.add(&item.at("json"), "values_count", &[("limit", &MAX_JSON_VALUES)]);
    }
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert((&value.parameter, &value.qualifier)) {
            errors.add(&item.at("json"), "value_twice", &[("parameter", &value.parameter)]);
        }
    }
}

/// Checks the time of a JSON mapping while its fields still know their lines.
pub(crate) fn json_time(time: Option<&str>, fields: &mut Fields<'_, '_>) {
    if let Some(time) = time.filter(|time| !is_json_pointer(time)) {
        fields.error_at("time", "pointer", &[("value", &time)]);
    }
}

/// Checks one value of a JSON mapping while its fields still know their lines.
pub(crate) fn json_value(value: &JsonValue, fields: &mut Fields<'_, '_>) {
    let parameters = crate::parameters();
    if !is_json_pointer(&value.path) {
        fields.error_at("path", "pointer", &[("value", &value.path)]);
    }
    match parameters.get(&value.parameter) {
        None => {
            let near = near(value.parameter.as_str(), parameters.keys().map(Parameter::as_str));
            fields.error_at("parameter", "unknown_parameter", &[("code", &value.parameter), ("near", &near)]);
        }
        Some(info) => {
            if let Err(error) = value.unit.conversion_to(&info.unit) {
                fields.error_at("unit", "bad_value", &[("key", &"unit"), ("detail", &error)]);
            }
        }
    }
    let qualifier = value.qualifier.as_deref();
    if qualifier.is_some_and(|qualifier| bakau_model::StationId::new(qualifier).is_err()) {
        fields.error_at("qualifier", "qualifier", &[("value", &qualifier.unwrap_or_default())]);
    }
}

pub(crate) fn rule(item: &Item<Rule>, errors: &mut Errors) {
    let rule = &item.value;
    name(item, &rule.name, errors);
    text(item, "source", &rule.source, errors);
    list(item, "channels", rule.channels.len(), errors);
    within(item, "hold_s", f64::from(rule.hold_s), 0.0, f64::from(MAX_HOLD_S), errors);
    if !["waspada", "siaga", "awas"].into_iter().any(|level| item.has(level)) {
        errors.add(item.place(), "rule_without_level", &[("id", &rule.id)]);
    }
    let mut calmer: Option<(Level, Threshold)> = None;
    for level in Level::RAISED {
        let Some(threshold) = rule.threshold(level) else { continue };
        if !threshold.raise.is_finite() || !threshold.clear.is_finite() {
            errors.add(&item.at(level.key()), "not_finite", &[("key", &level.key())]);
            continue;
        }
        if is_worse(rule.direction, threshold.clear, threshold.raise) {
            let values: [(&'static str, &dyn Display); 3] =
                [("level", &level), ("raise", &threshold.raise), ("clear", &threshold.clear)];
            errors.add(&item.at(level.key()), clear_key(rule.direction), &values);
        }
        if let Some((calm, before)) =
            calmer.filter(|(_, before)| !is_worse(rule.direction, threshold.raise, before.raise))
        {
            let values: [(&'static str, &dyn Display); 4] =
                [("level", &level), ("raise", &threshold.raise), ("calm", &calm), ("before", &before.raise)];
            errors.add(&item.at(level.key()), order_key(rule.direction), &values);
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

pub(crate) fn channel(item: &Item<Channel>, errors: &mut Errors) {
    let Channel::Webhook { url, secret_env, .. } = &item.value;
    if let Some(problem) = webhook_problem(url) {
        // A refused address may hold a password: it is not repeated.
        errors.add(&item.at("url"), problem, &[]);
    }
    if !is_variable_name(secret_env) {
        errors.add(&item.at("secret_env"), "variable_name", &[]);
    }
}

pub(crate) fn device(item: &Item<Device>, errors: &mut Errors) {
    let device = &item.value;
    text(item, "username", &device.username, errors);
    if token::parse_digest(&device.token_sha256).is_none() {
        // It may be the token itself, pasted by mistake: it is not repeated.
        errors.add(&item.at("token_sha256"), "token_digest", &[]);
    }
    if device.publish.is_empty() {
        errors.add(&item.at("publish"), "publish_nothing", &[]);
    }
    list(item, "publish", device.publish.len(), errors);
    for filter in device.publish.iter().take(MAX_LIST) {
        if 0 < station_levels(filter) {
            errors.add(&item.at("publish"), "topic_braces", &[("value", filter)]);
        } else {
            topic(item, "publish", filter, errors);
        }
    }
}

fn topic<T>(item: &Item<T>, field: &str, topic: &str, errors: &mut Errors) {
    if let Some(problem) = topic_problem(topic) {
        errors.add(&item.at(field), problem, &[("value", &topic)]);
    }
}

fn name<T>(item: &Item<T>, name: &Text, errors: &mut Errors) {
    text(item, "name", &name.id, errors);
    text(item, "name", &name.en, errors);
}

fn text<T>(item: &Item<T>, field: &str, value: &str, errors: &mut Errors) {
    if value.trim().is_empty() || MAX_TEXT_BYTES < value.len() || value.chars().any(char::is_control) {
        errors.add(&item.at(field), "text", &[("key", &field), ("limit", &MAX_TEXT_BYTES)]);
    }
}

fn list<T>(item: &Item<T>, field: &str, length: usize, errors: &mut Errors) {
    if MAX_LIST < length {
        errors.add(&item.at(field), "list_too_long", &[("key", &field), ("limit", &MAX_LIST)]);
    }
}

fn within<T>(item: &Item<T>, field: &str, value: f64, min: f64, max: f64, errors: &mut Errors) {
    if !(min..=max).contains(&value) {
        let values: [(&'static str, &dyn Display); 4] =
            [("key", &field), ("value", &value), ("min", &min), ("max", &max)];
        errors.add(&item.at(field), "range", &values);
    }
}

fn finite<T>(item: &Item<T>, field: &str, value: f64, errors: &mut Errors) {
    if !value.is_finite() {
        errors.add(&item.at(field), "not_finite", &[("key", &field)]);
    }
}

/// ` ('x'?)` where a known word is close, to be put behind an unknown one.
pub(super) fn near<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Enough for any real list; bounds the work for a large catalogue full of dangling references.
    const MAX_COMPARED: usize = 2_000;
    misspelling(given, known.take(MAX_COMPARED)).map_or_else(String::new, |word| format!(" ('{word}'?)"))
}
