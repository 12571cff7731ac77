//! Why a value is doubted, and whose clock is ahead.

use std::borrow::Borrow;

use bakau_model::{MINUTE_MS, Reason, SECOND_MS, TestResults};

use super::Say;
use bakau_text::format;

use crate::view::ClockAhead;

impl Say<'_> {
    /// Why a value is doubted; empty for one that is not.
    pub(crate) fn why(&self, tests: impl Borrow<TestResults>) -> String {
        let words: Vec<&str> = tests.borrow().reasons().map(|reason| self.t(why_key(reason))).collect();
        words.join("; ")
    }

    /// That the clock of a device is ahead, by how much, since when, and what becomes of its values.
    pub(crate) fn clock_ahead(&self, clock: impl Borrow<ClockAhead>) -> String {
        let ClockAhead { ahead_ms, since, refused } = *clock.borrow();
        let key = if refused { "clock_refused" } else { "clock_ahead" };
        let span = self.ahead(ahead_ms);
        self.fill_all(key, &[("span", &span), ("time", &self.when(since))])
    }

    /// The same in two or three words.
    pub(crate) fn clock_short(&self, clock: impl Borrow<ClockAhead>) -> String {
        self.fill("clock_short", "span", self.ahead(clock.borrow().ahead_ms))
    }

    /// Rounded, because a message is under way for a moment: four minutes less that are not three.
    fn ahead(&self, ms: i64) -> String {
        let half = if ms < MINUTE_MS { SECOND_MS / 2 } else { MINUTE_MS / 2 };
        format::span(ms.saturating_add(half), self.frame.language)
    }
}

const fn why_key(reason: Reason) -> &'static str {
    match reason {
        Reason::Impossible => "why_impossible",
        Reason::Implausible => "why_implausible",
        Reason::Spike => "why_spike",
        Reason::RateOfChange => "why_rate_of_change",
        Reason::FlatLine => "why_flat_line",
        Reason::MissingCode => "why_missing_code",
        Reason::PossibleCode => "why_possible_code",
        Reason::Clock => "why_clock",
    }
}
