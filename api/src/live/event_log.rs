//! What happened lately, numbered, so that a client whose connection broke goes on where it was.
//!
//! The log starts with the first page or event stream: before that there is nobody who could come back. It remembers which values
//! changed, not the values: whoever comes back gets the newest. An id is `<start of the log>-<number>`; one from before a
//! restart of Bakau names nothing here.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{Arc, Once},
};

use bakau_alerts::{AlertView, Alerts};
use bakau_clock::Clock;
use bakau_ingest::LatestTable;
use bakau_model::{DatastreamId, StationId, StationStatus};
use bakau_registry::{Registry, Snapshot};
use parking_lot::Mutex;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use tokio_util::sync::CancellationToken;

/// Entries kept: 10 minutes at the pace in which changes are announced, and longer when it is quiet.
const MAX_ENTRIES: usize = 2_400;
/// Changed datastreams kept in all entries together, 4 bytes each.
const MAX_CHANGES: usize = 1_000_000;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) enum Happened {
    /// These datastreams have new values.
    Changed(Arc<[DatastreamId]>),
    /// An alert changed.
    Alert(Arc<AlertView>),
    /// A station's device left or came back.
    Station(StationStatus),
    /// What pages say of these stations changed; of any, where none is named.
    States(Arc<[StationId]>),
    /// More than the log could take: anything may have changed.
    Anything,
}

/// Up to where a client knows what happened; the id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    epoch: u64,
    number: u64,
}

impl Position {
    /// The last entry that is known.
    pub(crate) const fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.number)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, number) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self { epoch: u64::from_str_radix(epoch, 16)?, number: number.parse()? })
    }
}

#[derive(Debug, Default)]
struct Ring {
    epoch: u64,
    entries: VecDeque<Happened>,
    /// Number of the last entry; the first one has 1.
    last: u64,
    changes: usize,
}

impl Ring {
    fn push(&mut self, happened: Happened) {
        self.changes += changes_of(&happened);
        self.entries.push_back(happened);
        self.last += 1;
        while MAX_ENTRIES < self.entries.len() || MAX_CHANGES < self.changes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.changes -= changes_of(&oldest);
        }
    }

    /// The entries behind a number; `None` where some of them are gone.
    fn behind(&self, number: u64) -> Option<Vec<Happened>> {
        let missing = usize::try_from(self.last.checked_sub(number)?).ok()?;
        let known = self.entries.len().checked_sub(missing)?;
        Some(self.entries.range(known..).cloned().collect())
    }
}

fn changes_of(happened: &Happened) -> usize {
    match happened {
        Happened::Changed(datastreams) => datastreams.len(),
        Happened::Alert(_) | Happened::Station(_) | Happened::States(_) | Happened::Anything => 0,
    }
}

/// What the log follows.
#[derive(Debug)]
pub(crate) struct Feeds {
    pub(crate) latest: LatestTable,
    pub(crate) alerts: Alerts,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    /// Ends the log when cancelled.
    pub(crate) stop: CancellationToken,
}

/// The log of one process.
#[derive(Debug)]
pub(crate) struct EventLog {
    feeds: Feeds,
    started: Once,
    written: Arc<Written>,
}

/// What is written down so far; the task that follows the feeds shares it.
#[derive(Debug)]
struct Written {
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

impl Written {
    fn push(&self, happened: Happened) {
        let last = {
            let mut ring = self.ring.lock();
            ring.push(happened);
            ring.last
        };
        self.last.send_replace(last);
    }
}

impl EventLog {
    /// A log that has not begun.
    pub(crate) fn new(feeds: Feeds) -> Self {
        let written = Written { ring: Mutex::default(), last: watch::Sender::new(0) };
        Self { feeds, started: Once::new(), written: Arc::new(written) }
    }

    /// Begins to write things down, unless it has begun before.
    pub(crate) fn start(&self) {
        self.started.call_once(|| {
            let Feeds { latest, alerts, registry, clock, stop } = &self.feeds;
            self.written.ring.lock().epoch = clock.now().get().unsigned_abs();
            // Subscribed here and now: what happens after this call is in the log.
            let heard = Heard {
                changes: latest.subscribe(),
                alerts: alerts.subscribe(),
                statuses: latest.subscribe_statuses(),
                snapshots: registry.watch(),
            };
            tokio::spawn(follow(Arc::clone(&self.written), stop.clone(), heard));
        });
    }

