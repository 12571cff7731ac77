//! What the command line says, in the language of this process.

use std::{fmt::Display, sync::OnceLock};

use bakau_model::Language;
use bakau_text::{Messages, texts};

texts! {
    /// The texts of the command line in one language.
    pub(crate) fn texts = "messages/id.toml", "messages/en.toml";
}

static CHOSEN: OnceLock<Language> = OnceLock::new();

/// Chooses the language of everything this process says, once.
pub(crate) fn choose(language: Language) {
    CHOSEN.get_or_init(|| language);
}

/// The texts in the language of this process.
pub(crate) fn chosen() -> &'static Messages {
    texts(CHOSEN.get().copied().unwrap_or(Language::En))
}

/// A text in the language of this process; English before one was chosen: `say!("key", name = value)`.
macro_rules! say {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::words::fill($key, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*])
    };
}

/// What `say!` stands for.
pub(crate) fn fill(key: &str, values: &[(&str, &dyn Display)]) -> String {
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    chosen().fill(key, &values)
}
