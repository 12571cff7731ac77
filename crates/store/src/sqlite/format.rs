//! Opening a file: format version, forward-only migrations, settings of connections.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{StoreError, StoreErrorKind};

/// What tells a file of ours from any other SQLite file, and how its tables came about.
pub(crate) struct Format {
    pub(crate) application_id: i32,
    /// Such as "a series file".
    pub(crate) what: &'static str,
    /// In order; `user_version` is the number of those that were applied. Released ones are never edited.
    pub(crate) migrations: &'static [&'static str],
}

/// How long a connection waits for a lock; only checkpoints and migrations hold one for more than moments.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Page cache of the writer. Rows of one group go to one leaf page per datastream, so 10,000 datastreams and the pages
/// above them fit; beyond it SQLite spills pages in the middle of a transaction, which is correct but slow.
const WRITER_CACHE_KIB: i64 = 48 * 1024;

/// Page cache of each reading connection: a range read streams through it.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// WAL pages after which a commit checkpoints (32 MiB): a page that several groups touch is copied once, and the bytes
/// that no checksum protects against a flipped bit stay few.
const AUTOCHECKPOINT_PAGES: i64 = 8_192;

/// The WAL file is cut back to this after a checkpoint.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Pages that a connection that writes keeps in memory and in the WAL.
pub(crate) fn keep_in_memory(writer: &Connection) -> rusqlite::Result<()> {
    writer.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    writer.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    writer.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)
}

/// One of the connections that only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

pub(crate) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version).map_err(|_| StoreError::new(StoreErrorKind::Corrupt, "the format version is negative"))
}

impl Format {
    pub(crate) fn marks(&self, connection: &Connection) -> Result<bool, StoreError> {
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok(id == self.application_id)
    }

    /// Refuses, before anything is written, a file that is not ours or from a newer version.
    pub(crate) fn check(&self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables != 0 && !self.marks(connection)? {
            let (path, what) = (path.display(), self.what);
            let message = format!("'{path}' is a database of another program, not {what} of Bakau");
            return Err(StoreError::new(StoreErrorKind::Other, message));
        }
        let (found, known) = (version(connection)?, self.migrations.len());
        if known < found {
            let message = format!("'{}' has format {found}, this version reads formats up to {known}", path.display());
            return Err(StoreError::new(StoreErrorKind::NewerFormat, message));
        }
        Ok(())
    }

    /// Creates the tables, or brings older ones up to date.
    pub(crate) fn migrate(&self, connection: &mut Connection) -> Result<(), StoreError> {
        for (done, script) in self.migrations.iter().enumerate().skip(version(connection)?) {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(script)?;
            transaction.pragma_update(None, "application_id", self.application_id)?;
            transaction.pragma_update(None, "user_version", i64::try_from(done + 1).unwrap_or(i64::MAX))?;
            transaction.commit()?;
        }
        Ok(())
    }
}
