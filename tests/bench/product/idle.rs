//! What the demo costs while nobody looks, and how long its history takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bakau_tests::{
    bakau::Bakau,
    metrics::{self, counter},
    process::{cpu_seconds, resident_bytes},
};

use crate::figures::Figure;

pub(crate) async fn run(quick: bool) -> Result<()> {
    let watched = Duration::from_secs(if quick { 20 } else { 120 });
    println!("\nDemo with 30 days of history");
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[])?;
    let arguments = ["demo", "--data", "data", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "30d"];
    let begun = Instant::now();
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    Figure::new("start with 30 days of history", "s", Some("< 20"), vec![begun.elapsed().as_secs_f64()]).print();
    let ledger = bakau.json("/api/v1/ledger").await?;
    println!("  {} readings stored", ledger["readings"]["stored"]);
    // The first half minute settles history and starts the story.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let pid = bakau.id()?;
    let (cpu, text) = (cpu_seconds(pid)?, metrics::text(&bakau).await?);
    tokio::time::sleep(watched).await;
    let (cpu, after) = (cpu_seconds(pid)? - cpu, metrics::text(&bakau).await?);
    let messages = |text: &str| counter(text, "bakau_ingest_messages_total", "outcome=\"decoded\"");
    let seconds = watched.as_secs_f64();
    let rate = (messages(&after) - messages(&text)) / seconds;
    println!("  idle for {watched:?} at {rate:.2} messages/s");
    Figure::new("processor, share of one core", "%", Some("< 3"), vec![cpu / seconds * 100.0]).print();
    let (now, highest) = resident_bytes(pid)?;
    Figure::new("resident memory now", "MB", Some("< 150"), vec![now as f64 / 1e6]).print();
    Figure::new("resident memory, highest", "MB", None, vec![highest as f64 / 1e6]).print();
    bakau.stop().context("the demo did not end cleanly")
}
