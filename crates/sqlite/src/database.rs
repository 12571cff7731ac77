//! One kind of file: how it is told from others, opened and brought up to date.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::Error;

/// Statements that a connection keeps compiled; no file has more of them.
const STATEMENTS: usize = 64;

/// Page cache of a connection that reads, in KiB: a range read streams through it.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Pause before the write-ahead log of a new file is turned on again.
const LOG_RETRY: Duration = Duration::from_millis(2);

/// When a commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// With the commit.
    Full,
    /// With the next checkpoint: power loss may take the last commits, never part of one.
    Normal,
}

impl Synchronous {
    const fn key(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// The definition of one kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Database {
    /// What the file is, such as "a spool"; stands in errors.
    pub what: &'static str,
    /// `PRAGMA application_id`, which tells the file from those of other programs.
    pub application_id: i32,
    /// Forward only: entry `n` turns a file of format `n` into one of format `n + 1`. Entries are never changed.
    pub migrations: &'static [&'static str],
    /// Formats up to this one were written without an application id.
    pub unmarked: usize,
    /// When a commit is on disk.
    pub synchronous: Synchronous,
    /// Bytes per page of a new file.
    pub page_bytes: u32,
    /// Page cache of the connection that writes.
    pub writer_cache_kib: u32,
    /// Pages in the write-ahead log before a commit copies them into the file.
    pub checkpoint_pages: u32,
    /// The log file is cut back to this size when a long read let it grow.
    pub log_bytes: u32,
    /// How long a connection waits for a lock of another one.
    pub busy_timeout: Duration,
}

impl Database {
    /// Settings for a small file whose commits are on disk when they return: SQLite's own, with a bound for the log.
    pub const DEFAULTS: Self = Self {
        what: "a database",
        application_id: 0,
        migrations: &[],
        unmarked: 0,
        synchronous: Synchronous::Full,
        page_bytes: 4096,
        writer_cache_kib: 2 * 1024,
        checkpoint_pages: 1000,
        log_bytes: 16 << 20,
        busy_timeout: Duration::from_secs(10),
    };

    /// Opens the file for writing; creates it, or brings it to the newest format.
    ///
    /// # Errors
    /// `NewerFormat` or `Foreign` before anything in the file was changed, `NoLog`, `Sqlite`, `Folder`.
    pub fn open_writer(&self, path: &Path) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = self.connect(path, flags)?;
        let format = self.format_of(&connection, path)?;
        let mode = self.set_up(&connection, format).map_err(|error| Error::sqlite(path, error))?;
        if mode != "wal" {
            return Err(Error::NoLog { path: path.to_owned() });
        }
        if format < self.migrations.len() {
            self.migrate(&mut connection, path)?;
        }
        sync_folder(path)?;
        Ok(connection)
    }

    /// Opens the file for reading; it must exist and be of the newest format.
    ///
    /// # Errors
    /// `NewerFormat`, `OlderFormat`, `Foreign`, `Sqlite`.
    pub fn open_reader(&self, path: &Path) -> Result<Connection, Error> {
        let connection = self.connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let (found, known) = (self.format_of(&connection, path)?, self.migrations.len());
        if found < known {
            return Err(Error::OlderFormat { path: path.to_owned(), found, known });
        }
        let cache = connection.pragma_update(None, "cache_size", -READER_CACHE_KIB);
        cache.map_err(|error| Error::sqlite(path, error))?;
        Ok(connection)
    }

    fn connect(&self, path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
        let connect = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(connection)
        };
        connect().map_err(|error| Error::sqlite(path, error))
    }

    /// Settings of a connection that writes; gives the journal mode.
    fn set_up(&self, connection: &Connection, format: usize) -> rusqlite::Result<String> {
        if format == 0 {
            connection.pragma_update(None, "page_size", self.page_bytes)?;
        }
        let mode = self.use_log(connection)?;
        connection.pragma_update(None, "synchronous", self.synchronous.key())?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -i64::from(self.writer_cache_kib))?;
        connection.pragma_update(None, "wal_autocheckpoint", self.checkpoint_pages)?;
        connection.pragma_update(None, "journal_size_limit", self.log_bytes)?;
        Ok(mode)
    }

    /// Turns the write-ahead log on; gives the journal mode.
    ///
    /// Of two connections that do so in a new file at once, SQLite refuses one without waiting for the other.
    fn use_log(&self, connection: &Connection) -> rusqlite::Result<String> {
        let begun = Instant::now();
        loop {
            let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            let is_busy = mode.as_ref().is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
            if !is_busy || self.busy_timeout < begun.elapsed() {
                return mode;
            }
            std::thread::sleep(LOG_RETRY);
        }
    }

    /// The format of the file, if this version may use it.
    fn format_of(&self, connection: &Connection, path: &Path) -> Result<usize, Error> {
        // One statement, so that another process cannot migrate the file between two of these.
        let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
                   FROM pragma_application_id, pragma_user_version";
        let marks = connection.query_row(sql, [], |row| <(i64, i64, i64)>::try_from(row));
        let (application_id, found, tables) = marks.map_err(|error| Error::sqlite(path, error))?;
        let format = usize::try_from(found).ok();
        let is_new = application_id == 0 && found == 0 && tables == 0;
        let is_unmarked = application_id == 0 && format.is_some_and(|format| 0 < format && format <= self.unmarked);
        if !is_new && !is_unmarked && application_id != i64::from(self.application_id) {
            return Err(Error::Foreign { path: path.to_owned(), what: self.what });
        }
        let known = self.migrations.len();
        format.filter(|format| *format <= known).ok_or(Error::NewerFormat { path: path.to_owned(), found, known })
    }

    /// One transaction per format, so that an interrupted upgrade leaves a whole file of an older format.
    fn migrate(&self, connection: &mut Connection, path: &Path) -> Result<(), Error> {
        loop {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = transaction.map_err(|error| Error::sqlite(path, error))?;
            // Under the write lock: another process may have migrated the file in the meantime.
            let format = self.format_of(&transaction, path)?;
            let Some(step) = self.migrations.get(format) else { return Ok(()) };
            let apply = || {
                transaction.execute_batch(step)?;
                transaction.pragma_update(None, "application_id", self.application_id)?;
                transaction.pragma_update(None, "user_version", i64::try_from(format + 1).unwrap_or(i64::MAX))
            };
            apply().and_then(|()| transaction.commit()).map_err(|error| Error::sqlite(path, error))?;
        }
    }
}

