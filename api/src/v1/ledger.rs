//! `GET /api/v1/ledger`: where every message and every reading went, by minute of `received_at` and source.
//!
//! The counters live in two files: the spool counts what was decoded and quarantined, the store counts outcomes beside
//! its cursor. What lies between is counted from the batches themselves (`waiting`), independent of both, so that a
//! reading lost between them shows as a row that does not balance.

use std::collections::BTreeMap;

use bakau_answers::{self as answers, LedgerLine};
use bakau_model::{DAY_MS, HOUR_MS, LedgerKey, MINUTE_MS, MessageLedger, ReadingLedger, Seq, UtcMillis};
use bakau_spool::{ReadingCounts, SpoolError, SpoolReader};
use bakau_store::StoreCounts;

use crate::{
    http::{
        answer,
        call::{Answered, Call},
        error::ApiError,
        query::Span,
    },
    state::AppState,
};

/// The range without `from`.
const DEFAULT_RANGE_MS: i64 = HOUR_MS;
/// Rows are one per minute and source; a week of them is what an answer can carry.
const MAX_RANGE_MS: i64 = 7 * DAY_MS;
/// The files are read one after the other while the line runs; reading again soon meets a moment without a commit.
const READ_ATTEMPTS: u32 = 5;

/// One minute of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where messages went.
    pub(crate) messages: MessageLedger,
    /// Where readings went.
    pub(crate) readings: ReadingLedger,
}

/// Both ledgers over a range.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Minutes covered.
    pub(crate) span: Span,
    /// By minute and source.
    pub(crate) lines: BTreeMap<LedgerKey, Line>,
    /// Whether nothing was committed while the files were read; only then must every line balance.
    pub(crate) consistent: bool,
}

impl Ledger {
    /// Sums over all lines.
    pub(crate) fn total(&self) -> Line {
        let mut total = Line::default();
        for line in self.lines.values() {
            total.messages += line.messages;
            total.readings += line.readings;
        }
        total
    }
}

/// Both ledgers, from the minute of `from` up to the minute before `to`, the last hour by default.
pub(crate) async fn ledger(call: Call) -> Answered {
    let params = call.params(&["from", "to"])?;
    let span = params.span(call.state.clock.now(), DEFAULT_RANGE_MS)?;
    if MAX_RANGE_MS < span.to.since(span.from) {
        return Err(ApiError::parameter("from", params.text("from"), "parameter_longest").with("allowed", "7 d"));
    }
    let ledger = read(&call.state, whole_minutes(span)).await?;
    let lines: Vec<LedgerLine> = ledger.lines.iter().map(|(key, line)| tell(key, line)).collect();
    let total = ledger.total();
    answer::json(&answers::Ledger {
        from: ledger.span.from.into(),
        to: ledger.span.to.into(),
        consistent: ledger.consistent,
        balanced: lines.iter().all(|line| line.messages_balanced && line.readings_balanced),
        messages: total.messages,
        readings: total.readings,
        lines,
    })
}

fn tell(key: &LedgerKey, &Line { messages, readings }: &Line) -> LedgerLine {
    LedgerLine {
        minute: key.minute.into(),
        source: key.source.clone(),
        messages,
        messages_balanced: messages.balances(),
        readings,
        readings_balanced: readings.balances(),
    }
}

/// The whole minutes a range touches.
pub(crate) fn whole_minutes(span: Span) -> Span {
    let to = span.to.saturating_add(MINUTE_MS - 1).minute();
    Span { from: span.from.minute(), to }
}

/// Reads both ledgers for whole minutes.
pub(crate) async fn read(state: &AppState, span: Span) -> Result<Ledger, ApiError> {
    let mut attempt = 1;
    loop {
        let ledger = read_once(state, span).await?;
        if ledger.consistent || attempt == READ_ATTEMPTS {
            return Ok(ledger);
        }
        attempt += 1;
    }
}

async fn read_once(state: &AppState, span: Span) -> Result<Ledger, ApiError> {
    let spooled = state.spool.last_seq();
    let cursor = state.store.cursor().await?;
    let stored = state.store.ledger(span.from, span.to).await?;
    let store_stood_still = cursor == state.store.cursor().await?;
    let spool = state.spool.clone();
    let counts = tokio::task::spawn_blocking(move || read_spool(&spool, span, cursor)).await??;
    let consistent = store_stood_still && spooled == state.spool.last_seq();
    Ok(Ledger { span, lines: join(counts, stored, span), consistent })
}

struct SpoolCounts {
    messages: BTreeMap<LedgerKey, MessageLedger>,
    readings: BTreeMap<LedgerKey, ReadingCounts>,
    waiting: BTreeMap<LedgerKey, u64>,
}

fn read_spool(spool: &SpoolReader, span: Span, cursor: Seq) -> Result<SpoolCounts, SpoolError> {
    Ok(SpoolCounts {
        messages: spool.message_ledger(span.from, span.to)?,
        readings: spool.reading_counts(span.from, span.to)?,
        waiting: spool.waiting_after(cursor)?,
    })
}

fn join(spool: SpoolCounts, stored: BTreeMap<LedgerKey, StoreCounts>, span: Span) -> BTreeMap<LedgerKey, Line> {
    let mut lines: BTreeMap<LedgerKey, Line> = BTreeMap::new();
    for (key, messages) in spool.messages {
        lines.entry(key).or_default().messages = messages;
    }
    for (key, counts) in spool.readings {
        let line = &mut lines.entry(key).or_default().readings;
        (line.decoded, line.quarantined) = (counts.decoded, counts.quarantined);
    }
    for (key, counts) in stored {
        let line = &mut lines.entry(key).or_default().readings;
        let StoreCounts { stored, duplicate, corrected, ignored_missing } = counts;
        (line.stored, line.duplicate) = (stored, duplicate);
        (line.corrected, line.ignored_missing) = (corrected, ignored_missing);
    }
    let inside = |minute: UtcMillis| span.from <= minute && minute < span.to;
    for (key, waiting) in spool.waiting.into_iter().filter(|(key, _)| inside(key.minute)) {
        lines.entry(key).or_default().readings.waiting = waiting;
    }
    lines
}

#[cfg(test)]
mod tests {
    use bakau_model::SourceName;

    use super::*;

    fn key(minute: i64) -> LedgerKey {
        LedgerKey { minute: UtcMillis::new(minute * MINUTE_MS), source: SourceName::new("broker").unwrap() }
    }

    #[test]
    fn a_reading_that_is_neither_stored_nor_waiting_unbalances_its_minute() {
        let span = Span { from: UtcMillis::new(0), to: UtcMillis::new(10 * MINUTE_MS) };
        let spool = |waiting| SpoolCounts {
            messages: BTreeMap::new(),
            readings: BTreeMap::from([(key(1), ReadingCounts { decoded: 5, quarantined: 1 })]),
            waiting: BTreeMap::from([(key(1), waiting), (key(99), 7)]),
        };
        let stored =
            BTreeMap::from([(key(1), StoreCounts { stored: 1, ignored_missing: 1, ..StoreCounts::default() })]);
        let whole = join(spool(2), stored.clone(), span);
        assert!(whole[&key(1)].readings.balances());
        assert_eq!(whole.len(), 1, "minutes outside the range are left out");
        assert!(!join(spool(1), stored, span)[&key(1)].readings.balances());
    }

    #[test]
    fn a_range_is_widened_to_whole_minutes() {
        let span = Span { from: UtcMillis::new(59_999), to: UtcMillis::new(60_001) };
        assert_eq!(whole_minutes(span), Span { from: UtcMillis::new(0), to: UtcMillis::new(120_000) });
    }
}
