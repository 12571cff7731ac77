//! `GET /api/v1/quarantine` and `quarantine/{id}`: what arrived and could not be used, with the reason. Token only,
//! because payloads are shown.

use axum::extract::Path;
use bakau_answers::{self as answers, QuarantineList};
use bakau_spool::{QuarantineRow, SpoolError, SpoolReader};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::http::{
    access::Payloads,
    answer,
    call::{Answered, Call},
    error::{ApiError, ProblemType},
};

/// Rows in one answer unless asked otherwise.
const DEFAULT_LIMIT: usize = 20;
/// Most rows in one answer.
const MAX_LIMIT: usize = 100;
/// Rows read at a time: a payload may have 1 MiB, and only its beginning is kept for a list.
const READ_ROWS: usize = 8;
/// Bytes of a payload shown in a list; the row's own address shows all of it.
const LIST_PAYLOAD_BYTES: usize = 4_096;
/// Characters of the payload shown as text.
const PREVIEW_CHARS: usize = 500;

/// Rows of the quarantine, newest first, behind `before` where given.
pub(crate) async fn list(_: Payloads, call: Call) -> Answered {
    let params = call.params(&["before", "limit"])?;
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let before = params.number("before", 1..=u64::MAX)?;
    let spool = call.state.spool.clone();
    let mut rows = tokio::task::spawn_blocking(move || read_rows(&spool, before, limit + 1)).await??;
    let last = answer::last_before_more(&mut rows, limit);
    let next = last.map(|last| format!("/api/v1/quarantine?limit={limit}&before={}", last.id));
    let list = QuarantineList { quarantine: rows, next };
    Ok(answer::with_next(answer::json(&list)?, list.next.as_deref()))
}

/// One row with its whole payload.
pub(crate) async fn one(_: Payloads, call: Call, Path(id): Path<String>) -> Answered {
    call.params(&[])?;
    let unknown = || ApiError::new(ProblemType::RouteNotFound);
    let id = id.parse::<u64>().ok().filter(|id| 0 < *id).ok_or_else(unknown)?;
    let spool = call.state.spool.clone();
    let rows = tokio::task::spawn_blocking(move || spool.quarantine(id - 1, 1, false)).await??;
    let row = rows.first().filter(|row| row.id == id).ok_or_else(unknown)?;
    answer::json(&tell(row, usize::MAX))
}

fn read_rows(
    spool: &SpoolReader,
    before: Option<u64>,
    wanted: usize,
) -> Result<Vec<answers::QuarantineRow>, SpoolError> {
    // 0 means from the newest.
    let mut before = before.unwrap_or(0);
    let mut told = Vec::with_capacity(wanted);
    while told.len() < wanted {
        let ask = READ_ROWS.min(wanted - told.len());
        let rows = spool.quarantine(before, ask, true)?;
        told.extend(rows.iter().map(|row| tell(row, LIST_PAYLOAD_BYTES)));
        match rows.last() {
            Some(last) if rows.len() == ask => before = last.id,
            Some(_) | None => break,
        }
    }
    Ok(told)
}

fn tell(row: &QuarantineRow, payload_bytes: usize) -> answers::QuarantineRow {
    let shown = &row.payload[..row.payload.len().min(payload_bytes)];
    let printable = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    let start = &row.payload[..row.payload.len().min(4 * PREVIEW_CHARS)];
    let preview: String = String::from_utf8_lossy(start).chars().take(PREVIEW_CHARS).map(printable).collect();
    answers::QuarantineRow {
        id: row.id,
        received_at: row.received_at.into(),
        source: row.source.clone(),
        topic: row.topic.clone(),
        reading: row.reading.clone(),
        reason: row.reason,
        detail: row.detail.clone(),
        payload_bytes: row.payload.len(),
        payload_base64: BASE64_STANDARD.encode(shown),
        payload_complete: shown.len() == row.payload.len(),
        payload_text: preview,
    }
}
