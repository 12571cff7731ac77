//! Checks of routes and of the mappings of their formats.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DeclaredCode, GasReference, Missing, Parameter, StationId, Unit, is_unit_text};

use super::{MAX_LIST, Values, list, text, topic, unknown_parameter};
use crate::{
    catalogue::{
        fields::Fields,
        grammar::{is_json_pointer, placeholder_levels},
    },
    conversion::{ConversionError, conversion},
    parameters,
    snapshot::JsonValue,
};

/// Most values of one payload mapping.
const MAX_VALUES: usize = 500;
/// Most devices of one route.
const MAX_DEVICES: usize = 10_000;
/// Longest device id: a URN with an EUI and room to spare.
const MAX_DEVICE_BYTES: usize = 256;
/// Most steps of a path in a payload: how deep the decoder goes into itself, and more than any device needs.
const MAX_STEPS: usize = 64;
/// Most texts for the unit of one value.
const MAX_UNIT_TEXTS: usize = 8;
/// Longest of them.
const MAX_UNIT_TEXT_BYTES: usize = 32;

/// What stands in the paths of a format's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    /// JSON Pointers.
    Pointers,
    /// Names of SenML records.
    Names,
}

/// Checks topic and station of a route; `in_payload` says whether its format names the device itself.
pub(crate) fn route(fields: &mut Fields<'_, '_>, topic_filter: Option<&str>, in_payload: bool) {
    let Some(topic_filter) = topic_filter else { return };
    topic(fields, "topic", topic_filter);
    let fixed = fields.is_written("station");
    match placeholder_levels(topic_filter) {
        0 if !fixed && !in_payload => fields.error_at("topic", "station_unknown", &[]),
        1.. if fixed => fields.error_at("station", "station_twice", &[]),
        _ => {}
    }
}

/// Checks the table from device ids to stations.
pub(crate) fn devices(fields: &mut Fields<'_, '_>, devices: &BTreeMap<String, StationId>) {
    if MAX_DEVICES < devices.len() {
        fields.error_at("devices", "list_too_long", &[("key", &"devices"), ("limit", &MAX_DEVICES)]);
    }
    let mut seen = BTreeSet::new();
    for device in devices.keys().take(MAX_DEVICES) {
        if device.is_empty() || MAX_DEVICE_BYTES < device.len() || device.chars().any(char::is_control) {
            fields.error_at("devices", "device_id", &[("value", device), ("limit", &MAX_DEVICE_BYTES)]);
        }
        if !seen.insert(device.to_ascii_lowercase()) {
            fields.error_at("devices", "device_twice", &[("value", device)]);
        }
    }
}

