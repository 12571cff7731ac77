//! Settings of both files, and the migrations of the tables that both have.

use bakau_sqlite::Database;

/// What the definitions of both files have in common.
pub(crate) const SETTINGS: Database = Database {
    // Of 4, 8 and 16 KiB the first measured cheapest (3.1, 3.7 and 4.0 CPU-s per million messages in groups of 20,000).
    page_bytes: 4_096,
    // Rows of one group go to one leaf page per datastream, so 10,000 datastreams and the pages above them fit; beyond it
    // SQLite spills pages in the middle of a transaction, which is correct but slow.
    writer_cache_kib: 48 * 1024,
    // 32 MiB: a page that several groups touch is copied once, and the bytes that no checksum protects against a flipped
    // bit stay few.
    checkpoint_pages: 8_192,
    log_bytes: 64 << 20,
    ..Database::DEFAULTS
};

/// Reading connections: pages and exports read at the same time on a small machine with two to four cores.
pub(crate) const READERS: u32 = 4;

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

/// What was counted since the reading before, of a counter; nothing in rows of before.
pub(crate) const INCREMENTS: &str = "
    ALTER TABLE recent ADD COLUMN increment REAL;
    ALTER TABLE superseded ADD COLUMN increment REAL;
    ALTER TABLE reflagged ADD COLUMN increment REAL;
";
