//! Means by hour, day and month.

use axum::http::{StatusCode, header};

use crate::rig::{Rig, time};

const DO: &str = "prb-bjbr-01/do";

#[tokio::test]
async fn hours_are_labelled_by_start_in_utc_and_local_time_with_completeness() {
    let mut rig = Rig::start().await;
    // The last value is at 09:00 UTC, the first at 07:30.
    rig.feed_series(DO, &(0..91).map(|n| Some(f64::from(n) / 4.0)).collect::<Vec<_>>()).await;
    let uri = format!("/api/v1/aggregates?datastream={DO}&step=1h&from=2026-03-10T07:00:00Z&to=2026-03-10T11:00:00Z");
    let answer = rig.get(&uri).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let json = answer.json();
    let buckets = json["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 4);
    assert_eq!(buckets[0]["start"], "2026-03-10T07:00:00Z");
    assert_eq!(buckets[0]["start_local"], "2026-03-10T14:00:00+07:00");
    assert_eq!(
        (&buckets[0]["count"], &buckets[0]["expected"], &buckets[0]["completeness"]),
        (&30.into(), &60.into(), &0.5.into())
    );
    assert_eq!(
        (&buckets[1]["mean"], &buckets[1]["min"], &buckets[1]["max"]),
        (&14.875.into(), &7.5.into(), &22.25.into())
    );
    assert_eq!((&buckets[3]["mean"], &buckets[3]["count"]), (&serde_json::Value::Null, &0.into()));
    // It is 09:00: the hour that begins expects nothing yet, and the one behind it has not come.
    let told = |name: &str| buckets.iter().map(|bucket| bucket[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("expected"), [60, 60, 0, 0]);
    assert_eq!(told("partial"), [false, false, true, true]);
    assert_eq!((&json["tz"], &json["statistic"]), (&"Asia/Jakarta".into(), &"mean".into()));
    let again = rig.get_with(&uri, &[(header::IF_NONE_MATCH, answer.header(header::ETAG))]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_civil_day_starts_at_local_midnight_and_the_csv_says_the_same() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-09T16:59:00Z"), Some(1.0)), (DO, time("2026-03-09T17:00:00Z"), Some(3.0))]).await;
    let uri =
        format!("/api/v1/aggregates?datastream={DO}&from=2026-03-08T17:00:00Z&to=2026-03-10T17:00:00Z&format=csv");
    let answer = rig.get(&uri).await;
    let mut reader = csv::Reader::from_reader(answer.body.as_ref());
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let told: Vec<[&str; 3]> = rows.iter().map(|row| [&row[2], &row[6], &row[10]]).collect();
    assert_eq!(told, [["2026-03-09T00:00:00+07:00", "1", "1"], ["2026-03-10T00:00:00+07:00", "3", "1"]]);
}

#[tokio::test]
async fn too_many_buckets_and_unknown_zones_are_refused_in_words() {
    let rig = Rig::start().await;
    for (query, parameter) in [
        ("step=5m&from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "step"),
        ("tz=Mars/Olympus", "tz"),
        ("step=2h", "step"),
    ] {
        let answer = rig.get(&format!("/api/v1/aggregates?datastream={DO}&{query}")).await;
        assert_eq!(
            (answer.status, &answer.json()["parameter"]),
            (StatusCode::BAD_REQUEST, &parameter.into()),
            "{query}"
        );
    }
    assert_eq!(rig.get("/api/v1/aggregates").await.status, StatusCode::BAD_REQUEST);
}
