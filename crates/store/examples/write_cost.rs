//! What storing costs: CPU time per row for one million messages of two values.
//!
//! `cargo run --release -p bakau-store --example write_cost [-- FOLDER]`
//!
//! 1,000 datastreams in time order, written in groups into a new file each time, without verdicts and with every test of
//! quality control. Groups of 1,000 rows have one value per datastream: every verdict about a spike then changes a row
//! that is stored already. CPU time is that of the whole process (user and system), judging included, so waiting for the
//! disk is not in it.

use std::{path::PathBuf, sync::Arc, time::Instant};

use bakau_model::{
    Batch, DatastreamId, DeploymentId, Flag, FlatLine, Observation, QualityLimits, Range, Seq, SourceName,
    SourcedObservation, Step, TimeSource, UtcMillis,
};
use bakau_quality::{Revision, Stream};
use bakau_store::{RangeQuery, Store, Verdict, embedded::EmbeddedStore};

const MESSAGES: u64 = 1_000_000;
const VALUES: u64 = 2;
const DATASTREAMS: u64 = 1_000;
/// Rows of one spool batch, as a busy committer makes them.
const BATCH_ROWS: u64 = 500;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for (group_rows, judged) in [(20_000, false), (20_000, true), (100_000, false), (100_000, true), (1_000, true)] {
        let path = folder.join(format!("bakau-write-cost-{}-{group_rows}.db", std::process::id()));
        runtime.block_on(measure(&path, group_rows, judged))?;
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.clone().into_os_string();
            file.push(suffix);
            let _may_be_absent = std::fs::remove_file(file);
        }
    }
    Ok(())
}

async fn measure(path: &std::path::Path, group_rows: u64, judged: bool) -> Result<(), Failure> {
    let store = EmbeddedStore::open(path)?;
    let rows = MESSAGES * VALUES;
    let (mut cpu, mut wall) = (0.0, 0.0);
    let mut streams = vec![Stream::new(); usize::try_from(DATASTREAMS)?];
    for first in (0..rows).step_by(usize::try_from(group_rows)?) {
        let group: Vec<_> =
            (first..first + group_rows).step_by(BATCH_ROWS as usize).map(batch).collect::<Result<_, _>>()?;
        let (cpu_before, before) = (process_cpu_seconds()?, Instant::now());
        let verdicts = if judged { judge(&mut streams, &group) } else { Vec::new() };
        store.write(&group, verdicts).await?;
        cpu += process_cpu_seconds()? - cpu_before;
        wall += before.elapsed().as_secs_f64();
    }
    let before = Instant::now();
    let latest = store.latest().await?.len();
    let latest_ms = before.elapsed().as_secs_f64() * 1e3;
    let bytes = std::fs::metadata(path)?.len();
    let week = read_week(&store).await?;
    println!(
        "groups of {group_rows}, judged: {judged}: {:.2} CPU us per row, {cpu:.2} CPU-s per million messages, {wall:.1} s wall, \
         {:.1} bytes per row, latest of {latest} datastreams in {latest_ms:.1} ms, {week}",
        cpu * 1e6 / rows as f64,
        bytes as f64 / rows as f64,
    );
    Ok(())
}

/// What the writer does with values in order.
fn judge(streams: &mut [Stream], group: &[Arc<Batch>]) -> Vec<Verdict> {
    let limits = QualityLimits {
        fail: Some(Range { min: 0.0, max: 200.0 }),
        suspect: Some(Range { min: 0.0, max: 100.0 }),
        spike: Some(Step { suspect: Some(500.0), fail: None }),
        rate_per_min: Some(Step { suspect: Some(500.0), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(43_200), fail_s: Some(86_400) }),
        ..QualityLimits::default()
    };
    let rows = group.iter().flat_map(|batch| &batch.observations).map(|sourced| &sourced.observation);
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| (row.datastream, row.observed_at));
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(rows.len());
    for row in rows {
        let index = usize::try_from(row.datastream.get() - 1).unwrap_or(0);
        let judgement = streams[index].judge(&limits, row.into());
        let verdict = |observed_at, tests| Verdict {
            datastream: row.datastream,
            observed_at,
            tests,
            increment: None,
            recorded_at: row.received_at,
        };
        if let Some(Revision { at, results: tests, .. }) = judgement.revises {
            match verdicts.last_mut() {
                Some(last) if (last.datastream, last.observed_at) == (row.datastream, at) => last.tests = tests,
                Some(_) | None => verdicts.push(verdict(at, tests)),
            }
        }
        verdicts.push(verdict(row.observed_at, judgement.results));
    }
    verdicts
}

/// The time to read as many rows of one datastream as a week of one-minute data has, or as many as there are.
async fn read_week(store: &EmbeddedStore) -> Result<String, Failure> {
    let (from, to) = (UtcMillis::new(0), UtcMillis::new(i64::MAX));
    let query =
        RangeQuery { datastream: DatastreamId::new(7), from, to, after: None, limit: 10_080, newest_first: false };
    let mut best = f64::INFINITY;
    let mut rows = 0;
    for _ in 0..5 {
        let before = Instant::now();
        rows = store.observations(&query).await?.len();
        best = best.min(before.elapsed().as_secs_f64());
    }
    Ok(format!("{rows} rows of one datastream in {:.2} ms", best * 1e3))
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
