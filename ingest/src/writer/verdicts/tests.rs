use bakau_model::{Flag, FlatLine, Observation, QualityTest, Range, Seq, Step};
use bakau_quality::evaluate;
use bakau_store::{
    conformance::{batch, everything, observation},
    embedded::EmbeddedStore,
};
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

fn limits() -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: -8.0, max: 8.0 }),
        suspect: Some(Range { min: -5.0, max: 5.0 }),
        spike: Some(Step { suspect: Some(1.0), fail: Some(3.0) }),
        rate_per_min: Some(Step { suspect: Some(0.3), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(3_000), fail_s: Some(9_000) }),
        ..QualityLimits::default()
    }
}

/// A store and the judge of the process that runs on it.
struct House {
    store: EmbeddedStore,
    /// Those of processes that were killed: nothing that closing would write is written while the house stands.
    killed: Vec<EmbeddedStore>,
    judge: Option<Judge>,
    limits: QualityLimits,
    seq: u64,
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(limits())
    }

    fn with(limits: QualityLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("series.db")).unwrap();
        Self { store, killed: Vec::new(), judge: None, limits, seq: 0, folder }
    }

    async fn take(&mut self, group: &[Observation]) {
        self.seq += 1;
        let group = [batch(self.seq, "a", group)];
        let mut judge = match self.judge.take() {
            Some(judge) => judge,
            None => Judge::load(&self.store).await.unwrap(),
        };
        let verdicts = judge.group(&self.store, &|_| self.limits, &group).await.unwrap();
        self.store.write(&group, verdicts).await.unwrap();
        self.judge = Some(judge);
    }

    /// As after kill -9: what was in memory is gone, the files are opened again.
    fn restart(&mut self) {
        self.judge = None;
        let again = EmbeddedStore::open(&self.folder.path().join("series.db")).unwrap();
        self.killed.push(std::mem::replace(&mut self.store, again));
    }

    /// Stored verdicts, and those of judging the stored history at once.
    async fn verdicts(&self, datastream: u32) -> (Vec<(i64, Flag, TestResults)>, Vec<(i64, Flag, TestResults)>) {
        let rows = self.store.observations(&everything(datastream)).await.unwrap();
        let series: Vec<_> = rows.iter().map(|row| Sample::from(&row.observation)).collect();
        let whole = evaluate(&limits(), &series);
        let stored = rows.iter().map(|row| (row.observation.observed_at.get(), row.observation.flag, row.tests));
        let judged = series
            .iter()
            .zip(whole)
            .map(|(&Sample { at, value, .. }, tests)| (at.get(), bakau_quality::flag(value, tests), tests));
        (stored.collect(), judged.collect())
    }
}

#[tokio::test]
async fn a_late_value_that_bridges_a_gap_changes_the_verdicts_around_it() {
    let mut house = House::new();
    let at = |minute: i64, value: f64| observation(1, minute * MINUTE, Some(value));
    house.take(&[at(0, 1.0), at(10, 1.2), at(20, 1.1)]).await;
    house.take(&[at(200, 4.0), at(210, 1.0), at(220, 1.1)]).await;
    let (stored, judged) = house.verdicts(1).await;
    assert_eq!(stored, judged);
    assert_eq!(stored[3].2.get(QualityTest::Spike), Flag::NotEvaluated, "it has no neighbour before it");
    house.take(&[at(190, 1.0), at(100, 1.1)]).await;
    let (stored, judged) = house.verdicts(1).await;
    assert_eq!(stored, judged);
    assert_eq!(stored[5].2.get(QualityTest::Spike), Flag::Suspect, "between its neighbours it stands out");
    let kept = house.store.reflagged(&everything(1)).await.unwrap();
    assert_eq!((kept[0].observed_at.get(), kept[0].flag), (200 * MINUTE, Flag::Good), "what was said before is kept");
}

#[tokio::test]
async fn a_range_with_too_many_values_delays_nobody_and_is_judged_by_itself() {
    let mut house = House::new();
    let crowd: Vec<_> = (0..MAX_AROUND as i64).map(|ms| observation(1, ms, Some(1.0))).collect();
    house.take(&crowd).await;
    house.take(&[observation(1, -5, Some(1.0)), observation(1, 500_000, Some(7.0))]).await;
    let rows = house.store.observations(&everything(1)).await.unwrap();
    assert_eq!(rows[0].observation.flag, Flag::Good);
    assert_eq!(rows[rows.len() - 1].observation.flag, Flag::Suspect);
    house.take(&[observation(1, 600_000, Some(1.0))]).await;
    assert_eq!(house.store.cursor().await.unwrap(), Seq::new(3));
    // A missing value among them has no verdict that could fall on the number that stays.
    house.take(&[observation(1, -5, None), observation(1, 1_000, None)]).await;
    let rows = house.store.observations(&everything(1)).await.unwrap();
    assert_eq!((rows[0].observation.value, rows[0].observation.flag), (Some(1.0), Flag::Good));
}

#[derive(Debug, Clone)]
enum Event {
    Group(Vec<Observation>),
    Restart,
}

/// Mostly in order, with late values, repeated keys, corrections and missing values.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let value = prop_oneof![
        6 => Just(Some(1.0)), 3 => Just(Some(1.4)), 3 => (-9_i32..9).prop_map(|n| Some(f64::from(n))), 4 => Just(None)
    ];
    // Minutes from the value's time to its arrival: the clock may be ahead, and the same value come again later.
    let way = prop_oneof![4 => Just(1_i64), 1 => Just(-4_i64)];
    let arrival = (1_u32..3, prop_oneof![5 => 0_i64..3, 2 => -8_i64..0, 1 => 3_i64..20], value, way);
    let group = proptest::collection::vec(arrival, 1..8);
    let event = prop_oneof![6 => group.prop_map(Some), 1 => Just(None)];
    proptest::collection::vec(event, 1..25).prop_map(|events| {
        let mut now = 0;
        let mut observe = |(datastream, step, value, way): (u32, i64, Option<f64>, i64)| {
            now = (now + step).max(0);
            let at = now * 10 * MINUTE;
            Observation { received_at: UtcMillis::new(at + way * MINUTE), ..observation(datastream, at, value) }
        };
        let mut event = |group: Option<Vec<_>>| match group {
            Some(group) => Event::Group(group.into_iter().map(&mut observe).collect()),
            None => Event::Restart,
        };
        events.into_iter().map(&mut event).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_says_what_judging_its_whole_history_says(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut house = House::new();
            for event in &events {
                match event {
                    Event::Group(group) => house.take(group).await,
                    Event::Restart => house.restart(),
                }
            }
            for datastream in [1, 2] {
                let (stored, judged) = house.verdicts(datastream).await;
                prop_assert_eq!(stored, judged);
            }
            let verified = house.store.verify().await.unwrap();
            prop_assert!(verified.is_sound(), "{:?}", verified.problems);
            Ok(())
        })?;
    }
}

mod counters;