/// Checks the pointers of a mapping beside its values.
pub(crate) fn pointers(fields: &mut Fields<'_, '_>, pointers: &[(&'static str, Option<&str>)]) {
    for (field, pointer) in pointers {
        let Some(pointer) = pointer else { continue };
        if !is_json_pointer(pointer) {
            fields.error_at(field, "pointer", &[("value", &pointer)]);
        } else if MAX_STEPS < pointer.split('/').skip(1).count() {
            fields.error_at(field, "pointer_deep", &[("value", &pointer), ("limit", &MAX_STEPS)]);
        }
    }
}

/// Checks the values of a mapping together.
pub(crate) fn values(fields: &mut Fields<'_, '_>, count: usize, values: &[JsonValue]) {
    if count == 0 || MAX_VALUES < count {
        fields.error_at("values", "values_count", &[("limit", &MAX_VALUES)]);
    }
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert((&value.parameter, &value.qualifier)) {
            fields.error_at("values", "value_twice", &[("parameter", &value.parameter)]);
        }
    }
}

/// Checks one value of a mapping.
pub(crate) fn value(
    fields: &mut Fields<'_, '_>,
    (paths, path): (Paths, Option<&str>),
    parameter: Option<&Parameter>,
    qualifier: Option<&str>,
) {
    match paths {
        Paths::Pointers => pointers(fields, &[("path", path)]),
        Paths::Names => text(fields, "path", path),
    }
    let info = parameter.and_then(|code| parameters().get(code));
    if let Some(code) = parameter.filter(|_| info.is_none()) {
        unknown_parameter(fields, "parameter", code.as_str());
    }
    if let Some(qualifier) = qualifier.filter(|qualifier| StationId::new(qualifier).is_err()) {
        fields.error_at("qualifier", "qualifier", &[("value", &qualifier)]);
    }
}

/// Checks that values of a unit can be stored as the parameter.
pub(crate) fn unit(
    fields: &mut Fields<'_, '_>,
    parameter: Option<&Parameter>,
    unit: Option<&Unit>,
    gas: Option<GasReference>,
) {
    if let Some(GasReference { temperature_c, pressure_hpa }) = gas {
        // From the highest land to the deepest, at any weather.
        let ranges = [("temperature_c", temperature_c, -50.0, 60.0), ("pressure_hpa", pressure_hpa, 300.0, 1_100.0)];
        let outside = ranges.into_iter().find(|(_, value, min, max)| !(*min..=*max).contains(value));
        if let Some((key, value, min, max)) = outside {
            let values: Values<'_, 4> = [("key", &key), ("value", &value), ("min", &min), ("max", &max)];
            return fields.error_at("gas", "range", &values);
        }
    }
    let (Some(info), Some(unit)) = (parameter.and_then(|code| parameters().get(code)), unit) else { return };
    let Err(error) = conversion(unit, &info.unit, info.molar_mass, gas) else { return };
    let units: Values<'_, 2> = [("unit", unit), ("target", &info.unit)];
    match error {
        ConversionError::Unknown(error) => {
            fields.error_at("unit", "bad_value", &[("key", &"unit"), ("detail", &error)]);
        }
        // A `gas` that cannot be read has its error already.
        ConversionError::AirUnknown { .. } if fields.is_written("gas") => {}
        ConversionError::AirUnknown { .. } => fields.error_at("unit", "gas_missing", &units),
        ConversionError::NoGas { .. } => fields.error_at("gas", "gas_unused", &units),
    }
}

/// Checks codes and words for "no value".
pub(crate) fn missing(fields: &mut Fields<'_, '_>, missing: &[DeclaredCode]) {
    if let Err(error) = Missing::check(missing) {
        fields.error_at("missing", "bad_value", &[("key", &"missing"), ("detail", &error)]);
    }
}

/// Checks the texts behind a number that name its unit: none of them may be taken for a part of the number.
pub(crate) fn unit_texts(fields: &mut Fields<'_, '_>, texts: &[String]) {
    if MAX_UNIT_TEXTS < texts.len() {
        fields.error_at("unit_texts", "list_too_long", &[("key", &"unit_texts"), ("limit", &MAX_UNIT_TEXTS)]);
    }
    for text in texts.iter().take(MAX_UNIT_TEXTS) {
        if MAX_UNIT_TEXT_BYTES < text.len() || !is_unit_text(text) {
            fields.error_at("unit_texts", "unit_text", &[("value", text), ("limit", &MAX_UNIT_TEXT_BYTES)]);
        }
    }
}

/// Checks which texts mean what.
pub(crate) fn status(fields: &mut Fields<'_, '_>, online: &[String], offline: &[String]) {
    for (field, texts) in [("online", online), ("offline", offline)] {
        list(fields, field, texts.len());
        texts.iter().take(MAX_LIST).for_each(|each| text(fields, field, Some(each)));
    }
    if offline.is_empty() && fields.is_written("offline") {
        fields.error_at("offline", "status_empty", &[]);
    }
    if let Some(both) = online.iter().find(|each| offline.contains(each)) {
        fields.error_at("online", "status_both", &[("value", both)]);
    }
}
