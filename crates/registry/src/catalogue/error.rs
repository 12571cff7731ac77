//! Mistakes in catalogue files, with their place and their text in both languages.

use std::{fmt, sync::Arc};

use bakau_model::Language;
use bakau_text::texts;

/// Most mistakes reported at once; more help nobody and would let a broken file fill a terminal.
const MAX_ERRORS: usize = 1_000;
/// Longest quotation from a file in a message, in characters.
const MAX_QUOTE_CHARS: usize = 200;
/// The "file" of items that come from the registry itself.
const REGISTRY: &str = "registry";

/// One mistake in a catalogue file, or a warning about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueError {
    /// The file as given; `registry` where the item is in no file.
    pub file: String,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do, in English.
    pub message: String,
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

impl CatalogueError {
    /// `file:line: what is wrong` in a language.
    #[must_use]
    pub fn render(&self, language: Language) -> String {
        let values: Vec<_> = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let message = messages(language).fill(self.key, &values);
        if self.line == 0 {
            format!("{}: {message}", self.file)
        } else {
            format!("{}:{}: {message}", self.file, self.line)
        }
    }
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Language::En))
    }
}

impl std::error::Error for CatalogueError {}

texts! {
    /// The texts of this room.
    pub(crate) fn messages = "../../messages/id.toml", "../../messages/en.toml";
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    /// From 1; 0 for a whole file and for the registry.
    pub(crate) line: usize,
}

impl Place {
    pub(crate) fn registry() -> Self {
        Self { file: Arc::from(REGISTRY), line: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

/// Collects mistakes, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    list: Vec<CatalogueError>,
    left_out: usize,
}

impl Errors {
    pub(crate) fn add(&mut self, place: &Place, key: &'static str, values: &[(&'static str, &dyn fmt::Display)]) {
        if MAX_ERRORS <= self.list.len() {
            self.left_out += 1;
            return;
        }
        let quote = |value: &dyn fmt::Display| value.to_string().chars().take(MAX_QUOTE_CHARS).collect::<String>();
        self.push(place, key, values.iter().map(|(name, value)| (*name, quote(*value))).collect());
    }

    /// Drops mistakes of one sort that another one explains.
    pub(crate) fn forget(&mut self, key: &str) {
        self.list.retain(|error| error.key != key);
    }

    /// Takes over what was collected elsewhere.
    pub(crate) fn append(&mut self, other: Self) {
        let room = MAX_ERRORS - self.list.len();
        self.left_out += other.left_out + other.list.len().saturating_sub(room);
        self.list.extend(other.list.into_iter().take(room));
    }

    fn push(&mut self, place: &Place, key: &'static str, values: Vec<(&'static str, String)>) {
        let shown: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let message = messages(Language::En).fill(key, &shown);
        self.list.push(CatalogueError { file: place.file.to_string(), line: place.line, message, key, values });
    }

    /// The same for what is worth a warning only.
    pub(crate) fn into_warnings(self) -> Vec<CatalogueError> {
        self.into_result().err().unwrap_or_default()
    }

    pub(crate) fn into_result(mut self) -> Result<(), Vec<CatalogueError>> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self.list.dedup();
        if 0 < self.left_out {
            let place = Place { file: Arc::from("..."), line: 0 };
            self.push(&place, "too_many_errors", vec![("count", self.left_out.to_string())]);
        }
        Err(self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_beyond_the_bound_are_counted_not_kept() {
        let mut errors = Errors::default();
        for line in 1..=MAX_ERRORS + 5 {
            errors.add(&Place { file: Arc::from("a.toml"), line }, "missing_key", &[("kind", &"city"), ("key", &"id")]);
        }
        let list = errors.into_result().unwrap_err();
        assert_eq!(list.len(), MAX_ERRORS + 1);
        assert_eq!(list[MAX_ERRORS].to_string(), "...: 5 more mistakes are not shown");
    }
}
