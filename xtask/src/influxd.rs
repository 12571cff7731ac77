//! The real influxd of the tests: built once from its Go module, whose version `tests/influxd/go.mod` fixes.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{run::run, tools::is_installed};

/// What the build is made of: another text of these is another program.
const MADE_OF: [&str; 4] = ["go.mod", "go.sum", "tools.go", "rustc"];

/// The older ones cannot read its module file.
const GO: (u32, u32) = (1, 23);

/// How often the build says that it goes on.
const BEAT: Duration = Duration::from_secs(20);

/// Makes sure that influxd is in `target/tools/influxd`; `BAKAU_INFLUXD` names another one, and nothing is built then.
///
/// # Errors
/// When it cannot be built; the message says what is missing.
pub(crate) fn ensure(root: &Path) -> Result<()> {
    if let Some(named) = std::env::var_os("BAKAU_INFLUXD") {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(());
        }
        bail!("BAKAU_INFLUXD names {}, and there is no such file", named.display());
    }
    let (sources, folder) = (root.join("tests/influxd"), root.join("target/tools/influxd"));
    let wanted = wanted(&sources)?;
    let stamp = folder.join(".built");
    if folder.join("influxd").is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    check_go()?;
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    println!("influxd is built once, from its Go module and the Rust library in it: about 5 minutes on two cores");
    let helper = folder.join("pkg-config");
    build(&sources, &helper, "github.com/influxdata/pkg-config")?;
    build(&sources, &folder.join("influxd"), "github.com/influxdata/influxdb/v2/cmd/influxd")?;
    run(root, &folder.join("influxd").display().to_string(), &["version"])?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))
}

fn wanted(sources: &Path) -> Result<String> {
    let mut wanted = String::new();
    for name in MADE_OF {
        let path = sources.join(name);
        wanted += &fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    }
    Ok(wanted)
}

/// Debian's Go may be too old, so it is asked for and not installed.
fn check_go() -> Result<()> {
    let needed = format!("Go {}.{} or newer", GO.0, GO.1);
    let why =
        "the InfluxDB tests run against a real influxd, which is built with it; BAKAU_INFLUXD can name one instead";
    if !is_installed("go") {
        bail!("missing: {needed} ({why}). Install Go and put its bin folder into PATH");
    }
    let said = Command::new("go").args(["env", "GOVERSION"]).output().context("could not start go")?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    match version(&said) {
        Some(found) if GO <= found => Ok(()),
        Some(_) | None => bail!("missing: {needed}, the one in PATH says '{said}' ({why})"),
    }
}

/// `go1.26.8` as (1, 26).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("go")?.split('.');
    let mut number = || parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    Some((number()?, number()?))
}

/// The Rust toolchain for the library in it, which would ask for an old one: that of this process, where rustup chose it.
fn toolchain() -> Option<String> {
    if let Ok(chosen) = std::env::var("RUSTUP_TOOLCHAIN") {
        return Some(chosen);
    }
    let said = Command::new("rustup").args(["show", "active-toolchain"]).output().ok()?;
    Some(String::from_utf8(said.stdout).ok()?.split_whitespace().next()?.to_owned())
}

/// `go build` of one program; says now and then how many packages are compiled.
fn build(sources: &Path, program: &Path, package: &str) -> Result<()> {
    println!("$ go build {package}");
    let mut go = Command::new("go");
    go.args(["build", "-v", "-o"]).arg(program).arg(package).current_dir(sources);
    go.env("PKG_CONFIG", program.with_file_name("pkg-config")).env("RUSTC_WRAPPER", sources.join("rustc"));
    // Its build looks for the result in the folder where cargo puts it by itself.
    go.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET").env_remove("RUSTFLAGS");
    if let Some(toolchain) = toolchain() {
        go.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    let mut child = go.stderr(Stdio::piped()).spawn().context("could not start go")?;
    let stderr = child.stderr.take().context("standard error is piped")?;
    let (tell, told) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut other = Vec::new();
        for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
            // With -v each package is a line of its own; anything else is a complaint.
            if line.contains([' ', ':']) {
                other.push(line);
            } else if tell.send(()).is_err() {
                break;
            }
        }
        other
    });
    beats(&told);
    let status = child.wait().context("go did not end")?;
    let complaints = reading.join().unwrap_or_default();
    if !status.success() {
        bail!("influxd cannot be built: `go build {package}` failed with {status}\n{}", complaints.join("\n"));
    }
    Ok(())
}

/// Counts packages until there are no more, with a line every [`BEAT`].
fn beats(told: &std::sync::mpsc::Receiver<()>) {
    use std::sync::mpsc::RecvTimeoutError;
    let (started, mut packages, mut next) = (Instant::now(), 0, BEAT);
    loop {
        match told.recv_timeout(next.saturating_sub(started.elapsed())) {
            Ok(()) => packages += 1,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                println!("influxd: {packages} packages compiled after {} s", started.elapsed().as_secs());
                next += BEAT;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_go_is_read_as_go_says_it() {
        assert_eq!(version("go1.26.8"), Some((1, 26)));
        assert_eq!(version("go1.23rc1"), Some((1, 23)));
        assert_eq!((version("devel"), version("go2"), version("")), (None, None, None));
    }
}
