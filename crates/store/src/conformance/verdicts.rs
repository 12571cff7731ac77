//! Verdicts of quality control: with their values, later, and taken back.

use bakau_model::{DatastreamId, Flag, Observation, QualityTest, TestResults, UtcMillis};

use super::{batch, everything, observation};
use crate::{Store, Verdict};

fn tests(range: Flag, spike: Flag) -> TestResults {
    TestResults::NONE.with(QualityTest::GrossRange, range).with(QualityTest::Spike, spike)
}

fn verdict(observed_at: i64, tests: TestResults, recorded_at: i64) -> Verdict {
    let (datastream, observed_at) = (DatastreamId::new(1), UtcMillis::new(observed_at));
    Verdict { datastream, observed_at, tests, increment: None, recorded_at: UtcMillis::new(recorded_at) }
}

async fn flags(store: &dyn Store) -> Vec<(i64, Flag, TestResults)> {
    let rows = store.observations(&everything(1)).await.expect("observations are readable");
    rows.iter().map(|row| (row.observation.observed_at.get(), row.observation.flag, row.tests)).collect()
}

async fn replaced(store: &dyn Store) -> Vec<(i64, u32, Flag, i64)> {
    let rows = store.reflagged(&everything(1)).await.expect("replaced flags are readable");
    rows.iter().map(|row| (row.observed_at.get(), row.revision, row.flag, row.recorded_at.get())).collect()
}

pub(super) async fn a_verdict_comes_with_its_value_or_later(store: &dyn Store) {
    let good = tests(Flag::Good, Flag::NotEvaluated);
    let first = [observation(1, 10, Some(1.0)), observation(1, 20, None), observation(1, 30, Some(3.0))];
    // Out of order, about a missing value, and about a key that nobody wrote.
    let verdicts = vec![verdict(30, good, 5), verdict(10, good, 5), verdict(20, good, 5), verdict(25, good, 5)];
    store.write(&[batch(1, "a", &first)], verdicts).await.expect("write");
    let missing = (20, Flag::Missing, TestResults::NONE);
    assert_eq!(flags(store).await, [(10, Flag::Good, good), missing, (30, Flag::Good, good)], "verdicts come along");

    let judged = tests(Flag::Good, Flag::Good);
    let later = batch(2, "a", &[observation(1, 40, Some(4.0))]);
    store.write(&[later], vec![verdict(30, judged, 6), verdict(40, good, 6)]).await.expect("write");
    let now = [(10, Flag::Good, good), missing, (30, Flag::Good, judged), (40, Flag::Good, good)];
    assert_eq!(flags(store).await, now, "a stored value takes its verdict later");
    assert_eq!(replaced(store).await, [], "one more test that a value passes takes nothing back");

    store.write(&[], vec![verdict(10, judged, 7)]).await.expect("write");
    assert_eq!(flags(store).await[0], (10, Flag::Good, judged), "a verdict needs no batch");
    assert!(store.verify().await.expect("verify").is_sound(), "verdicts leave a sound store");
}

pub(super) async fn a_flag_that_is_taken_back_is_kept(store: &dyn Store) {
    let (open, good) = (tests(Flag::Good, Flag::NotEvaluated), tests(Flag::Good, Flag::Good));
    let spike = tests(Flag::Good, Flag::Suspect);
    let value = observation(1, 10, Some(1.0));
    store.write(&[batch(1, "a", &[value])], vec![]).await.expect("write");
    for (n, tests) in [open, spike, spike, good, spike].into_iter().enumerate() {
        store.write(&[], vec![verdict(10, tests, 100 + n as i64)]).await.expect("write");
    }
    assert_eq!(flags(store).await, [(10, Flag::Suspect, spike)], "the last verdict holds");
    let kept = [(10, 1, Flag::Good, 101), (10, 1, Flag::Suspect, 103), (10, 1, Flag::Good, 104)];
    assert_eq!(replaced(store).await, kept, "each flag that was taken back is kept with the time; 2 to 1 is not one");

    let corrected = Observation { received_at: UtcMillis::new(200), ..observation(1, 10, Some(2.0)) };
    store.write(&[batch(2, "a", &[corrected])], vec![verdict(10, open, 200)]).await.expect("write");
    let old = store.superseded(&everything(1)).await.expect("superseded");
    assert_eq!((old[0].tests, old[0].observation.flag), (spike, Flag::Suspect), "a replaced value keeps its verdict");
    assert_eq!(flags(store).await, [(10, Flag::Good, open)], "the new value has its own");
    assert_eq!(replaced(store).await.len(), 3, "a correction is no change of a flag");
    let verified = store.verify().await.expect("verify");
    assert_eq!((verified.reflagged, verified.problems), (3, vec![]), "replaced flags leave a sound store");
}

