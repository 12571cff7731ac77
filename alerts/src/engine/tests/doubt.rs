//! Suspect values raise but never clear, holds are not bridged over gaps, and the settled history says the same.

use super::*;
use crate::{
    settled::settle,
    testing::{datastream, observation},
};

/// Values a minute apart are expected; a hold of 10 minutes where there is one.
fn every_minute(hold_s: u32) -> Engine {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(minutely(hold_s, 60_000)));
    engine
}

fn minutely(hold_s: u32, interval_ms: i64) -> RuleSet {
    let mut rules = rule_set(1, [do_rule(hold_s)]);
    rules.rules.iter_mut().for_each(|watched| watched.interval_ms = interval_ms);
    rules
}

/// Good and suspect values: `(minute, value, suspect)`.
fn flagged(engine: &mut Engine, history: &[(i64, f64, bool)]) -> Vec<Effect> {
    let flag = |suspect: bool| if suspect { Flag::Suspect } else { Flag::Good };
    let input = |(minutes, value, suspect): &(i64, f64, bool)| {
        (minute(*minutes), Input::Observation(Measured { flag: flag(*suspect), ..measured(*minutes, *value) }))
    };
    history.iter().map(input).flat_map(|(now, input)| engine.step(now, input)).collect()
}

const GOOD: bool = false;
const SUSPECT: bool = true;

/// (what it shows, hold in seconds, history, expected transitions); values in mg/L.
type Doubtful = (&'static str, u32, &'static [(i64, f64, bool)], &'static [&'static str]);

const DOUBTS: &[Doubtful] = &[
    ("a suspect value raises", 0, &[(0, 6.0, GOOD), (1, 0.3, SUSPECT)], &["1:normal>awas since 1"]),
    (
        "suspect values end nothing, lower nothing, and after three it is said once",
        0,
        &[
            (0, 0.3, GOOD),
            (1, 6.0, SUSPECT),
            (2, 3.0, SUSPECT),
            (3, 6.0, SUSPECT),
            (4, 6.0, SUSPECT),
            (5, 6.0, SUSPECT),
        ],
        &["0:normal>awas since 0", "3:awas>awas since 0 unconfirmed"],
    ),
    (
        "a good value behind the clear value ends it",
        0,
        &[(0, 3.0, GOOD), (1, 6.0, SUSPECT), (2, 6.0, SUSPECT), (3, 6.0, SUSPECT), (4, 6.0, GOOD)],
        &["0:normal>waspada since 0", "3:waspada>waspada since 0 unconfirmed", "4:waspada>normal since 0"],
    ),
    (
        "a good value that crosses confirms it",
        0,
        &[(0, 3.0, GOOD), (1, 6.0, SUSPECT), (2, 6.0, SUSPECT), (3, 6.0, SUSPECT), (4, 3.0, GOOD)],
        &["0:normal>waspada since 0", "3:waspada>waspada since 0 unconfirmed", "4:waspada>waspada since 0 confirmed"],
    ),
    (
        "good values between them begin the count anew",
        0,
        &[(0, 3.0, GOOD), (1, 6.0, SUSPECT), (2, 6.0, SUSPECT), (3, 4.2, GOOD), (4, 6.0, SUSPECT), (5, 6.0, SUSPECT)],
        &["0:normal>waspada since 0"],
    ),
    (
        "suspect values that do not speak against it say nothing",
        0,
        &[(0, 3.0, GOOD), (1, 3.0, SUSPECT), (2, 4.2, SUSPECT), (3, 3.9, SUSPECT), (4, 3.0, SUSPECT)],
        &["0:normal>waspada since 0"],
    ),
    (
        "a suspect value breaks no hold",
        600,
        &[
            (0, 3.0, GOOD),
            (2, 3.0, GOOD),
            (3, 6.0, SUSPECT),
            (4, 3.0, GOOD),
            (6, 3.0, GOOD),
            (8, 3.0, GOOD),
            (10, 3.0, GOOD),
        ],
        &["10:normal>waspada since 0"],
    ),
    (
        "suspect values that do not cross carry no hold over a gap",
        600,
        &[(0, 3.0, GOOD), (2, 6.0, SUSPECT), (4, 6.0, SUSPECT), (6, 6.0, SUSPECT), (8, 6.0, SUSPECT), (10, 3.0, GOOD)],
        &[],
    ),
    (
        "a rise that suspect values make is no doubt",
        0,
        &[
            (0, 3.0, GOOD),
            (1, 6.0, SUSPECT),
            (2, 6.0, SUSPECT),
            (3, 0.3, SUSPECT),
            (4, 6.0, SUSPECT),
            (5, 6.0, SUSPECT),
        ],
        &["0:normal>waspada since 0", "3:waspada>awas since 0"],
    ),
];

