//! The file: what is in it, how older files become newer ones, and the lock of its writer.

use std::{fs::File, path::Path, time::Duration};

use bakau_sqlite::Database;

use crate::{SpoolError, SpoolErrorKind};

/// The file of a spool.
pub(crate) const SPOOL: Database = Database {
    what: "a spool",
    // "BkSp".
    application_id: 0x426b_5370,
    migrations: MIGRATIONS,
    // Measured with the `append_cost` example: in groups of 200 and 1000 messages an append costs 0.93 and 0.50 us of CPU
    // per message, against 1.02 and 0.65 with 4 KiB pages and 1.34 and 0.42 with 64 KiB.
    page_bytes: 16_384,
    // 4 MiB: a flipped byte within the log drops every commit after it, so it is kept short.
    checkpoint_pages: 256,
    // Only checkpoints and a running `bakau verify` can hold a lock, and only for moments.
    busy_timeout: Duration::from_secs(5),
    ..Database::DEFAULTS
};

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

/// Folder of the file.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
    fn a_newer_file_another_programs_file_and_a_damaged_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let kind = || [SPOOL.open_writer(&path), SPOOL.open_reader(&path)].map(|opened| kind_of(opened.unwrap_err()));
        let connection = SPOOL.open_writer(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(kind(), [SpoolErrorKind::NewerFormat; 2]);
        connection.pragma_update(None, "application_id", 1).unwrap();
        assert_eq!(kind(), [SpoolErrorKind::Refused; 2]);
        drop(connection);
        std::fs::write(&path, [7_u8; 4096]).unwrap();
        assert_eq!(kind(), [SpoolErrorKind::Corrupt; 2]);
    }

    fn kind_of(error: bakau_sqlite::Error) -> SpoolErrorKind {
        SpoolError::from(error).kind()
    }

    #[test]
    fn commits_are_on_disk_when_they_return_and_the_log_is_kept_short() {
        let dir = tempfile::tempdir().unwrap();
        let connection = SPOOL.open_writer(&dir.path().join("spool.db")).unwrap();
        let pragma =
            |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((pragma("synchronous"), pragma("wal_autocheckpoint"), pragma("page_size")), (2, 256, 16_384));
    }
}
