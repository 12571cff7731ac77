//! What happens around every handler: limits, panics, counting, problem documents and headers.

use std::{any::Any, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use bakau_model::Language;
use tokio::time::Instant;

use crate::{
    http::{
        admission::{Lane, with_whole_body},
        answer,
        error::{ApiError, ProblemType},
        language, metrics,
    },
    pages::views,
    state::AppState,
};

/// Longest time until an answer begins; a stream that has begun may go on.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Route label of requests that match no route.
const NO_ROUTE: &str = "none";
/// Media type of problem documents (RFC 9457).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// Scripts, styles and pictures only from here, nothing inline, shown in no other site's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Headers every answer carries unless its handler chose its own.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Waits for the body, then takes on a bounded number of requests and gives each a bounded time.
pub(crate) async fn limits(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let lane = Lane::of(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let request = match with_whole_body(request).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let Some(_place) = state.own.admission.admit(lane) else {
        return ApiError::new(ProblemType::Busy).retry_after(2).into_response();
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(ProblemType::Timeout).retry_after(10).into_response(),
    }
}

/// Gives compressed bytes a tag of their own and keeps shared caches out where reading is closed; outside the compression.
pub(crate) async fn caching(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let with_token = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) =
            headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).and_then(answer::tag_of_compressed)
        && let Ok(tag) = HeaderValue::from_str(&tag)
    {
        headers.insert(header::ETAG, tag);
    }
    let public = headers.get(header::CACHE_CONTROL).is_none_or(|value| value == "no-cache");
    if public && (with_token || !state.config.open_read) {
        // What was shown to the holder of the token is nobody else's.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
    }
    response
}

/// The answer to a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
pub(crate) fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    ApiError::defect(format!("handler panicked: {}", text.unwrap_or("no message"))).into_response()
}

/// Whether problems of a route with this path are told by a page.
pub(crate) type IsPage = fn(&str) -> bool;

/// Counts the answer, turns what went wrong into a document in the reader's language, and logs its cause.
pub(crate) async fn answers(
    State((state, is_page)): State<(AppState, IsPage)>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request, is_page);
    let started = Instant::now();
    let mut response = next.run(request).await;
    metrics::answered(asked.route(), &asked.method, response.status(), started.elapsed());
    if let Some(error) = problem_of(&mut response) {
        asked.log(&error);
        response = asked.render(&state, &error, response);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if response.status().is_client_error() || response.status().is_server_error() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The problem of an answer: a handler's own, or one made for a bare status from a layer below.
fn problem_of(response: &mut Response) -> Option<ApiError> {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return Some(error);
    }
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let written = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_ours = written.is_some_and(|kind| !kind.starts_with("text/plain"));
    (!is_ours).then(|| ApiError::new(ProblemType::from_status(status)))
}

/// What is remembered of a request while its answer is made.
struct Asked {
    uri: Uri,
    method: Method,
    route: Option<MatchedPath>,
    headers: HeaderMap,
    language: Language,
    is_page: IsPage,
}

impl Asked {
    fn of(request: &Request, is_page: IsPage) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(accept) = request.headers().get(header::ACCEPT) {
            headers.insert(header::ACCEPT, accept.clone());
        }
        Self {
            uri: request.uri().clone(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            headers,
            language: language::of_request(request.uri(), request.headers()),
            is_page,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str)
    }

    fn log(&self, error: &ApiError) {
        let Some(cause) = error.cause() else { return };
        let (route, problem) = (self.route(), error.kind().key());
        if error.kind() == ProblemType::Internal {
            tracing::error!(route, problem, cause, "request failed");
        } else {
            tracing::warn!(route, problem, cause, "request failed");
        }
    }

    /// People at a page get a page; programs get a problem document.
    fn wants_page(&self) -> bool {
        let accept = self.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match &self.route {
            Some(route) => (self.is_page)(route.as_str()),
            None => accept.contains("text/html") && !self.uri.path().starts_with("/api/"),
        }
    }

    fn render(&self, state: &AppState, error: &ApiError, bare: Response) -> Response {
        let (mut parts, _) = bare.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        let language = HeaderValue::from_static(self.language.tag());
        parts.headers.insert(header::CONTENT_LANGUAGE, language);
        parts.headers.append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        if self.wants_page()
            && let Some(page) = views::problem(state, error, &self.uri, self.language)
        {
            if parts.status == StatusCode::UNAUTHORIZED {
                // A browser can only ask for this one; it is accepted for reading alone.
                let basic = HeaderValue::from_static("Basic realm=\"bakau\", charset=\"UTF-8\"");
                parts.headers.insert(header::WWW_AUTHENTICATE, basic);
            }
            return (parts.status, parts.headers, Html(page)).into_response();
        }
        // Texts and a number: writing them cannot fail.
        let document = serde_json::to_vec(&error.document(self.uri.path(), self.language)).unwrap_or_default();
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        (parts.status, parts.headers, document).into_response()
    }
}

/// The answer to an address without a route.
pub(crate) async fn no_route() -> ApiError {
    ApiError::new(ProblemType::RouteNotFound)
}

/// The answer to a method a route does not have; axum adds the `Allow` header.
pub(crate) async fn wrong_method() -> ApiError {
    ApiError::new(ProblemType::MethodNotAllowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_defect_whose_words_go_to_the_log_only() {
        let mut response = panicked(Box::new("secret state"));
        let error = problem_of(&mut response).unwrap();
        assert_eq!((response.status(), error.kind()), (StatusCode::INTERNAL_SERVER_ERROR, ProblemType::Internal));
        assert!(error.cause().unwrap().contains("secret state"));
        assert!(!format!("{:?}", error.document("/", Language::En)).contains("secret state"));
    }

    #[test]
    fn a_bare_status_from_below_becomes_a_problem_and_a_written_answer_stays() {
        let mut bare = StatusCode::PAYLOAD_TOO_LARGE.into_response();
        assert_eq!(problem_of(&mut bare).unwrap().kind(), ProblemType::BodyTooLarge);
        let mut written =
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/json")]).into_response();
        assert!(problem_of(&mut written).is_none());
    }
}
