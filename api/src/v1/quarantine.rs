//! `GET /api/v1/quarantine` and `quarantine/{id}`: what arrived and could not be used, with the reason. Token only,
//! because payloads are shown.

use axum::{
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use bakau_spool::{QuarantineRow, SpoolError, SpoolReader};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    http::{
        access::Payloads,
        answer,
        error::{ApiError, ProblemType},
        query::Params,
    },
    state::AppState,
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
pub(crate) async fn list(_: Payloads, State(state): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["before", "limit"])?;
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let before = params.number("before", 1..=u64::MAX)?;
    let spool = state.spool.clone();
    let read = tokio::task::spawn_blocking(move || read_rows(&spool, before, limit + 1)).await;
    let mut rows = read.map_err(|error| ApiError::defect(error.to_string()))?.map_err(|error| unreadable(&error))?;
    let more = limit < rows.len();
    rows.truncate(limit);
    let next = rows.last().filter(|_| more);
    let next = next.map(|last| format!("/api/v1/quarantine?limit={limit}&before={}", last["id"]));
    let response = answer::json(&json!({ "quarantine": rows, "next": next }))?;
    Ok(answer::with_next(response, next.as_deref()))
}

/// One row with its whole payload.
pub(crate) async fn one(
    _: Payloads,
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let unknown = || ApiError::new(ProblemType::RouteNotFound);
    let id = id.parse::<u64>().ok().filter(|id| 0 < *id).ok_or_else(unknown)?;
    let spool = state.spool.clone();
    let read = tokio::task::spawn_blocking(move || spool.quarantine(id - 1, 1, false)).await;
    let rows = read.map_err(|error| ApiError::defect(error.to_string()))?.map_err(|error| unreadable(&error))?;
    let row = rows.first().filter(|row| row.id == id).ok_or_else(unknown)?;
    answer::json(&row_value(row, usize::MAX))
}

fn unreadable(error: &SpoolError) -> ApiError {
    ApiError::caused(ProblemType::SpoolUnavailable, error)
}

fn read_rows(spool: &SpoolReader, before: Option<u64>, wanted: usize) -> Result<Vec<Value>, SpoolError> {
    // 0 means from the newest.
    let mut before = before.unwrap_or(0);
    let mut values = Vec::with_capacity(wanted);
    while values.len() < wanted {
        let ask = READ_ROWS.min(wanted - values.len());
        let rows = spool.quarantine(before, ask, true)?;
        values.extend(rows.iter().map(|row| row_value(row, LIST_PAYLOAD_BYTES)));
        match rows.last() {
            Some(last) if rows.len() == ask => before = last.id,
            Some(_) | None => break,
        }
    }
    Ok(values)
}

fn row_value(row: &QuarantineRow, payload_bytes: usize) -> Value {
    let shown = &row.payload[..row.payload.len().min(payload_bytes)];
    let printable = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    let start = &row.payload[..row.payload.len().min(4 * PREVIEW_CHARS)];
    let preview: String = String::from_utf8_lossy(start).chars().take(PREVIEW_CHARS).map(printable).collect();
    json!({
        "id": row.id,
        "received_at": answer::time(row.received_at),
        "source": row.source,
        "topic": row.topic,
        "reading": row.reading,
        "reason": row.reason.key(),
        "detail": row.detail,
        "payload_bytes": row.payload.len(),
        "payload_base64": BASE64_STANDARD.encode(shown),
        "payload_complete": shown.len() == row.payload.len(),
        "payload_text": preview,
    })
}
