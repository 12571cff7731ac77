//! Opening the file: format version, forward-only migrations, settings of connections.

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

/// "BkSe".
const SERIES: Format = Format {
    application_id: 0x426B_5365,
    what: "a series file",
    migrations: &[TABLES, IGNORED_MISSING, NUMBERS_BACK, INCREMENTS],
};

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

/// Tables of values, versions, flags, counts, quarantine, the cursor and the mark of an unfinished copy; the journal of
/// the InfluxDB backend has them too. Only a copy from there brings a quarantine here.
pub(crate) const TABLES: &str = "
    CREATE TABLE recent (
        datastream INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        value REAL,
        flag INTEGER NOT NULL,
        tests INTEGER NOT NULL,
        deployment INTEGER NOT NULL,
        time_source INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY (datastream, observed_at)
    ) WITHOUT ROWID;
    CREATE TABLE superseded (
        datastream INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        value REAL,
        flag INTEGER NOT NULL,
        tests INTEGER NOT NULL,
        deployment INTEGER NOT NULL,
        time_source INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        PRIMARY KEY (datastream, observed_at, revision)
    ) WITHOUT ROWID;
    CREATE TABLE reflagged (
        datastream INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        flag INTEGER NOT NULL,
        tests INTEGER NOT NULL,
        PRIMARY KEY (datastream, observed_at, revision, recorded_at)
    ) WITHOUT ROWID;
    CREATE TABLE ledger (
        minute INTEGER NOT NULL,
        source TEXT NOT NULL,
        stored INTEGER NOT NULL,
        duplicate INTEGER NOT NULL,
        corrected INTEGER NOT NULL,
        PRIMARY KEY (minute, source)
    ) WITHOUT ROWID;
    CREATE TABLE cursor (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL
    );
    INSERT INTO cursor (id, seq) VALUES (1, 0);
    CREATE TABLE refused (
        series TEXT NOT NULL,
        observed_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        line TEXT NOT NULL,
        PRIMARY KEY (series, observed_at)
    ) WITHOUT ROWID;
    CREATE TABLE copying (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        source INTEGER NOT NULL,
        stage INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        name TEXT NOT NULL
    );
";

/// The count of missing values that came where a number was.
pub(crate) const IGNORED_MISSING: &str = "ALTER TABLE ledger ADD COLUMN ignored_missing INTEGER NOT NULL DEFAULT 0;";

/// Numbers that a missing value replaced become current again, as a version of their own behind it: what was known when
/// stays true. The missing value was the current one until now, which is not in the file; the end of the last minute in
/// which something arrived is the closest instant that is, and different from every arrival.
///
/// A copy that is unfinished begins anew instead, because its source changes as well.
const NUMBERS_BACK: &str = "
    UPDATE copying SET source = 9223372036854775807;
    CREATE TEMP TABLE erased (
        datastream INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (datastream, observed_at)
    ) WITHOUT ROWID;
    INSERT INTO temp.erased (datastream, observed_at, number)
        SELECT k.datastream, k.observed_at, k.number
        FROM (SELECT datastream, observed_at, max(revision) AS number FROM superseded
              WHERE value IS NOT NULL GROUP BY datastream, observed_at) k
        CROSS JOIN recent r ON r.datastream = k.datastream AND r.observed_at = k.observed_at
        WHERE r.value IS NULL AND NOT EXISTS (SELECT 1 FROM copying);
    INSERT INTO superseded (datastream, observed_at, revision, value, flag, tests, deployment, time_source, received_at,
                            recorded_at)
        SELECT r.datastream, r.observed_at, r.revision, r.value, r.flag, r.tests, r.deployment, r.time_source,
               r.received_at,
               max(ifnull((SELECT max(minute) + 60000 FROM ledger), 0), r.received_at + 1, n.received_at + 1)
        FROM temp.erased e
        CROSS JOIN recent r ON r.datastream = e.datastream AND r.observed_at = e.observed_at
        CROSS JOIN superseded n ON n.datastream = e.datastream AND n.observed_at = e.observed_at
             AND n.revision = e.number;
    UPDATE recent SET (value, flag, tests, deployment, time_source, received_at, revision) =
        (SELECT n.value, n.flag, n.tests, n.deployment, n.time_source, n.received_at, recent.revision + 1
         FROM temp.erased e
         CROSS JOIN superseded n ON n.datastream = e.datastream AND n.observed_at = e.observed_at
              AND n.revision = e.number
         WHERE e.datastream = recent.datastream AND e.observed_at = recent.observed_at)
        WHERE (datastream, observed_at) IN (SELECT datastream, observed_at FROM temp.erased);
    DROP TABLE temp.erased;
";

/// What was counted since the reading before, of a counter; nothing in rows of before.
pub(crate) const INCREMENTS: &str = "
    ALTER TABLE recent ADD COLUMN increment REAL;
    ALTER TABLE superseded ADD COLUMN increment REAL;
    ALTER TABLE reflagged ADD COLUMN increment REAL;
";

/// The one connection that writes: creates or migrates the file.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    SERIES.check(&connection, path)?;
    // Of 4, 8 and 16 KiB the first measured cheapest (3.1, 3.7 and 4.0 CPU-s per million messages in groups of 20,000).
    connection.pragma_update(None, "page_size", 4_096)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    keep_in_memory(&connection)?;
    SERIES.migrate(&mut connection)?;
    Ok(connection)
}

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

/// Whether the file carries the mark of a series file.
pub(super) fn has_identity(connection: &Connection) -> Result<bool, StoreError> {
    SERIES.marks(connection)
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version).map_err(|_| StoreError::new(StoreErrorKind::Corrupt, "the format version is negative"))
}

impl Format {
    fn marks(&self, connection: &Connection) -> Result<bool, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.db");
        let connection = open_writer(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = open_writer(&path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerFormat);
        assert!(error.to_string().contains("format 99"), "{error}");
        let left: i64 =
            Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(left, 99);
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let error = open_writer(&path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Other);
        assert!(error.to_string().contains("another program"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_database_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.db");
        std::fs::write(&path, vec![7_u8; 20_000]).unwrap();
        assert_eq!(open_writer(&path).unwrap_err().kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn opening_twice_migrates_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.db");
        drop(open_writer(&path).unwrap());
        let again = open_writer(&path).unwrap();
        assert_eq!(version(&again).unwrap(), SERIES.migrations.len());
        assert!(has_identity(&again).unwrap());
    }
}
