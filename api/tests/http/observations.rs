//! History in pages and as a download.

use axum::http::{StatusCode, header};
use bakau_model::UtcMillis;
use serde_json::Value;

use crate::rig::{Rig, time};

const DO: &str = "prb-bjbr-01/do";

async fn pages(rig: &Rig, first: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut uri = first.to_owned();
    loop {
        let answer = rig.get(&uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let page = answer.json();
        rows.extend(page["observations"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else {
            assert!(!answer.headers.contains_key(header::LINK));
            return rows;
        };
        assert_eq!(answer.header(header::LINK), format!("<{next}>; rel=\"next\""));
        uri = next.to_owned();
    }
}

/// With three decimals, as instruments send them; serde_json reads those back exactly.
fn wavy(count: usize) -> Vec<Option<f64>> {
    let value = |n: usize| 5.0 + (n as f64 / 10.0).sin() - 6.0 * f64::from(n % 11 == 5);
    (0..count).map(|n| (n % 7 != 3).then(|| (value(n) * 1000.0).round() / 1000.0)).collect()
}

#[tokio::test]
async fn pages_one_after_the_other_are_the_whole_whatever_their_size() {
    let mut rig = Rig::start().await;
    rig.feed_series(DO, &wavy(1_201)).await;
    let whole = pages(&rig, &format!("/api/v1/observations?datastream={DO}&limit=10000")).await;
    assert_eq!(whole.len(), 1_201);
    let times: Vec<&str> = whole.iter().map(|row| row["observed_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a < b));
    for limit in [1_201, 1_200, 400, 399, 97] {
        let paged = pages(&rig, &format!("/api/v1/observations?datastream={DO}&limit={limit}")).await;
        assert_eq!(paged, whole, "limit {limit}");
    }
}

#[tokio::test]
async fn the_range_is_half_open_and_its_offset_is_respected() {
    let mut rig = Rig::start().await;
    rig.feed_series(DO, &wavy(120)).await;
    let uri = format!("/api/v1/observations?datastream={DO}&from=2026-03-10T15:30:00%2B07:00&to=2026-03-10T08:40:00Z");
    let rows = pages(&rig, &uri).await;
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0]["observed_at"], "2026-03-10T08:30:00Z");
    assert_eq!(rows[9]["observed_at"], "2026-03-10T08:39:00Z");
}

#[tokio::test]
async fn the_download_says_the_same_as_the_pages() {
    let mut rig = Rig::start().await;
    rig.feed_series(DO, &wavy(600)).await;
    // A correction: revision 2 with the newer value.
    rig.feed(&[(DO, time("2026-03-10T08:55:00Z"), Some(9.25))]).await;
    let json = pages(&rig, &format!("/api/v1/observations?datastream={DO}&limit=250")).await;
    let answer = rig.get(&format!("/api/v1/observations?datastream={DO}&format=csv")).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
    assert_eq!(
        answer.header(header::CONTENT_DISPOSITION),
        "attachment; filename=\"prb-bjbr-01_do_2026-03-09_2026-03-10.csv\""
    );
    let mut reader = csv::Reader::from_reader(answer.body.as_ref());
    assert_eq!(
        reader.headers().unwrap(),
        vec!["datastream", "observed_at", "value", "unit", "flag", "time_source", "received_at", "revision"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), json.len());
    for (row, expected) in rows.iter().zip(&json) {
        assert_eq!(&row[0], DO);
        assert_eq!(&row[1], expected["observed_at"].as_str().unwrap());
        assert_eq!(row[2].parse::<f64>().ok(), expected["value"].as_f64());
        assert_eq!(row[2].is_empty(), expected["value"].is_null());
        assert_eq!(&row[3], "mg/L");
        assert_eq!(row[4], expected["flag"].to_string());
        assert_eq!(&row[6], expected["received_at"].as_str().unwrap());
        assert_eq!(row[7], expected["revision"].to_string());
    }
    assert_eq!(json.iter().filter(|row| row["revision"] == 2).count(), 1);
}

#[tokio::test]
async fn a_download_is_not_cut_at_a_page_of_the_store() {
    let mut rig = Rig::start().await;
    let count = 20_001;
    rig.feed_series("mlg-kota-01/pm25", &wavy(count)).await;
    let from = time("2026-01-01T00:00:00Z");
    let uri = format!("/api/v1/observations?datastream=mlg-kota-01/pm25&from={from}&format=csv");
    let answer = rig.get(&uri).await;
    assert_eq!(answer.text().lines().count(), count + 1);
    let limited = rig.get(&format!("{uri}&limit=10")).await;
    assert_eq!(limited.text().lines().count(), 11);
    assert!(limited.header(header::LINK).contains("format=csv"));
}

#[tokio::test]
async fn a_cursor_of_another_query_is_refused() {
    let mut rig = Rig::start().await;
    rig.feed_series(DO, &wavy(10)).await;
    let page = rig.get(&format!("/api/v1/observations?datastream={DO}&limit=5")).await.json();
    let next = page["next"].as_str().unwrap();
    let other = next.replace("prb-bjbr-01/do", "mlg-kota-01/pm25");
    assert_ne!(other, next);
    let answer = rig.get(&other).await;
    assert_eq!((answer.status, &answer.json()["type"]), (StatusCode::BAD_REQUEST, &"/problems/invalid-cursor".into()));
}

#[tokio::test]
async fn the_latest_values_are_those_with_the_greatest_time() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    rig.feed(&[("mlg-kota-01/pm25", time("2026-03-10T08:58:00Z"), None)]).await;
    let late: UtcMillis = time("2026-03-10T08:00:00Z");
    rig.feed(&[(DO, late, Some(1.0)), (DO, time("2026-03-10T08:59:30Z"), Some(5.75))]).await;
    let latest = rig.get("/api/v1/latest").await.json();
    let value = |name: &str| {
        let rows = latest["latest"].as_array().unwrap();
        rows.iter().find(|row| row["datastream"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value(DO), 5.75);
    assert_eq!(value("mlg-kota-01/pm25"), Value::Null);
    let mine = rig.get("/api/v1/latest?station=mlg-kota-01").await.json();
    assert_eq!(mine["latest"].as_array().unwrap().len(), 1);
}
