//! The file: its mark, and how it came about.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    StoreError,
    sqlite::{
        format::{BUSY_TIMEOUT, Format, keep_in_memory},
        tables::{IGNORED_MISSING, INCREMENTS, TABLES},
    },
};

/// "BkSe".
const SERIES: Format = Format {
    application_id: 0x426B_5365,
    what: "a series file",
    migrations: &[TABLES, IGNORED_MISSING, NUMBERS_BACK, INCREMENTS],
};

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

/// Whether the file carries the mark of a series file.
pub(super) fn has_identity(connection: &Connection) -> Result<bool, StoreError> {
    SERIES.marks(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreErrorKind, sqlite::format::version};

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
