use std::sync::atomic::Ordering;

use bakau_clock::{Clock, ManualClock};
use bakau_model::{Counter, Flag, FlatLine, Observation, QualityTest, Range, Step, TestResults};
use bakau_registry::Snapshot;
use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::{
    latest::{LatestTable, Loaded, follow::Follower, waiting::Waiting},
    testing::{House, observation, registered_anew},
    writer::testing::{Door, Steps},
};

const MINUTE: i64 = 60_000;

fn gauge() -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: 0.0, max: 12.0 }),
        counter: Some(Counter { max: None, interval_ms: MINUTE }),
        ..QualityLimits::default()
    }
}

fn level() -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: -8.0, max: 8.0 }),
        suspect: Some(Range { min: -5.0, max: 5.0 }),
        spike: Some(Step { suspect: Some(1.0), fail: Some(3.0) }),
        rate_per_min: Some(Step { suspect: Some(0.3), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(300), fail_s: Some(900) }),
        ..QualityLimits::default()
    }
}

/// Instant, value, flag, tests and increment.
type Said = (UtcMillis, Option<f64>, Flag, TestResults, Option<f64>);

/// Spool, writer and follower of one datastream, each of which goes on when it is told to.
struct Line {
    house: House,
    clock: Arc<ManualClock>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    table: LatestTable,
    follower: Follower,
    writer: Steps,
    /// Arrivals so far: each is a millisecond after the one before it.
    arrived: i64,
}

impl Line {
    fn new(limits: QualityLimits) -> Self {
        let house = House::new();
        let store = Arc::clone(&house.store);
        Self::with(house, store, limits)
    }

    /// A follower that sees another store than the writer.
    fn with(house: House, store: Arc<dyn Store>, limits: QualityLimits) -> Self {
        let snapshots = watch::Sender::new(registered_anew(limits));
        let clock = Arc::new(ManualClock::new(UtcMillis::new(1_000 * MINUTE)));
        let table = LatestTable::new();
        let loaded = Loaded { cursor: Seq::START, waiting: Waiting::default(), ahead: Vec::new() };
        let follower = Follower::new(
            table.clone(),
            (store, house.reader.clone()),
            snapshots.subscribe(),
            Arc::<ManualClock>::clone(&clock),
            loaded,
        );
        let writer = Steps::new(&house, snapshots.subscribe());
        Self { house, clock, snapshots, table, follower, writer, arrived: 0 }
    }

    /// A reading of so many minutes after the start arrives, without anybody looking at it.
    fn arrive(&mut self, minute: i64, value: Option<f64>) {
        self.arrived += 1;
        let received_at = self.clock.now().saturating_add(self.arrived);
        let flag = if value.is_some() { Flag::NotEvaluated } else { Flag::Missing };
        let at = (1_000 + minute) * MINUTE;
        self.house.spool(&[Observation { value, flag, ..observation(1, at, received_at.get(), 0.0) }]);
    }

    /// Readings arrive and are shown, one after the other.
    async fn show(&mut self, readings: &[(i64, f64)]) {
        for &(minute, value) in readings {
            self.arrive(minute, Some(value));
            self.follower.catch_up().await;
        }
    }

    async fn hear(&mut self) {
        if let Some(answers) = self.follower.asking.join_next().await {
            self.follower.settle(answers.unwrap());
        }
    }

    /// Everything is shown and written, and the store has been asked.
    async fn settle(&mut self) {
        self.follower.catch_up().await;
        self.writer.write().await;
        for _ in 0..4 {
            self.follower.tick().await;
            self.hear().await;
        }
        assert!(self.follower.unsettled.is_empty(), "{:?}", self.follower.unsettled);
    }

    fn shown(&self) -> Option<Said> {
        let LatestEntry { observation, tests, increment, .. } = self.table.get(DatastreamId::new(1))?;
        Some((observation.observed_at, observation.value, observation.flag, tests, increment))
    }

    fn increment(&self) -> Option<f64> {
        self.shown().and_then(|shown| shown.4)
    }

    /// The newest stored value that is not of the future.
    async fn stored(&self) -> Option<Said> {
        let now = RangeQuery { to: self.clock.now().saturating_add(1), ..everything(DatastreamId::new(1)) };
        let StoredObservation { observation, tests, increment, .. } =
            self.house.store.observations(&now).await.unwrap().pop()?;
        Some((observation.observed_at, observation.value, observation.flag, tests, increment))
    }
}

