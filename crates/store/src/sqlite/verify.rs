//! Reading every row again.

use rusqlite::Connection;

use super::row::{COLUMNS, RawRow};
use crate::{StoreError, StoreVerify};

/// Problems found so far; only the first ones are kept as sentences.
#[derive(Default)]
pub(crate) struct Problems {
    sentences: Vec<String>,
    more: u64,
}

impl Problems {
    pub(crate) fn add(&mut self, sentence: impl FnOnce() -> String) {
        if self.sentences.len() + 1 < StoreVerify::MAX_PROBLEMS {
            self.sentences.push(sentence());
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.more != 0 {
            self.sentences.push(format!("and {} further problems", self.more));
        }
        self.sentences
    }
}

pub(crate) fn check_pages(connection: &Connection, problems: &mut Problems) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA quick_check(100)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sentence: String = row.get(0)?;
        if sentence != "ok" {
            problems.add(|| format!("pages: {sentence}"));
        }
    }
    Ok(())
}

pub(crate) fn check_rows(
    connection: &Connection,
    table: &'static str,
    problems: &mut Problems,
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM {table}"))?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        match RawRow::read(row) {
            Err(error) => problems.add(|| format!("{table}: row {count}: {error}")),
            Ok(raw) => {
                if let Err(what) = raw.check() {
                    let RawRow { datastream, observed_at, revision, .. } = raw;
                    problems.add(|| format!("{table}: {datastream} at {observed_at} ms, revision {revision}: {what}"));
                }
            }
        }
    }
    Ok(count)
}
