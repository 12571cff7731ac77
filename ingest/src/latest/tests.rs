use std::collections::BTreeSet;

use bakau_clock::ManualClock;
use bakau_model::{Flag, FlatLine, QualityLimits, QualityTest};

use super::*;
use crate::testing::{House, nothing_registered, observation, registered};

fn clock_at(now: i64) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(UtcMillis::new(now)))
}

fn value(table: &LatestTable, datastream: u32) -> Option<f64> {
    table.get(DatastreamId::new(datastream)).and_then(|entry| entry.observation.value)
}

#[test]
fn the_greatest_measured_time_wins_and_at_the_same_time_the_later_arrival() {
    let table = LatestTable::new();
    assert!(table.offer(&observation(1, 1_000, 5, 1.0), TestResults::NONE));
    assert!(!table.offer(&observation(1, 900, 6, 2.0), TestResults::NONE), "late data is not the present");
    assert!(table.offer(&observation(1, 1_000, 7, 3.0), TestResults::NONE), "a correction is");
    assert!(!table.offer(&observation(1, 1_000, 6, 4.0), TestResults::NONE));
    assert!(table.offer(&observation(1, 2_000, 8, 5.0), TestResults::NONE));
    let missing =
        |at, received_at| Observation { value: None, flag: Flag::Missing, ..observation(1, at, received_at, 0.0) };
    assert!(!table.offer(&missing(2_000, 9), TestResults::NONE), "a missing value replaces no number");
    let entry = table.get(DatastreamId::new(1)).unwrap();
    assert_eq!((entry.observation.value, entry.previous_received_at), (Some(5.0), Some(UtcMillis::new(7))));
    assert!(table.offer(&missing(3_000, 12), TestResults::NONE), "at a later instant it is the present");
    assert!(table.offer(&observation(1, 3_000, 10, 6.0), TestResults::NONE), "a number replaces it, also an earlier");
    assert_eq!(value(&table, 1), Some(6.0));
}

