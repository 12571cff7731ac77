//! Catalogue files: TOML in, checked items out, every mistake of every file reported at once.
//!
//! Reading goes in three steps, none of which stops at the first mistake: each file is parsed as far as TOML allows;
//! each item is read field by field ([`fields`], [`read`]) and checked by itself ([`check`]); then the whole set is
//! checked for duplicates, references and overlaps ([`set`]).

mod check;
mod error;
mod fields;
mod grammar;
mod items;
mod read;
mod set;

pub use error::CatalogueError;
pub(crate) use error::{Errors, messages};
pub(crate) use items::{Found, Items, Kind, Merged};

use crate::{Snapshot, parameters};

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
        let found = read::files(files, &mut errors);
        for_each_item(&found, &mut errors);
        let merged = Merged::new(&found, registered, false, &mut errors);
        set::check(&merged.items, Some(&found.broken), &mut errors);
        errors.into_result().map(|()| Self { items: found.items })
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

fn for_each_item(found: &Found, errors: &mut Errors) {
    let items = &found.items;
    items.cities.values().for_each(|item| check::city(item, errors));
    items.agencies.values().for_each(|item| check::agency(item, errors));
    items.stations.values().for_each(|item| check::station(item, errors));
    items.datastreams.values().for_each(|item| check::datastream(item, parameters(), errors));
    items.instruments.values().for_each(|item| check::instrument(item, errors));
    items.deployments.values().for_each(|item| check::deployment(item, errors));
    items.routes.iter().for_each(|item| check::route(item, errors));
    items.rules.values().for_each(|item| check::rule(item, errors));
    items.channels.values().for_each(|item| check::channel(item, errors));
    items.devices.values().for_each(|item| check::device(item, errors));
}
