//! Who may do what: one admin token guards every write and every route that shows payloads or people.
//!
//! A write handler takes a [`Writer`], a handler of payloads takes [`Payloads`]; neither can be made without the token,
//! so a route that forgets the check does not compile against what it needs (ADR 0008). The token has 128 random bits:
//! guessing it is hopeless, so the limit on wrong attempts spares the log and the registry, and the right token always
//! passes: a stranger who floods this door must not be able to lock the people on duty out.

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bakau_model::Principal;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::{
    http::error::{ApiError, ProblemType},
    state::AppState,
};

/// Wrong tokens answered with 401 within one window; further ones get 429.
const MAX_FAILURES: u32 = 20;
/// Length of the window.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// How long the stored hash is remembered, so that a flood of tokens is not a flood of database reads.
const HASH_LIFETIME: Duration = Duration::from_secs(1);
/// A token is 32 characters; a longer text is no token and is not hashed.
const MAX_TOKEN_BYTES: usize = 256;

/// The digest under which the admin token is kept: SHA-256 of its text.
#[must_use]
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Checks tokens; holds two small values whoever knocks.
#[derive(Debug, Default)]
pub(crate) struct TokenGuard {
    failures: Mutex<Option<(Instant, u32)>>,
    known: Mutex<Option<(Instant, Option<[u8; 32]>)>>,
}

impl TokenGuard {
    /// Counts a wrong token; true when there have been too many within the window.
    fn failed_too_often(&self, now: Instant) -> bool {
        let mut failures = self.failures.lock();
        let (since, count) = match *failures {
            Some((since, count)) if now.duration_since(since) < FAILURE_WINDOW => (since, count.saturating_add(1)),
            Some(_) | None => (now, 1),
        };
        *failures = Some((since, count));
        MAX_FAILURES < count
    }
}

/// The stored hash, at most a second old.
async fn stored_hash(state: &AppState) -> Result<Option<[u8; 32]>, ApiError> {
    let now = Instant::now();
    let known = *state.own.token.known.lock();
    if let Some((at, hash)) = known
        && now.duration_since(at) < HASH_LIFETIME
    {
        return Ok(hash);
    }
    let read = state.registry.admin_token_hash().await;
    let hash = read.map_err(|error| ApiError::caused(ProblemType::RegistryUnavailable, &error))?;
    // "No token yet" is not remembered: whoever has just made one may use it at once.
    *state.own.token.known.lock() = hash.map(|hash| (now, Some(hash)));
    Ok(hash)
}

/// Checks a presented token.
async fn check(state: &AppState, presented: Option<&str>) -> Result<(), ApiError> {
    let Some(expected) = stored_hash(state).await? else {
        return Err(ApiError::new(ProblemType::TokenNotSet));
    };
    let Some(presented) = presented else {
        return Err(ApiError::new(ProblemType::TokenRequired));
    };
    let plausible = presented.len() <= MAX_TOKEN_BYTES;
    if plausible && bool::from(hash_token(presented).ct_eq(&expected)) {
        return Ok(());
    }
    if state.own.token.failed_too_often(Instant::now()) {
        let seconds = u32::try_from(FAILURE_WINDOW.as_secs()).unwrap_or(u32::MAX);
        return Err(ApiError::new(ProblemType::TooManyAttempts).retry_after(seconds));
    }
    Err(ApiError::new(ProblemType::TokenRequired))
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| value.trim())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    credentials(headers, "bearer").map(str::to_owned)
}

/// Bearer, or the password of Basic: a browser can ask for that one, and it is only taken for reading, because browsers
/// send it along on requests that other sites cause.
fn bearer_or_basic(headers: &HeaderMap) -> Option<String> {
    bearer(headers).or_else(|| {
        let plain = BASE64_STANDARD.decode(credentials(headers, "basic")?).ok()?;
        let (_, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
        Some(password.to_owned())
    })
}

/// Proof that the request may change something. Every write handler takes one.
#[derive(Debug)]
pub struct Writer(());

impl Writer {
    /// Checks the token a form carries in its body; a body cannot be forged by another site that lacks the token.
    pub(crate) async fn from_form(state: &AppState, token: &str) -> Result<Self, ApiError> {
        check(state, Some(token)).await.map(|()| Self(()))
    }

    /// The person on record, by the name they gave.
    pub(crate) fn named(&self, name: &str) -> Principal {
        Principal::Admin(name.to_owned())
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        check(state, bearer(&parts.headers).as_deref()).await.map(|()| Self(()))
    }
}

/// Proof that the request may see payloads and people.
#[derive(Debug)]
pub struct Payloads(());

impl FromRequestParts<AppState> for Payloads {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        check(state, bearer_or_basic(&parts.headers).as_deref()).await.map(|()| Self(()))
    }
}

/// Whether an open route may also show people: yes with the token, no without, refused with a wrong one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeesPeople(pub(crate) bool);

impl FromRequestParts<AppState> for SeesPeople {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match bearer_or_basic(&parts.headers) {
            None => Ok(Self(false)),
            Some(token) => check(state, Some(&token)).await.map(|()| Self(true)),
        }
    }
}

/// Guards the reading routes where the configuration closes them.
pub(crate) async fn require_reader(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.config.open_read
        && let Err(error) = check(&state, bearer_or_basic(request.headers()).as_deref()).await
    {
        return error.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_browser_may_read_with_basic_but_only_bearer_may_write() {
        let basic = headers(&format!("Basic {}", BASE64_STANDARD.encode("any:secret")));
        assert_eq!(bearer_or_basic(&basic).as_deref(), Some("secret"));
        assert_eq!(bearer(&basic), None);
        assert_eq!(bearer(&headers("bearer secret")).as_deref(), Some("secret"));
        assert_eq!(bearer_or_basic(&headers("Digest secret")), None);
        assert_eq!(bearer_or_basic(&headers("Basic %%%")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_limited_by_the_minute() {
        let guard = TokenGuard::default();
        let start = Instant::now();
        for _ in 0..MAX_FAILURES {
            assert!(!guard.failed_too_often(start));
        }
        assert!(guard.failed_too_often(start));
        assert!(!guard.failed_too_often(start + FAILURE_WINDOW));
    }
}
