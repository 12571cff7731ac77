//! Conformance suite of store backends: checks that panic with the broken promise.
//!
//! A backend implements [`Fixture`] and its test calls [`run`]; `crates/store/tests/embedded.rs` is an example.
#![expect(clippy::expect_used, reason = "a conformance suite reports by panicking, like a test")]

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use async_trait::async_trait;
use bakau_model::{
    Batch, DatastreamId, DeploymentId, Flag, LedgerKey, MINUTE_MS, Observation, Seq, SourceName, SourcedObservation,
    TestResults, TimeSource, UtcMillis,
};

use crate::{RangeQuery, SeriesPoint, Store, StoreCounts, StoredObservation, copy::Transfer};

mod hours;
mod missing;
mod transfer;
mod verdicts;

pub use missing::{in_another_order, last_numbers};

/// How the suite gets stores of one backend.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A store without data.
    async fn empty(&self) -> Arc<dyn Transfer>;

    /// The store of the last call of [`Fixture::empty`] opened again, as after a crash: every earlier handle was
    /// dropped or leaked, none was closed.
    async fn reopened(&self) -> Arc<dyn Transfer>;

    /// Like [`Fixture::reopened`], with a store that may be the target of an unfinished copy.
    async fn reopened_target(&self) -> Arc<dyn Transfer>;

    /// First and last instant that the backend can hold.
    fn instants(&self) -> (UtcMillis, UtcMillis) {
        (UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX))
    }
}

/// Runs every check, each on a store without data.
///
/// # Panics
/// When the backend breaks a promise; the message names it.
pub async fn run(fixture: &dyn Fixture) {
    an_empty_store_has_nothing(&*fixture.empty().await).await;
    what_is_written_is_read_back(&*fixture.empty().await).await;
    the_same_batches_again_change_nothing(&*fixture.empty().await).await;
    same_values_are_duplicates_and_others_corrections(&*fixture.empty().await).await;
    later_in_spool_order_wins_inside_one_write(&*fixture.empty().await).await;
    missing::a_number_replaces_a_missing_value(&*fixture.empty().await).await;
    missing::a_missing_value_never_replaces_a_number(&*fixture.empty().await).await;
    missing::any_order_of_numbers_and_missing_values_ends_the_same(&*fixture.empty().await).await;
    negative_zero_repeated_is_a_duplicate(&*fixture.empty().await).await;
    pages_are_complete_in_both_directions(&*fixture.empty().await).await;
    instants_at_the_edges_work(&*fixture.empty().await, fixture.instants()).await;
    latest_and_extent_follow_observed_at(&*fixture.empty().await).await;
    the_ledger_adds_up_by_minute_and_source(&*fixture.empty().await).await;
    hours::hours_are_what_their_values_amount_to(&*fixture.empty().await).await;
    verdicts::a_verdict_comes_with_its_value_or_later(&*fixture.empty().await).await;
    verdicts::a_flag_that_is_taken_back_is_kept(&*fixture.empty().await).await;
    verdicts::the_verdict_belongs_to_the_value_that_stays(&*fixture.empty().await).await;
    verdicts::every_result_of_every_test_comes_back(&*fixture.empty().await).await;
    verdicts::increments_come_with_verdicts_and_what_they_were_is_kept(&*fixture.empty().await).await;
    a_scan_shows_what_a_question_answers(&*fixture.empty().await).await;
    everything_is_there_after_reopening(fixture).await;
    transfer::a_copy_has_everything_and_goes_on(fixture).await;
    transfer::a_copy_that_was_cut_off_goes_on(fixture).await;
    transfer::a_copy_of_a_store_that_changed_begins_anew(fixture).await;
    transfer::a_store_with_values_of_its_own_is_no_target(fixture).await;
}

/// A batch of one source, for checks and tests.
#[must_use]
pub fn batch(seq: u64, source: &str, observations: &[Observation]) -> Arc<Batch> {
    let source = SourceName::new(source).expect("the check uses a valid source name");
    let sourced = |&observation| SourcedObservation { source: 0, observation };
    let observations = observations.iter().map(sourced).collect();
    Arc::new(Batch {
        seq: Seq::new(seq),
        registry_revision: 1,
        sources: vec![source],
        observations,
        statuses: Vec::new(),
    })
}

