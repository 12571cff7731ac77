//! Clocks that are ahead: what they say waits for its time and hides nothing meanwhile.

use bakau_model::Observation;

use super::*;
use crate::{engine::Ahead, testing::observation};

/// An engine with what waits, as the shell drives them.
struct Line {
    engine: Engine,
    ahead: Ahead,
}

impl Line {
    fn new(hold_s: u32) -> Self {
        Self { engine: engine(hold_s), ahead: Ahead::default() }
    }

    fn due(&mut self, now: UtcMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(observation) = self.ahead.take_due(now) {
            effects.extend(self.engine.step(now, Input::Observation(Measured { waited: true, ..taken(&observation) })));
        }
        effects
    }

    /// A value arrives, after whatever has become due; values from clocks more than 30 s ahead are suspect.
    fn receive(&mut self, observation: &Observation) -> Vec<Effect> {
        let now = observation.received_at;
        let mut effects = self.due(now);
        if now < observation.observed_at {
            self.ahead.put(*observation);
        }
        effects.extend(self.engine.step(now, Input::Observation(taken(observation))));
        effects
    }
}

fn taken(observation: &Observation) -> Measured {
    let ahead = 30_000 < observation.observed_at.since(observation.received_at);
    Measured {
        datastream: DATASTREAM,
        observed_at: observation.observed_at,
        received_at: observation.received_at,
        value: observation.value,
        flag: if ahead { Flag::Suspect } else { Flag::NotEvaluated },
        waited: false,
        origin: None,
    }
}

/// A value received at a second, by a clock that is so many seconds ahead.
fn received(second: i64, ahead: i64, value: f64) -> Observation {
    let at = |seconds: i64| minute(0).saturating_add(seconds * 1_000);
    Observation { observed_at: at(second + ahead), received_at: at(second), ..observation(0, value) }
}

fn seconds(effects: Vec<Effect>) -> Vec<String> {
    let line = |t: Transition| {
        let [decided, onset] = [t.decided_at, t.told.onset].map(|at| at.since(minute(0)) / 1_000);
        format!("{decided}:{}>{} since {onset}", t.told.from, t.told.to)
    };
    transitions(effects).into_iter().map(line).collect()
}

#[test]
fn a_clock_that_is_ahead_hides_no_awas_before_or_after_its_readings_are_due() {
    let mut line = Line::new(0);
    let mut effects = Vec::new();
    // One clock is four minutes ahead and says that all is well; the right one says that it is not.
    for second in 0..600 {
        effects.extend(line.receive(&received(second, 240, 6.0)));
        effects.extend(line.receive(&received(second, 0, 0.2)));
    }
    assert_eq!(seconds(effects), ["0:normal>awas since 0"]);
}

#[test]
fn a_clock_a_little_ahead_hides_nothing_either() {
    let mut line = Line::new(0);
    let mut effects = Vec::new();
    for second in 0..60 {
        effects.extend(line.receive(&received(second, 5, 6.0)));
    }
    // Nothing came from the right one until now; what it says is later than what the other one had measured.
    effects.extend(line.receive(&received(60, 0, 0.2)));
    assert_eq!(seconds(effects), ["60:normal>awas since 60"]);
}

#[test]
fn a_reading_from_the_future_counts_when_its_time_has_come_and_in_the_order_of_times() {
    let mut line = Line::new(0);
    assert_eq!(seconds(line.receive(&received(0, 20, 0.2))), [""; 0]);
    assert_eq!(seconds(line.receive(&received(1, 10, 3.0))), [""; 0]);
    assert_eq!(seconds(line.due(minute(0).saturating_add(10_999))), [""; 0]);
    let told = seconds(line.due(minute(0).saturating_add(25_000)));
    assert_eq!(told, ["25:normal>waspada since 11", "25:waspada>awas since 11"]);
}

#[test]
fn what_has_been_evaluated_counts_no_second_time_whatever_its_clock() {
    let mut line = Line::new(0);
    let (first, second) = (received(0, 2, 3.0), received(2, 2, 6.0));
    line.receive(&first);
    assert_eq!(seconds(line.receive(&second)), ["2:normal>waspada since 2"]);
    assert_eq!(seconds(line.due(minute(0).saturating_add(4_000))), ["4:waspada>normal since 2"]);
    let again = Observation { received_at: minute(1), ..first };
    assert_eq!(seconds(line.receive(&again)), [""; 0], "an alert would be raised again");
    assert_eq!(seconds(line.receive(&received(90, -89, 0.1))), [""; 0], "late, and cannot raise");
}

