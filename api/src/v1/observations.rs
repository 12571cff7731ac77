//! `GET /api/v1/observations`: history of one datastream, in pages (JSON) or as one download (CSV).
//!
//! A page is bounded by `limit` and names the next one; a download streams page after page from the store, so that
//! a decade costs no more memory than an hour.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bakau_model::{DAY_MS, QualityTest, UtcMillis};
use bakau_registry::Datastream;
use bakau_store::{RangeQuery, StoredObservation};
use bytes::Bytes;

use crate::{
    http::{
        answer,
        call::{Answered, Call},
        csv,
        error::{ApiError, ProblemType},
        page_token::PageToken,
        query::{self, FileFormat, Flags, Span},
    },
    read::{
        export::{CsvStream, PAGE_ROWS},
        rows::RowWriter,
    },
    state::AppState,
    v1::catalogue::{self, HistoryAsked},
};

/// A day of one-minute values fits; what an interactive client can use at once.
const DEFAULT_LIMIT: usize = 1_000;
/// A week of one-minute values fits; about 3 MB of JSON.
const MAX_LIMIT: usize = 20_000;
/// The range without `from`.
const DEFAULT_RANGE_MS: i64 = DAY_MS;

/// Every parameter of this route.
const PARAMETERS: [&str; 8] = ["datastream", "from", "to", "flags", "limit", "cursor", "format", "local"];

/// What was asked for, checked.
struct Asked<'a> {
    datastream: &'a Datastream,
    span: Span,
    after: Option<UtcMillis>,
    limit: Option<usize>,
    format: FileFormat,
    flags: Flags,
    flag_words: &'a str,
    /// JSON rows carry the local time, too.
    local: bool,
    zone_name: &'a str,
}

/// The observations of a datastream in `[from, to)`, earliest first.
pub(crate) async fn observations(call: Call) -> Answered {
    let asked = HistoryAsked::read(&call, &PARAMETERS, DEFAULT_RANGE_MS)?;
    let HistoryAsked { params, snapshot, datastream, span, format } = &asked;
    let (datastream, span, format) = (&**datastream, *span, *format);
    let after = match params.text("cursor") {
        None => None,
        Some(text) => {
            let token = PageToken::decode(text, datastream.number, span);
            Some(token.ok_or_else(|| ApiError::new(ProblemType::InvalidCursor).with("parameter", "cursor"))?.after)
        }
    };
    let limit = params.number("limit", 1..=MAX_LIMIT)?;
    let zone_name = snapshot.zone_name(&datastream.station);
    let (flags, flag_words) = (params.flags()?, params.text("flags").unwrap_or_default());
    let local = params.flag("local")?.unwrap_or(false);
    let asked = Asked { datastream, span, after, limit, format, flags, flag_words, local, zone_name };
    let rows = RowWriter::new(datastream, catalogue::zone(snapshot, &datastream.station));
    match (format, limit) {
        // A download is whole unless a limit is asked for.
        (FileFormat::Csv, None) => download(&call.state, &asked, rows),
        (FileFormat::Csv | FileFormat::Json, _) => page(&call, &asked, rows).await,
    }
}

fn download(state: &AppState, asked: &Asked<'_>, rows: RowWriter) -> Answered {
    let permit = Arc::clone(&state.own.exports).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(10))?;
    let name = asked.datastream.name.clone();
    let query = range_query(asked, PAGE_ROWS);
    let stream = CsvStream::new(Arc::clone(&state.store), name, query, asked.flags, rows, permit);
    Ok(csv_response(asked, Body::from_stream(stream.into_stream())))
}

async fn page(call: &Call, asked: &Asked<'_>, mut rows: RowWriter) -> Answered {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    // One more than asked for tells whether there is a next page.
    let mut found = read(&call.state, asked, limit + 1).await?;
    let last = answer::last_before_more(&mut found, limit);
    let next = last.map(|last| next_address(asked, last.observation.observed_at, limit));
    let body: Bytes = match asked.format {
        FileFormat::Json => json_body(asked, &mut rows, &found, next.as_deref()),
        FileFormat::Csv => {
            let mut csv = rows.csv_header().to_vec();
            rows.csv(&mut csv, &found);
            csv.into()
        }
    };
    let response = call.tagged(body, |body| match asked.format {
        FileFormat::Json => answer::json_bytes(body),
        FileFormat::Csv => csv_response(asked, body.into()),
    });
    Ok(answer::with_next(response, next.as_deref()))
}

/// Reads until there are `wanted` rows with the flags asked for, or the range ends.
async fn read(state: &AppState, asked: &Asked<'_>, wanted: usize) -> Result<Vec<StoredObservation>, ApiError> {
    let mut query = range_query(asked, wanted);
    let mut rows = Vec::new();
    loop {
        let found = state.store.observations(&query).await?;
        let last = found.last().filter(|_| found.len() == wanted).map(|last| last.observation.observed_at);
        if asked.flags == Flags::ALL {
            return Ok(found);
        }
        rows.extend(found.into_iter().filter(|row| asked.flags.contain(row.observation.flag)));
        if wanted <= rows.len() || last.is_none() {
            rows.truncate(wanted);
            return Ok(rows);
        }
        query.after = last;
    }
}

/// The answer around the rows; names and units are the only texts that need escaping.
fn json_body(asked: &Asked<'_>, rows: &mut RowWriter, found: &[StoredObservation], next: Option<&str>) -> Bytes {
    let mut out = b"{\"datastream\":".to_vec();
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut out, asked.datastream.name.as_str());
    out.extend_from_slice(b",\"unit\":");
    let _ = serde_json::to_writer(&mut out, asked.datastream.unit.as_str());
    out.extend_from_slice(b",\"time_zone\":");
    let _ = serde_json::to_writer(&mut out, asked.zone_name);
    out.extend_from_slice(b",\"tests\":");
    let _ = serde_json::to_writer(&mut out, &QualityTest::ALL.map(QualityTest::key));
    out.extend_from_slice(b",\"observations\":[");
    rows.json(&mut out, found, asked.local);
    out.extend_from_slice(b"],\"next\":");
    let _ = serde_json::to_writer(&mut out, &next);
    out.push(b'}');
    out.into()
}

fn range_query(asked: &Asked<'_>, limit: usize) -> RangeQuery {
    RangeQuery { after: asked.after, ..asked.span.query(asked.datastream.number, limit) }
}

fn next_address(asked: &Asked<'_>, after: UtcMillis, limit: usize) -> String {
    let token = PageToken { datastream: asked.datastream.number, after, span: asked.span }.encode();
    let format = asked.format.key();
    // Both ends are written out: "the last 24 hours" would be another range by the time the next page is read.
    let flags =
        if asked.flag_words.is_empty() { String::new() } else { format!("&flags={}", query::encode(asked.flag_words)) };
    let local = if asked.local { "&local=true" } else { "" };
    format!(
        "/api/v1/observations?datastream={}&from={}&to={}{flags}{local}&limit={limit}&format={format}&cursor={token}",
        query::encode(asked.datastream.name.as_str()),
        query::encode(&asked.span.from.to_string()),
        query::encode(&asked.span.to.to_string()),
    )
}

fn csv_response(asked: &Asked<'_>, body: Body) -> Response {
    let day = |at: UtcMillis| at.to_string().chars().take(10).collect::<String>();
    let last = asked.span.to.saturating_add(-1);
    csv::attachment(&asked.datastream.name, &format!("{}_{}", day(asked.span.from), day(last)), body)
}
