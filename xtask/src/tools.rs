//! Programs that tests need from outside: installed from Debian's packages where that is allowed, named otherwise.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{clients, run::run};

/// (program, Debian package, why).
const NEEDED: &[(&str, &str, &str)] = &[
    ("mosquitto", "mosquitto", "a real external MQTT broker for the system tests"),
    ("aiosmtpd", "python3-aiosmtpd", "a real mail server with TLS and a login"),
    ("openssl", "openssl", "makes the mail server's certificate"),
    ("faketime", "faketime", "moves the clock of a real process"),
    ("chromium", "chromium", "a real browser for the pages"),
    ("node", "nodejs", "runs the browser tests, version 20 or newer"),
    ("npm", "npm", "fetches playwright-core and axe-core for the browser tests"),
    ("clang", "clang", "compiles a part of influxd"),
    ("protoc", "protobuf-compiler", "compiles a part of influxd"),
    ("pkg-config", "pkg-config", "finds a part of influxd"),
    ("java", "default-jre-headless", "runs openapi-generator, version 17 or newer"),
    ("mvn", "maven", "fetches openapi-generator"),
    ("python3", "python3-venv", "runs a Python client of the API"),
];

/// Whether a program is in one of the folders where system programs live.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Makes sure that everything the tests start is there.
///
/// # Errors
/// When something is missing and cannot be installed; the message names it and the command that installs it.
pub(crate) fn ensure_for_tests(root: &Path) -> Result<()> {
    ensure_packages()?;
    ensure_browser_scripts(root)?;
    clients::ensure(root)
}

fn ensure_packages() -> Result<()> {
    let missing: Vec<_> = NEEDED.iter().filter(|(program, ..)| !is_installed(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
    if !is_root() || !is_installed("apt-get") {
        let reasons: Vec<_> = missing.iter().map(|(program, _, why)| format!("{program} ({why})")).collect();
        bail!("missing: {}. Install with: sudo apt-get install {}", reasons.join(", "), packages.join(" "));
    }
    let root = Path::new("/");
    run(root, "apt-get", &["update", "-q"])?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    run(root, "apt-get", &arguments)
}

/// The libraries of the browser tests, exactly as `package-lock.json` names them; fetched again when it changes.
fn ensure_browser_scripts(root: &Path) -> Result<()> {
    let folder = root.join("tests/browser");
    let wanted = fs::read_to_string(folder.join("package-lock.json")).context("could not read package-lock.json")?;
    let stamp = folder.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(&folder, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))
}

/// The version the checks were written for.
const CARGO_DENY: &str = "0.20.2";

/// cargo-deny: the installed one, else built once into `target/tools`.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn ensure_cargo_deny(root: &Path) -> Result<String> {
    if is_installed("cargo-deny") {
        return Ok("cargo-deny".to_owned());
    }
    let folder = root.join("target/tools");
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        let folder = folder.display().to_string();
        // Its release profile makes a small program by optimising everything at once, which takes longer than it saves here.
        let quick = ["--config", "profile.release.lto=\"off\"", "--config", "profile.release.codegen-units=16"];
        let install = ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--quiet", "--root", &folder];
        run(root, "cargo", &[&quick[..], &install[..]].concat())?;
    }
    Ok(program.display().to_string())
}
