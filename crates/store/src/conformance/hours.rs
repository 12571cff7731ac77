//! Sums by hour, where a store keeps them, are those of its values: whatever came late, was corrected or judged.

use std::collections::BTreeMap;

use bakau_model::{DatastreamId, Flag, MINUTE_MS, Observation, QualityTest, TestResults, UtcMillis};

use super::{batch, everything, observation};
use crate::{Hour, Store, Sum, Verdict};

/// The same from every value.
async fn from_values(store: &dyn Store) -> Vec<Hour> {
    let mut hours: BTreeMap<UtcMillis, Hour> = BTreeMap::new();
    let mut previous = None;
    for row in store.observations(&everything(1)).await.expect("observations are readable") {
        let at = row.observation.observed_at;
        let start = UtcMillis::new(at.get().div_euclid(Hour::MS) * Hour::MS);
        let hour = hours.entry(start).or_insert_with(|| Hour::empty(start));
        if let Some(value) = row.observation.value.filter(|_| row.observation.flag.is_usable()) {
            hour.add(at, value, previous);
            previous = Some(at);
        }
    }
    hours.into_values().collect()
}

pub(super) async fn they_agree(store: &dyn Store, when: &str) {
    let (from, to) = (UtcMillis::new(-10 * Hour::MS), UtcMillis::new(10 * Hour::MS));
    let kept = store.hours(DatastreamId::new(1), from, to).await.expect("hours are readable");
    let Some(mut kept) = kept else { return };
    let mut expected = from_values(store).await;
    for hour in kept.iter_mut().chain(&mut expected) {
        // The order of additions may differ; what the sum amounts to may not.
        hour.sum = Sum { rounded: hour.sum.value(), lost: 0.0 };
    }
    assert_eq!(kept, expected, "hours are what their values amount to {when}");
}

fn verdict(minute: i64, flag: Flag) -> Verdict {
    let tests = TestResults::NONE.with(QualityTest::GrossRange, flag);
    let observed_at = UtcMillis::new(minute * MINUTE_MS);
    Verdict { datastream: DatastreamId::new(1), observed_at, tests, increment: None, recorded_at: UtcMillis::new(1) }
}

pub(super) async fn hours_are_what_their_values_amount_to(store: &dyn Store) {
    let at = |minute: i64, value: Option<f64>| observation(1, minute * MINUTE_MS, value);
    let minutes = |range: std::ops::Range<i64>| -> Vec<Observation> {
        range.map(|minute| at(minute, (minute % 11 != 3).then_some(minute as f64 * 0.1))).collect()
    };
    let mut seq = 0;
    let mut group = |rows: &[Observation]| {
        seq += 1;
        [batch(seq, "a", rows)]
    };
    store.write(&group(&minutes(-90..50)), vec![verdict(7, Flag::Fail)]).await.expect("write");
    they_agree(store, "after a first write").await;
    store.write(&group(&minutes(50..200)), vec![verdict(49, Flag::Good)]).await.expect("write");
    they_agree(store, "after a write behind it").await;
    store.write(&group(&[at(230, Some(5.0)), at(290, Some(6.0))]), Vec::new()).await.expect("write");
    they_agree(store, "after a hole").await;
    store.write(&group(&[at(20, Some(99.0)), at(20, Some(98.0))]), Vec::new()).await.expect("write");
    they_agree(store, "after a correction").await;
    store.write(&[], vec![verdict(199, Flag::Fail), verdict(7, Flag::Good)]).await.expect("write");
    they_agree(store, "after verdicts that take values out and back in").await;
    let late = observation(1, 239 * MINUTE_MS + 59_000, Some(7.0));
    store
        .write(&group(&[late, at(240, Some(8.0)), at(400, Some(1.0)), at(400, Some(2.0))]), Vec::new())
        .await
        .expect("write");
    they_agree(store, "after late values").await;
    store.write(&group(&minutes(401..440)), vec![verdict(400, Flag::Suspect)]).await.expect("write");
    they_agree(store, "after all that").await;
}
