//! Numbers that a missing value replaced before ADR 0023, on their way back to the server.
//!
//! The migration of the journal lists the keys that may be concerned; what the server holds decides. A key stays listed
//! until its number is in a pending body, in one transaction: wherever this stops, it goes on, and nothing is lost.

use std::collections::BTreeSet;

use bakau_model::{DAY_MS, DatastreamId, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::{
    super::point::{encode, series_key},
    hours,
    pending::{Pending, put_pending},
    series::{self, Series},
};
use crate::{
    StoreCounts, StoreError, StoredObservation, Superseded, WriteReceipt,
    sqlite::{
        cursor::read_cursor,
        row::{COLUMNS, RawRow},
        values, versions,
    },
};

/// Keys whose last replaced version is a number: their current one, which may be on the server alone, may be a missing
/// value. `until` is when that counts as replaced, as in the migration of the embedded store.
pub(crate) const TABLES: &str = "
    UPDATE copying SET source = 9223372036854775807;
    CREATE TABLE erased (
        datastream INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (datastream, observed_at)
    ) WITHOUT ROWID;
    INSERT INTO erased (datastream, observed_at, until)
        SELECT s.datastream, s.observed_at, ifnull((SELECT max(minute) + 60000 FROM ledger), 0)
        FROM (SELECT datastream, observed_at, max(revision), value FROM superseded GROUP BY datastream, observed_at) s
        LEFT JOIN recent r ON r.datastream = s.datastream AND r.observed_at = s.observed_at
        WHERE s.value IS NOT NULL AND r.value IS NULL AND NOT EXISTS (SELECT 1 FROM copying);
";

/// Keys taken at a time: one transaction, and at most as many questions to the server.
const KEYS: usize = 2_000;

/// Instants closer than this are asked for together.
const TOGETHER_MS: i64 = DAY_MS;

/// Some keys of the list.
#[derive(Debug)]
pub(crate) struct Erased {
    keys: Vec<Key>,
    /// Instants whose values only the server has.
    pub(crate) unknown: Vec<(Series, BTreeSet<i64>)>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    datastream: u32,
    observed_at: i64,
    until: i64,
}

/// The next keys of the list; `None` at its end.
pub(crate) fn next(connection: &Connection) -> Result<Option<Erased>, StoreError> {
    let mut list = connection.prepare_cached(
        "SELECT datastream, observed_at, until FROM erased ORDER BY datastream, observed_at LIMIT ?1",
    )?;
    let found = list.query_map([i64::try_from(KEYS).unwrap_or(i64::MAX)], |row| {
        Ok(Key { datastream: row.get(0)?, observed_at: row.get(1)?, until: row.get(2)? })
    })?;
    let keys = found.collect::<Result<Vec<_>, _>>()?;
    let mut unknown = Vec::new();
    let close =
        |a: &Key, b: &Key| a.datastream == b.datastream && b.observed_at.saturating_sub(a.observed_at) < TOGETHER_MS;
    for run in keys.chunk_by(close) {
        let Some(first) = run.first() else { continue };
        let Some(series) = series::series(connection, DatastreamId::new(first.datastream))? else { continue };
        let below = run.iter().map(|key| key.observed_at).filter(|&at| at < series.floor);
        let below: BTreeSet<i64> = below.collect();
        if !below.is_empty() {
            unknown.push((series, below));
        }
    }
    Ok((!keys.is_empty()).then_some(Erased { keys, unknown }))
}

/// Brings the numbers back of those keys that have none now, and takes the keys off the list: one transaction. Gives the
/// lines for the server, where there are any.
pub(crate) fn bring_back(
    connection: &mut Connection,
    Erased { keys, .. }: &Erased,
    loaded: &[StoredObservation],
) -> Result<Option<Pending>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    values::add_values(&transaction, loaded)?;
    let (mut body, mut numbers) = (String::new(), 0_usize);
    for of in keys.chunk_by(|a, b| a.datastream == b.datastream) {
        let Some(&Key { datastream, .. }) = of.first() else { continue };
        let series = series::series(&transaction, DatastreamId::new(datastream))?;
        let name = series.and_then(|series| series_key(&series.station, &series.parameter).ok());
        for key in of {
            let versions = Versions::read(&transaction, key)?;
            if let Some((name, Versions { missing, number })) = name.as_ref().zip(versions) {
                let back = StoredObservation { revision: missing.revision.saturating_add(1), ..number };
                if let Err(unfit) = encode(name, &back, back.increment.is_some(), &mut body) {
                    tracing::warn!(datastream, observed_at = key.observed_at, %unfit, "a number stays replaced");
                    continue;
                }
                keep(&transaction, key, missing, back)?;
                numbers += 1;
            }
        }
        series::prune(&transaction, datastream)?;
    }
    let mut done = transaction.prepare_cached("DELETE FROM erased WHERE datastream = ?1 AND observed_at = ?2")?;
    for key in keys {
        done.execute((key.datastream, key.observed_at))?;
    }
    drop(done);
    let receipt = WriteReceipt { counts: StoreCounts::default(), cursor: read_cursor(&transaction)? };
    let pending = if numbers == 0 { None } else { Some(put_pending(&transaction, receipt, body)?) };
    transaction.commit()?;
    if numbers != 0 {
        tracing::info!(numbers, "numbers that a missing value had replaced are back");
    }
    Ok(pending)
}

/// A missing value and the last number that it replaced.
struct Versions {
    missing: StoredObservation,
    number: StoredObservation,
}

impl Versions {
    /// `None` where the current value is a number, or nowhere.
    fn read(transaction: &Transaction<'_>, key: &Key) -> Result<Option<Self>, StoreError> {
        let mut current = transaction
            .prepare_cached(&format!("SELECT {COLUMNS} FROM recent WHERE datastream = ?1 AND observed_at = ?2"))?;
        let mut number = transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM superseded WHERE datastream = ?1 AND observed_at = ?2 AND value IS NOT NULL
             ORDER BY revision DESC LIMIT 1"
        ))?;
        let key = (key.datastream, key.observed_at);
        let missing = current.query_row(key, RawRow::read).optional()?.and_then(|row| row.accept());
        let number = number.query_row(key, RawRow::read).optional()?.and_then(|row| row.accept());
        let missing = missing.filter(|row| row.observation.value.is_none());
        Ok(missing.zip(number).map(|(missing, number)| Self { missing, number }))
    }
}

/// The missing value becomes a replaced version, the number the current one.
fn keep(
    transaction: &Transaction<'_>,
    key: &Key,
    missing: StoredObservation,
    back: StoredObservation,
) -> Result<(), StoreError> {
    let StoredObservation { observation, revision, tests, increment } = missing;
    let received = observation.received_at.max(back.observation.received_at);
    let recorded_at = UtcMillis::new(key.until).max(received.saturating_add(1));
    let replaced = Superseded { observation, revision, tests, increment, recorded_at };
    versions::put_versions(transaction, &[replaced], &[])?;
    values::put_values(transaction, &[back])?;
    hours::mark_inexact(transaction, key.datastream, key.observed_at)
}
