//! What a program waits for: the present of 10,000 datastreams, and a week of one-minute values.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_simulate::load::{self, LoadContent, LoadPlan, LoadReport};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_settled},
};
use tokio_util::sync::CancellationToken;

use crate::figures::Figure;

/// Each has two datastreams.
const STATIONS: usize = 5_000;
const MINUTE_MS: i64 = 60_000;
/// A week of one-minute values.
const WEEK_ROWS: u64 = 7 * 24 * 60;
const REQUESTS: usize = 200;
/// Requests that open the connection and fill caches.
const WARM_UP: usize = 10;
/// Messages per second while the present is asked for: no two answers are the same.
const CHANGES: f64 = 200.0;
/// Time between two requests, so that there is a change between them.
const PAUSE: Duration = Duration::from_millis(25);

fn plan(broker: SocketAddr, content: LoadContent, rate: Option<f64>) -> LoadPlan {
    let patience = Some(Duration::from_secs(120));
    LoadPlan { broker, logins: vec![Way::Embedded.login()], connections: 1, window: 200, rate, patience, content }
}

async fn publish(broker: SocketAddr, content: LoadContent) -> Result<LoadReport> {
    let report = load::run(&plan(broker, content, None), &Arc::default(), &CancellationToken::new()).await;
    ensure!(report.errors.is_empty(), "the load ended early: {:?}", report.errors.first());
    Ok(report)
}

async fn started(folder: &Path, stations: usize) -> Result<Bakau> {
    let catalogue = [("beban.toml", catalogue::load(stations))];
    let mut bakau = Bakau::prepare(folder, &Way::Embedded.configuration(0), &catalogue)?;
    bakau.start().await?;
    Ok(bakau)
}

/// What requests over one connection took, in milliseconds until the last byte, and what the answers were like.
#[derive(Debug, Default)]
struct Timed {
    times: Vec<f64>,
    bytes: usize,
    different: usize,
}

async fn timed(bakau: &Bakau, pause: Duration, path: impl Fn(usize) -> String) -> Result<Timed> {
    let client = reqwest::Client::new();
    let mut found = Timed::default();
    let mut last_tag = None;
    for number in 0..WARM_UP + REQUESTS {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let answer = client.get(bakau.url(&path(number))?).send().await?.error_for_status()?;
        let tag = answer.headers().get("etag").cloned();
        let body = answer.bytes().await?;
        if WARM_UP <= number {
            found.times.push(begun.elapsed().as_secs_f64() * 1_000.0);
            found.bytes = body.len();
            found.different += usize::from(tag != last_tag);
        }
        last_tag = tag;
    }
    Ok(found)
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn print(name: &str, gate: &'static str, timed: &Timed) {
    Figure::new(&format!("{name}, p50"), "ms", None, vec![percentile(&timed.times, 50)]).print();
    Figure::new(&format!("{name}, p95"), "ms", Some(gate), vec![percentile(&timed.times, 95)]).print();
    println!("  {:<58} {:>10} bytes, {} of {REQUESTS} answers new", "", timed.bytes, timed.different);
}

/// The present of 10,000 datastreams in one uncompressed answer.
pub(crate) async fn latest(_quick: bool) -> Result<()> {
    println!(
        "\nLatest values of {} datastreams, uncompressed, end to end over HTTP, {REQUESTS} requests",
        2 * STATIONS
    );
    let folder = tempfile::tempdir()?;
    let mut bakau = started(folder.path(), STATIONS).await?;
    let now = SystemClock.now().get();
    let present = LoadContent { messages: STATIONS as u64, ..catalogue::content(STATIONS, now, MINUTE_MS) };
    publish(bakau.mqtt()?, present).await?;
    wait_settled(&bakau, 2 * STATIONS as u64).await?;
    let path = |_| "/api/v1/latest".to_owned();
    let still = timed(&bakau, Duration::ZERO, path).await?;
    print("nothing changes", "<= 10", &still);

    let stop = CancellationToken::new();
    let changes = LoadContent { messages: 10_000_000, ..catalogue::content(STATIONS, now + 1, MINUTE_MS) };
    let changes = plan(bakau.mqtt()?, changes, Some(CHANGES));
    let told = stop.clone();
    let load = tokio::spawn(async move { load::run(&changes, &Arc::default(), &told).await });
    let live = timed(&bakau, PAUSE, path).await?;
    stop.cancel();
    load.await.context("the load panicked")?;
    print(&format!("{CHANGES} messages/s come in"), "<= 10", &live);
    bakau.stop()
}

/// A week of one-minute values of one datastream as JSON.
pub(crate) async fn week(_quick: bool) -> Result<()> {
    println!(
        "\nA week of one-minute values ({WEEK_ROWS} rows), uncompressed, end to end over HTTP, {REQUESTS} requests"
    );
    let folder = tempfile::tempdir()?;
    let mut bakau = started(folder.path(), 1).await?;
    let now = SystemClock.now().minute().get();
    // Twice as long, so that each request can ask for another week.
    let first = now - 2 * WEEK_ROWS as i64 * MINUTE_MS;
    let weeks = LoadContent { messages: 2 * WEEK_ROWS, ..catalogue::content(1, first, MINUTE_MS) };
    publish(bakau.mqtt()?, weeks).await?;
    wait_settled(&bakau, 4 * WEEK_ROWS).await?;
    let station = catalogue::station(0);
    let instant = |minutes: i64| UtcMillis::new(first + minutes * MINUTE_MS).to_string();
    for (name, more) in [("JSON", ""), ("JSON with local times", "&local=true"), ("CSV", "&format=csv")] {
        let path = |number: usize| {
            let start = i64::try_from(number).unwrap_or_default();
            let (from, to) = (instant(start), instant(start + WEEK_ROWS as i64));
            format!("/api/v1/observations?datastream={station}/do&from={from}&to={to}&limit=20000{more}")
        };
        print(name, "<= 20", &timed(&bakau, Duration::ZERO, path).await?);
    }
    bakau.stop()
}