#[tokio::test]
async fn corrections_of_the_present_reading_and_of_the_one_before_it_leave_nothing_of_what_was_wrong() {
    let mut line = Line::new(gauge());
    line.show(&[(-5, 15.0), (-4, 18.0), (-3, 18.2)]).await;
    line.settle().await;
    let mut announced = line.table.subscribe();
    line.show(&[(-4, 15.2), (-3, 15.4)]).await;
    assert_eq!(line.increment(), Some(15.4), "as judged at arrival, while the store has not written it");
    line.follower.tick().await;
    line.hear().await;
    assert_eq!(line.increment(), Some(15.4));
    drop(announced.try_recv());
    line.settle().await;
    assert_eq!(line.increment(), Some(0.2));
    assert_eq!(line.shown(), line.stored().await);
    assert_eq!(&*announced.try_recv().unwrap(), [DatastreamId::new(1)], "whoever listens hears of it");
    line.show(&[(-2, 15.9)]).await;
    assert_eq!(line.increment(), Some(0.5), "the next one is counted from what the store says");
}

#[tokio::test]
async fn a_late_reading_takes_from_the_increment_of_the_present_one_and_the_next_waits_for_the_store_too() {
    let mut line = Line::new(gauge());
    line.show(&[(-5, 11.0), (-2, 19.0)]).await;
    assert_eq!(line.increment(), Some(8.0));
    line.settle().await;
    line.show(&[(-4, 15.0)]).await;
    line.settle().await;
    assert_eq!(line.increment(), Some(4.0));

    // Before the store knew of the correction, the next one came.
    line.show(&[(-2, 16.0), (-3, 15.8), (-1, 15.6)]).await;
    assert_eq!(line.increment(), Some(15.6), "it fell");
    line.show(&[(-2, 15.2), (-3, 15.2)]).await;
    line.writer.write().await;
    line.show(&[(0, 15.8)]).await;
    line.follower.tick().await;
    line.hear().await;
    line.settle().await;
    assert_eq!(line.increment(), Some(0.2));
    assert_eq!(line.shown(), line.stored().await);
}

#[tokio::test]
async fn a_late_neighbour_changes_the_tests_of_the_present_value() {
    let mut line = Line::new(level());
    line.show(&[(-20, 1.0), (-10, 4.6)]).await;
    line.settle().await;
    assert_eq!(line.shown().unwrap().3.get(QualityTest::RateOfChange), Flag::Suspect);
    line.show(&[(-11, 4.5), (-15, 2.8)]).await;
    line.settle().await;
    assert_eq!(line.shown().unwrap().2, Flag::Good);
    assert_eq!(line.shown(), line.stored().await);
}

#[tokio::test]
async fn a_value_of_the_future_is_a_neighbour_before_its_time_and_is_judged_once() {
    let mut line = Line::new(level());
    line.show(&[(-2, 1.0), (-1, 1.2), (2, 1.1)]).await;
    line.settle().await;
    assert_eq!(line.shown().unwrap().3.get(QualityTest::Spike), Flag::Good, "the store has both of its neighbours");
    line.show(&[(0, 3.0)]).await;
    line.settle().await;
    assert_eq!(line.shown().unwrap().3.get(QualityTest::Spike), Flag::Suspect);
    line.clock.advance(3 * MINUTE);
    line.settle().await;
    assert_eq!(line.shown(), line.stored().await);
    assert_eq!(line.shown().unwrap().1, Some(1.1));
}

#[tokio::test]
async fn an_answer_that_a_correction_overtook_changes_nothing() {
    let mut line = Line::new(gauge());
    line.show(&[(-5, 11.0), (-2, 19.0), (-4, 15.0)]).await;
    line.writer.write().await;
    line.follower.tick().await;
    // It is asked about 19.0, which is corrected and comes again before the answer is there.
    line.show(&[(-2, 16.0), (-2, 19.0)]).await;
    let at_arrival = line.shown();
    line.hear().await;
    assert_eq!(line.shown(), at_arrival);
    assert!(!line.follower.unsettled.is_empty(), "it is asked again");
    line.settle().await;
    assert_eq!(line.increment(), Some(4.0));
}

