//! Counters: whatever the order of arrival, the store says what counting its whole history says.

use bakau_model::{Counter, Decimal};
use bakau_quality::count;

use super::*;

/// A gauge that says every ten minutes what it has counted.
fn gauge(max: Option<f64>) -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: 0.0, max: 50.0 }),
        counter: Some(Counter { max, interval_ms: 10 * MINUTE }),
        ..QualityLimits::default()
    }
}

impl House {
    /// Stored increments with their flags, and those of counting the stored history at once.
    async fn counted(&self, datastream: u32) -> (Vec<(i64, Flag, Option<f64>)>, Vec<(i64, Flag, Option<f64>)>) {
        let rows = self.store.observations(&everything(datastream)).await.unwrap();
        let series: Vec<_> = rows.iter().map(|row| Sample::from(&row.observation)).collect();
        let whole = count(&self.limits, &series);
        let stored = rows.iter().map(|row| (row.observation.observed_at.get(), row.observation.flag, row.increment));
        let judged = series.iter().zip(whole);
        let judged = judged.map(|(&Sample { at, value, .. }, (tests, counted))| {
            (at.get(), bakau_quality::flag(value, tests), counted)
        });
        (stored.collect(), judged.collect())
    }

    async fn increments(&self) -> Vec<Option<f64>> {
        let (stored, counted) = self.counted(1).await;
        assert_eq!(stored, counted);
        stored.into_iter().map(|(_, _, increment)| increment).collect()
    }
}

/// A reading that arrives when it was taken, so that no clock runs ahead.
fn reading(datastream: u32, at: i64, value: Option<f64>) -> Observation {
    Observation { received_at: UtcMillis::new(at), ..observation(datastream, at, value) }
}

fn at(minute: i64, value: f64) -> Observation {
    reading(1, minute * MINUTE, Some(value))
}

#[tokio::test]
async fn a_late_and_a_corrected_reading_revise_their_own_increment_and_the_next_and_what_was_said_is_kept() {
    let mut house = House::with(gauge(None));
    house.take(&[at(0, 10.0), at(10, 10.0), at(30, 10.4), at(40, 0.0)]).await;
    assert_eq!(house.increments().await, [0.0, 0.0, 0.4, 0.0].map(Some));
    house.take(&[at(20, 10.2)]).await;
    assert_eq!(house.increments().await, [0.0, 0.0, 0.2, 0.2, 0.0].map(Some));
    house.restart();
    house.take(&[at(10, 10.1)]).await;
    assert_eq!(house.increments().await, [0.0, 0.1, 0.1, 0.2, 0.0].map(Some));
    let kept = house.store.reflagged(&everything(1)).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|row| (row.observed_at.get() / MINUTE, row.increment)).collect();
    assert_eq!(kept, [(20, Some(0.2)), (30, Some(0.4))]);
    let old = house.store.superseded(&everything(1)).await.unwrap();
    assert_eq!(
        old.iter().map(|row| (row.observation.value, row.increment)).collect::<Vec<_>>(),
        [(Some(10.0), Some(0.0))]
    );
}

#[tokio::test]
async fn a_gap_of_any_length_is_bridged_also_after_a_restart_and_over_missing_values() {
    let mut house = House::with(gauge(Some(13_107.2)));
    house.take(&[at(0, 13_107.0)]).await;
    let silent: Vec<_> = (1..500).map(|n| reading(1, n * 10 * MINUTE, None)).collect();
    house.take(&silent).await;
    house.restart();
    house.take(&[at(20_000, 0.6)]).await;
    assert_eq!(house.increments().await.last(), Some(&Some(0.8)));
    house.take(&[at(10_000, 13_107.0)]).await;
    house.restart();
    house.take(&[at(20_010, 0.6)]).await;
    assert_eq!(house.increments().await.last(), Some(&Some(0.0)));
}

