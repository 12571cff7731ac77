//! What publishing costs: a flat-out load against a broker on this machine.
//!
//! `cargo run --release -p bakau-simulate --example flood -- 127.0.0.1:1883 [MESSAGES [CONNECTIONS [WINDOW]]]`

use std::sync::Arc;

use bakau_simulate::load::{self, LoadContent, LoadPlan, Progress};
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let broker = arguments.next().ok_or("give the broker as ADDRESS:PORT")?.parse()?;
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let content = LoadContent { messages: number(300_000)?, stations: 1_000, ..LoadContent::default() };
    let (connections, window) = (u32::try_from(number(4)?)?, usize::try_from(number(1_000)?)?);
    let plan = LoadPlan { broker, connections, window, content, ..LoadPlan::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(load::run(&plan, &Arc::new(Progress::default()), &CancellationToken::new()));
    // One thread does everything, so its run time is the cost of publishing.
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let cpu = schedstat.split(' ').next().ok_or("schedstat is empty")?.parse::<f64>()? / 1e9;
    let acknowledged = report.acknowledged.len() as f64;
    println!(
        "{acknowledged} messages acknowledged, {:.0}/s, {:.2} CPU-s per million messages, errors: {:?}",
        acknowledged / report.took.as_secs_f64(),
        cpu * 1e6 / acknowledged,
        report.errors,
    );
    Ok(())
}
