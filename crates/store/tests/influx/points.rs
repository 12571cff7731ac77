//! Points that the server refuses, and servers that are away.

use bakau_model::{Flag, QualityTest, Seq, TestResults, UtcMillis};
use bakau_store::{
    RangeQuery, Store, StoreErrorKind, Verdict,
    conformance::{batch, everything, observation},
    influx::{InfluxConfig, InfluxStore},
};

use super::{Files, names};

const WEEK_MS: i64 = 7 * 86_400_000;

#[tokio::test]
async fn exactly_the_bad_points_of_five_thousand_are_quarantined() {
    let files = Files::new().await;
    for bad in [1_usize, 5, 50] {
        let store = files.store().await;
        // In another shard somebody made the value a whole number: there, and only there, ours does not fit.
        let intruder = format!("observation,parameter=x,station=x value=1i {}", 10 * WEEK_MS);
        files.influxd.intrude(&files.config().bucket, &intruder).await;
        let rows: Vec<_> = (0..5_000_i64)
            .map(|n| {
                let spread = n % (5_000 / bad as i64) == 7;
                observation(1, if spread { 10 * WEEK_MS + n } else { n }, Some(n as f64))
            })
            .collect();
        let started = std::time::Instant::now();
        store.write(&[batch(1, "a", &rows)], Vec::new()).await.unwrap();
        println!("{bad} bad points in 5,000: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        let refused = store.refused(usize::MAX).await.unwrap();
        let mut at: Vec<_> = refused.iter().map(|point| point.observed_at.get()).collect();
        at.sort_unstable();
        let mut expected: Vec<_> = rows.iter().map(|row| row.observed_at.get()).filter(|&at| 5_000 <= at).collect();
        expected.sort_unstable();
        assert_eq!((at.len(), at), (bad, expected));
        assert!(refused[0].reason.contains("field type conflict"), "{}", refused[0].reason);
        assert_eq!(store.observations(&everything(1)).await.unwrap().len(), 5_000 - bad);
        assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
    }
}

#[tokio::test]
async fn points_of_before_there_were_more_than_four_tests_are_readable() {
    let files = Files::new().await;
    let store = files.store().await;
    // In weeks of their own, so that no point beside them has the field that they lack.
    let results = TestResults::NONE.with(QualityTest::Spike, Flag::Suspect).with(QualityTest::Clock, Flag::Good);
    let around = [0, 20].map(|week| observation(1, week * WEEK_MS, Some(1.0)));
    let first = Verdict {
        datastream: around[0].datastream,
        observed_at: around[0].observed_at,
        tests: results,
        increment: None,
        recorded_at: around[0].received_at,
    };
    store.write(&[batch(1, "a", &around)], vec![first]).await.unwrap();
    let key = "observation,parameter=do@150cm,station=s1";
    // Revision 3, deployment 7, stamped on arrival; spike suspect and range good.
    let meta = (3_i64 << 50) + (7 << 18) + (1 << 16) + 0x31;
    let old = format!("{key} value=4.25,flag=3i,lag=1500i,meta={meta}i {}", 10 * WEEK_MS);
    files.influxd.intrude(&files.config().bucket, &old).await;
    let found = store.observations(&everything(1)).await.unwrap();
    let four = TestResults::NONE.with(QualityTest::GrossRange, Flag::Good).with(QualityTest::Spike, Flag::Suspect);
    let read: Vec<_> = found.iter().map(|row| (row.observation.value, row.revision, row.tests)).collect();
    assert_eq!(read, [(Some(1.0), 1, results), (Some(4.25), 3, four), (Some(1.0), 1, TestResults::NONE)]);
    let alone = RangeQuery { from: UtcMillis::new(WEEK_MS), to: UtcMillis::new(11 * WEEK_MS), ..everything(1) };
    assert_eq!(store.observations(&alone).await.unwrap(), found[1..2]);
}

#[tokio::test]
async fn a_write_that_did_not_arrive_is_finished_after_a_restart() {
    let files = Files::new().await;
    let store = files.store().await;
    let rows = [observation(1, 1, Some(1.0)), observation(1, 1, Some(2.0)), observation(2, 5, None)];
    drop(store);
    // The intent is in the journal, the server is away: nothing listens at the discard port.
    let away = InfluxConfig { url: "http://127.0.0.1:9".to_owned(), ..files.config() };
    let store = InfluxStore::open(&files.journal(), away, names()).unwrap();
    let error = store.write(&[batch(1, "a", &rows)], Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(store.health().await.is_err(), "a failed write is no health");
    assert_eq!(store.cursor().await.unwrap(), Seq::START);
    std::mem::forget(store);

    let store = files.open();
    let more = batch(2, "a", &[observation(1, 9, Some(3.0))]);
    let receipt = store.write(&[batch(1, "a", &rows), more], Vec::new()).await.unwrap();
    assert_eq!((receipt.counts.stored, receipt.counts.corrected, receipt.cursor), (3, 1, Seq::new(2)));
    store.health().await.unwrap();
    let lines = store.ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).await.unwrap();
    assert_eq!(lines.values().map(bakau_store::StoreCounts::total).sum::<u64>(), 4);
    let verified = store.verify().await.unwrap();
    assert_eq!((verified.rows, verified.superseded, verified.problems), (3, 1, vec![]));
}

#[tokio::test]
async fn a_wrong_token_is_said_in_words_and_loses_nothing() {
    let files = Files::new().await;
    drop(files.store().await);
    let config = InfluxConfig { token: bakau_model::Secret::new("revoked"), ..files.config() };
    let store = InfluxStore::open(&files.journal(), config, names()).unwrap();
    let group = [batch(1, "a", &[observation(1, 1, Some(1.0))])];
    let error = store.write(&group, Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("does not accept the token"), "{error}");
    drop(store);
    let store = files.open();
    assert_eq!(store.write(&group, Vec::new()).await.unwrap().counts.stored, 1);
}

#[tokio::test]
async fn values_that_were_confirmed_and_are_not_visible_are_named() {
    let files = Files::new().await;
    let store = files.store().await;
    store.write(&[batch(1, "a", &[observation(1, 1, Some(1.0))])], Vec::new()).await.unwrap();
    let stranger = "observation,parameter=do@150cm,station=s1 value=1,flag=2i,lag=0i,meta=1125899906842624i 0";
    files.influxd.intrude(&files.config().bucket, stranger).await;
    let journal = rusqlite::Connection::open(files.journal()).unwrap();
    journal.execute("UPDATE hours SET stored = 3", []).unwrap();
    let problems = store.verify().await.unwrap().problems.join("\n");
    assert!(problems.contains("3 values were confirmed"), "{problems}");
}
