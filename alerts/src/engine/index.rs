//! From the number of a datastream to whatever is to be done when a value of it arrives: one array access.

use std::{collections::BTreeMap, ops::Range};

use bakau_model::DatastreamId;

/// Numbers up to here are found by array access; the registry counts up from 1, so only a damaged one exceeds it.
const DENSE_NUMBERS: u32 = 1 << 20;

/// What a value of one datastream touches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    slots: (u32, u32),
    /// Place of the datastream itself among the watched subjects, plus one; 0 where it is none.
    own: u32,
    /// The same of its station.
    station: u32,
}

impl Entry {
    /// Its rules.
    pub(super) const fn slots(self) -> Range<u32> {
        self.slots.0..self.slots.1
    }

    /// Places of the datastream itself and of its station among the watched subjects.
    pub(super) const fn watched(self) -> (Option<u32>, Option<u32>) {
        (self.own.checked_sub(1), self.station.checked_sub(1))
    }

    /// Whether a value of it touches nothing.
    pub(super) const fn is_idle(self) -> bool {
        self.slots.0 == self.slots.1 && self.own == 0 && self.station == 0
    }
}

/// The entries of all datastreams.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    dense: Vec<Entry>,
    sparse: BTreeMap<DatastreamId, Entry>,
}

impl Index {
    pub(super) fn entry(&self, datastream: DatastreamId) -> Entry {
        match self.dense.get(datastream.get() as usize) {
            Some(entry) => *entry,
            None if datastream.get() < DENSE_NUMBERS => Entry::default(),
            None => self.sparse.get(&datastream).copied().unwrap_or_default(),
        }
    }

    /// Slots of a datastream must be added in their order, one after the other.
    pub(super) fn add_slot(&mut self, datastream: DatastreamId, number: u32) {
        let slots = &mut self.entry_mut(datastream).slots;
        if slots.0 == slots.1 {
            slots.0 = number;
        }
        slots.1 = number + 1;
    }

    pub(super) fn set_own(&mut self, datastream: DatastreamId, place: u32) {
        self.entry_mut(datastream).own = place + 1;
    }

    pub(super) fn set_station(&mut self, datastream: DatastreamId, place: u32) {
        self.entry_mut(datastream).station = place + 1;
    }

    fn entry_mut(&mut self, datastream: DatastreamId) -> &mut Entry {
        if datastream.get() < DENSE_NUMBERS {
            let place = datastream.get() as usize;
            if self.dense.len() <= place {
                self.dense.resize(place + 1, Entry::default());
            }
            &mut self.dense[place]
        } else {
            self.sparse.entry(datastream).or_default()
        }
    }
}
