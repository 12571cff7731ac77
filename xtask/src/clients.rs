//! What the tests of generated clients need: openapi-generator from Maven Central, and the libraries that the clients made
//! by it import.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::run::run;

/// openapi-generator.
const GENERATOR: &str = "7.25.0";
/// SHA-256 of its jar.
const GENERATOR_SHA256: &str = "41ce4f6b07f196676439d710759fa1ced7a08066d06ff1bf314681470289efae";

/// Makes sure that `target/tools/openapi-generator`, `target/tools/python` and the Go modules are there.
///
/// # Errors
/// When something cannot be fetched, or is not what was expected.
pub(crate) fn ensure(root: &Path) -> Result<()> {
    let tools = root.join("target/tools");
    fs::create_dir_all(&tools).with_context(|| format!("could not make {}", tools.display()))?;
    ensure_generator(root, &tools.join("openapi-generator"))?;
    ensure_python(root, &tools.join("python"))?;
    run(&root.join("tests/clients/go"), "go", &["mod", "download"])
}

/// Maven knows the mirror and the proxy of this machine.
fn ensure_generator(root: &Path, folder: &Path) -> Result<()> {
    let name = format!("openapi-generator-cli-{GENERATOR}.jar");
    let jar = folder.join("openapi-generator-cli.jar");
    if jar.is_file() && sha256(&jar)? == GENERATOR_SHA256 {
        return Ok(());
    }
    let artifact = format!("-Dartifact=org.openapitools:openapi-generator-cli:{GENERATOR}");
    let output = format!("-DoutputDirectory={}", folder.display());
    run(root, "mvn", &["-B", "-q", "dependency:copy", &artifact, &output])?;
    let fetched = folder.join(name);
    let found = sha256(&fetched)?;
    if found != GENERATOR_SHA256 {
        bail!("{} has SHA-256 {found}, expected {GENERATOR_SHA256}", fetched.display());
    }
    fs::rename(&fetched, &jar).with_context(|| format!("could not move {}", fetched.display()))
}

fn sha256(path: &Path) -> Result<String> {
    let output = Command::new("sha256sum").arg(path).output().context("could not start sha256sum")?;
    if !output.status.success() {
        bail!("sha256sum: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

/// A virtual environment with exactly what `tests/clients/requirements.txt` names; made again when that changes.
fn ensure_python(root: &Path, folder: &Path) -> Result<()> {
    let requirements = root.join("tests/clients/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("could not read requirements.txt")?;
    let stamp = folder.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let (folder_text, requirements) = (folder.display().to_string(), requirements.display().to_string());
    run(root, "python3", &["-m", "venv", "--clear", &folder_text])
        .context("Debian's python3 needs the package python3-venv")?;
    let python = folder.join("bin/python").display().to_string();
    run(root, &python, &["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", &requirements])?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))
}
