//! Open pages against fresh ones, for as long as one likes.

use std::time::Duration;

use anyhow::{Result, ensure};
use bakau_tests::renewal::{Plan, run};

/// An open page is as a fresh one so soon after the last event.
const WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn drill(sequences: u64, stalls: &[u64]) -> Result<()> {
    let stalls = stalls.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
    let plan = Plan { sequences, seed: 1_000, stalls, within: Duration::from_secs(60) };
    println!("{sequences} sequences of events before open pages");
    let folder = tempfile::tempdir()?;
    let mut report = run(&plan, folder.path()).await?;
    report.waits.sort();
    let at = |share: f64| report.waits[(report.waits.len() as f64 * share) as usize];
    let (median, p99) = (at(0.5), at(0.99));
    let late = report.waits.iter().filter(|wait| WITHIN < **wait).count();
    println!(
        "  {} pages, all like fresh ones; from the last event until seen, loads of the fresh page included: median \
         {median:.2?}, p99 {p99:.2?}, longest {:.2?}, {late} beyond {WITHIN:?}",
        report.pages,
        report.waits.last().copied().unwrap_or_default()
    );
    ensure!(late == 0, "{late} pages were not like fresh ones within {WITHIN:?}");
    Ok(())
}
