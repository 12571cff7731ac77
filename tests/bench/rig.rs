//! One Bakau under one load, with what it cost.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::Level;
use bakau_simulate::load::{self, LoadContent, LoadPlan};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_connected},
    metrics::{self, counter, p99_ms},
    mosquitto::Mosquitto,
    process::{cpu_seconds, free_port, resident_bytes},
    sink::Sink,
    wait,
};
use tokio_util::sync::CancellationToken;

use crate::figures::{Share, cpu_by_share};

const PATIENCE: Duration = Duration::from_secs(300);

/// A load and the way it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) way: Way,
    pub(crate) messages: u64,
    pub(crate) connections: u32,
    pub(crate) window: usize,
    pub(crate) stations: usize,
    /// Messages per second; flat out where absent.
    pub(crate) rate: Option<f64>,
    /// How many stations send values that go up and down over their rule's limits; all others have a rule that is never
    /// crossed.
    pub(crate) crossing: usize,
}

/// What one run cost.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Messages per second acknowledged by Bakau.
    pub(crate) rate: f64,
    /// CPU seconds of Bakau per million messages, by share.
    pub(crate) cpu: BTreeMap<Share, f64>,
    /// CPU seconds of the external broker per million messages.
    pub(crate) broker_cpu: Option<f64>,
    /// Highest resident memory, MB.
    pub(crate) memory: f64,
    /// Messages per spool commit, mean.
    pub(crate) group: f64,
    /// Time of one spool commit (encode, write, fsync), mean, in microseconds.
    pub(crate) commit: f64,
    /// 99th percentile from packet to outbox row, ms (upper edge of the histogram's bucket).
    pub(crate) decision: Option<f64>,
    /// Decisions to raise a level and to close an alert.
    pub(crate) decisions: [f64; 2],
}

fn rules(plan: &Plan, url: &str) -> String {
    let rules = (0..plan.stations).map(|index| catalogue::load_rule(index, index < plan.crossing));
    catalogue::webhook(url) + &rules.collect::<String>()
}

fn load_plan(plan: &Plan, port: u16) -> LoadPlan {
    let now = SystemClock.now().get();
    // At a given rate measured times follow the clock; flat out they lie in the last hour, so that rules are live.
    let (start, step) = match plan.rate {
        Some(rate) => (now, (plan.stations as f64 * 1_000.0 / rate) as i64),
        None => (now - 3_600_000, 1),
    };
    LoadPlan {
        broker: SocketAddr::from(([127, 0, 0, 1], port)),
        logins: vec![plan.way.login()],
        connections: plan.connections,
        window: plan.window,
        rate: plan.rate,
        patience: Some(PATIENCE),
        content: LoadContent {
            messages: plan.messages,
            waving: u32::try_from(plan.crossing).unwrap_or(u32::MAX),
            ..catalogue::content(plan.stations, start, step)
        },
    }
}

/// A Bakau ready for a load, with the parts around it.
pub(crate) struct Rig {
    pub(crate) bakau: Bakau,
    pub(crate) broker: Option<Mosquitto>,
    port: u16,
    /// Runs as long as this lives.
    _sink: Sink,
}

pub(crate) async fn prepare(plan: &Plan, folder: &Path) -> Result<Rig> {
    prepare_with(plan, "", folder).await
}

/// The same with further sections of `bakau.toml`.
pub(crate) async fn prepare_with(plan: &Plan, sections: &str, folder: &Path) -> Result<Rig> {
    let broker = match plan.way {
        Way::Embedded => None,
        Way::Mosquitto => Some(Mosquitto::start(&folder.join("mosquitto")).await?),
    };
    let port = broker.as_ref().map_or_else(free_port, |broker| Ok(broker.port()))?;
    let sink = Sink::start(0).await?;
    let catalogue = [("beban.toml", catalogue::load(plan.stations) + &rules(plan, &sink.url()))];
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &(plan.way.configuration(port) + sections), &catalogue)?;
    bakau.start().await?;
    if plan.way == Way::Mosquitto {
        wait_connected(&bakau).await?;
    }
    Ok(Rig { bakau, broker, port, _sink: sink })
}

/// Sends the load; gives the time until Bakau had acknowledged everything and the metrics once all of it was stored and
/// evaluated.
pub(crate) async fn send(plan: &Plan, rig: &Rig) -> Result<(Duration, String)> {
    let bakau = &rig.bakau;
    let (load_plan, stop) = (load_plan(plan, rig.port), CancellationToken::new());
    let begun = Instant::now();
    let mut running = Some(tokio::spawn(async move { load::run(&load_plan, &Arc::default(), &stop).await }));
    // Asking for metrics costs CPU too, so a load of known length is waited for in silence.
    if let Some(running) = running.take_if(|_| plan.rate.is_some()) {
        running.await?;
    }
    let taken = async || {
        let text = metrics::text(bakau).await?;
        let decoded = counter(&text, "bakau_ingest_messages_total", "outcome=\"decoded\"");
        Ok((plan.messages as f64 <= decoded).then_some(()))
    };
    wait::until("every message to be taken", PATIENCE, taken).await.with_context(|| bakau.log_tail())?;
    let elapsed = begun.elapsed();
    if let Some(running) = running {
        running.await?;
    }
    let stored = async || {
        let text = metrics::text(bakau).await?;
        let cursor = |consumer: &str| counter(&text, &format!("bakau_{consumer}_cursor"), "");
        let all = 2.0 * plan.messages as f64 <= counter(&text, "bakau_store_rows_total", "");
        Ok((all && cursor("store") <= cursor("alerts")).then_some(text))
    };
    let text = wait::until("every reading to be stored and evaluated", PATIENCE, stored).await;
    Ok((elapsed, text.with_context(|| bakau.log_tail())?))
}

/// Runs one load in `folder`.
pub(crate) async fn run(plan: &Plan, folder: &Path) -> Result<Run> {
    let mut rig = prepare(plan, folder).await?;
    let pid = rig.bakau.id()?;
    let broker_pid = rig.broker.as_ref().and_then(Mosquitto::id);
    let (before, broker_before) = (cpu_by_share(pid)?, broker_pid.map(cpu_seconds).transpose()?);
    let (elapsed, text) = send(plan, &rig).await?;

    let per_million = 1e6 / plan.messages as f64;
    let after = cpu_by_share(pid)?;
    let used = |share: &Share| after.get(share).unwrap_or(&0.0) - before.get(share).unwrap_or(&0.0);
    let cpu = [Share::Line, Share::Store, Share::Rules].iter().map(|share| (*share, used(share) * per_million));
    let cpu = cpu.collect();
    let broker_cpu = match (broker_pid, broker_before) {
        (Some(pid), Some(before)) => Some((cpu_seconds(pid)? - before) * per_million),
        _ => None,
    };
    let memory = resident_bytes(pid)?.1 as f64 / 1e6;
    let mean = |name: &str| counter(&text, &format!("{name}_sum"), "") / counter(&text, &format!("{name}_count"), "");
    let (group, commit) = (mean("bakau_ingest_group_messages"), mean("bakau_ingest_commit_seconds") * 1e6);
    let decision = p99_ms("", &text, "bakau_alerts_decision_seconds").map(|(p99, _)| p99);
    let reached = |level: Level| counter(&text, "bakau_alerts_transitions_total", &format!("\"{}\"", level.key()));
    let decisions = [reached(Level::Waspada), reached(Level::Normal)];
    rig.bakau.stop()?;
    let rate = plan.messages as f64 / elapsed.as_secs_f64();
    Ok(Run { rate, cpu, broker_cpu, memory, group, commit, decision, decisions })
}
