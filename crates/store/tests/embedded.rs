//! The embedded backend: conformance, crashes, damage, and any history against a model.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod old;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, Flag, Observation, QualityTest, Seq, TestResults, UtcMillis};
use bakau_store::{
    RangeQuery, Store, StoreCounts, StoreErrorKind, StoredObservation, Verdict,
    conformance::{self, batch, everything, observation},
    copy::{CopyEvent, Transfer, copy},
    embedded::EmbeddedStore,
};
use parking_lot::Mutex;
use proptest::prelude::*;

struct Files {
    folder: tempfile::TempDir,
    made: Mutex<u32>,
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("series-{}.db", *self.made.lock()))
    }
}

#[async_trait]
impl conformance::Fixture for Files {
    async fn empty(&self) -> Arc<dyn Transfer> {
        *self.made.lock() += 1;
        Arc::new(EmbeddedStore::open(&self.path()).unwrap())
    }

    async fn reopened(&self) -> Arc<dyn Transfer> {
        Arc::new(EmbeddedStore::open(&self.path()).unwrap())
    }

    async fn reopened_target(&self) -> Arc<dyn Transfer> {
        Arc::new(EmbeddedStore::open_target(&self.path()).unwrap())
    }
}

fn new_store() -> (tempfile::TempDir, EmbeddedStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&folder.path().join("series.db")).unwrap();
    (folder, store)
}

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    conformance::run(&Files { folder: tempfile::tempdir().unwrap(), made: Mutex::new(0) }).await;
}

/// What kill -9 leaves is the files as they are at some moment between commits: copied while the store runs.
#[tokio::test]
async fn a_copy_of_the_files_of_a_running_store_has_every_finished_write() {
    let (folder, store) = new_store();
    for seq in 1..=20 {
        let at = i64::try_from(seq).unwrap();
        store
            .write(&[batch(seq, "a", &[observation(1, at, Some(1.0)), observation(2, 0, Some(at as f64))])], Vec::new())
            .await
            .unwrap();
        let copy = tempfile::tempdir().unwrap();
        for file in ["series.db", "series.db-wal"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        let after_kill = EmbeddedStore::open(&copy.path().join("series.db")).unwrap();
        assert_eq!(after_kill.cursor().await.unwrap(), Seq::new(seq));
        assert_eq!(after_kill.observations(&everything(1)).await.unwrap().len(), usize::try_from(seq).unwrap());
        let verified = after_kill.verify().await.unwrap();
        assert_eq!((verified.superseded, verified.problems), (seq - 1, vec![]));
    }
}

#[tokio::test]
async fn an_abandoned_write_happens_or_not_but_never_half() {
    let (_folder, store) = new_store();
    let rows: Vec<_> = (0..5_000).map(|at| observation(1, at, Some(1.0))).collect();
    let group = [batch(1, "a", &rows)];
    let abandoned = tokio::time::timeout(std::time::Duration::ZERO, store.write(&group, Vec::new())).await;
    assert!(abandoned.is_err(), "the write was abandoned before its answer");
    store.write(&group, Vec::new()).await.unwrap();
    let verified = store.verify().await.unwrap();
    assert_eq!((verified.rows, verified.problems), (5_000, vec![]));
    let lines = store.ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).await.unwrap();
    assert_eq!(lines.values().map(StoreCounts::total).sum::<u64>(), 5_000);
}

#[tokio::test]
async fn a_damaged_row_is_named_and_the_others_stay_readable() {
    let (folder, store) = new_store();
    let rows: Vec<_> = (0..10).map(|at| observation(1, at, Some(1.0))).collect();
    store.write(&[batch(1, "a", &rows)], Vec::new()).await.unwrap();
    let intruder = rusqlite::Connection::open(folder.path().join("series.db")).unwrap();
    intruder.execute("UPDATE recent SET flag = 77 WHERE observed_at = 4", []).unwrap();
    intruder.execute("UPDATE recent SET value = NULL WHERE observed_at = 9", []).unwrap();
    let page = store.observations(&RangeQuery { limit: 8, ..everything(1) }).await.unwrap();
    let at: Vec<_> = page.iter().map(|row| row.observation.observed_at.get()).collect();
    assert_eq!(at, [0, 1, 2, 3, 5, 6, 7, 8], "the page is full although a row is left out");
    let problems = store.verify().await.unwrap().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("1 at 4 ms") && problems[0].contains("QARTOD"), "{problems:?}");
}

