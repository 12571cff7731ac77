//! From one TOML table to one item.
//!
//! Each reader asks for every field and checks each of them before it gives up, so that all mistakes are found.

use bakau_model::{DatastreamName, Parameter, StationId, Text, Unit, UtcMillis};

use super::{check, fields::Fields};
use crate::snapshot::{
    Agency, Channel, City, DatastreamEntry, DeploymentEntry, Device, Direction, Format, Instrument, JsonMapping,
    JsonValue, Route, Rule, Station, Threshold, TimeFormat, default_time_zone,
};

pub(crate) fn city(fields: &mut Fields<'_, '_>) -> Option<City> {
    let (id, name, code) = (fields.required("id"), name(fields), fields.required::<String>("code"));
    check::area_code(fields, code.as_deref());
    Some(City { id: id?, name: name?, code: code? })
}

pub(crate) fn agency(fields: &mut Fields<'_, '_>) -> Option<Agency> {
    let (id, name, city) = (fields.required("id"), name(fields), fields.required("city"));
    Some(Agency { id: id?, name: name?, city: city? })
}

pub(crate) fn station(fields: &mut Fields<'_, '_>) -> Option<Station> {
    let (id, name, agency) = (fields.required("id"), name(fields), fields.required("agency"));
    let (kind, latitude) = (fields.required("kind"), fields.required("latitude"));
    let (longitude, time_zone) = (fields.required("longitude"), fields.optional::<String>("time_zone"));
    check::within(fields, "latitude", latitude, -90.0, 90.0);
    check::within(fields, "longitude", longitude, -180.0, 180.0);
    check::time_zone(fields, time_zone.as_deref());
    Some(Station {
        id: id?,
        name: name?,
        agency: agency?,
        kind: kind?,
        latitude: latitude?,
        longitude: longitude?,
        time_zone: time_zone.unwrap_or_else(default_time_zone),
    })
}

pub(crate) fn datastream(fields: &mut Fields<'_, '_>) -> Option<DatastreamEntry> {
    let (id, interval_s) = (fields.required::<DatastreamName>("id"), fields.required::<u32>("interval_s"));
    let vertical_datum = fields.optional::<String>("vertical_datum");
    let was = fields.optional::<Vec<DatastreamName>>("was").unwrap_or_default();
    check::within(fields, "interval_s", interval_s.map(f64::from), 1.0, f64::from(check::MAX_INTERVAL_S));
    check::text(fields, "vertical_datum", vertical_datum.as_deref());
    check::list(fields, "was", was.len());
    if let Some(id) = &id {
        check::datastream(fields, id, &was);
    }
    Some(DatastreamEntry { id: id?, interval_s: interval_s?, vertical_datum, was })
}

pub(crate) fn instrument(fields: &mut Fields<'_, '_>) -> Option<Instrument> {
    let id = fields.required("id");
    let [make, model, serial] = ["make", "model", "serial"].map(|field| {
        let value = fields.required::<String>(field);
        check::text(fields, field, value.as_deref());
        value
    });
    Some(Instrument { id: id?, make: make?, model: model?, serial: serial? })
}

pub(crate) fn deployment(fields: &mut Fields<'_, '_>) -> Option<(DeploymentEntry, UtcMillis)> {
    let (datastream, instrument) = (fields.required("datastream"), fields.required("instrument"));
    let (from, to) = (fields.required_instant("from"), fields.instant("to"));
    let (gain, offset) = (fields.optional("gain"), fields.optional("offset"));
    check::deployment(fields, (from, to), gain, offset);
    let from = from?;
    let entry = DeploymentEntry {
        datastream: datastream?,
        instrument: instrument?,
        from: from.to_string(),
        to: to.map(|to| to.to_string()),
        gain: gain.unwrap_or(1.0),
        offset: offset.unwrap_or(0.0),
    };
    Some((entry, from))
}

pub(crate) fn channel(fields: &mut Fields<'_, '_>) -> Option<Channel> {
    let (kind, id) = (fields.required::<String>("kind"), fields.required("id"));
    let (url, secret_env) = (fields.required::<String>("url"), fields.required::<String>("secret_env"));
    check::webhook(fields, url.as_deref(), secret_env.as_deref());
    let kind = kind?;
    if kind != "webhook" {
        fields.error_at("kind", "channel_kind", &[("value", &kind)]);
        return None;
    }
    Some(Channel::Webhook { id: id?, url: url?, secret_env: secret_env? })
}

