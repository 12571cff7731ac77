//! Medians, CPU by thread, and what the disk does.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// A figure of several runs.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    gate: Option<&'static str>,
    runs: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(name: &str, unit: &'static str, gate: Option<&'static str>, runs: Vec<f64>) -> Self {
        Self { name: name.to_owned(), unit, gate, runs }
    }

    /// `name: median unit (min .. max, n runs) [gate]`.
    pub(crate) fn print(&self) {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return };
        let median = sorted[sorted.len() / 2];
        let gate = self.gate.map_or(String::new(), |gate| format!("   wanted: {gate}"));
        let (name, unit, runs) = (&self.name, self.unit, sorted.len());
        println!("  {name:<58} {median:>10.2} {unit:<8} ({low:.2} .. {high:.2}, {runs} runs){gate}");
    }
}

/// Whose work a thread does, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    /// MQTT, decode, spool (and the API, idle here).
    Line,
    /// Store writer.
    Store,
    /// Alert engine and its database.
    Rules,
}

fn share_of(thread: &str) -> Share {
    if thread.contains("store") {
        Share::Store
    } else if thread.starts_with("alerts") {
        Share::Rules
    } else {
        Share::Line
    }
}

/// CPU seconds of a process so far, by share. Threads that have ended are missing, so ask while it works.
pub(crate) fn cpu_by_share(pid: u32) -> Result<BTreeMap<Share, f64>> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = task?.path();
        // A thread may end between listing and reading.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else { continue };
        let Ok(times) = fs::read_to_string(folder.join("schedstat")) else { continue };
        let nanoseconds: f64 = times.split_whitespace().next().context("schedstat has fields")?.parse()?;
        *found.entry(share_of(name.trim())).or_default() += nanoseconds / 1e9;
    }
    Ok(found)
}

/// Median time of a 4 KiB append with fsync in `folder`.
pub(crate) fn fsync_p50(folder: &Path) -> Result<Duration> {
    let mut file = fs::File::create(folder.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}