#[test]
fn suspect_values_raise_but_never_clear() {
    for (name, hold_s, history, expected) in DOUBTS {
        assert_eq!(told(flagged(&mut every_minute(*hold_s), history)), *expected, "{name}");
    }
}

#[test]
fn people_hear_once_per_level_that_an_alert_cannot_be_confirmed() {
    let mut engine = every_minute(0);
    let spell = |at: i64| [(at, 6.0, SUSPECT), (at + 1, 6.0, SUSPECT), (at + 2, 6.0, SUSPECT), (at + 3, 3.0, GOOD)];
    let history =
        [vec![(0, 3.0, GOOD)], spell(1).to_vec(), spell(5).to_vec(), vec![(9, 0.3, GOOD)], spell(10).to_vec()];
    let tells: Vec<_> = transitions(flagged(&mut engine, &history.concat()))
        .iter()
        .map(|transition| (transition.reason.key(), transition.tells))
        .collect();
    let expected = [
        ("threshold", true),
        ("unconfirmed", true),
        ("confirmed", false),
        ("unconfirmed", false),
        ("confirmed", false),
        ("threshold", true),
        ("unconfirmed", true),
        // A good value of 3 lowers awas to waspada.
        ("threshold", true),
    ];
    assert_eq!(tells, expected);
}

/// (what it shows, minutes with a value of 3, expected transitions) under a hold of 10 minutes, a value a minute expected.
const GAPS: &[(&str, &[i64], &[&str])] = &[
    ("two and a half intervals are no gap", &[0, 2, 4, 6, 8, 10], &["10:normal>waspada since 0"]),
    ("three are", &[0, 3, 6, 9, 12, 15], &[]),
    ("behind a gap the hold begins anew", &[0, 1, 2, 3, 60, 62, 64, 66, 68], &[]),
    ("and so does what people are told", &[0, 1, 60, 62, 64, 66, 68, 70], &["70:normal>waspada since 60"]),
];

#[test]
fn a_hold_is_not_bridged_over_a_gap() {
    for (name, minutes, expected) in GAPS {
        let mut engine = every_minute(600);
        let effects = minutes.iter().flat_map(|at| feed(&mut engine, *at, 3.0)).collect();
        assert_eq!(told(effects), *expected, "{name}");
    }
}

#[test]
fn a_gap_ends_nothing_that_was_raised() {
    let mut engine = every_minute(0);
    feed(&mut engine, 0, 3.0);
    assert_eq!(told(feed(&mut engine, 60, 3.0)), [""; 0]);
    assert_eq!(told(feed(&mut engine, 61, 6.0)), ["61:waspada>normal since 0"]);
}

#[test]
fn another_interval_closes_no_alert_and_holds_from_then_on() {
    let mut engine = every_minute(600);
    for at in [0, 2, 4, 6, 8, 10] {
        feed(&mut engine, at, 3.0);
    }
    assert_eq!(engine.step(minute(10), Input::RuleChange(minutely(600, 300_000))), vec![]);
    assert_eq!(told(feed(&mut engine, 15, 1.0)), [""; 0]);
    assert_eq!(told(feed(&mut engine, 25, 1.0)), ["25:waspada>siaga since 0"], "10 of 5 minutes are no gap");
}

/// A state as format 1 stored it: waspada, which knew neither intervals nor doubts.
#[test]
fn a_state_from_before_goes_on_under_the_interval_of_now() {
    let digits: String = include_str!("format_1.hex").split_whitespace().collect();
    let bytes = (0..digits.len() / 2).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap());
    let state = SlotState::decode(&bytes.collect::<Vec<_>>()).unwrap();
    let key = SlotKey { subject: crate::testing::SUBJECT, rule: do_rule(0).id };
    let snapshot = EngineSnapshot { slots: vec![(key, state)], ..EngineSnapshot::default() };
    let mut engine = Engine::restore(LATENESS_MS, snapshot);
    assert_eq!(engine.step(minute(1), Input::RuleChange(minutely(0, 60_000))), vec![], "no alert is closed");
    let suspect: Vec<_> = (2..5).map(|at| (at, 6.0, SUSPECT)).collect();
    assert_eq!(told(flagged(&mut engine, &suspect)), ["4:waspada>waspada since 0 unconfirmed"]);
    assert_eq!(told(feed(&mut engine, 5, 6.0)), ["5:waspada>normal since 0"]);
}