#[test]
fn a_message_of_readings_that_are_all_ahead_is_evaluated_whole() {
    let mut line = Line::new(0);
    let at_once = |ahead: i64, value: f64| received(0, ahead, value);
    for (ahead, value) in [(1, 3.0), (2, 1.0), (3, 0.2)] {
        line.receive(&at_once(ahead, value));
    }
    let told = seconds(line.due(minute(1)));
    assert_eq!(told, ["60:normal>waspada since 1", "60:waspada>siaga since 1", "60:siaga>awas since 1"]);
}

#[test]
fn a_rule_that_an_earlier_version_had_blinded_until_the_future_sees_again() {
    let mut before = Line::new(0);
    before.engine.step(minute(60), Input::Observation(measured(60, 6.0)));
    let mut engine = Engine::restore(LATENESS_MS, before.engine.snapshot());
    engine.step(minute(1), Input::RuleChange(rule_set(1, [do_rule(0)])));
    assert_eq!(told(feed(&mut engine, 2, 0.2)), ["2:normal>awas since 2"]);
}

#[test]
fn what_waits_is_written_once_and_taken_out_once() {
    let mut ahead = Ahead::default();
    let [first, second] = [received(0, 10, 3.0), received(0, 20, 3.0)];
    ahead.put(first);
    assert_eq!(ahead.take_due(first.observed_at), Some(first));
    assert_eq!(ahead.take_changed(), [], "it came and went between two commits");
    ahead.put(second);
    let key = (second.observed_at, DATASTREAM);
    assert_eq!(ahead.take_changed(), [(key, Some(second))]);
    assert_eq!((ahead.take_changed(), ahead.next()), (vec![], Some(second.observed_at)));
    assert_eq!(ahead.take_due(first.observed_at), None);
    assert_eq!(ahead.take_due(second.observed_at), Some(second));
    assert_eq!(ahead.take_changed(), [(key, None)]);
}

#[test]
fn what_waits_is_bounded_for_each_datastream() {
    let mut ahead = Ahead::default();
    for second in 1..=1_200 {
        ahead.put(received(0, second, 3.0));
    }
    assert_eq!((ahead.take_changed().len(), ahead.crowded_out()), (1_000, 200));
    ahead.put(Observation { datastream: DatastreamId::new(8), ..received(0, 1_200, 3.0) });
    assert_eq!(ahead.take_changed().len(), 1, "another datastream has room of its own");
}

/// Readings of a right clock and of one that is ahead, in the order of their arrival.
fn arrivals() -> impl Strategy<Value = Vec<(i64, i64, f64)>> {
    let value = prop_oneof![Just(6.0), Just(3.0), Just(0.2), 0.0f64..7.0];
    let ahead = prop_oneof![1 => Just(0i64), 1 => 1i64..400];
    let arrivals = proptest::collection::vec((0i64..20, ahead, value), 1..60);
    arrivals.prop_map(|steps| {
        let mut second = 0;
        let place = |(later, ahead, value)| {
            second += later;
            (second, ahead, value)
        };
        steps.into_iter().map(place).collect()
    })
}

proptest! {
    /// However right clocks and clocks that are ahead take turns: until the time of a reading from the future comes, everything
    /// is decided as if it had not come.
    #[test]
    fn until_its_time_comes_a_reading_from_the_future_changes_nothing(arrivals in arrivals(), hold in 0u32..120) {
        let (mut both, mut right) = (Line::new(hold), Line::new(hold));
        for (second, ahead, value) in arrivals {
            // So far ahead that none of them is due within the history.
            let ahead = if ahead == 0 { 0 } else { ahead + 1_300 };
            let told = both.receive(&received(second, ahead, value));
            let alone = if ahead == 0 { right.receive(&received(second, 0, value)) } else { Vec::new() };
            prop_assert_eq!(told, alone);
        }
    }

    /// And when their times come: as long as they say that all is well, and are far ahead, nothing is lowered or ended by
    /// them, and whatever the right ones would raise is raised at the same moment.
    #[test]
    fn what_a_clock_far_ahead_says_keeps_no_right_reading_from_raising_or_ending(arrivals in arrivals(), hold in 0u32..120) {
        let (mut both, mut right) = (Line::new(hold), Line::new(hold));
        for (second, ahead, value) in arrivals {
            let (ahead, value) = if ahead == 0 { (0, value) } else { (ahead + 30, 6.5) };
            let told = seconds(both.receive(&received(second, ahead, value)));
            let told: Vec<_> = told.into_iter().filter(|line| {
                let (from, to) = line.split_once(' ').unwrap().0.split_once(':').unwrap().1.split_once('>').unwrap();
                from != to
            }).collect();
            let alone = if ahead == 0 { seconds(right.receive(&received(second, 0, value))) } else { Vec::new() };
            prop_assert_eq!(told, alone);
        }
    }
}
