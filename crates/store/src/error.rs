//! Errors of stores.

use std::{error::Error, fmt, time::Duration};

use bakau_sqlite::Failure;

bakau_model::words! {
    /// Kind of a store error, for callers to branch on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum StoreErrorKind {
        /// It may work later: busy, stopped, not reachable, an I/O error.
        Unavailable => "unavailable",
        /// No room left; it works again once there is.
        Full => "full",
        /// The server refuses until its settings or ours are changed.
        Refused => "refused",
        /// The data is damaged; trying again does not help.
        Corrupt => "corrupt",
        /// The data was written by a newer version of Bakau.
        NewerFormat => "newer_format",
        /// Anything else; trying again does not help.
        Other => "other",
    }
}

impl StoreErrorKind {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Unavailable => "the store is not available at the moment",
            Self::Full => "the store has no room left: free disk space",
            Self::Refused => "the store refuses to work until its settings are changed",
            Self::Corrupt => "the store is damaged: run `bakau verify` and restore a backup",
            Self::NewerFormat => "the store was written by a newer version of Bakau: start that version",
            Self::Other => "the store failed",
        }
    }
}

/// A failed call of a store: a kind for the caller, a source for people.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    retry_after: Option<Duration>,
    reason: Option<&'static str>,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Wraps a cause (any error, or a text).
    #[must_use]
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, retry_after: None, reason: None, source: source.into() }
    }

    /// Adds the pause that the server asks for.
    #[must_use]
    pub fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The pause that the server asks for, if any.
    #[must_use]
    pub const fn wanted_pause(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Adds a stable key that is more specific than the kind.
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Stable key of the reason, for message files.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.reason.unwrap_or_else(|| self.kind.key())
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.sentence(), self.source)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(kind_of(&error), error)
    }
}

impl From<bakau_sqlite::Error> for StoreError {
    fn from(error: bakau_sqlite::Error) -> Self {
        use bakau_sqlite::Error;
        let kind = match &error {
            Error::Sqlite { cause, .. } => kind_of(cause),
            Error::NewerFormat { .. } => StoreErrorKind::NewerFormat,
            Error::OlderFormat { .. } | Error::Foreign { .. } | Error::NoLog { .. } => StoreErrorKind::Other,
            Error::Folder { .. } | Error::Thread(_) | Error::Closed => StoreErrorKind::Unavailable,
        };
        Self::new(kind, error)
    }
}

fn kind_of(error: &rusqlite::Error) -> StoreErrorKind {
    match Failure::of(error) {
        Failure::Full => StoreErrorKind::Full,
        Failure::Damaged => StoreErrorKind::Corrupt,
        Failure::Passing => StoreErrorKind::Unavailable,
        Failure::Other => StoreErrorKind::Other,
    }
}
