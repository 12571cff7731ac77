//! What sends no data, since when, and when data is back.

mod failing;
mod inhibition;

use bakau_model::{PerLevel, RuleId, SourceName, StationId};
use bakau_registry::{Condition, NoDataTarget, Rule, StationTarget};

use super::*;
use crate::engine::{Origin, WatchedRule};

const OTHER: DatastreamId = DatastreamId::new(8);

/// What happens at a minute.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A value of a datastream arrives, so many minutes old.
    Value(DatastreamId, i64),
    /// A datastream reports that its value is missing.
    Missing(DatastreamId),
    /// A value of a datastream fails quality control.
    Failed(DatastreamId),
    Offline,
    Online,
    /// The same as a broker had kept it.
    Kept(bool),
    /// Bakau is stopped, and started so many minutes later.
    Restart(i64),
    /// The source is connected or not.
    Source(bool),
}

fn station() -> StationId {
    StationId::new("prb-bjbr-01").unwrap()
}

fn source() -> SourceName {
    SourceName::new("demo").unwrap()
}

fn rule(id: &str, condition: Condition) -> Rule {
    let id = RuleId::new(id).unwrap();
    Rule { id, condition, repeat_s: None, ..do_rule(0) }
}

/// Waspada after 15 minutes, siaga after an hour.
fn no_data(target: NoDataTarget) -> Condition {
    Condition::NoData { target, after_s: PerLevel { waspada: Some(900), siaga: Some(3_600), awas: None } }
}

fn of_station() -> NoDataTarget {
    NoDataTarget::Stations(StationTarget::Station(station()))
}

fn station_rule() -> WatchedRule {
    let rule = rule("station-no-data", no_data(of_station()));
    WatchedRule::new(Arc::new(rule), Subject::Station(station()))
}

fn datastream_rule() -> WatchedRule {
    let rule = rule("do-no-data", no_data(NoDataTarget::Datastreams(do_target())));
    WatchedRule::new(Arc::new(rule), Subject::Datastream(DATASTREAM))
}

fn source_rule() -> WatchedRule {
    let after_s = PerLevel { waspada: Some(300), siaga: None, awas: None };
    let rule = rule("down", Condition::SourceDown { source: None, after_s });
    WatchedRule::new(Arc::new(rule), Subject::Source(source()))
}

fn rules(rules: &[WatchedRule]) -> RuleSet {
    RuleSet { revision: 1, rules: rules.to_vec(), stations: vec![(DATASTREAM, station()), (OTHER, station())] }
}

fn input(at: i64, event: Event) -> Input {
    let failed = matches!(event, Event::Failed(_));
    let value = |datastream, age, value: Option<f64>| {
        let (observed_at, received_at) = (minute(at - age), minute(at));
        let flag = if value.is_none() { Flag::Missing } else { Flag::NotEvaluated };
        let flag = if failed { Flag::Fail } else { flag };
        Input::Observation(Measured {
            datastream,
            observed_at,
            received_at,
            value,
            flag,
            waited: false,
            origin: Some(Origin(0)),
        })
    };
    let status = |online, kept| Input::Status { station: station(), online, kept, at: minute(at) };
    match event {
        Event::Value(datastream, age) => value(datastream, age, Some(6.0)),
        Event::Failed(datastream) => value(datastream, 0, Some(-40.0)),
        Event::Missing(datastream) => value(datastream, 0, None),
        Event::Offline => status(false, false),
        Event::Online => status(true, false),
        Event::Kept(online) => status(online, true),
        Event::Source(up) => {
            Input::Endpoints(vec![EndpointView { endpoint: Endpoint::Source(source()), up, since: minute(at) }])
        }
        Event::Restart(_) => Input::Tick,
    }
}

/// An engine that knows the source, through which all values come.
fn new() -> Engine {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    assert_eq!(engine.origin(&source()), Some(Origin(0)));
    engine
}

fn stored(engine: &Engine) -> EngineSnapshot {
    let snapshot = engine.snapshot();
    let reread = |(key, state): (SlotKey, SlotState)| (key, SlotState::decode(&state.encode(1)).unwrap());
    EngineSnapshot { slots: snapshot.slots.into_iter().map(reread).collect(), ..snapshot }
}

