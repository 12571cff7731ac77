//! What can be said about one item without looking at any other, field by field while the lines are known.
//!
//! Values come as options: a field that could not be read is reported already and must not hide its neighbours.

mod people;
mod quality;
mod route;
mod rule;

use std::fmt::Display;

use bakau_model::{DAY_S, DatastreamName, Parameter, StationKind, Text, UtcMillis, hex};

pub(crate) use self::{
    people::{email, mail_server, notification, person, url, variable},
    quality::{counter, quality},
    route::{Paths, devices, missing, pointers, route, status, unit, unit_texts, value, values},
    rule::{after, bands, foreign_keys},
};
use super::{
    fields::Fields,
    grammar::{is_area_code, misspelling, placeholder_levels, topic_problem},
};
use crate::{parameters, snapshot::WaterClass};

/// Longest free text, in bytes: a long sentence with its source.
const MAX_TEXT_BYTES: usize = 1_000;
/// Slowest expected datastream; anything slower is a survey, not a sensor.
pub(crate) const MAX_INTERVAL_S: u32 = DAY_S;
/// Longest hold: the engine keeps what it has seen of a level that long.
pub(crate) const MAX_HOLD_S: u32 = DAY_S;
/// Most entries of short lists: topics of a device, channels of a rule, former names.
const MAX_LIST: usize = 100;
/// Parameters whose values mean nothing without a vertical datum.
const LEVEL_PARAMETERS: &[&str] = &["water_level"];

pub(crate) type Values<'a, const N: usize> = [(&'static str, &'a dyn Display); N];

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

/// Checks what only stations of one kind have.
pub(crate) fn of_kind(fields: &mut Fields<'_, '_>, kind: Option<StationKind>, field: &'static str, only: StationKind) {
    if let Some(kind) = kind.filter(|kind| *kind != only && fields.is_written(field)) {
        let values: Values<'_, 3> = [("key", &field), ("only", &only.key()), ("kind", &kind.key())];
        fields.error_at(field, "key_of_kind", &values);
    }
}

pub(crate) fn water_class(fields: &mut Fields<'_, '_>, class: Option<&WaterClass>) {
    let Some(WaterClass { class, source }) = class else { return };
    if !(1..=4).contains(class) {
        let values: Values<'_, 4> = [("key", &"class"), ("value", class), ("min", &1), ("max", &4)];
        fields.error_at("water_class", "range", &values);
    }
    both(fields, "water_class", Some(source));
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

pub(crate) fn deployment(fields: &mut Fields<'_, '_>, times: (Option<UtcMillis>, Option<UtcMillis>)) {
    if let (Some(from), Some(to)) = times
        && to <= from
    {
        fields.error_at("to", "deployment_order", &[]);
    }
    // A key that is read and has no effect would be a promise that is not kept.
    for key in ["gain", "offset"] {
        if fields.has(key) {
            fields.pass(key);
            fields.error_at(key, "not_applied", &[("key", &key)]);
        }
    }
}

pub(crate) fn device(fields: &mut Fields<'_, '_>, token_sha256: Option<&str>, publish: Option<&[String]>) {
    if token_sha256.is_some_and(|digest| hex::decode::<32>(digest).is_none()) {
        // It may be the token itself, pasted by mistake: it is not repeated.
        fields.error_at("token_sha256", "token_digest", &[]);
    }
    let Some(publish) = publish else { return };
    if publish.is_empty() {
        fields.error_at("publish", "publish_nothing", &[]);
    }
    list(fields, "publish", publish.len());
    for filter in publish.iter().take(MAX_LIST) {
        if 0 < placeholder_levels(filter) {
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

/// Checks a text in both its languages.
pub(crate) fn both(fields: &mut Fields<'_, '_>, field: &'static str, both: Option<&Text>) {
    text(fields, field, both.map(|both| both.id.as_str()));
    text(fields, field, both.filter(|both| both.id != both.en).map(|both| both.en.as_str()));
}

/// Checks that a parameter is one of the code list.
pub(crate) fn parameter(fields: &mut Fields<'_, '_>, field: &'static str, parameter: Option<&Parameter>) {
    if let Some(code) = parameter.filter(|code| !parameters().contains_key(*code)) {
        unknown_parameter(fields, field, code.as_str());
    }
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

/// ` ('x'?)` where a known word is close, to be put behind an unknown one.
pub(super) fn near<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Enough for any real list; bounds the work for a large catalogue full of dangling references.
    const MAX_COMPARED: usize = 2_000;
    misspelling(given, known.take(MAX_COMPARED)).map_or_else(String::new, |word| format!(" ('{word}'?)"))
}
