//! Copies: everything comes over, also after they were cut off, and nothing of one's own is overwritten.

use bakau_model::{DatastreamId, Flag, MINUTE_MS, Observation, QualityTest, Seq, TestResults, UtcMillis};
use tokio::sync::Notify;

use super::{Fixture, batch, everything, observation};
use crate::{
    Store, StoreErrorKind, Verdict,
    copy::{Compared, CopyError, CopyEvent, Step, Transfer, copy},
};

/// Datastreams of the history.
const DATASTREAMS: u32 = 5;

/// Values, missing values, corrections, duplicates, verdicts taken back, minutes and sources.
async fn fill(store: &dyn Store) {
    for seq in 1..=6_i64 {
        let received_at = UtcMillis::new(seq * MINUTE_MS);
        let all = (1..=DATASTREAMS).flat_map(|datastream| (0..90).map(move |n| (datastream, n)));
        let values = all.map(|(datastream, n)| {
            let value = (n % 7 != 0).then_some(f64::from(datastream) + (n % 5 + seq / 3) as f64 * 0.1);
            Observation { received_at, ..observation(datastream, (n + seq * 30) * MINUTE_MS, value) }
        });
        let values: Vec<_> = values.collect();
        let flag = if seq % 2 == 0 { Flag::Suspect } else { Flag::Good };
        let tests =
            QualityTest::ALL.into_iter().skip(1).step_by(2).fold(TestResults::NONE, |all, test| all.with(test, flag));
        let judged = values.iter().step_by(3);
        let verdict = |row: &Observation| Verdict {
            datastream: row.datastream,
            observed_at: row.observed_at,
            tests,
            increment: (row.datastream.get() == 2).then_some(seq as f64 * 0.2),
            recorded_at: received_at,
        };
        let source = if seq < 4 { "first" } else { "second" };
        let written = store.write(&[batch(seq.unsigned_abs(), source, &values)], judged.map(verdict).collect()).await;
        written.expect("the history is written");
    }
}

async fn copied(source: &dyn Transfer, target: &dyn Transfer) -> Compared {
    copy(source, target, &mut |_| {}).await.expect("the copy is made")
}

/// Every answer of the target is that of the source.
async fn assert_same(source: &dyn Transfer, target: &dyn Transfer) {
    assert_eq!(target.cursor().await.expect("cursor"), source.cursor().await.expect("cursor"), "the cursor comes over");
    assert_eq!(target.latest().await.expect("latest"), source.latest().await.expect("latest"), "latest values");
    for datastream in 1..=DATASTREAMS {
        let query = everything(datastream);
        let (found, expected) = (target.observations(&query).await, source.observations(&query).await);
        assert_eq!(found.expect("values"), expected.expect("values"), "values of {datastream}");
        let (found, expected) = (target.superseded(&query).await, source.superseded(&query).await);
        assert_eq!(found.expect("superseded"), expected.expect("superseded"), "replaced values of {datastream}");
        let (found, expected) = (target.reflagged(&query).await, source.reflagged(&query).await);
        assert_eq!(found.expect("reflagged"), expected.expect("reflagged"), "replaced flags of {datastream}");
        let datastream = DatastreamId::new(datastream);
        let (found, expected) = (target.extent(datastream).await, source.extent(datastream).await);
        assert_eq!(found.expect("extent"), expected.expect("extent"), "extent of {datastream}");
    }
    let (from, to) = (UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX));
    let (found, expected) = (target.ledger(from, to).await, source.ledger(from, to).await);
    assert_eq!(found.expect("ledger"), expected.expect("ledger"), "the ledger comes over");
    let verified = target.verify().await.expect("verify");
    assert_eq!(verified.problems, Vec::<String>::new(), "the copy is sound");
}