#[tokio::test]
async fn a_reading_that_shows_a_fall_to_be_a_glitch_takes_back_what_was_counted() {
    let mut house = House::with(gauge(None));
    house.take(&[at(0, 10.0), at(10, 10.2), at(20, 5.0)]).await;
    assert_eq!(house.increments().await, [0.0, 0.2, 5.0].map(Some), "as known then");
    house.take(&[at(30, 10.4)]).await;
    assert_eq!(house.increments().await, [Some(0.0), Some(0.2), None, Some(0.2)]);
    let kept = house.store.reflagged(&everything(1)).await.unwrap();
    assert_eq!((kept.len(), kept[0].increment, kept[0].flag), (1, Some(5.0), Flag::Good));
}

/// A reading that arrives at another time than its own, in minutes.
fn received(minute: i64, received_minute: i64, value: f64) -> Observation {
    Observation { received_at: UtcMillis::new(received_minute * MINUTE), ..at(minute, value) }
}

#[tokio::test]
async fn what_is_known_and_said_again_close_to_a_correction_keeps_its_verdict() {
    let mut house = House::with(gauge(None));
    house.take(&[at(0, 0.4), at(10, 0.4), at(20, 0.4), at(30, 0.0), at(50, 0.4)]).await;
    assert_eq!(house.increments().await, [Some(0.0), Some(0.0), Some(0.0), None, Some(0.0)]);
    house.take(&[at(0, 0.2), reading(1, 30 * MINUTE, None)]).await;
    assert_eq!(house.increments().await, [Some(0.0), Some(0.2), Some(0.0), None, Some(0.0)]);
}

#[tokio::test]
async fn readings_of_a_clock_that_is_set_right_or_back_prove_no_counter_that_began_again() {
    let mut ahead = House::with(gauge(None));
    ahead.take(&[at(0, 7.8), received(41, 2, 8.0), received(42, 3, 8.2)]).await;
    ahead.take(&[at(4, 8.4)]).await;
    ahead.take(&[at(45, 8.6)]).await;
    let counted = [Some(0.0), Some(0.6), None, None, Some(0.2)];
    assert_eq!(ahead.increments().await, counted, "7.8, 8.4, then 8.0 and 8.2 out of place, 8.6");
    let mut back = House::with(gauge(None));
    back.take(&[at(0, 7.8), at(5, 8.0), at(6, 8.2)]).await;
    back.restart();
    back.take(&[received(1, 7, 8.4), received(2, 8, 8.6)]).await;
    back.take(&[received(7, 13, 8.8)]).await;
    let counted = [Some(0.0), Some(0.6), Some(0.2), None, None, Some(0.2)];
    assert_eq!(back.increments().await, counted);
}

#[tokio::test]
async fn a_counter_that_began_again_is_believed_whatever_its_clock_says_and_behind_late_readings() {
    let mut ahead = House::with(gauge(None));
    ahead.take(&[received(40, 0, 10.0), received(50, 10, 0.2), received(60, 20, 0.4)]).await;
    assert_eq!(ahead.increments().await, [0.0, 0.2, 0.2].map(Some));
    let mut late = House::with(gauge(None));
    late.take(&[at(0, 10.0), at(20, 0.2), at(30, 0.4), at(40, 0.6)]).await;
    late.take(&[received(10, 1_000, 10.2)]).await;
    assert_eq!(late.increments().await, [0.0, 0.2, 0.2, 0.2, 0.2].map(Some));
}

#[tokio::test]
async fn rows_of_before_a_datastream_was_a_counter_have_no_increment_until_they_are_judged_again() {
    let mut house = House::with(QualityLimits::default());
    house.take(&(0..60).map(|n| at(n * 10, n as f64 * 0.2)).collect::<Vec<_>>()).await;
    house.judge = None;
    house.limits = gauge(None);
    house.take(&[at(600, 12.2)]).await;
    let rows = house.store.observations(&everything(1)).await.unwrap();
    assert_eq!((rows[0].increment, rows[60].increment), (None, Some(0.4)), "counted from the last reading of before");
}