/// An observation of a datastream, received half an hour into 1970-01-02; `None` is a missing value.
#[must_use]
pub fn observation(datastream: u32, observed_at: i64, value: Option<f64>) -> Observation {
    Observation {
        datastream: DatastreamId::new(datastream),
        observed_at: UtcMillis::new(observed_at),
        value,
        deployment: DeploymentId::new(3),
        time_source: TimeSource::Device,
        received_at: UtcMillis::new(88_200_000),
        flag: if value.is_some() { Flag::NotEvaluated } else { Flag::Missing },
    }
}

/// A query for everything of a datastream but the very last instant of the range of [`UtcMillis`].
#[must_use]
pub const fn everything(datastream: u32) -> RangeQuery {
    RangeQuery {
        datastream: DatastreamId::new(datastream),
        from: UtcMillis::new(i64::MIN),
        to: UtcMillis::new(i64::MAX),
        after: None,
        limit: usize::MAX,
        newest_first: false,
    }
}

async fn write(store: &dyn Store, batches: &[Arc<Batch>]) -> StoreCounts {
    store.write(batches, Vec::new()).await.expect("a write is accepted").counts
}

async fn read(store: &dyn Store, query: &RangeQuery) -> Vec<StoredObservation> {
    store.observations(query).await.expect("observations are readable")
}

async fn values(store: &dyn Store, datastream: u32) -> Vec<(i64, Option<f64>, u32)> {
    let found = read(store, &everything(datastream)).await;
    found.iter().map(|row| (row.observation.observed_at.get(), row.observation.value, row.revision)).collect()
}

const fn counts(stored: u64, duplicate: u64, corrected: u64) -> StoreCounts {
    StoreCounts { stored, duplicate, corrected, ignored_missing: 0 }
}

async fn an_empty_store_has_nothing(store: &dyn Store) {
    store.health().await.expect("an empty store is healthy");
    assert_eq!(store.cursor().await.expect("cursor"), Seq::START, "an empty store is before the first batch");
    assert_eq!(read(store, &everything(1)).await, [], "an empty store has no observations");
    assert_eq!(store.latest().await.expect("latest"), [], "an empty store has no latest values");
    assert_eq!(store.extent(DatastreamId::new(1)).await.expect("extent"), None, "nothing has no extent");
    assert_eq!(store.superseded(&everything(1)).await.expect("superseded"), [], "nothing was superseded");
    let lines = store.ledger(UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX)).await.expect("ledger");
    assert!(lines.is_empty(), "an empty store has no ledger lines");
    let receipt = store.write(&[], Vec::new()).await.expect("an empty write is accepted");
    assert_eq!((receipt.counts, receipt.cursor), (counts(0, 0, 0), Seq::START), "an empty write does nothing");
    let receipt = store.write(&[batch(1, "a", &[])], Vec::new()).await.expect("an empty batch is accepted");
    assert_eq!(receipt.cursor, Seq::new(1), "an empty batch moves the cursor");
    assert!(store.verify().await.expect("verify").is_sound(), "an empty store is sound");
}

async fn what_is_written_is_read_back(store: &dyn Store) {
    let mut written = Vec::new();
    for (n, time_source) in TimeSource::ALL.into_iter().enumerate() {
        for (m, flag) in Flag::ALL.into_iter().enumerate() {
            let at = i64::try_from(n * 10 + m).expect("small") - 12;
            let value = (flag != Flag::Missing).then_some(at as f64 * 0.1);
            let deployment = DeploymentId::new(u32::MAX - n as u32);
            written.push(Observation { flag, time_source, deployment, ..observation(u32::MAX, at, value) });
        }
    }
    written.push(observation(u32::MAX, 1_000, Some(f64::MIN_POSITIVE)));
    written.push(observation(u32::MAX, 1_001, Some(-1.797_693_134_862_315_7e308)));
    written.push(observation(u32::MAX, 1_002, Some(7.0)));
    let receipt = store.write(&[batch(1, "a", &written)], Vec::new()).await.expect("write");
    let all = written.len() as u64;
    assert_eq!((receipt.counts, receipt.cursor), (counts(all, 0, 0), Seq::new(1)), "new keys are stored");
    let found = read(store, &everything(u32::MAX)).await;
    let expected: Vec<_> = written
        .iter()
        .map(|&observation| StoredObservation { observation, revision: 1, tests: TestResults::NONE, increment: None })
        .collect();
    assert_eq!(found, expected, "everything comes back as written, by observed_at");
    assert_eq!(read(store, &everything(1)).await, [], "another datastream has nothing");
}

