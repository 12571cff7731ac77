//! The clock of a real process, moved by a test: libfaketime in front of the C library.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use bakau_clock::{Clock as _, SystemClock};
use bakau_model::UtcMillis;

/// A clock that is ahead of the machine's by as much as a test says. Monotonic timers go on as they are.
#[derive(Debug)]
pub struct FakeClock {
    file: PathBuf,
    ahead_ms: i64,
}

impl FakeClock {
    /// A clock that shows the machine's time, kept in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(folder: &Path) -> Result<Self> {
        let me = Self { file: folder.join("faketime"), ahead_ms: 0 };
        me.write()?;
        Ok(me)
    }

    fn write(&self) -> Result<()> {
        // In one step: the process reads it at any moment.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{:+}.{:03}\n", self.ahead_ms / 1_000, self.ahead_ms % 1_000))?;
        Ok(fs::rename(next, &self.file)?)
    }

    /// Moves it forward.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn advance(&mut self, millis: i64) -> Result<()> {
        self.ahead_ms += millis;
        self.write()
    }

    /// What a process with this clock believes.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        SystemClock.now().saturating_add(self.ahead_ms)
    }

    /// What a process needs in its environment.
    ///
    /// # Errors
    /// When libfaketime is not installed.
    pub fn environment(&self) -> Result<[(&'static str, String); 4]> {
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
        ensure!(Path::new(&library).is_file(), "{library} is missing: `cargo xtask test` installs faketime");
        let file = self.file.to_str().context("the folder is UTF-8")?.to_owned();
        Ok([
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ])
    }
}
