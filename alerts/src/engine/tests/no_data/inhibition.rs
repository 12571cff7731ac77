//! Inhibition by a source that is down, of the stations behind it.

use super::*;

fn with_source() -> Vec<WatchedRule> {
    vec![station_rule(), datastream_rule(), source_rule()]
}

/// A source that is there and a value every five minutes until minute 20, and then something else.
fn and(more: Vec<(i64, Event)>) -> Vec<(i64, Event)> {
    [vec![(0, Event::Source(true))], every(5, 0..=20, DATASTREAM), more].concat()
}

fn outages() -> Vec<Case> {
    use Event::{Source, Value};
    vec![
        (
            "whoever is behind a source is told of with it, and has the whole deadline when it is back",
            with_source(),
            and(vec![(22, Source(false)), (80, Source(true))]),
            100,
            &[
                "27 down normal>waspada source_down since 22",
                "80 down waspada>normal returned since 22",
                "95 station-no-data normal>waspada no_data since 20",
            ],
        ),
        (
            "stations that come back with their source are not told of at all",
            with_source(),
            and(vec![(22, Source(false)), (80, Source(true)), (94, Value(DATASTREAM, 0))]),
            100,
            &["27 down normal>waspada source_down since 22", "80 down waspada>normal returned since 22"],
        ),
    ]
}

fn interruptions() -> Vec<Case> {
    use Event::{Restart, Source, Value};
    vec![
        (
            "a short interruption moves no deadline",
            with_source(),
            and(vec![(33, Source(false)), (34, Source(true))]),
            40,
            &["35 station-no-data normal>waspada no_data since 20"],
        ),
        (
            "what runs out during a short interruption is told a moment later",
            with_source(),
            and(vec![(34, Source(false)), (37, Source(true))]),
            40,
            &["37 station-no-data normal>waspada no_data since 20"],
        ),
        (
            "an alert from before stays and does not grow",
            with_source(),
            and(vec![(36, Source(false)), (200, Source(true)), (201, Value(DATASTREAM, 0))]),
            210,
            &[
                "35 station-no-data normal>waspada no_data since 20",
                "41 down normal>waspada source_down since 36",
                "200 down waspada>normal returned since 36",
                "201 station-no-data waspada>normal returned since 20",
            ],
        ),
        (
            "where no rule watches the source, everybody is told of",
            vec![station_rule()],
            and(vec![(22, Source(false))]),
            40,
            &["35 station-no-data normal>waspada no_data since 20"],
        ),
        (
            "over a restart of Bakau as well",
            with_source(),
            and(vec![(22, Source(false)), (30, Restart(10)), (41, Source(false))]),
            100,
            &["27 down normal>waspada source_down since 22"],
        ),
    ]
}

fn last_wills() -> Vec<Case> {
    use Event::{Offline, Online, Source};
    vec![
        (
            "a last will counts a moment later",
            with_source(),
            and(vec![(21, Offline)]),
            23,
            &["22 station-no-data normal>waspada offline since 21"],
        ),
        (
            "what a broker says in the name of its stations when it is stopped wakes nobody",
            with_source(),
            and(vec![(21, Offline), (21, Source(false)), (22, Source(true)), (22, Online)]),
            36,
            &[],
        ),
        (
            "a station that does not come back after a short stop of its broker is told of",
            with_source(),
            and(vec![(21, Offline), (21, Source(false)), (22, Source(true))]),
            30,
            &["23 station-no-data normal>waspada offline since 21"],
        ),
        (
            "last wills that waited in the broker leave the stations their deadline",
            with_source(),
            and(vec![(21, Source(false)), (50, Source(true)), (50, Offline)]),
            70,
            &[
                "26 down normal>waspada source_down since 21",
                "50 down waspada>normal returned since 21",
                "65 station-no-data normal>waspada offline since 50",
            ],
        ),
    ]
}

#[test]
fn whoever_is_behind_a_source_that_is_down_is_told_of_once_for_the_source() {
    for (name, in_force, events, until, expected) in [outages(), interruptions(), last_wills()].into_iter().flatten() {
        assert_eq!(history(&in_force, &events, until), *expected, "{name}");
    }
}

