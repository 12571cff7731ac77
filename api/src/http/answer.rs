//! Small pieces of answers: JSON, entity tags and links.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

use crate::http::error::ApiError;

/// A value as JSON. Floating-point numbers that are not finite become `null`: nothing here ever sends NaN.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    Ok(json_bytes(serde_json::to_vec(value)?.into()))
}

/// A value as JSON that is true at this moment only: nobody keeps it.
pub(crate) fn json_of_now<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    let mut response = json(value)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Bytes that are JSON.
pub(crate) fn json_bytes(bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], Body::from(bytes))
        .into_response()
}

/// A strong entity tag of some content: the same tag is the same bytes. Compressed bytes get a tag of their own
/// ([`tag_of_compressed`]).
pub(crate) fn etag(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    etag_from(hasher.finish())
}

/// A strong entity tag of a hash.
pub(crate) fn etag_from(hash: u64) -> String {
    format!("\"{hash:016x}\"")
}

/// What is added to the tag of bytes that were compressed on their way out.
const COMPRESSED: &str = "-gzip\"";

/// The tag of the compressed form of what has `etag`; weak tags promise nothing about bytes and stay as they are.
pub(crate) fn tag_of_compressed(etag: &str) -> Option<String> {
    let strong = etag.strip_prefix('"').is_some();
    let open = etag.strip_suffix('"').filter(|_| strong && !etag.ends_with(COMPRESSED))?;
    Some(format!("{open}{COMPRESSED}"))
}

/// The tag with which the client already has this content (RFC 9110, weak comparison), in the form it has it.
fn tag_at_hand(headers: &HeaderMap, etag: &str) -> Option<String> {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let ours = etag.trim_start_matches("W/");
    let compressed = tag_of_compressed(ours);
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    let same = |tag: &&str| {
        let plain = tag.trim_start_matches("W/");
        *tag == "*" || plain == ours || compressed.as_deref() == Some(plain)
    };
    tags.find(same).map(|tag| if tag == "*" { etag.to_owned() } else { tag.to_owned() })
}

/// Whether the client already has the content of this tag.
pub(crate) fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    tag_at_hand(headers, etag).is_some()
}

/// Sends `response` with its tag, or 304 where the client has it already.
pub(crate) fn conditional(headers: &HeaderMap, etag: &str, response: impl FnOnce() -> Response) -> Response {
    let at_hand = tag_at_hand(headers, etag);
    let mut answer = match &at_hand {
        Some(_) => (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, "no-cache")]).into_response(),
        None => response(),
    };
    if let Ok(value) = HeaderValue::from_str(at_hand.as_deref().unwrap_or(etag)) {
        answer.headers_mut().insert(header::ETAG, value);
    }
    answer
}

/// Cuts what was found, which is one more than asked for where there is more, down to a page; the last of it where another
/// page follows.
pub(crate) fn last_before_more<T>(found: &mut Vec<T>, limit: usize) -> Option<&T> {
    let more = limit < found.len();
    found.truncate(limit);
    found.last().filter(|_| more)
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
    fn a_client_that_has_the_content_in_either_form_gets_304_with_its_own_tag() {
        let tag = etag(&"content");
        let answered = |value: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            let answer = conditional(&headers, &tag, || StatusCode::OK.into_response());
            (answer.status().as_u16(), answer.headers()[header::ETAG].to_str().unwrap().to_owned())
        };
        assert_eq!(answered(&tag), (304, tag.clone()));
        let compressed = tag_of_compressed(&tag).unwrap();
        assert_eq!(answered(&format!("\"x\", {compressed}")), (304, compressed));
        assert_eq!(answered(&format!("W/{tag}")), (304, format!("W/{tag}")));
        assert_eq!(answered("*"), (304, tag.clone()));
        assert_eq!(answered("\"x\""), (200, tag.clone()));
        assert_ne!(tag, etag(&"other"));
    }

    #[test]
    fn only_strong_tags_get_another_one_when_compressed_and_only_once() {
        let compressed = tag_of_compressed("\"1\"").unwrap();
        assert_eq!(compressed, "\"1-gzip\"");
        assert_eq!(tag_of_compressed(&compressed), None);
        assert_eq!(tag_of_compressed("W/\"1\""), None);
    }
}
