//! The message files of the pages.

use std::sync::LazyLock;

use bakau_model::{Language, Messages};

#[expect(clippy::expect_used, reason = "the files are part of the program and a test reads them")]
static MESSAGES: LazyLock<[Messages; 2]> = LazyLock::new(|| {
    [include_str!("../messages/id.toml"), include_str!("../messages/en.toml")]
        .map(|file| Messages::parse(file).expect("message files are flat tables of texts"))
});

/// The texts of a language.
pub(crate) fn messages(language: Language) -> &'static Messages {
    match language {
        Language::Id => &MESSAGES[0],
        Language::En => &MESSAGES[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_placeholders() {
        let [id, en] = &*MESSAGES;
        assert_eq!(id.unlike(en), [""; 0]);
    }
}
