mod acknowledge;
mod ahead;
mod doubt;
mod no_data;
mod onset;

use bakau_model::{Flag, PerLevel};
use bakau_registry::{Band, Condition, Direction, Threshold};
use proptest::prelude::*;

use super::*;
use crate::testing::{DATASTREAM, do_rule, do_target, minute, rule_set, set_waspada};

const LATENESS_MS: i64 = 2 * 60 * 60 * 1000;

fn engine(hold_s: u32) -> Engine {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    assert_eq!(engine.step(minute(0), Input::RuleChange(rule_set(1, [do_rule(hold_s)]))), vec![]);
    engine
}

fn measured(minutes: i64, value: f64) -> Measured {
    Measured {
        datastream: DATASTREAM,
        observed_at: minute(minutes),
        received_at: minute(minutes),
        value: Some(value),
        flag: Flag::NotEvaluated,
        waited: false,
        origin: None,
    }
}

fn feed(engine: &mut Engine, minutes: i64, value: f64) -> Vec<Effect> {
    engine.step(minute(minutes), Input::Observation(measured(minutes, value)))
}

fn transitions(effects: Vec<Effect>) -> Vec<Transition> {
    let transition = |effect| match effect {
        Effect::Transition(transition) => Some(*transition),
        Effect::Reminder(_)
        | Effect::Acknowledged(_)
        | Effect::Muted(_)
        | Effect::MuteEnded(_)
        | Effect::Refused(_) => None,
    };
    effects.into_iter().filter_map(transition).collect()
}

/// One line per transition: `minute:from>to`, with the onset where it is another minute.
fn told(effects: Vec<Effect>) -> Vec<String> {
    let line = |t: Transition| {
        let at = t.told.observed_at.since(minute(0)) / 60_000;
        let reason = if t.reason == Reason::Threshold { String::new() } else { format!(" {}", t.reason.key()) };
        let onset = t.told.onset.since(minute(0)) / 60_000;
        format!("{at}:{}>{} since {onset}{reason}", t.told.from, t.told.to)
    };
    transitions(effects).into_iter().map(line).collect()
}

/// (what it shows, hold in seconds, (minute, value), expected transitions); values in mg/L.
type Case = (&'static str, u32, &'static [(i64, f64)], &'static [&'static str]);

const CASES: &[Case] = &[
    ("calm water", 0, &[(0, 6.0), (1, 4.1)], &[]),
    ("at the raise value", 0, &[(0, 4.0)], &["0:normal>waspada since 0"]),
    (
        "between raise and clear nothing changes",
        0,
        &[(0, 3.9), (1, 4.3), (2, 4.5), (3, 3.9)],
        &["0:normal>waspada since 0"],
    ),
    (
        "back behind the clear value",
        0,
        &[(0, 3.9), (1, 4.51)],
        &["0:normal>waspada since 0", "1:waspada>normal since 0"],
    ),
    ("a direct jump to awas", 0, &[(0, 6.0), (1, 0.3)], &["1:normal>awas since 1"]),
    (
        "step by step up and down",
        0,
        &[(0, 3.0), (1, 1.9), (2, 0.5), (3, 0.8), (4, 0.9), (5, 2.6), (6, 5.0)],
        &[
            "0:normal>waspada since 0",
            "1:waspada>siaga since 0",
            "2:siaga>awas since 0",
            "4:awas>siaga since 0",
            "5:siaga>waspada since 0",
            "6:waspada>normal since 0",
        ],
    ),
    ("a drop over several levels", 0, &[(0, 0.4), (1, 3.0)], &["0:normal>awas since 0", "1:awas>waspada since 0"]),
    ("held long enough", 600, &[(0, 3.0), (5, 3.0), (9, 3.0), (10, 3.0)], &["10:normal>waspada since 0"]),
    ("the hold is broken", 600, &[(0, 3.0), (5, 4.1), (6, 3.0), (11, 3.0), (16, 3.0)], &["16:normal>waspada since 6"]),
    (
        "each level holds for itself",
        600,
        &[(0, 3.0), (5, 0.3), (10, 0.3), (15, 0.3)],
        &["10:normal>waspada since 0", "15:waspada>awas since 0"],
    ),
    (
        "a broken higher level does not break the lower",
        600,
        &[(0, 1.0), (5, 3.0), (10, 3.0), (15, 1.0)],
        &["10:normal>waspada since 0"],
    ),
    ("a duplicate raises nothing twice", 0, &[(0, 6.0), (1, 3.0), (1, 3.0)], &["1:normal>waspada since 1"]),
    ("a late value cannot clear", 0, &[(0, 6.0), (5, 3.0), (4, 6.0)], &["5:normal>waspada since 5"]),
    ("a late value cannot raise", 0, &[(5, 6.0), (4, 0.1)], &[]),
    ("a correction does not rewrite the live alert", 0, &[(5, 3.0), (5, 6.0)], &["5:normal>waspada since 5"]),
    (
        "two episodes",
        0,
        &[(0, 3.0), (1, 5.0), (2, 3.0)],
        &["0:normal>waspada since 0", "1:waspada>normal since 0", "2:normal>waspada since 2"],
    ),
];

