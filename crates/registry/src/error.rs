//! What a registry cannot do.

use crate::{catalogue::CatalogueError, rows::DamagedRow};

/// The registry cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The catalogue and what is registered do not fit together.
    #[error("the catalogue does not fit what is registered:\n{}", lines(.0))]
    Invalid(Vec<CatalogueError>),
    /// Another change was applied since the plan was made.
    #[error(
        "the registry changed from revision {planned} to {current} since this was planned: plan again and look at the new difference"
    )]
    Stale {
        /// The revision planned against.
        planned: u64,
        /// The present revision.
        current: u64,
    },
    /// The file cannot be opened, is something else or comes from a newer version.
    #[error(transparent)]
    File(#[from] bakau_sqlite::Error),
    /// A stored item cannot be read.
    #[error("the registry is damaged; restore it from a backup")]
    Damaged(#[from] DamagedRow),
    /// The database refused or failed.
    #[error("the registry database failed")]
    Database(#[from] rusqlite::Error),
}

fn lines(errors: &[CatalogueError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
