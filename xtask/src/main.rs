//! `cargo xtask`: everything developers and CI run, under one name.

mod check;
mod glossary;
mod influxd;
mod layers;
mod modules;
mod references;
mod run;
mod tools;
mod tree;

use std::path::Path;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What developers and CI run")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Formatting, lints, documentation, file and function sizes, licences and layering.
    Check,
    /// Every test that belongs in CI, system tests against real brokers included.
    Test {
        /// Run only the tests whose name contains this.
        filter: Option<String>,
    },
    /// Drills, in a release build.
    Drill {
        /// Which one: `kill`, `broker`, `broker-kill`, `mail`, `orders` or `influx`.
        name: String,
        /// The long variant (20 kills, a mail server away for ten minutes, 20 orders of arrival).
        #[arg(long)]
        long: bool,
    },
    /// Benchmarks, in a release build; figures only, no pass or fail by time.
    Bench {
        /// Which one: `line`, `product`, `quality` or `influx`.
        name: String,
        /// Only this section of `product` or `influx`.
        section: Option<String>,
        /// Shorter runs, to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// What CI runs: check, then test.
    Ci,
}

fn main() -> Result<()> {
    let root = run::workspace_root()?;
    match Arguments::parse().task {
        Task::Check => check::all(&root),
        Task::Test { filter } => {
            tools::ensure_for_tests(&root)?;
            influxd::ensure(&root)?;
            run::tests(&root, filter.as_deref())
        }
        Task::Drill { name, long } => {
            ensure_for(&root, &name)?;
            run::drill(&root, &name, long)
        }
        Task::Bench { name, section, quick } => {
            ensure_for(&root, &name)?;
            run::bench(&root, &name, section.as_deref(), quick)
        }
        Task::Ci => {
            tools::ensure_for_tests(&root)?;
            influxd::ensure(&root)?;
            check::all(&root)?;
            run::tests(&root, None)
        }
    }
}

/// What a drill or benchmark of this name starts.
fn ensure_for(root: &Path, name: &str) -> Result<()> {
    tools::ensure_for_tests(root)?;
    if name == "influx" { influxd::ensure(root) } else { Ok(()) }
}
