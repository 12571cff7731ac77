//! Ranges of several windows: whole, in order, and never more of them asked for than somebody reads.

use std::ops::ControlFlow;

use bakau_model::Observation;
use bakau_store::{
    RangeQuery, SeriesPoint, Store, StoreErrorKind, StoredObservation,
    conformance::{batch, everything, observation},
    fold, fold_points,
    influx::InfluxStore,
};

use super::{
    Files, names,
    scripted::{Say, Scripted},
};

const MINUTE_MS: i64 = 60_000;

/// Values a minute apart, and behind them an hour that is fuller than a window may be.
fn rows(minutes: i64, crowded: i64) -> Vec<Observation> {
    let apart = (0..minutes).map(|n| n * MINUTE_MS);
    let close = (0..crowded).map(|n| (minutes / 60 + 1) * 60 * MINUTE_MS + n * 40);
    apart.chain(close).map(|at| observation(1, at, Some(at as f64))).collect()
}

async fn write(store: &dyn Store, rows: &[Observation]) {
    for (seq, rows) in (1..).zip(rows.chunks(20_000)) {
        store.write(&[batch(seq, "a", rows)], Vec::new()).await.unwrap();
    }
}

fn instants(found: &[StoredObservation]) -> Vec<i64> {
    found.iter().map(|row| row.observation.observed_at.get()).collect()
}

#[tokio::test]
async fn a_range_of_several_windows_is_whole_and_in_order_from_both_ends_up_to_any_limit() {
    let files = Files::new().await;
    let store = files.store().await;
    let rows = rows(80_000, 70_000);
    write(&store, &rows).await;
    for newest_first in [false, true] {
        let mut expected: Vec<i64> = rows.iter().map(|row| row.observed_at.get()).collect();
        if newest_first {
            expected.reverse();
        }
        for limit in [1, 24_999, 50_001, 130_000, usize::MAX] {
            let query = RangeQuery { newest_first, limit, ..everything(1) };
            let wanted = &expected[..limit.min(expected.len())];
            let found = instants(&store.observations(&query).await.unwrap());
            assert!(found == wanted, "newest first {newest_first}, limit {limit}: {} values", found.len());
            let take = |seen: &mut Vec<i64>, point: &SeriesPoint| {
                assert_eq!(point.value, Some(point.observed_at.get() as f64));
                seen.push(point.observed_at.get());
                ControlFlow::Continue(())
            };
            assert!(fold_points(&store, &query, Vec::new(), take).await.unwrap() == wanted);
        }
    }
}

fn is_question(body: &str) -> bool {
    body.starts_with("SELECT")
}

/// A journal of six windows whose server gives a whole answer to the first `good` questions.
async fn six_windows(files: &Files, good: usize) -> (InfluxStore, Scripted) {
    let store = files.store().await;
    let mut rows = rows(150_000, 0);
    rows.extend((0..100).map(|n| observation(2, n * MINUTE_MS, Some(0.0))));
    write(&store, &rows).await;
    drop(store);
    let other = files.influxd.question(&files.config().bucket, "s2").await;
    let mut asked = 0;
    let server = Scripted::start(move |body| {
        // Where the bucket's name leads is looked for as well.
        asked += usize::from(is_question(body));
        if asked <= good { Say::Answer(200, "", other.clone()) } else { Say::status(500) }
    })
    .await;
    (InfluxStore::open(&files.journal(), server.config(), names()).unwrap(), server)
}

#[tokio::test]
async fn a_window_that_fails_behind_good_ones_is_an_error_and_not_the_end() {
    let files = Files::new().await;
    let (store, _server) = six_windows(&files, 2).await;
    let count = |count: &mut usize, _: &StoredObservation| {
        *count += 1;
        ControlFlow::Continue(())
    };
    let error = fold(&store, &everything(1), 0, count).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_reader_that_leaves_early_lets_no_further_windows_be_asked_for() {
    let files = Files::new().await;
    let (store, server) = six_windows(&files, usize::MAX).await;
    store.scan(&everything(1), Box::new(|_| ControlFlow::Break(()))).await.unwrap();
    let asked = server.seen().iter().filter(|body| is_question(body)).count();
    assert!((1..=3).contains(&asked), "{asked} of six windows");
}
