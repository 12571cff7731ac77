//! An onset where nobody looked before is the latest that it can be, and told so.

use super::*;

/// Whether the onset of the first alert in some effects may have been earlier.
fn at_latest(effects: Vec<Effect>) -> Option<bool> {
    transitions(effects).first().map(|transition| transition.told.onset_at_latest)
}

fn suspect(engine: &mut Engine, minutes: i64, value: f64) -> Vec<Effect> {
    let measured = Measured { flag: Flag::Suspect, ..measured(minutes, value) };
    engine.step(minute(minutes), Input::Observation(measured))
}

#[test]
fn an_onset_is_seen_where_a_good_value_behind_every_clear_value_came_before() {
    let mut fresh = engine(0);
    assert_eq!(at_latest(feed(&mut fresh, 0, 3.0)), Some(true), "the first value that the rule ever saw");
    assert_eq!(at_latest(feed(&mut fresh, 1, 1.0)), Some(true), "and it stays so while the alert lasts");
    assert_eq!(at_latest(feed(&mut fresh, 2, 6.0)), Some(true));
    assert_eq!(at_latest(feed(&mut fresh, 3, 3.0)), Some(false));

    let mut between = engine(0);
    feed(&mut between, 0, 4.2);
    assert_eq!(at_latest(feed(&mut between, 1, 3.0)), Some(true), "4.2 mg/L would not have ended an earlier one");

    let mut doubtful = engine(0);
    suspect(&mut doubtful, 0, 6.0);
    assert_eq!(at_latest(feed(&mut doubtful, 1, 3.0)), Some(true), "a suspect value would have ended nothing");

    let mut held = engine(600);
    feed(&mut held, 0, 3.0);
    assert_eq!(at_latest(feed(&mut held, 10, 3.0)), Some(true));
}

#[test]
fn new_figures_and_a_rule_that_returns_have_not_looked_before() {
    let mut changed = engine(0);
    feed(&mut changed, 0, 6.0);
    let mut rule = do_rule(0);
    set_waspada(&mut rule, 3.5, 4.0);
    changed.step(minute(1), Input::RuleChange(rule_set(2, [rule])));
    assert_eq!(at_latest(feed(&mut changed, 2, 3.0)), Some(true));

    let mut returned = engine(0);
    feed(&mut returned, 0, 6.0);
    returned.step(minute(1), Input::RuleChange(rule_set(2, [])));
    returned.step(minute(5), Input::RuleChange(rule_set(3, [do_rule(0)])));
    assert_eq!(at_latest(feed(&mut returned, 6, 3.0)), Some(true));

    let mut calm = engine(0);
    feed(&mut calm, 0, 6.0);
    let mut restarted = Engine::restore(LATENESS_MS, calm.snapshot());
    restarted.step(minute(1), Input::RuleChange(rule_set(1, [do_rule(0)])));
    assert_eq!(at_latest(feed(&mut restarted, 2, 3.0)), Some(false), "a restart forgets nothing");
}

#[test]
fn values_that_come_too_late_to_decide_hide_the_onset_unless_they_are_calm() {
    let buffered = |values: &[(i64, f64)]| {
        let mut engine = engine(0);
        feed(&mut engine, 0, 6.0);
        engine.take_dirty();
        let now = minute(600);
        let effects = values.iter().flat_map(|(minutes, value)| {
            engine.step(now, Input::Observation(Measured { received_at: now, ..measured(*minutes, *value) }))
        });
        at_latest(effects.collect())
    };
    assert_eq!(buffered(&[(300, 3.0), (500, 3.0)]), Some(true));
    assert_eq!(buffered(&[(300, 3.0), (310, 6.0), (500, 3.0)]), Some(false));
    assert_eq!(buffered(&[(300, 3.0), (490, 6.0), (500, 3.0)]), Some(false), "the first in time is calm");
    assert_eq!(buffered(&[(490, 6.0), (300, 3.0), (500, 3.0)]), Some(false), "older than what was seen");
}
