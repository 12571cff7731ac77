//! Carries observations from the spool to the store: cursor A.
//!
//! The spool makes a reading durable, so the store may write late and in big groups, which costs a fraction of the
//! processor time of small ones. A slow or dead store delays nobody else; nothing is dropped while it is away. Quality
//! control happens here, so that values and verdicts are one commit.

mod verdicts;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_clock::Clock;
use bakau_model::{Batch, Seq};
use bakau_registry::Snapshot;
use bakau_spool::{Consumer, SpoolReader};
use bakau_store::{Store, StoreError, StoreErrorKind, WriteReceipt, pause};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::verdicts::Judge;
use crate::{StoreBoard, limits::limits_of, metrics};

/// Observations written together at most: sorted groups of this size cost least (measured, see architecture).
const GROUP_OBSERVATIONS: usize = 100_000;

/// With this many waiting the next write starts at once.
const HURRY_OBSERVATIONS: usize = 50_000;

/// Shortest time between two writes while observations keep coming.
const GROUP_INTERVAL: Duration = Duration::from_millis(250);

/// Writes what is in the spool to the store, from the store's own cursor on, until stopped.
///
/// When stopped it writes once more what is in the spool by then, if the store takes it.
pub async fn run_writer(
    store: Arc<dyn Store>,
    spool: SpoolReader,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    (board, clock): (StoreBoard, Arc<dyn Clock>),
    stop: CancellationToken,
) {
    let mut writer = Writer::new(store, spool, snapshots, (board, clock));
    if writer.find_cursor(&stop).await {
        writer.follow(&stop).await;
    }
}

struct Writer {
    store: Arc<dyn Store>,
    spool: SpoolReader,
    arrivals: watch::Receiver<Seq>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    board: StoreBoard,
    clock: Arc<dyn Clock>,
    cursor: Seq,
    /// State of quality control, valid for what was written; `None` after a failure, when that is unknown.
    judge: Option<Judge>,
    failing: bool,
    /// Failures in a row, and the pause behind the last one.
    failures: u32,
    pause: Duration,
}

impl Writer {
    fn new(
        store: Arc<dyn Store>,
        spool: SpoolReader,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        (board, clock): (StoreBoard, Arc<dyn Clock>),
    ) -> Self {
        Self {
            store,
            arrivals: spool.watch(),
            spool,
            snapshots,
            board,
            clock,
            cursor: Seq::START,
            judge: None,
            failing: false,
            failures: 0,
            pause: Duration::ZERO,
        }
    }

