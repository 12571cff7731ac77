//! History in pages and as a download.

use axum::http::{StatusCode, header};
use bakau_api::ApiConfig;
use bakau_model::UtcMillis;
use serde_json::Value;

use crate::rig::{Rig, TOKEN, time};

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
        vec![
            "datastream",
            "observed_at",
            "observed_at_local",
            "value",
            "unit",
            "flag",
            "tests",
            "time_source",
            "received_at",
            "revision"
        ]
    );
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), json.len());
    for (row, expected) in rows.iter().zip(&json) {
        assert_eq!(&row[0], DO);
        assert_eq!(&row[1], expected["observed_at"].as_str().unwrap());
        assert_eq!(time(&row[2]), time(&row[1]));
        assert!(row[2].ends_with("+07:00"));
        assert_eq!(row[3].parse::<f64>().ok(), expected["value"].as_f64());
        assert_eq!(row[3].is_empty(), expected["value"].is_null());
        assert_eq!(&row[4], "mg/L");
        assert_eq!(row[5], expected["flag"].to_string());
        assert_eq!(&row[6], expected["tests"].as_str().unwrap());
        assert_eq!(&row[8], expected["received_at"].as_str().unwrap());
        assert_eq!(row[9], expected["revision"].to_string());
    }
    assert_eq!(json.iter().filter(|row| row["revision"] == 2).count(), 1);
}

#[tokio::test]
async fn a_download_is_not_cut_at_a_page_of_the_store() {
    let mut rig = Rig::start().await;
    let count = 50_001;
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
async fn only_the_flags_asked_for_are_answered_in_pages_and_downloads_alike() {
    let mut rig = Rig::start().await;
    let values = wavy(500);
    rig.feed_series(DO, &values).await;
    let missing = values.iter().filter(|value| value.is_none()).count();
    let uri = format!("/api/v1/observations?datastream={DO}&flags=missing");
    for limit in [7, 100, 10_000] {
        let rows = pages(&rig, &format!("{uri}&limit={limit}&local=true")).await;
        assert_eq!(rows.len(), missing, "limit {limit}");
        assert!(rows.iter().all(|row| row["flag"] == 9 && row["value"].is_null()));
        assert!(rows[0]["observed_at_local"].as_str().unwrap().ends_with("+07:00"));
    }
    assert_eq!(rig.get(&format!("{uri}&format=csv")).await.text().lines().count(), missing + 1);
    let usable = pages(&rig, &format!("/api/v1/observations?datastream={DO}&flags=usable&limit=10000")).await;
    let whole = pages(&rig, &format!("/api/v1/observations?datastream={DO}&limit=10000")).await;
    let expected: Vec<_> = whole.iter().filter(|row| row["flag"].as_u64().unwrap() < 4).cloned().collect();
    assert!(expected.len() < values.len() - missing, "impossible values are among them");
    assert_eq!(usable, expected);
}

#[tokio::test]
async fn history_that_has_not_changed_is_not_sent_again_compressed_or_not() {
    let mut rig = Rig::start().await;
    rig.feed_series(DO, &wavy(300)).await;
    let uri = format!("/api/v1/observations?datastream={DO}&from=2026-03-10T05:00:00Z&to=2026-03-10T08:00:00Z");
    let plain = rig.get(&uri).await;
    let packed = rig.get_with(&uri, &[(header::ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(packed.header(header::CONTENT_ENCODING), "gzip");
    assert!(packed.body.len() * 4 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let tags = [plain.header(header::ETAG).to_owned(), packed.header(header::ETAG).to_owned()];
    assert_ne!(tags[0], tags[1], "a strong tag names bytes");
    for tag in &tags {
        let again = rig.get_with(&uri, &[(header::IF_NONE_MATCH, tag), (header::ACCEPT_ENCODING, "gzip")]).await;
        assert_eq!((again.status, again.header(header::ETAG)), (StatusCode::NOT_MODIFIED, tag.as_str()));
    }
    rig.feed(&[(DO, time("2026-03-10T06:00:00Z"), Some(99.0))]).await;
    let corrected = rig.get_with(&uri, &[(header::IF_NONE_MATCH, &tags[0])]).await;
    assert_eq!(corrected.status, StatusCode::OK, "a correction is sent");
}

#[tokio::test]
async fn shared_caches_are_kept_out_where_reading_is_closed_or_the_token_was_shown() {
    let open = Rig::start().await;
    assert_eq!(open.get("/api/v1/latest").await.header(header::CACHE_CONTROL), "no-cache");
    let admin = open.get_as_admin("/api/v1/sources").await;
    assert_eq!(admin.header(header::CACHE_CONTROL), "private, no-cache");
    let closed = Rig::with(ApiConfig { open_read: false, ..ApiConfig::default() }, Some(TOKEN)).await;
    for uri in ["/api/v1/latest", "/api/v1/stations"] {
        let answer = closed.get_as_admin(uri).await;
        assert_eq!(answer.header(header::CACHE_CONTROL), "private, no-cache", "{uri}");
        assert!(answer.headers.get_all(header::VARY).iter().any(|value| value == "authorization"));
    }
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
