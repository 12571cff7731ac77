//! Message files: flat TOML tables of `key = "text with {placeholders}"`, one per language.

use std::collections::BTreeMap;

/// A message file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message file is not a flat table of texts: {0}")]
pub struct InvalidMessages(String);

/// The texts of one room in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Every key, sorted; tests compare those of the languages.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
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
    fn nested_tables_are_refused() {
        assert!(Messages::parse("[a]\nb = \"c\"").is_err());
    }
}
