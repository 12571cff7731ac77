use bakau_model::{Range, Step};
use proptest::prelude::*;

use super::*;
use crate::{Sample, count};

const MINUTE: i64 = 60_000;
type Series = Vec<(UtcMillis, Option<f64>)>;

/// A rain gauge that says every five minutes what it has counted; no more than 50 mm in that time.
fn gauge(max: Option<f64>) -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: 0.0, max: 50.0 }),
        suspect: Some(Range { min: 0.0, max: 30.0 }),
        counter: Some(Counter { max, interval_ms: 5 * MINUTE }),
        ..QualityLimits::default()
    }
}

fn every_five_minutes(readings: &[f64]) -> Series {
    readings.iter().enumerate().map(|(n, &value)| (UtcMillis::new(n as i64 * 5 * MINUTE), Some(value))).collect()
}

fn increments(limits: &QualityLimits, series: &Series) -> Vec<Option<f64>> {
    count(limits, series).into_iter().map(|(_, increment)| increment).collect()
}

fn flags(limits: &QualityLimits, series: &Series) -> Vec<u8> {
    count(limits, series).into_iter().map(|(results, _)| results.aggregate().code()).collect()
}

fn total(increments: impl IntoIterator<Item = Option<f64>>) -> f64 {
    let add = |sum: Decimal, part: f64| sum.plus(Decimal::of(part).unwrap()).unwrap();
    increments.into_iter().flatten().fold(Decimal::ZERO, add).value()
}

#[test]
fn a_gauge_that_counts_and_begins_again_has_rained_what_it_counted() {
    let series = every_five_minutes(&[10.0, 10.0, 10.2, 10.4, 0.0]);
    let found = increments(&gauge(None), &series);
    assert_eq!(found, [0.0, 0.0, 0.2, 0.2, 0.0].map(Some));
    assert_eq!(total(found), 0.4);
    assert_eq!(flags(&gauge(None), &series), [2, 1, 1, 1, 1]);
    let night = every_five_minutes(&[10.4, 0.6, 0.8]);
    assert_eq!(
        increments(&gauge(None), &night),
        [0.0, 0.6, 0.2].map(Some),
        "what fell before the first reading counts"
    );
}

#[test]
fn a_counter_that_overflows_goes_on_and_one_that_falls_from_the_middle_begins_again() {
    let limits = gauge(Some(65_536.0 * 0.2));
    assert_eq!(increments(&limits, &every_five_minutes(&[13_106.8, 0.2, 0.6])), [0.0, 0.6, 0.4].map(Some));
    assert_eq!(increments(&limits, &every_five_minutes(&[6_000.0, 0.2])), [0.0, 0.2].map(Some));
    assert_eq!(increments(&gauge(None), &every_five_minutes(&[13_106.8, 0.2])), [0.0, 0.2].map(Some));
}

#[test]
fn one_low_reading_invents_no_rain_and_is_suspect() {
    let series = every_five_minutes(&[10.0, 10.2, 0.0, 10.4, 10.4]);
    for limits in [gauge(None), gauge(Some(20.0))] {
        assert_eq!(increments(&limits, &series), [Some(0.0), Some(0.2), None, Some(0.2), Some(0.0)]);
        assert_eq!(flags(&limits, &series), [2, 1, 3, 1, 1]);
        let tests = count(&limits, &series)[2].0;
        assert_eq!(tests.get(QualityTest::Spike), Flag::Suspect);
    }
    let back_to_the_same = every_five_minutes(&[10.2, 0.0, 10.2]);
    assert_eq!(increments(&gauge(None), &back_to_the_same), [Some(0.0), None, Some(0.0)]);
}

#[test]
fn one_high_reading_fails_and_the_next_counts_from_the_one_before() {
    let series = every_five_minutes(&[10.2, 999.0, 10.4]);
    assert_eq!(increments(&gauge(None), &series), [0.0, 988.8, 0.2].map(Some));
    assert_eq!(flags(&gauge(None), &series), [2, 4, 1]);
    let it_stays = every_five_minutes(&[10.2, 999.0, 999.2]);
    assert_eq!(increments(&gauge(None), &it_stays), [0.0, 988.8, 0.2].map(Some));
    assert_eq!(flags(&gauge(None), &it_stays), [2, 4, 1], "from where it went on");
}

#[test]
fn a_return_long_after_a_fall_is_a_counter_that_began_again() {
    let at = |minute: i64, value: f64| (UtcMillis::new(minute * MINUTE), Some(value));
    let midnight = vec![at(0, 10.4), at(5, 0.0), at(300, 12.0)];
    assert_eq!(increments(&gauge(None), &midnight), [0.0, 0.0, 12.0].map(Some));
    let soon = vec![at(0, 10.4), at(5, 0.0), at(120, 12.0)];
    assert_eq!(increments(&gauge(None), &soon), [Some(0.0), None, Some(1.6)]);
    let mut daily = gauge(None);
    daily.counter = Some(Counter { max: None, interval_ms: 24 * 60 * MINUTE });
    let days = vec![at(0, 10.4), at(24 * 60, 0.0), at(48 * 60, 12.0)];
    assert_eq!(increments(&daily, &days), [Some(0.0), None, Some(1.6)], "two intervals");
}

