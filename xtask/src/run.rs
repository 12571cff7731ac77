//! Building and starting things with cargo.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::beside::Beside;

/// The folder of the workspace, wherever cargo was called.
pub(crate) fn workspace_root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask lies directly in the workspace")?.to_path_buf())
}

/// Runs a command, showing it first; fails with its name when it does.
pub(crate) fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    println!("$ {program} {}", arguments.join(" "));
    let status = Command::new(program).args(arguments).current_dir(root).status();
    let status = status.with_context(|| format!("could not start {program}"))?;
    if !status.success() {
        bail!("`{program} {}` failed with {status}", arguments.join(" "));
    }
    Ok(())
}

/// Series beside the project, whose terms allow no copy in it (tests/data/README.md); tests that need them are ignored.
const MEASURED_FILES: [&str; 2] = ["nerrs_apacpwq.csv.gz", "air_marylebone_hourly.csv.gz"];

/// Every test of the workspace, those that need measured series included where these are at hand.
///
/// System tests drive the real binary; building all targets in one go makes it with the same features as the tests, so that
/// nothing is compiled twice. They mostly wait for programs and links, so they run beside all others.
pub(crate) fn tests(root: &Path, filter: Option<&str>) -> Result<()> {
    run(root, "cargo", &["build", "--locked", "--workspace", "--all-targets"])?;
    let mut last: Vec<&str> = filter.into_iter().collect();
    if MEASURED_FILES.iter().all(|file| root.join("../shared/data").join(file).is_file()) {
        last.extend(["--", "--include-ignored"]);
    } else {
        println!("ignored: tests of measured series, because ../shared/data is not at hand");
    }
    // `--package bakau-tests` alone would build with fewer features than were just built.
    let system = [&["test", "--locked", "--workspace", "--test", "system"], &last[..]].concat();
    let system = Beside::start(root, "system-tests", Path::new("cargo"), &system)?;
    let others = [&["test", "--locked", "--workspace", "--exclude", "bakau-tests"], &last[..]].concat();
    let others = run(root, "cargo", &others);
    system.finish().and(others)
}

pub(crate) fn drill(root: &Path, name: &str, long: bool) -> Result<()> {
    let mut arguments = vec![name];
    if long {
        arguments.push("--long");
    }
    release(root, "drill", &arguments)
}

pub(crate) fn bench(root: &Path, name: &str, section: Option<&str>, quick: bool) -> Result<()> {
    let mut arguments = vec![name];
    arguments.extend(section);
    if quick {
        arguments.push("--quick");
    }
    release(root, "bench", &arguments)
}

fn release(root: &Path, binary: &str, arguments: &[&str]) -> Result<()> {
    run(root, "cargo", &["build", "--locked", "--release", "--package", "bakau"])?;
    let mut all = vec!["run", "--locked", "--quiet", "--release", "--package", "bakau-tests", "--bin", binary, "--"];
    all.extend(arguments);
    run(root, "cargo", &all)
}
