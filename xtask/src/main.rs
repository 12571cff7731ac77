//! `cargo xtask`: everything developers and CI run, under one name.

mod beside;
mod check;
mod clients;
mod glossary;
mod influxd;
mod layers;
mod modules;
mod references;
mod run;
mod tools;
mod tree;

use std::path::Path;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::beside::Beside;

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
    /// Installs or builds what the tests need from outside; `test` and `ci` do it by themselves.
    Tools,
    /// What CI runs: check, then test.
    Ci,
}

fn main() -> Result<()> {
    let root = run::workspace_root()?;
    match Arguments::parse().task {
        Task::Check => check::all(&root),
        Task::Test { filter } => {
            ensure_tools(&root)?;
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
        Task::Tools => ensure_tools(&root),
        Task::Ci => {
            // The first time influxd is built, which takes longer than all checks.
            let me = std::env::current_exe().context("could not find the program itself")?;
            let tools = Beside::start(&root, "tools", &me, &["tools"])?;
            let checked = check::all(&root);
            tools.finish()?;
            checked?;
            run::tests(&root, None)
        }
    }
}

fn ensure_tools(root: &Path) -> Result<()> {
    tools::ensure_for_tests(root)?;
    influxd::ensure(root)
}

/// What a drill or benchmark of this name starts.
fn ensure_for(root: &Path, name: &str) -> Result<()> {
    if name == "influx" { ensure_tools(root) } else { tools::ensure_for_tests(root) }
}
