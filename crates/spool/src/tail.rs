//! Batches that consumers in step read from memory instead of from the file.

use std::{collections::VecDeque, sync::Arc};

use bakau_model::{Batch, Seq, SourcedObservation, StationStatus};

/// Most bytes of batches held; a consumer further behind reads the file.
const TAIL_BYTES: usize = 32 << 20;

/// What a batch takes beside its observations: names, counters, list entries.
const BATCH_OVERHEAD_BYTES: usize = 256;

/// What a status takes: itself and the id of its station.
const STATUS_BYTES: usize = size_of::<StationStatus>() + 64;

/// Every batch after `floor`, oldest first.
#[derive(Debug)]
pub(crate) struct Tail {
    floor: Seq,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    limit: usize,
}

impl Tail {
    /// A tail that holds what comes after `floor`.
    pub(crate) const fn new(floor: Seq) -> Self {
        Self { floor, batches: VecDeque::new(), bytes: 0, limit: TAIL_BYTES }
    }

    #[cfg(test)]
    pub(crate) const fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    pub(crate) fn push(&mut self, batch: Arc<Batch>) {
        self.bytes += size_of_batch(&batch);
        self.batches.push_back(batch);
        while self.limit < self.bytes && self.drop_oldest() {}
    }

    /// Drops what every consumer has consumed.
    pub(crate) fn forget_through(&mut self, seq: Seq) {
        while self.batches.front().is_some_and(|oldest| oldest.seq <= seq) {
            self.drop_oldest();
        }
    }

    /// Batches after `seq`, or `None` when the file has to be asked.
    pub(crate) fn after(&self, seq: Seq, max_observations: usize, max_batches: usize) -> Option<Vec<Arc<Batch>>> {
        if seq < self.floor {
            return None;
        }
        let from = self.batches.partition_point(|batch| batch.seq <= seq);
        let mut observations = 0_usize;
        let mut found = Vec::new();
        for batch in self.batches.iter().skip(from).take(max_batches) {
            observations = observations.saturating_add(batch.observations.len());
            if max_observations < observations && !found.is_empty() {
                break;
            }
            found.push(Arc::clone(batch));
        }
        Some(found)
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.batches.pop_front() else { return false };
        self.bytes -= size_of_batch(&oldest);
        self.floor = oldest.seq;
        true
    }
}

fn size_of_batch(batch: &Batch) -> usize {
    BATCH_OVERHEAD_BYTES
        + batch.observations.len() * size_of::<SourcedObservation>()
        + batch.statuses.len() * STATUS_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(seq: u64) -> Arc<Batch> {
        let (sources, observations, statuses) = (Vec::new(), Vec::new(), Vec::new());
        Arc::new(Batch { seq: Seq::new(seq), registry_revision: 0, sources, observations, statuses })
    }

    fn seqs(found: &[Arc<Batch>]) -> Vec<u64> {
        found.iter().map(|batch| batch.seq.get()).collect()
    }

    #[test]
    fn a_reader_behind_the_bound_is_sent_to_the_file() {
        let mut tail = Tail::new(Seq::START);
        tail.set_limit(3 * BATCH_OVERHEAD_BYTES);
        (1..=5).for_each(|seq| tail.push(batch(seq)));
        assert!(tail.after(Seq::new(1), 10, 10).is_none());
        assert_eq!(seqs(&tail.after(Seq::new(2), 10, 10).unwrap()), [3, 4, 5]);
        assert_eq!(seqs(&tail.after(Seq::new(5), 10, 10).unwrap()), [0_u64; 0]);
    }

    #[test]
    fn consumed_batches_leave_memory() {
        let mut tail = Tail::new(Seq::START);
        (1..=5).for_each(|seq| tail.push(batch(seq)));
        tail.forget_through(Seq::new(4));
        assert_eq!(tail.bytes, BATCH_OVERHEAD_BYTES);
        assert!(tail.after(Seq::new(3), 10, 10).is_none());
        assert_eq!(seqs(&tail.after(Seq::new(4), 10, 10).unwrap()), [5]);
    }
}
