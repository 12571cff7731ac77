//! Present values take over the verdicts of the store, once it has them.
//!
//! At arrival a value is judged in order of arrival. The store writer judges the same value among its neighbours in event
//! time, so the two can differ, but only where something came out of order (late, corrected, again, ahead of its time),
//! where limits changed in between, or where the store could not be read. The follower of the spool knows each of these
//! itself: it notes the datastream, and once the store has got so far it asks the store what it says of the present value,
//! and goes on judging from what the store holds before it. Values in order cost nothing, the writer need not know of
//! anybody, and there is no message that could be lost: what cannot be asked yet stays noted.
//!
//! Until then a value is shown as judged at arrival. The next value may come before the answer and be judged by a neighbour
//! that is no longer right; it then waits for the store like the one before it. A datastream that sends faster than the
//! store is written is asked about when it pauses.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use bakau_model::{DatastreamId, QualityLimits, Seq, UtcMillis};
use bakau_quality::{Flagger, Stream};
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation, stream_before};

use super::{LatestEntry, RETRY, everything};

/// Datastreams that the store is asked about between two announcements: what comes out of order everywhere at once (a
/// clock of our own that is behind) must not keep the store busy.
pub(super) const PER_TICK: usize = 256;

/// Stored values from which judging goes on: as many as the writer reads for the same late value at most.
const BEFORE: usize = 200_000;

/// Batches that the store must have before it can be asked about a datastream.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The batch that last touched the present value. Before that, the store speaks of another value.
    present: Seq,
    /// The first and the last batch with something that the store has not been asked about since.
    first: Seq,
    last: Seq,
}

/// The datastreams whose present value may be judged otherwise by the store.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    marks: BTreeMap<DatastreamId, Mark>,
    /// The last one that the store was asked about: the next turn begins behind it.
    asked: Option<DatastreamId>,
}

impl Unsettled {
    /// Something in this batch may make the store say otherwise.
    pub(super) fn note(&mut self, datastream: DatastreamId, seq: Seq) {
        let mark = self.marks.entry(datastream).or_insert(Mark { present: seq, first: seq, last: seq });
        mark.last = mark.last.max(seq);
    }

    /// This batch brought the present value.
    pub(super) fn touch(&mut self, datastream: DatastreamId, seq: Seq) {
        if !self.marks.is_empty()
            && let Some(mark) = self.marks.get_mut(&datastream)
        {
            mark.present = mark.present.max(seq);
        }
    }

    /// Datastreams to ask about now that the store is so far, at most [`PER_TICK`] of them, each in its turn.
    pub(super) fn ready(&mut self, cursor: Seq) -> Vec<DatastreamId> {
        let behind = self.asked.map_or(Unbounded, Excluded);
        let turn = self.marks.range((behind, Unbounded)).chain(self.marks.iter());
        let ready = turn.filter(|(_, mark)| mark.present.max(mark.first) <= cursor).map(|(datastream, _)| *datastream);
        let mut ready: Vec<_> = ready.take(PER_TICK).collect();
        self.asked = ready.last().copied();
        ready.sort_unstable();
        ready.dedup();
        ready
    }

    /// There is nothing to ask about.
    pub(super) fn forget(&mut self, datastream: DatastreamId) {
        self.marks.remove(&datastream);
    }

    /// The store, with everything up to the cursor, answered; false where the present value was touched since.
    fn answered(&mut self, datastream: DatastreamId, cursor: Seq) -> bool {
        let Some(mark) = self.marks.get_mut(&datastream).filter(|mark| mark.present <= cursor) else { return false };
        if mark.last <= cursor {
            self.marks.remove(&datastream);
        } else {
            // When the first of what came since came is not known any more; the last one will do.
            mark.first = mark.last;
        }
        true
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

/// A present value that the store is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) entry: LatestEntry,
    pub(super) limits: QualityLimits,
}

/// Answer of the store about a present value.
#[derive(Debug)]
struct Answer {
    question: Question,
    /// The state behind everything that is stored before it.
    before: Stream,
    /// The stored value of its instant.
    row: Option<StoredObservation>,
}

/// Answers of the store at a cursor.
#[derive(Debug)]
pub(super) struct Answers {
    cursor: Seq,
    answers: Vec<Answer>,
}

/// Asks the store, which has everything up to the cursor, until it fails; the rest is asked again later.
pub(super) async fn ask(store: Arc<dyn Store>, cursor: Seq, questions: Vec<Question>) -> Answers {
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        match ask_one(&*store, question).await {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                tracing::debug!(%error, "present values stay as judged at arrival while the store does not answer");
                tokio::time::sleep(RETRY).await;
                break;
            }
        }
    }
    Answers { cursor, answers }
}

async fn ask_one(store: &dyn Store, question: Question) -> Result<Answer, StoreError> {
    let observation = &question.entry.observation;
    let (datastream, at) = (observation.datastream, observation.observed_at);
    let before = stream_before(store, &question.limits, datastream, at, BEFORE).await?;
    let here = RangeQuery { from: at, to: at.saturating_add(1), ..everything(datastream) };
    let row = store.observations(&here).await?.pop();
    Ok(Answer { question, before, row })
}

impl Answers {
    /// Lets present values say what the store said, where they are still those that it was asked about; gives those that
    /// changed.
    pub(super) fn settle(
        self,
        entries: &mut BTreeMap<DatastreamId, LatestEntry>,
        unsettled: &mut Unsettled,
        flagger: &mut Flagger,
    ) -> Vec<DatastreamId> {
        let mut changed = Vec::new();
        for Answer { question: Question { entry: asked, limits }, before, row } in self.answers {
            let datastream = asked.observation.datastream;
            let Some(entry) = entries.get_mut(&datastream).filter(|entry| is_same(entry, &asked)) else { continue };
            if !unsettled.answered(datastream, self.cursor) {
                continue;
            }
            // A value that the store did not take has no verdict there.
            let row = row.filter(|row| row.observation.value == entry.observation.value);
            flagger.resume(datastream, before);
            // Of a value that came twice the store keeps the first time of arrival.
            flagger.judge(&limits, row.as_ref().map_or(&entry.observation, |row| &row.observation));
            let Some(row) = row else { continue };
            let said = (entry.observation.flag, entry.tests, entry.increment);
            if said != (row.observation.flag, row.tests, row.increment) {
                entry.observation.flag = row.observation.flag;
                (entry.tests, entry.increment) = (row.tests, row.increment);
                changed.push(datastream);
            }
        }
        changed
    }
}

/// Whether nothing arrived for the present value meanwhile.
fn is_same(now: &LatestEntry, then: &LatestEntry) -> bool {
    let key = |entry: &LatestEntry| -> (UtcMillis, UtcMillis, Option<u64>) {
        let observation = &entry.observation;
        (observation.observed_at, observation.received_at, observation.value.map(f64::to_bits))
    };
    key(now) == key(then)
}

#[cfg(test)]
mod tests;