#[tokio::test]
async fn other_limits_hold_for_the_next_value_as_they_do_in_the_store() {
    let mut line = Line::new(gauge());
    line.show(&[(-9, 1.0), (-8, 1.0), (-7, 1.0)]).await;
    line.settle().await;
    line.snapshots.send_replace(registered_anew(level()));
    line.settle().await;
    line.show(&[(-6, 1.0), (-5, 1.0), (-3, 1.0)]).await;
    assert_eq!(line.shown().unwrap().3.get(QualityTest::FlatLine), Flag::Suspect, "stuck since before the change");
    line.settle().await;
    assert_eq!(line.shown(), line.stored().await);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_does_not_answer_the_question_is_kept() {
    let house = House::new();
    let door = Door::new(&house.store, true);
    let mut line = Line::with(house, Arc::clone(&door) as Arc<dyn Store>, gauge());
    line.show(&[(-5, 11.0), (-2, 19.0), (-4, 15.0)]).await;
    line.writer.write().await;
    line.follower.tick().await;
    line.hear().await;
    assert_eq!(line.increment(), Some(8.0));
    assert!(0 < door.refused.load(Ordering::SeqCst) && !line.follower.unsettled.is_empty());
    door.shut.store(false, Ordering::SeqCst);
    line.settle().await;
    assert_eq!(line.increment(), Some(4.0));
}

#[test]
fn each_datastream_has_its_turn_once_the_store_is_so_far() {
    let (mut unsettled, seq) = (Unsettled::default(), Seq::new);
    let count = PER_TICK as u32 + 10;
    (0..count).for_each(|number| unsettled.note(DatastreamId::new(number), seq(5)));
    assert_eq!(unsettled.ready(seq(4)), []);
    assert_eq!(unsettled.ready(seq(5)).len(), PER_TICK);
    let second = unsettled.ready(seq(5));
    assert!((count - 10..count).all(|number| second.contains(&DatastreamId::new(number))), "those left out are next");

    let one = DatastreamId::new(1);
    unsettled.touch(one, seq(7));
    assert!(!unsettled.answered(one, seq(6)), "a newer value came");
    unsettled.note(one, seq(9));
    assert!(unsettled.answered(one, seq(8)));
    assert!(!unsettled.ready(seq(8)).contains(&one), "there is nothing new to ask");
    assert!(unsettled.answered(one, seq(9)) && !unsettled.marks.contains_key(&one));
}

#[derive(Debug, Clone)]
enum Event {
    /// A reading of so many minutes from now; of a counter the reading is off by so much.
    Arrive(i64, Option<f64>),
    Follow,
    Write,
    Ask,
    Hear,
    Pass(i64),
    Limits(bool),
}

/// Everything that comes between, in any order.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let minute = prop_oneof![6 => Just(0_i64), 4 => -12_i64..0, 1 => 1_i64..5];
    let value = prop_oneof![
        6 => Just(Some(0.0)), 3 => Just(Some(0.4)), 3 => (-90_i32..90).prop_map(|n| Some(f64::from(n) / 10.0)),
        2 => Just(None)
    ];
    let event = prop_oneof![
        8 => (minute, value).prop_map(|(minute, value)| Event::Arrive(minute, value)),
        4 => Just(Event::Follow), 3 => Just(Event::Write), 3 => Just(Event::Ask), 3 => Just(Event::Hear),
        4 => (1_i64..4).prop_map(Event::Pass), 1 => any::<bool>().prop_map(Event::Limits)
    ];
    proptest::collection::vec(event, 1..60)
}

/// What a datastream says at a minute when it is off by so much: a level stays, a counter grows.
fn said(limits: &QualityLimits, minute: i64, off: f64) -> f64 {
    let grown = if limits.counter.is_some() { 20.0 + minute as f64 / 5.0 } else { 0.0 };
    ((grown + off) * 10.0).round() / 10.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn once_everything_is_written_the_present_value_and_the_next_one_say_what_the_store_says(
        events in events(), counts in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let limits = if counts { gauge() } else { level() };
            let (mut line, mut minute) = (Line::new(limits), 0);
            for event in events {
                match event {
                    Event::Arrive(from_now, off) => {
                        let value = off.map(|off| said(&limits, minute + from_now, off));
                        line.arrive(minute + from_now, value);
                    }
                    Event::Follow => line.follower.catch_up().await,
                    Event::Write => line.writer.write().await,
                    Event::Ask => line.follower.tick().await,
                    Event::Hear => line.hear().await,
                    Event::Pass(minutes) => {
                        minute += minutes;
                        line.clock.advance(minutes * MINUTE);
                    }
                    Event::Limits(strict) => {
                        let fail = Some(Range { max: if strict { 3.0 } else { 12.0 }, ..limits.fail.unwrap() });
                        line.snapshots.send_replace(registered_anew(QualityLimits { fail, ..limits }));
                    }
                }
            }
            line.settle().await;
            prop_assert_eq!(line.shown(), line.stored().await);

            // Behind everything, values of the future included, and before anybody could ask.
            minute += 6;
            line.clock.advance(6 * MINUTE);
            line.settle().await;
            prop_assert_eq!(line.shown(), line.stored().await);
            line.arrive(minute, Some(said(&limits, minute, 0.4)));
            line.follower.catch_up().await;
            let at_arrival = line.shown();
            line.writer.write().await;
            prop_assert_eq!(at_arrival, line.stored().await);
            Ok(())
        })?;
    }
}
