//! Drills in a release build: `cargo xtask drill NAME [--long]`.

mod influx;
mod mail;
mod orders;
mod pages;

use std::time::Duration;

use anyhow::{Result, bail};
use bakau_tests::{
    broker_kill,
    kill::{KillPlan, Way, run},
};
use clap::Parser;

#[derive(Debug, Parser)]
struct Arguments {
    /// Which drill: `kill`, `broker`, `broker-kill`, `influx`, `mail`, `orders` or `pages`.
    name: String,
    /// 20 kills instead of 5, a mail server away for ten minutes instead of half a one, InfluxDB for ten minutes
    /// instead of 20 s, 20 orders of arrival instead of 3, 300 sequences before open pages instead of 30.
    #[arg(long)]
    long: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.name.as_str() {
        "kill" => kill(if arguments.long { 20 } else { 5 }).await,
        "broker" => drill(Way::Mosquitto, 0, 10).await,
        "broker-kill" => broker_kill().await,
        "influx" => influx::drill(Duration::from_secs(if arguments.long { 600 } else { 20 })).await,
        "mail" => mail::drill(Duration::from_secs(if arguments.long { 600 } else { 30 })).await,
        "orders" => orders::orders(if arguments.long { 20 } else { 3 }).await,
        "pages" if arguments.long => pages::drill(300, &[5, 50, 120]).await,
        "pages" => pages::drill(30, &[1]).await,
        other => bail!("unknown drill '{other}'; there are: kill, broker, broker-kill, influx, mail, orders, pages"),
    }
}

async fn kill(kills: u64) -> Result<()> {
    drill(Way::Mosquitto, kills, kills / 2).await?;
    drill(Way::Embedded, kills, 0).await
}

async fn broker_kill() -> Result<()> {
    let (kills, rate) = (5, 20_000.0);
    println!("{kills} x kill -9 of mosquitto under {rate} messages/s");
    let folder = tempfile::tempdir()?;
    let report = broker_kill::run(kills, rate, folder.path()).await?;
    println!("  acknowledged to devices by mosquitto {}, held exactly once {}", report.acknowledged, report.held);
    println!(
        "  lost in broker {}, {} of them on the wire when it was killed; sessions forgotten {}",
        report.lost_in_broker, report.lost_on_the_wire, report.sessions_forgotten
    );
    println!(
        "  acknowledged to mosquitto by Bakau {}, lost by Bakau {}, delivered again {}, rows {}",
        report.taken, report.lost_by_bakau, report.repeats, report.rows
    );
    println!(
        "  Bakau noticed {} restarts and {} lost sessions; ledger lines balanced {}, {:.1?} altogether",
        report.restarts, report.sessions_lost, report.ledger_lines, report.elapsed
    );
    Ok(())
}

async fn drill(way: Way, kills: u64, broker_restarts: u64) -> Result<()> {
    // Two seconds of load between two faults: it goes on while Bakau comes back.
    let (rate, messages) = (20_000.0, 40_000 * (kills + broker_restarts + 1));
    let plan = KillPlan { way, kills, broker_restarts, messages, rate };
    println!(
        "{way:?}: {kills} x kill -9 of bakau, {broker_restarts} x SIGTERM of mosquitto, {messages} messages at {rate}/s"
    );
    let folder = tempfile::tempdir()?;
    let report = run(&plan, folder.path()).await?;
    println!(
        "  acknowledged {}, values expected {}, held exactly once {}, superseded {}, rows {}",
        report.acknowledged,
        report.verdict.expected,
        report.verdict.found,
        report.verdict.superseded,
        report.verdict.rows
    );
    println!(
        "  ledger lines balanced {}, slowest restart {:.2?}, {:.1?} altogether",
        report.ledger_lines, report.slowest_restart, report.elapsed
    );
    Ok(())
}