#[test]
fn a_station_that_came_through_another_source_is_not_cut_off() {
    let other = SourceName::new("lain").unwrap();
    let mut engine = started();
    let origin = engine.origin(&other);
    let Input::Observation(value) = input(20, Event::Value(DATASTREAM, 0)) else { panic!("a value") };
    engine.step(minute(20), Input::Observation(Measured { origin, ..value }));
    engine.step(minute(22), input(22, Event::Source(false)));
    let told = transitions(engine.step(minute(35), Input::Tick));
    let rules: Vec<_> = told.iter().map(|transition| transition.rule.id.as_str()).collect();
    assert_eq!(rules, ["station-no-data", "down"]);
}

/// The rules with a source whose alert does not stand for the station's from a level on.
fn not_covered(from: Level) -> Vec<WatchedRule> {
    let mut station = station_rule();
    station.not_inhibited.by_source.insert(source(), from);
    vec![station, source_rule()]
}

#[test]
fn an_alert_of_a_source_that_does_not_reach_everybody_mutes_nothing() {
    let down = |until| {
        (every(1, 1..=20, DATASTREAM).into_iter().chain([(21, Event::Source(false))]).collect::<Vec<_>>(), until)
    };
    let (events, until) = down(40);
    let expected =
        ["26 down normal>waspada source_down since 21", "35 station-no-data normal>waspada no_data since 20"];
    assert_eq!(history(&not_covered(Level::Waspada), &events, until), expected);
    let (events, until) = down(90);
    let expected = ["26 down normal>waspada source_down since 21", "80 station-no-data normal>siaga no_data since 20"];
    assert_eq!(history(&not_covered(Level::Siaga), &events, until), expected, "those who wait for siaga are told then");
}

#[test]
fn a_last_will_counts_at_once_where_the_source_would_not_be_told_of() {
    let mut events = every(1, 1..=20, DATASTREAM);
    events.extend([(21, Event::Offline), (21, Event::Source(false))]);
    let told = history(&not_covered(Level::Waspada), &events, 30);
    assert_eq!(told[0], "21 station-no-data normal>waspada offline since 21");
}

#[test]
fn an_alert_of_a_station_that_does_not_reach_everybody_mutes_none_of_a_datastream() {
    let mut datastream = datastream_rule();
    let both = |datastream: &WatchedRule| vec![station_rule(), datastream.clone()];
    let events = every(1, 1..=20, DATASTREAM);
    let station = "35 station-no-data normal>waspada no_data since 20";
    assert_eq!(history(&both(&datastream), &events, 40), [station]);
    datastream.not_inhibited.by_station = Some(Level::Waspada);
    let mut told = history(&both(&datastream), &events, 40);
    told.sort();
    assert_eq!(told, ["35 do-no-data normal>waspada no_data since 20", station]);
}

proptest! {
    #[test]
    fn no_station_raises_an_alert_while_its_source_is_down(events in script()) {
        let (mut engine, mut is_down, mut heard) = (started(), false, false);
        for (at, event) in &events {
            let mut effects = engine.step(minute(*at), input(*at, *event));
            effects.extend(engine.step(minute(*at), Input::Tick));
            match event {
                Event::Source(up) => is_down = !up,
                Event::Value(_, age) => heard |= *age <= 120,
                Event::Missing(_) | Event::Failed(_) => heard = true,
                Event::Offline | Event::Online | Event::Kept(_) | Event::Restart(_) => {}
            }
            let raised = transitions(effects).into_iter().any(|t| t.told.from < t.told.to && t.rule.id.as_str() == "station-no-data");
            prop_assert!(!(raised && is_down && heard), "at minute {}", at);
        }
    }

    /// However a source came and went: once it stays, whoever does not come back is noticed.
    #[test]
    fn whoever_does_not_come_back_with_the_source_is_noticed(events in script()) {
        let mut engine = started();
        run_script(&mut engine, &events);
        let back = events.last().map_or(0, |(at, _)| at + 1);
        engine.step(minute(back), input(back, Event::Source(true)));
        for at in back..=back + 20 {
            engine.step(minute(at), Input::Tick);
        }
        let key = SlotKey { subject: Subject::Station(station()), rule: RuleId::new("station-no-data").unwrap() };
        let state = engine.snapshot().slots.into_iter().find(|(of, _)| *of == key).unwrap().1;
        prop_assert!(state.alert.is_some());
    }
}
