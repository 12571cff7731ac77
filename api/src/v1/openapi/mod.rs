//! `GET /api/v1/openapi.json`: the whole HTTP side as an OpenAPI 3.1 document, made from the table of routes.
//!
//! By hand rather than by macros: most answers are written from values of other rooms, so macros would describe types
//! that nobody serialises. A test compares the document with the router, with what each handler accepts and with what
//! it really answers.

mod example;
pub(crate) mod operations;
mod schema;
mod schemas;

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    http::{HeaderMap, Uri, header},
    response::Response,
};
use bakau_model::Language;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::operations::{Body, Form, Operation, Parameter, Tag, operation, parameter};
use crate::{
    http::{
        answer,
        error::{ApiError, ProblemType},
        language::texts,
        layers::PROBLEM_JSON,
        query::Params,
    },
    router::{Access, ROUTES, RouteInfo},
};

/// Problems that any route can answer with.
const EVERYWHERE: [ProblemType; 3] = [ProblemType::Busy, ProblemType::Timeout, ProblemType::Internal];
/// Problems of a route that needs the token.
const CLOSED: [ProblemType; 4] = [
    ProblemType::TokenRequired,
    ProblemType::TokenNotSet,
    ProblemType::TooManyAttempts,
    ProblemType::RegistryUnavailable,
];

/// The document, written once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
static ETAG: LazyLock<String> = LazyLock::new(|| answer::etag(&*DOCUMENT));

/// The document.
pub(crate) async fn openapi(uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let mut response = answer::conditional(&headers, &ETAG, || answer::json_bytes(DOCUMENT.clone()));
    // Tools in a browser may read it from another address; it holds nothing of this installation.
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    Ok(response)
}

fn document() -> Value {
    let english = texts(Language::En);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in &ROUTES {
        let Some(operation) = operation(route.method, route.path) else { continue };
        let methods = paths.entry(route.path).or_default();
        methods.insert(route.method.to_lowercase(), operation_value(route, operation));
    }
    let tag = |tag: Tag| json!({ "name": tag.key(), "description": english.text(tag_key(tag)) });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bakau",
            "version": env!("CARGO_PKG_VERSION"),
            "description": english.text("reference_lead"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": Tag::ALL.map(tag),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": english.text("reference_token") },
                "basic": { "type": "http", "scheme": "basic", "description": english.text("reference_basic") },
            },
        },
    })
}

/// Message key of a group.
pub(crate) const fn tag_key(tag: Tag) -> &'static str {
    match tag {
        Tag::Registry => "tag_registry",
        Tag::Values => "tag_values",
        Tag::Alerts => "tag_alerts",
        Tag::Operation => "tag_operation",
        Tag::Pages => "tag_pages",
    }
}

/// What a route does, for people.
pub(crate) fn summary(operation: &Operation, language: Language) -> String {
    texts(language).fill(&format!("route_{}", operation.key), &[])
}

/// What a parameter is for, for people.
pub(crate) fn meaning(parameter: &Parameter, language: Language) -> String {
    texts(language).fill(&format!("param_{}", parameter.key), &[])
}

fn operation_value(route: &RouteInfo, operation: &Operation) -> Value {
    let parameters = operation.parameters.iter().filter_map(|key| parameter(key)).map(parameter_value);
    let mut value = json!({
        "operationId": operation.key,
        "summary": summary(operation, Language::En),
        "tags": [operation.tag.key()],
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses(route, operation),
        "security": security(route.access),
    });
    if route.method == "POST" {
        let (kind, schema) = body_of(route, operation);
        value["requestBody"] = json!({ "required": true, "content": { kind: { "schema": schema } } });
    }
    value
}

/// What a write expects.
fn body_of(route: &RouteInfo, operation: &Operation) -> (&'static str, Value) {
    let form = "application/x-www-form-urlencoded";
    if !route.page {
        return ("application/json", schema::named("Acknowledgement"));
    }
    // A signed link is the right by itself, and it knows who it was made for.
    if operation.parameters.contains(&"link_token") {
        return (form, schema::object([("?note", schema::text())]));
    }
    (form, schema::object([("name", schema::text()), ("?note", schema::text()), ("token", schema::text())]))
}