    /// Reads the cursor of the store, until it answers; false when stopped before.
    async fn find_cursor(&mut self, stop: &CancellationToken) -> bool {
        loop {
            match self.store.cursor().await {
                Ok(cursor) => {
                    self.cursor = cursor;
                    self.spool.report(Consumer::Store, cursor);
                    return true;
                }
                Err(error) => self.failed(&error),
            }
            if !self.rest(stop).await {
                return false;
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) {
        let mut last_write = None;
        let mut waiting = Waiting::default();
        loop {
            let newest = *self.arrivals.borrow_and_update();
            let behind = waiting.behind(newest, self.cursor, Instant::now());
            metrics::store_lag(newest.get().saturating_sub(self.cursor.get()), behind.as_secs_f64());
            if newest <= self.cursor {
                tokio::select! {
                    () = stop.cancelled() => return,
                    // The spool is gone: nothing will come any more.
                    changed = self.arrivals.changed() => if changed.is_err() { return },
                }
                continue;
            }
            let stopping = stop.is_cancelled();
            let written = match self.next_group(last_write, stop).await {
                Some(group) if !group.is_empty() => self.write(&group).await,
                Some(_) => {
                    self.failed(&StoreError::new(
                        StoreErrorKind::Unavailable,
                        "spool reported a batch but returned none",
                    ));
                    false
                }
                None => false,
            };
            if written {
                last_write = Some(Instant::now());
            } else if stopping || !self.rest(stop).await {
                return;
            }
        }
    }

    /// Reads what waits; lets it grow while the last write was short ago, unless there is enough for a group already.
    async fn next_group(&mut self, last_write: Option<Instant>, stop: &CancellationToken) -> Option<Vec<Arc<Batch>>> {
        let due = last_write.map(|at| tokio::time::Instant::from_std(at + GROUP_INTERVAL));
        // Half of the interval, then a look: a flood does not wait for the end of it.
        let steps = due.map(|due| [due - GROUP_INTERVAL / 2, due]);
        for step in steps.iter().flatten() {
            let group = self.read().await?;
            if HURRY_OBSERVATIONS <= observations(&group) {
                return Some(group);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(*step) => {}
            }
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Vec<Arc<Batch>>> {
        let (spool, cursor) = (self.spool.clone(), self.cursor);
        // Reading may go to the disk.
        match tokio::task::spawn_blocking(move || spool.read_after(cursor, GROUP_OBSERVATIONS)).await {
            Ok(Ok(batches)) => return Some(batches),
            Ok(Err(error)) => self.failed(&StoreError::new(StoreErrorKind::Unavailable, error)),
            Err(error) => self.failed(&StoreError::new(StoreErrorKind::Unavailable, error)),
        }
        None
    }

    /// Writes a group; false when that failed.
    async fn write(&mut self, group: &[Arc<Batch>]) -> bool {
        match self.judge_and_write(group).await {
            Ok(receipt) => {
                self.succeeded();
                self.cursor = receipt.cursor;
                self.spool.report(Consumer::Store, receipt.cursor);
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    async fn judge_and_write(&mut self, group: &[Arc<Batch>]) -> Result<WriteReceipt, StoreError> {
        let mut judge = match self.judge.take() {
            Some(judge) => judge,
            None => Judge::load(&*self.store).await?,
        };
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let limits = |datastream| limits_of(&snapshot, datastream);
        let verdicts = judge.group(&*self.store, &limits, group).await?;
        let receipt = self.store.write(group, verdicts).await?;
        self.judge = Some(judge);
        Ok(receipt)
    }

    fn succeeded(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(cursor = self.cursor.get(), "store takes observations again");
        }
        self.failures = 0;
        self.board.succeeded(self.clock.now());
    }

    fn failed(&mut self, error: &StoreError) {
        self.board.failed(error, self.clock.now());
        self.failures = self.failures.saturating_add(1);
        self.pause = pause(error, self.failures, rand::random());
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, cursor = self.cursor.get(), "store takes no observations; they wait in the spool");
        }
    }

    /// Waits before the next attempt; false when stopped meanwhile.
    async fn rest(&mut self, stop: &CancellationToken) -> bool {
        let pause = self.pause;
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}

/// When batches that are not in the store yet were first seen: under a steady load the store is never level with the
/// spool, and still only as late as the oldest batch it lacks.
#[derive(Debug, Default)]
struct Waiting(VecDeque<(Seq, Instant)>);

impl Waiting {
    /// Marks kept; while more wait, the oldest still tells how late the store is.
    const MAX_MARKS: usize = 4_096;

    /// Age of the oldest batch above `cursor`; `newest` is the last one in the spool.
    fn behind(&mut self, newest: Seq, cursor: Seq, now: Instant) -> Duration {
        while self.0.front().is_some_and(|(seq, _)| *seq <= cursor) {
            self.0.pop_front();
        }
        let is_new = cursor < newest && self.0.back().is_none_or(|(seq, _)| *seq < newest);
        if is_new && self.0.len() < Self::MAX_MARKS {
            self.0.push_back((newest, now));
        }
        self.0.front().map_or(Duration::ZERO, |(_, seen)| now.saturating_duration_since(*seen))
    }
}

fn observations(batches: &[Arc<Batch>]) -> usize {
    batches.iter().map(|batch| batch.observations.len()).sum()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
