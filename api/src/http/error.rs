//! The error model of HTTP: problem details (RFC 9457) with stable message keys.
//!
//! A handler returns [`ApiError`]; it says which [`ProblemType`] happened, with the values a person needs, and may carry
//! an internal cause. Nothing is written in any language here: the outermost layer (`http::layers`) knows the language and whether
//! the reader is a program or a person at a page, renders once and logs the cause once. The cause never leaves the server.

use std::{collections::BTreeMap, error::Error, fmt::Write as _};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bakau_answers::Problem;
use bakau_dashboards::{chart::ChartError, page::PageError};
use bakau_model::{Language, UtcMillis};
use bakau_registry::RegistryError;
use bakau_spool::SpoolError;
use bakau_store::StoreError;
use tokio::{sync::AcquireError, task::JoinError};

use crate::http::language::texts;

bakau_model::words! {
    /// Every kind of problem this API answers with. The key is part of the API: it never changes its meaning.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) enum ProblemType {
        /// A query parameter is missing, unknown, repeated or has a value that is not allowed.
        InvalidParameter => "invalid-parameter",
        /// The paging token is damaged or belongs to another query.
        InvalidCursor => "invalid-cursor",
        /// The request body is not what the route expects.
        InvalidBody => "invalid-body",
        /// The route needs the admin token, and none or a wrong one was given.
        TokenRequired => "token-required",
        /// No admin token has been made yet, so nothing may be written.
        TokenNotSet => "token-not-set",
        /// Too many wrong tokens within a minute.
        TooManyAttempts => "too-many-attempts",
        /// No such address.
        RouteNotFound => "route-not-found",
        /// No such station.
        StationNotFound => "station-not-found",
        /// No such datastream.
        DatastreamNotFound => "datastream-not-found",
        /// No such alert.
        AlertNotFound => "alert-not-found",
        /// No such rule.
        RuleNotFound => "rule-not-found",
        /// The address exists, but not with this method.
        MethodNotAllowed => "method-not-allowed",
        /// Somebody acknowledged this alert before.
        AlreadyAcknowledged => "already-acknowledged",
        /// The alert is over; there is nothing to acknowledge.
        AlertClosed => "alert-closed",
        /// The request body is larger than the route accepts.
        BodyTooLarge => "body-too-large",
        /// The request body did not arrive in time.
        BodyTooSlow => "body-too-slow",
        /// The request body is of a type the route does not read.
        UnsupportedMediaType => "unsupported-media-type",
        /// The range holds more observations than one chart may read.
        RangeTooLarge => "range-too-large",
        /// More work is in progress than this server takes at once.
        Busy => "busy",
        /// The store of observations does not answer.
        StoreUnavailable => "store-unavailable",
        /// The spool cannot be read.
        SpoolUnavailable => "spool-unavailable",
        /// The alert database does not answer.
        AlertsUnavailable => "alerts-unavailable",
        /// The registry does not answer.
        RegistryUnavailable => "registry-unavailable",
        /// The answer took too long.
        Timeout => "timeout",
        /// A defect of Bakau.
        Internal => "internal",
    }
}

impl ProblemType {
    /// The HTTP status it is answered with.
    #[must_use]
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidParameter | Self::InvalidCursor | Self::InvalidBody | Self::RangeTooLarge => {
                StatusCode::BAD_REQUEST
            }
            Self::TokenRequired => StatusCode::UNAUTHORIZED,
            Self::TokenNotSet => StatusCode::FORBIDDEN,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::RouteNotFound
            | Self::StationNotFound
            | Self::DatastreamNotFound
            | Self::AlertNotFound
            | Self::RuleNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::AlreadyAcknowledged | Self::AlertClosed => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy
            | Self::StoreUnavailable
            | Self::SpoolUnavailable
            | Self::AlertsUnavailable
            | Self::RegistryUnavailable
            | Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The kind for a bare status from a layer below.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::RouteNotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::REQUEST_TIMEOUT => Self::BodyTooSlow,
            status if status.is_client_error() => Self::InvalidParameter,
            _ => Self::Internal,
        }
    }

    /// Short title for people.
    pub(crate) fn title(self, language: Language) -> String {
        texts(language).fill(&self.message("title"), &[])
    }

    /// Key of a message of its own.
    fn message(self, of: &str) -> String {
        format!("{of}_{}", self.key().replace('-', "_"))
    }
}

/// Longest excerpt of what a client sent that is repeated back to it, in characters.
const MAX_ECHO_CHARS: usize = 80;

/// A problem on its way to the client: public parts by key and value, and a cause that stays here.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    kind: ProblemType,
    /// Another detail message than the kind's own.
    detail: Option<&'static str>,
    values: Vec<(&'static str, String)>,
    fields: BTreeMap<String, String>,
    retry_after_s: Option<u32>,
    cause: Option<String>,
}

impl ApiError {
    /// A problem whose detail needs no values.
    #[must_use]
    pub(crate) fn new(kind: ProblemType) -> Self {
        Self { kind, detail: None, values: Vec::new(), fields: BTreeMap::new(), retry_after_s: None, cause: None }
    }

