//! What went wrong with a request.

use std::collections::BTreeMap;

use bakau_model::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong (RFC 9457); further members belong to the type.
///
/// ```
/// use bakau_answers::Problem;
///
/// let problem: Problem = serde_json::from_str(
///     r#"{"type": "/problems/invalid_parameter", "title": "Parameter tidak dapat dipakai", "status": 400,
///         "detail": "'limit' harus bilangan bulat dari 1..1000.", "instance": "/api/v1/alerts",
///         "parameter": "limit", "given": "many", "allowed": "1..1000"}"#,
/// )?;
/// assert_eq!((problem.status, problem.parameter.as_deref()), (400, Some("limit")));
/// assert!(problem.further.is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/problems/{key}`; the key never changes its meaning.
    #[serde(rename = "type")]
    pub kind: String,
    /// The type in the reader's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, in the reader's language.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// The parameter that cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// What was given for it, as far as it is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub given: Option<String>,
    /// What is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed: Option<String>,
    /// The member of the body that cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// What else belongs to the type.
    #[serde(flatten)]
    pub further: BTreeMap<String, String>,
}

/// What a type of problems means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemType {
    /// `/problems/{key}`; the key never changes its meaning.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status it is answered with.
    pub status: u16,
    /// Its name.
    pub title: Text,
}
