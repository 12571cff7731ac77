//! A steady load for minutes: does the store keep up, does memory stay flat, and how late is a value in an open page?

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bakau_tests::{
    browser,
    kill::Way,
    metrics::{self, counter},
    process::resident_bytes,
};

use crate::{
    figures::Figure,
    rig::{self, Plan},
};

/// What one look at the running Bakau showed.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    lag_s: f64,
    memory_mb: f64,
}

fn plan(rate: f64, seconds: u64) -> Plan {
    Plan {
        way: Way::Mosquitto,
        messages: rate as u64 * seconds,
        connections: 50,
        window: 20,
        stations: 200,
        rate: Some(rate),
        crossing: 0,
    }
}

/// 15,000 messages (30,000 values) a second through mosquitto.
pub(crate) async fn memory_and_lag(quick: bool) -> Result<()> {
    let (rate, seconds) = (15_000.0, if quick { 30 } else { 300 });
    println!("\nSteady load through mosquitto: {rate}/s of 2 values for {seconds} s, 200 stations with a rule each");
    let folder = tempfile::tempdir()?;
    let plan = plan(rate, seconds);
    let mut rig = rig::prepare(&plan, folder.path()).await?;
    let pid = rig.bakau.id()?;
    let begun = Instant::now();
    let mut sending = Box::pin(rig::send(&plan, &rig));
    let mut samples = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let (_, text) = loop {
        tokio::select! {
            sent = &mut sending => break sent?,
            _ = tick.tick() => {
                let text = metrics::text(&rig.bakau).await?;
                let (lag_s, memory) = (counter(&text, "bakau_store_lag_seconds", ""), resident_bytes(pid)?.0);
                samples.push(Sample { at: begun.elapsed(), lag_s, memory_mb: memory as f64 / 1e6 });
            }
        }
    };
    drop(sending);
    let taken = begun.elapsed().as_secs_f64();
    println!("  {} messages in {taken:.1} s", counter(&text, "bakau_ingest_messages_total", "outcome=\"decoded\""));
    let mut lags: Vec<_> = samples.iter().map(|sample| sample.lag_s).collect();
    lags.sort_by(f64::total_cmp);
    Figure::new("store behind, every second", "s", Some("< 2"), lags).print();
    // The first minute fills caches; flat means that nothing grows after it.
    let from = Duration::from_secs(if quick { 10 } else { 60 });
    let settled: Vec<_> = samples.iter().filter(|sample| from <= sample.at).map(|sample| sample.memory_mb).collect();
    let (first, last) = settled.first().zip(settled.last()).context("the load was too short to see memory")?;
    println!("  resident memory after {from:?}: {first:.1} MB, at the end: {last:.1} MB");
    Figure::new("resident memory", "MB", Some("flat"), settled).print();
    rig.bakau.stop()
}

/// From packet to an event in a browser at 5,000 messages a second.
pub(crate) async fn events(quick: bool) -> Result<()> {
    let (rate, seconds) = (5_000.0, if quick { 10 } else { 30 });
    println!("\nPacket to browser event: {rate}/s through mosquitto, a page in Chromium that listens");
    let folder = tempfile::tempdir()?;
    let plan = plan(rate, seconds + 15);
    let mut rig = rig::prepare(&plan, folder.path()).await?;
    let listening = browser::bench("events.mjs", &[&seconds.to_string()], &rig.bakau)?;
    let sent = rig::send(&plan, &rig).await;
    let report = listening.report()?;
    sent?;
    let figure = |name: &str| report[name].as_f64().with_context(|| format!("no {name} in {report}"));
    println!("  {} values in the page's events", figure("values")?);
    Figure::new("measured time to event, p50", "ms", None, vec![figure("p50_ms")?]).print();
    Figure::new("measured time to event, p99", "ms", Some("<= 500"), vec![figure("p99_ms")?]).print();
    Figure::new("measured time to event, highest", "ms", None, vec![figure("highest_ms")?]).print();
    rig.bakau.stop()
}