#[tokio::test]
async fn store_spool_and_live_tail_come_together_without_a_gap() {
    let mut house = House::new();
    house.spool(&[observation(1, 1_000, 1, 1.0), observation(2, 1_000, 1, 2.0)]);
    let written = house.reader.read_after(Seq::START, 10).unwrap();
    house.store.write(&written, Vec::new()).await.unwrap();
    house.spool(&[observation(2, 2_000, 2, 22.0), observation(3, 1_000, 2, 3.0)]);

    let table = LatestTable::new();
    let mut announced = table.subscribe();
    let stop = CancellationToken::new();
    let running = tokio::spawn(table.clone().run(
        Arc::clone(&house.store),
        house.reader.clone(),
        nothing_registered(),
        clock_at(i64::MAX / 2),
        stop.clone(),
    ));
    let everything = [1, 2, 3].map(DatastreamId::new);
    assert_eq!(&*announced.recv().await.unwrap(), everything, "what was loaded, too");
    assert_eq!((value(&table, 1), value(&table, 2), value(&table, 3)), (Some(1.0), Some(22.0), Some(3.0)));

    house.spool(&[observation(1, 3_000, 3, 111.0)]);
    house.spool(&[observation(1, 2_500, 4, 0.0)]);
    house.spool(&[observation(3, 3_000, 3, 333.0)]);
    let mut changed = BTreeSet::new();
    while changed.len() < 2 {
        changed.extend(announced.recv().await.unwrap().iter().copied());
    }
    assert_eq!(
        table.snapshot().iter().map(|e| e.observation.value).collect::<Vec<_>>(),
        [Some(111.0), Some(22.0), Some(333.0)]
    );
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn flags_go_on_after_a_start_where_the_store_is_and_statuses_are_kept() {
    let flat_line = Some(FlatLine { tolerance: 0.0, suspect_s: Some(3_600), fail_s: None });
    let limits = QualityLimits { flat_line, ..QualityLimits::default() };
    let mut house = House::new();
    let minutes = |range: std::ops::Range<i64>| -> Vec<_> {
        range.map(|minute| observation(1, minute * 60_000, minute, 7.0)).collect()
    };
    house.spool(&minutes(0..70));
    let written = house.reader.read_after(Seq::START, 10).unwrap();
    house.store.write(&written, Vec::new()).await.unwrap();

    let table = LatestTable::new();
    let mut announced = table.subscribe();
    let stop = CancellationToken::new();
    let running = table.clone().run(
        Arc::clone(&house.store),
        house.reader.clone(),
        registered(limits),
        clock_at(i64::MAX / 2),
        stop.clone(),
    );
    let running = tokio::spawn(running);
    let s1 = StationId::new("s1").unwrap();
    let said = |online, retained, at| StationStatus { station: s1.clone(), online, retained, at: UtcMillis::new(at) };
    house.spool_with(&minutes(70..71), vec![said(true, true, 1), said(false, false, 2), said(true, true, 3)]);
    announced.recv().await.unwrap();
    let entry = table.get(DatastreamId::new(1)).unwrap();
    assert_eq!((entry.observation.observed_at.get(), entry.observation.flag), (70 * 60_000, Flag::Suspect));
    assert_eq!(entry.tests.get(QualityTest::FlatLine), Flag::Suspect, "stuck since before the start");
    assert_eq!(table.status(&s1), Some(said(false, false, 2)), "a kept message is no news");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_a_device_says_of_itself_while_the_table_loads_is_not_missed() {
    let mut house = House::new();
    house.spool(&[observation(1, 1_000, 1, 1.0)]);
    let (table, stop) = (LatestTable::new(), CancellationToken::new());
    let (store, reader, clock) = (Arc::clone(&house.store), house.reader.clone(), clock_at(i64::MAX / 2));
    let running = table.clone().run(store, reader, nothing_registered(), clock, stop.clone());
    let mut comings = table.subscribe_statuses();
    let s1 = StationId::new("s1").unwrap();
    let gone = StationStatus { station: s1.clone(), online: false, retained: false, at: UtcMillis::new(2) };
    house.spool_with(&[observation(1, 2_000, 2, 2.0)], vec![gone.clone()]);
    // The store is faster than the table.
    let written = house.reader.read_after(Seq::START, 10).unwrap();
    house.store.write(&written, Vec::new()).await.unwrap();
    let running = tokio::spawn(running);
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), comings.recv());
    assert_eq!(told.await.expect("it is told").unwrap(), gone);
    assert_eq!(table.status(&s1), Some(gone));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_table_that_lags_reads_the_gap_from_the_spool() {
    let mut house = House::new();
    let table = LatestTable::new();
    let stop = CancellationToken::new();
    let running = tokio::spawn(table.clone().run(
        Arc::clone(&house.store),
        house.reader.clone(),
        nothing_registered(),
        clock_at(i64::MAX / 2),
        stop.clone(),
    ));
    let mut announced = table.subscribe();
    house.spool(&[observation(1, 0, 0, 0.0)]);
    announced.recv().await.unwrap();
    // No await in between: the single-threaded runtime cannot follow, so the live tail overflows.
    for at in 1..=2_000 {
        house.spool(&[observation(at % 50, i64::from(at), i64::from(at), f64::from(at))]);
    }
    while value(&table, 0) != Some(2_000.0) {
        announced.recv().await.unwrap();
    }
    assert_eq!(table.snapshot().len(), 50);
    assert_eq!(value(&table, 49), Some(1_999.0));
    stop.cancel();
    running.await.unwrap();
}

const MINUTE: i64 = 60_000;

/// A table that follows, and how to end it.
struct Running {
    table: LatestTable,
    announced: broadcast::Receiver<Arc<[DatastreamId]>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(house: &House, clock: &Arc<ManualClock>) -> Self {
        let (table, stop) = (LatestTable::new(), CancellationToken::new());
        let announced = table.subscribe();
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
        let registered = registered(QualityLimits::default());
        let running =
            table.clone().run(Arc::clone(&house.store), house.reader.clone(), registered, clock, stop.clone());
        Self { task: tokio::spawn(running), table, announced, stop }
    }

    /// Waits until the present value of datastream 1 is this one.
    async fn becomes(&mut self, expected: f64) {
        while value(&self.table, 1) != Some(expected) {
            self.announced.recv().await.unwrap();
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_reading_from_the_future_waits_for_its_time_after_a_restart_too() {
    let mut house = House::new();
    let clock = clock_at(10 * MINUTE);
    let mut running = Running::start(&house, &clock);
    house.spool(&[observation(1, 14 * MINUTE, 10 * MINUTE, 6.0), observation(1, 10 * MINUTE, 10 * MINUTE, 0.2)]);
    running.becomes(0.2).await;
    house.spool(&[observation(1, 15 * MINUTE, 11 * MINUTE, 6.5)]);
    clock.set(UtcMillis::new(11 * MINUTE));
    house.spool(&[observation(1, 11 * MINUTE, 11 * MINUTE, 0.3)]);
    running.becomes(0.3).await;
    clock.set(UtcMillis::new(14 * MINUTE));
    running.becomes(6.0).await;
    running.end().await;

    let written = house.reader.read_after(Seq::START, 10).unwrap();
    house.store.write(&written, Vec::new()).await.unwrap();
    clock.set(UtcMillis::new(13 * MINUTE));
    let mut running = Running::start(&house, &clock);
    house.spool(&[observation(2, MINUTE, MINUTE, 1.0)]);
    while value(&running.table, 2).is_none() {
        running.announced.recv().await.unwrap();
    }
    assert_eq!(value(&running.table, 1), Some(0.3), "what the store holds of the future waits");
    clock.set(UtcMillis::new(15 * MINUTE));
    running.becomes(6.5).await;
    running.end().await;
}

#[tokio::test]
async fn a_station_says_that_its_clock_is_ahead_since_when_and_by_how_much_after_a_restart_too() {
    let s1 = StationId::new("s1").unwrap();
    let mut house = House::new();
    let clock = clock_at(20 * MINUTE);
    let mut running = Running::start(&house, &clock);
    house.spool(&[observation(1, 10 * MINUTE, 10 * MINUTE, 1.0)]);
    running.becomes(1.0).await;
    assert_eq!(running.table.clock(&s1), None);
    house.spool(&[observation(1, 15 * MINUTE, 11 * MINUTE, 2.0)]);
    house.spool(&[observation(1, 17 * MINUTE, 12 * MINUTE, 3.0)]);
    running.becomes(3.0).await;
    let ahead = ClockAhead { ahead_ms: 5 * MINUTE, since: UtcMillis::new(11 * MINUTE), refused: false };
    assert_eq!(running.table.clocks(), [(s1.clone(), ahead)]);
    running.end().await;

    let written = house.reader.read_after(Seq::START, 10).unwrap();
    house.store.write(&written, Vec::new()).await.unwrap();
    let mut running = Running::start(&house, &clock);
    house.spool(&[observation(1, 18 * MINUTE, 18 * MINUTE, 4.0)]);
    running.becomes(4.0).await;
    assert_eq!(running.table.clock(&s1), Some(ahead), "one right reading is not enough");
    house.refuse(
        "s1/do",
        "1970-01-01T09:00:00Z is 8 h after the message arrived: check the device's clock",
        19 * MINUTE,
    );
    house.spool(&[observation(1, 19 * MINUTE - 1, 19 * MINUTE - 1, 5.0)]);
    running.becomes(5.0).await;
    while running.table.clock(&s1).is_none_or(|ahead| !ahead.refused) {
        running.announced.recv().await.unwrap();
    }
    let refused = running.table.clock(&s1).unwrap();
    assert_eq!((refused.ahead_ms, refused.since.get()), (9 * 60 * MINUTE - 19 * MINUTE, 19 * MINUTE));
    house.spool(&[observation(1, 30 * MINUTE, 30 * MINUTE, 6.0)]);
    clock.set(UtcMillis::new(31 * MINUTE));
    running.becomes(6.0).await;
    assert_eq!(running.table.clock(&s1), None);
    running.end().await;
}
