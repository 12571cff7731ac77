//! From TOML text to items, keeping what is good beside what is not.

use std::{collections::BTreeMap, fmt::Display};

use bakau_model::UtcMillis;
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
use crate::snapshot::DeploymentEntry;

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
        if let (None, Some(id)) = (keep(kind, &mut self.found.items, fields, errors), id) {
            self.found.broken.insert((kind, id));
        }
    }
}

/// Adds an item to those of its kind; none where it cannot be read.
fn keep(kind: Kind, items: &mut Items, mut fields: Fields<'_, '_>, errors: &mut Errors) -> Option<()> {
    let place = fields.place().clone();
    macro_rules! written {
        ($read:ident) => {{
            let value = read::$read(&mut fields);
            let lines = fields.finish(errors);
            Item::written(value?, place, lines)
        }};
    }
    // Of an id written twice, which is reported, either will do.
    macro_rules! insert {
        ($map:ident, $read:ident, $($key:tt)+) => {{
            let item = written!($read);
            items.$map.insert(item.value.$($key)+.clone(), item);
        }};
    }
    match kind {
        Kind::City => insert!(cities, city, id),
        Kind::Agency => insert!(agencies, agency, id),
        Kind::Station => insert!(stations, station, id),
        Kind::Datastream => insert!(datastreams, datastream, id),
        Kind::Instrument => insert!(instruments, instrument, id),
        Kind::Deployment => {
            let value = read::deployment(&mut fields);
            let lines = fields.finish(errors);
            let (entry, from) = value?;
            keep_deployment(&mut items.deployments, from, Item::written(entry, place, lines), errors);
        }
        Kind::Channel => insert!(channels, channel, id()),
        Kind::Person => insert!(people, person, id),
        Kind::Notification => insert!(notification_routes, notification, id),
        Kind::Route => items.routes.push(written!(route)),
        Kind::Rule => insert!(rules, rule, id),
        Kind::Device => insert!(devices, device, username),
    }
    Some(())
}

fn keep_deployment(
    items: &mut BTreeMap<DeploymentKey, Item<DeploymentEntry>>,
    from: UtcMillis,
    item: Item<DeploymentEntry>,
    errors: &mut Errors,
) {
    let key = (item.value.datastream.clone(), from);
    if let Some(first) = items.get(&key) {
        let values: [(&'static str, &dyn Display); 3] =
            [("datastream", &key.0), ("from", &from), ("place", first.place())];
        return errors.add(item.place(), "deployment_twice", &values);
    }
    items.insert(key, item);
}
