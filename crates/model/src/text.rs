//! Text for people, in the two languages of the platform.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

crate::words! {
    /// A language of pages and messages.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    pub serde enum Language {
        /// Bahasa Indonesia, the default.
        #[default]
        Id => "id",
        /// English.
        En => "en",
    }
}

impl Language {
    /// The BCP 47 tag, which is its word.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.key()
    }
}

impl FromStr for Language {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_key(text).ok_or_else(|| format!("'{text}' is not a language of Bakau: use id or en"))
    }
}

/// A text in both languages; written as one string where both are alike (names of places).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Text {
    /// Bahasa Indonesia.
    pub id: String,
    /// English.
    pub en: String,
}

impl Text {
    /// The text in one language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Id => &self.id,
            Language::En => &self.en,
        }
    }
}

impl From<&str> for Text {
    fn from(same: &str) -> Self {
        Self { id: same.to_owned(), en: same.to_owned() }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text, or a table with the texts `id` and `en`")]
        enum Form {
            Same(String),
            Both(Both),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Both {
            id: String,
            en: String,
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Same(text) => Self::from(text.as_str()),
            Form::Both(Both { id, en }) => Self { id, en },
        })
    }
}
