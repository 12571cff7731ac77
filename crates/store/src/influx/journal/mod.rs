//! The journal, Bakau's own file beside the server: everything that must not depend on it.
//!
//! Cursor, ledger, replaced values and flags are tables like those of the embedded store. `recent` holds only the newest
//! rows of each datastream, from `floor` on without gaps, so that what a new value is (new, repeated, correction) is
//! nearly always decided here. A write is one transaction with the body for the server as `pending`; the body stays
//! until the server has said 204, and the visible cursor moves only then. `synchronous` is FULL: the intent comes first.

pub(crate) mod erased;
pub(crate) mod hours;
pub(crate) mod intent;
pub(crate) mod pending;
pub(crate) mod quarantine;
pub(crate) mod series;
pub(crate) mod window;

use bakau_sqlite::{Database, Synchronous};

use crate::sqlite::tables::{IGNORED_MISSING, INCREMENTS, SETTINGS, TABLES};

/// The file of a journal.
pub(crate) const JOURNAL: Database = Database {
    what: "a journal",
    // "BkIn".
    application_id: 0x426B_496E,
    migrations: &[
        TABLES,
        OWN_TABLES,
        hours::TABLES,
        IGNORED_MISSING,
        OWN_IGNORED_MISSING,
        erased::TABLES,
        INCREMENTS,
        COUNTED,
    ],
    // The intent must be on disk before anything of it is sent.
    synchronous: Synchronous::Full,
    ..SETTINGS
};

const OWN_TABLES: &str = "
    CREATE TABLE series (
        datastream INTEGER PRIMARY KEY,
        station TEXT NOT NULL,
        parameter TEXT NOT NULL,
        first_at INTEGER NOT NULL,
        floor INTEGER NOT NULL,
        UNIQUE (station, parameter)
    );
    CREATE TABLE pending (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        duplicate INTEGER NOT NULL,
        corrected INTEGER NOT NULL,
        body TEXT NOT NULL
    );
";

const OWN_IGNORED_MISSING: &str = "ALTER TABLE pending ADD COLUMN ignored_missing INTEGER NOT NULL DEFAULT 0;";

/// Whether a point of the series was ever given an increment: from then on each one says whether it has one, because the
/// fields of a point that is written again merge.
const COUNTED: &str = "ALTER TABLE series ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;";
