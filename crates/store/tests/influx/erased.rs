//! A journal of before, and the points it belongs to: numbers that a missing value replaced come back to the server.

use bakau_model::{Seq, UtcMillis};
use bakau_store::{
    RangeQuery, Store, StoreCounts, StoreErrorKind,
    conformance::{batch, everything, observation},
    influx::{InfluxConfig, InfluxStore, MISSING},
};

use super::{
    Files, names,
    old::{self, BROUGHT_BACK, HISTORY, LAST_MINUTE_ENDS},
};

/// A bucket with the points of before and a journal that keeps the rows from an instant on.
async fn old_files(floor: i64) -> Files {
    let files = Files::new().await;
    drop(files.store().await);
    for end in ["", "-wal", "-shm"] {
        let _or_not_there = std::fs::remove_file(format!("{}{end}", files.journal().display()));
    }
    for versions in HISTORY {
        let (at, revision, value, flag, received_at) = versions[versions.len() - 1];
        let meta =
            i64::from(revision) << 50 | 17 << 18 | 1 << 16 | (old::tests(value, flag).code() & 0xFFFF).cast_signed();
        let (value, flag, lag) = (value.unwrap_or(MISSING), flag.code(), received_at - at);
        let line = format!(
            "observation,parameter=do@150cm,station=s1 value={value:?},flag={flag}i,lag={lag}i,meta={meta}i {at}"
        );
        files.influxd.intrude(&files.config().bucket, &line).await;
    }
    let journal = old::make(&files.journal(), include_str!("../old/journal-3.sql"), floor);
    let series =
        "INSERT INTO series (datastream, station, parameter, first_at, floor) VALUES (1, 's1', 'do@150cm', ?1, ?2)";
    journal.execute(series, (HISTORY[0][0].0, floor)).unwrap();
    // Three usable values, as the rows of before were.
    let hour = "INSERT INTO hours (datastream, hour, stored, usable, total, least, greatest, last_at)
                VALUES (1, 0, 6, 3, 10.0, 2.5, 4.0, 60000)";
    journal.execute(hour, []).unwrap();
    files
}

async fn assert_brought_back(store: &InfluxStore) {
    let held = store.observations(&everything(1)).await.unwrap();
    let values: Vec<_> = held
        .iter()
        .map(|row| {
            let observation = row.observation;
            assert_eq!(row.tests, old::tests(observation.value, observation.flag));
            let (at, received_at) = (observation.observed_at.get(), observation.received_at.get());
            (at, observation.value, row.revision, observation.flag, received_at)
        })
        .collect();
    assert_eq!(values, BROUGHT_BACK);
    let until: Vec<_> = store
        .superseded(&RangeQuery { to: UtcMillis::new(30_000), ..everything(1) })
        .await
        .unwrap()
        .iter()
        .map(|row| (row.observation.observed_at.get(), row.revision, row.observation.value, row.recorded_at.get()))
        .collect();
    let ends = LAST_MINUTE_ENDS;
    let expected = [
        (10_000, 1, Some(28.2), 60_200),
        (10_000, 2, None, ends),
        (20_000, 1, None, 120_001),
        (20_000, 2, Some(1.0), 120_002),
        (20_000, 3, Some(1.5), 120_003),
        (20_000, 4, None, ends),
    ];
    assert_eq!(until, expected, "what was known when stays true");
    let hours =
        store.hours(held[0].observation.datastream, UtcMillis::new(0), UtcMillis::new(3_600_000)).await.unwrap();
    let hour = hours.unwrap()[0];
    assert_eq!((hour.usable, hour.min, hour.max), (5, 1.5, 28.2), "the hour is summed up anew");
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
    assert_eq!(store.cursor().await.unwrap(), Seq::new(5), "the place in the spool did not move");
}

fn left(files: &Files, table: &str) -> u32 {
    let journal = rusqlite::Connection::open(files.journal()).unwrap();
    journal.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Nothing listens there.
fn away(files: &Files) -> InfluxStore {
    let config = InfluxConfig { url: "http://127.0.0.1:9".to_owned(), ..files.config() };
    InfluxStore::open(&files.journal(), config, names()).unwrap()
}

#[tokio::test]
async fn numbers_that_a_missing_value_replaced_come_back_whatever_only_the_server_knows() {
    // All rows are in the journal, some of them, the last one.
    for floor in [0, 15_000, 35_000, 60_000] {
        let files = old_files(floor).await;
        let store = files.open();
        assert_eq!(store.write(&[], Vec::new()).await.unwrap().counts, StoreCounts::default(), "nothing arrived");
        assert_brought_back(&store).await;
        assert_eq!(left(&files, "erased"), 0);
        // And nothing of it is undone by what comes now.
        let counts = store.write(&[batch(6, "a", &[observation(1, 10_000, None)])], Vec::new()).await.unwrap().counts;
        assert_eq!(counts, StoreCounts { ignored_missing: 1, ..StoreCounts::default() });
        assert_eq!(store.observations(&everything(1)).await.unwrap()[0].observation.value, Some(28.2));
    }
}

#[tokio::test]
async fn a_stop_at_any_step_of_it_loses_nothing() {
    // The server is away when it is asked: the keys stay listed.
    let files = old_files(60_000).await;
    let store = away(&files);
    assert_eq!(store.write(&[], Vec::new()).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    std::mem::forget(store);
    assert_eq!((left(&files, "erased"), left(&files, "pending")), (3, 0), "what is possible is listed");
    let store = files.open();
    store.write(&[], Vec::new()).await.unwrap();
    assert_brought_back(&store).await;

    // It is away when it is told: the lines stay pending, decided once.
    let files = old_files(0).await;
    let store = away(&files);
    assert_eq!(store.write(&[], Vec::new()).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    std::mem::forget(store);
    assert_eq!((left(&files, "erased"), left(&files, "pending")), (0, 1), "what was decided is pending");
    let store = files.open();
    store.write(&[], Vec::new()).await.unwrap();
    assert_brought_back(&store).await;
}