pub(crate) fn route(fields: &mut Fields<'_, '_>) -> Option<Route> {
    let (id, topic) = (fields.required("id"), fields.required::<String>("topic"));
    let (source, station) = (fields.optional("source"), fields.optional::<StationId>("station"));
    let format = fields.required::<String>("format");
    check::route(fields, topic.as_deref());
    if !fields.has("json") {
        fields.missing("json");
    }
    let json = fields.table("json").and_then(|mut json| {
        let mapping = json_mapping(&mut json);
        json.finish(&mut fields.errors);
        mapping
    });
    let format = format?;
    if format != "json" {
        fields.error_at("format", "route_format", &[("value", &format)]);
        return None;
    }
    Some(Route { id: id?, topic: topic?, source, station, format: Format::Json { json: json? } })
}

fn json_mapping(fields: &mut Fields<'_, '_>) -> Option<JsonMapping> {
    let (time, time_format) = (fields.optional::<String>("time"), fields.optional("time_format"));
    check::json_time(fields, time.as_deref());
    let tables = fields.tables("values")?;
    let count = tables.len();
    let mut values = Vec::new();
    for mut value in tables {
        values.extend(json_value(&mut value));
        value.finish(&mut fields.errors);
    }
    check::json_values(fields, count, &values);
    Some(JsonMapping { time, time_format: time_format.unwrap_or(TimeFormat::Rfc3339), values })
}

fn json_value(fields: &mut Fields<'_, '_>) -> Option<JsonValue> {
    let (path, parameter) = (fields.required::<String>("path"), fields.required::<Parameter>("parameter"));
    let (qualifier, unit) = (fields.optional::<String>("qualifier"), fields.required::<Unit>("unit"));
    check::json_value(fields, path.as_deref(), parameter.as_ref(), qualifier.as_deref(), unit.as_ref());
    Some(JsonValue { path: path?, parameter: parameter?, qualifier, unit: unit? })
}

pub(crate) fn rule(fields: &mut Fields<'_, '_>) -> Option<Rule> {
    let (id, name, datastream) = (fields.required("id"), name(fields), fields.required("datastream"));
    let (direction, source) = (fields.required::<Direction>("direction"), fields.required::<String>("source"));
    let (hold_s, channels) = (fields.optional::<u32>("hold_s"), fields.optional::<Vec<_>>("channels"));
    let [waspada, siaga, awas] = ["waspada", "siaga", "awas"].map(|level| threshold(fields, level));
    check::text(fields, "source", source.as_deref());
    check::within(fields, "hold_s", hold_s.map(f64::from), 0.0, f64::from(check::MAX_HOLD_S));
    check::list(fields, "channels", channels.as_ref().map_or(0, Vec::len));
    check::levels(fields, direction, [waspada, siaga, awas]);
    Some(Rule {
        id: id?,
        name: name?,
        datastream: datastream?,
        direction: direction?,
        waspada,
        siaga,
        awas,
        hold_s: hold_s.unwrap_or(0),
        source: source?,
        channels: channels.unwrap_or_default(),
    })
}

fn threshold(fields: &mut Fields<'_, '_>, level: &'static str) -> Option<Threshold> {
    let mut table = fields.table(level)?;
    let (raise, clear) = (table.required("raise"), table.required("clear"));
    table.finish(&mut fields.errors);
    Some(Threshold { raise: raise?, clear: clear? })
}

pub(crate) fn device(fields: &mut Fields<'_, '_>) -> Option<Device> {
    let (username, token_sha256) = (fields.required::<String>("username"), fields.required::<String>("token_sha256"));
    let publish = fields.required::<Vec<String>>("publish");
    check::text(fields, "username", username.as_deref());
    check::device(fields, token_sha256.as_deref(), publish.as_deref());
    Some(Device { username: username?, token_sha256: token_sha256?, publish: publish? })
}

fn name(fields: &mut Fields<'_, '_>) -> Option<Text> {
    let name = fields.required("name");
    check::name(fields, name.as_ref());
    name
}
