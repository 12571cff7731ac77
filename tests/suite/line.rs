//! The whole line: a message becomes a value on pages, a chart, an alert and a signed webhook.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_answers::Event;
use bakau_clock::{Clock, SystemClock};
use bakau_model::{DatastreamName, Level, UtcMillis};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    events::Events,
    kill::{Way, wait_connected},
    mosquitto::Mosquitto,
    publish::Publisher,
    sink::Sink,
    wait,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "bakau/beban-000000/data";

fn files(sink: &Sink) -> [(&'static str, String); 1] {
    [("uji.toml", catalogue::load(1) + &catalogue::rule_with_webhook("beban-000000/do", &sink.url()))]
}

/// Sinks oxygen through every level and back; gives the measured times. The first value back is a step too fast to be believed
/// alone, the second ends the alert.
async fn cross_every_level(publisher: &Publisher) -> Result<Vec<i64>> {
    let start = SystemClock.now().get() - 10_000;
    let mut times = Vec::new();
    for (step, oxygen) in [5.0, 3.9, 1.5, 0.42, 5.0, 5.0].into_iter().enumerate() {
        let time = start + step as i64 * 1_000;
        let payload = format!("{{\"time\":\"{}\",\"do\":{oxygen},\"ph\":7.0}}", UtcMillis::new(time));
        publisher.put(TOPIC, payload.as_bytes()).await?;
        times.push(time);
    }
    Ok(times)
}

/// Every transition came once, in order, signed; although the sink refused the first requests.
async fn check_deliveries(sink: &Sink) -> Result<()> {
    let four = async || Ok((4 <= sink.deliveries().len()).then_some(()));
    wait::until("four transitions at the webhook", PATIENCE, four).await?;
    let mut levels: Vec<_> = sink
        .deliveries()
        .iter()
        .map(|delivery| (delivery.body["observed_at"].to_string(), delivery.body["level"].to_string()))
        .collect();
    levels.sort();
    let words: Vec<_> = levels.iter().map(|(_, level)| level.trim_matches('"')).collect();
    assert_eq!(words, ["waspada", "siaga", "awas", "normal"]);
    assert_eq!(sink.forged(), 0);
    Ok(())
}

async fn get(bakau: &Bakau, path: &str) -> Result<(reqwest::StatusCode, String, Vec<u8>)> {
    let response = reqwest::get(bakau.url(path)?).await?;
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    Ok((response.status(), kind, response.bytes().await?.to_vec()))
}

/// What a reader sees: API, CSV, charts, pages.
async fn check_reading(bakau: &Bakau) -> Result<()> {
    let history = "/api/v1/observations?datastream=beban-000000/do";
    let six = async || {
        let answer = bakau.json(history).await?;
        Ok(answer["observations"].as_array().filter(|rows| rows.len() == 6).cloned())
    };
    let rows = wait::until("six observations in the store", PATIENCE, six).await?;
    let values: Vec<_> = rows.iter().map(|row| row["value"].as_f64()).collect();
    assert_eq!(values, [5.0, 3.9, 1.5, 0.42, 5.0, 5.0].map(Some));

    let (status, kind, csv) = get(bakau, &format!("{history}&format=csv")).await?;
    assert!(status.is_success() && kind.starts_with("text/csv"), "{status} {kind}");
    assert_eq!(String::from_utf8(csv)?.lines().count(), 7);
    for (path, kind_wanted, start) in [
        ("/charts/beban-000000/do.svg", "image/svg+xml", &b"<svg"[..]),
        ("/charts/beban-000000/do.png", "image/png", &b"\x89PNG"[..]),
    ] {
        let (status, kind, bytes) = get(bakau, path).await?;
        assert!(status.is_success() && kind.starts_with(kind_wanted), "{path}: {status} {kind}");
        assert!(bytes.starts_with(start), "{path}");
    }
    for (path, words) in [
        ("/?lang=id", "Beban 0"),
        ("/stations/beban-000000?lang=en", "Beban 0"),
        ("/alerts?all=true", "Oksigen rendah"),
    ] {
        let (status, kind, bytes) = get(bakau, path).await?;
        assert!(status.is_success() && kind.starts_with("text/html"), "{path}: {status} {kind}");
        assert!(String::from_utf8_lossy(&bytes).contains(words), "{path} does not say '{words}'");
    }
    let latest = bakau.json("/api/v1/latest").await?;
    assert!(latest.to_string().contains("beban-000000/do"), "{latest}");
    Ok(())
}

/// Status of an acknowledgement, and its problem where it is one.
async fn acknowledge(bakau: &Bakau, alert: &Value, token: Option<&str>) -> Result<(u16, String)> {
    let id = alert["id"].as_str().context("an alert has an id")?;
    let path = bakau.url(&format!("/api/v1/alerts/{id}/acknowledge"))?;
    let request = reqwest::Client::new().post(&path).json(&json!({"name": "Sari", "note": "menuju lokasi"}));
    let answer = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth).send().await?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await?;
    let problem = body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default();
    Ok((status, problem.to_owned()))
}