#[test]
fn a_lower_reading_that_arrived_before_a_higher_one_before_it_is_out_of_place() {
    let reading = |minute: i64, received_minute: i64, value: f64| Sample {
        at: UtcMillis::new(minute * MINUTE),
        value: Some(value),
        received_at: UtcMillis::new(received_minute * MINUTE),
    };
    let counted = |series: &[Sample]| -> Vec<_> { count(&gauge(None), series).into_iter().map(|(_, n)| n).collect() };
    let set_right =
        [reading(0, 0, 7.8), reading(4, 4, 8.4), reading(41, 2, 8.0), reading(42, 3, 8.2), reading(45, 45, 8.6)];
    assert_eq!(counted(&set_right), [Some(0.0), Some(0.6), None, None, Some(0.2)]);
    let tests = count(&gauge(None), &set_right)[3].0;
    assert_eq!((tests.get(QualityTest::Spike), tests.get(QualityTest::Clock)), (Flag::Suspect, Flag::Suspect));
    let really = [reading(40, 0, 10.0), reading(50, 10, 0.2), reading(60, 20, 0.4)];
    assert_eq!(counted(&really), [0.0, 0.2, 0.2].map(Some), "a clock that stays ahead");
    let late = [reading(0, 0, 10.0), reading(5, 100, 10.2), reading(10, 10, 0.2), reading(15, 15, 0.4)];
    assert_eq!(counted(&late), [0.0, 0.2, 0.2, 0.2].map(Some), "a late reading");
    let behind_a_zero = [reading(0, 0, 8.4), reading(5, 5, 0.0), reading(6, -1, 8.0), reading(7, 7, 8.6)];
    assert_eq!(counted(&behind_a_zero), [Some(0.0), None, None, Some(0.2)]);
}

#[test]
fn what_is_no_reading_is_stepped_over() {
    let limits = gauge(Some(100.0));
    let mut series = every_five_minutes(&[10.2, -9_999.0, 100.4, 10.4]);
    series.insert(3, (UtcMillis::new(11 * MINUTE), None));
    assert_eq!(increments(&limits, &series), [Some(0.0), None, None, None, Some(0.2)]);
    assert_eq!(flags(&limits, &series), [2, 4, 4, 2, 1]);
}

#[test]
fn where_readings_are_missing_more_may_have_been_counted() {
    let at = |minute: i64, value: f64| (UtcMillis::new(minute * MINUTE), Some(value));
    assert_eq!(flags(&gauge(None), &vec![at(0, 0.0), at(5, 40.0)]), [2, 3]);
    assert_eq!(flags(&gauge(None), &vec![at(0, 0.0), at(60, 80.0)]), [2, 1]);
    let limits = QualityLimits { rate_per_min: Some(Step { suspect: Some(4.0), fail: None }), ..gauge(None) };
    assert_eq!(flags(&limits, &vec![at(0, 0.0), at(5, 25.0), at(10, 35.0)]), [2, 3, 1]);
}

#[test]
fn a_dry_day_is_no_flat_line() {
    let limits = QualityLimits {
        flat_line: Some(bakau_model::FlatLine { tolerance: 0.0, suspect_s: Some(600), fail_s: Some(1_200) }),
        spike: Some(Step { suspect: Some(0.1), fail: None }),
        ..gauge(None)
    };
    let mut readings = vec![10.0; 288];
    readings.push(12.0);
    readings.push(12.0);
    assert!(flags(&limits, &every_five_minutes(&readings))[1..].iter().all(|&flag| flag == 1));
}

/// Rain, dry spells, resets, overflows, glitches in both directions, missing readings, gaps.
fn series() -> impl Strategy<Value = Series> {
    let step = prop_oneof![
        6 => (0_u32..3).prop_map(Event::Counts),
        1 => Just(Event::Counts(400)),
        1 => Just(Event::Resets),
        1 => Just(Event::Low),
        1 => Just(Event::High),
        1 => Just(Event::Missing),
    ];
    let gap = prop_oneof![8 => Just(5_i64), 1 => 1_i64..5, 1 => Just(300_i64)];
    prop::collection::vec((step, gap), 1..60).prop_map(|events| {
        let (mut minute, mut ticks) = (0, 0_u32);
        let mut reading = |(event, gap): (Event, i64)| {
            minute += gap;
            let value = match event {
                Event::Counts(more) => {
                    ticks += more;
                    Some(ticks)
                }
                Event::Resets => {
                    ticks = 0;
                    Some(0)
                }
                Event::Low => Some(ticks / 3),
                Event::High => Some(ticks + 5_000),
                Event::Missing => None,
            };
            (UtcMillis::new(minute * MINUTE), value.map(|ticks| f64::from(ticks) / 5.0))
        };
        events.into_iter().map(&mut reading).collect()
    })
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Counts(u32),
    Resets,
    Low,
    High,
    Missing,
}

