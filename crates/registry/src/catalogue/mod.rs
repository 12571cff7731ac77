//! Catalogue files: TOML in, checked items out, every mistake of every file reported at once.
//!
//! Reading goes in three steps, none of which stops at the first mistake: each file is parsed as far as TOML allows;
//! each item is read and checked field by field ([`fields`], [`read`], [`check`]); then the whole set is checked for
//! references, names and overlaps ([`set`]).

mod check;
mod error;
mod fields;
mod files;
mod grammar;
mod items;
mod read;
mod set;

pub use error::CatalogueError;
pub(crate) use error::{Errors, messages};
pub use grammar::is_loopback_host;
pub(crate) use items::{Found, Item, Items, Kind, Merged};

use crate::Snapshot;

/// Largest accepted catalogue file: some 20,000 items, far more than a person edits in one file.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most files of one catalogue.
pub const MAX_FILES: usize = 1_000;
/// Most items of one kind in one catalogue.
pub const MAX_ITEMS_PER_KIND: usize = 100_000;

/// One catalogue file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueFile {
    /// The path, for messages.
    pub path: String,
    /// The content.
    pub text: String,
}

/// Catalogue files, parsed and checked.
#[derive(Debug, Clone)]
pub struct Catalogue {
    items: Items,
}

impl Catalogue {
    /// Reads files that are complete by themselves.
    ///
    /// # Errors
    /// Every mistake of every file, by file and line.
    pub fn parse(files: &[CatalogueFile]) -> Result<Self, Vec<CatalogueError>> {
        Self::parse_with(files, &Snapshot::default())
    }

    /// Reads files that may refer to what is already registered, such as a new rule for an old datastream.
    ///
    /// # Errors
    /// Every mistake of every file, by file and line.
    pub fn parse_with(files: &[CatalogueFile], registered: &Snapshot) -> Result<Self, Vec<CatalogueError>> {
        let mut errors = Errors::default();
        let found = files::read(files, &mut errors);
        let merged = Merged::new(&found, registered, false, &mut errors);
        set::check(&merged.items, Some(&found.broken), &mut errors);
        errors.into_result().map(|()| Self { items: found.items })
    }

    /// What is no mistake and will hardly be meant, by file and line.
    #[must_use]
    pub fn warnings(&self) -> Vec<CatalogueError> {
        let mut warnings = Errors::default();
        set::warn(&self.items, &mut warnings);
        warnings.into_warnings()
    }

    /// What the registry would hold with this catalogue applied.
    pub(crate) fn merge_into(&self, registered: &Snapshot, prune: bool) -> Result<Merged, Vec<CatalogueError>> {
        let mut errors = Errors::default();
        let found = Found { items: self.items.clone(), ..Found::default() };
        let merged = Merged::new(&found, registered, prune, &mut errors);
        set::check(&merged.items, None, &mut errors);
        errors.into_result().map(|()| merged)
    }
}