/// Runs a history with a tick each minute; one line per transition: `minute rule from>to reason since onset`.
fn history(in_force: &[WatchedRule], events: &[(i64, Event)], until: i64) -> Vec<String> {
    let mut engine = new();
    let mut effects = engine.step(minute(0), Input::RuleChange(rules(in_force)));
    let mut away_until = 0;
    for now in 0..=until {
        for (_, event) in events.iter().filter(|(at, _)| *at == now) {
            if let Event::Restart(minutes) = event {
                engine = Engine::restore(LATENESS_MS, stored(&engine));
                assert_eq!(engine.origin(&source()), Some(Origin(0)));
                away_until = now + minutes;
            } else {
                effects.extend(engine.step(minute(now), input(now, *event)));
            }
        }
        if now < away_until {
            continue;
        }
        if now == away_until && 0 < now {
            effects.extend(engine.step(minute(now), Input::RuleChange(rules(in_force))));
        }
        effects.extend(engine.step(minute(now), Input::Tick));
    }
    let line = |t: Transition| {
        let [at, onset] = [t.decided_at, t.told.onset].map(|at| at.since(minute(0)) / 60_000);
        format!("{at} {} {}>{} {} since {onset}", t.rule.id, t.told.from, t.told.to, t.reason.key())
    };
    transitions(effects).into_iter().map(line).collect()
}

fn every(minutes: i64, range: std::ops::RangeInclusive<i64>, datastream: DatastreamId) -> Vec<(i64, Event)> {
    range.filter(|minute| minute % minutes == 0).map(|minute| (minute, Event::Value(datastream, 0))).collect()
}

