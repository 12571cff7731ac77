//! Files as the version left them that let a missing value replace a number.

use std::path::Path;

use bakau_model::{Flag, QualityTest, TestResults};
use rusqlite::{Connection, params};

/// A version of a value: instant, revision, value, flag, when it was received.
pub(crate) type Version = (i64, u32, Option<f64>, Flag, i64);

/// End of the last minute in which something arrived.
pub(crate) const LAST_MINUTE_ENDS: i64 = 10 * 60_000;

/// Spike and range of the numbers: what their flag is the worst of.
pub(crate) fn tests(value: Option<f64>, flag: Flag) -> TestResults {
    match value {
        Some(_) => TestResults::NONE.with(QualityTest::GrossRange, Flag::Good).with(QualityTest::Spike, flag),
        None => TestResults::NONE,
    }
}

/// What was received of six instants of datastream 1, in order of arrival; the last version of each was current.
pub(crate) const HISTORY: [&[Version]; 6] = [
    // A number, erased.
    &[(10_000, 1, Some(28.2), Flag::Suspect, 60_100), (10_000, 2, None, Flag::Missing, 60_200)],
    // A missing value, a number, another, erased.
    &[
        (20_000, 1, None, Flag::Missing, 120_000),
        (20_000, 2, Some(1.0), Flag::Good, 120_001),
        (20_000, 3, Some(1.5), Flag::Good, 120_002),
        (20_000, 4, None, Flag::Missing, 120_003),
    ],
    // Erased, and replaced by a number again: nothing to bring back.
    &[
        (30_000, 1, Some(2.0), Flag::Good, 180_000),
        (30_000, 2, None, Flag::Missing, 180_001),
        (30_000, 3, Some(2.5), Flag::Good, 180_002),
    ],
    // Never a number.
    &[(40_000, 1, None, Flag::Missing, 240_000)],
    // Corrected, never erased.
    &[(50_000, 1, Some(3.0), Flag::Good, 300_000), (50_000, 2, Some(3.5), Flag::Good, 300_001)],
    &[(60_000, 1, Some(4.0), Flag::Good, 360_000)],
];

/// Values by instant that are to be there afterwards: value, revision, flag, when it was received.
pub(crate) const BROUGHT_BACK: [(i64, Option<f64>, u32, Flag, i64); 6] = [
    (10_000, Some(28.2), 3, Flag::Suspect, 60_100),
    (20_000, Some(1.5), 5, Flag::Good, 120_002),
    (30_000, Some(2.5), 3, Flag::Good, 180_002),
    (40_000, None, 1, Flag::Missing, 240_000),
    (50_000, Some(3.5), 2, Flag::Good, 300_001),
    (60_000, Some(4.0), 1, Flag::Good, 360_000),
];

/// A file with the tables of a script and the history in it; rows below `floor` are not in `recent`.
pub(crate) fn make(path: &Path, script: &str, floor: i64) -> Connection {
    let file = Connection::open(path).unwrap();
    file.execute_batch(script).unwrap();
    for versions in HISTORY {
        for pair in versions.windows(2) {
            let (row, next) = (pair[0], pair[1]);
            put(&file, "superseded", row);
            file.execute(
                "UPDATE superseded SET recorded_at = ?3 WHERE observed_at = ?1 AND revision = ?2",
                (row.0, row.1, next.4),
            )
            .unwrap();
        }
        let current = versions[versions.len() - 1];
        if floor <= current.0 {
            put(&file, "recent", current);
        }
    }
    let corrections: usize = HISTORY.iter().map(|versions| versions.len() - 1).sum();
    let minute = LAST_MINUTE_ENDS - 60_000;
    let line = "INSERT INTO ledger (minute, source, stored, duplicate, corrected) VALUES (?1, 'a', ?2, 0, ?3)";
    file.execute(line, (minute, HISTORY.len(), corrections)).unwrap();
    file.execute("UPDATE cursor SET seq = 5", []).unwrap();
    file
}

fn put(file: &Connection, table: &str, (at, revision, value, flag, received_at): Version) {
    let (more, last) = if table == "superseded" { (", recorded_at", ", 0") } else { ("", "") };
    let tests = tests(value, flag).code().cast_signed();
    let insert = format!(
        "INSERT INTO {table} (datastream, observed_at, revision, value, flag, tests, deployment, time_source, received_at{more})
         VALUES (1, ?1, ?2, ?3, ?4, ?5, 17, 1, ?6{last})"
    );
    file.execute(&insert, params![at, revision, value, flag.code(), tests, received_at]).unwrap();
}
