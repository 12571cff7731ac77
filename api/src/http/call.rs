//! What every handler gets: the shared state, and the request without its body.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, request::Parts},
    response::Response,
};
use bakau_model::Language;
use bytes::Bytes;
use serde::Serialize;

use crate::{
    http::{answer, error::ApiError, language, query::Params},
    state::AppState,
};

/// What a handler gives.
pub(crate) type Answered = Result<Response, ApiError>;

/// A request to a handler.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: AppState,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl FromRequestParts<AppState> for Call {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self { state: state.clone(), uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

impl Call {
    /// The parameters of its query, read strictly ([`Params::parse`]).
    pub(crate) fn params(&self, allowed: &[&'static str]) -> Result<Params, ApiError> {
        Params::parse(&self.uri, allowed)
    }

    /// The language of its answer.
    pub(crate) fn language(&self) -> Language {
        language::of_request(&self.uri, &self.headers)
    }

    /// Sends some content with its entity tag, unless the client has it already.
    pub(crate) fn tagged(&self, content: Bytes, response: impl FnOnce(Bytes) -> Response) -> Response {
        answer::conditional(&self.headers, &answer::etag(&content), || response(content))
    }

    /// An answer that changes with the registry or with what is drawn from it, sent again only when it has changed.
    pub(crate) fn registered<T: Serialize>(&self, value: &T) -> Answered {
        Ok(self.tagged(serde_json::to_vec(value)?.into(), answer::json_bytes))
    }
}
