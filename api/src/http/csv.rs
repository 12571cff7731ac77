//! CSV answers: files that spreadsheets, R and pandas open as they are.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bakau_model::DatastreamName;

/// A text that no spreadsheet takes for a formula. Numbers are left alone: `-1.5` is a value.
pub(crate) fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        Some(_) | None => text.to_owned(),
    }
}

/// A file with the values of a datastream, named after it and `part`, which tells such files apart.
pub(crate) fn attachment(datastream: &DatastreamName, part: &str, body: Body) -> Response {
    let name = datastream.as_str().replace(['/', '@'], "_");
    let disposition = format!("attachment; filename=\"{name}_{part}.csv\"");
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], body).into_response();
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
