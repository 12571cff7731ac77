//! The figures of the line: what a message costs, how many a second, how late a decision.

use anyhow::Result;
use bakau_tests::kill::Way;

use crate::{
    figures::{Figure, Share, fsync_p50},
    rig::{self, Plan, Run},
};

async fn repeat(plan: Plan, runs: usize) -> Result<Vec<Run>> {
    let mut found = Vec::new();
    for _ in 0..runs {
        let folder = tempfile::tempdir()?;
        found.push(rig::run(&plan, folder.path()).await?);
    }
    Ok(found)
}

fn describe(title: &str, plan: &Plan) {
    let rate = plan.rate.map_or("flat out".to_owned(), |rate| format!("{rate}/s"));
    println!(
        "\n{title}\n  MQTT 3.1.1 QoS 1, {} connection(s), window {} each, {} stations, {} messages of 2 values, {rate}",
        plan.connections, plan.window, plan.stations, plan.messages
    );
}

/// Gates are about the cost per message at full groups; at a low rate a group is small and its flush is shared by few.
fn common(runs: &[Run], gated: bool) {
    let gate = |gate: &'static str| gated.then_some(gate);
    let each = |pick: &dyn Fn(&Run) -> f64| runs.iter().map(pick).collect::<Vec<_>>();
    let share = |share: Share| each(&|run| run.cpu[&share]);
    Figure::new("CPU-s per million: MQTT + decode + spool", "CPU-s", gate("<= 6"), share(Share::Line)).print();
    Figure::new("CPU-s per million: store", "CPU-s", gate("<= 7"), share(Share::Store)).print();
    Figure::new("CPU-s per million: rules", "CPU-s", gate("<= 2"), share(Share::Rules)).print();
    let broker: Vec<_> = runs.iter().filter_map(|run| run.broker_cpu).collect();
    if !broker.is_empty() {
        Figure::new("CPU-s per million: mosquitto", "CPU-s", None, broker).print();
    }
    Figure::new("messages per commit, mean", "msg", None, each(&|run| run.group)).print();
    Figure::new("resident memory, highest", "MB", Some("< 150"), each(&|run| run.memory)).print();
}

fn rate(runs: &[Run], gate: Option<&'static str>) {
    let rates = runs.iter().map(|run| run.rate).collect();
    Figure::new("messages acknowledged by bakau", "msg/s", gate, rates).print();
    let commits = runs.iter().map(|run| run.commit).collect();
    Figure::new("one spool commit, mean", "us", None, commits).print();
}

pub(crate) async fn run(quick: bool) -> Result<()> {
    let (runs, scale) = if quick { (1, 10) } else { (5, 1) };
    let folder = tempfile::tempdir()?;
    let fsync = fsync_p50(folder.path())?;
    println!("fsync p50 {fsync:.2?} (4 KiB append + fdatasync), so 1/fsync = {:.0}/s", 1.0 / fsync.as_secs_f64());

    let flat = Plan {
        way: Way::Mosquitto,
        messages: 400_000 / scale,
        connections: 50,
        window: 20,
        stations: 200,
        rate: None,
        crossing: 0,
    };
    describe("Through mosquitto, shipped configuration, flat out; a rule on every station, none crossed", &flat);
    let found = repeat(flat, runs).await?;
    rate(&found, Some("45,000 to 110,000 (prototype)"));
    common(&found, true);

    for offered in [5_000.0, 15_000.0] {
        let plan = Plan { messages: (offered as u64) * 20 / scale, rate: Some(offered), crossing: 10, ..flat };
        describe(
            "Through mosquitto at a fixed rate, 10 stations crossing their limits both ways every 6 messages",
            &plan,
        );
        let found = repeat(plan, runs).await?;
        common(&found, false);
        let p99 = found.iter().filter_map(|run| run.decision).collect();
        Figure::new("packet to outbox row, p99 (bucket edge)", "ms", Some("<= 250 at 5,000/s"), p99).print();
        // What the load says it does, as Bakau counted it.
        let messages = plan.messages as f64 * plan.crossing as f64 / plan.stations as f64;
        for (name, index) in [("raised", 0), ("closed", 1)] {
            let each = found.iter().map(|run| run.decisions[index] / messages).collect();
            let name = format!("{name}, per message of a crossing station");
            Figure::new(&name, "", Some("0.17, one in six"), each).print();
        }
    }

    let one = Plan { way: Way::Embedded, messages: 50_000 / scale, connections: 1, stations: 1, ..flat };
    describe("Embedded broker, one connection", &one);
    // The disk of a shared machine changes by the minute: each run is compared with the flushes right after it.
    let (mut found, mut shares) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let run_folder = tempfile::tempdir()?;
        found.push(rig::run(&one, run_folder.path()).await?);
        shares.push(found[run].rate * fsync_p50(run_folder.path())?.as_secs_f64());
    }
    rate(&found, None);
    Figure::new("share of 1/fsync", "", Some(">= 0.5"), shares).print();

    let many = Plan { connections: 500, stations: 500, messages: 400_000 / scale, window: 20, ..one };
    describe("Embedded broker, 500 connections", &many);
    let found = repeat(many, runs).await?;
    rate(&found, None);
    common(&found, false);
    Ok(())
}