fn oxygen() -> impl Strategy<Value = f64> {
    prop_oneof![2 => 0.0f64..8.0, 2 => Just(3.0), 1 => Just(0.3), 1 => Just(4.0), 2 => Just(6.0)]
}

/// Values in order, some minutes apart.
fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
    proptest::collection::vec((1i64..5, oxygen()), 1..80).prop_map(|steps| {
        let mut at = 0;
        let place = |(apart, value)| {
            at += apart;
            (at, value)
        };
        steps.into_iter().map(place).collect()
    })
}

fn levels(effects: Vec<Effect>) -> Vec<(UtcMillis, UtcMillis, Level, Level)> {
    let changes = transitions(effects).into_iter().filter(|t| t.reason == Reason::Threshold);
    changes.map(|t| (t.told.onset, t.told.observed_at, t.told.from, t.told.to)).collect()
}

proptest! {
    /// Suspect values behind every limit change no level, whatever else there is.
    #[test]
    fn suspect_values_behind_the_limits_change_nothing(
        series in series(), hold in 0u32..900, doubts in proptest::collection::btree_set(0i64..400, 0..60),
    ) {
        let good: Vec<_> = series.iter().map(|(at, value)| (*at, *value, GOOD)).collect();
        let mut both = good.clone();
        both.extend(doubts.iter().filter(|at| series.iter().all(|(other, _)| other != *at)).map(|at| (*at, 7.0, SUSPECT)));
        both.sort_by_key(|(at, ..)| *at);
        prop_assert_eq!(levels(flagged(&mut every_minute(hold), &both)), levels(flagged(&mut every_minute(hold), &good)));
    }

    /// Levels fall at good values only.
    #[test]
    fn nothing_falls_at_a_suspect_value(series in series(), hold in 0u32..900, suspect in proptest::collection::vec(any::<bool>(), 80)) {
        let history: Vec<_> = series.iter().zip(suspect).map(|((at, value), suspect)| (*at, *value, suspect)).collect();
        for transition in transitions(flagged(&mut every_minute(hold), &history)) {
            let (_, flag) = transition.told.value.unwrap();
            prop_assert!(transition.told.from <= transition.told.to || flag == Flag::Good);
            prop_assert!(transition.reason != Reason::Unconfirmed || flag == Flag::Suspect);
        }
    }

    /// Whenever waspada is raised from rest, values no further than 2.5 intervals apart have crossed it for as long as the hold.
    #[test]
    fn what_is_raised_was_crossed_for_the_whole_hold_without_a_gap(series in series(), hold in 0u32..900) {
        let good: Vec<_> = series.iter().map(|(at, value)| (*at, *value, GOOD)).collect();
        for raised in transitions(flagged(&mut every_minute(hold), &good)).iter().filter(|t| t.told.from == Level::Normal) {
            let stretch: Vec<_> = good.iter().filter(|(at, ..)| raised.told.onset <= minute(*at) && minute(*at) <= raised.told.observed_at).collect();
            prop_assert!(stretch.iter().all(|(_, value, _)| *value <= 4.0));
            prop_assert!(stretch.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 2), "2.5 minutes");
            prop_assert!(i64::from(hold) * 1_000 <= raised.told.observed_at.since(raised.told.onset));
        }
    }

    /// What arrived in order is told live as the settled history has it: the same onset, peak and end.
    #[test]
    fn in_order_the_live_alerts_are_those_of_the_settled_history(series in series(), hold in 0u32..900) {
        let stored: Vec<_> = series.iter().map(|(at, value)| observation(*at, *value)).collect();
        let mut live: Vec<(AlertId, UtcMillis, Level, Option<UtcMillis>)> = Vec::new();
        let good: Vec<_> = series.iter().map(|(at, value)| (*at, *value, GOOD)).collect();
        for t in transitions(flagged(&mut every_minute(hold), &good)) {
            let end = (t.told.to == Level::Normal).then_some(t.told.observed_at);
            match live.last_mut().filter(|(id, ..)| *id == t.alert) {
                Some(known) => (known.2, known.3) = (t.told.peak, end),
                None => live.push((t.alert, t.told.onset, t.told.peak, end)),
            }
        }
        let settled = settle(&do_rule(hold), &datastream(), &stored);
        let settled: Vec<_> = settled.iter().map(|one| (one.id, one.onset, one.peak, one.end)).collect();
        prop_assert_eq!(live, settled);
    }
}