pub(super) async fn the_verdict_belongs_to_the_value_that_stays(store: &dyn Store) {
    let (good, fail) = (tests(Flag::Good, Flag::NotEvaluated), tests(Flag::Fail, Flag::NotEvaluated));
    let (one, two) = (observation(1, 10, Some(1.0)), observation(1, 10, Some(-2.0)));
    store.write(&[batch(1, "a", &[one, two, two])], vec![verdict(10, fail, 1)]).await.expect("write");
    let old = store.superseded(&everything(1)).await.expect("superseded");
    assert_eq!(old[0].observation.flag, Flag::NotEvaluated, "a value replaced within a write never had a verdict");
    assert_eq!(flags(store).await, [(10, Flag::Fail, fail)], "the verdict is about the value that stays");
    assert_eq!(replaced(store).await, [], "nothing was taken back");
    store.write(&[batch(2, "a", &[two, two])], vec![verdict(10, good, 2)]).await.expect("write");
    assert_eq!(flags(store).await, [(10, Flag::Good, good)], "a duplicate takes a new verdict too");
    assert_eq!(replaced(store).await, [(10, 1 + 1, Flag::Fail, 2)], "and the old one is kept");
}

pub(super) async fn every_result_of_every_test_comes_back(store: &dyn Store) {
    let each = QualityTest::ALL
        .into_iter()
        .flat_map(|test| [Flag::Good, Flag::Suspect, Flag::Fail].map(|flag| TestResults::NONE.with(test, flag)));
    let all_fail = QualityTest::ALL.into_iter().fold(TestResults::NONE, |all, test| all.with(test, Flag::Fail));
    let results: Vec<TestResults> = each.chain([all_fail]).collect();
    let values: Vec<_> = (0..).zip(&results).map(|(at, _)| observation(1, at, Some(1.0))).collect();
    let verdicts = |results: &[TestResults]| (0..).zip(results).map(|(at, tests)| verdict(at, *tests, 7)).collect();
    store.write(&[batch(1, "a", &values)], verdicts(&results)).await.expect("write");
    let found = flags(store).await;
    let expected: Vec<_> = (0..).zip(&results).map(|(at, tests)| (at, tests.aggregate(), *tests)).collect();
    assert_eq!(found, expected, "each result comes back where it was");

    // Taken back, and then replaced with their values: each is kept as it was.
    let reversed: Vec<TestResults> = results.iter().rev().copied().collect();
    store.write(&[], verdicts(&reversed)).await.expect("write");
    let old = store.reflagged(&everything(1)).await.expect("replaced flags are readable");
    let both = results.iter().zip(&reversed);
    let changed = both.filter(|(before, after)| before.aggregate() != after.aggregate()).map(|(before, _)| *before);
    assert_eq!(old.iter().map(|row| row.tests).collect::<Vec<_>>(), changed.collect::<Vec<_>>(), "replaced flags");
    let corrected: Vec<_> = values.iter().map(|value| Observation { value: Some(2.0), ..*value }).collect();
    store.write(&[batch(2, "a", &corrected)], Vec::new()).await.expect("write");
    let old = store.superseded(&everything(1)).await.expect("superseded");
    assert_eq!(old.iter().map(|row| row.tests).collect::<Vec<_>>(), reversed, "replaced values");
    assert_eq!(store.verify().await.expect("verify").problems, Vec::<String>::new(), "the store is sound");
}

