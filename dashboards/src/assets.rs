//! Style sheet, script and icon, to be served at `/assets/{name}`.

/// A file of the pages.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file.
    pub bytes: &'static [u8],
    /// Media type.
    pub content_type: &'static str,
    /// Strong entity tag, with its quotes.
    pub etag: &'static str,
    /// Whether the name holds the content's hash, so that it may be cached for ever.
    pub immutable: bool,
}

/// The asset of a name: `bakau.css`, or with its hash `bakau-0123456789abcdef.css` as pages link it.
#[must_use]
pub fn get(name: &str) -> Option<Asset> {
    let _ = name;
    None
}
