//! Routes and the mappings of their formats.

use std::collections::BTreeMap;

use bakau_model::{DeclaredCode, GasReference, Parameter, StationId, Unit};

use crate::{
    catalogue::{check, check::Paths, fields::Fields},
    snapshot::{
        DeviceMapping, Format, FormatName, JsonMapping, JsonValue, Route, StatusMapping, TimeFormat, ValueMapping,
    },
};

pub(crate) fn route(fields: &mut Fields<'_, '_>) -> Option<Route> {
    let (id, topic) = (fields.required("id"), fields.required::<String>("topic"));
    let (source, station) = (fields.optional("source"), fields.optional::<StationId>("station"));
    let devices = fields.optional::<BTreeMap<String, StationId>>("devices").unwrap_or_default();
    let time_zone = fields.optional::<String>("time_zone");
    check::time_zone(fields, time_zone.as_deref());
    check::devices(fields, &devices);
    let missing = missing(fields);
    let decimal_comma = fields.optional("decimal_comma").unwrap_or(false);
    let format = fields.required::<String>("format").and_then(|name| format(fields, &name));
    let in_payload = format.as_ref().is_none_or(names_device);
    check::route(fields, topic.as_deref(), in_payload);
    Some(Route { id: id?, topic: topic?, source, station, devices, time_zone, missing, decimal_comma, format: format? })
}

/// Whether payloads of a format say which device they are from.
const fn names_device(format: &Format) -> bool {
    match format {
        Format::Json { json } => json.station.is_some(),
        Format::Chirpstack { .. } | Format::Tts { .. } | Format::Senml { .. } | Format::Airgradient { .. } => true,
        Format::Tasmota { .. } | Format::Status { .. } => false,
    }
}

/// Reads the table that has the name of the format.
fn format(fields: &mut Fields<'_, '_>, name: &str) -> Option<Format> {
    let Some(known) = FormatName::from_key(name) else {
        let near = check::near(name, Format::NAMES.into_iter());
        let values: check::Values<'_, 3> = [("value", &name), ("known", &Format::NAMES.join(", ")), ("near", &near)];
        fields.error_at("format", "route_format", &values);
        Format::NAMES.into_iter().for_each(|table| fields.pass(table));
        return None;
    };
    fields.need(known.key());
    let mut table = fields.table(known.key())?;
    let format = match known {
        FormatName::Json => json(&mut table).map(|json| Format::Json { json }),
        FormatName::Chirpstack => device(&mut table).map(|chirpstack| Format::Chirpstack { chirpstack }),
        FormatName::Tts => device(&mut table).map(|tts| Format::Tts { tts }),
        FormatName::Senml => plain(&mut table, Paths::Names).map(|senml| Format::Senml { senml }),
        FormatName::Tasmota => plain(&mut table, Paths::Pointers).map(|tasmota| Format::Tasmota { tasmota }),
        FormatName::Airgradient => {
            plain(&mut table, Paths::Pointers).map(|airgradient| Format::Airgradient { airgradient })
        }
        FormatName::Status => status(&mut table).map(|status| Format::Status { status }),
    };
    table.finish(&mut fields.errors);
    format
}

fn json(fields: &mut Fields<'_, '_>) -> Option<JsonMapping> {
    let [readings, station, time] = ["readings", "station", "time"].map(|field| fields.optional::<String>(field));
    let time_format = fields.optional("time_format");
    let pointers = [("readings", readings.as_deref()), ("station", station.as_deref()), ("time", time.as_deref())];
    check::pointers(fields, &pointers);
    let values = values(fields, Paths::Pointers)?;
    Some(JsonMapping { readings, station, time, time_format: time_format.unwrap_or(TimeFormat::Rfc3339), values })
}

fn device(fields: &mut Fields<'_, '_>) -> Option<DeviceMapping> {
    let (time, time_format) = (fields.optional::<String>("time"), fields.optional("time_format"));
    check::pointers(fields, &[("time", time.as_deref())]);
    let values = values(fields, Paths::Pointers)?;
    Some(DeviceMapping { time, time_format: time_format.unwrap_or(TimeFormat::Rfc3339), values })
}

fn plain(fields: &mut Fields<'_, '_>, paths: Paths) -> Option<ValueMapping> {
    values(fields, paths).map(|values| ValueMapping { values })
}

fn status(fields: &mut Fields<'_, '_>) -> Option<StatusMapping> {
    let path = fields.optional::<String>("path");
    let (online, offline) = (fields.required::<Vec<String>>("online"), fields.required::<Vec<String>>("offline"));
    check::pointers(fields, &[("path", path.as_deref())]);
    check::status(fields, online.as_deref().unwrap_or_default(), offline.as_deref().unwrap_or_default());
    Some(StatusMapping { path, online: online?, offline: offline? })
}

fn values(fields: &mut Fields<'_, '_>, paths: Paths) -> Option<Vec<JsonValue>> {
    let tables = fields.tables("values")?;
    let count = tables.len();
    let mut values = Vec::new();
    for mut table in tables {
        values.extend(value(&mut table, paths));
        table.finish(&mut fields.errors);
    }
    check::values(fields, count, &values);
    Some(values)
}

fn value(fields: &mut Fields<'_, '_>, paths: Paths) -> Option<JsonValue> {
    let (path, parameter) = (fields.required::<String>("path"), fields.required::<Parameter>("parameter"));
    let (qualifier, unit) = (fields.optional::<String>("qualifier"), fields.required::<Unit>("unit"));
    let gas = fields.optional::<GasReference>("gas");
    let (missing, decimal_comma) = (missing(fields), fields.optional("decimal_comma"));
    let unit_texts = fields.optional::<Vec<String>>("unit_texts").unwrap_or_default();
    check::value(fields, (paths, path.as_deref()), parameter.as_ref(), qualifier.as_deref());
    check::unit(fields, parameter.as_ref(), unit.as_ref(), gas);
    check::unit_texts(fields, &unit_texts);
    let (path, parameter, unit) = (path?, parameter?, unit?);
    Some(JsonValue { path, parameter, qualifier, unit, gas, missing, decimal_comma, unit_texts })
}

/// Codes and words for "no value".
fn missing(fields: &mut Fields<'_, '_>) -> Vec<DeclaredCode> {
    let missing = fields.optional::<Vec<DeclaredCode>>("missing").unwrap_or_default();
    check::missing(fields, &missing);
    missing
}