/// Instants, readings and increments, as a question and as scans show them.
async fn increments(store: &dyn Store) -> Vec<(i64, Option<f64>)> {
    let rows = store.observations(&everything(1)).await.expect("observations are readable");
    let found = rows.iter().map(|row| (row.observation.observed_at.get(), row.increment)).collect();
    let query = everything(1);
    let scanned = crate::fold_increments(store, &query, Vec::new(), |found, point| {
        found.push((point.observed_at.get(), point.value));
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(scanned.await.expect("a scan"), found, "a scan shows the same increments");
    found
}

pub(super) async fn increments_come_with_verdicts_and_what_they_were_is_kept(store: &dyn Store) {
    let good = tests(Flag::Good, Flag::NotEvaluated);
    let counted = |at: i64, increment: Option<f64>, recorded_at: i64| Verdict {
        increment,
        ..verdict(at, if increment.is_some() { good } else { tests(Flag::Good, Flag::Suspect) }, recorded_at)
    };
    let first = [(10, 10.0), (30, 10.4), (40, 10.4)].map(|(at, reading)| observation(1, at, Some(reading)));
    let verdicts = vec![counted(10, Some(0.0), 1), counted(30, Some(0.4), 1), counted(40, Some(-0.0), 1)];
    store.write(&[batch(1, "a", &first)], verdicts).await.expect("write");
    assert_eq!(increments(store).await, [(10, Some(0.0)), (30, Some(0.4)), (40, Some(0.0))], "increments come along");
    assert_eq!(replaced(store).await, [], "nothing was taken back");

    // A late reading takes half of what its neighbour counted; the same verdict again changes nothing.
    for (seq, recorded_at) in [(2, 200), (3, 300)] {
        let late = observation(1, 20, Some(10.2));
        let verdicts = vec![counted(20, Some(0.2), recorded_at), counted(30, Some(0.2), recorded_at)];
        store.write(&[batch(seq, "a", &[late])], verdicts).await.expect("write");
    }
    let now = [(10, Some(0.0)), (20, Some(0.2)), (30, Some(0.2)), (40, Some(0.0))];
    assert_eq!(increments(store).await, now, "a verdict revises an increment");
    let kept = store.reflagged(&everything(1)).await.expect("replaced increments are readable");
    let kept: Vec<_> = kept.iter().map(|row| (row.observed_at.get(), row.increment, row.recorded_at.get())).collect();
    assert_eq!(kept, [(30, Some(0.4), 200)], "what it was is kept once, with the time");

    // Taken back altogether, given again, and replaced together with its reading.
    store.write(&[], vec![counted(30, None, 400)]).await.expect("write");
    assert_eq!(increments(store).await[2], (30, None), "none is known any more");
    store.write(&[], vec![counted(30, Some(0.2), 500)]).await.expect("write");
    assert_eq!(increments(store).await[2], (30, Some(0.2)), "and again");
    let corrected = Observation { received_at: UtcMillis::new(600), ..observation(1, 30, Some(10.3)) };
    store.write(&[batch(4, "a", &[corrected])], vec![counted(30, Some(0.1), 600)]).await.expect("write");
    let old = store.superseded(&everything(1)).await.expect("superseded");
    assert_eq!(old.iter().map(|row| row.increment).collect::<Vec<_>>(), [Some(0.2)], "the reading takes its own along");
    let uncounted = Observation { received_at: UtcMillis::new(700), ..observation(1, 30, Some(10.4)) };
    store.write(&[batch(5, "a", &[uncounted])], vec![verdict(30, good, 700)]).await.expect("write");
    assert_eq!(increments(store).await[2], (30, None), "a value that is no reading of a counter has none");
    assert_eq!(store.verify().await.expect("verify").problems, Vec::<String>::new(), "the store is sound");
}
