//! Reads one TOML table field by field, so that one bad field hides no other and every field knows its line.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bakau_model::{InvalidTime, UtcMillis};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeArray, DeValue, ValueDeserializer},
};

use super::{
    error::{Errors, Place},
    grammar::nearest,
};

/// A file with what it takes to turn byte offsets into lines.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<str>,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file: Arc::from(path), line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        Place { file: Arc::clone(&self.file), line: self.line_starts.partition_point(|start| *start <= offset) }
    }
}

/// The line of each field that is written.
pub(crate) type Lines = BTreeMap<&'static str, usize>;

/// The fields of one table that are not read yet.
#[derive(Debug)]
pub(crate) struct Fields<'s, 'i> {
    source: &'s Source,
    kind: &'static str,
    place: Place,
    rest: BTreeMap<String, (usize, Spanned<DeValue<'i>>)>,
    asked: Vec<&'static str>,
    lines: Lines,
    pub(crate) errors: Errors,
}

impl<'s, 'i> Fields<'s, 'i> {
    /// The fields of a value; `None` and a mistake where it is no table.
    pub(crate) fn of(
        source: &'s Source,
        kind: &'static str,
        value: Spanned<DeValue<'i>>,
        errors: &mut Errors,
    ) -> Option<Self> {
        let place = source.place(value.span().start);
        let DeValue::Table(table) = value.into_inner() else {
            errors.add(&place, "not_a_table", &[("kind", &kind)]);
            return None;
        };
        let entry = |(key, value): (Spanned<_>, _)| {
            let start = key.span().start;
            (std::borrow::Cow::into_owned(key.into_inner()), (start, value))
        };
        let rest = table.into_iter().map(entry).collect();
        Some(Self { source, kind, place, rest, asked: Vec::new(), lines: Lines::new(), errors: Errors::default() })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Reports a mistake at a field that is already read, or at the table where it is not written.
    pub(crate) fn error_at(&mut self, field: &str, key: &'static str, values: &[(&'static str, &dyn fmt::Display)]) {
        let line = self.lines.get(field).copied().unwrap_or(self.place.line);
        let place = Place { file: Arc::clone(&self.place.file), line };
        self.errors.add(&place, key, values);
    }

    /// A text field, without reading it.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        self.rest.get(key).and_then(|(_, value)| value.get_ref().as_str())
    }

    fn take(&mut self, key: &'static str) -> Option<(Place, Spanned<DeValue<'i>>)> {
        self.asked.push(key);
        let (start, value) = self.rest.remove(key)?;
        let place = self.source.place(start);
        self.lines.insert(key, place.line);
        Some((place, value))
    }

    /// A field that may be absent.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let (place, value) = self.take(key)?;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                let place = error.span().map_or(place, |span| self.source.place(span.start));
                self.errors.add(&place, "bad_value", &[("key", &key), ("detail", &error.message())]);
                None
            }
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.need(key);
        self.optional(key)
    }

    /// An instant, as TOML date-time or as text, in UTC.
    pub(crate) fn instant(&mut self, key: &'static str) -> Option<UtcMillis> {
        let (place, value) = self.take(key)?;
        let parsed: Result<UtcMillis, InvalidTime> = match value.get_ref() {
            DeValue::String(text) => UtcMillis::parse(text),
            DeValue::Datetime(time) => UtcMillis::parse(&time.to_string()),
            other => UtcMillis::parse(other.type_str()),
        };
        parsed.map_err(|error| self.errors.add(&place, "bad_value", &[("key", &key), ("detail", &error)])).ok()
    }

    pub(crate) fn required_instant(&mut self, key: &'static str) -> Option<UtcMillis> {
        self.need(key);
        self.instant(key)
    }

    /// A table inside this one, where written.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        let (_, value) = self.take(key)?;
        Self::of(self.source, key, value, &mut self.errors)
    }

    /// The tables of an array inside this one.
    pub(crate) fn tables(&mut self, key: &'static str) -> Option<Vec<Self>> {
        self.need(key);
        let (place, value) = self.take(key)?;
        let DeValue::Array(array) = value.into_inner() else {
            self.errors.add(&place, "not_an_array", &[("name", &key)]);
            return None;
        };
        let array: DeArray<'i> = array;
        let (source, errors) = (self.source, &mut self.errors);
        Some(array.into_iter().filter_map(|value| Self::of(source, key, value, errors)).collect())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// Skips a field that cannot be checked.
    pub(crate) fn pass(&mut self, key: &'static str) {
        self.take(key);
    }

    /// Skips all fields that are left.
    pub(crate) fn pass_all(&mut self) {
        self.rest.clear();
    }

    /// Whether a field that is already read was there.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// Reports a field that is neither there nor read.
    pub(crate) fn need(&mut self, key: &'static str) {
        if !self.has(key) {
            self.errors.add(&self.place, "missing_key", &[("kind", &self.kind), ("key", &key)]);
        }
    }

    /// Reports what nobody asked for and hands on the lines of the rest.
    pub(crate) fn finish(mut self, errors: &mut Errors) -> Lines {
        for (key, (start, _)) in &self.rest {
            let near = nearest(key, self.asked.iter().copied()).unwrap_or_default();
            let place = self.source.place(*start);
            self.errors.add(&place, "unknown_key", &[("kind", &self.kind), ("key", key), ("near", &near)]);
        }
        errors.append(self.errors);
        self.lines
    }
}
