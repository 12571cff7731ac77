use bakau_model::{DatastreamId, DeploymentId, FlatLine, MissingCode, MissingCodes, Observation, Range, TimeSource};
use proptest::prelude::*;

use super::*;
use crate::{Flagger, Margin, evaluate, flat, margin};

const MINUTE: i64 = 60_000;
type Series = Vec<(UtcMillis, Option<f64>)>;

fn water() -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: 0.0, max: 50.0 }),
        suspect: Some(Range { min: 1.0, max: 15.0 }),
        spike: Some(Step { suspect: Some(2.0), fail: Some(5.0) }),
        rate_per_min: Some(Step { suspect: Some(0.5), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(3_600), fail_s: Some(6 * 3_600) }),
        ..QualityLimits::default()
    }
}

/// -9 and 1 as they are sent, and 0.5 as it is in a unit that no device sends.
static CODES: [MissingCode; 3] = [
    MissingCode { bits: 0.5_f64.to_bits(), units: 0b10 },
    MissingCode { bits: 1.0_f64.to_bits(), units: 0b01 },
    MissingCode { bits: (-9.0_f64).to_bits(), units: 0b01 },
];

fn codes() -> MissingCodes {
    MissingCodes::new(&CODES, 0b01)
}

fn every_minutes(step: i64, values: &[f64]) -> Series {
    values.iter().enumerate().map(|(n, &value)| (UtcMillis::new(n as i64 * step * MINUTE), Some(value))).collect()
}

fn results(limits: &QualityLimits, series: &Series, test: QualityTest) -> Vec<u8> {
    evaluate(limits, series).into_iter().map(|results| results.get(test).code()).collect()
}

#[test]
fn gross_range_tells_impossible_from_implausible() {
    let series = every_minutes(10, &[8.0, 0.5, 15.0, 60.0, -0.1]);
    assert_eq!(results(&water(), &series, QualityTest::GrossRange), [1, 3, 1, 4, 4]);
    let only_suspect = QualityLimits { suspect: water().suspect, ..QualityLimits::default() };
    assert_eq!(results(&only_suspect, &series, QualityTest::GrossRange), [1, 3, 1, 3, 3]);
    let none = evaluate(&QualityLimits::default(), &series);
    assert!(none.iter().all(|results| results.aggregate() == Flag::NotEvaluated));
}

#[test]
fn a_spike_is_blamed_when_its_next_neighbour_arrives_and_its_neighbours_are_not() {
    let (limits, mut stream) = (water(), Stream::new());
    let judged: Vec<_> = every_minutes(10, &[8.0, 8.1, 14.0, 8.0, 8.2])
        .iter()
        .map(|&value| stream.judge(&limits, value.into()))
        .collect();
    assert_eq!(judged[2].results.get(QualityTest::Spike), Flag::NotEvaluated);
    let Revision { at, results: revised, .. } = judged[3].revises.unwrap();
    assert_eq!((at.get(), revised.get(QualityTest::Spike)), (20 * MINUTE, Flag::Fail));
    assert_eq!(
        results(&limits, &every_minutes(10, &[8.0, 8.1, 14.0, 8.0, 8.2]), QualityTest::Spike),
        [2, 1, 4, 1, 2],
        "the first and the last have one neighbour only"
    );
    assert_eq!(
        results(&limits, &every_minutes(10, &[8.0, 8.1, 14.0, 8.0, 8.2]), QualityTest::RateOfChange),
        [2, 1, 3, 1, 1],
        "the step back from a spike is measured against the value before it"
    );
}

#[test]
fn a_step_that_stays_is_a_rate_and_no_spike() {
    let series = every_minutes(10, &[8.0, 8.0, 14.0, 14.1, 14.0]);
    assert_eq!(results(&water(), &series, QualityTest::Spike), [2, 1, 1, 1, 2]);
    assert_eq!(results(&water(), &series, QualityTest::RateOfChange), [2, 1, 3, 1, 1]);
}