/// An empty requirement means that the token is not needed unless reading is closed.
fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::Read => json!([{}, { "token": [] }, { "basic": [] }]),
        Access::Payloads => json!([{ "token": [] }, { "basic": [] }]),
        Access::Write => json!([{ "token": [] }]),
    }
}

fn parameter_value(parameter: &Parameter) -> Value {
    let mut schema = match parameter.form {
        Form::Text => schema::text(),
        Form::Time => schema::time(),
        Form::Words(words) => schema::words(words),
        Form::Number(least, most) if most == u64::MAX => json!({ "type": "integer", "minimum": least }),
        Form::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Flags => schema::text(),
    };
    if let Form::Flags = parameter.form {
        let word = "(good|not_evaluated|suspect|fail|missing|usable|all)";
        schema["pattern"] = format!("^{word}(,{word})*$").into();
    }
    let mut value = json!({
        "name": parameter.name,
        "in": if parameter.in_path { "path" } else { "query" },
        "required": parameter.required,
        "description": meaning(parameter, Language::En),
        "schema": schema,
    });
    if !parameter.example.is_empty() {
        value["example"] = match parameter.form {
            Form::Number(..) => parameter.example.parse::<u64>().map_or(Value::Null, Value::from),
            Form::Text | Form::Time | Form::Words(_) | Form::Flags => parameter.example.into(),
        };
    }
    value
}

/// Every problem a route can answer with, by status.
pub(crate) fn problems(route: &RouteInfo, operation: &Operation) -> BTreeMap<u16, Vec<ProblemType>> {
    let mut found: Vec<ProblemType> = operation.problems.to_vec();
    found.extend(EVERYWHERE);
    if route.access != Access::Open {
        found.extend(CLOSED);
    }
    if operation.parameters.iter().filter_map(|key| parameter(key)).any(|parameter| !parameter.in_path) {
        found.push(ProblemType::InvalidParameter);
    }
    if route.path.starts_with("/assets/") || route.path.starts_with("/problems/") || operation.key == "quarantine_row" {
        found.push(ProblemType::RouteNotFound);
    }
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for problem in found {
        by_status.entry(problem.status().as_u16()).or_default().push(problem);
    }
    by_status
}

fn responses(route: &RouteInfo, operation: &Operation) -> Value {
    let mut responses = Map::new();
    let content: Map<String, Value> = operation.bodies.iter().map(|body| content(*body)).collect();
    let found = if route.page && route.method == "POST" { "303" } else { "200" };
    let english = texts(Language::En);
    let mut success = json!({ "description": summary(operation, Language::En) });
    if found == "200" {
        success["content"] = Value::Object(content);
    }
    responses.insert(found.to_owned(), success);
    if operation.key == "readyz" {
        let body = json!({ "application/json": { "schema": schema::named("Readiness") } });
        responses
            .insert("503".to_owned(), json!({ "description": english.text("reference_not_ready"), "content": body }));
    }
    if operation.conditional {
        responses.insert("304".to_owned(), json!({ "description": english.text("reference_not_modified") }));
    }
    let kind = if route.page { "text/html" } else { PROBLEM_JSON };
    for (status, problems) in problems(route, operation) {
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key()).collect();
        let titles: Vec<&str> = problems.iter().map(|problem| problem.title(Language::En)).collect();
        let schema = if route.page { schema::text() } else { schema::named("Problem") };
        let response = json!({
            "description": titles.join("; "),
            "content": { kind: { "schema": schema } },
            "x-problem-types": keys,
        });
        responses.entry(status.to_string()).or_insert(response);
    }
    Value::Object(responses)
}

fn content(body: Body) -> (String, Value) {
    match body {
        Body::Json(name) => {
            let mut media = json!({ "schema": schema::named(name) });
            if let Some(example) = example::of(name) {
                media["example"] = example.clone();
            }
            ("application/json".to_owned(), media)
        }
        Body::Other(kind) => {
            let schema = if kind == "application/json" { json!({ "type": "object" }) } else { schema::text() };
            (kind.to_owned(), json!({ "schema": schema }))
        }
    }
}