/// Increments of counters with resets, glitches, overflows, late and corrected readings and restarts.
fn arrivals() -> impl Strategy<Value = Vec<Event>> {
    let arrival = prop_oneof![
        8 => (0_i64..4).prop_map(Arrival::Counts),
        1 => Just(Arrival::Counts(300)),
        1 => Just(Arrival::Resets),
        1 => Just(Arrival::Glitch(0)),
        1 => Just(Arrival::Glitch(900)),
        1 => Just(Arrival::Missing),
    ];
    // Minutes from the time of a reading to its arrival: at once, late, or before its time by a clock that is ahead.
    let way = prop_oneof![6 => Just(0_i64), 1 => 1_i64..40, 1 => -40_i64..0];
    let arrival = (1_u32..3, prop_oneof![5 => 0_i64..3, 2 => -8_i64..0, 1 => 3_i64..40], arrival, way);
    let group = proptest::collection::vec(arrival, 1..8);
    let event = prop_oneof![6 => group.prop_map(Some), 1 => Just(None)];
    proptest::collection::vec(event, 1..25).prop_map(|events| {
        let (mut now, mut ticks) = (0, [0_i64; 3]);
        let mut observe = |(datastream, step, arrival, way): (u32, i64, Arrival, i64)| {
            now = (now + step).max(0);
            let ticks = &mut ticks[datastream as usize];
            let counted = match arrival {
                Arrival::Counts(more) => {
                    *ticks += more;
                    Some(*ticks)
                }
                Arrival::Resets => {
                    *ticks = 0;
                    Some(0)
                }
                Arrival::Glitch(ticks) => Some(ticks),
                Arrival::Missing => None,
            };
            let at = now * 10 * MINUTE;
            let received_at = UtcMillis::new(at + way * MINUTE);
            Observation { received_at, ..reading(datastream, at, counted.map(|ticks| ticks as f64 / 5.0)) }
        };
        let mut event = |group: Option<Vec<_>>| match group {
            Some(group) => Event::Group(group.into_iter().map(&mut observe).collect()),
            None => Event::Restart,
        };
        events.into_iter().map(&mut event).collect()
    })
}

#[derive(Debug, Clone, Copy)]
enum Arrival {
    Counts(i64),
    Resets,
    Glitch(i64),
    Missing,
}

fn total(increments: &[Option<f64>]) -> f64 {
    let add = |sum: Decimal, part: &f64| sum.plus(Decimal::of(*part).unwrap()).unwrap();
    increments.iter().flatten().fold(Decimal::ZERO, add).value()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_says_what_counting_its_whole_history_says(
        events in arrivals(),
        max in prop_oneof![Just(None), Just(Some(100.0))],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut house = House::with(gauge(max));
            for event in &events {
                match event {
                    Event::Group(group) => house.take(group).await,
                    Event::Restart => house.restart(),
                }
            }
            for datastream in [1, 2] {
                let (stored, counted) = house.counted(datastream).await;
                prop_assert_eq!(stored, counted);
            }
            let verified = house.store.verify().await.unwrap();
            prop_assert!(verified.is_sound(), "{:?}", verified.problems);
            Ok(())
        })?;
    }

    #[test]
    fn the_sum_does_not_depend_on_the_order_of_arrival_nor_on_groups(
        ticks in proptest::collection::vec((0_u32..50, any::<u32>()), 2..60),
        groups in proptest::collection::vec(1_usize..9, 60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut counted = 0_i64;
            let mut arrivals: Vec<_> = (0..).zip(&ticks).map(|(n, &(ticks, order))| {
                counted += i64::from(ticks);
                (order, at(n * 10, counted as f64 / 5.0))
            }).collect();
            arrivals.sort_by_key(|(order, _)| *order);
            let mut house = House::with(gauge(None));
            let (mut rest, mut sizes) = (&arrivals[..], groups.iter());
            while !rest.is_empty() {
                let (group, later) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&9)));
                house.take(&group.iter().map(|(_, reading)| *reading).collect::<Vec<_>>()).await;
                rest = later;
            }
            let (stored, _) = house.counted(1).await;
            let increments: Vec<_> = stored.iter().map(|(_, _, increment)| *increment).collect();
            prop_assert_eq!(total(&increments), (counted - i64::from(ticks[0].0)) as f64 / 5.0);
            Ok(())
        })?;
    }
}
