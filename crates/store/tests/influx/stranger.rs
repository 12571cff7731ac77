//! What somebody else finds in a bucket, through `influxdb2`: a client that shares no code with the store.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::Flag;
use bakau_store::{
    Store, StoredObservation,
    conformance::{batch, everything, observation},
    influx::InfluxStore,
};
use influxdb2::{
    api::buckets::ListBucketsRequest,
    models::{Query, Status},
};
use influxdb2_structmap::value::Value;

use super::{Files, names};

/// A missing value as ADR 0021 has it.
const MISSING: f64 = -9_999.0;
/// Below this lie the numbers of most datastreams in the conformance suite.
const DATASTREAMS: u32 = 64;

/// Value and flag of each point, by station and instant (ms).
type Points = BTreeMap<(String, i64), (f64, i64)>;

/// Every point of a bucket.
async fn points(client: &influxdb2::Client, bucket: &str) -> Points {
    let mut found: BTreeMap<(String, i64), (Option<f64>, Option<i64>)> = BTreeMap::new();
    for field in ["value", "flag"] {
        // Every instant that InfluxDB holds but the last nanosecond.
        let flux = format!(
            "from(bucket: \"{bucket}\") |> range(start: 1677-09-21T00:12:43.145224194Z, stop: 2262-04-11T23:47:16.854775806Z)
             |> filter(fn: (r) => r._measurement == \"observation\" and r._field == \"{field}\")"
        );
        for record in client.query_raw(Some(Query::new(flux))).await.unwrap() {
            let (Value::String(station), Value::TimeRFC(at)) = (&record.values["station"], &record.values["_time"])
            else {
                panic!("a point without station or instant: {record:?}");
            };
            let point = found.entry((station.clone(), at.timestamp_millis())).or_default();
            match &record.values["_value"] {
                Value::Double(value) => point.0 = Some(value.into_inner()),
                Value::Long(flag) => point.1 = Some(*flag),
                other => panic!("{field} is {other:?}"),
            }
        }
    }
    found.into_iter().map(|(key, (value, flag))| (key, (value.unwrap(), flag.unwrap()))).collect()
}

/// The same, as the store answers it: of the stations in `beside`, too.
async fn answered(store: &InfluxStore, beside: &Points) -> Points {
    let number = |station: &String| station.trim_start_matches('s').parse::<u32>().unwrap();
    let beside = beside.keys().map(|(station, _)| number(station));
    let mut found = Points::new();
    for datastream in (0..=DATASTREAMS).chain(beside).collect::<BTreeSet<_>>() {
        for StoredObservation { observation, .. } in store.observations(&everything(datastream)).await.unwrap() {
            let value = observation.value.unwrap_or(MISSING);
            let key = (format!("s{datastream}"), observation.observed_at.get());
            found.insert(key, (value, i64::from(observation.flag.code())));
        }
    }
    found
}

/// Every bucket that a suite filled has the points that its store answers with.
pub(crate) async fn finds_what_the_stores_have(files: &Files) {
    let (client, last) = (files.influxd.stranger(), *files.made.lock());
    let mut all = 0;
    for number in 1..=last {
        *files.made.lock() = number;
        let store = InfluxStore::open_target(&files.journal(), files.config(), names()).unwrap();
        let found = points(&client, &files.config().bucket).await;
        assert_eq!(found, answered(&store, &found).await, "bucket {number}");
        all += found.len();
    }
    assert!(1_000 < all, "the suite wrote {all} points only");
}

#[tokio::test]
async fn a_client_that_is_not_ours_reads_values_flags_and_missing_values() {
    let files = Files::new().await;
    let store = files.store().await;
    let mut rows = vec![observation(1, 60_000, Some(7.25)), observation(1, 120_000, None)];
    rows.push(observation(2, -60_000, Some(-0.5)));
    store
        .write(&[batch(1, "a", &rows), batch(2, "a", &[observation(1, 60_000, Some(7.5))])], Vec::new())
        .await
        .unwrap();

    let (client, bucket) = (files.influxd.stranger(), files.config().bucket);
    let not_evaluated = i64::from(Flag::NotEvaluated.code());
    let expected = [
        (("s1".to_owned(), 60_000), (7.5, not_evaluated)),
        (("s1".to_owned(), 120_000), (MISSING, i64::from(Flag::Missing.code()))),
        (("s2".to_owned(), -60_000), (-0.5, not_evaluated)),
    ];
    assert_eq!(points(&client, &bucket).await, Points::from(expected));
    assert_eq!(client.health().await.unwrap().status, Status::Pass);
    let named = ListBucketsRequest { name: Some(bucket.clone()), ..ListBucketsRequest::default() };
    assert_eq!(client.list_buckets(Some(named)).await.unwrap().buckets.len(), 1);
}
