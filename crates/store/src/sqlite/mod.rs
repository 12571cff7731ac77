//! What the files of both stores have in common: the tables, and the code that writes and reads them.
//!
//! The embedded store keeps every value in these tables. InfluxDB's journal keeps the newest values of each datastream in
//! them, so that both stores decide by the same code what a value is: new, a duplicate, a correction.

pub(crate) mod copying;
pub(crate) mod cursor;
pub(crate) mod ledger;
pub(crate) mod merge;
pub(crate) mod refused;
pub(crate) mod row;
pub(crate) mod tables;
pub(crate) mod values;
pub(crate) mod verify;
pub(crate) mod versions;
pub(crate) mod write;

/// A limit as SQLite takes it.
fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
