//! Everything that reads the code without running it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{glossary, layers, modules, references, run::run, tools};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 60;

pub(crate) fn all(root: &Path) -> Result<()> {
    run(root, "cargo", &["fmt", "--all", "--check"])?;
    sizes(root)?;
    references::check(root)?;
    modules::check(root)?;
    layers::check(root)?;
    glossary::check(root)?;
    run(root, "cargo", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    // The binary without InfluxDB; the workspace builds it with.
    let small = ["clippy", "--locked", "--package", "bakau", "--no-default-features", "--", "-D", "warnings"];
    run(root, "cargo", &small)?;
    documentation(root)?;
    deny(root)
}

fn documentation(root: &Path) -> Result<()> {
    println!("$ cargo doc --workspace --no-deps");
    let mut cargo = Command::new("cargo");
    cargo.args(["doc", "--locked", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
    let status = cargo.current_dir(root).status().context("could not start cargo doc")?;
    if !status.success() {
        bail!("documentation has warnings");
    }
    Ok(())
}

/// Licences, bans and layering.
fn deny(root: &Path) -> Result<()> {
    let program = tools::ensure_cargo_deny(root)?;
    // Advisories need a database from the network; they are looked at when dependencies change.
    run(root, &program, &["--workspace", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])
}

/// File and function budgets of CONTRIBUTING.md.
fn sizes(root: &Path) -> Result<()> {
    let mut over = Vec::new();
    for file in sources(root)? {
        let text = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let lines = text.lines().count();
        if MAX_FILE_LINES < lines {
            over.push(format!("{shown}: {lines} lines (budget {MAX_FILE_LINES})"));
        }
        over.extend(
            long_functions(&text).into_iter().map(|(line, length)| {
                format!("{shown}:{line}: function of {length} lines (budget {MAX_FUNCTION_LINES})")
            }),
        );
    }
    if !over.is_empty() {
        bail!("over the size budgets:\n  {}", over.join("\n  "));
    }
    println!("sizes: every file <= {MAX_FILE_LINES} lines, every function <= {MAX_FUNCTION_LINES}");
    Ok(())
}

/// (line, length) of functions over the budget, found by the indentation rustfmt guarantees.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match open {
            None if is_function_start(line.trim_start()) && !line.trim_end().ends_with(['}', ';']) => {
                open = Some((number, indent));
            }
            Some((start, at)) if indent == at && line.trim_start().starts_with('}') => {
                let length = number - start + 1;
                if MAX_FUNCTION_LINES < length {
                    found.push((start + 1, length));
                }
                open = None;
            }
            None | Some(_) => {}
        }
    }
    found
}

fn is_function_start(line: &str) -> bool {
    let mut words = line.split_whitespace().take(5);
    let qualifier = |word: &str| word.starts_with("pub") || ["const", "async", "extern"].contains(&word);
    words.find(|word| !qualifier(word)) == Some("fn")
}

/// Every tracked Rust file.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git").args(["ls-files", "*.rs"]).current_dir(root).output();
    let output = output.context("could not ask git for the files")?;
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(names.lines().map(|name| root.join(name)).filter(|path| path.is_file()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_over_the_budget_is_named_with_its_line() {
        let body = "    x();\n".repeat(60);
        let text = format!("fn short() {{\n}}\n\npub(crate) async fn long() {{\n{body}}}\n");
        assert_eq!(long_functions(&text), vec![(4, 62)]);
    }
}
