//! A Chromium whose pages a test keeps open while it does things to Bakau; `tests/browser/remote.mjs` is the other end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{browser, wait};

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

    /// Level and freshness of each station on an open overview, by id.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn stations(&mut self, name: &str) -> Result<Vec<(String, String)>> {
        let answer = self.ask(&json!({"command": "stations", "name": name}))?;
        Ok(serde_json::from_value(answer["stations"].clone())?)
    }

    /// All of an open page, but for clocks, ages and what the script says of its own; empty while it says that it is
    /// disconnected.
    fn dom(&mut self, name: &str) -> Result<Value> {
        Ok(self.ask(&json!({"command": "dom", "name": name}))?["dom"].take())
    }

    /// All of the same page when it is loaded now.
    fn fresh_dom(&mut self, url: &str) -> Result<Value> {
        Ok(self.ask(&json!({"command": "fresh_dom", "url": url}))?["dom"].take())
    }

    /// Waits until an open page is what a load of its address shows.
    ///
    /// # Errors
    /// When it is not after all that time; where they differ is in the message.
    pub async fn like_fresh(&mut self, name: &str, url: &str, within: Duration) -> Result<()> {
        let mut last = (Value::Null, Value::Null);
        let same = async || {
            last = (self.dom(name)?, self.fresh_dom(url)?);
            Ok((last.0 == last.1).then_some(()))
        };
        let waited = wait::until("the page to be like a fresh one", within, same).await;
        waited.with_context(|| format!("{url}\n{}", difference(&last.0, &last.1)))
    }
}

/// Where two pages differ first, with a little around it.
fn difference(shown: &Value, fresh: &Value) -> String {
    let lines =
        |page: &Value| -> Vec<String> { page.as_str().unwrap_or_default().split('\n').map(str::to_owned).collect() };
    let (shown, fresh) = (lines(shown), lines(fresh));
    let at = shown.iter().zip(&fresh).take_while(|(a, b)| a == b).count();
    let part =
        |lines: &[String]| lines.iter().skip(at.saturating_sub(1)).take(6).cloned().collect::<Vec<_>>().join("\n");
    format!("line {at}, shown:\n{}\nfresh:\n{}", part(&shown), part(&fresh))
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The end of its input ends it, and with it Chromium.
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
