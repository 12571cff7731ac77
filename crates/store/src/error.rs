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

bakau_model::words! {
    /// Why a server that answers takes no writes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Hold {
        /// 401: the token is unknown or was revoked.
        Token => "token",
        /// 403: the token may not write into the bucket.
        Right => "right",
        /// 404: organization or bucket do not exist.
        Bucket => "bucket",
        /// 3xx: the address leads to another server.
        Redirect => "redirect",
        /// 2xx other than 204: this is not the write interface of InfluxDB 2.
        NotInflux => "not_influx",
        /// Any other status.
        Unexpected => "unexpected",
    }
}

impl Hold {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Token => "InfluxDB does not accept the token: it is wrong or was revoked",
            Self::Right => "the token may not write into the bucket",
            Self::Bucket => "InfluxDB knows no such organization or bucket: make it, or correct the names",
            Self::Redirect => "the address of InfluxDB leads to another server",
            Self::NotInflux => "what answers at the address of InfluxDB is something else",
            Self::Unexpected => "InfluxDB gives an unexpected answer",
        }
    }
}

/// Why a call failed, as precisely as it is known; for status, pages and their message files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreProblem {
    /// No more is known than the kind.
    Kind(StoreErrorKind),
    /// The disk of the InfluxDB server is full.
    InfluxFull,
    /// InfluxQL finds another bucket by the name of ours, or none.
    Mapping,
    /// The server refuses.
    Hold(Hold),
}

impl StoreProblem {
    /// Stable key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.key(),
            Self::InfluxFull => "influx_full",
            Self::Mapping => "mapping",
            Self::Hold(hold) => hold.key(),
        }
    }

    const fn kind(self) -> StoreErrorKind {
        match self {
            Self::Kind(kind) => kind,
            Self::InfluxFull => StoreErrorKind::Full,
            Self::Mapping | Self::Hold(_) => StoreErrorKind::Refused,
        }
    }
}

impl From<StoreErrorKind> for StoreProblem {
    fn from(kind: StoreErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// A failed call of a store: a problem for the caller, a source for people.
#[derive(Debug)]
pub struct StoreError {
    problem: StoreProblem,
    retry_after: Option<Duration>,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Wraps a cause (any error, or a text).
    #[must_use]
    pub fn new(problem: impl Into<StoreProblem>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { problem: problem.into(), retry_after: None, source: source.into() }
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

    /// Why it failed.
    #[must_use]
    pub const fn problem(&self) -> StoreProblem {
        self.problem
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.problem.kind()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind().sentence(), self.source)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<Hold> for StoreError {
    fn from(hold: Hold) -> Self {
        Self::new(StoreProblem::Hold(hold), hold.sentence())
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
