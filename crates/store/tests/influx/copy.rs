//! A measured year moves from the embedded store to InfluxDB and back.

use bakau_model::{LedgerKey, UtcMillis};
use bakau_store::{
    Store, StoreErrorKind,
    conformance::{batch, everything, observation},
    copy::{CopyEvent, Step, Transfer, copy},
    embedded::EmbeddedStore,
    influx::InfluxStore,
};

use super::{Files, measured::Measured, names};

fn embedded(folder: &tempfile::TempDir, name: &str) -> EmbeddedStore {
    EmbeddedStore::open(&folder.path().join(name)).unwrap()
}

async fn ledger(store: &dyn Transfer) -> Vec<(LedgerKey, bakau_store::StoreCounts)> {
    store.ledger_lines(None, usize::MAX).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_weather_goes_over_and_back_with_its_history() {
    goes_over_and_back(&Measured::weather(), 20_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn a_year_of_the_estuary_goes_over_and_back_with_its_history() {
    goes_over_and_back(&Measured::estuary(), 100_000).await;
}

async fn goes_over_and_back(measured: &Measured, least: u64) {
    let files = Files::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, influx, back) = (embedded(&folder, "first.db"), files.store().await, embedded(&folder, "back.db"));
    measured.write(&first).await;
    let there = copy(&first, &influx, &mut |_| {}).await.unwrap();
    assert_eq!((there.differences, there.inherited), (vec![], vec![]));
    let home = copy(&influx, &back, &mut |_| {}).await.unwrap();
    assert_eq!((home.differences, home.inherited), (vec![], vec![]));
    assert_eq!(home.totals, there.totals);
    let (before, after) = (first.verify().await.unwrap(), back.verify().await.unwrap());
    assert_eq!(before, after);
    assert!(least < before.rows && 100 < before.superseded && 100 < before.reflagged, "{before:?}");
    for datastream in 1..=3 {
        let query = everything(datastream);
        assert_eq!(first.observations(&query).await.unwrap(), back.observations(&query).await.unwrap());
        assert_eq!(first.superseded(&query).await.unwrap(), back.superseded(&query).await.unwrap());
        assert_eq!(first.reflagged(&query).await.unwrap(), back.reflagged(&query).await.unwrap());
    }
    assert_eq!(ledger(&first).await, ledger(&back).await);
    assert_eq!(first.cursor().await.unwrap(), back.cursor().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_changed_on_its_way_is_named_with_its_hour_and_the_copy_begins_anew() {
    let files = Files::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (embedded(&folder, "source.db"), files.store().await);
    let rows: Vec<_> = (0..300).map(|n| observation(1, n * 60_000, Some(n as f64))).collect();
    source.write(&[batch(1, "a", &rows)], Vec::new()).await.unwrap();
    let bucket = files.config().bucket;
    let damage = "observation,parameter=do@150cm,station=s1 value=7.5 7200000";
    let mut report = |event| {
        if matches!(event, CopyEvent::Copied { .. }) {
            let intruding = files.influxd.intrude(&bucket, damage);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(intruding));
        }
    };
    let compared = copy(&source, &target, &mut report).await.unwrap();
    assert_eq!(compared.differences.len(), 1, "{compared:?}");
    assert!(compared.differences[0].contains("datastream 1 in the hour of 1970-01-01T02:00:00"), "{compared:?}");
    assert!(compared.differences[0].ends_with("60 values, 0 replaced values, 0 replaced flags, not the same ones"));
    drop(target);
    let error = InfluxStore::open(&files.journal(), files.config(), names()).unwrap_err();
    assert!(error.to_string().contains("a copy into it is unfinished"), "{error}");
    let target = InfluxStore::open_target(&files.journal(), files.config(), names()).unwrap();
    assert!(copy(&source, &target, &mut |_| {}).await.unwrap().is_equal());
    assert_eq!(target.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_values_that_vanished_from_an_embedded_target_are_named_with_their_hour() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (embedded(&folder, "source.db"), embedded(&folder, "target.db"));
    Measured::weather().write(&source).await;
    let intruder = rusqlite::Connection::open(folder.path().join("target.db")).unwrap();
    let mut report = move |event| {
        if let CopyEvent::Compared { index: 0, .. } = event {
            intruder.execute("DELETE FROM superseded WHERE datastream = 3", []).unwrap();
        }
    };
    let compared = copy(&source, &target, &mut report).await.unwrap();
    assert!(compared.differences[0].contains("datastream 3 in the hour of "), "{compared:?}");
    assert!(compared.differences[0].contains("0 replaced values"), "{compared:?}");
    drop(target);
    let error = EmbeddedStore::open(&folder.path().join("target.db")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Other);
}

#[tokio::test]
async fn a_bucket_with_observations_of_somebody_else_is_no_target() {
    let files = Files::new().await;
    let target = files.store().await;
    files.influxd.intrude(&files.config().bucket, "observation,parameter=x,station=y value=1 5").await;
    let error = target.take(Step::Begin { source: bakau_model::Seq::new(1) }).await.unwrap_err();
    assert!(error.to_string().contains("the bucket has observations already"), "{error}");
    assert_eq!(target.unfinished().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_goes_over_and_back_and_what_cannot_be_a_point_joins_it() {
    let files = Files::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, influx, back) = (embedded(&folder, "first.db"), files.store().await, embedded(&folder, "back.db"));
    let beyond = observation(1, i64::MAX - 5, Some(1.0));
    let rows = [observation(1, 1, Some(1.0)), observation(1, 2, None), beyond];
    first.write(&[batch(1, "a", &rows)], Vec::new()).await.unwrap();
    let there = copy(&first, &influx, &mut |_| {}).await.unwrap();
    assert_eq!((there.differences, there.inherited), (vec![], vec![]));
    assert_eq!((there.totals.values, there.quarantined, there.newly_quarantined), (2, 1, 1));
    let home = copy(&influx, &back, &mut |_| {}).await.unwrap();
    assert_eq!((home.differences, home.inherited), (vec![], vec![]));
    let quarantined = back.quarantine(None, usize::MAX).await.unwrap();
    assert_eq!((quarantined.len(), quarantined[0].observed_at), (1, UtcMillis::new(i64::MAX - 5)));
    assert!(quarantined[0].reason.contains("1677 to 2262"), "{quarantined:?}");
    let again = files.store().await;
    let compared = copy(&back, &again, &mut |_| {}).await.unwrap();
    assert_eq!((compared.differences, compared.inherited), (vec![], vec![]));
    assert_eq!((compared.quarantined, compared.newly_quarantined), (1, 0));
}