#[test]
fn missing_and_impossible_values_are_no_neighbours() {
    let mut series = every_minutes(10, &[8.0, 8.1, 99.0, 8.2, 8.1]);
    series.insert(2, (UtcMillis::new(15 * MINUTE), None));
    assert_eq!(results(&water(), &series, QualityTest::Spike), [2, 1, 2, 2, 1, 2]);
    assert_eq!(evaluate(&water(), &series)[2], TestResults::NONE);
}

#[test]
fn neighbourhood_ends_at_long_gaps_and_uneven_ones_are_no_ground_for_a_spike() {
    let at = |minute: i64, value: f64| (UtcMillis::new(minute * MINUTE), Some(value));
    let uneven = vec![at(0, 8.0), at(10, 14.0), at(41, 8.0), at(42, 8.0)];
    assert_eq!(results(&water(), &uneven, QualityTest::Spike), [2, 2, 2, 2]);
    let bridged = vec![at(0, 8.0), at(10, 14.0), at(40, 8.0), at(50, 8.0)];
    assert_eq!(results(&water(), &bridged, QualityTest::Spike), [2, 4, 1, 2]);
    let broken = vec![at(0, 8.0), at(60, 8.0), at(181, 14.0), at(240, 14.0)];
    assert_eq!(results(&water(), &broken, QualityTest::Spike), [2, 2, 2, 2]);
    assert_eq!(results(&water(), &broken, QualityTest::RateOfChange), [2, 1, 2, 1]);
}

#[test]
fn the_margin_reaches_past_a_spike_to_the_value_before_it() {
    let at = |minute: i64, value: f64| (UtcMillis::new(minute * MINUTE), Some(value));
    let limits = QualityLimits { flat_line: None, ..water() };
    let whole = vec![at(0, 8.0), at(110, 14.0), at(220, 8.0)];
    let before = UtcMillis::new(220 * MINUTE - margin(&limits).before);
    let near: Series = whole.iter().copied().filter(|&(at, _)| before <= at).collect();
    let rate = |series: &Series| results(&limits, series, QualityTest::RateOfChange).pop();
    assert_eq!(
        (rate(&whole), rate(&near)),
        (Some(2), Some(2)),
        "the value before the spike is too far away for a rate"
    );
}

#[test]
fn values_less_than_a_minute_apart_count_as_a_minute() {
    let series = vec![(UtcMillis::new(0), Some(8.0)), (UtcMillis::new(1), Some(8.4)), (UtcMillis::new(2), Some(9.0))];
    assert_eq!(results(&water(), &series, QualityTest::RateOfChange), [2, 1, 3]);
}

#[test]
fn what_is_not_newer_is_judged_by_its_range_and_changes_nothing() {
    let (limits, mut stream) = (water(), Stream::new());
    for value in every_minutes(10, &[8.0, 8.1]) {
        stream.judge(&limits, value.into());
    }
    let before = stream;
    let late = stream.judge(&limits, (UtcMillis::new(5 * MINUTE), Some(0.5)).into());
    assert_eq!((late.results.aggregate(), late.revises, stream), (Flag::Suspect, None, before));
}

#[test]
fn numbers_that_are_none_and_instants_at_the_edge_do_no_harm() {
    let (limits, mut stream) = (water(), Stream::new());
    let wild = [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0];
    let any = QualityLimits { fail: None, ..limits };
    for (n, at) in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX].into_iter().enumerate() {
        stream.judge(&any, (UtcMillis::new(at), Some(wild[n % wild.len()])).into());
    }
    assert_eq!(stream.newest(), Some(UtcMillis::new(i64::MAX)));
}

#[test]
fn a_correction_of_the_newest_value_is_judged_as_if_the_first_had_not_been() {
    let (limits, mut flagger) = (water(), Flagger::new());
    let mut judge = |minute: i64, value: f64| {
        let observation = Observation {
            datastream: DatastreamId::new(1),
            observed_at: UtcMillis::new(minute * MINUTE),
            value: Some(value),
            deployment: DeploymentId::new(1),
            time_source: TimeSource::Device,
            received_at: UtcMillis::new(minute * MINUTE),
            flag: Flag::NotEvaluated,
        };
        flagger.judge(&limits, &observation).results.aggregate().code()
    };
    assert_eq!([judge(0, 8.0), judge(10, 14.0), judge(10, 8.1), judge(20, 8.2)], [1, 3, 1, 1]);
    assert_eq!(judge(5, 0.5), 3, "a late value is judged by its range");
}

