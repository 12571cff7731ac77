//! A missing value never replaces a number, in whatever order both come.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DatastreamId, Flag, MINUTE_MS, Observation, QualityTest, TestResults, UtcMillis};

use super::{batch, counts, everything, hours, observation, read, values, write};
use crate::{Store, StoreCounts, Verdict};

pub(super) async fn a_missing_value_never_replaces_a_number(store: &dyn Store) {
    let tests = TestResults::NONE.with(QualityTest::GrossRange, Flag::Suspect);
    let number = observation(1, 10, Some(5.0));
    let verdict = |tests| Verdict {
        datastream: number.datastream,
        observed_at: number.observed_at,
        tests,
        increment: None,
        recorded_at: UtcMillis::new(90_000_000),
    };
    store.write(&[batch(1, "a", &[number])], vec![verdict(tests)]).await.expect("write");
    let before = read(store, &everything(1)).await;
    let gone = Observation { received_at: UtcMillis::new(91_000_000), ..observation(1, 10, None) };
    let ignored = StoreCounts { ignored_missing: 1, ..StoreCounts::default() };
    assert_eq!(write(store, &[batch(2, "a", &[gone])]).await, ignored, "a missing value after a number is ignored");
    assert_eq!(read(store, &everything(1)).await, before, "the number stays as it was, with its flag and its tests");
    assert_eq!(store.superseded(&everything(1)).await.expect("superseded"), [], "nothing was replaced");
    assert_eq!(store.latest().await.expect("latest"), before, "the number is the latest value");
    let lines = store.ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).await.expect("ledger");
    assert_eq!(lines.values().map(|line| line.ignored_missing).sum::<u64>(), 1, "the ledger says so");

    // Within one write, the verdict is about the number that stays, wherever it stands; a verdict that comes with a missing
    // value is about the number that is stored.
    let good = TestResults::NONE.with(QualityTest::GrossRange, Flag::Good);
    let other = observation(1, 10, Some(6.0));
    let mixed = write_with(store, 3, &[gone, other, gone], vec![verdict(good)]).await;
    assert_eq!(mixed, StoreCounts { corrected: 1, ignored_missing: 2, ..StoreCounts::default() }, "each is counted");
    let held = read(store, &everything(1)).await;
    assert_eq!((held[0].observation.value, held[0].tests, held[0].revision), (Some(6.0), good, 2), "the number counts");
    let old = store.superseded(&everything(1)).await.expect("superseded");
    assert_eq!((old.len(), old[0].tests), (1, tests), "what was replaced keeps its own verdict");
    assert_eq!(store.reflagged(&everything(1)).await.expect("reflagged"), [], "nothing was taken back");
    assert_eq!(write_with(store, 4, &[gone], vec![verdict(tests)]).await, ignored, "ignored again");
    assert_eq!(
        read(store, &everything(1)).await[0].observation.flag,
        Flag::Suspect,
        "its verdict holds for the number"
    );
    assert_eq!(store.verify().await.expect("verify").problems, Vec::<String>::new(), "the store is sound");
}

async fn write_with(store: &dyn Store, seq: u64, rows: &[Observation], verdicts: Vec<Verdict>) -> StoreCounts {
    store.write(&[batch(seq, "a", rows)], verdicts).await.expect("a write is accepted").counts
}

pub(super) async fn a_number_replaces_a_missing_value(store: &dyn Store) {
    let gone = observation(4, 10, None);
    assert_eq!(write(store, &[batch(1, "a", &[gone, gone])]).await, counts(1, 1, 0), "a missing value is stored once");
    assert_eq!(read(store, &everything(4)).await[0].observation, gone, "a missing value reads back as missing");
    assert_eq!(
        write(store, &[batch(2, "a", &[observation(4, 10, Some(0.0))])]).await,
        counts(0, 0, 1),
        "0 is not missing"
    );
    assert_eq!(values(store, 4).await, [(10, Some(0.0), 2)], "the value replaced the missing one");
    let old = store.superseded(&everything(4)).await.expect("superseded");
    assert_eq!((old[0].observation, old[0].revision), (gone, 1), "that there was none is kept");
}

/// A history in another order of arrival in which numbers of one key stay in theirs; `ranks` gives the order.
///
/// Nothing but this order of numbers may decide what a store holds in the end.
#[must_use]
pub fn in_another_order(history: &[Observation], ranks: &[u32]) -> Vec<Observation> {
    let key = |observation: &Observation| (observation.datastream, observation.observed_at);
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|&place| ranks.get(place).copied().unwrap_or_default());
    let mut numbers: BTreeMap<_, Vec<Observation>> = BTreeMap::new();
    for observation in history.iter().rev().filter(|observation| observation.value.is_some()) {
        numbers.entry(key(observation)).or_default().push(*observation);
    }
    let mut next = |place: usize| {
        let observation = history[place];
        let number = observation.value.and_then(|_| numbers.get_mut(&key(&observation))?.pop());
        number.unwrap_or(observation)
    };
    order.into_iter().map(&mut next).collect()
}

/// The last number of each key, or nothing where there is none.
#[must_use]
pub fn last_numbers(history: &[Observation]) -> BTreeMap<(u32, i64), Option<f64>> {
    let mut last = BTreeMap::new();
    for observation in history {
        let held = last.entry((observation.datastream.get(), observation.observed_at.get())).or_default();
        *held = observation.value.or(*held);
    }
    last
}

pub(super) async fn any_order_of_numbers_and_missing_values_ends_the_same(store: &dyn Store) {
    // More instants than are held beside a server, so that it is asked about the earlier ones.
    let mut random = Random(7);
    let mut seq = 0;
    for datastream in 1..=3 {
        let mut history = Vec::new();
        for _ in 0..400 {
            let at = i64::from(random.below(100)) * 2 * MINUTE_MS;
            let value = (random.below(3) != 0).then(|| f64::from(random.below(4)) * 0.1);
            history.push(observation(datastream, at, value));
        }
        let ranks: Vec<u32> = history.iter().map(|_| random.below(1_000)).collect();
        let arrival = in_another_order(&history, &ranks);
        let (mut rest, mut sum) = (&arrival[..], 0);
        while !rest.is_empty() {
            let (group, later) = rest.split_at(rest.len().min(1 + random.below(60) as usize));
            seq += 1;
            sum += write(store, &[batch(seq, "a", group)]).await.total();
            rest = later;
        }
        assert_eq!(sum, 400, "each value has one outcome");
        let expected = last_numbers(&history);
        let held = read(store, &everything(datastream)).await;
        let held: BTreeMap<_, _> =
            held.iter().map(|row| ((datastream, row.observation.observed_at.get()), row.observation.value)).collect();
        assert_eq!(held, expected, "the last number of each instant is current, whenever missing values came");
        let latest = store.latest().await.expect("latest");
        let latest = latest.iter().find(|row| row.observation.datastream == DatastreamId::new(datastream));
        let last = expected.last_key_value().map(|(_, value)| *value);
        assert_eq!(latest.map(|row| row.observation.value), last, "so is the latest value");
        let missing = store.superseded(&everything(datastream)).await.expect("superseded");
        let missing: BTreeSet<u32> =
            missing.iter().filter(|row| row.observation.value.is_none()).map(|row| row.revision).collect();
        assert!(missing.iter().all(|&revision| revision == 1), "a missing value is at most the first version");
    }
    hours::they_agree(store, "after numbers and missing values in any order").await;
    assert_eq!(store.verify().await.expect("verify").problems, Vec::<String>::new(), "the store is sound");
}

/// Numbers that are the same in every run (a linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap_or_default()
    }
}
