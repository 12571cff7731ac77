//! From TOML text to items, keeping what is good beside what is not.

use std::{collections::BTreeMap, fmt::Display};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    CatalogueFile, MAX_FILE_BYTES, MAX_FILES, MAX_ITEMS_PER_KIND,
    error::{Errors, Place},
    fields::{Fields, Source},
    grammar::nearest,
    items::{DeploymentKey, Found, Item, Items, Kind},
    read,
};
use crate::snapshot::{DeploymentEntry, Route};

/// Reads every item of every file.
pub(crate) fn read(files: &[CatalogueFile], errors: &mut Errors) -> Found {
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
            people,
            notification_routes,
            routes,
            rules,
            devices,
        } = &mut self.found.items;
        let added = match kind {
            Kind::City => keep(cities, fields, errors, read::city, |city| city.id.clone()),
            Kind::Agency => keep(agencies, fields, errors, read::agency, |agency| agency.id.clone()),
            Kind::Station => keep(stations, fields, errors, read::station, |station| station.id.clone()),
            Kind::Datastream => keep(datastreams, fields, errors, read::datastream, |entry| entry.id.clone()),
            Kind::Instrument => keep(instruments, fields, errors, read::instrument, |instrument| instrument.id.clone()),
            Kind::Deployment => keep_deployment(deployments, fields, errors),
            Kind::Channel => keep(channels, fields, errors, read::channel, |channel| channel.id().clone()),
            Kind::Person => keep(people, fields, errors, read::person, |person| person.id.clone()),
            Kind::Notification => {
                keep(notification_routes, fields, errors, read::notification, |entry| entry.id.clone())
            }
            Kind::Route => keep_route(routes, fields, errors),
            Kind::Rule => keep(rules, fields, errors, read::rule, |rule| rule.id.clone()),
            Kind::Device => keep(devices, fields, errors, read::device, |device| device.username.clone()),
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
    reader: impl Fn(&mut Fields<'s, 'i>) -> Option<T>,
    key: impl Fn(&T) -> K,
) -> bool {
    let place = fields.place().clone();
    let value = reader(&mut fields);
    let lines = fields.finish(errors);
    let Some(value) = value else { return false };
    // Of an id written twice, which is reported, either will do.
    items.insert(key(&value), Item::written(value, place, lines));
    true
}

fn keep_deployment(
    items: &mut BTreeMap<DeploymentKey, Item<DeploymentEntry>>,
    mut fields: Fields<'_, '_>,
    errors: &mut Errors,
) -> bool {
    let place = fields.place().clone();
    let value = read::deployment(&mut fields);
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
    let value = read::route(&mut fields);
    let lines = fields.finish(errors);
    let Some(value) = value else { return false };
    items.push(Item::written(value, place, lines));
    true
}