async fn the_same_batches_again_change_nothing(store: &dyn Store) {
    let batches = [
        batch(1, "a", &[observation(1, 1, Some(1.0)), observation(1, 2, Some(2.0))]),
        batch(2, "a", &[observation(1, 2, Some(2.5))]),
    ];
    assert_eq!(write(store, &batches).await, counts(2, 0, 1), "first write");
    let before = values(store, 1).await;
    let again = store.write(&batches, Vec::new()).await.expect("write");
    assert_eq!(
        (again.counts, again.cursor),
        (counts(0, 0, 0), Seq::new(2)),
        "batches at or below the cursor are skipped"
    );
    let partly = [Arc::clone(&batches[1]), batch(3, "a", &[observation(1, 3, Some(3.0))])];
    assert_eq!(write(store, &partly).await, counts(1, 0, 0), "only what is above the cursor is written");
    assert_eq!(values(store, 1).await[..2], before, "earlier rows did not change");
    assert_eq!(store.cursor().await.expect("cursor"), Seq::new(3), "the cursor is the last seq");
}

async fn same_values_are_duplicates_and_others_corrections(store: &dyn Store) {
    let first = observation(5, 100, Some(5.0));
    write(store, &[batch(1, "a", &[first])]).await;
    let again = Observation { received_at: UtcMillis::new(90_000_000), ..first };
    assert_eq!(write(store, &[batch(2, "b", &[again])]).await, counts(0, 1, 0), "the same value is a duplicate");
    let kept = read(store, &everything(5)).await;
    assert_eq!(
        kept,
        [StoredObservation { observation: first, revision: 1, tests: TestResults::NONE, increment: None }],
        "a duplicate leaves the first as it was"
    );

    let second = Observation {
        received_at: UtcMillis::new(91_000_000),
        deployment: DeploymentId::new(9),
        ..observation(5, 100, Some(5.5))
    };
    let third = Observation { received_at: UtcMillis::new(92_000_000), ..observation(5, 100, Some(-1.0)) };
    let back = Observation { received_at: UtcMillis::new(93_000_000), ..first };
    for (n, version) in [second, third, back].into_iter().enumerate() {
        assert_eq!(
            write(store, &[batch(3 + n as u64, "a", &[version])]).await,
            counts(0, 0, 1),
            "another value is a correction"
        );
    }
    let now = read(store, &everything(5)).await;
    assert_eq!(
        now,
        [StoredObservation { observation: back, revision: 4, tests: TestResults::NONE, increment: None }],
        "the latest received value is current"
    );
    let old = store.superseded(&everything(5)).await.expect("superseded");
    let old: Vec<_> = old.iter().map(|row| (row.observation, row.revision, row.recorded_at.get())).collect();
    let expected = [(first, 1, 91_000_000), (second, 2, 92_000_000), (third, 3, 93_000_000)];
    assert_eq!(old, expected, "every replaced version is kept with the time it was replaced");
    let narrow = RangeQuery { from: UtcMillis::new(101), ..everything(5) };
    assert_eq!(store.superseded(&narrow).await.expect("superseded"), [], "the range holds for superseded versions");
    let newest = RangeQuery { newest_first: true, limit: 1, ..everything(5) };
    assert_eq!(
        store.superseded(&newest).await.expect("superseded")[0].revision,
        3,
        "newest first, and the limit holds"
    );
    assert!(store.verify().await.expect("verify").is_sound(), "corrections leave a sound store");
}

async fn later_in_spool_order_wins_inside_one_write(store: &dyn Store) {
    // Later in the spool, although received_at and position in the sorted group say otherwise.
    let early = Observation { received_at: UtcMillis::new(99_000_000), ..observation(2, 50, Some(1.0)) };
    let late = Observation { received_at: UtcMillis::new(88_000_000), ..observation(2, 50, Some(2.0)) };
    let other = observation(1, 60, Some(9.0));
    let batches =
        [batch(1, "a", &[early, early, other, late, late]), batch(2, "a", &[observation(2, 50, Some(3.0)), other])];
    assert_eq!(write(store, &batches).await, counts(2, 3, 2), "repeated keys of one write are counted one by one");
    assert_eq!(values(store, 2).await, [(50, Some(3.0), 3)], "the last in spool order is current");
    let old = store.superseded(&everything(2)).await.expect("superseded");
    let old: Vec<_> = old.iter().map(|row| (row.observation, row.revision)).collect();
    assert_eq!(old, [(early, 1), (late, 2)], "versions are in spool order");
}

