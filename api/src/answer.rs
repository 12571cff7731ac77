//! Small pieces of answers: JSON, entity tags, links and times.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bakau_model::{Text, UtcMillis};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::ApiError;

/// A value as JSON. Floating-point numbers that are not finite become `null`: nothing here ever sends NaN.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(value).map_err(|error| ApiError::defect(error.to_string()))?;
    Ok(json_bytes(bytes.into()))
}

/// Bytes that are JSON.
pub(crate) fn json_bytes(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], Body::from(bytes))
        .into_response()
}

/// An instant as the API writes it: RFC 3339, UTC.
pub(crate) fn time(at: UtcMillis) -> String {
    at.to_string()
}

/// A text in both languages.
pub(crate) fn text(text: &Text) -> Value {
    json!({ "id": text.id, "en": text.en })
}

/// A weak entity tag of some content; weak, because compression may change the bytes but not the meaning.
pub(crate) fn etag(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Whether the client already has the content of this tag (RFC 9110, weak comparison).
pub(crate) fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let ours = plain(etag);
    lines.flat_map(|line| line.split(',')).any(|tag| tag.trim() == "*" || plain(tag) == ours)
}

/// Sends `response` with its tag, or 304 where the client has it already.
pub(crate) fn conditional(headers: &HeaderMap, etag: &str, response: impl FnOnce() -> Response) -> Response {
    let mut answer = if not_modified(headers, etag) {
        (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, "no-cache")]).into_response()
    } else {
        response()
    };
    if let Ok(value) = HeaderValue::from_str(etag) {
        answer.headers_mut().insert(header::ETAG, value);
    }
    answer
}

/// Adds the address of the next page, as JSON answers also name in `next`.
pub(crate) fn with_next(mut response: Response, next: Option<&str>) -> Response {
    if let Some(value) = next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_the_content_gets_304() {
        let tag = etag(&"content");
        let with = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        assert!(not_modified(&with(&tag), &tag));
        assert!(not_modified(&with(&format!("\"x\", {}", tag.trim_start_matches("W/"))), &tag));
        assert!(not_modified(&with("*"), &tag));
        assert!(!not_modified(&with("\"x\""), &tag));
        assert!(!not_modified(&HeaderMap::new(), &tag));
        assert_ne!(tag, etag(&"other"));
    }
}
