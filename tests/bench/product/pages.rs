//! What the overview of 200 stations weighs, how soon a slow phone shows it, and how fast a chart of a week is.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_simulate::load::{self, LoadContent, LoadPlan};
use bakau_tests::{
    bakau::Bakau,
    browser, catalogue,
    kill::{Way, wait_settled},
};
use tokio_util::sync::CancellationToken;

use crate::figures::Figure;

const STATIONS: usize = 200;
const MINUTE_MS: i64 = 60_000;
/// A week of one-minute values.
const WEEK_ROWS: u64 = 7 * 24 * 60;
/// Requests per figure; each asks for another time axis, so that no answer comes out of a cache.
const REQUESTS: i64 = 100;

async fn publish(broker: SocketAddr, content: LoadContent) -> Result<()> {
    let plan = LoadPlan {
        broker,
        logins: vec![Way::Embedded.login()],
        connections: 1,
        window: 100,
        rate: None,
        patience: Some(Duration::from_secs(120)),
        content,
    };
    let report = load::run(&plan, &Arc::default(), &CancellationToken::new()).await;
    match report.errors.first() {
        Some(error) => bail!("the load ended early: {error}"),
        None => Ok(()),
    }
}

/// A Bakau with 200 stations that report now, the first of them with a week of one-minute values up to `now`.
async fn prepared(folder: &Path, now: i64) -> Result<Bakau> {
    let catalogue = [("beban.toml", catalogue::load(STATIONS))];
    let mut bakau = Bakau::prepare(folder, &Way::Embedded.configuration(0), &catalogue)?;
    bakau.start().await?;
    let week = now - WEEK_ROWS as i64 * MINUTE_MS;
    let week = LoadContent { messages: WEEK_ROWS, ..catalogue::content(1, week, MINUTE_MS) };
    publish(bakau.mqtt()?, week).await?;
    let present = LoadContent { messages: STATIONS as u64, ..catalogue::content(STATIONS, now, MINUTE_MS) };
    publish(bakau.mqtt()?, present).await?;
    wait_settled(&bakau, 2 * (WEEK_ROWS + STATIONS as u64)).await?;
    Ok(bakau)
}

/// Milliseconds of each of `REQUESTS` requests over one connection, and the bytes of the last answer.
async fn timed(bakau: &Bakau, path: impl Fn(i64) -> String) -> Result<(Vec<f64>, usize)> {
    let client = reqwest::Client::new();
    let (mut times, mut bytes) = (Vec::new(), 0);
    for number in -5..REQUESTS {
        let begun = Instant::now();
        let answer = client.get(bakau.url(&path(number))?).send().await?.error_for_status()?;
        bytes = answer.bytes().await?.len();
        // The first ones open the connection and fill the caches of the file system.
        if 0 <= number {
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    Ok((times, bytes))
}

fn p95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() * 95 / 100]
}

/// The chart of a week of one-minute values, asked for and received over HTTP.
async fn charts(bakau: &Bakau, now: i64) -> Result<()> {
    println!("\nChart of 7 days of one-minute values ({WEEK_ROWS} points), end to end over HTTP, {REQUESTS} requests");
    let station = catalogue::station(0);
    let instant = |minutes: i64| UtcMillis::new(now + minutes * MINUTE_MS).to_string();
    for (file, size, gate) in
        [("do.svg", (800, 320), Some("<= 5")), ("do.png", (800, 320), Some("<= 10")), ("do.png", (640, 320), None)]
    {
        let path = |number: i64| {
            let (from, to) = (instant(number - WEEK_ROWS as i64), instant(number));
            format!("/charts/{station}/{file}?from={from}&to={to}&width={}&height={}", size.0, size.1)
        };
        let (times, bytes) = timed(bakau, path).await?;
        let name = format!("{file} {} x {}, p95", size.0, size.1);
        Figure::new(&name, "ms", gate, vec![p95(times)]).print();
        println!("  {:<58} {bytes:>10} bytes{}", "", if size.0 == 640 { "   wanted: <= 20000" } else { "" });
    }
    Ok(())
}

fn figures(report: &serde_json::Value, name: &str) -> Result<Vec<f64>> {
    let runs = report[name].as_array().with_context(|| format!("no {name} in {report}"))?;
    Ok(runs.iter().filter_map(serde_json::Value::as_f64).collect())
}

pub(crate) async fn run(quick: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let now = SystemClock.now().minute().get();
    let mut bakau = prepared(folder.path(), now).await?;
    charts(&bakau, now).await?;

    println!("\nOverview of {STATIONS} stations in Chromium: 360 x 780 phone, processor 4 times slower");
    let report = browser::bench("paint.mjs", &[if quick { "2" } else { "7" }], &bakau)?.report()?;
    let compressed = figures(&report, "document_bytes")?;
    Figure::new("the page itself, compressed", "bytes", Some("<= 60000"), compressed).print();
    Figure::new("page, style, script, icon, compressed", "bytes", None, figures(&report, "all_bytes")?).print();
    Figure::new("first contentful paint", "ms", Some("<= 1000"), figures(&report, "paint_ms")?).print();
    let slow = figures(&report, "paint_slow_line_ms")?;
    Figure::new("first contentful paint, 1.6 Mbit/s and 150 ms as well", "ms", None, slow).print();
    Figure::new("layout shift", "", Some("0"), figures(&report, "shift")?).print();
    bakau.stop()
}
