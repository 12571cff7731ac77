//! How far the history is filled in, on standard error: a bar on a terminal, now and then a line elsewhere.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use bakau_model::Language;
use bakau_text::format;

use crate::words::texts;

/// Characters of the bar.
const WIDTH: u64 = 30;

/// Without a terminal a line is written each time another such share is done, in percent.
const LINE_EVERY: u64 = 25;

/// Rows published of all rows.
#[derive(Debug)]
pub(crate) struct Progress {
    rows: u64,
    done: AtomicU64,
    /// What was last shown, in percent, so that the same is not shown again.
    shown: AtomicU64,
    bar: bool,
    language: Language,
    began: Instant,
}

impl Progress {
    pub(crate) fn new(rows: u64, language: Language) -> Self {
        let bar = std::io::stderr().is_terminal();
        let (done, shown) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Self { rows: rows.max(1), done, shown, bar, language, began: Instant::now() }
    }

    pub(crate) fn published(&self, rows: u64) {
        self.done.fetch_add(rows, Ordering::Relaxed);
    }

    /// Shows how far it is, if that differs from what is on the screen.
    pub(crate) fn show(&self) {
        let percent = (self.done.load(Ordering::Relaxed) * 100 / self.rows).min(100);
        let step = if self.bar { percent } else { percent / LINE_EVERY };
        if self.shown.swap(step, Ordering::Relaxed) != step {
            let text = line(self.language, percent, self.bar);
            self.write(&if self.bar { format!("\r{text}") } else { format!("{text}\n") });
        }
    }

    /// Everything is stored.
    pub(crate) fn end(&self) {
        let (rows, seconds) = (self.done.load(Ordering::Relaxed), self.began.elapsed().as_secs_f64());
        let values = [("rows", &*rows.to_string()), ("seconds", &format::number(seconds, 1, self.language))];
        let text = texts(self.language).fill("fill_done", &values);
        let (start, erase) = if self.bar { ("\r", "\u{1b}[K") } else { ("", "") };
        self.write(&format!("{start}{text}{erase}\n"));
    }

    /// Nobody needs to read this: a closed standard error is no reason to end.
    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

fn line(language: Language, percent: u64, bar: bool) -> String {
    let what = texts(language).text("fill_progress");
    if !bar {
        return format!("{what}: {percent} %");
    }
    let full = percent * WIDTH / 100;
    let drawn: String = (0..WIDTH).map(|n| if n < full { '#' } else { '.' }).collect();
    format!("{what} [{drawn}] {percent:>3} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_and_a_line_is_plain() {
        assert_eq!(line(Language::Id, 50, true), "mengisi riwayat [###############...............]  50 %");
        assert_eq!(line(Language::En, 100, true), format!("filling in history [{}] 100 %", "#".repeat(30)));
        assert_eq!(line(Language::En, 75, false), "filling in history: 75 %");
    }
}
