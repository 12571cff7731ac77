//! Verdicts of quality control for a group that is about to be written.
//!
//! Values newer than everything stored of their datastream continue a [`Stream`]: a few dozen nanoseconds each. Late
//! values and corrections are rare and are judged again together with the stored values around them. Either way the
//! verdicts of a group are written with it, and every state here can be made again from the store: a crash loses nothing,
//! and after any order of arrival the store says what judging its whole history would say.

mod counting;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_model::{Batch, DatastreamId, QualityLimits, TestResults, UtcMillis};
use bakau_quality::{Judgement, Margin, Revision, Sample, Stream, margin};
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation, Verdict};

use self::counting::Counting;
use crate::metrics;

/// Stored values read to judge one run of late values again: two days at one value per second. Beyond it (no sensor of
/// an environment sends that) the run is judged by itself, so that one datastream cannot hold up all others.
const MAX_AROUND: usize = 200_000;

/// State of one datastream.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    /// The greatest `observed_at` that is stored.
    newest: Option<UtcMillis>,
    /// The state behind that value, and the limits that made it; made from the store when first needed.
    state: Option<(QualityLimits, Stream)>,
}

/// The value that a key has once the group is written.
#[derive(Debug, Clone, Copy)]
struct Fresh {
    at: UtcMillis,
    value: Option<f64>,
    received_at: UtcMillis,
    /// Whether the group has another number of the same key before it, so that it is news whatever is stored.
    replaces: bool,
}

impl Fresh {
    /// Whether it replaces what is stored; a missing value replaces no number.
    fn is_news(&self, stored: Option<f64>) -> bool {
        self.replaces || self.value.is_some() && !self.repeats(stored)
    }

    /// Whether it says what is known already: then the store keeps the one that came first, with its time of arrival.
    fn repeats(&self, known: Option<f64>) -> bool {
        self.value.map(f64::to_bits) == known.map(f64::to_bits)
    }
}

/// Judges group after group.
#[derive(Debug, Default)]
pub(super) struct Judge {
    tracks: HashMap<DatastreamId, Track>,
}

impl Judge {
    /// Knows how far every datastream of the store is.
    pub(super) async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let newest = |row: &StoredObservation| {
            let track = Track { newest: Some(row.observation.observed_at), state: None };
            (row.observation.datastream, track)
        };
        Ok(Self { tracks: store.latest().await?.iter().map(newest).collect() })
    }

    /// The verdicts to write together with a group: those of its values, and of stored values that it changes.
    ///
    /// The group counts as written afterwards; when writing fails, a new judge has to be loaded.
    pub(super) async fn group(
        &mut self,
        store: &dyn Store,
        limits: &(dyn Fn(DatastreamId) -> QualityLimits + Sync),
        group: &[Arc<Batch>],
    ) -> Result<Vec<Verdict>, StoreError> {
        let fresh = by_key(group);
        let mut verdicts = Vec::with_capacity(fresh.len());
        for values in fresh.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(datastream, first)) = values.first() else { continue };
            let limits = limits(datastream);
            let track = self.tracks.entry(datastream).or_default();
            let state = track.state.as_mut().filter(|(of, _)| *of == limits);
            match state {
                Some((_, stream)) if track.newest < Some(first.at) => onwards(stream, &limits, values, &mut verdicts),
                Some(_) | None if limits == QualityLimits::default() => track.state = None,
                Some(_) | None if limits.counter.is_some() => {
                    let counting = Counting { store, limits: &limits, datastream };
                    counting.judge(track, values, &mut verdicts).await?;
                }
                Some(_) | None => {
                    let around = Around { store, limits: &limits, datastream };
                    around.judge(track, values, &mut verdicts).await?;
                }
            }
            track.newest = track.newest.max(values.last().map(|(_, fresh)| fresh.at));
        }
        Ok(verdicts)
    }
}

/// What each key has once the group is written, as far as the group tells, in order of keys: the last number, or a
/// missing value where there is no number.
fn by_key(group: &[Arc<Batch>]) -> Vec<(DatastreamId, Fresh)> {
    let size = group.iter().map(|batch| batch.observations.len()).sum();
    let mut fresh: Vec<(DatastreamId, Fresh)> = Vec::with_capacity(size);
    for sourced in group.iter().flat_map(|batch| &batch.observations) {
        let observation = &sourced.observation;
        let (at, received_at) = (observation.observed_at, observation.received_at);
        let value = observation.value.filter(|value| value.is_finite());
        fresh.push((observation.datastream, Fresh { at, value, received_at, replaces: false }));
    }
    // Stable, so that of one key the last number in spool order stays; that one wins in the store.
    fresh.sort_by_key(|(datastream, fresh)| (*datastream, fresh.at));
    fresh.dedup_by(|later, kept| {
        let same = (later.0, later.1.at) == (kept.0, kept.1.at);
        if same && later.1.value.is_some() && !later.1.repeats(kept.1.value) {
            *kept = (later.0, Fresh { replaces: kept.1.value.is_some(), ..later.1 });
        }
        same
    });
    fresh
}