    /// Up to where whoever asks now knows what happened: tables and lists are changed before the log hears of it.
    pub(crate) fn here(&self) -> Position {
        self.start();
        let ring = self.written.ring.lock();
        Position { epoch: ring.epoch, number: ring.last }
    }

    /// The number of the last entry, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.written.last.subscribe()
    }

    /// The number of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.written.ring.lock().last
    }

    /// The id of everything up to an entry.
    pub(crate) fn position(&self, number: u64) -> Position {
        Position { epoch: self.written.ring.lock().epoch, number }
    }

    /// The number of an id; `None` where it is of another log or what follows it is gone.
    pub(crate) fn number(&self, position: Position) -> Option<u64> {
        let ring = self.written.ring.lock();
        let known = position.epoch == ring.epoch && ring.behind(position.number).is_some();
        known.then_some(position.number)
    }

    /// Writes down what somebody else has noticed.
    pub(crate) fn push(&self, happened: Happened) {
        self.written.push(happened);
    }

    /// What happened behind an entry, oldest first; `None` where some of it is gone.
    pub(crate) fn behind(&self, number: u64) -> Option<Vec<Happened>> {
        self.written.ring.lock().behind(number)
    }
}

/// The feeds, heard from one moment on.
struct Heard {
    changes: broadcast::Receiver<Arc<[DatastreamId]>>,
    alerts: broadcast::Receiver<Arc<AlertView>>,
    statuses: broadcast::Receiver<StationStatus>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// Writes down what happens until Bakau stops.
async fn follow(written: Arc<Written>, stop: CancellationToken, mut heard: Heard) {
    loop {
        let happened = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            alert = heard.alerts.recv() => match alert {
                Ok(alert) => Happened::Alert(alert),
                Err(RecvError::Lagged(_)) => Happened::Anything,
                // The alert engine ends only with the process.
                Err(RecvError::Closed) => return,
            },
            status = heard.statuses.recv() => match status {
                Ok(status) => Happened::Station(status),
                Err(RecvError::Lagged(_)) => Happened::Anything,
                // The table of present values ends only with the process.
                Err(RecvError::Closed) => return,
            },
            applied = heard.snapshots.changed() => match applied {
                // Names, limits and stations are on every page.
                Ok(()) => Happened::States(Arc::default()),
                // The registry ends only with the process.
                Err(_) => return,
            },
            changed = heard.changes.recv() => match changed {
                Ok(changed) => Happened::Changed(changed),
                Err(RecvError::Lagged(_)) => Happened::Anything,
                // So does this part of it.
                Err(RecvError::Closed) => return,
            },
        };
        written.push(happened);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(datastreams: u32) -> Happened {
        Happened::Changed((0..datastreams).map(DatastreamId::new).collect())
    }

    #[test]
    fn what_is_behind_a_number_comes_in_order_and_nothing_is_made_up() {
        let mut ring = Ring::default();
        (1..=3).for_each(|count| ring.push(changed(count)));
        let counts = |number| Some(ring.behind(number)?.iter().map(changes_of).collect::<Vec<_>>());
        assert_eq!(counts(0), Some(vec![1, 2, 3]));
        assert_eq!(counts(2), Some(vec![3]));
        assert_eq!(counts(3), Some(vec![]));
        assert_eq!(counts(4), None, "a number that never was");
    }

    #[test]
    fn the_log_is_bounded_by_entries_and_by_what_is_in_them() {
        let mut ring = Ring::default();
        (0..MAX_ENTRIES + 10).for_each(|_| ring.push(Happened::Anything));
        assert_eq!(ring.entries.len(), MAX_ENTRIES);
        assert!(ring.behind(10).is_some() && ring.behind(9).is_none());
        (0..12).for_each(|_| ring.push(changed(100_000)));
        assert!(ring.changes <= MAX_CHANGES && ring.entries.len() == 10);
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_and_any_other_text_is_refused(epoch: u64, number: u64, text in "\\PC{0,40}") {
            let position = Position { epoch, number };
            prop_assert_eq!(position.to_string().parse::<Position>().ok(), Some(position));
            let _ = text.parse::<Position>();
        }
    }
}