type Case = (&'static str, Vec<WatchedRule>, Vec<(i64, Event)>, i64, &'static [&'static str]);

/// How long no data comes.
fn deadlines() -> Vec<Case> {
    use Event::Value;
    let (do_, temp) = (DATASTREAM, OTHER);
    let station_only = || vec![station_rule()];
    vec![
        ("a station that reports", station_only(), every(5, 0..=60, do_), 60, &[]),
        (
            "never reported counts from when the rule first saw it",
            station_only(),
            vec![],
            70,
            &[
                "15 station-no-data normal>waspada never_reported since 0",
                "60 station-no-data waspada>siaga never_reported since 0",
            ],
        ),
        (
            "no data, and back with the first value of any datastream",
            station_only(),
            vec![(5, Value(do_, 0)), (30, Value(temp, 0))],
            40,
            &[
                "20 station-no-data normal>waspada no_data since 5",
                "30 station-no-data waspada>normal returned since 5",
            ],
        ),
        (
            "after its return the first deadline holds again, whatever was waited for before",
            station_only(),
            vec![(0, Value(do_, 0)), (20, Value(do_, 0))],
            36,
            &[
                "15 station-no-data normal>waspada no_data since 0",
                "20 station-no-data waspada>normal returned since 0",
                "35 station-no-data normal>waspada no_data since 20",
            ],
        ),
        (
            "the buffer of a gateway is no sign of life",
            station_only(),
            vec![(5, Value(do_, 0)), (18, Value(do_, 121)), (30, Value(do_, 200)), (31, Value(do_, 120))],
            40,
            &[
                "20 station-no-data normal>waspada no_data since 5",
                "31 station-no-data waspada>normal returned since 5",
            ],
        ),
    ]
}

/// What stations say themselves.
fn words_of_the_station() -> Vec<Case> {
    use Event::{Kept, Missing, Offline, Online, Value};
    let do_ = DATASTREAM;
    let station_only = || vec![station_rule()];
    let both = || vec![station_rule(), datastream_rule()];
    vec![
        (
            "a station that says that its sensors miss is alive, the sensor is not",
            both(),
            vec![(5, Value(do_, 0)), (12, Missing(do_)), (20, Missing(do_)), (25, Missing(do_))],
            30,
            &["20 do-no-data normal>waspada no_data since 5"],
        ),
        (
            "a last will counts as no data at once, a value ends that",
            station_only(),
            vec![(5, Value(do_, 0)), (7, Offline), (8, Offline), (9, Value(do_, 0))],
            12,
            &["7 station-no-data normal>waspada offline since 7", "9 station-no-data waspada>normal returned since 7"],
        ),
        (
            "online ends it too, and its deadline begins anew",
            station_only(),
            vec![(5, Value(do_, 0)), (7, Offline), (9, Online)],
            30,
            &[
                "7 station-no-data normal>waspada offline since 7",
                "9 station-no-data waspada>normal returned since 7",
                "24 station-no-data normal>waspada no_data since 9",
            ],
        ),
        (
            "old news from a broker changes nothing that is known",
            station_only(),
            vec![(5, Value(do_, 0)), (6, Kept(false)), (19, Kept(true)), (22, Offline), (23, Kept(true))],
            24,
            &[
                "20 station-no-data normal>waspada no_data since 5",
                "23 station-no-data waspada>normal returned since 5",
            ],
        ),
        (
            "old news is all that is known of a station that never reported",
            station_only(),
            vec![(1, Kept(true)), (2, Kept(false))],
            5,
            &["2 station-no-data normal>waspada offline since 2"],
        ),
    ]
}

/// What a restart of Bakau means.
fn restarts() -> Vec<Case> {
    use Event::{Restart, Value};
    let do_ = DATASTREAM;
    let station_only = || vec![station_rule()];
    vec![
        (
            "nobody is blamed for the time that Bakau did not run",
            station_only(),
            vec![(5, Value(do_, 0)), (10, Restart(60)), (80, Value(do_, 0))],
            94,
            &[],
        ),
        (
            "without data after a restart as well, since it was really heard",
            station_only(),
            vec![(5, Value(do_, 0)), (10, Restart(60))],
            90,
            &["85 station-no-data normal>waspada no_data since 5"],
        ),
        (
            "an alert that was open stays open over a restart",
            station_only(),
            vec![(5, Value(do_, 0)), (21, Restart(60)), (90, Value(do_, 0))],
            95,
            &[
                "20 station-no-data normal>waspada no_data since 5",
                "90 station-no-data waspada>normal returned since 5",
            ],
        ),
    ]
}

/// What no data is about.
fn subjects() -> Vec<Case> {
    use Event::{Source, Value};
    let (do_, temp) = (DATASTREAM, OTHER);
    let both = || vec![station_rule(), datastream_rule()];
    vec![
        (
            "one datastream of a station that lives",
            both(),
            [every(5, 0..=10, do_), every(5, 0..=40, temp)].concat(),
            40,
            &["25 do-no-data normal>waspada no_data since 10"],
        ),
        (
            "the whole station is told of once, and its datastreams have time to come back one by one",
            both(),
            [every(5, 0..=12, do_), every(4, 0..=12, temp), vec![(50, Value(temp, 0)), (52, Value(do_, 0))]].concat(),
            55,
            &[
                "27 station-no-data normal>waspada no_data since 12",
                "50 station-no-data waspada>normal returned since 12",
            ],
        ),
        (
            "a source that is down",
            vec![source_rule()],
            vec![
                (0, Source(true)),
                (10, Source(false)),
                (12, Source(false)),
                (20, Source(true)),
                (30, Source(false)),
                (33, Source(true)),
            ],
            40,
            &["15 down normal>waspada source_down since 10", "20 down waspada>normal returned since 10"],
        ),
    ]
}

#[test]
fn histories_without_data_give_the_expected_transitions() {
    let cases = [deadlines(), words_of_the_station(), restarts(), subjects()].into_iter().flatten();
    for (name, in_force, events, until, expected) in cases {
        assert_eq!(history(&in_force, &events, until), *expected, "{name}");
    }
}

#[test]
fn changed_deadlines_close_the_alert_and_begin_anew() {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(rules(&[station_rule()])));
    let first = transitions(engine.step(minute(15), Input::Tick)).remove(0);
    let after_s = PerLevel { waspada: Some(600), siaga: None, awas: None };
    let changed = rule("station-no-data", Condition::NoData { target: of_station(), after_s });
    let changed = WatchedRule::new(Arc::new(changed), Subject::Station(station()));
    let closed = transitions(engine.step(minute(16), Input::RuleChange(rules(std::slice::from_ref(&changed)))));
    assert_eq!(
        (closed[0].alert, closed[0].reason, closed[0].told.to),
        (first.alert, Reason::RuleChanged, Level::Normal)
    );
    assert_eq!(transitions(engine.step(minute(25), Input::Tick)), vec![]);
    let second = transitions(engine.step(minute(26), Input::Tick)).remove(0);
    assert_ne!(second.alert, first.alert, "no two alerts have the same name");
    assert_eq!((second.told.onset, second.sequence), (minute(16), 1));
    let removed = transitions(engine.step(minute(27), Input::RuleChange(rules(&[]))));
    assert_eq!((removed[0].alert, removed[0].reason), (second.alert, Reason::RuleRemoved));
    engine.step(minute(28), Input::RuleChange(rules(&[changed])));
    assert_eq!(transitions(engine.step(minute(37), Input::Tick)), vec![], "a rule that returns expects from then on");
}

#[test]
fn an_engine_that_is_behind_misses_no_data() {
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(rules(&[station_rule()])));
    // The tick comes after everything that had arrived, so minutes without ticks are minutes behind.
    for at in (0..60).step_by(5) {
        assert_eq!(engine.step(minute(60), input(at, Event::Value(DATASTREAM, 0))), vec![]);
    }
    assert_eq!(engine.step(minute(60), Input::Tick), vec![]);
}

