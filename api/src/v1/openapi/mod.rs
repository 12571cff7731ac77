//! `GET /api/v1/openapi.json`: the whole HTTP side as an OpenAPI 3.1 document, made from the table of routes.
//!
//! The form of answers is derived from their types in `bakau-answers`. A test compares the document with the router, with
//! what each handler accepts and with what it really answers.

mod example;
pub(crate) mod parameters;
mod schemas;

use std::{collections::BTreeMap, sync::OnceLock};

use axum::http::header;
use bakau_answers::Readiness;
use bakau_model::Language;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::parameters::{Form, Parameter, parameter};
pub(crate) use self::schemas::Answer;
use crate::{
    http::{
        answer,
        call::{Answered, Call},
        error::ProblemType,
        language::texts,
        layers::PROBLEM_JSON,
    },
    pages::{link::LinkFields, take::TakeFields, views::AcknowledgeFields},
    route::{Access, Body, RouteInfo, Tag},
};

/// Media type of server-sent events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// Problems that any route can answer with.
const EVERYWHERE: [ProblemType; 3] = [ProblemType::Busy, ProblemType::Timeout, ProblemType::Internal];
/// Problems of a route that needs the token.
const CLOSED: [ProblemType; 4] = [
    ProblemType::TokenRequired,
    ProblemType::TokenNotSet,
    ProblemType::TooManyAttempts,
    ProblemType::RegistryUnavailable,
];

/// The document and its entity tag, written once.
static DOCUMENT: OnceLock<(Bytes, String)> = OnceLock::new();

/// The document about these routes.
pub(crate) fn openapi(routes: &'static [RouteInfo], call: &Call) -> Answered {
    call.params(&[])?;
    let (document, etag) = DOCUMENT.get_or_init(|| {
        let bytes = Bytes::from(document(routes).to_string());
        let etag = answer::etag(&bytes);
        (bytes, etag)
    });
    let mut response = answer::conditional(&call.headers, etag, || answer::json_bytes(document.clone()));
    // Tools in a browser may read it from another address; it holds nothing of this installation.
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    Ok(response)
}

fn document(routes: &[RouteInfo]) -> Value {
    let english = texts(Language::En);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let methods = paths.entry(route.path).or_default();
        methods.insert(route.method.to_lowercase(), operation_value(route));
    }
    let answers = routes.iter().flat_map(|route| route.bodies).filter_map(|body| match body {
        Body::Json(answer) | Body::Events(answer) => Some(*answer),
        Body::Other(_) => None,
    });
    let tag = |tag: Tag| json!({ "name": tag.key(), "description": group(tag, Language::En) });
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
            "schemas": schemas::all(answers),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": english.text("reference_token") },
                "basic": { "type": "http", "scheme": "basic", "description": english.text("reference_basic") },
            },
        },
    })
}

/// What a group of routes is about, for people.
pub(crate) fn group(tag: Tag, language: Language) -> String {
    texts(language).fill(&format!("tag_{}", tag.key()), &[])
}

/// What a route does, for people.
pub(crate) fn summary(route: &RouteInfo, language: Language) -> String {
    texts(language).fill(&format!("route_{}", route.key), &[])
}

/// What a parameter is for, for people.
pub(crate) fn meaning(parameter: &Parameter, language: Language) -> String {
    texts(language).fill(&format!("param_{}", parameter.key), &[])
}

fn operation_value(route: &RouteInfo) -> Value {
    let parameters = route.parameters.iter().filter_map(|key| parameter(key)).map(parameter_value);
    let mut value = json!({
        "operationId": route.key,
        "summary": summary(route, Language::En),
        "tags": [route.tag.key()],
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses(route),
        "security": security(route.access),
    });
    if route.method == "POST" {
        let (kind, schema) = body_of(route);
        value["requestBody"] = json!({ "required": true, "content": { kind: { "schema": schema } } });
    }
    value
}

/// What a write expects.
fn body_of(route: &RouteInfo) -> (&'static str, Value) {
    let form = "application/x-www-form-urlencoded";
    if !route.page {
        return ("application/json", Answer::ACKNOWLEDGEMENT.reference());
    }
    // A signed link is the right by itself, and it knows who it was made for.
    if route.parameters.contains(&"link_token") {
        return (form, schemas::inline::<LinkFields>());
    }
    if route.parameters.contains(&"alert_id") {
        return (form, schemas::inline::<AcknowledgeFields>());
    }
    (form, schemas::inline::<TakeFields>())
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

/// Any text.
fn text() -> Value {
    json!({ "type": "string" })
}

fn parameter_value(parameter: &Parameter) -> Value {
    let mut schema = match parameter.form {
        Form::Text | Form::Flags => text(),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Words(words) => json!({ "type": "string", "enum": words }),
        // Without a format clients take 32 bits.
        Form::Number(least, most) if most == u64::MAX => {
            json!({ "type": "integer", "format": "int64", "minimum": least })
        }
        Form::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
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
pub(crate) fn problems(route: &RouteInfo) -> BTreeMap<u16, Vec<ProblemType>> {
    let mut found: Vec<ProblemType> = route.problems.to_vec();
    found.extend(EVERYWHERE);
    if route.access != Access::Open {
        found.extend(CLOSED);
    }
    if route.parameters.iter().filter_map(|key| parameter(key)).any(|parameter| !parameter.in_path) {
        found.push(ProblemType::InvalidParameter);
    }
    if route.path.starts_with("/assets/") || route.path.starts_with("/problems/") || route.key == "quarantine_row" {
        found.push(ProblemType::RouteNotFound);
    }
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for problem in found {
        by_status.entry(problem.status().as_u16()).or_default().push(problem);
    }
    by_status
}

fn responses(route: &RouteInfo) -> Value {
    let mut responses = Map::new();
    let content: Map<String, Value> = route.bodies.iter().map(|body| content(*body)).collect();
    let found = if route.page && route.method == "POST" { "303" } else { "200" };
    let english = texts(Language::En);
    let mut success = json!({ "description": summary(route, Language::En) });
    if found == "200" {
        success["content"] = Value::Object(content);
    }
    responses.insert(found.to_owned(), success);
    if route.key == "readyz" {
        let body = json!({ "application/json": { "schema": Answer::of::<Readiness>().reference() } });
        responses
            .insert("503".to_owned(), json!({ "description": english.text("reference_not_ready"), "content": body }));
    }
    if route.conditional {
        responses.insert("304".to_owned(), json!({ "description": english.text("reference_not_modified") }));
    }
    let kind = if route.page { "text/html" } else { PROBLEM_JSON };
    for (status, problems) in problems(route) {
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key()).collect();
        let titles: Vec<String> = problems.iter().map(|problem| problem.title(Language::En)).collect();
        let schema = if route.page { text() } else { Answer::PROBLEM.reference() };
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
        Body::Json(answer) => {
            let mut media = json!({ "schema": answer.reference() });
            if let Some(example) = example::of(&(answer.name)()) {
                media["example"] = example.clone();
            }
            ("application/json".to_owned(), media)
        }
        // OpenAPI 3.1 knows only the whole body, which is a text; 3.2 names the schema of each event `itemSchema`.
        Body::Events(answer) => {
            (EVENT_STREAM.to_owned(), json!({ "schema": text(), "x-itemSchema": answer.reference() }))
        }
        Body::Other(kind) => {
            let schema = if kind == "application/json" { json!({ "type": "object" }) } else { text() };
            (kind.to_owned(), json!({ "schema": schema }))
        }
    }
}