    /// A query parameter that cannot be used; `detail` is the message that says what is allowed.
    pub(crate) fn parameter(name: &str, given: Option<&str>, detail: &'static str) -> Self {
        let mut error = Self::new(ProblemType::InvalidParameter).detail(detail).with("parameter", name);
        if let Some(given) = given {
            error = error.with("given", given);
        }
        error
    }

    /// A body that cannot be used; `detail` is the message that says what is allowed.
    pub(crate) fn body(field: &str, detail: &'static str) -> Self {
        Self::new(ProblemType::InvalidBody).detail(detail).with("field", field)
    }

    /// A failure below, with everything known about it for the log.
    pub(crate) fn caused(kind: ProblemType, cause: &dyn Error) -> Self {
        let mut text = cause.to_string();
        let mut next = cause.source();
        while let Some(source) = next {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {source}");
            next = source.source();
        }
        let mut error = Self::new(kind);
        error.cause = Some(text);
        error
    }

    /// A defect, with what is known about it for the log.
    pub(crate) fn defect(cause: impl Into<String>) -> Self {
        let mut error = Self::new(ProblemType::Internal);
        error.cause = Some(cause.into());
        error
    }

    /// Another detail message than the kind's own.
    pub(crate) fn detail(mut self, key: &'static str) -> Self {
        self.detail = Some(key);
        self
    }

    /// A value shown in the detail text and as a field of its own; shortened when a client sent a long one.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let short: String = value.chars().take(MAX_ECHO_CHARS).collect();
        self.fields.insert(name.to_owned(), short.clone());
        self.values.push((name, short));
        self
    }

    /// A time shown in the detail text and as a field of its own.
    pub(crate) fn with_time(self, name: &'static str, at: UtcMillis) -> Self {
        self.with(name, &at.to_string())
    }

    /// Tells the client when to try again.
    pub(crate) const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// What happened.
    #[must_use]
    pub(crate) const fn kind(&self) -> ProblemType {
        self.kind
    }

    /// What the log says about it.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The detail text in one language.
    pub(crate) fn detail_text(&self, language: Language) -> String {
        let values: Vec<(&str, &str)> = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let key = self.detail.map_or_else(|| self.kind.message("detail"), str::to_owned);
        texts(language).fill(&key, &values)
    }

    /// The problem document (RFC 9457) in one language.
    pub(crate) fn document(&self, instance: &str, language: Language) -> Problem {
        let mut further = self.fields.clone();
        Problem {
            kind: format!("/problems/{}", self.kind.key()),
            title: self.kind.title(language),
            status: self.kind.status().as_u16(),
            detail: self.detail_text(language),
            instance: instance.to_owned(),
            parameter: further.remove("parameter"),
            given: further.remove("given"),
            allowed: further.remove("allowed"),
            field: further.remove("field"),
            further,
        }
    }
}

/// Failures below that are the same problem wherever they are met.
macro_rules! caused {
    ($($error:ty => $kind:ident,)*) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::caused(ProblemType::$kind, &error)
            }
        }
    )*};
}

caused! {
    StoreError => StoreUnavailable,
    SpoolError => SpoolUnavailable,
    RegistryError => RegistryUnavailable,
    PageError => Internal,
    ChartError => Internal,
    AcquireError => Internal,
    JoinError => Internal,
    serde_json::Error => Internal,
    csv::Error => Internal,
    std::io::Error => Internal,
    prometheus::Error => Internal,
}

impl IntoResponse for ApiError {
    /// Status and headers only; the outermost layer writes the body.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == ProblemType::TokenRequired {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bakau\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_key_and_texts_in_both_languages() {
        for kind in ProblemType::ALL {
            assert_eq!(ProblemType::from_key(kind.key()), Some(kind));
            for language in Language::ALL {
                for key in ["title", "detail"].map(|of| kind.message(of)) {
                    let text = texts(language).text(&key);
                    assert_ne!(text, key, "{kind:?}");
                    // People read them on pages.
                    assert!(!text.contains("/api/") && !text.contains("GET "), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_document_names_the_parameter_and_keeps_the_cause_to_itself() {
        let mut error = ApiError::parameter("limit", Some("-1"), "parameter_number").with("allowed", "1..10000");
        error.cause = Some("secret cause".to_owned());
        let document = error.document("/api/v1/observations", Language::En);
        assert_eq!((document.kind.as_str(), document.status), ("/problems/invalid-parameter", 400));
        assert_eq!(document.parameter.as_deref(), Some("limit"));
        assert!(document.detail.contains("limit"));
        assert!(!format!("{document:?}").contains("secret"));
    }

    #[test]
    fn a_long_value_is_repeated_only_in_part() {
        let error = ApiError::parameter("from", Some(&"x".repeat(5000)), "parameter_time");
        assert!(serde_json::to_string(&error.document("/", Language::Id)).unwrap().len() < 1000);
    }
}
