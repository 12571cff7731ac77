//! The message files of the pages.

bakau_text::texts! {
    /// The texts of a language.
    pub(crate) fn messages = "../messages/id.toml", "../messages/en.toml";
}
