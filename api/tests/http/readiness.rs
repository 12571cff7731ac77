//! How much of the last day an agency has.

use std::time::Duration;

use bakau_api::ApiConfig;
use bakau_registry::CatalogueFile;
use serde_json::{Value, json};

use crate::rig::{CATALOGUE, Rig, TOKEN, time, within};

const DO: &str = "prb-bjbr-01/do";
/// Four datastreams with a value each minute.
const EXPECTED: u64 = 4 * 1_440;

/// Asks until the last day has been counted with so many values.
async fn last_day(rig: &Rig, observed: u64) -> Value {
    within("the count", async {
        loop {
            let day = rig.get("/api/v1/status").await.json()["agencies"][0]["last_24h"].clone();
            if day["observed"] == observed {
                return day;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_share_of_the_last_day_is_that_of_the_expected_values_and_is_counted_anew_only_now_and_then() {
    let mut rig = Rig::start().await;
    // The last value is at 09:00, with which the hour begins that is not over.
    rig.feed_series(DO, &vec![Some(5.0); 121]).await;
    let day = last_day(&rig, 120).await;
    let share = 120.0 / EXPECTED as f64;
    let window = ("2026-03-09T16:00:00+07:00", "2026-03-10T16:00:00+07:00");
    assert_eq!((day["from_local"].as_str(), day["to_local"].as_str()), (Some(window.0), Some(window.1)));
    assert_eq!((&day["expected"], &day["completeness"]), (&json!(EXPECTED), &json!(share)));
    let page = rig.get("/status").await;
    assert!(page.text().contains("24 jam terakhir: 2,0 % dari nilai yang diharapkan"), "{}", page.text());

    rig.feed(&[(DO, time("2026-03-10T06:00:00Z"), Some(5.0))]).await;
    assert_eq!(last_day(&rig, 120).await["observed"], 120, "it is a few minutes old at most, and quick");
    rig.clock.advance(5 * 60_000);
    assert_eq!(last_day(&rig, 121).await["expected"], EXPECTED);
}

#[tokio::test]
async fn nothing_is_expected_of_the_time_before_the_first_instrument_came() {
    let text = CATALOGUE.replace("from = \"2026-01-01T00:00:00+07:00\"", "from = \"2026-03-10T13:30:00+07:00\"");
    let file = CatalogueFile { path: "test.toml".to_owned(), text };
    let mut rig = Rig::with_catalogue(&[file], ApiConfig::default(), Some(TOKEN)).await;
    rig.feed_series(DO, &vec![Some(5.0); 121]).await;
    // Since 13:30 WIB, so for the two whole hours until 16:00; three other datastreams for the whole day.
    let day = last_day(&rig, 120).await;
    assert_eq!(day["expected"], 3 * 1_440 + 120, "{day}");
}

#[tokio::test]
async fn many_values_of_one_minute_stand_for_one_minute() {
    let mut rig = Rig::start().await;
    let second = |n: i64| (DO, time("2026-03-10T08:00:00Z").saturating_add(n * 1_000), Some(5.0));
    rig.feed(&(0..60).map(second).collect::<Vec<_>>()).await;
    let day = last_day(&rig, 60).await;
    let covered = day["completeness"].as_f64().unwrap() * EXPECTED as f64;
    assert!(covered < 2.0, "{covered}");
}