/// Minutes from the time of a reading to its arrival.
fn ways() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0_i64), 1 => 1_i64..60, 1 => -60_i64..0]
}

fn arrival(at: UtcMillis, minutes: i64) -> UtcMillis {
    at.saturating_add(minutes * MINUTE)
}

/// The same with clocks that are ahead or set, and late arrivals.
fn jumping() -> impl Strategy<Value = Vec<Sample>> {
    (series(), prop::collection::vec(ways(), 60)).prop_map(|(series, ways)| {
        let reading = |(&(at, value), &way): (&(UtcMillis, Option<f64>), &i64)| Sample {
            at,
            value,
            received_at: arrival(at, way),
        };
        series.iter().zip(&ways).map(reading).collect()
    })
}

fn limits() -> impl Strategy<Value = QualityLimits> {
    prop_oneof![Just(gauge(None)), Just(gauge(Some(500.0))), Just(QualityLimits { fail: None, ..gauge(None) })]
}

proptest! {
    #[test]
    fn no_increment_is_ever_negative(limits in limits(), series in series()) {
        for increment in increments(&limits, &series).into_iter().flatten() {
            prop_assert!(0.0 <= increment && increment.is_finite(), "{increment}");
        }
    }

    #[test]
    fn without_resets_the_sum_is_the_last_reading_less_the_first(
        first in 0_u32..50_000,
        ticks in prop::collection::vec(0_u32..200, 1..100),
        missing in prop::collection::btree_set(0_usize..100, 0..20),
    ) {
        let mut readings = vec![f64::from(first) / 5.0];
        let mut count = first;
        for tick in &ticks {
            count += tick;
            readings.push(f64::from(count) / 5.0);
        }
        let mut series = every_five_minutes(&readings);
        let last = series.len() - 1;
        for place in missing.into_iter().filter(|place| (1..last).contains(place)) {
            series[place].1 = None;
        }
        let found = increments(&gauge(None), &series);
        prop_assert_eq!(total(found), f64::from(count - first) / 5.0);
    }

    #[test]
    fn before_what_looking_back_closes_nothing_matters(limits in limits(), series in jumping()) {
        let whole = count(&limits, &series);
        for place in 0..series.len() {
            let mut window = LookBack::of(&limits).unwrap();
            let closed = (0..place).rev().find_map(|read| window.closed_by(series[read]).map(|to| (read, to)));
            let Some((read, to)) = closed else { continue };
            let again = count(&limits, &series[read..]);
            let open = series.iter().position(|reading| to < reading.at).unwrap();
            prop_assert_eq!(&again[open - read..], &whole[open..]);
            let until = count(&limits, &series[..place]);
            let settled = series.iter().position(|reading| to == reading.at).unwrap();
            prop_assert_eq!(&until[..=settled], &whole[..=settled]);
        }
    }

    #[test]
    fn a_reading_changes_nothing_beyond_what_looking_ahead_closes(
        limits in limits(), series in jumping(), at in any::<prop::sample::Index>(), other in prop::option::of(0_u32..500),
        way in ways(),
    ) {
        let mut changed = series.clone();
        let place = at.index(series.len());
        let at = series[place].at;
        changed[place] = Sample { at, value: other.map(|ticks| f64::from(ticks) / 5.0), received_at: arrival(at, way) };
        let (before, after) = (count(&limits, &series), count(&limits, &changed));
        for series in [&series, &changed] {
            let mut window = LookAhead::of(&limits).unwrap();
            let mut readings = series.iter().enumerate();
            let closed = readings.find_map(|(read, &reading)| window.closed_by(reading, read == place).map(|to| (read, to)));
            if let Some((closed, to)) = closed {
                prop_assert_eq!(to, series[closed].at);
                prop_assert_eq!(&before[closed + 1..], &after[closed + 1..]);
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_while_rain_is_counted_invents_none(
        ticks in prop::collection::vec(0_u32..20, 3..60), set_at in any::<prop::sample::Index>(), ahead_minutes in -9_i64..60,
    ) {
        // Every five minutes a reading; up to one of them the clock is ahead, or behind it is one that was set back.
        let set_at = set_at.index(ticks.len());
        let mut counted = 0;
        let mut series: Vec<_> = ticks.iter().enumerate().map(|(n, ticks)| {
            counted += ticks;
            let received_at = UtcMillis::new(n as i64 * 5 * MINUTE);
            let by = if (n < set_at) == (0 < ahead_minutes) { ahead_minutes * MINUTE } else { 0 };
            Sample { at: received_at.saturating_add(by + (n as i64 % 3)), value: Some(f64::from(counted) / 5.0), received_at }
        }).collect();
        series.sort_by_key(|reading| reading.at);
        series.dedup_by_key(|reading| reading.at);
        let limits = QualityLimits { fail: None, ..gauge(None) };
        let found = total(count(&limits, &series).into_iter().map(|(_, increment)| increment));
        let values = series.iter().filter_map(|reading| reading.value);
        let most = values.clone().fold(0.0, f64::max) - values.fold(f64::MAX, f64::min);
        prop_assert!(found <= most + 1e-9, "{found} of {most}: {series:?}");
    }
}
