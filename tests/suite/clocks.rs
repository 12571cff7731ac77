//! Two clocks at one datastream: the one that is ahead hides nothing, and what it says counts when its time has come.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_settled},
    sink::Sink,
    wait,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "bakau/beban-000000/data";

struct Rig {
    sink: Sink,
    bakau: Bakau,
}

impl Rig {
    async fn start(folder: &Path) -> Result<Self> {
        let sink = Sink::start(0).await?;
        let files = [("uji.toml", catalogue::load(1) + &catalogue::rule_with_webhook("beban-000000/do", &sink.url()))];
        let mut bakau = Bakau::prepare(folder, &Way::Embedded.configuration(0), &files)?;
        bakau.start().await?;
        Ok(Self { sink, bakau })
    }

    /// Publishes a value with the time of a clock that is so far ahead; gives that time.
    async fn publish(&self, ahead_ms: i64, oxygen: f64) -> Result<UtcMillis> {
        let time = SystemClock.now().saturating_add(ahead_ms);
        self.bakau.put(TOPIC, catalogue::oxygen(time, oxygen)).await?;
        Ok(time)
    }

    /// The only alert, once there is one.
    async fn alert(&self) -> Result<Value> {
        let listed = async || Ok(self.bakau.alerts().await?.first().cloned());
        wait::until("an alert", PATIENCE, listed).await.with_context(|| self.bakau.log_tail())
    }
}

fn time(value: &Value) -> Result<UtcMillis> {
    value.as_str().and_then(|text| UtcMillis::parse(text).ok()).with_context(|| format!("{value} is no time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_awas_is_told_at_once_although_another_clock_is_minutes_ahead() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::start(folder.path()).await?;
    let first = rig.publish(240_000, 6.0).await.map(|_| SystemClock.now())?;
    for round in 0..10 {
        // Not a round number in binary: what is told is what is stored, to the last bit.
        rig.publish(0, 0.2 + f64::from(round) * 0.01).await?;
        rig.publish(240_000, 6.0).await?;
    }
    let told = async || Ok((!rig.sink.deliveries().is_empty()).then_some(()));
    wait::until("the message", PATIENCE, told).await.with_context(|| rig.bakau.log_tail())?;
    let alert = rig.alert().await?;
    let decided = time(&alert["decided_at"])?;
    // A second is what is promised; the rest is for a machine that runs a hundred tests beside it.
    assert!(decided.since(first) < 10_000, "decided {} ms after the first value", decided.since(first));
    wait_settled(&rig.bakau, 42).await.with_context(|| rig.bakau.log_tail())?;
    let alert = rig.alert().await?;
    assert_eq!((&alert["level"], &alert["closed_at"]), (&"awas".into(), &Value::Null));
    let levels: Vec<_> = rig.sink.deliveries().iter().map(|delivery| delivery.body["level"].clone()).collect();
    assert_eq!(levels, ["awas"], "nothing was taken back");
    let stored = rig.bakau.json("/api/v1/observations?datastream=beban-000000/do").await?;
    let values: Vec<_> =
        stored["observations"].as_array().into_iter().flatten().map(|row| row["value"].clone()).collect();
    assert!(values.contains(&alert["value"]), "{} is none of {values:?}", alert["value"]);
    rig.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_time_is_evaluated_then_although_bakau_was_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::start(folder.path()).await?;
    let time_of_it = rig.publish(15_000, 0.3).await?;
    wait_settled(&rig.bakau, 2).await.with_context(|| rig.bakau.log_tail())?;
    let before = rig.bakau.json("/api/v1/alerts").await?;
    assert!(before["alerts"].as_array().is_some_and(Vec::is_empty) || time_of_it <= SystemClock.now(), "{before}");
    rig.bakau.kill()?;
    rig.bakau.start().await?;
    let alert = rig.alert().await?;
    assert_eq!(time(&alert["onset"])?, time_of_it);
    assert!(time_of_it <= time(&alert["decided_at"])?, "not before its time: {alert}");
    rig.bakau.stop()
}
