//! `GET /api/v1/observations`: history of one datastream, in pages (JSON) or as one download (CSV).
//!
//! A page is bounded by `limit` and names the next one; a download streams page after page from the store, so that
//! a decade costs no more memory than an hour.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use bakau_model::UtcMillis;
use bakau_registry::Datastream;
use bakau_store::{RangeQuery, StoredObservation};
use serde::Serialize;

use crate::{
    answer, catalogue,
    error::{ApiError, ProblemType},
    export::{self, CsvStream},
    page_token::PageToken,
    query::{self, Params, Span},
    state::AppState,
};

/// A day of one-minute values fits; what an interactive client can use at once.
const DEFAULT_LIMIT: usize = 1_000;
/// About 2 MB of JSON.
const MAX_LIMIT: usize = 10_000;
/// The range without `from`.
const DEFAULT_RANGE_MS: i64 = 86_400_000;

/// Every parameter of this route.
const PARAMETERS: [&str; 6] = ["datastream", "from", "to", "limit", "cursor", "format"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// What was asked for, checked.
struct Asked<'a> {
    datastream: &'a Datastream,
    span: Span,
    after: Option<UtcMillis>,
    limit: Option<usize>,
    format: Format,
}

/// The observations of a datastream in `[from, to)`, earliest first.
pub(crate) async fn observations(State(state): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &PARAMETERS)?;
    let snapshot = state.snapshot();
    let name = params.datastream()?.ok_or_else(|| query::required("datastream", "station/parameter"))?;
    let datastream = catalogue::find_datastream(&snapshot, &name)?;
    let span = params.span(state.clock.now(), DEFAULT_RANGE_MS)?;
    let after = match params.text("cursor") {
        None => None,
        Some(text) => {
            let token = PageToken::decode(text, datastream.number, span);
            Some(token.ok_or_else(|| ApiError::new(ProblemType::InvalidCursor).with("parameter", "cursor"))?.after)
        }
    };
    let format = params.choice("format", &[("json", Format::Json), ("csv", Format::Csv)])?.unwrap_or(Format::Json);
    let limit = params.number("limit", 1..=MAX_LIMIT as u64)?.and_then(|limit| usize::try_from(limit).ok());
    let asked = Asked { datastream, span, after, limit, format };
    match (format, limit) {
        // A download is whole unless a limit is asked for.
        (Format::Csv, None) => download(&state, &asked),
        (Format::Csv | Format::Json, _) => page(&state, &asked).await,
    }
}

fn download(state: &AppState, asked: &Asked<'_>) -> Result<Response, ApiError> {
    let permit = Arc::clone(&state.own.exports).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(10))?;
    let stream = CsvStream::new(state, asked.datastream, asked.span, asked.after, permit);
    Ok(csv_response(asked, Body::from_stream(stream.into_stream())))
}

async fn page(state: &AppState, asked: &Asked<'_>) -> Result<Response, ApiError> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    // One more than asked for tells whether there is a next page.
    let query = range_query(asked, limit + 1);
    let found = state.store.observations(&query).await;
    let mut rows = found.map_err(|error| ApiError::caused(ProblemType::StoreUnavailable, &error))?;
    let more = limit < rows.len();
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| next_address(asked, last.observation.observed_at, limit));
    let response = match asked.format {
        Format::Json => answer::json(&Page::new(asked.datastream, &rows, next.as_deref()))?,
        Format::Csv => {
            let mut csv = export::header()?;
            csv.extend_from_slice(&export::rows(asked.datastream, &rows)?);
            csv_response(asked, csv.into())
        }
    };
    Ok(answer::with_next(response, next.as_deref()))
}

fn range_query(asked: &Asked<'_>, limit: usize) -> RangeQuery {
    RangeQuery {
        datastream: asked.datastream.number,
        from: asked.span.from,
        to: asked.span.to,
        after: asked.after,
        limit,
        newest_first: false,
    }
}

fn next_address(asked: &Asked<'_>, after: UtcMillis, limit: usize) -> String {
    let token = PageToken { datastream: asked.datastream.number, after, span: asked.span }.encode();
    let format = match asked.format {
        Format::Json => "json",
        Format::Csv => "csv",
    };
    // Both ends are written out: "the last 24 hours" would be another range by the time the next page is read.
    format!(
        "/api/v1/observations?datastream={}&from={}&to={}&limit={limit}&format={format}&cursor={token}",
        query::encode(asked.datastream.name.as_str()),
        query::encode(&asked.span.from.to_string()),
        query::encode(&asked.span.to.to_string()),
    )
}

fn csv_response(asked: &Asked<'_>, body: Body) -> Response {
    let day = |at: UtcMillis| at.to_string().chars().take(10).collect::<String>();
    let name: String = asked.datastream.name.as_str().replace(['/', '@'], "_");
    let last = asked.span.to.saturating_add(-1);
    let disposition = format!("attachment; filename=\"{name}_{}_{}.csv\"", day(asked.span.from), day(last));
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], body).into_response();
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    datastream: &'a str,
    unit: &'a str,
    observations: Vec<Row>,
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Row {
    observed_at: String,
    value: Option<f64>,
    flag: u8,
    time_source: &'static str,
    received_at: String,
    revision: u32,
}

impl<'a> Page<'a> {
    fn new(datastream: &'a Datastream, rows: &[StoredObservation], next: Option<&'a str>) -> Self {
        let row = |stored: &StoredObservation| Row {
            observed_at: answer::time(stored.observation.observed_at),
            value: stored.observation.value,
            flag: stored.observation.flag.code(),
            time_source: stored.observation.time_source.key(),
            received_at: answer::time(stored.observation.received_at),
            revision: stored.revision,
        };
        Self {
            datastream: datastream.name.as_str(),
            unit: datastream.unit.as_str(),
            observations: rows.iter().map(row).collect(),
            next,
        }
    }
}