#[test]
fn histories_give_the_expected_transitions() {
    for (name, hold_s, history, expected) in CASES {
        let mut engine = engine(*hold_s);
        let now = minute(history.iter().map(|(minutes, _)| *minutes).max().unwrap());
        let effects = history
            .iter()
            .flat_map(|(minutes, value)| engine.step(now, Input::Observation(measured(*minutes, *value))))
            .collect();
        assert_eq!(told(effects), *expected, "{name}");
    }
}

#[test]
fn high_values_are_bad_where_the_rule_says_above() {
    let mut rule = do_rule(0);
    let limit = |raise, clear| Band::one_sided(Direction::Above, Threshold { raise, clear });
    let (waspada, awas) = (limit(35.0, 33.0), limit(40.0, 38.0));
    rule.condition = Condition::Threshold {
        target: do_target(),
        direction: Direction::Above,
        hold_s: 0,
        bands: PerLevel { waspada, siaga: None, awas },
    };
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(rule_set(1, [rule])));
    let values = [34.0, 35.0, 41.0, 38.0, 37.9, 33.0, 32.9];
    let effects = (0..).zip(values).flat_map(|(minutes, value)| feed(&mut engine, minutes, value)).collect();
    let expected =
        ["1:normal>waspada since 1", "2:waspada>awas since 1", "4:awas>waspada since 1", "6:waspada>normal since 1"];
    assert_eq!(told(effects), expected);
}

#[test]
fn where_both_sides_are_bad_either_raises_and_both_must_be_clear() {
    let both = |low: (f64, f64), high: (f64, f64)| {
        let threshold = |(raise, clear)| Some(Threshold { raise, clear });
        Some(Band { low: threshold(low), high: threshold(high) })
    };
    let mut rule = do_rule(0);
    rule.condition = Condition::Threshold {
        target: do_target(),
        direction: Direction::Outside,
        hold_s: 0,
        bands: PerLevel { waspada: both((6.0, 6.3), (9.0, 8.7)), siaga: None, awas: both((5.0, 5.3), (10.0, 9.7)) },
    };
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(rule_set(1, [rule])));
    let values = [7.0, 9.0, 8.7, 8.6, 6.0, 10.2, 9.7, 9.6, 5.9, 6.3, 6.4];
    let effects = (0..).zip(values).flat_map(|(minutes, value)| feed(&mut engine, minutes, value)).collect();
    let expected = [
        "1:normal>waspada since 1",
        "3:waspada>normal since 1",
        "4:normal>waspada since 4",
        "5:waspada>awas since 4",
        "7:awas>waspada since 4",
        "10:waspada>normal since 4",
    ];
    assert_eq!(told(effects), expected);
}

#[test]
fn failed_and_missing_values_neither_raise_nor_clear_nor_break_the_hold() {
    let mut engine = engine(600);
    feed(&mut engine, 0, 3.0);
    for (minutes, value, flag) in [(3, Some(6.0), Flag::Fail), (4, None, Flag::Missing), (5, Some(0.0), Flag::Fail)] {
        let input = Measured { value, flag, ..measured(minutes, 0.0) };
        assert_eq!(engine.step(minute(minutes), Input::Observation(input)), vec![]);
    }
    assert_eq!(told(feed(&mut engine, 10, 3.0)), ["10:normal>waspada since 0"]);
    let missing = Measured { value: None, flag: Flag::Missing, ..measured(11, 0.0) };
    assert_eq!(engine.step(minute(11), Input::Observation(missing)), vec![]);
}

#[test]
fn an_observation_older_than_the_lateness_drives_nothing() {
    let mut engine = engine(0);
    let late = measured(0, 0.1);
    assert_eq!(engine.step(minute(121), Input::Observation(late)), vec![]);
    assert_eq!(told(engine.step(minute(120), Input::Observation(late))), ["0:normal>awas since 0"]);
}