#[tokio::test]
async fn verify_notices_a_row_that_vanished_and_a_version_that_vanished() {
    let (folder, store) = new_store();
    store
        .write(
            &[batch(1, "a", &[observation(1, 1, Some(1.0)), observation(1, 1, Some(2.0)), observation(1, 2, None)])],
            Vec::new(),
        )
        .await
        .unwrap();
    assert!(store.verify().await.unwrap().is_sound());
    let intruder = rusqlite::Connection::open(folder.path().join("series.db")).unwrap();
    intruder.execute_batch("DELETE FROM recent WHERE observed_at = 2; DELETE FROM superseded").unwrap();
    let problems = store.verify().await.unwrap().problems.join("\n");
    assert!(problems.contains("2 stored values, there are 1"), "{problems}");
    assert!(problems.contains("1 corrections, there are 0"), "{problems}");
}

#[tokio::test]
async fn a_folder_that_does_not_exist_gives_a_sentence() {
    let error = EmbeddedStore::open(std::path::Path::new("/nonexistent-folder/series.db")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn many_readers_and_the_writer_do_not_disturb_each_other() {
    let (_folder, store) = new_store();
    let store = Arc::new(store);
    let reading = Arc::clone(&store);
    let reader = tokio::spawn(async move {
        loop {
            let answers = futures_of(&reading).await;
            // Each answer is one snapshot: rows are written in pairs, so never an odd number.
            assert!(answers.iter().all(|rows| rows % 2 == 0), "{answers:?}");
            if answers.contains(&200) {
                return;
            }
        }
    });
    for seq in 1..=100 {
        let at = i64::try_from(seq).unwrap();
        store
            .write(
                &[batch(seq, "a", &[observation(1, at * 2, Some(1.0)), observation(1, at * 2 + 1, Some(1.0))])],
                Vec::new(),
            )
            .await
            .unwrap();
    }
    reader.await.unwrap();
}

async fn futures_of(store: &Arc<EmbeddedStore>) -> Vec<usize> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.observations(&everything(1)).await.unwrap().len() });
    }
    tasks.join_all().await
}

// === a file of before ===

#[tokio::test]
async fn numbers_that_a_missing_value_replaced_come_back_from_a_file_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.db");
    drop(old::make(&path, include_str!("old/series-1.sql"), i64::MIN));
    let store = EmbeddedStore::open(&path).unwrap();
    let held = store.observations(&everything(1)).await.unwrap();
    let values: Vec<_> = held
        .iter()
        .map(|row| {
            let observation = row.observation;
            assert_eq!(row.tests, old::tests(observation.value, observation.flag), "with its tests");
            assert_eq!(observation.deployment.get(), 17, "and everything else");
            let (at, received_at) = (observation.observed_at.get(), observation.received_at.get());
            (at, observation.value, row.revision, observation.flag, received_at)
        })
        .collect();
    assert_eq!(values, old::BROUGHT_BACK);
    let kept = store.superseded(&everything(1)).await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .filter(|row| row.observation.value.is_none())
        .map(|row| (row.observation.observed_at.get(), row.revision, row.recorded_at.get()))
        .collect();
    let ends = old::LAST_MINUTE_ENDS;
    let expected = [(10_000, 2, ends), (20_000, 1, 120_001), (20_000, 4, ends), (30_000, 2, 180_002)];
    assert_eq!(kept, expected, "that there was none is a version of its own, until the last minute of before ends");
    let verified = store.verify().await.unwrap();
    assert_eq!((verified.rows, verified.superseded, verified.problems), (6, 9, vec![]), "the books add up");
    // Opened again, nothing is done again; a correction that vanishes is still noticed.
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(store.observations(&everything(1)).await.unwrap(), held);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE ledger SET corrected = corrected + 1", []).unwrap();
    assert!(!store.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_copy_begun_into_a_file_of_before_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source.db"), folder.path().join("target.db"));
    let script = include_str!("old/series-1.sql");
    drop(old::make(&source, script, i64::MIN));
    // The first slice is over: it has the value that the source does not have any more.
    let file = rusqlite::Connection::open(&target).unwrap();
    file.execute_batch(script).unwrap();
    file.execute("INSERT INTO recent VALUES (1, 10000, NULL, 9, 0, 17, 1, 60200, 2)", []).unwrap();
    file.execute("INSERT INTO superseded VALUES (1, 10000, 1, 28.2, 3, 49, 17, 1, 60100, 60200)", []).unwrap();
    file.execute("INSERT INTO copying VALUES (1, 5, 1, 1, 10000, '')", []).unwrap();
    drop(file);
    let (source, target) = (EmbeddedStore::open(&source).unwrap(), EmbeddedStore::open_target(&target).unwrap());
    let mut resumed = None;
    let mut report = |event| {
        if let CopyEvent::Started { resumed: now, .. } = event {
            resumed = Some(now);
        }
    };
    let compared = copy(&source, &target, &mut report).await.unwrap();
    assert_eq!((compared.differences, compared.inherited), (vec![], vec![]));
    assert_eq!(resumed, Some(false));
    let values = async |store: &EmbeddedStore| store.observations(&everything(1)).await.unwrap();
    assert_eq!(values(&target).await, values(&source).await);
}

