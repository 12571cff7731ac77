//! State shared by the writer and its readers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bakau_model::{Batch, Seq};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{broadcast, watch};

use crate::{Consumer, tail::Tail};

/// Batches a live follower may be behind before it loses the oldest; each is at most a group, so memory stays small.
const LIVE_BATCHES: usize = 64;

/// Refused batches kept for a listener that is busy; what it misses is refused again within seconds, or spooled.
const REFUSED_BATCHES: usize = 16;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: std::path::PathBuf,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) last: watch::Sender<Seq>,
    pub(crate) live: broadcast::Sender<Arc<Batch>>,
    pub(crate) refused: broadcast::Sender<Arc<Batch>>,
    /// For consumers that are behind the tail.
    pub(crate) consumers: Mutex<Connection>,
    /// For pages and the API, so that a slow page never delays a consumer.
    pub(crate) pages: Mutex<Connection>,
    cursors: [AtomicU64; Consumer::ALL.len()],
}

impl Shared {
    pub(crate) fn new(path: &std::path::Path, last: Seq, consumers: Connection, pages: Connection) -> Self {
        Self {
            path: path.to_owned(),
            tail: Mutex::new(Tail::new(last)),
            last: watch::Sender::new(last),
            live: broadcast::Sender::new(LIVE_BATCHES),
            refused: broadcast::Sender::new(REFUSED_BATCHES),
            consumers: Mutex::new(consumers),
            pages: Mutex::new(pages),
            cursors: [const { AtomicU64::new(0) }; Consumer::ALL.len()],
        }
    }

    /// Makes a committed batch visible; the tail first, so that whoever is woken finds it there.
    pub(crate) fn publish(&self, batch: &Arc<Batch>) {
        self.tail.lock().push(Arc::clone(batch));
        self.last.send_replace(batch.seq);
        // Nobody listening is no failure.
        let _ = self.live.send(Arc::clone(batch));
    }

    pub(crate) fn last_seq(&self) -> Seq {
        *self.last.borrow()
    }

    pub(crate) fn cursor(&self, consumer: Consumer) -> Seq {
        Seq::new(self.cursors[consumer.index()].load(Ordering::Acquire))
    }

    /// Moves a cursor forward; durable cursors never move back.
    pub(crate) fn report(&self, consumer: Consumer, committed: Seq) {
        let last = self.last_seq();
        if last < committed && self.cursor(consumer) < committed {
            tracing::error!(
                consumer = consumer.key(),
                cursor = committed.get(),
                last = last.get(),
                "a consumer is ahead of the spool, whose end was lost; new batches continue after the consumer"
            );
        }
        self.cursors[consumer.index()].fetch_max(committed.get(), Ordering::AcqRel);
        self.tail.lock().forget_through(self.slowest());
    }

    /// The slowest cursor.
    pub(crate) fn slowest(&self) -> Seq {
        Consumer::ALL.map(|consumer| self.cursor(consumer)).into_iter().min().unwrap_or_default()
    }

    pub(crate) fn fastest(&self) -> Seq {
        Consumer::ALL.map(|consumer| self.cursor(consumer)).into_iter().max().unwrap_or_default()
    }
}