#[test]
fn changed_thresholds_close_the_alert_and_a_new_one_may_follow() {
    let mut engine = engine(0);
    let first = transitions(feed(&mut engine, 0, 3.0)).remove(0);
    let mut rule = do_rule(0);
    rule.name = "Nama baru".into();
    assert_eq!(engine.step(minute(1), Input::RuleChange(rule_set(2, [rule.clone()]))), vec![], "only the name changed");
    set_waspada(&mut rule, 3.5, 4.0);
    let closed = transitions(engine.step(minute(1), Input::RuleChange(rule_set(3, [rule]))));
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].alert, closed[0].told.to, closed[0].reason),
        (first.alert, Level::Normal, Reason::RuleChanged)
    );
    assert_eq!((closed[0].rule_revision, closed[0].sequence, closed[0].rule.name.id.as_str()), (3, 2, "Nama baru"));
    assert_eq!(told(feed(&mut engine, 0, 3.0)), Vec::<String>::new(), "an observation counts once");
    let second = transitions(feed(&mut engine, 2, 3.0)).remove(0);
    assert_ne!(second.alert, first.alert);
    assert_eq!(second.told.onset, minute(2));
}

#[test]
fn a_removed_rule_closes_its_alert_even_after_a_restart() {
    let mut before = engine(0);
    feed(&mut before, 0, 3.0);
    let mut engine = Engine::restore(LATENESS_MS, before.snapshot());
    assert_eq!(
        told(engine.step(minute(1), Input::RuleChange(RuleSet::default()))),
        ["0:waspada>normal since 0 rule_removed"]
    );
    assert_eq!(engine.step(minute(1), Input::RuleChange(rule_set(3, [do_rule(0)]))), vec![]);
    assert_eq!(feed(&mut engine, 0, 3.0), vec![], "a rule that returns counts no observation twice");
}

#[test]
fn a_mute_marks_transitions_until_it_runs_out() {
    let mut engine = engine(0);
    let rule = do_rule(0).id;
    let mute = Mute { rule: rule.clone(), until: minute(5), by: "Sari".to_owned() };
    assert_eq!(engine.step(minute(0), Input::Mute(mute.clone())), [Effect::Muted(mute)]);
    assert_eq!(transitions(feed(&mut engine, 1, 3.0))[0].muted_until, Some(minute(5)));
    assert_eq!(transitions(feed(&mut engine, 5, 1.0))[0].muted_until, None);
    assert_eq!(engine.step(minute(5), Input::Tick), [Effect::MuteEnded(rule)]);
}

#[test]
fn a_damaged_or_newer_state_is_refused() {
    let mut engine = engine(0);
    feed(&mut engine, 0, 3.0);
    let (_, blob) = engine.take_dirty().remove(0);
    assert!(SlotState::decode(&blob).is_ok());
    for place in 0..blob.len() {
        let mut damaged = blob.clone();
        damaged[place] ^= 0x40;
        assert!(SlotState::decode(&damaged).is_err(), "a changed byte {place} was not found");
    }
    assert_eq!(SlotState::decode(&blob[..9]), Err(StateError::Damaged));
    let mut newer = blob;
    newer[0] += 1;
    assert_eq!(SlotState::decode(&newer), Err(StateError::Newer(newer[0])));
}

#[test]
fn a_state_is_written_when_it_matters_and_sometimes_otherwise() {
    let mut engine = engine(600);
    let written = |engine: &mut Engine| engine.take_dirty().len();
    let feed = |engine: &mut Engine, seconds: i64, value: f64| {
        let now = minute(0).saturating_add(seconds * 1_000);
        let measured = Measured { observed_at: now, received_at: now, ..measured(0, value) };
        engine.step(now, Input::Observation(measured));
    };
    feed(&mut engine, 1, 6.0);
    feed(&mut engine, 9, 6.0);
    assert_eq!(written(&mut engine), 0, "a calm rule has only looked further");
    feed(&mut engine, 11, 6.0);
    assert_eq!(written(&mut engine), 1);
    feed(&mut engine, 12, 3.0);
    assert_eq!(written(&mut engine), 1, "a hold has begun");
    feed(&mut engine, 13, 3.0);
    assert_eq!(written(&mut engine), 1, "a hold goes on");
    feed(&mut engine, 14, 6.0);
    assert_eq!(written(&mut engine), 1, "a hold is broken");
    feed(&mut engine, 15, 6.0);
    assert_eq!(written(&mut engine), 0);
    engine.mark_unsaved();
    assert_eq!(written(&mut engine), 1, "an orderly stop leaves nothing behind");
}

fn history() -> impl Strategy<Value = (u32, Vec<(i64, f64, Flag)>)> {
    let value = prop_oneof![0.0f64..6.0, Just(4.0), Just(4.5), Just(2.0), Just(0.5)];
    let flag = prop_oneof![4 => Just(Flag::NotEvaluated), 1 => Just(Flag::Fail)];
    (0u32..400, proptest::collection::vec((0i64..90, value, flag), 1..150))
}

