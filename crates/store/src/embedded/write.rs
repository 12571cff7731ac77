//! One write: a sorted group in one transaction, with ledger and cursor.

use std::sync::Arc;

use bakau_model::{Batch, Flag, Observation, Seq, SourceName, UtcMillis};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{StoreCounts, StoreError, StoreErrorKind, WriteReceipt};

/// Writes the batches above the cursor; all or nothing.
pub(super) fn write(connection: &mut Connection, batches: &[Arc<Batch>]) -> Result<WriteReceipt, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = read_cursor(&transaction)?;
    let mut group = Group::collect(batches, before);
    if group.cursor == before {
        return Ok(WriteReceipt { counts: StoreCounts::default(), cursor: before });
    }
    write_rows(&transaction, &mut group)?;
    let mut counts = StoreCounts::default();
    for line in &group.lines {
        counts += line.counts;
    }
    add_to_ledger(&transaction, &group.lines)?;
    let seq = i64::try_from(group.cursor.get())
        .map_err(|_| StoreError::new(StoreErrorKind::Other, "the batch number is beyond 63 bits"))?;
    transaction.prepare_cached("UPDATE cursor SET seq = ?1 WHERE id = 1")?.execute([seq])?;
    transaction.commit()?;
    Ok(WriteReceipt { counts, cursor: group.cursor })
}

/// The cursor as stored.
pub(super) fn read_cursor(connection: &Connection) -> Result<Seq, StoreError> {
    let seq: Option<i64> =
        connection.prepare_cached("SELECT seq FROM cursor WHERE id = 1")?.query_row([], |row| row.get(0)).optional()?;
    let seq = seq.and_then(|seq| u64::try_from(seq).ok());
    seq.map(Seq::new).ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "the cursor is missing or negative"))
}

/// Counts of one ledger line within a group.
struct Line<'a> {
    minute: UtcMillis,
    source: &'a SourceName,
    counts: StoreCounts,
}

/// The observations above the cursor, each with its ledger line, and the order to write them in.
struct Group<'a> {
    rows: Vec<(&'a Observation, usize)>,
    /// (datastream, `observed_at`, index into `rows`): sorted, so that arrival order is kept inside a key.
    order: Vec<(u32, i64, usize)>,
    lines: Vec<Line<'a>>,
    cursor: Seq,
}

impl<'a> Group<'a> {
    fn collect(batches: &'a [Arc<Batch>], before: Seq) -> Self {
        let size = batches.iter().map(|batch| batch.observations.len()).sum();
        let (rows, order) = (Vec::with_capacity(size), Vec::with_capacity(size));
        let mut group = Self { rows, order, lines: Vec::new(), cursor: before };
        for batch in batches {
            if batch.seq <= group.cursor {
                continue;
            }
            if group.cursor.get() + 1 != batch.seq.get() {
                tracing::warn!(after = %group.cursor, next = %batch.seq, "spool batches missing before write");
            }
            group.cursor = batch.seq;
            group.take(batch);
        }
        group.order.sort_unstable();
        group
    }

    fn take(&mut self, batch: &'a Batch) {
        let mut line = 0;
        for sourced in &batch.observations {
            let observation = &sourced.observation;
            // The spool makes the index; a wrong one must not stop the line, and the first source is the likely one.
            let named = batch.sources.get(usize::from(sourced.source)).or_else(|| batch.sources.first());
            let Some(source) = named else {
                tracing::error!(seq = %batch.seq, "batch without sources left out");
                return;
            };
            let minute = observation.received_at.minute();
            let fits = |line: &Line<'_>| line.minute == minute && line.source == source;
            if !self.lines.get(line).is_some_and(fits) {
                line = self.lines.iter().position(fits).unwrap_or_else(|| {
                    self.lines.push(Line { minute, source, counts: StoreCounts::default() });
                    self.lines.len() - 1
                });
            }
            self.order.push((observation.datastream.get(), observation.observed_at.get(), self.rows.len()));
            self.rows.push((observation, line));
        }
    }
}

