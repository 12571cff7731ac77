//! The file: how it is opened, what is in it, and how older files become newer ones.

use std::{fs::File, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{SpoolError, SpoolErrorKind};

/// "BkSp": tells a spool from any other SQLite file.
const APPLICATION_ID: i32 = 0x426b_5370;

/// Bytes per page, measured with the `append_cost` example: in groups of 200 and 1000 messages an append costs 0.93 and
/// 0.50 us of CPU per message, against 1.02 and 0.65 with 4 KiB pages and 1.34 and 0.42 with 64 KiB.
const PAGE_BYTES: u32 = 16_384;

/// Pages in the write-ahead log before a commit copies them into the file (4 MiB): a flipped byte within the log drops
/// every commit after it, so it is kept short.
const CHECKPOINT_PAGES: u32 = 256;

/// The log file is cut back to this size when a long read let it grow.
const LOG_LIMIT_BYTES: u32 = 16 << 20;

/// Only checkpoints and a running `bakau verify` can hold a lock, and only for moments.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Forward only: entry `n` turns a file of version `n` into one of version `n + 1`. Entries are never changed.
///
/// `messages_end` and `bytes_end` count everything ever spooled up to and including the row, so that the size of any
/// run of batches is the difference of two rows. `observed` comes before `envelopes` because reaching a column walks
/// over the ones before it, and consumers read observations.
const MIGRATIONS: &[&str] = &["
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    observations INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    messages_end INTEGER NOT NULL,
    bytes_end INTEGER NOT NULL,
    observed BLOB NOT NULL,
    envelopes BLOB NOT NULL
) STRICT;
CREATE TABLE ledger (
    minute INTEGER NOT NULL,
    source TEXT NOT NULL,
    received INTEGER NOT NULL,
    decoded INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    unrouted INTEGER NOT NULL,
    denied INTEGER NOT NULL,
    ignored_retained INTEGER NOT NULL,
    ignored_duplicate INTEGER NOT NULL,
    lost_in_broker INTEGER NOT NULL,
    readings_decoded INTEGER NOT NULL,
    readings_quarantined INTEGER NOT NULL,
    PRIMARY KEY (minute, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantined_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    bytes_end INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL REFERENCES quarantined_message (id),
    reading TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX quarantine_message ON quarantine (message);
"];

/// Opens the file for writing, creating it or bringing it to the newest version.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, SpoolError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version = check_version(&connection, path)?;
    if version == 0 {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let message = format!("the spool {} cannot use a write-ahead log here; put it on a local disk", path.display());
        return Err(SpoolError::new(SpoolErrorKind::Refused, message));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)?;
    connection.set_prepared_statement_cache_capacity(32);
    migrate(&mut connection, version)?;
    sync_directory(path)?;
    Ok(connection)
}

/// Opens the file for reading; it must exist and be of the newest version.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, SpoolError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version = check_version(&connection, path)?;
    if version != MIGRATIONS.len() {
        let message = format!("the spool {} is of an older format; start `bakau` once to bring it up", path.display());
        return Err(SpoolError::new(SpoolErrorKind::Refused, message));
    }
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The version of the file, if this Bakau may use it.
fn check_version(connection: &Connection, path: &Path) -> Result<usize, SpoolError> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && application != APPLICATION_ID {
        let message = format!("{} is not a spool of Bakau; name another data directory", path.display());
        return Err(SpoolError::new(SpoolErrorKind::Refused, message));
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        Ok(_) | Err(_) => {
            let message = format!(
                "the spool {} was written by a newer Bakau (format {version}, this one reads up to {}): start the newer \
                 Bakau again, or restore a backup from before the upgrade",
                path.display(),
                MIGRATIONS.len(),
            );
            Err(SpoolError::new(SpoolErrorKind::NewerFormat, message))
        }
    }
}

fn migrate(connection: &mut Connection, version: usize) -> Result<(), SpoolError> {
    for (done, step) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", done as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Where the file lies.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the name of a new file as durable as its content.
fn sync_directory(path: &Path) -> Result<(), SpoolError> {
    File::open(folder(path))
        .and_then(|directory| directory.sync_all())
        .map_err(|error| SpoolError::io("making its directory durable", error))
}

/// The lock that keeps a second process from writing; held as long as this is.
#[derive(Debug)]
pub(crate) struct WriterLock(File);

impl Drop for WriterLock {
    /// Closing the file alone would not do: a process that is being started at this moment holds a copy of the descriptor
    /// until it runs its own program, and with it the lock.
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

/// Takes the writer's lock.
///
/// A file of its own, because closing any handle of the database file would release SQLite's locks on it.
pub(crate) fn lock(path: &Path) -> Result<WriterLock, SpoolError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::create(Path::new(&name)).map_err(|error| SpoolError::io("opening its lock file", error))?;
    match file.try_lock() {
        Ok(()) => Ok(WriterLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            let message =
                format!("the spool {} is in use by another Bakau; stop it or use another --data", path.display());
            Err(SpoolError::new(SpoolErrorKind::Refused, message))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(SpoolError::io("locking its file", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(connection: &Connection, path: &Path, sql: &str) -> SpoolError {
        connection.execute_batch(sql).unwrap();
        open_writer(path).map(|_| ()).unwrap_err()
    }

    #[test]
    fn the_lock_is_free_at_once_even_while_a_copy_of_its_descriptor_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let held = lock(&path).unwrap();
        let copy = held.0.try_clone().unwrap();
        assert_eq!(lock(&path).map(|_| ()).unwrap_err().kind(), SpoolErrorKind::Refused);
        drop(held);
        lock(&path).unwrap();
        drop(copy);
    }

    #[test]
    fn a_newer_file_is_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let connection = open_writer(&path).unwrap();
        let error = refused(&connection, &path, "PRAGMA user_version = 99");
        assert_eq!(error.kind(), SpoolErrorKind::NewerFormat);
        assert!(
            error.to_string().contains("was written by a newer Bakau (format 99, this one reads up to 1)"),
            "{error}"
        );
        assert_eq!(open_reader(&path).map(|_| ()).unwrap_err().kind(), SpoolErrorKind::NewerFormat);
    }

    #[test]
    fn another_programs_database_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.db");
        let connection = Connection::open(&path).unwrap();
        let error = refused(&connection, &path, "CREATE TABLE theirs (x)");
        assert_eq!(error.kind(), SpoolErrorKind::Refused);
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete");
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        std::fs::write(&path, [7_u8; 4096]).unwrap();
        assert_eq!(open_writer(&path).map(|_| ()).unwrap_err().kind(), SpoolErrorKind::Corrupt);
    }

    #[test]
    fn commits_are_full_and_the_log_is_checkpointed() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(&dir.path().join("spool.db")).unwrap();
        let pragma =
            |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(pragma("synchronous"), 2);
        assert_eq!(pragma("wal_autocheckpoint"), i64::from(CHECKPOINT_PAGES));
        assert_eq!(pragma("page_size"), i64::from(PAGE_BYTES));
    }
}
