//! What storing costs: CPU time per row for one million messages of two values.
//!
//! `cargo run --release -p bakau-store --example write_cost [-- FOLDER]`
//!
//! 1,000 datastreams in time order, written in groups of 20,000 and of 100,000 rows, into a new file each time. CPU time
//! is that of the whole process (user and system), so waiting for the disk is not in it.

use std::{path::PathBuf, sync::Arc, time::Instant};

use bakau_model::{
    Batch, DatastreamId, DeploymentId, Flag, Observation, Seq, SourceName, SourcedObservation, TimeSource, UtcMillis,
};
use bakau_store::{Store, embedded::EmbeddedStore};

const MESSAGES: u64 = 1_000_000;
const VALUES: u64 = 2;
const DATASTREAMS: u64 = 1_000;
/// Rows of one spool batch, as a busy committer makes them.
const BATCH_ROWS: u64 = 500;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for group_rows in [20_000, 100_000] {
        let path = folder.join(format!("bakau-write-cost-{}-{group_rows}.db", std::process::id()));
        runtime.block_on(measure(&path, group_rows))?;
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.clone().into_os_string();
            file.push(suffix);
            let _may_be_absent = std::fs::remove_file(file);
        }
    }
    Ok(())
}

async fn measure(path: &std::path::Path, group_rows: u64) -> Result<(), Failure> {
    let store = EmbeddedStore::open(path)?;
    let rows = MESSAGES * VALUES;
    let (mut cpu, mut wall) = (0.0, 0.0);
    for first in (0..rows).step_by(usize::try_from(group_rows)?) {
        let group: Vec<_> =
            (first..first + group_rows).step_by(BATCH_ROWS as usize).map(batch).collect::<Result<_, _>>()?;
        let (cpu_before, before) = (process_cpu_seconds()?, Instant::now());
        store.write(&group, Vec::new()).await?;
        cpu += process_cpu_seconds()? - cpu_before;
        wall += before.elapsed().as_secs_f64();
    }
    let before = Instant::now();
    let latest = store.latest().await?.len();
    let latest_ms = before.elapsed().as_secs_f64() * 1e3;
    let bytes = std::fs::metadata(path)?.len();
    println!(
        "groups of {group_rows}: {:.2} CPU us per row, {cpu:.2} CPU-s per million messages, {wall:.1} s wall, \
         {:.1} bytes per row, latest of {latest} datastreams in {latest_ms:.1} ms",
        cpu * 1e6 / rows as f64,
        bytes as f64 / rows as f64,
    );
    Ok(())
}

/// Rows `first` and following: in time order, each message with two values of one station.
fn batch(first: u64) -> Result<Arc<Batch>, Failure> {
    let mut observations = Vec::new();
    for row in first..first + BATCH_ROWS {
        let at = 1_770_000_000_000 + i64::try_from(row / DATASTREAMS)? * 60_000;
        let observation = Observation {
            datastream: DatastreamId::new(u32::try_from(row % DATASTREAMS)? + 1),
            observed_at: UtcMillis::new(at),
            value: Some(f64::from(u32::try_from(row % 9_973)?) * 0.01),
            deployment: DeploymentId::new(1),
            time_source: TimeSource::Device,
            received_at: UtcMillis::new(at + 1_500),
            flag: Flag::NotEvaluated,
        };
        observations.push(SourcedObservation { source: 0, observation });
    }
    let (seq, sources) = (Seq::new(first / BATCH_ROWS + 1), vec![SourceName::new("broker")?]);
    Ok(Arc::new(Batch { seq, registry_revision: 1, sources, observations, statuses: Vec::new() }))
}

/// User and system time of this process, threads that ended included; in ticks of 1/100 s, fine enough for sums of seconds.
fn process_cpu_seconds() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // The command name before the last ')' may hold anything; fields 14 and 15 are the 12th and 13th behind it.
    let fields = text.rsplit_once(')').ok_or("stat has no command name")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}
