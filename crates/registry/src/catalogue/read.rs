//! From TOML text to items, keeping what is good beside what is not.

use std::{collections::BTreeMap, fmt::Display};

use bakau_model::StationId;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    CatalogueFile, MAX_FILE_BYTES, MAX_FILES, MAX_ITEMS_PER_KIND,
    error::{Errors, Place},
    fields::{Fields, Source},
    grammar::nearest,
    items::{Found, Item, Items, Kind},
};
use crate::snapshot::{
    Agency, Channel, City, DatastreamEntry, DeploymentEntry, Device, Format, Instrument, JsonMapping, JsonValue, Route,
    Rule, Station, Threshold, TimeFormat,
};

/// Reads every item of every file.
pub(crate) fn files(files: &[CatalogueFile], errors: &mut Errors) -> Found {
    let mut reader = Reader::default();
    if MAX_FILES < files.len() {
        let place = Place { file: files[MAX_FILES].path.as_str().into(), line: 0 };
        errors.add(&place, "too_many_files", &[("limit", &MAX_FILES)]);
    }
    for file in files.iter().take(MAX_FILES) {
        if MAX_FILE_BYTES < file.text.len() {
            let place = Place { file: file.path.as_str().into(), line: 0 };
            errors.add(&place, "file_too_large", &[("limit", &(MAX_FILE_BYTES / 1024 / 1024))]);
            continue;
        }
        reader.file(file, errors);
    }
    reader.found
}

#[derive(Debug, Default)]
struct Reader {
    found: Found,
    counts: BTreeMap<Kind, usize>,
    /// Where each id was first written, in good items and in bad ones.
    places: BTreeMap<(Kind, String), Place>,
}

impl Reader {
    fn file(&mut self, file: &CatalogueFile, errors: &mut Errors) {
        // Some editors put a byte order mark before the first letter.
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
        let source = Source::new(&file.path, text);
        let (table, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            let place = source.place(error.span().map_or(0, |span| span.start));
            errors.add(&place, "syntax", &[("detail", &error.message())]);
        }
        for (key, value) in table.into_inner() {
            let place = source.place(key.span().start);
            let Some(kind) = Kind::from_key(key.get_ref()) else {
                let near = nearest(key.get_ref(), Kind::ALL.into_iter().map(Kind::key)).unwrap_or_default();
                errors.add(&place, "unknown_table", &[("name", key.get_ref()), ("near", &near)]);
                continue;
            };
            let DeValue::Array(array) = value.into_inner() else {
                errors.add(&place, "not_an_array", &[("name", &kind.key())]);
                continue;
            };
            for item in array {
                let mut own = Errors::default();
                self.item(&source, kind, item, &mut own);
                if !syntax.is_empty() {
                    // What TOML could not make sense of is already on the list and may be what seems missing.
                    own.forget("missing_key");
                }
                errors.append(own);
            }
        }
    }

