//! `bakau store copy`: everything from one store to the other while Bakau is stopped, said in words.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bakau_model::{DatastreamId, Language};
use bakau_registry::Snapshot;
use bakau_store::copy::{Compared, CopyEvent, Totals, Transfer, copy};
use bakau_text::Messages;

use crate::words::texts;

/// Characters of the bar.
const WIDTH: usize = 30;
/// Without a terminal a line is written so often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Copies, or goes on copying, and prints what was compared.
///
/// # Errors
/// When a store fails or the copy is not equal; running it again goes on.
pub(crate) async fn run(
    source: &dyn Transfer,
    target: &dyn Transfer,
    snapshot: &Snapshot,
    language: Language,
) -> Result<()> {
    let known = snapshot.datastreams.iter().chain(&snapshot.retired);
    let names = known.map(|(number, datastream)| (*number, datastream.name.to_string())).collect();
    let mut screen = Screen {
        words: texts(language),
        names,
        datastreams: 0,
        bar: std::io::stderr().is_terminal(),
        last_line: Instant::now(),
    };
    let compared = copy(source, target, &mut |event| screen.show(event)).await;
    let compared = compared.with_context(|| screen.words.text("copy_stopped").to_owned())?;
    print!("{}", summary(screen.words, &compared));
    if !compared.is_equal() {
        bail!("{}", screen.words.text("copy_differs"));
    }
    Ok(())
}

/// What is shown while it runs: how far it is on standard error, what was compared on standard output.
struct Screen {
    words: &'static Messages,
    names: BTreeMap<DatastreamId, String>,
    datastreams: usize,
    bar: bool,
    last_line: Instant,
}

impl Screen {
    fn show(&mut self, event: CopyEvent) {
        match event {
            CopyEvent::Started { datastreams, resumed } => {
                self.datastreams = datastreams;
                let key = if resumed { "copy_goes_on" } else { "copy_begins" };
                println!("{}", self.words.fill(key, &[("datastreams", &datastreams.to_string())]));
            }
            CopyEvent::Copied { index, values, .. } => {
                let text = self.words.fill("copy_copied", &[("values", &values.to_string())]);
                self.progress(&text, index);
            }
            CopyEvent::Compared { datastream, index, totals } => {
                let name = self.names.get(&datastream).cloned().unwrap_or_else(|| datastream.to_string());
                self.erase();
                println!("{name}: {}", totals_line(self.words, &totals));
                let text = self.words.text("copy_compared").to_owned();
                self.progress(&text, index);
            }
        }
    }

    fn progress(&mut self, text: &str, index: usize) {
        let done = self.words.fill(
            "copy_progress",
            &[("done", &(index + 1).to_string()), ("datastreams", &self.datastreams.to_string())],
        );
        if self.bar {
            write_error(&format!("\r{} {done}, {text}\u{1b}[K", bar(index + 1, self.datastreams)));
        } else if LINE_EVERY <= self.last_line.elapsed() {
            self.last_line = Instant::now();
            write_error(&format!("{done}, {text}\n"));
        }
    }

    fn erase(&self) {
        if self.bar {
            write_error("\r\u{1b}[K");
        }
    }
}

/// Nobody needs to read this: a closed standard error is no reason to end.
fn write_error(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn bar(done: usize, all: usize) -> String {
    let full = (done * WIDTH).checked_div(all).unwrap_or(WIDTH).min(WIDTH);
    format!("[{}{}]", "#".repeat(full), ".".repeat(WIDTH - full))
}

fn totals_line(words: &Messages, totals: &Totals) -> String {
    let Totals { values, superseded, reflagged, checksum } = totals;
    words.fill(
        "copy_totals",
        &[
            ("values", &values.to_string()),
            ("superseded", &superseded.to_string()),
            ("reflagged", &reflagged.to_string()),
            ("checksum", &format!("{checksum:016x}")),
        ],
    )
}

/// What was compared, in words.
fn summary(words: &Messages, compared: &Compared) -> String {
    let mut lines = vec![words.fill(
        "copy_summary",
        &[
            ("datastreams", &compared.datastreams.to_string()),
            ("hours", &compared.hours.to_string()),
            ("totals", &totals_line(words, &compared.totals)),
            ("lines", &compared.ledger_lines.to_string()),
        ],
    )];
    if compared.quarantined != 0 {
        let (all, new) = (compared.quarantined.to_string(), compared.newly_quarantined.to_string());
        lines.push(words.fill("copy_quarantine", &[("all", &all), ("new", &new)]));
    }
    lines.extend(compared.differences.iter().cloned());
    if !compared.inherited.is_empty() {
        lines.push(words.text("copy_inherited").to_owned());
        lines.extend(compared.inherited.iter().cloned());
    }
    if compared.is_equal() {
        lines.push(words.text("copy_equal").to_owned());
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_ends_full_and_an_empty_store_is_done_at_once() {
        assert_eq!(bar(0, 4), format!("[{}]", ".".repeat(30)));
        assert_eq!(bar(2, 4), format!("[{}{}]", "#".repeat(15), ".".repeat(15)));
        assert_eq!(bar(4, 4), format!("[{}]", "#".repeat(30)));
        assert_eq!(bar(1, 0), format!("[{}]", "#".repeat(30)));
    }

    #[test]
    fn the_summary_says_whether_it_is_equal_and_what_is_in_quarantine() {
        let totals = Totals { values: 7, superseded: 2, reflagged: 1, checksum: 255 };
        let equal = Compared { datastreams: 3, hours: 5, totals, ledger_lines: 4, ..Compared::default() };
        let said = summary(texts(Language::En), &equal);
        assert!(
            said.starts_with("Compared 3 datastreams in 5 hours: 7 values, 2 replaced values, 1 replaced flags"),
            "{said}"
        );
        assert!(said.contains("checksum 00000000000000ff") && said.contains("Equal"), "{said}");
        let differs = Compared { differences: vec!["the ledgers differ".to_owned()], quarantined: 9, ..equal };
        let said = summary(texts(Language::Id), &differs);
        assert!(said.contains("the ledgers differ") && said.contains("karantina: 9"), "{said}");
        assert!(!said.contains("Sama"), "{said}");
    }
}