#[test]
fn a_code_outside_the_range_fails_as_one_and_within_it_is_suspect_when_it_is_repeated() {
    let limits = QualityLimits { codes: codes(), suspect: None, ..water() };
    let code = |values: &[f64]| results(&limits, &every_minutes(10, values), QualityTest::MissingCode);
    assert_eq!(code(&[8.0, -9.0, -9.0, 8.1, -8.0]), [2, 4, 4, 2, 2], "another impossible value is no code");
    assert_eq!(code(&[8.0, 1.0, 1.0, 1.1, 1.0, 1.0, 1.0]), [2, 2, 3, 2, 2, 3, 3]);
    assert_eq!(code(&[1.0, -9.0, 1.0]), [2, 4, 3], "what is no value does not come between");
    assert_eq!(code(&[0.5, 0.5, 2.0, 2.0]), [2, 2, 2, 2], "no device of this datastream sends it so");
    let outside = QualityLimits { fail: Some(Range { min: 2.0, max: 50.0 }), ..limits };
    assert_eq!(results(&outside, &every_minutes(10, &[0.5, 1.0]), QualityTest::MissingCode), [4, 4]);
    let apart = vec![(UtcMillis::new(0), Some(1.0)), (UtcMillis::new(NEIGHBOUR_GAP_MS + 1), Some(1.0))];
    assert_eq!(results(&limits, &apart, QualityTest::MissingCode), [2, 2]);
    let series = every_minutes(10, &[8.0, -9.0, -9.0, 8.1]);
    assert_eq!(results(&limits, &series, QualityTest::Spike), [2, 2, 2, 2], "a code is nobody's neighbour");
}

#[test]
fn a_value_from_a_clock_that_is_ahead_is_suspect_and_stays_so_when_its_next_neighbour_comes() {
    let (limits, mut stream) = (water(), Stream::new());
    let mut judge = |minute: i64, received_minute: i64, value: f64| {
        let (at, received_at) = (UtcMillis::new(minute * MINUTE), UtcMillis::new(received_minute * MINUTE));
        stream.judge(&limits, Sample { at, value: Some(value), received_at })
    };
    assert_eq!(judge(0, 0, 8.0).results.get(QualityTest::Clock), Flag::NotEvaluated);
    let ahead = judge(10, 6, 8.1).results;
    assert_eq!((ahead.get(QualityTest::Clock), ahead.aggregate()), (Flag::Suspect, Flag::Suspect));
    let revised = judge(20, 20, 8.0).revises.unwrap().results;
    assert_eq!((revised.get(QualityTest::Clock), revised.get(QualityTest::Spike)), (Flag::Suspect, Flag::Good));
}

// === against the definitions, written down without a state ===

/// The tests by their words, looking at the whole series for every value.
struct Definition<'a> {
    limits: &'a QualityLimits,
    series: &'a Series,
    /// Places of the values that can be neighbours.
    usable: Vec<usize>,
}

