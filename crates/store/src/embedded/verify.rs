//! Verification of the file: every row and the sums between tables.

use rusqlite::Connection;

use super::schema;
use crate::{
    StoreError, StoreVerify,
    sqlite::{
        cursor::read_cursor,
        row::count,
        verify::{Problems, check_pages, check_rows},
        versions::check_reflagged,
    },
};

/// Page structure, every row, and the sums that must agree between tables, all in one snapshot.
pub(super) fn verify(connection: &Connection) -> Result<StoreVerify, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut problems = Problems::default();
    check_pages(&snapshot, &mut problems)?;
    let rows = check_rows(&snapshot, "recent", &mut problems)?;
    let superseded = check_rows(&snapshot, "superseded", &mut problems)?;
    let reflagged = check_flags(&snapshot, &mut problems)?;
    check_versions(&snapshot, &mut problems)?;
    check_sums(&snapshot, rows, superseded, &mut problems)?;
    if !schema::has_identity(&snapshot)? {
        problems.add(|| "the file does not carry the mark of a series file".to_owned());
    }
    if let Err(error) = read_cursor(&snapshot) {
        problems.add(|| error.to_string());
    }
    Ok(StoreVerify { rows, superseded, reflagged, problems: problems.finish() })
}

/// A replaced flag belongs to a version of a value that is there.
fn check_flags(connection: &Connection, problems: &mut Problems) -> Result<u64, StoreError> {
    let mut statement = connection.prepare(
        "SELECT datastream, observed_at, revision, recorded_at, flag, tests, increment,
                (SELECT r.revision FROM recent r WHERE r.datastream = f.datastream AND r.observed_at = f.observed_at)
         FROM reflagged f",
    )?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let (datastream, observed_at, revision): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let current: Option<i64> = row.get(7)?;
        let orphan = current.is_none_or(|current| current < revision);
        let what = check_reflagged(row)?.err().or(orphan.then_some("there is no value with this revision"));
        if let Some(what) = what {
            problems.add(|| format!("reflagged: {datastream} at {observed_at} ms, revision {revision}: {what}"));
        }
    }
    Ok(count)
}

/// A current value of revision n has exactly the versions 1 to n - 1 behind it.
fn check_versions(connection: &Connection, problems: &mut Problems) -> Result<(), StoreError> {
    let mut statement = connection.prepare(
        "SELECT datastream, observed_at, count(*), max(revision),
                (SELECT r.revision FROM recent r WHERE r.datastream = s.datastream AND r.observed_at = s.observed_at)
         FROM superseded s GROUP BY datastream, observed_at",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (datastream, observed_at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (versions, newest, current): (i64, i64, Option<i64>) = (row.get(2)?, row.get(3)?, row.get(4)?);
        if versions != newest || current != Some(newest + 1) {
            problems.add(|| {
                format!("superseded: {datastream} at {observed_at} ms: versions do not count up to the current value")
            });
        }
    }
    Ok(())
}

/// Rows appear and are replaced only together with their ledger line, but for numbers that a migration brought back.
fn check_sums(connection: &Connection, rows: u64, superseded: u64, problems: &mut Problems) -> Result<(), StoreError> {
    let (stored, corrected): (u64, u64) =
        connection.query_row("SELECT ifnull(sum(stored), 0), ifnull(sum(corrected), 0) FROM ledger", [], |row| {
            Ok((count(row, 0)?, count(row, 1)?))
        })?;
    let quarantined: u64 = connection.query_row("SELECT count(*) FROM refused", [], |row| count(row, 0))?;
    if stored != rows + quarantined {
        problems.add(|| {
            format!("the ledger says {stored} stored values, there are {rows} and {quarantined} in quarantine")
        });
    }
    // A number that came back by migration replaced the missing value at an instant at which nothing arrived.
    let brought_back: u64 = connection.query_row(
        "SELECT count(*) FROM superseded s WHERE value IS NULL AND 1 < revision AND recorded_at <> ifnull(
            (SELECT n.received_at FROM superseded n WHERE n.datastream = s.datastream
             AND n.observed_at = s.observed_at AND n.revision = s.revision + 1),
            (SELECT r.received_at FROM recent r WHERE r.datastream = s.datastream AND r.observed_at = s.observed_at))",
        [],
        |row| count(row, 0),
    )?;
    if corrected + brought_back != superseded {
        problems.add(|| format!("the ledger says {corrected} corrections, there are {superseded} superseded values"));
    }
    Ok(())
}
