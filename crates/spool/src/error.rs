//! Errors of the spool, in kinds that callers branch on.

use bakau_sqlite::Failure;

/// What a caller can do about a [`SpoolError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpoolErrorKind {
    /// No room: `max_bytes` of unconsumed data is reached, or the disk is full. Nothing was written; retry later.
    Full,
    /// The file was written by a newer Bakau.
    NewerFormat,
    /// The file is no spool, or another process has it open for writing.
    Refused,
    /// Bytes on disk are not what was written.
    Corrupt,
    /// The caller's draft contradicts itself; retrying cannot help.
    InvalidDraft,
    /// The disk or the database failed in another way; retrying may help.
    Unavailable,
}

/// A failed operation on the spool.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SpoolError {
    kind: SpoolErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SpoolError {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> SpoolErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: SpoolErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn io(doing: &str, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => SpoolErrorKind::Full,
            _ => SpoolErrorKind::Unavailable,
        };
        Self { kind, message: format!("the spool failed while {doing}: {source}"), source: Some(Box::new(source)) }
    }
}

impl From<rusqlite::Error> for SpoolError {
    fn from(source: rusqlite::Error) -> Self {
        let (kind, advice) = match Failure::of(&source) {
            Failure::Full => {
                (SpoolErrorKind::Full, "the disk of the spool is full; free space there, nothing was written")
            }
            Failure::Damaged => {
                (SpoolErrorKind::Corrupt, "the spool file is damaged; run `bakau verify` and restore it from a backup")
            }
            Failure::Passing | Failure::Other => {
                (SpoolErrorKind::Unavailable, "the spool could not be read or written; check its disk and permissions")
            }
        };
        Self { kind, message: format!("{advice} ({source})"), source: Some(Box::new(source)) }
    }
}

impl From<bakau_sqlite::Error> for SpoolError {
    fn from(error: bakau_sqlite::Error) -> Self {
        use bakau_sqlite::Error;
        let kind = match error {
            Error::Sqlite { cause, .. } => return cause.into(),
            Error::Folder { cause, .. } => return Self::io("making its directory durable", cause),
            Error::NewerFormat { .. } => SpoolErrorKind::NewerFormat,
            Error::OlderFormat { .. } | Error::Foreign { .. } | Error::NoLog { .. } => SpoolErrorKind::Refused,
            Error::Thread(_) | Error::Closed => SpoolErrorKind::Unavailable,
        };
        Self { kind, message: error.to_string(), source: Some(Box::new(error)) }
    }
}