impl Definition<'_> {
    fn at(&self, place: usize) -> i64 {
        self.series[self.usable[place]].0.get()
    }

    fn value(&self, place: usize) -> f64 {
        self.series[self.usable[place]].1.unwrap()
    }

    fn neighbour(&self, place: usize, step: isize) -> Option<usize> {
        let other = place.checked_add_signed(step).filter(|other| *other < self.usable.len())?;
        ((self.at(other) - self.at(place)).abs() <= NEIGHBOUR_GAP_MS).then_some(other)
    }

    fn spike(&self, place: usize) -> Flag {
        let (before, after) = (self.neighbour(place, -1), self.neighbour(place, 1));
        let (Some(limits), Some(before), Some(after)) = (&self.limits.spike, before, after) else {
            return Flag::NotEvaluated;
        };
        let (short, long) = (self.at(place) - self.at(before), self.at(after) - self.at(place));
        if GAP_RATIO * short.min(long) < short.max(long) {
            return Flag::NotEvaluated;
        }
        let (here, before, after) = (self.value(place), self.value(before), self.value(after));
        let same_side = (here > before) == (here > after);
        beyond(limits, if same_side { (here - before).abs().min((here - after).abs()) } else { 0.0 })
    }

    fn rate(&self, place: usize) -> Flag {
        let (Some(limits), Some(before)) = (&self.limits.rate_per_min, self.neighbour(place, -1)) else {
            return Flag::NotEvaluated;
        };
        let from = match self.spike(place - 1) {
            Flag::Suspect | Flag::Fail => place - 2,
            _ => before,
        };
        let gap = self.at(place) - self.at(from);
        if NEIGHBOUR_GAP_MS < gap {
            return Flag::NotEvaluated;
        }
        beyond(limits, (self.value(place) - self.value(from)).abs() / (gap as f64 / MINUTE_MS as f64).max(1.0))
    }

    fn missing_code(&self, place: usize) -> Flag {
        let repeated = self.neighbour(place, -1).is_some_and(|before| self.value(before) == self.value(place));
        let known = CODES.iter().any(|code| code.bits == self.value(place).to_bits() && code.units == 1);
        let tested = !self.limits.codes.is_empty();
        if tested && repeated && known { Flag::Suspect } else { Flag::NotEvaluated }
    }

    fn flat_line(&self, place: usize) -> Flag {
        let Some(limits) = &self.limits.flat_line else { return Flag::NotEvaluated };
        let Some(longest) = flat::longest_window_ms(limits) else { return Flag::NotEvaluated };
        let mut first = place;
        while let Some(before) = self.neighbour(first, -1) {
            first = before;
        }
        let now = self.at(place);
        let flat_for = |seconds: Option<u32>| {
            let window = i64::from(seconds?) * 1_000;
            if window == 0 || now - window < self.at(first) {
                return None;
            }
            let slot = flat::slot_ms(longest);
            let start = (now - window).div_euclid(slot) * slot;
            let values = (first..=place).filter(|&n| start <= self.at(n)).map(|n| self.value(n));
            let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), v| (min.min(v), max.max(v)));
            Some(max - min <= limits.tolerance)
        };
        match (flat_for(limits.fail_s), flat_for(limits.suspect_s)) {
            (Some(true), _) => Flag::Fail,
            (_, Some(true)) => Flag::Suspect,
            (None, None) => Flag::NotEvaluated,
            _ => Flag::Good,
        }
    }
}

fn by_definition(limits: &QualityLimits, series: &Series) -> Vec<TestResults> {
    let range = |value: f64| gross_range(limits, value, 1.0);
    let usable: Vec<usize> =
        (0..series.len()).filter(|&n| series[n].1.is_some_and(|value| range(value) != Flag::Fail)).collect();
    let definition = Definition { limits, series, usable };
    let mut all: Vec<_> = series
        .iter()
        .map(|(_, value)| TestResults::NONE.with(QualityTest::GrossRange, value.map_or(Flag::NotEvaluated, range)))
        .collect();
    for (place, &n) in definition.usable.iter().enumerate() {
        all[n] = all[n]
            .with(QualityTest::Spike, definition.spike(place))
            .with(QualityTest::RateOfChange, definition.rate(place))
            .with(QualityTest::FlatLine, definition.flat_line(place))
            .with(QualityTest::MissingCode, definition.missing_code(place));
    }
    for (results, (_, value)) in all.iter_mut().zip(series) {
        let is_code = |value: f64| CODES.iter().any(|code| code.bits == value.to_bits());
        if !limits.codes.is_empty() && value.is_some_and(|value| range(value) == Flag::Fail && is_code(value)) {
            *results = results.with(QualityTest::MissingCode, Flag::Fail);
        }
    }
    all
}

