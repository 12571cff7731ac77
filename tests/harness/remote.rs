//! A Chromium whose pages a test keeps open while it does things to Bakau; `tests/browser/remote.mjs` is the other end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::browser;

/// A running browser; gone when dropped.
#[derive(Debug)]
pub struct Remote {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Remote {
    /// Starts the browser.
    ///
    /// # Errors
    /// When Node or Chromium is missing.
    pub fn start() -> Result<Self> {
        let mut node = Command::new("node");
        node.arg("remote.mjs").current_dir(browser::folder()?);
        // The other scripts ask for these when they are loaded; pages are opened by whole addresses here.
        node.env("BAKAU_URL", "http://127.0.0.1").env("BAKAU_TOKEN", "none");
        let mut child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("could not start node")?;
        let commands = child.stdin.take().context("standard input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("standard output is piped")?);
        let mut me = Self { child, commands: Some(commands), answers };
        me.answer().context("the browser starts")?;
        Ok(me)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the browser has ended");
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// When it fails; the browser's own words are in the message.
    pub fn ask(&mut self, command: &Value) -> Result<Value> {
        let commands = self.commands.as_mut().context("the browser is open")?;
        writeln!(commands, "{command}")?;
        commands.flush()?;
        self.answer().with_context(|| command.to_string())
    }

    /// Opens a page and keeps it open under a name.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn open(&mut self, name: &str, url: &str) -> Result<()> {
        self.ask(&json!({"command": "open", "name": name, "url": url})).map(drop)
    }

    /// What an open page says of levels, once it does not call itself disconnected; `None` while it does.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn levels(&mut self, name: &str) -> Result<Option<Value>> {
        let mut answer = self.ask(&json!({"command": "levels", "name": name}))?;
        Ok((answer["connected"] == true).then(|| answer["levels"].take()))
    }

    /// What the same page says when it is loaded now.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn fresh(&mut self, url: &str) -> Result<Value> {
        Ok(self.ask(&json!({"command": "fresh", "url": url}))?["levels"].take())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The end of its input ends it, and with it Chromium.
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