/// Judges values that are newer than all stored ones.
fn onwards(stream: &mut Stream, limits: &QualityLimits, values: &[(DatastreamId, Fresh)], out: &mut Vec<Verdict>) {
    let start = out.len();
    for &(datastream, Fresh { at, value, received_at, .. }) in values {
        let Judgement { results, increment, revises } = stream.judge(limits, Sample { at, value, received_at });
        let verdict = |observed_at, tests, increment| Verdict {
            datastream,
            observed_at,
            tests,
            increment,
            recorded_at: received_at,
        };
        if let Some(Revision { at, results, increment }) = revises {
            match out[start..].binary_search_by_key(&at, |verdict| verdict.observed_at) {
                Ok(index) => (out[start + index].tests, out[start + index].increment) = (results, increment),
                // It is older than every value of the group.
                Err(_) => out.insert(start, verdict(at, results, increment)),
            }
        }
        // A missing value has no verdict.
        if value.is_some() {
            out.push(verdict(at, results, increment));
        }
    }
}

/// Judges again what late, corrected and first values of one datastream touch.
struct Around<'a> {
    store: &'a dyn Store,
    limits: &'a QualityLimits,
    datastream: DatastreamId,
}

impl Around<'_> {
    async fn judge(
        &self,
        track: &mut Track,
        values: &[(DatastreamId, Fresh)],
        out: &mut Vec<Verdict>,
    ) -> Result<(), StoreError> {
        let reach = margin(self.limits).to_resume();
        let kept = track.state.take().filter(|(of, _)| of == self.limits);
        // Values further apart than twice the reach have nothing to do with each other.
        let mut state = kept;
        for run in values.chunk_by(|(_, a), (_, b)| b.at.since(a.at) <= reach.saturating_mul(2)) {
            let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { continue };
            let (from, to) = (first.at.saturating_add(-reach), last.at.saturating_add(reach));
            let stored = self.read(from, to).await?;
            let crowded = stored.is_none();
            let stream = self.again(run, &stored.unwrap_or_default(), out);
            if track.newest.max(Some(last.at)) <= Some(to) {
                state = (!crowded).then_some((*self.limits, stream));
            }
        }
        track.state = state;
        Ok(())
    }

    /// Stored values of a range, both ends inclusive; `None` when there are more than anybody needs.
    async fn read(&self, from: UtcMillis, to: UtcMillis) -> Result<Option<Vec<StoredObservation>>, StoreError> {
        let to = to.saturating_add(1);
        let (datastream, limit) = (self.datastream, MAX_AROUND);
        let query = RangeQuery { datastream, from, to, after: None, limit, newest_first: false };
        let stored = self.store.observations(&query).await?;
        if stored.len() < MAX_AROUND {
            return Ok(Some(stored));
        }
        crowded(datastream, from, to);
        Ok(None)
    }

    /// Judges the run among the stored values and returns the state behind all of them.
    fn again(&self, run: &[(DatastreamId, Fresh)], stored: &[StoredObservation], out: &mut Vec<Verdict>) -> Stream {
        let mut series: BTreeMap<UtcMillis, Judged> = stored.iter().map(Judged::stored).collect();
        for (_, fresh) in run {
            let known = series.get(&fresh.at);
            if fresh.value.is_none() && known.is_some_and(|known| known.value.is_some()) {
                // A missing value replaces no number, here as in the store.
                continue;
            }
            let known = known.filter(|known| !fresh.replaces && fresh.repeats(known.value));
            let received_at = known.map_or(fresh.received_at, |known| known.received_at);
            series.insert(fresh.at, Judged { received_at, ..Judged::fresh(fresh) });
        }
        let mut stream = Stream::new();
        let mut revisions = Vec::new();
        for (&at, judged) in &mut series {
            let Judgement { results, revises, .. } =
                stream.judge(self.limits, Sample { at, value: judged.value, received_at: judged.received_at });
            judged.results = results;
            revisions.extend(revises);
        }
        for Revision { at, results, .. } in revisions {
            if let Some(judged) = series.get_mut(&at) {
                judged.results = results;
            }
        }
        let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return stream };
        let Margin { before, after } = margin(self.limits);
        // Further out a verdict cannot have changed, and not all that matters for it was read.
        let touched = first.at.saturating_add(-after)..=last.at.saturating_add(before);
        let recorded_at = run.iter().map(|(_, fresh)| fresh.received_at).max().unwrap_or(first.received_at);
        for (&observed_at, judged) in series.range(touched) {
            // A missing value has no verdict.
            if judged.value.is_some() && judged.held != Some(judged.results) {
                let recorded_at = if judged.held.is_none() { judged.received_at } else { recorded_at };
                let (datastream, tests) = (self.datastream, judged.results);
                out.push(Verdict { datastream, observed_at, tests, increment: None, recorded_at });
            }
        }
        stream
    }
}

/// Counts and logs a range that holds more values than are read.
fn crowded(datastream: DatastreamId, from: UtcMillis, to: UtcMillis) {
    metrics::crowded_range();
    tracing::warn!(datastream = datastream.get(), %from, %to, "too many values to judge late ones among them");
}

/// A value among those judged again.
struct Judged {
    value: Option<f64>,
    results: TestResults,
    /// The stored value; `None` for a value of the group.
    held: Option<TestResults>,
    received_at: UtcMillis,
}

impl Judged {
    fn stored(row: &StoredObservation) -> (UtcMillis, Self) {
        let (value, held) = (row.observation.value, Some(row.tests));
        let received_at = row.observation.received_at;
        (row.observation.observed_at, Self { value, results: TestResults::NONE, held, received_at })
    }

    fn fresh(&Fresh { value, received_at, .. }: &Fresh) -> Self {
        Self { value, results: TestResults::NONE, held: None, received_at }
    }
}

#[cfg(test)]
mod tests;
