//! Message files: flat TOML tables of `key = "text with {placeholders}"`, one per language.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use bakau_model::Language;

/// A message file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message file is not a flat table of texts: {0}")]
pub struct InvalidMessages(String);

/// The texts of one crate in one language.
///
/// ```
/// use bakau_text::Messages;
///
/// let id = Messages::parse(r#"behind = "tertinggal {n} kelompok data""#)?;
/// let en = Messages::parse(r#"behind = "{n} batches behind""#)?;
/// assert_eq!(id.fill("behind", &[("n", "3")]), "tertinggal 3 kelompok data");
/// assert!(en.unlike(&id).is_empty(), "same keys, same placeholders");
/// # Ok::<_, bakau_text::InvalidMessages>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages(BTreeMap<String, String>);

impl Messages {
    /// Reads a message file.
    ///
    /// # Errors
    /// When it is not TOML or has anything but texts at the top level.
    pub fn parse(file: &str) -> Result<Self, InvalidMessages> {
        toml::from_str(file).map(Self).map_err(|error| InvalidMessages(error.to_string()))
    }

    /// The text of a key; the key itself where it is missing, so a page shows what is wrong instead of nothing.
    #[must_use]
    pub fn text<'a>(&'a self, key: &'a str) -> &'a str {
        self.0.get(key).map_or(key, String::as_str)
    }

    /// The text of a key with `{name}` replaced for every (name, value).
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self.text(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// The keys, sorted, under which this file and the one of another language do not say the same: one has no text, or
    /// other placeholders.
    #[must_use]
    pub fn unlike<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let keys: BTreeSet<&str> = self.0.keys().chain(other.0.keys()).map(String::as_str).collect();
        let text = |file: &'a Self, key: &str| file.0.get(key).filter(|text| !text.is_empty());
        let alike = |key: &str| match (text(self, key), text(other, key)) {
            (Some(one), Some(two)) => placeholders(one) == placeholders(two),
            (Some(_), None) | (None, Some(_) | None) => false,
        };
        keys.into_iter().filter(|key| !alike(key)).collect()
    }
}

/// The message files of one crate, read when they are first asked for; made by [`texts!`](crate::texts).
#[derive(Debug)]
pub struct Texts {
    id: &'static str,
    en: &'static str,
    read: OnceLock<[Messages; 2]>,
}

impl Texts {
    /// From the files' content.
    #[must_use]
    pub const fn new(id: &'static str, en: &'static str) -> Self {
        Self { id, en, read: OnceLock::new() }
    }

    /// The texts in one language. A file that is none has no texts, so that keys are shown; the test of its crate finds it first.
    #[must_use]
    pub fn get(&self, language: Language) -> &Messages {
        let read = || [self.id, self.en].map(|file| Messages::parse(file).unwrap_or_default());
        let [id, en] = self.read.get_or_init(read);
        match language {
            Language::Id => id,
            Language::En => en,
        }
    }

    /// The keys under which the files do not say the same, as [`Messages::unlike`] finds them.
    ///
    /// # Errors
    /// When one of them is no message file.
    pub fn unlike(&self) -> Result<Vec<String>, InvalidMessages> {
        let (id, en) = (Messages::parse(self.id)?, Messages::parse(self.en)?);
        Ok(id.unlike(&en).into_iter().map(str::to_owned).collect())
    }
}

/// Declares the function that gives a crate's texts in a language, and the test that both of its message files have the same
/// keys with the same placeholders, and none without a text. Paths are relative to the file; keys behind `unlike` are left
/// out of the comparison.
///
/// ```ignore
/// bakau_text::texts! {
///     /// The texts of the API in one language.
///     pub(crate) fn texts = "../messages/id.toml", "../messages/en.toml";
/// }
/// ```
#[macro_export]
macro_rules! texts {
    ($(#[$meta:meta])* $vis:vis fn $name:ident = $id:literal, $en:literal $(, unlike $unlike:literal)*;) => {
        $(#[$meta])*
        $vis fn $name(language: $crate::Language) -> &'static $crate::Messages {
            static TEXTS: $crate::Texts = $crate::Texts::new(include_str!($id), include_str!($en));
            TEXTS.get(language)
        }

        #[cfg(test)]
        #[test]
        fn both_message_files_have_the_same_keys_and_placeholders_and_no_empty_text() {
            let unlike: &[&str] = &[$($unlike),*];
            assert_eq!($crate::Texts::new(include_str!($id), include_str!($en)).unlike().unwrap(), unlike);
        }
    };
}

/// The names in braces, sorted.
fn placeholders(text: &str) -> Vec<&str> {
    let mut found: Vec<_> = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_missing_keys_show_themselves() {
        let messages = Messages::parse("greeting = \"Halo {name}\"").unwrap();
        assert_eq!(messages.fill("greeting", &[("name", "Sari")]), "Halo Sari");
        assert_eq!(messages.text("nope"), "nope");
    }

    #[test]
    fn files_of_two_languages_say_the_same_or_the_key_is_named() {
        let read = |file: &str| Messages::parse(file).unwrap();
        let id = read("a = \"{x} lalu {y}\"\nb = \"{x}\"\nc = \"satu\"\nd = \"\"\ne = \"{z}{z}\"");
        let en = read("a = \"{y} after {x}\"\nb = \"{y}\"\nd = \"\"\ne = \"{z}\"\nf = \"two\"");
        assert_eq!(id.unlike(&en), ["b", "c", "d", "e", "f"]);
        assert_eq!(id.unlike(&en), en.unlike(&id));
        assert!(read("a = \"{x}\"").unlike(&read("a = \"to {x}\"")).is_empty());
    }

    #[test]
    fn nested_tables_are_refused() {
        assert!(Messages::parse("[a]\nb = \"c\"").is_err());
    }
}