async fn negative_zero_repeated_is_a_duplicate(store: &dyn Store) {
    let zero = observation(4, 10, Some(-0.0));
    assert_eq!(write(store, &[batch(1, "a", &[zero])]).await, counts(1, 0, 0), "-0.0 is stored");
    assert_eq!(write(store, &[batch(2, "a", &[zero])]).await, counts(0, 1, 0), "-0.0 again is a duplicate");
}

async fn pages_are_complete_in_both_directions(store: &dyn Store) {
    let all: Vec<_> = (0..57).map(|n| observation(7, (n * 37 % 57) * 1_000 - 20_000, Some(n as f64))).collect();
    let neighbours = [observation(6, 0, Some(1.0)), observation(8, 0, Some(1.0))];
    write(store, &[batch(1, "a", &all), batch(2, "a", &neighbours)]).await;
    let (from, to) = (-10_000, 30_000);
    let mut expected: Vec<i64> = all.iter().map(|observation| observation.observed_at.get()).collect();
    expected.retain(|at| (from..to).contains(at));
    expected.sort_unstable();
    for newest_first in [false, true] {
        for limit in [1, 7, 40, 41] {
            let range =
                RangeQuery { from: UtcMillis::new(from), to: UtcMillis::new(to), limit, newest_first, ..everything(7) };
            let mut seen = Vec::new();
            let mut query = range.clone();
            loop {
                let page = read(store, &query).await;
                assert!(page.len() <= limit, "a page is no longer than its limit");
                seen.extend(page.iter().map(|row| row.observation.observed_at.get()));
                if page.len() < limit {
                    break;
                }
                query.after = page.last().map(|row| row.observation.observed_at);
            }
            if newest_first {
                seen.reverse();
            }
            assert_eq!(seen, expected, "pages of {limit} hold each row once, newest first: {newest_first}");
        }
    }
    let nothing = RangeQuery { from: UtcMillis::new(5), to: UtcMillis::new(5), ..everything(7) };
    assert_eq!(read(store, &nothing).await, [], "an empty range is empty");
    let backwards = RangeQuery { from: UtcMillis::new(9_000), to: UtcMillis::new(0), ..everything(7) };
    assert_eq!(read(store, &backwards).await, [], "a range that ends before it starts is empty");
    assert_eq!(read(store, &RangeQuery { limit: 0, ..everything(7) }).await, [], "a limit of 0 gives nothing");
}

async fn a_scan_shows_what_a_question_answers(store: &dyn Store) {
    let all: Vec<_> = (0..40).map(|n| observation(7, n * 1_000, (n % 3 != 0).then_some(n as f64))).collect();
    write(store, &[batch(1, "a", &all)]).await;
    for (newest_first, limit, stop_at) in [(false, usize::MAX, 40), (true, 30, 40), (false, 40, 5), (true, 0, 40)] {
        let query = RangeQuery { newest_first, limit, from: UtcMillis::new(3_000), ..everything(7) };
        let mut expected = read(store, &query).await;
        expected.truncate(stop_at);
        let go_on = move |seen: usize| if seen == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let seen = crate::fold(store, &query, Vec::new(), move |seen: &mut Vec<StoredObservation>, row| {
            seen.push(*row);
            go_on(seen.len())
        });
        assert_eq!(seen.await.expect("scan"), expected, "newest first: {newest_first}, limit {limit}, stop {stop_at}");
        let expected: Vec<_> = expected.iter().map(SeriesPoint::from).collect();
        let seen = crate::fold_points(store, &query, Vec::new(), move |seen: &mut Vec<SeriesPoint>, point| {
            seen.push(*point);
            go_on(seen.len())
        });
        assert_eq!(seen.await.expect("points"), expected, "newest first: {newest_first}, limit {limit}");
    }
}

async fn instants_at_the_edges_work(store: &dyn Store, (first, last): (UtcMillis, UtcMillis)) {
    let edges = [first.get(), first.get() + 1, -1, 0, 1, last.get() - 1];
    let all: Vec<_> = edges.iter().map(|&at| observation(1, at, Some(1.5))).collect();
    write(store, &[batch(1, "a", &all)]).await;
    let found: Vec<i64> = values(store, 1).await.iter().map(|row| row.0).collect();
    assert_eq!(found, edges, "all edges are readable in order");
    let before_1970 = RangeQuery { to: UtcMillis::new(0), ..everything(1) };
    assert_eq!(read(store, &before_1970).await.len(), 3, "instants before 1970 are ordinary");
    write(store, &[batch(2, "a", &[observation(1, last.get(), Some(2.5))])]).await;
    let extent = store.extent(DatastreamId::new(1)).await.expect("extent");
    assert_eq!(extent, Some((first, last)), "the extent reaches both ends");
}

