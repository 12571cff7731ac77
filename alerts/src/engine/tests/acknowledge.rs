//! An acknowledgement holds for its level.

use super::*;

/// Waspada below 4, siaga below 2, awas below 0.5; reminders every 10 minutes.
fn reminding() -> Engine {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    let rule = Rule { repeat_s: Some(600), ..do_rule(0) };
    engine.step(minute(0), Input::RuleChange(rule_set(1, [rule])));
    engine
}

fn acknowledge(engine: &mut Engine, minutes: i64, alert: AlertId, seen: Option<Level>) -> Result<Level, Refusal> {
    let by = Requester { name: "Sari".to_owned(), person: None };
    match engine.step(minute(minutes), Input::Acknowledge { alert, by, seen, note: None }).remove(0) {
        Effect::Acknowledged(taken) => Ok(taken.level),
        Effect::Refused(refusal) => Err(refusal),
        effect => panic!("{effect:?}"),
    }
}

fn is_reminded(engine: &mut Engine, minutes: i64) -> bool {
    engine.step(minute(minutes), Input::Tick).iter().any(|effect| matches!(effect, Effect::Reminder(_)))
}

#[test]
fn an_alert_is_acknowledged_once_per_level_and_only_while_open() {
    let mut engine = engine(0);
    let alert = transitions(feed(&mut engine, 0, 3.0)).remove(0).alert;
    assert_eq!(acknowledge(&mut engine, 1, alert, None), Ok(Level::Waspada));
    assert_eq!(acknowledge(&mut engine, 2, alert, None), Err(Refusal::AlreadyAcknowledged));
    feed(&mut engine, 3, 0.3);
    assert_eq!(acknowledge(&mut engine, 4, alert, None), Ok(Level::Awas));
    feed(&mut engine, 5, 1.0);
    assert_eq!(acknowledge(&mut engine, 6, alert, None), Err(Refusal::AlreadyAcknowledged), "siaga is below awas");
    feed(&mut engine, 7, 6.0);
    assert_eq!(acknowledge(&mut engine, 8, alert, None), Err(Refusal::NotOpen));
}

#[test]
fn a_rise_is_reminded_of_until_it_is_acknowledged_and_a_fall_back_is_not() {
    let mut engine = reminding();
    let alert = transitions(feed(&mut engine, 0, 3.0)).remove(0).alert;
    acknowledge(&mut engine, 1, alert, None).unwrap();
    assert!(!is_reminded(&mut engine, 30));
    feed(&mut engine, 31, 1.0);
    assert!(!is_reminded(&mut engine, 40));
    assert!(is_reminded(&mut engine, 41), "siaga is not acknowledged");
    feed(&mut engine, 42, 3.0);
    assert!(!is_reminded(&mut engine, 60), "waspada is");
    feed(&mut engine, 61, 1.0);
    assert!(is_reminded(&mut engine, 71));
    acknowledge(&mut engine, 72, alert, None).unwrap();
    feed(&mut engine, 73, 3.0);
    feed(&mut engine, 74, 1.0);
    assert!(!is_reminded(&mut engine, 100), "back at a level that was acknowledged");
}

#[test]
fn nobody_takes_a_level_that_they_could_not_know_of() {
    let mut engine = reminding();
    let alert = transitions(feed(&mut engine, 0, 3.0)).remove(0).alert;
    feed(&mut engine, 1, 0.3);
    assert_eq!(acknowledge(&mut engine, 1, alert, Some(Level::Waspada)), Ok(Level::Waspada), "the page was older");
    assert_eq!(acknowledge(&mut engine, 2, alert, Some(Level::Waspada)), Err(Refusal::AlreadyAcknowledged));
    assert!(is_reminded(&mut engine, 11));
    feed(&mut engine, 12, 1.0);
    assert_eq!(
        acknowledge(&mut engine, 13, alert, Some(Level::Awas)),
        Ok(Level::Siaga),
        "no higher one than that of now"
    );
}

/// A state as format 1 stored it, in hexadecimal: the rule at waspada, acknowledged.
const FORMAT_1: &str = include_str!("format_1.hex");

#[test]
fn a_state_from_before_acknowledgements_had_levels_is_acknowledged_at_its_level() {
    let mut engine = engine(0);
    // Format 1 did not know of onsets that nobody saw.
    feed(&mut engine, -1, 6.0);
    feed(&mut engine, 0, 3.0);
    let (_, mut expected) = engine.snapshot().slots.remove(0);
    if let Some(open) = &mut expected.alert {
        open.acknowledged = Some(Level::Waspada);
    }
    let digits: String = FORMAT_1.split_whitespace().collect();
    let bytes = (0..digits.len() / 2).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    assert_eq!(SlotState::decode(&bytes), Ok(expected));
}

proptest! {
    /// Whatever happens: people are reminded exactly while the level is above the highest one that was acknowledged.
    #[test]
    fn reminders_come_exactly_while_the_level_is_above_what_was_acknowledged(
        steps in proptest::collection::vec((prop_oneof![Just(6.0), Just(3.0), Just(1.0), Just(0.3)], any::<bool>()), 1..40),
    ) {
        let mut engine = reminding();
        let mut open: Option<(AlertId, Level)> = None;
        let mut taken: Option<Level> = None;
        for (step, (value, takes)) in (0i64..).zip(steps) {
            let now = step * 20;
            for transition in transitions(feed(&mut engine, now, value)) {
                if open.is_none_or(|(id, _)| id != transition.alert) {
                    taken = None;
                }
                open = (transition.told.to != Level::Normal).then_some((transition.alert, transition.told.to));
            }
            if let Some((alert, level)) = open.filter(|_| takes) {
                let expected = if Some(level) <= taken { Err(Refusal::AlreadyAcknowledged) } else { Ok(level) };
                prop_assert_eq!(acknowledge(&mut engine, now, alert, None), expected);
                taken = taken.max(Some(level));
            }
            let expected = open.is_some_and(|(_, level)| taken < Some(level));
            prop_assert_eq!(is_reminded(&mut engine, now + 15), expected, "at {}", now);
        }
    }
}