/// An acknowledgement needs the token and an open alert, and works once.
async fn check_acknowledgement(bakau: &Bakau, publisher: &Publisher) -> Result<()> {
    let token = bakau.admin_token()?.to_owned();
    let closed = bakau.json("/api/v1/alerts").await?["alerts"][0].clone();
    assert!(closed["closed_at"].is_string(), "its end has been delivered: {closed}");
    let problem = |status: u16, key: &str| (status, key.to_owned());
    assert_eq!(acknowledge(bakau, &closed, None).await?, problem(401, "token-required"));
    assert_eq!(acknowledge(bakau, &closed, Some(&token)).await?, problem(409, "alert-closed"));
    let time = SystemClock.now();
    publisher.put(TOPIC, format!("{{\"time\":\"{time}\",\"do\":3.0,\"ph\":7.0}}").as_bytes()).await?;
    let open = async || {
        let alerts = bakau.json("/api/v1/alerts?active=true").await?;
        Ok(alerts["alerts"].as_array().and_then(|alerts| alerts.first().cloned()))
    };
    let open = wait::until("an open alert", PATIENCE, open).await?;
    assert_eq!(acknowledge(bakau, &open, Some(&token)).await?, problem(200, ""));
    assert_eq!(acknowledge(bakau, &open, Some(&token)).await?, problem(409, "already-acknowledged"));
    Ok(())
}

/// Listens until a value just measured was told, and the end of the alert about it. Its levels on the way are told only where
/// they were not decided together with the end: an event says how an alert is now.
async fn hear(mut events: Events, measured: &[i64]) -> Result<()> {
    let is_it = |datastream: &DatastreamName| datastream.as_str() == "beban-000000/do";
    let (mut value, mut alert) = (false, false);
    while !(value && alert) {
        match events.next().await? {
            Event::Values(values) => {
                let mut mine = values.iter().filter(|value| is_it(&value.datastream));
                value |= mine.any(|value| measured.contains(&value.observed_at.0.get()) && value.value.is_some());
            }
            Event::Alert(told) => alert |= told.datastream.as_ref().is_some_and(is_it) && told.level == Level::Normal,
            Event::Levels(_) | Event::Status(_) | Event::Station(_) | Event::Reload(_) => {}
        }
    }
    Ok(())
}

async fn whole_line(bakau: &mut Bakau, sink: &Sink, publisher: &Publisher) -> Result<()> {
    let events = Events::open(bakau, "").await?;
    let measured = cross_every_level(publisher).await?;
    let live = tokio::time::timeout(PATIENCE, hear(events, &measured));
    live.await.context("no value and no alert within a minute")??;
    check_deliveries(sink).await?;
    check_reading(bakau).await?;
    check_acknowledgement(bakau, publisher).await?;
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crossed_limit_reaches_webhook_pages_and_charts_through_the_embedded_broker() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sink = Sink::start(2).await?;
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files(&sink))?;
    bakau.start().await?;
    let publisher = bakau.device()?;
    whole_line(&mut bakau, &sink, &publisher).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crossed_limit_reaches_webhook_pages_and_charts_through_mosquitto() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sink = Sink::start(2).await?;
    let broker = Mosquitto::start(&folder.path().join("mosquitto")).await?;
    let mut bakau =
        Bakau::prepare(&folder.path().join("bakau"), &Way::Mosquitto.configuration(broker.port()), &files(&sink))?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let publisher = Publisher::at(&broker);
    whole_line(&mut bakau, &sink, &publisher).await
}

/// The demo as a newcomer starts it, on free ports; its mangrove station crosses a limit within the first minute.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_raises_an_alert_within_its_first_minute() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[("kosong.toml", String::new())])?;
    let data = folder.path().join("demo").display().to_string();
    let arguments = ["demo", "--data", &data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "6h"];
    let arguments = arguments.map(str::to_owned);
    bakau.start_with(&arguments).await?;
    let alert = async || Ok(Some(bakau.alerts().await?).filter(|alerts| !alerts.is_empty()));
    wait::until("an alert of the demo", PATIENCE, alert).await.with_context(|| bakau.log_tail())?;
    let stations = bakau.json("/api/v1/stations").await?;
    assert_eq!(stations["stations"].as_array().map(Vec::len), Some(15));
    assert!(Path::new(&data).join("spool.db").is_file());
    bakau.stop()
}