    fn item<'i>(&mut self, source: &Source, kind: Kind, value: Spanned<DeValue<'i>>, errors: &mut Errors) {
        let Some(fields) = Fields::of(source, kind.key(), value, errors) else { return };
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if MAX_ITEMS_PER_KIND < *count {
            if *count == MAX_ITEMS_PER_KIND + 1 {
                errors.add(fields.place(), "too_many_items", &[("kind", &kind.key()), ("limit", &MAX_ITEMS_PER_KIND)]);
            }
            return;
        }
        let id = fields.peek(if kind == Kind::Device { "username" } else { "id" }).map(str::to_owned);
        if let Some(id) = &id {
            let first = self.places.entry((kind, id.clone())).or_insert_with(|| fields.place().clone());
            if first != fields.place() {
                let values: [(&'static str, &dyn Display); 3] = [("kind", &kind.key()), ("id", id), ("place", first)];
                errors.add(fields.place(), "duplicate", &values);
            }
        }
        let Items {
            cities,
            agencies,
            stations,
            datastreams,
            instruments,
            deployments,
            channels,
            routes,
            rules,
            devices,
        } = &mut self.found.items;
        let added = match kind {
            Kind::City => keep(cities, fields, errors, city, |city| city.id.clone()),
            Kind::Agency => keep(agencies, fields, errors, agency, |agency| agency.id.clone()),
            Kind::Station => keep(stations, fields, errors, station, |station| station.id.clone()),
            Kind::Datastream => keep(datastreams, fields, errors, datastream, |entry| entry.id.clone()),
            Kind::Instrument => keep(instruments, fields, errors, instrument, |instrument| instrument.id.clone()),
            Kind::Deployment => keep_deployment(deployments, fields, errors),
            Kind::Channel => keep(channels, fields, errors, channel, |channel| channel.id().clone()),
            Kind::Route => keep_route(routes, fields, errors),
            Kind::Rule => keep(rules, fields, errors, rule, |rule| rule.id.clone()),
            Kind::Device => keep(devices, fields, errors, device, |device| device.username.clone()),
        };
        if let (false, Some(id)) = (added, id) {
            self.found.broken.insert((kind, id));
        }
    }
}

fn keep<'s, 'i, K: Ord, T>(
    items: &mut BTreeMap<K, Item<T>>,
    mut fields: Fields<'s, 'i>,
    errors: &mut Errors,
    read: impl Fn(&mut Fields<'s, 'i>) -> Option<T>,
    key: impl Fn(&T) -> K,
) -> bool {
    let place = fields.place().clone();
    let value = read(&mut fields);
    let lines = fields.finish(errors);
    let Some(value) = value else { return false };
    // Of an id written twice, which is reported, either will do.
    items.insert(key(&value), Item::written(value, place, lines));
    true
}

fn keep_deployment(
    items: &mut BTreeMap<super::items::DeploymentKey, Item<DeploymentEntry>>,
    mut fields: Fields<'_, '_>,
    errors: &mut Errors,
) -> bool {
    let place = fields.place().clone();
    let value = deployment(&mut fields);
    let lines = fields.finish(errors);
    let Some((entry, from)) = value else { return false };
    let key = (entry.datastream.clone(), from);
    if let Some(first) = items.get(&key) {
        errors.add(&place, "deployment_twice", &[("datastream", &key.0), ("from", &from), ("place", first.place())]);
        return true;
    }
    items.insert(key, Item::written(entry, place, lines));
    true
}

fn keep_route(items: &mut Vec<Item<Route>>, mut fields: Fields<'_, '_>, errors: &mut Errors) -> bool {
    let place = fields.place().clone();
    let value = route(&mut fields);
    let lines = fields.finish(errors);
    let Some(value) = value else { return false };
    items.push(Item::written(value, place, lines));
    true
}

// Each reader below asks for every field before it gives up, so that all of them are checked.

fn city(fields: &mut Fields<'_, '_>) -> Option<City> {
    let (id, name, code) = (fields.required("id"), fields.required("name"), fields.required("code"));
    Some(City { id: id?, name: name?, code: code? })
}

fn agency(fields: &mut Fields<'_, '_>) -> Option<Agency> {
    let (id, name, city) = (fields.required("id"), fields.required("name"), fields.required("city"));
    Some(Agency { id: id?, name: name?, city: city? })
}

fn station(fields: &mut Fields<'_, '_>) -> Option<Station> {
    let (id, name, agency) = (fields.required("id"), fields.required("name"), fields.required("agency"));
    let (kind, latitude) = (fields.required("kind"), fields.required("latitude"));
    let (longitude, time_zone) = (fields.required("longitude"), fields.optional("time_zone"));
    Some(Station {
        id: id?,
        name: name?,
        agency: agency?,
        kind: kind?,
        latitude: latitude?,
        longitude: longitude?,
        time_zone: time_zone.unwrap_or_else(crate::snapshot::default_time_zone),
    })
}

fn datastream(fields: &mut Fields<'_, '_>) -> Option<DatastreamEntry> {
    let (id, interval_s) = (fields.required("id"), fields.required("interval_s"));
    let (vertical_datum, was) = (fields.optional("vertical_datum"), fields.optional("was"));
    Some(DatastreamEntry { id: id?, interval_s: interval_s?, vertical_datum, was: was.unwrap_or_default() })
}

fn instrument(fields: &mut Fields<'_, '_>) -> Option<Instrument> {
    let (id, make) = (fields.required("id"), fields.required("make"));
    let (model, serial) = (fields.required("model"), fields.required("serial"));
    Some(Instrument { id: id?, make: make?, model: model?, serial: serial? })
}

fn deployment(fields: &mut Fields<'_, '_>) -> Option<(DeploymentEntry, bakau_model::UtcMillis)> {
    let (datastream, instrument) = (fields.required("datastream"), fields.required("instrument"));
    let (from, to) = (fields.required_instant("from"), fields.instant("to"));
    let (gain, offset) = (fields.optional("gain"), fields.optional("offset"));
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

fn channel(fields: &mut Fields<'_, '_>) -> Option<Channel> {
    let (kind, id) = (fields.required::<String>("kind"), fields.required("id"));
    let (url, secret_env) = (fields.required("url"), fields.required("secret_env"));
    let kind = kind?;
    if kind != "webhook" {
        fields.error_at("kind", "channel_kind", &[("value", &kind)]);
        return None;
    }
    Some(Channel::Webhook { id: id?, url: url?, secret_env: secret_env? })
}

fn route(fields: &mut Fields<'_, '_>) -> Option<Route> {
    let (id, topic) = (fields.required("id"), fields.required("topic"));
    let (source, station) = (fields.optional("source"), fields.optional::<StationId>("station"));
    let format = fields.required::<String>("format");
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
    super::check::json_time(time.as_deref(), fields);
    let tables = fields.tables("values")?;
    let mut values = Vec::new();
    for mut value in tables {
        let read = json_value(&mut value);
        value.finish(&mut fields.errors);
        values.extend(read);
    }
    Some(JsonMapping { time, time_format: time_format.unwrap_or(TimeFormat::Rfc3339), values })
}

fn json_value(fields: &mut Fields<'_, '_>) -> Option<JsonValue> {
    let (path, parameter) = (fields.required("path"), fields.required("parameter"));
    let (qualifier, unit) = (fields.optional("qualifier"), fields.required("unit"));
    let value = JsonValue { path: path?, parameter: parameter?, qualifier, unit: unit? };
    super::check::json_value(&value, fields);
    Some(value)
}

fn rule(fields: &mut Fields<'_, '_>) -> Option<Rule> {
    let (id, name, datastream) = (fields.required("id"), fields.required("name"), fields.required("datastream"));
    let (direction, source) = (fields.required("direction"), fields.required("source"));
    let (hold_s, channels) = (fields.optional("hold_s"), fields.optional("channels"));
    let mut threshold = |key| {
        let mut table = fields.table(key)?;
        let (raise, clear) = (table.required("raise"), table.required("clear"));
        table.finish(&mut fields.errors);
        Some(Threshold { raise: raise?, clear: clear? })
    };
    let (waspada, siaga, awas) = (threshold("waspada"), threshold("siaga"), threshold("awas"));
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

fn device(fields: &mut Fields<'_, '_>) -> Option<Device> {
    let (username, token_sha256) = (fields.required("username"), fields.required("token_sha256"));
    let publish = fields.required("publish");
    Some(Device { username: username?, token_sha256: token_sha256?, publish: publish? })
}
