//! Counts of values in quarantine against what the server shows: `verify` names real differences alone.

use bakau_model::{Observation, UtcMillis};
use bakau_store::{
    Store,
    conformance::{batch, everything, observation},
    copy::{Transfer, copy},
    embedded::EmbeddedStore,
    influx::InfluxStore,
};

use super::{Files, names};

const MINUTE_MS: i64 = 60_000;

async fn write(store: &InfluxStore, seq: u64, rows: &[Observation]) {
    store.write(&[batch(seq, "a", rows)], Vec::new()).await.unwrap();
}

async fn problems(store: &InfluxStore) -> Vec<String> {
    store.verify().await.unwrap().problems
}

fn minute(n: i64, value: f64) -> Observation {
    observation(1, n * MINUTE_MS, Some(value))
}

#[tokio::test]
async fn a_value_left_out_as_unfit_is_no_difference_whatever_else_comes_of_its_instant() {
    let files = Files::new().await;
    let store = files.store().await;
    // Alone, before a value of the same instant in one write, and as a correction of one.
    write(&store, 1, &[minute(1, f64::NAN), minute(2, f64::INFINITY), minute(2, 2.0), minute(3, 3.0)]).await;
    write(&store, 2, &[minute(3, f64::NAN), minute(4, 4.0)]).await;
    assert_eq!(problems(&store).await, Vec::<String>::new());
    // A good value of the same instant comes later, and once more when the journal has forgotten the row.
    let more: Vec<_> = (10..50).map(|n| minute(n, 1.0)).collect();
    write(&store, 3, &[minute(1, 1.0)]).await;
    write(&store, 4, &more).await;
    write(&store, 5, &[minute(1, 1.0), minute(5, f64::NAN), minute(1, f64::NAN)]).await;
    assert_eq!(problems(&store).await, Vec::<String>::new());
    assert_eq!(store.refused(9).await.unwrap().len(), 4);
    let hours = store.hours(everything(1).datastream, UtcMillis::new(0), UtcMillis::new(1)).await.unwrap().unwrap();
    assert_eq!((hours.len(), hours[0].usable, hours[0].sum.value()), (1, 44, 50.0));
}

#[tokio::test]
async fn a_point_refused_once_and_taken_later_is_no_difference() {
    let files = Files::new().await;
    let store = files.store().await;
    let bucket = files.config().bucket;
    files.influxd.intrude(&bucket, "observation,parameter=x,station=x value=1i 0").await;
    let rows: Vec<_> = (0..40).map(|n| minute(n, 1.0)).collect();
    write(&store, 1, &rows).await;
    // Once more after the journal forgot the row: the server still does not have it.
    write(&store, 2, &[minute(1, 1.0)]).await;
    assert_eq!(store.refused(99).await.unwrap().len(), 40);
    assert_eq!(problems(&store).await, Vec::<String>::new());

    // Another week has no such type: what was refused there at first is taken now.
    let week = 7 * 24 * 60;
    write(&store, 3, &[minute(week, 1.0), minute(week + 1, 1.0)]).await;
    let journal = rusqlite::Connection::open(files.journal()).unwrap();
    let key = "observation,parameter=do@150cm,station=s1";
    journal.execute("INSERT INTO refused VALUES (?1, ?2, '', '')", (key, week * MINUTE_MS)).unwrap();
    assert_eq!(store.observations(&everything(1)).await.unwrap().len(), 2);
    assert_eq!(problems(&store).await, Vec::<String>::new());
    journal.execute("DELETE FROM refused WHERE observed_at = 0", []).unwrap();
    let said = problems(&store).await;
    assert!(said.len() == 1 && said[0].contains("1 values were confirmed, 0 are visible"), "{said:?}");
}

#[tokio::test]
async fn in_quarantine_too_the_last_number_of_an_instant_stays_whatever_missing_values_come() {
    let files = Files::new().await;
    let store = files.store().await;
    let bucket = files.config().bucket;
    files.influxd.intrude(&bucket, "observation,parameter=x,station=x value=1i 0").await;
    let missing = |n: i64| observation(1, n * MINUTE_MS, None);
    write(&store, 1, &[missing(1), minute(2, 5.31)]).await;
    write(&store, 2, &[minute(1, 7.5), minute(2, 5.4)]).await;
    // Once the journal has forgotten the rows, nobody but the quarantine knows of them.
    write(&store, 3, &(10..90).map(|n| minute(n, 1.0)).collect::<Vec<_>>()).await;
    write(&store, 4, &[missing(1), missing(2)]).await;
    let refused = store.refused(99).await.unwrap();
    for (n, value) in [(1, "value=7.5,"), (2, "value=5.4,")] {
        let kept = refused.iter().find(|point| point.observed_at.get() == n * MINUTE_MS).unwrap();
        assert!(kept.line.contains(value), "{}", kept.line);
    }
    assert_eq!(problems(&store).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_that_is_copied_beside_a_value_of_the_same_instant_is_no_difference() {
    let files = Files::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.db");
    let source = EmbeddedStore::open(&path).unwrap();
    source.write(&[batch(1, "a", &[minute(1, 1.0), minute(2, 2.0)])], Vec::new()).await.unwrap();
    let add = "INSERT INTO refused VALUES ('datastream 1', ?1, 'the value is no finite number', 'Some(NaN)')";
    let file = rusqlite::Connection::open(&path).unwrap();
    for n in [1, 3] {
        file.execute(add, [n * MINUTE_MS]).unwrap();
    }
    let target = files.store().await;
    let compared = copy(&source, &target, &mut |_| {}).await.unwrap();
    assert_eq!((compared.differences, compared.inherited, compared.quarantined), (vec![], vec![], 2));
    assert_eq!(problems(&target).await, Vec::<String>::new());
    drop(target);
    let target = InfluxStore::open(&files.journal(), files.config(), names()).unwrap();
    assert_eq!(target.quarantine(None, 9).await.unwrap().len(), 2);
}
