//! Rows in another order than they were measured in, as radio and gateways bring them, but each time the same for a seed.

use std::collections::BTreeMap;

use super::{ReplayError, Row};
use crate::noise;

/// Settings of the disorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffle {
    /// Seed of the order.
    pub seed: u64,
    /// How much later than measured a row may come, milliseconds of measured time.
    pub lateness_ms: i64,
}

/// Gives rows by the time they arrive: their measured time and a delay of up to the lateness, drawn from seed and line.
///
/// No row comes after one that was measured more than the lateness later, and only rows of one lateness are held.
#[derive(Debug)]
pub struct Shuffled<R> {
    rows: R,
    shuffle: Shuffle,
    /// Rows on their way, by arrival and line.
    waiting: BTreeMap<(i64, u64), Row>,
    /// Measured time of the row read last: nothing to come arrives earlier, as rows are measured in order.
    reached: Option<i64>,
}

impl<R: Iterator<Item = Result<Row, ReplayError>>> Shuffled<R> {
    /// Disorders rows that come in the order they were measured in.
    pub const fn new(rows: R, shuffle: Shuffle) -> Self {
        Self { rows, shuffle, waiting: BTreeMap::new(), reached: Some(i64::MIN) }
    }

    /// When a row arrives.
    fn arrival(&self, row: &Row) -> i64 {
        let share = noise::white(self.shuffle.seed, noise::stream("arrival"), row.line.cast_signed()) / 2.0 + 0.5;
        row.time.get().saturating_add((share * self.shuffle.lateness_ms as f64) as i64)
    }
}

impl<R: Iterator<Item = Result<Row, ReplayError>>> Iterator for Shuffled<R> {
    type Item = Result<Row, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.waiting.first_key_value().map(|((arrival, _), _)| *arrival);
            let settled = |arrival: i64| self.reached.is_none_or(|reached| arrival <= reached);
            if first.is_some_and(settled) || self.reached.is_none() {
                return self.waiting.pop_first().map(|(_, row)| Ok(row));
            }
            match self.rows.next() {
                Some(Ok(row)) => {
                    self.reached = self.reached.map(|reached| reached.max(row.time.get()));
                    self.waiting.insert((self.arrival(&row), row.line), row);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => self.reached = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::UtcMillis;
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::Message;

    fn rows(count: i64) -> Vec<Row> {
        let row = |n: i64| Row {
            line: n.cast_unsigned() + 2,
            time: UtcMillis::new(n * 900_000),
            message: Message { topic: "t".to_owned(), payload: n.to_string().into() },
            values: 1,
            empty: 0,
        };
        (0..count).map(row).collect()
    }

    fn shuffled(count: i64, seed: u64, lateness_ms: i64) -> Vec<i64> {
        let shuffle = Shuffle { seed, lateness_ms };
        Shuffled::new(rows(count).into_iter().map(Ok), shuffle).map(|row| row.unwrap().time.get()).collect()
    }

    #[test]
    fn without_lateness_nothing_changes_and_with_it_each_seed_has_its_order() {
        let measured: Vec<_> = rows(500).iter().map(|row| row.time.get()).collect();
        assert_eq!(shuffled(500, 1, 0), measured);
        let (one, two) = (shuffled(500, 1, 7_200_000), shuffled(500, 2, 7_200_000));
        assert_eq!(one, shuffled(500, 1, 7_200_000));
        assert!(one != measured && one != two);
    }

    proptest! {
        #[test]
        fn every_row_comes_once_and_none_later_than_the_lateness(seed: u64, count in 0_i64..400, lateness in 0_i64..10_000_000) {
            let mut order = shuffled(count, seed, lateness);
            let mut newest = i64::MIN;
            for time in &order {
                prop_assert!(newest.saturating_sub(*time) <= lateness);
                newest = newest.max(*time);
            }
            order.sort_unstable();
            prop_assert_eq!(order, rows(count).iter().map(|row| row.time.get()).collect::<Vec<_>>());
        }
    }
}
