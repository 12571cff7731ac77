//! Readings from clocks that are ahead: each waits until its time has come, and the others go on without it. Pure.
//!
//! Bounded; what finds no room is not evaluated by live rules, but it is stored and in the settled history.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DatastreamId, Observation, UtcMillis};

/// Readings of one datastream that may wait: three a second over the five minutes that a reading may be ahead.
const MOST_OF_A_DATASTREAM: usize = 1_000;
/// Readings of all datastreams that may wait: some 10 MB.
const MOST: usize = 100_000;

/// What tells one waiting reading from another, in the order in which their time comes.
pub(crate) type WaitingKey = (UtcMillis, DatastreamId);

/// Every reading that waits. Whoever reads the clock says what time it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead {
    waiting: BTreeMap<WaitingKey, Observation>,
    of_datastream: BTreeMap<DatastreamId, usize>,
    /// Those that are stored.
    saved: BTreeSet<WaitingKey>,
    /// Those that came, or are stored and no longer wait, since the last call of [`Ahead::take_changed`].
    changed: BTreeSet<WaitingKey>,
    crowded_out: u64,
}

impl Ahead {
    /// What waited before a start.
    #[must_use]
    pub(crate) fn remembering(waiting: impl IntoIterator<Item = Observation>) -> Self {
        let mut ahead = Self::default();
        for observation in waiting {
            ahead.put(observation);
        }
        ahead.saved = std::mem::take(&mut ahead.changed);
        ahead
    }

    /// Keeps a reading; one of the same instant replaces the one before, as in the store.
    pub(crate) fn put(&mut self, observation: Observation) {
        let key = (observation.observed_at, observation.datastream);
        if !self.waiting.contains_key(&key) {
            let of_datastream = self.of_datastream.entry(key.1).or_default();
            if MOST <= self.waiting.len() || MOST_OF_A_DATASTREAM <= *of_datastream {
                self.crowded_out = self.crowded_out.saturating_add(1);
                return;
            }
            *of_datastream += 1;
        }
        self.waiting.insert(key, observation);
        self.changed.insert(key);
    }

    /// Every reading that waits.
    pub(crate) fn keys(&self) -> impl Iterator<Item = WaitingKey> + '_ {
        self.waiting.keys().copied()
    }

    /// When the time of the next one comes.
    #[must_use]
    pub(crate) fn next(&self) -> Option<UtcMillis> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next reading whose time has come: the earliest first.
    pub(crate) fn take_due(&mut self, now: UtcMillis) -> Option<Observation> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now)?;
        let (key, observation) = first.remove_entry();
        if let Some(left) = self.of_datastream.get_mut(&key.1) {
            *left -= 1;
            if *left == 0 {
                self.of_datastream.remove(&key.1);
            }
        }
        // What was never written need not be taken out of anything.
        if self.saved.contains(&key) {
            self.changed.insert(key);
        } else {
            self.changed.remove(&key);
        }
        Some(observation)
    }

    /// What has to be written since the last call: readings that wait, and those that no longer do.
    pub(crate) fn take_changed(&mut self) -> Vec<(WaitingKey, Option<Observation>)> {
        let mut changes = Vec::with_capacity(self.changed.len());
        for key in std::mem::take(&mut self.changed) {
            let observation = self.waiting.get(&key).copied();
            if observation.is_some() {
                self.saved.insert(key);
            } else {
                self.saved.remove(&key);
            }
            changes.push((key, observation));
        }
        changes
    }

    /// How many readings found no room.
    #[must_use]
    pub(crate) const fn crowded_out(&self) -> u64 {
        self.crowded_out
    }
}