#[test]
fn people_are_reminded_until_somebody_acknowledges_it() {
    let reminded = Rule { repeat_s: Some(600), ..do_rule(0) };
    let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
    engine.step(minute(0), Input::RuleChange(rule_set(1, [reminded.clone()])));
    let alert = transitions(feed(&mut engine, 1, 3.0)).remove(0).alert;
    let reminders = |engine: &mut Engine, at: i64| {
        let effects = engine.step(minute(at), Input::Tick).into_iter();
        let number = |effect| match effect {
            Effect::Reminder(reminder) => Some((reminder.sequence, reminder.number)),
            other => panic!("{other:?}"),
        };
        effects.filter_map(number).collect::<Vec<_>>()
    };
    assert_eq!(reminders(&mut engine, 10), []);
    assert_eq!(reminders(&mut engine, 11), [(1, 1)]);
    assert_eq!(reminders(&mut engine, 12), []);
    let mut engine = Engine::restore(LATENESS_MS, stored(&engine));
    engine.step(minute(20), Input::RuleChange(rule_set(1, [reminded])));
    assert_eq!(reminders(&mut engine, 20), [], "a restart reminds nobody twice");
    assert_eq!(reminders(&mut engine, 21), [(1, 2)]);
    feed(&mut engine, 22, 1.0);
    assert_eq!(reminders(&mut engine, 31), [], "a transition tells people, so the time begins anew");
    assert_eq!(reminders(&mut engine, 32), [(2, 1)]);
    let by = Requester { name: "Sari".to_owned(), person: None };
    engine.step(minute(33), Input::Acknowledge { alert, by, seen: None, note: None });
    assert_eq!(reminders(&mut engine, 90), []);
}

fn script() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let datastream = prop_oneof![Just(DATASTREAM), Just(OTHER)];
    let event = prop_oneof![
        6 => (datastream.clone(), prop_oneof![Just(0i64), Just(3), Just(130)]).prop_map(|(of, age)| Event::Value(of, age)),
        1 => datastream.prop_map(Event::Missing),
        1 => Just(Event::Offline),
        1 => Just(Event::Online),
        1 => any::<bool>().prop_map(Event::Source),
    ];
    let step = prop_oneof![3 => 0i64..4, 1 => 10i64..40];
    let events = proptest::collection::vec((step, event), 0..60);
    events.prop_map(|steps| {
        let place = |at: &mut i64, (step, event)| {
            *at += step;
            Some((*at, event))
        };
        steps.into_iter().scan(0, place).collect()
    })
}

fn run_script(engine: &mut Engine, events: &[(i64, Event)]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (at, event) in events {
        effects.extend(engine.step(minute(*at), input(*at, *event)));
        effects.extend(engine.step(minute(*at), Input::Tick));
    }
    effects
}

fn started() -> Engine {
    let mut engine = new();
    engine.step(minute(0), Input::RuleChange(rules(&[station_rule(), datastream_rule(), source_rule()])));
    engine
}

proptest! {
    #[test]
    fn the_same_signs_of_life_give_the_same_effects(events in script()) {
        prop_assert_eq!(run_script(&mut started(), &events), run_script(&mut started(), &events));
    }

    #[test]
    fn episodes_follow_each_other_and_no_two_have_the_same_name(events in script()) {
        let mut open = std::collections::BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for transition in transitions(run_script(&mut started(), &events)) {
            let key = (transition.rule.id.clone(), transition.subject.clone());
            let (id, level, sequence) = *open.get(&key).unwrap_or(&(transition.alert, Level::Normal, 0));
            if sequence == 0 {
                prop_assert!(seen.insert(transition.alert), "a name was used twice");
            }
            prop_assert_eq!((transition.alert, transition.told.from, transition.sequence), (id, level, sequence + 1));
            prop_assert!(transition.told.from < transition.told.to || transition.told.to == Level::Normal);
            if transition.told.to == Level::Normal {
                open.remove(&key);
            } else {
                open.insert(key, (id, transition.told.to, transition.sequence));
            }
        }
    }

    /// The reference: a station has no data when nothing fresh has come for 15 minutes, or when it said so last.
    #[test]
    fn a_station_has_no_data_exactly_when_nothing_fresh_has_come_for_long_enough(events in script()) {
        let mut engine = Engine::restore(LATENESS_MS, EngineSnapshot::default());
        engine.step(minute(0), Input::RuleChange(rules(&[station_rule()])));
        let (mut last, mut offline, mut level) = (0, None, Level::Normal);
        for (at, event) in &events {
            let mut effects = engine.step(minute(*at), input(*at, *event));
            effects.extend(engine.step(minute(*at), Input::Tick));
            match event {
                Event::Value(_, age) if 120 < *age => {}
                Event::Value(..) | Event::Missing(_) | Event::Online => {
                    last = *at;
                    offline = offline.filter(|since| *since == *at);
                }
                Event::Offline => offline = offline.or(Some(*at)),
                Event::Kept(_) | Event::Restart(_) | Event::Source(_) | Event::Failed(_) => {}
            }
            level = transitions(effects).last().map_or(level, |transition| transition.told.to);
            let expected = offline.is_some() || 15 <= at - last;
            prop_assert_eq!(level != Level::Normal, expected, "at minute {}", at);
        }
    }
}
