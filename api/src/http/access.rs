//! Who may do what: one admin token guards every write and every route that shows payloads or people.
//!
//! A write handler takes a [`Writer`], a handler of payloads takes [`Payloads`]; neither can be made without the token,
//! so a route that forgets the check does not compile against what it needs (ADR 0008).

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bakau_model::Principal;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{http::error::ApiError, state::AppState};

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
pub(crate) struct Writer(());

impl Writer {
    /// Checks the token a form carries in its body; a body cannot be forged by another site that lacks the token.
    pub(crate) async fn from_form(state: &AppState, token: &str) -> Result<Self, ApiError> {
        state.own.token.check(Some(token)).await.map(|()| Self(()))
    }

    /// The person on record, by the name they gave.
    pub(crate) fn named(&self, name: &str) -> Principal {
        Principal::Admin(name.to_owned())
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        state.own.token.check(bearer(&parts.headers).as_deref()).await.map(|()| Self(()))
    }
}

/// Proof that the request may see payloads and people.
#[derive(Debug)]
pub(crate) struct Payloads(());

impl FromRequestParts<AppState> for Payloads {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        state.own.token.check(bearer_or_basic(&parts.headers).as_deref()).await.map(|()| Self(()))
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
            Some(token) => state.own.token.check(Some(&token)).await.map(|()| Self(true)),
        }
    }
}

/// Guards the reading routes where the configuration closes them.
pub(crate) async fn require_reader(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !state.config.open_read
        && let Err(error) = state.own.token.check(bearer_or_basic(request.headers()).as_deref()).await
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
}