/// Makes the name of a new file as durable as its content.
fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synchronized = File::open(folder).and_then(|folder| folder.sync_all());
    synchronized.map_err(|cause| Error::Folder { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    const ONE: &str = "CREATE TABLE note (text TEXT NOT NULL) STRICT; INSERT INTO note VALUES ('first');";
    const TWO: &str = "ALTER TABLE note ADD COLUMN at INTEGER; UPDATE note SET at = 7;";
    const BROKEN: &str = "UPDATE note SET text = 'changed'; INSERT INTO absent VALUES (1);";

    const OLD: Database = Database { what: "a notebook", application_id: 77, migrations: &[ONE], ..Database::DEFAULTS };
    const NOTES: Database = Database { migrations: &[ONE, TWO], ..OLD };

    fn number(connection: &Connection, pragma: &str) -> i64 {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
    }

    /// What an error names, without the folder.
    fn sentence(error: &Error) -> String {
        let text = error.to_string();
        text[text.find("notes.db").unwrap()..].to_owned()
    }

    #[test]
    fn a_new_file_gets_every_setting_and_the_newest_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let settings = Database {
            synchronous: Synchronous::Normal,
            page_bytes: 16_384,
            writer_cache_kib: 5_000,
            checkpoint_pages: 256,
            log_bytes: 1 << 20,
            busy_timeout: Duration::from_millis(4_321),
            ..NOTES
        };
        let expected = [
            ("application_id", 77),
            ("user_version", 2),
            ("synchronous", 1),
            ("page_size", 16_384),
            ("cache_size", -5_000),
            ("wal_autocheckpoint", 256),
            ("journal_size_limit", 1 << 20),
            ("busy_timeout", 4_321),
            ("foreign_keys", 1),
        ];
        let writer = settings.open_writer(&path).unwrap();
        for (pragma, value) in expected {
            assert_eq!(number(&writer, pragma), value, "{pragma}");
        }
        let mode: String = writer.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(number(&NOTES.open_writer(&path).unwrap(), "synchronous"), 2, "the default is full");
    }

    #[test]
    fn a_reader_reads_beside_the_writer_and_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        assert!(NOTES.open_reader(&path).is_err(), "it creates no file");
        let mut writer = NOTES.open_writer(&path).unwrap();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        transaction.execute("INSERT INTO note (text) VALUES ('second')", []).unwrap();
        let reader = NOTES.open_reader(&path).unwrap();
        assert_eq!(reader.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
        assert!(reader.execute("DELETE FROM note", []).is_err());
        transaction.commit().unwrap();
        assert_eq!(reader.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    }

    #[test]
    fn an_older_file_keeps_its_rows_and_a_reader_asks_for_the_upgrade_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        drop(OLD.open_writer(&path).unwrap());
        let error = NOTES.open_reader(&path).unwrap_err();
        assert_eq!(
            sentence(&error),
            "notes.db has format 1, this version reads format 2: start `bakau` once to bring it up to date"
        );
        let writer = NOTES.open_writer(&path).unwrap();
        let row: (String, i64) =
            writer.query_row("SELECT text, at FROM note", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, ("first".to_owned(), 7));
        drop(NOTES.open_writer(&path).unwrap());
        assert_eq!(number(&writer, "user_version"), 2);
    }

    #[test]
    fn a_newer_file_is_refused_with_path_and_numbers_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let writer = NOTES.open_writer(&path).unwrap();
        for format in [99, -1] {
            writer.pragma_update(None, "user_version", format).unwrap();
            for error in [NOTES.open_writer(&path).unwrap_err(), NOTES.open_reader(&path).unwrap_err()] {
                assert!(matches!(error, Error::NewerFormat { found, known: 2, .. } if found == format), "{error}");
                let expected = format!(
                    "notes.db was written by a newer version of Bakau (format {format}, this version reads up to 2): \
                     start the newer version again, or restore a backup from before the upgrade"
                );
                assert_eq!(sentence(&error), expected);
            }
            assert_eq!(number(&writer, "user_version"), format);
        }
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let theirs = Connection::open(&path).unwrap();
        theirs.execute_batch("CREATE TABLE song (title TEXT)").unwrap();
        let error = NOTES.open_writer(&path).unwrap_err();
        assert_eq!(
            sentence(&error),
            "notes.db is a database of another program, not a notebook of Bakau: name another data folder"
        );
        let mode: String = theirs.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete");
        theirs.pragma_update(None, "application_id", 78).unwrap();
        assert!(matches!(NOTES.open_writer(&path), Err(Error::Foreign { .. })));
    }

    #[test]
    fn a_file_that_is_no_database_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        std::fs::write(&path, [7_u8; 8192]).unwrap();
        let error = NOTES.open_writer(&path).unwrap_err();
        assert!(matches!(&error, Error::Sqlite { cause, .. } if Failure::of(cause) == Failure::Damaged), "{error}");
    }

    #[test]
    fn an_interrupted_migration_leaves_the_file_in_its_old_format() {
        const FAILING: Database = Database { migrations: &[ONE, BROKEN], ..OLD };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        drop(OLD.open_writer(&path).unwrap());
        let error = FAILING.open_writer(&path).unwrap_err();
        assert!(sentence(&error).contains("no such table: absent"), "{error}");
        let old = OLD.open_writer(&path).unwrap();
        assert_eq!(number(&old, "user_version"), 1);
        let text: String = old.query_row("SELECT text FROM note", [], |row| row.get(0)).unwrap();
        assert_eq!(text, "first");
    }

    #[test]
    fn a_file_from_before_marks_is_marked_by_the_next_migration() {
        const MARKED: Database = Database { migrations: &[ONE, ""], unmarked: 1, ..OLD };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let unmarked = Connection::open(&path).unwrap();
        unmarked.execute_batch(ONE).unwrap();
        assert!(matches!(MARKED.open_writer(&path), Err(Error::Foreign { .. })), "without a format it is not ours");
        unmarked.pragma_update(None, "user_version", 1).unwrap();
        assert!(matches!(OLD.open_writer(&path), Err(Error::Foreign { .. })), "where every format has a mark");
        let writer = MARKED.open_writer(&path).unwrap();
        assert_eq!((number(&writer, "application_id"), number(&writer, "user_version")), (77, 2));
    }

    #[test]
    fn two_that_open_a_new_file_at_once_migrate_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        std::thread::scope(|scope| {
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| NOTES.open_writer(&path).map(drop))).collect();
            for opened in opening {
                opened.join().unwrap().unwrap();
            }
        });
        let rows = NOTES.open_reader(&path).unwrap().query_row("SELECT count(*) FROM note", [], |row| row.get(0));
        assert_eq!(rows, Ok(1_i64));
    }
}