fn step() -> impl Strategy<Value = Option<Step>> {
    let limit = || proptest::option::of(prop_oneof![Just(0.0), Just(1.0), Just(3.0)]);
    proptest::option::of((limit(), limit()).prop_map(|(suspect, fail)| Step { suspect, fail }))
}

fn limits() -> impl Strategy<Value = QualityLimits> {
    let seconds =
        || proptest::option::of(prop_oneof![Just(0_u32), Just(600), Just(3_600), Just(4 * 3_600), Just(20_011)]);
    let flat_line = (prop_oneof![Just(0.0), Just(1.0)], seconds(), seconds());
    let flat_line = flat_line.prop_map(|(tolerance, suspect_s, fail_s)| FlatLine { tolerance, suspect_s, fail_s });
    let range = |min: f64, max: f64| proptest::option::of(Just(Range { min, max }));
    let codes = prop_oneof![Just(MissingCodes::NONE), Just(codes())];
    (range(-8.0, 8.0), range(-4.0, 4.0), step(), step(), proptest::option::of(flat_line), codes).prop_map(
        |(fail, suspect, spike, rate_per_min, flat_line, codes)| QualityLimits {
            fail,
            suspect,
            spike,
            rate_per_min,
            flat_line,
            counter: None,
            codes,
        },
    )
}

/// Few distinct values and gaps around every limit, so that each rule decides often.
fn series() -> impl Strategy<Value = Series> {
    let gap = prop_oneof![
        20 => Just(10 * MINUTE),
        4 => 1..40 * MINUTE,
        2 => prop_oneof![Just(1_i64), Just(NEIGHBOUR_GAP_MS), Just(NEIGHBOUR_GAP_MS + 1), Just(NEIGHBOUR_GAP_MS / 2)],
    ];
    let value = prop_oneof![
        8 => prop_oneof![Just(0.0), Just(0.5), Just(1.0)].prop_map(Some),
        3 => (-10_i32..10).prop_map(|n| Some(f64::from(n))),
        1 => Just(None),
    ];
    proptest::collection::vec((gap, value), 0..120).prop_map(|steps| {
        let mut at = -30 * MINUTE;
        let mut next = |(gap, value)| {
            at += gap;
            (UtcMillis::new(at), value)
        };
        steps.into_iter().map(&mut next).collect()
    })
}

proptest! {
    #[test]
    fn a_stream_says_what_the_definitions_say(limits in limits(), series in series()) {
        prop_assert_eq!(evaluate(&limits, &series), by_definition(&limits, &series));
    }

    #[test]
    fn nothing_outside_the_margin_matters(limits in limits(), series in series(), place in any::<prop::sample::Index>()) {
        prop_assume!(!series.is_empty());
        let whole = evaluate(&limits, &series);
        let place = place.index(series.len());
        let Margin { before, after } = margin(&limits);
        let at = series[place].0;
        let near = |other: UtcMillis| -before <= other.since(at) && other.since(at) <= after;
        let part: Series = series.iter().copied().filter(|&(other, _)| near(other)).collect();
        let inside = part.iter().position(|&(other, _)| other == at).unwrap();
        prop_assert_eq!(evaluate(&limits, &part)[inside], whole[place]);
    }

    #[test]
    fn a_state_made_anew_from_the_margin_goes_on_alike(limits in limits(), series in series(), cut in any::<prop::sample::Index>()) {
        prop_assume!(!series.is_empty());
        let cut = cut.index(series.len());
        let mut whole = Stream::new();
        series[..=cut].iter().for_each(|&value| { whole.judge(&limits, value.into()); });
        let reach = series[cut].0.saturating_add(-margin(&limits).to_resume());
        let mut anew = Stream::new();
        for &value in series[..=cut].iter().filter(|(at, _)| reach <= *at) {
            anew.judge(&limits, value.into());
        }
        for &value in &series[cut + 1..] {
            prop_assert_eq!(whole.judge(&limits, value.into()), anew.judge(&limits, value.into()));
        }
    }
}