// === any history against a model ===

/// The promise in its plainest form: a map of versions per key.
#[derive(Default)]
struct Model {
    cursor: Seq,
    versions: HashMap<(u32, i64), Vec<Observation>>,
    ledger: BTreeMap<(i64, String), StoreCounts>,
}

impl Model {
    fn write(&mut self, batches: &[Arc<Batch>]) -> StoreCounts {
        let mut sum = StoreCounts::default();
        for batch in batches.iter().filter(|batch| self.cursor < batch.seq).cloned().collect::<Vec<_>>() {
            self.cursor = batch.seq;
            for sourced in &batch.observations {
                let observation = sourced.observation;
                let key = (observation.datastream.get(), observation.observed_at.get());
                let versions = self.versions.entry(key).or_default();
                let mut outcome = StoreCounts::default();
                match versions.last() {
                    None => outcome.stored = 1,
                    Some(last) if last.value.map(f64::to_bits) == observation.value.map(f64::to_bits) => {
                        outcome.duplicate = 1
                    }
                    Some(_) if observation.value.is_none() => outcome.ignored_missing = 1,
                    Some(_) => outcome.corrected = 1,
                }
                if outcome.stored + outcome.corrected == 1 {
                    versions.push(observation);
                }
                let source = batch.sources[usize::from(sourced.source)].to_string();
                *self.ledger.entry((observation.received_at.minute().get(), source)).or_default() += outcome;
                sum += outcome;
            }
        }
        sum
    }
}

/// Few datastreams, instants, values and minutes, so that keys collide often.
fn any_observation() -> impl Strategy<Value = Observation> {
    let value = proptest::option::weighted(0.8, (0_u8..3).prop_map(|value| f64::from(value) * 0.1));
    (1_u32..4, -3_i64..6, value, 0_i64..3).prop_map(|(datastream, at, value, minute)| Observation {
        received_at: UtcMillis::new(minute * 60_000 + 7),
        ..observation(datastream, at, value)
    })
}

fn any_history() -> impl Strategy<Value = Vec<(Vec<Observation>, bool)>> {
    proptest::collection::vec((proptest::collection::vec(any_observation(), 0..12), any::<bool>()), 1..8)
}

