//! A full disk: nothing is acknowledged that cannot be kept, and a crossed limit is told all the same.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    disk::SmallDisk,
    kill::{Way, wait_settled},
    publish::Answer,
    sink::Sink,
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn value(at: i64, oxygen: f64) -> Vec<u8> {
    catalogue::oxygen(UtcMillis::new(at), oxygen).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_crossed_limit_is_still_told_and_nothing_acknowledged_is_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = SmallDisk::mount(&folder.path().join("data"), 160)?;
    let sink = Sink::start(0).await?;
    let files = [("uji.toml", catalogue::load(1) + &catalogue::rule_with_webhook("beban-000000/do", &sink.url()))];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    bakau.start().await?;
    let publisher = bakau.device()?;
    let (topic, start) = ("bakau/beban-000000/data", SystemClock.now().get() - 60_000);
    publisher.put(topic, &value(start, 5.0)).await?;
    wait_settled(&bakau, 2).await?;

    let filler = disk.fill()?;
    let crossing = value(start + 10_000, 0.3);
    assert_ne!(publisher.publish(topic, &crossing).await?, Answer::Acknowledged, "acknowledged without being kept");
    let told = async || {
        let deliveries = sink.deliveries();
        Ok(deliveries.iter().any(|delivery| delivery.body["level"] == "awas").then_some(()))
    };
    wait::until("the message about the crossed limit", PATIENCE, told).await.with_context(|| bakau.log_tail())?;
    let ready = reqwest::get(bakau.url("/readyz")?).await?;
    assert_eq!(ready.status(), 503, "not shown as blocked");

    fs::remove_file(filler)?;
    let kept = async || Ok((publisher.publish(topic, &crossing).await? == Answer::Acknowledged).then_some(()));
    wait::until("the value to be acknowledged", PATIENCE, kept).await.with_context(|| bakau.log_tail())?;
    publisher.put(topic, &value(start + 20_000, 5.0)).await?;
    wait_settled(&bakau, 6).await.with_context(|| bakau.log_tail())?;
    let levels: Vec<_> = sink.deliveries().iter().map(|delivery| delivery.body["level"].clone()).collect();
    assert_eq!(levels.iter().filter(|level| **level == "awas").count(), 1, "told twice: {levels:?}");
    bakau.stop()
}