enum Outcome {
    Stored,
    Duplicate,
    Corrected,
}

fn write_rows(transaction: &Transaction<'_>, group: &mut Group<'_>) -> Result<(), StoreError> {
    let mut table = Table::prepare(transaction)?;
    for &(_, _, index) in &group.order {
        let (observation, line) = group.rows[index];
        let counts = &mut group.lines[line].counts;
        match table.put(observation)? {
            Outcome::Stored => counts.stored += 1,
            Outcome::Duplicate => counts.duplicate += 1,
            Outcome::Corrected => counts.corrected += 1,
        }
    }
    Ok(())
}

fn add_to_ledger(transaction: &Transaction<'_>, lines: &[Line<'_>]) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO ledger (minute, source, stored, duplicate, corrected) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (minute, source) DO UPDATE SET stored = stored + excluded.stored,
         duplicate = duplicate + excluded.duplicate, corrected = corrected + excluded.corrected",
    )?;
    for Line { minute, source, counts } in lines {
        let as_stored = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let (stored, duplicate) = (as_stored(counts.stored), as_stored(counts.duplicate));
        add.execute(params![minute.get(), source.as_str(), stored, duplicate, as_stored(counts.corrected)])?;
    }
    Ok(())
}

/// The statements of one group. A new key takes one statement; only a known key takes the others.
struct Table<'t> {
    insert: CachedStatement<'t>,
    find: CachedStatement<'t>,
    keep_old: CachedStatement<'t>,
    replace: CachedStatement<'t>,
}

impl<'t> Table<'t> {
    fn prepare(transaction: &'t Transaction<'_>) -> Result<Self, StoreError> {
        let insert = transaction.prepare_cached(
            "INSERT INTO recent (datastream, observed_at, value, flag, deployment, time_source, received_at, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) ON CONFLICT DO NOTHING",
        )?;
        let find = transaction.prepare_cached("SELECT value FROM recent WHERE datastream = ?1 AND observed_at = ?2")?;
        let keep_old = transaction.prepare_cached(
            "INSERT INTO superseded (datastream, observed_at, revision, value, flag, deployment, time_source,
             received_at, recorded_at)
             SELECT datastream, observed_at, revision, value, flag, deployment, time_source, received_at, ?3
             FROM recent WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        let replace = transaction.prepare_cached(
            "UPDATE recent SET value = ?3, flag = ?4, deployment = ?5, time_source = ?6, received_at = ?7,
             revision = revision + 1 WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        Ok(Self { insert, find, keep_old, replace })
    }

    fn put(&mut self, observation: &Observation) -> Result<Outcome, StoreError> {
        let (value, flag) = storable(observation);
        let datastream = observation.datastream.get();
        let observed_at = observation.observed_at.get();
        let rest = (observation.deployment.get(), observation.time_source.code(), observation.received_at.get());
        let inserted = self.insert.execute((datastream, observed_at, value, flag, rest.0, rest.1, rest.2))?;
        if inserted == 1 {
            return Ok(Outcome::Stored);
        }
        let held: Option<f64> = self.find.query_row((datastream, observed_at), |row| row.get(0))?;
        if held.map(f64::to_bits) == value.map(f64::to_bits) {
            return Ok(Outcome::Duplicate);
        }
        self.keep_old.execute((datastream, observed_at, rest.2))?;
        self.replace.execute((datastream, observed_at, value, flag, rest.0, rest.1, rest.2))?;
        Ok(Outcome::Corrected)
    }
}

/// The value as SQLite gives it back, and its flag's code.
///
/// SQLite keeps -0.0 as 0.0 and NaN as no value. Without the same change here, a repeated -0.0 would look like a
/// correction for ever; values that are no finite number never get here from a decoder.
fn storable(observation: &Observation) -> (Option<f64>, u8) {
    match observation.value {
        Some(value) if value.is_finite() => (Some(value + 0.0), observation.flag.code()),
        Some(_) | None => (None, Flag::Missing.code()),
    }
}
