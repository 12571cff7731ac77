//! Fault drills in a release build: `cargo xtask drill kill [--long]`.

use anyhow::{Result, bail};
use bakau_tests::kill::{KillPlan, Way, run};
use clap::Parser;

#[derive(Debug, Parser)]
struct Arguments {
    /// Which drill: `kill`.
    name: String,
    /// 20 kills instead of 5.
    #[arg(long)]
    long: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.name.as_str() {
        "kill" => kill(if arguments.long { 20 } else { 5 }).await,
        other => bail!("unknown drill '{other}'; there is: kill"),
    }
}

async fn kill(kills: u64) -> Result<()> {
    for way in [Way::Mosquitto, Way::Embedded] {
        let broker_restarts = if way == Way::Mosquitto { kills / 2 } else { 0 };
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
    }
    Ok(())
}