pub(super) async fn a_copy_has_everything_and_goes_on(fixture: &dyn Fixture) {
    let (source, target) = (fixture.empty().await, fixture.empty().await);
    fill(&*source).await;
    let compared = copied(&*source, &*target).await;
    assert_eq!((compared.differences, compared.inherited), (vec![], vec![]), "nothing differs");
    let verified = source.verify().await.expect("verify");
    assert_eq!(compared.totals.values, verified.rows, "every value was compared");
    assert_eq!(compared.totals.superseded, verified.superseded, "every replaced value was compared");
    assert_eq!(compared.totals.reflagged, verified.reflagged, "every replaced flag was compared");
    assert!(verified.superseded != 0 && verified.reflagged != 0, "the history has corrections and flags taken back");
    assert_eq!(target.unfinished().await.expect("unfinished"), None, "the copy is finished");
    assert_same(&*source, &*target).await;
    // An old value again, an old value corrected, a new one: both decide the same.
    let held = source.observations(&everything(1)).await.expect("values");
    let again = held[1].observation;
    let other = Observation { value: Some(77.0), ..held[2].observation };
    // And a missing value where a number is, a number where there is none.
    let number = held.iter().skip(3).find(|row| row.observation.value.is_some()).expect("a number").observation;
    let missing = held.iter().skip(3).find(|row| row.observation.value.is_none()).expect("a missing value").observation;
    let gone = Observation { value: None, flag: Flag::Missing, ..number };
    let found = Observation { value: Some(7.5), flag: Flag::NotEvaluated, ..missing };
    let more = [batch(7, "second", &[again, other, gone, found, observation(1, 10_000 * MINUTE_MS, Some(1.0))])];
    let expected = source.write(&more, Vec::new()).await.expect("write");
    assert_eq!(target.write(&more, Vec::new()).await.expect("write"), expected, "what is new and what is not is known");
    assert_same(&*source, &*target).await;
}

pub(super) async fn a_copy_that_was_cut_off_goes_on(fixture: &dyn Fixture) {
    let source = fixture.empty().await;
    fill(&*source).await;
    let mut target = fixture.empty().await;
    for cut in 1..=DATASTREAMS as usize {
        let (seen, enough) = (std::sync::atomic::AtomicUsize::new(0), Notify::new());
        let mut first = None;
        let mut report = |event| {
            match event {
                CopyEvent::Started { resumed, .. } => assert_eq!(resumed, cut != 1, "it goes on with what was over"),
                CopyEvent::Copied { index, .. } => drop(first.get_or_insert(index)),
                CopyEvent::Compared { .. } => {}
            }
            if seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 {
                enough.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = enough.notified() => {}
            done = copy(&*source, &*target, &mut report) => drop(done.expect("the copy is made")),
        }
        assert!(first.is_none_or(|first| cut <= first + 1), "what was over is not copied again");
        // Leaked, as kill -9 leaves it.
        std::mem::forget(target);
        target = fixture.reopened_target().await;
    }
    assert!(copied(&*source, &*target).await.is_equal(), "nothing differs");
    assert_same(&*source, &*target).await;
}

pub(super) async fn a_copy_of_a_store_that_changed_begins_anew(fixture: &dyn Fixture) {
    let (source, target) = (fixture.empty().await, fixture.empty().await);
    fill(&*source).await;
    target.take(Step::Begin { source: Seq::new(5) }).await.expect("begin");
    let mut resumed = None;
    let mut report = |event| {
        if let CopyEvent::Started { resumed: now, .. } = event {
            resumed = Some(now);
        }
    };
    assert!(copy(&*source, &*target, &mut report).await.expect("the copy is made").is_equal(), "nothing differs");
    assert_eq!(resumed, Some(false), "another cursor means another content");
    assert_same(&*source, &*target).await;
}

pub(super) async fn a_store_with_values_of_its_own_is_no_target(fixture: &dyn Fixture) {
    let (source, target) = (fixture.empty().await, fixture.empty().await);
    fill(&*source).await;
    let own = batch(1, "own", &[observation(1, 5, Some(1.0))]);
    target.write(&[own], Vec::new()).await.expect("write");
    let refused = copy(&*source, &*target, &mut |_| {}).await;
    let Err(CopyError::Target(error)) = refused else { unreachable!("the copy is refused: {refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Other, "trying again does not help");
    assert_eq!(target.observations(&everything(1)).await.expect("values").len(), 1, "what it had is still there");
    let refused = target.take(Step::Ledger(Vec::new())).await;
    assert!(refused.is_ok(), "an empty page changes nothing");
}
