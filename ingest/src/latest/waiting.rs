//! Readings from the future: each waits for its time before it can be the present value.

use std::collections::BTreeMap;

use bakau_model::{DatastreamId, Observation, UtcMillis};

/// Readings of one datastream that wait: five minutes, the furthest future that is accepted, at more than one a second.
pub(super) const PER_DATASTREAM: usize = 512;

/// Readings of all datastreams that wait.
const IN_ALL: usize = 100_000;

/// Readings whose time has not come, by datastream and time.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    readings: BTreeMap<DatastreamId, BTreeMap<UtcMillis, Observation>>,
    count: usize,
    /// No reading is due before this instant.
    next: Option<UtcMillis>,
}

impl Waiting {
    /// Keeps a reading until its time comes. Of two with the same time the one received later, but a missing value never in
    /// place of a number. Where there is no room, what lies furthest in the future is left out; false when that is this one.
    pub(super) fn hold(&mut self, observation: &Observation) -> bool {
        let at = observation.observed_at;
        let mine = self.readings.entry(observation.datastream).or_default();
        if let Some(held) = mine.get_mut(&at) {
            if rank(held) <= rank(observation) {
                *held = *observation;
            }
            return true;
        }
        let full = PER_DATASTREAM <= mine.len() || IN_ALL <= self.count;
        if full {
            let furthest = mine.last_key_value().map(|(furthest, _)| *furthest);
            if furthest.is_none_or(|furthest| furthest < at) {
                return false;
            }
            mine.pop_last();
            self.count -= 1;
        }
        mine.insert(at, *observation);
        self.count += 1;
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
        true
    }

    /// Whether readings of the datastream wait.
    pub(super) fn holds(&self, datastream: DatastreamId) -> bool {
        self.count != 0 && self.readings.get(&datastream).is_some_and(|mine| !mine.is_empty())
    }

    /// Takes out the readings whose time has come: those of each datastream in order of time.
    pub(super) fn due(&mut self, now: UtcMillis) -> Vec<Observation> {
        let mut due = Vec::new();
        if self.next.is_none_or(|next| now < next) {
            return due;
        }
        for mine in self.readings.values_mut() {
            while let Some(first) = mine.first_entry().filter(|first| *first.key() <= now) {
                due.push(first.remove());
            }
        }
        self.readings.retain(|_, mine| !mine.is_empty());
        self.count -= due.len();
        self.next = self.readings.values().filter_map(|mine| mine.first_key_value()).map(|(at, _)| *at).min();
        due
    }
}

/// Which of two readings of one instant stays: as in the store.
pub(super) const fn rank(observation: &Observation) -> (bool, UtcMillis) {
    (observation.value.is_some(), observation.received_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::observation;

    #[test]
    fn what_lies_furthest_in_the_future_is_left_out_where_there_is_no_room() {
        let mut waiting = Waiting::default();
        let last = PER_DATASTREAM as i64;
        assert!((1..=last).all(|at| waiting.hold(&observation(1, at, 0, 1.0))));
        assert!(!waiting.hold(&observation(1, last + 1, 0, 1.0)), "it would be the last");
        assert!(waiting.hold(&observation(1, 0, 0, 1.0)), "in place of the last");
        assert!(waiting.hold(&observation(2, last + 1, 0, 1.0)), "another datastream");
        let due = waiting.due(UtcMillis::new(i64::MAX));
        assert_eq!(due.len(), PER_DATASTREAM + 1);
        assert_eq!(
            due.iter().filter(|held| held.datastream.get() == 1).map(|held| held.observed_at.get()).max(),
            Some(last - 1)
        );
        assert_eq!((waiting.count, waiting.due(UtcMillis::new(i64::MAX)).len()), (0, 0));
    }

    #[test]
    fn a_missing_value_never_replaces_a_number_that_waits() {
        let mut waiting = Waiting::default();
        let missing = Observation { value: None, ..observation(1, 5, 9, 0.0) };
        waiting.hold(&missing);
        waiting.hold(&observation(1, 5, 1, 7.0));
        waiting.hold(&missing);
        assert_eq!(waiting.due(UtcMillis::new(5))[0].value, Some(7.0));
    }

    proptest! {
        #[test]
        fn each_comes_out_once_in_order_of_time_when_its_time_has_come(
            given in proptest::collection::vec((1_u32..4, 0_i64..200), 0..150),
            steps in proptest::collection::vec(1_i64..40, 0..20),
        ) {
            let mut waiting = Waiting::default();
            for (datastream, at) in &given {
                waiting.hold(&observation(*datastream, *at, 0, 1.0));
            }
            let mut expected: Vec<(u32, i64)> = given;
            expected.sort_unstable();
            expected.dedup();
            let (mut now, mut found) = (0, Vec::new());
            for step in steps.into_iter().chain([1_000]) {
                let due = waiting.due(UtcMillis::new(now));
                let due: Vec<_> = due.iter().map(|held| (held.datastream.get(), held.observed_at.get())).collect();
                prop_assert!(due.is_sorted() && due.iter().all(|(_, at)| *at <= now));
                prop_assert!(found.iter().all(|known| !due.contains(known)));
                found.extend(due);
                prop_assert_eq!(found.len(), expected.iter().filter(|(_, at)| *at <= now).count());
                now += step;
            }
        }
    }
}
