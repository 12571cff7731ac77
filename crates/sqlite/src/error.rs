//! Why a file cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A file that cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer version of Bakau wrote the file; it is left as it is.
    #[error(
        "{} was written by a newer version of Bakau (format {found}, this version reads up to {known}): start the newer \
         version again, or restore a backup from before the upgrade", path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        known: usize,
    },
    /// A reader was asked to open a file that has not been migrated yet.
    #[error("{} has format {found}, this version reads format {known}: start `bakau` once to bring it up to date", path.display())]
    OlderFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: usize,
        /// The format that readers expect.
        known: usize,
    },
    /// The file belongs to another program; it is left as it is.
    #[error("{} is a database of another program, not {what} of Bakau: name another data folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it should be, such as "a registry".
        what: &'static str,
    },
    /// The file system cannot share memory between processes, as most network file systems.
    #[error("{} cannot use a write-ahead log here: put it on a local disk", path.display())]
    NoLog {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed while the file was opened or migrated.
    #[error("{} cannot be opened: {cause}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
    /// The folder of the file cannot be made durable.
    #[error("the folder of {} cannot be synchronized: {cause}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The thread of a writer could not be started.
    #[error("the thread of a database cannot be started: {0}")]
    Thread(std::io::Error),
    /// The database was closed, or its thread has ended.
    #[error("the database is closed")]
    Closed,
}

impl Error {
    pub(crate) fn sqlite(path: &Path, cause: rusqlite::Error) -> Self {
        Self::Sqlite { path: path.to_owned(), cause }
    }
}

/// What a caller can do about an error of SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The disk is full; nothing was written.
    Full,
    /// The file is damaged or no database; trying again does not help.
    Damaged,
    /// A lock, an I/O error, a missing permission: trying again may help.
    Passing,
    /// Anything else, such as a wrong statement.
    Other,
}

impl Failure {
    /// Classifies an error of SQLite.
    #[must_use]
    pub fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Passing,
            Some(_) | None => Self::Other,
        }
    }
}