async fn latest_and_extent_follow_observed_at(store: &dyn Store) {
    let rows = [observation(9, 300, Some(3.0)), observation(2, -5, Some(1.0)), observation(9, 100, Some(1.0))];
    write(store, &[batch(1, "a", &rows)]).await;
    write(store, &[batch(2, "a", &[observation(9, 200, Some(2.0)), observation(2, -5, Some(1.5))])]).await;
    let latest = store.latest().await.expect("latest");
    let latest: Vec<_> = latest
        .iter()
        .map(|row| {
            (row.observation.datastream.get(), row.observation.observed_at.get(), row.observation.value, row.revision)
        })
        .collect();
    assert_eq!(
        latest,
        [(2, -5, Some(1.5), 2), (9, 300, Some(3.0), 1)],
        "latest is the greatest observed_at, by datastream"
    );
    let extent = store.extent(DatastreamId::new(9)).await.expect("extent");
    assert_eq!(extent, Some((UtcMillis::new(100), UtcMillis::new(300))), "the extent is first and last observed_at");
}

async fn the_ledger_adds_up_by_minute_and_source(store: &dyn Store) {
    let received = |minute: i64, mut observation: Observation| {
        observation.received_at = UtcMillis::new(minute * MINUTE_MS + 59_999);
        observation
    };
    let first = [
        received(-1, observation(1, 1, Some(1.0))),
        received(0, observation(1, 2, Some(1.0))),
        received(0, observation(1, 1, Some(1.0))),
    ];
    let second = [received(0, observation(1, 2, Some(2.0))), received(1, observation(1, 3, Some(1.0)))];
    write(store, &[batch(1, "a", &first)]).await;
    write(store, &[batch(2, "a", &second), batch(3, "b", &second)]).await;
    let lines = store.ledger(UtcMillis::new(-MINUTE_MS), UtcMillis::new(MINUTE_MS + 1)).await.expect("ledger");
    let key = |minute: i64, source: &str| LedgerKey {
        minute: UtcMillis::new(minute * MINUTE_MS),
        source: SourceName::new(source).expect("valid"),
    };
    let expected = BTreeMap::from([
        (key(-1, "a"), counts(1, 0, 0)),
        (key(0, "a"), counts(1, 1, 1)),
        (key(0, "b"), counts(0, 1, 0)),
        (key(1, "a"), counts(1, 0, 0)),
        (key(1, "b"), counts(0, 1, 0)),
    ]);
    assert_eq!(lines, expected, "the ledger counts each outcome by minute of received_at and source");
    let part = store.ledger(UtcMillis::new(0), UtcMillis::new(MINUTE_MS)).await.expect("ledger");
    assert_eq!(part.len(), 2, "the ledger range includes its start and excludes its end");
    store.write(&[batch(3, "b", &second)], Vec::new()).await.expect("write");
    let again = store.ledger(UtcMillis::new(-MINUTE_MS), UtcMillis::new(MINUTE_MS + 1)).await.expect("ledger");
    assert_eq!(again, expected, "skipped batches are not counted again");
}

async fn everything_is_there_after_reopening(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    write(&*store, &[batch(1, "a", &[observation(1, 1, Some(1.0))]), batch(2, "a", &[observation(1, 1, Some(2.0))])])
        .await;
    let (rows, old) = (values(&*store, 1).await, store.superseded(&everything(1)).await.expect("superseded"));
    // Leaked, as kill -9 leaves it: nothing gets a chance to close.
    std::mem::forget(store);
    let store = fixture.reopened().await;
    assert_eq!(store.cursor().await.expect("cursor"), Seq::new(2), "the cursor survives");
    assert_eq!(values(&*store, 1).await, rows, "rows survive");
    assert_eq!(store.superseded(&everything(1)).await.expect("superseded"), old, "superseded versions survive");
    let again = store.write(&[batch(2, "a", &[observation(1, 1, Some(2.0))])], Vec::new()).await.expect("write").counts;
    assert_eq!(again, counts(0, 0, 0), "what was written before the crash is still known");
    assert_eq!(
        write(&*store, &[batch(3, "a", &[observation(1, 2, Some(2.0))])]).await,
        counts(1, 0, 0),
        "writing goes on"
    );
    assert!(store.verify().await.expect("verify").is_sound(), "the reopened store is sound");
}
