//! Programs that read the API through clients made by openapi-generator from its document, as somebody else would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::bakau::Bakau;

/// The scripts and programs that read.
fn readers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// What `cargo xtask test` installs.
fn tool(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    if !path.exists() {
        bail!("{} is missing: `cargo xtask test` installs it", path.display());
    }
    Ok(path)
}

/// Runs a program to its end; gives what it wrote to standard output.
fn run(what: &str, command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start {what}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{what} failed:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}

/// Makes a client of a document: `options` say in which language, and where below `folder`.
fn generate(document: &Path, folder: &Path, options: &[&str]) -> Result<()> {
    let mut java = Command::new("java");
    // It is over before a better compiler pays.
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar"]);
    java.arg(tool("openapi-generator/openapi-generator-cli.jar")?).arg("generate").arg("-i").arg(document);
    java.args(["--global-property", "apiDocs=false,modelDocs=false,apiTests=false,modelTests=false"]);
    run("openapi-generator", java.args(options).current_dir(folder)).map(drop)
}

/// Reads with a Python client; gives the calls it made, one a line.
///
/// # Errors
/// When the client cannot be made or an answer is not what the document says.
pub fn python(document: &Path, folder: &Path, bakau: &Bakau) -> Result<String> {
    generate(document, folder, &["-g", "python", "-o", "python", "--package-name", "bakau_client"])?;
    let mut python = Command::new(tool("python/bin/python")?);
    python.arg(readers().join("read.py")).args([bakau.url("")?, bakau.admin_token()?.to_owned()]);
    run("read.py", python.env("PYTHONPATH", folder.join("python")))
}

/// Reads with a Go client; gives the calls it made, one a line.
///
/// # Errors
/// As [`python`], and when the client does not compile.
pub fn go(document: &Path, folder: &Path, bakau: &Bakau) -> Result<String> {
    let reader = folder.join("go");
    fs::create_dir_all(&reader)?;
    for name in ["go.mod", "go.sum", "main.go"] {
        fs::copy(readers().join("go").join(name), reader.join(name))?;
    }
    // Constants of two enums may share a word: each is named after its enum.
    let properties = ["--additional-properties", "enumClassPrefix=true,withGoMod=false"];
    generate(document, &reader, &[&["-g", "go", "-o", "client", "--package-name", "bakau"], &properties[..]].concat())?;
    // `cargo xtask test` has fetched what it imports.
    let mut build = Command::new("go");
    build.args(["build", "-o", "read", "."]).env("GOPROXY", "off").current_dir(&reader);
    run("go build", &mut build)?;
    let mut program = Command::new(reader.join("read"));
    run("the Go reader", program.args([bakau.url("")?, bakau.admin_token()?.to_owned()]))
}
