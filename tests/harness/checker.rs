//! An independent checker: reads the databases with plain SQL and compares them with what was acknowledged.

use std::{collections::HashMap, path::Path};

use anyhow::{Result, bail};
use rusqlite::{Connection, OpenFlags};

/// One value that a publisher saw acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Datastream name.
    pub datastream: String,
    /// UTC milliseconds.
    pub observed_at: i64,
    /// The value sent.
    pub value: f64,
}

/// What the checker found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Values looked for.
    pub expected: u64,
    /// Found exactly once with the same value.
    pub found: u64,
    /// Rows in the store altogether.
    pub rows: u64,
    /// Values that were replaced by another one for the same key.
    pub superseded: u64,
}

fn open(path: &Path) -> Result<Connection> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Compares acknowledged values with the store's rows; the key makes a second row for one of them impossible, so
/// "exactly once" is one row with the value sent and nothing in `superseded`.
///
/// # Errors
/// When a value is missing or differs: the first ten are named.
pub fn check(data: &Path, expected: impl IntoIterator<Item = Expected>) -> Result<Verdict> {
    let mut wrong = Vec::new();
    let verdict = compare(data, expected, |value, held| {
        if wrong.len() < 10 {
            wrong.push(format!("{value:?}, held: {held:?}"));
        }
    })?;
    if verdict.found != verdict.expected {
        bail!("{} of {} acknowledged values are held; missing:\n{}", verdict.found, verdict.expected, wrong.join("\n"));
    }
    Ok(verdict)
}

/// Compares values with the store's rows and hands over each that is missing or differs, with what is held instead.
///
/// # Errors
/// When the files cannot be read.
pub fn compare(
    data: &Path,
    expected: impl IntoIterator<Item = Expected>,
    mut wrong: impl FnMut(Expected, Option<f64>),
) -> Result<Verdict> {
    let registry = open(&data.join("registry.db"))?;
    let mut numbers = HashMap::new();
    let mut names = registry.prepare("SELECT name, number FROM datastream_number")?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        numbers.insert(row.get::<_, String>(0)?, row.get::<_, i64>(1)?);
    }
    let series = open(&data.join("series.db"))?;
    let mut find = series.prepare("SELECT value FROM recent WHERE datastream = ?1 AND observed_at = ?2")?;
    let mut verdict = Verdict {
        rows: series.query_row("SELECT count(*) FROM recent", [], |row| row.get(0))?,
        superseded: series.query_row("SELECT count(*) FROM superseded", [], |row| row.get(0))?,
        ..Verdict::default()
    };
    for value in expected {
        verdict.expected += 1;
        let number = numbers.get(&value.datastream);
        let mut held = find.query((number, value.observed_at))?;
        match held.next()?.map(|row| row.get::<_, Option<f64>>(0)).transpose()?.flatten() {
            Some(found) if found.to_bits() == value.value.to_bits() => verdict.found += 1,
            held => wrong(value, held),
        }
    }
    Ok(verdict)
}

/// Whether every line of both ledgers balances, as the API shows them.
///
/// # Errors
/// When a line does not balance; it is named.
pub fn check_ledger(ledger: &serde_json::Value) -> Result<u64> {
    let Some(lines) = ledger["lines"].as_array() else { bail!("no lines in {ledger}") };
    for line in lines {
        for part in ["messages_balanced", "readings_balanced"] {
            if line[part] != true {
                bail!("{part} does not hold: {line}");
            }
        }
    }
    if lines.is_empty() || ledger["balanced"] != true {
        bail!("the ledger as a whole does not balance: {ledger}");
    }
    Ok(lines.len() as u64)
}
