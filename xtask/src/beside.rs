//! Commands that run beside others: their output is shown in one piece, once somebody waits for them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context, Result, bail};

/// A command at work.
pub(crate) struct Beside {
    shown: String,
    child: Child,
    output: PathBuf,
}

impl Beside {
    /// Starts a command. What it writes goes to `target/beside-NAME.log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(root: &Path, name: &str, program: &Path, arguments: &[&str]) -> Result<Self> {
        let shown = format!("{} {}", program.display(), arguments.join(" "));
        println!("$ {shown} & (its output follows when it is done)");
        fs::create_dir_all(root.join("target")).context("could not make target")?;
        let output = root.join(format!("target/beside-{name}.log"));
        let file = File::create(&output).with_context(|| format!("could not write {}", output.display()))?;
        let errors = file.try_clone().context("could not share the file")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(root).stdout(file).stderr(errors);
        let child = command.spawn().with_context(|| format!("could not start {shown}"))?;
        Ok(Self { shown, child, output })
    }

    /// Waits until it ends and shows what it wrote.
    ///
    /// # Errors
    /// When it failed.
    pub(crate) fn finish(mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| format!("`{}` did not end", self.shown))?;
        println!("$ {}", self.shown);
        let mut output = File::open(&self.output).context("its output is gone")?;
        io::copy(&mut output, &mut io::stdout()).context("could not show its output")?;
        if !status.success() {
            bail!("`{}` failed with {status}", self.shown);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_beside_fails_when_it_is_waited_for() {
        let folder = std::env::temp_dir().join(format!("bakau-beside-{}", std::process::id()));
        for (script, succeeds) in [("echo out; echo err >&2", true), ("echo out; echo err >&2; exit 3", false)] {
            let beside = Beside::start(&folder, "test", Path::new("sh"), &["-c", script]);
            let said = folder.join("target/beside-test.log");
            assert_eq!(beside.and_then(Beside::finish).is_ok(), succeeds);
            assert_eq!(fs::read_to_string(said).unwrap_or_default(), "out\nerr\n");
        }
        assert!(fs::remove_dir_all(folder).is_ok());
    }
}