fn run(engine: &mut Engine, history: &[(i64, f64, Flag)]) -> Vec<Effect> {
    let input = |(minutes, value, flag): &(i64, f64, Flag)| Measured { flag: *flag, ..measured(*minutes, *value) };
    history.iter().flat_map(|entry| engine.step(minute(90), Input::Observation(input(entry)))).collect()
}

proptest! {
    #[test]
    fn the_same_inputs_give_the_same_effects((hold, history) in history()) {
        prop_assert_eq!(run(&mut engine(hold), &history), run(&mut engine(hold), &history));
    }

    #[test]
    fn running_on_from_a_stored_snapshot_gives_the_same_effects((hold, history) in history(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(history.len());
        let mut whole = engine(hold);
        run(&mut whole, &history[..cut]);
        let snapshot = whole.snapshot();
        let stored = |(key, state): &(SlotKey, SlotState)| (key.clone(), SlotState::decode(&state.encode(1)).unwrap());
        let reread = EngineSnapshot { slots: snapshot.slots.iter().map(stored).collect(), ..snapshot.clone() };
        prop_assert_eq!(&reread, &snapshot);
        let mut restored = Engine::restore(LATENESS_MS, reread);
        prop_assert_eq!(restored.step(minute(90), Input::RuleChange(rule_set(1, [do_rule(hold)]))), vec![]);
        let expected = run(&mut whole, &history[cut..]);
        prop_assert_eq!(run(&mut restored, &history[cut..]), expected);
    }

    #[test]
    fn at_most_one_alert_is_open_and_its_transitions_follow_each_other((hold, history) in history()) {
        let mut open: Option<(AlertId, Level, u32)> = None;
        for transition in transitions(run(&mut engine(hold), &history)) {
            let (id, level, sequence) = open.unwrap_or((transition.alert, Level::Normal, 0));
            prop_assert_eq!((transition.alert, transition.told.from, transition.sequence), (id, level, sequence + 1));
            prop_assert_ne!(transition.told.from, transition.told.to);
            open = (transition.told.to != Level::Normal).then_some((id, transition.told.to, transition.sequence));
        }
    }

    #[test]
    fn no_level_skips_its_hysteresis((hold, history) in history()) {
        let limits = Limits::of(&do_rule(hold), Limits::ANY_INTERVAL);
        for transition in transitions(run(&mut engine(hold), &history)) {
            if transition.told.from < transition.told.to {
                prop_assert!(limits.crossed(transition.told.to, transition.told.value.unwrap().0));
                prop_assert!(limits.hold_ms() <= transition.told.observed_at.since(transition.told.onset));
            } else {
                let left = Level::RAISED.into_iter().filter(|level| transition.told.to < *level && *level <= transition.told.from);
                for level in left {
                    prop_assert!(limits.behind(level, transition.told.value.unwrap().0));
                }
                prop_assert!(transition.told.to == Level::Normal || !limits.behind(transition.told.to, transition.told.value.unwrap().0));
            }
        }
    }
}

/// What is pending after these values, if it is news: (level, since which minute, until which minute).
fn pending(engine: &mut Engine) -> Option<Vec<(Level, i64, i64)>> {
    let minutes = |at: UtcMillis| at.since(minute(0)) / 60_000;
    let pending = engine.take_pending()?.into_iter();
    Some(pending.map(|(_, _, Pending { level, since, until })| (level, minutes(since), minutes(until))).collect())
}

#[test]
fn a_crossed_limit_is_pending_until_its_hold_time_is_over_or_it_is_back() {
    let mut engine = engine(600);
    assert_eq!(pending(&mut engine), Some(vec![]), "first all of it is news");
    feed(&mut engine, 1, 6.0);
    assert_eq!(pending(&mut engine), None);
    feed(&mut engine, 2, 3.0);
    assert_eq!(pending(&mut engine), Some(vec![(Level::Waspada, 2, 12)]));
    feed(&mut engine, 5, 0.3);
    assert_eq!(pending(&mut engine), Some(vec![(Level::Awas, 5, 15)]), "the highest one");
    feed(&mut engine, 12, 0.3);
    assert_eq!(pending(&mut engine), None, "waspada is raised, awas still waits");
    feed(&mut engine, 15, 0.3);
    assert_eq!(pending(&mut engine), Some(vec![]));
    feed(&mut engine, 20, 6.0);
    feed(&mut engine, 21, 3.0);
    feed(&mut engine, 22, 4.1);
    assert_eq!(pending(&mut engine), Some(vec![]), "broken before it was over");
}
