//! Format of the file: mark, settings, migrations.

use bakau_sqlite::{Database, Synchronous};
use rusqlite::Connection;

use crate::{
    StoreError,
    sqlite::tables::{IGNORED_MISSING, INCREMENTS, SETTINGS, TABLES},
};

/// The file of an embedded store.
pub(super) const SERIES: Database = Database {
    what: "a series file",
    // "BkSe".
    application_id: 0x426B_5365,
    migrations: &[TABLES, IGNORED_MISSING, NUMBERS_BACK, INCREMENTS],
    // What power loss takes of the last commits is still in the spool.
    synchronous: Synchronous::Normal,
    ..SETTINGS
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

/// Whether the file carries the mark of a series file.
pub(super) fn has_identity(connection: &Connection) -> Result<bool, StoreError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == SERIES.application_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreErrorKind;

    fn kind(error: bakau_sqlite::Error) -> StoreErrorKind {
        StoreError::from(error).kind()
    }

    #[test]
    fn a_file_of_a_newer_version_of_another_program_or_no_database_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.db");
        let connection = SERIES.open_writer(&path).unwrap();
        assert!(has_identity(&connection).unwrap());
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = StoreError::from(SERIES.open_writer(&path).unwrap_err());
        assert_eq!(error.kind(), StoreErrorKind::NewerFormat);
        assert!(error.to_string().contains("format 99"), "{error}");
        let theirs = folder.path().join("theirs.db");
        Connection::open(&theirs).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(kind(SERIES.open_writer(&theirs).unwrap_err()), StoreErrorKind::Other);
        let nothing = folder.path().join("nothing.db");
        std::fs::write(&nothing, vec![7_u8; 20_000]).unwrap();
        assert_eq!(kind(SERIES.open_writer(&nothing).unwrap_err()), StoreErrorKind::Corrupt);
    }
}