async fn compare(store: &EmbeddedStore, model: &Model) {
    for datastream in 1..4 {
        let rows = store.observations(&everything(datastream)).await.unwrap();
        let held: BTreeMap<_, _> =
            rows.iter().map(|row| (row.observation.observed_at.get(), (row.observation, row.revision))).collect();
        let mine = model.versions.iter().filter(|((number, _), _)| *number == datastream);
        let expected: BTreeMap<_, _> = mine
            .clone()
            .map(|((_, at), versions)| (*at, (versions[versions.len() - 1], u32::try_from(versions.len()).unwrap())))
            .collect();
        assert_eq!(held, expected);
        let extent = store.extent(DatastreamId::new(datastream)).await.unwrap();
        let ends = expected.keys().next().zip(expected.keys().next_back());
        assert_eq!(extent, ends.map(|(first, last)| (UtcMillis::new(*first), UtcMillis::new(*last))));
        let latest = store.latest().await.unwrap();
        let latest = latest.iter().find(|row| row.observation.datastream.get() == datastream);
        assert_eq!(latest.map(|row| row.observation), expected.values().next_back().map(|(last, _)| *last));
        let old = store.superseded(&everything(datastream)).await.unwrap();
        let old: HashMap<_, _> = old
            .iter()
            .map(|row| ((row.observation.observed_at.get(), row.revision), (row.observation, row.recorded_at)))
            .collect();
        let replaced: HashMap<_, _> = mine
            .flat_map(|((_, at), versions)| {
                let pairs = versions.windows(2).enumerate();
                pairs.map(|(n, pair)| ((*at, u32::try_from(n + 1).unwrap()), (pair[0], pair[1].received_at)))
            })
            .collect();
        assert_eq!(old, replaced);
    }
    let lines = store.ledger(UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX)).await.unwrap();
    let lines: BTreeMap<_, _> =
        lines.into_iter().map(|(key, counts)| ((key.minute.get(), key.source.to_string()), counts)).collect();
    assert_eq!(lines, model.ledger);
    assert_eq!(store.cursor().await.unwrap(), model.cursor);
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn in_any_order_and_any_groups_the_last_number_of_a_key_is_current_and_a_missing_value_only_without_one(
        history in proptest::collection::vec(any_observation(), 1..60),
        ranks in proptest::collection::vec(any::<u32>(), 60),
        sizes in proptest::collection::vec(1_usize..20, 60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, store) = new_store();
            let arrival = conformance::in_another_order(&history, &ranks);
            let (mut rest, mut counts) = (&arrival[..], StoreCounts::default());
            for (size, seq) in sizes.into_iter().zip(1..) {
                let (group, later) = rest.split_at(size.min(rest.len()));
                counts += store.write(&[batch(seq, "a", group)], Vec::new()).await.unwrap().counts;
                rest = later;
            }
            prop_assert_eq!(counts.total(), history.len() as u64);
            let mut held = BTreeMap::new();
            for datastream in 1..4 {
                let rows = store.observations(&everything(datastream)).await.unwrap();
                let value = |row: &StoredObservation| {
                    ((datastream, row.observation.observed_at.get()), row.observation.value)
                };
                held.extend(rows.iter().map(value));
            }
            prop_assert_eq!(held, conformance::last_numbers(&history));
            let verified = store.verify().await.unwrap();
            prop_assert!(verified.is_sound(), "{:?}", verified.problems);
            Ok(())
        })?;
    }

    #[test]
    fn every_result_of_every_test_comes_back_from_the_file(
        all in prop::collection::vec(prop::collection::vec(0_usize..4, QualityTest::ALL.len()), 1..40),
    ) {
        let flags = [Flag::NotEvaluated, Flag::Good, Flag::Suspect, Flag::Fail];
        let results = |places: &Vec<usize>| {
            let given = QualityTest::ALL.into_iter().zip(places);
            given.fold(TestResults::NONE, |results, (test, place)| results.with(test, flags[*place]))
        };
        let written: Vec<_> = (0..).zip(all.iter().map(results)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, store) = new_store();
            let values: Vec<_> = written.iter().map(|&(at, _)| observation(1, at, Some(1.0))).collect();
            let verdict = |&(at, tests): &(i64, TestResults)| {
                let Observation { datastream, observed_at, received_at, .. } = observation(1, at, None);
                Verdict { datastream, observed_at, tests, increment: None, recorded_at: received_at }
            };
            store.write(&[batch(1, "a", &values)], written.iter().map(verdict).collect()).await.unwrap();
            let rows = store.observations(&everything(1)).await.unwrap();
            let read: Vec<_> = rows.iter().map(|row| (row.observation.observed_at.get(), row.tests)).collect();
            prop_assert_eq!(read, written);
            Ok(())
        })?;
    }

    #[test]
    fn any_history_of_writes_repeats_and_restarts_ends_as_the_model_says(
        history in any_history(),
        repeat in 0_usize..3,
        reopen in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (folder, mut store) = new_store();
            let mut model = Model::default();
            let batches: Vec<_> = history
                .iter()
                .zip(1..)
                .map(|((rows, other), seq)| batch(seq, if *other { "a" } else { "b" }, rows))
                .collect();
            for (n, _) in batches.iter().enumerate() {
                // Each write offers again some batches that are already in, as after a crash before the cursor report.
                let offered = &batches[n.saturating_sub(repeat)..=n];
                prop_assert_eq!(store.write(offered, Vec::new()).await.unwrap().counts, model.write(offered));
                if reopen {
                    store = EmbeddedStore::open(&folder.path().join("series.db")).unwrap();
                }
            }
            compare(&store, &model).await;
            Ok(())
        })?;
    }
}
