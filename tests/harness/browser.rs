//! Debian's Chromium through the scripts in `tests/browser`, run by Node's own test runner.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::bakau::Bakau;

pub(crate) fn folder() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if !folder.join("node_modules").is_dir() {
        bail!("tests/browser/node_modules is missing: `cargo xtask test` installs it (npm ci)");
    }
    Ok(folder)
}

/// Runs one script of `tests/browser` against a running `bakau`.
///
/// # Errors
/// When Node is missing or a test of the script fails; its report is in the message.
pub fn run(script: &str, bakau: &Bakau) -> Result<String> {
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", script]).current_dir(folder()?);
    node.env("BAKAU_URL", bakau.url("")?).env("BAKAU_TOKEN", bakau.admin_token()?);
    let output = node.output().context("could not start node: is it installed?")?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{script} failed:\n{report}\n{}\nbakau:\n{}", String::from_utf8_lossy(&output.stderr), bakau.log_tail());
    }
    Ok(report)
}

/// A script of `tests/browser/bench` at work.
#[derive(Debug)]
pub struct Bench {
    script: String,
    child: Child,
}

/// Starts a measuring script against a running `bakau` and waits until it says `listening`, or, for scripts that measure
/// by themselves, until it is done.
///
/// # Errors
/// When Node is missing or the script ends with an error.
pub fn bench(script: &str, arguments: &[&str], bakau: &Bakau) -> Result<Bench> {
    let mut node = Command::new("node");
    node.arg(format!("bench/{script}")).args(arguments).current_dir(folder()?);
    node.env("BAKAU_URL", bakau.url("")?).env("BAKAU_TOKEN", bakau.admin_token()?);
    let mut child = node.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("could not start node")?;
    let stderr = child.stderr.take().context("standard error is piped")?;
    let mut said = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line == "listening" {
            return Ok(Bench { script: script.to_owned(), child });
        }
        said.push_str(&line);
        said.push('\n');
    }
    if !said.is_empty() {
        bail!("{script} failed:\n{said}");
    }
    Ok(Bench { script: script.to_owned(), child })
}

impl Bench {
    /// What it measured.
    ///
    /// # Errors
    /// When it failed or printed no JSON.
    pub fn report(self) -> Result<serde_json::Value> {
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(text.trim()).with_context(|| format!("{} printed no figures: {text}", self.script))
    }
}
