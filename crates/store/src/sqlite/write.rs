//! The values of a write in the order of their keys, each counted in its line of the ledger.

use std::sync::Arc;

use bakau_model::{Batch, Observation, Seq, SourceName, UtcMillis};
use rusqlite::Transaction;

use super::merge::{Outcome, Table, storable};
use crate::{StoreCounts, StoreError, StoredObservation, Verdict};

/// Counts of one ledger line within a group.
pub(crate) struct Line<'a> {
    pub(crate) minute: UtcMillis,
    pub(crate) source: &'a SourceName,
    pub(crate) counts: StoreCounts,
}

/// The observations above the cursor, each with its ledger line, and the order to write them in.
pub(crate) struct Group<'a> {
    pub(crate) rows: Vec<(&'a Observation, usize)>,
    /// (datastream, `observed_at`, index into `rows`): sorted, so that arrival order is kept inside a key.
    pub(crate) order: Vec<(u32, i64, usize)>,
    pub(crate) lines: Vec<Line<'a>>,
    pub(crate) cursor: Seq,
}

impl<'a> Group<'a> {
    pub(crate) fn collect(batches: &'a [Arc<Batch>], before: Seq) -> Self {
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

    /// Outcomes of all lines together.
    pub(crate) fn counts(&self) -> StoreCounts {
        let mut counts = StoreCounts::default();
        for line in &self.lines {
            counts += line.counts;
        }
        counts
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

pub(crate) const fn verdict_key(verdict: &Verdict) -> (u32, i64) {
    (verdict.datastream.get(), verdict.observed_at.get())
}

/// Rows and verdicts side by side, both in order of their keys, so that each page is touched once.
///
/// `fresh` is told each new key with its row, and whether that is the last word of this write about it.
pub(crate) fn write_rows(
    transaction: &Transaction<'_>,
    group: &mut Group<'_>,
    verdicts: &[Verdict],
    fresh: &mut dyn FnMut(StoredObservation, bool),
) -> Result<(), StoreError> {
    let mut table = Table::prepare(transaction)?;
    let Group { rows, order, lines, .. } = group;
    let mut verdicts = verdicts.iter().peekable();
    for values in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some(&(datastream, observed_at, _)) = values.last() else { continue };
        while let Some(earlier) = verdicts.next_if(|verdict| verdict_key(verdict) < (datastream, observed_at)) {
            table.judge(earlier)?;
        }
        let verdict = verdicts.next_if(|verdict| verdict_key(verdict) == (datastream, observed_at));
        let stays = stays(values, rows);
        for (place, &(_, _, index)) in values.iter().enumerate() {
            let (observation, line) = rows[index];
            // The verdict is about the number that stays; what it replaces within this write never had one. Without a
            // number here it is about the one that is stored.
            let verdict = verdict.filter(|_| stays.is_none_or(|from| from <= place && number(observation).is_some()));
            let counts = &mut lines[line].counts;
            match table.put(observation, verdict)? {
                Outcome::Stored(row) => {
                    counts.stored += 1;
                    fresh(row, values.len() == 1);
                }
                Outcome::Duplicate => counts.duplicate += 1,
                Outcome::Corrected => counts.corrected += 1,
                Outcome::IgnoredMissing => counts.ignored_missing += 1,
            }
        }
    }
    verdicts.try_for_each(|verdict| table.judge(verdict))
}

/// From which place on the numbers of one key are the one that stays; `None` when all of its values are missing.
fn stays(values: &[(u32, i64, usize)], rows: &[(&Observation, usize)]) -> Option<usize> {
    let number = |place: usize| number(rows[values[place].2].0);
    let last = (0..values.len()).rev().find(|&place| number(place).is_some())?;
    let replaced = (0..last).rev().find(|&place| number(place).is_some() && number(place) != number(last));
    Some(replaced.map_or(0, |replaced| replaced + 1))
}

/// The bits of a number as they are stored.
fn number(observation: &Observation) -> Option<u64> {
    storable(observation.value).map(f64::to_bits)
}
