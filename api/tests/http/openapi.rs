//! The document and the page of the API, held to the router, to what handlers accept and to what they answer.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use bakau_api::{ApiConfig, ROUTES};
use serde_json::{Map, Value};

use crate::{
    rig::{Rig, TOKEN},
    walk,
};

async fn document(rig: &Rig) -> Value {
    let answer = rig.get("/api/v1/openapi.json").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    &document["paths"][path][method.to_lowercase()]
}

/// Parameters of the query but the language.
fn queries(operation: &Value) -> Vec<&Value> {
    let parameters = operation["parameters"].as_array().unwrap().iter();
    parameters.filter(|parameter| parameter["in"] == "query" && parameter["name"] != "lang").collect()
}

fn reads_its_query(operation: &Value) -> bool {
    operation["parameters"].as_array().unwrap().iter().any(|parameter| parameter["name"] == "lang")
}

/// What is wrong with a value; every member must be in the schema, so that the document is complete.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = document.pointer(name.trim_start_matches('#'));
        return target.map_or_else(|| vec![format!("{at}: no {name}")], |target| wrong(document, target, value, at));
    }
    if let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        let tried: Vec<_> = choices.iter().map(|choice| wrong(document, choice, value, at)).collect();
        return if tried.iter().any(Vec::is_empty) { Vec::new() } else { tried.into_iter().flatten().collect() };
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
        return if allowed.contains(value) { Vec::new() } else { vec![format!("{at}: {value} is not in {allowed:?}")] };
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => return vec![format!("{at}: type {other}")],
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: this check does not know {other}"),
    });
    if !fits {
        return vec![format!("{at}: {value} is not {kinds:?}")];
    }
    match value {
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.flat_map(|(n, item)| wrong(document, &schema["items"], item, &format!("{at}[{n}]"))).collect()
        }
        Value::Object(members) => wrong_members(document, schema, members, at),
        _ => Vec::new(),
    }
}

fn wrong_members(document: &Value, schema: &Value, members: &Map<String, Value>, at: &str) -> Vec<String> {
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let missing = required.iter().filter_map(Value::as_str).filter(|name| !members.contains_key(*name));
    let mut found: Vec<String> = missing.map(|name| format!("{at}.{name} is missing")).collect();
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => found.extend(wrong(document, schema, member, &at)),
            // A schema without members says nothing about them.
            None if schema.get("properties").is_none() => {}
            None => found.push(format!("{at} is not in the document")),
        }
    }
    found
}

#[tokio::test]
async fn every_route_is_in_the_document_with_answers_and_problems() {
    let rig = Rig::start().await;
    let document = document(&rig).await;
    let mut keys = BTreeSet::new();
    for route in &ROUTES {
        let operation = operation(&document, route.method, route.path);
        let place = format!("{} {}", route.method, route.path);
        assert!(keys.insert(operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} is not in it"))));
        let summary = operation["summary"].as_str().unwrap();
        assert!(!summary.is_empty() && !summary.starts_with("route_"), "{place}: {summary}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{place}");
        let problems = responses.values().filter_map(|response| response.get("x-problem-types"));
        for key in problems.flat_map(|keys| keys.as_array().unwrap()) {
            let answer = rig.get(&format!("/problems/{}", key.as_str().unwrap())).await;
            assert_eq!(answer.status, StatusCode::OK, "{place}: {key}");
        }
        let in_path = operation["parameters"].as_array().unwrap().iter().filter(|each| each["in"] == "path");
        let names: Vec<_> = in_path.map(|each| format!("{{{}}}", each["name"].as_str().unwrap())).collect();
        assert_eq!(names, route.path.split('/').filter(|part| part.starts_with('{')).collect::<Vec<_>>(), "{place}");
        for parameter in operation["parameters"].as_array().unwrap() {
            let meaning = parameter["description"].as_str().unwrap();
            assert!(!meaning.is_empty() && !meaning.starts_with("param_"), "{place}: {meaning}");
        }
    }
    let listed: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(listed, ROUTES.len());
    insta::assert_json_snapshot!("openapi", document);
}

#[tokio::test]
async fn handlers_accept_exactly_the_parameters_and_words_of_the_document() {
    let rig = walk::rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    let document = document(&rig).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let operation = operation(&document, route.method, route.path);
        if !reads_its_query(operation) {
            continue;
        }
        let address = walk::address(&rig, route).await;
        let with = |query: &str| format!("{address}{}{query}", if address.contains('?') { '&' } else { '?' });
        let known: BTreeSet<&str> = queries(operation).iter().map(|each| each["name"].as_str().unwrap()).collect();
        let accept = if route.page { "text/html" } else { "application/json" };
        let get = async |uri: &str| {
            let authorization = format!("Bearer {TOKEN}");
            rig.get_with(uri, &[(header::ACCEPT, accept), (header::AUTHORIZATION, &authorization)]).await
        };
        let unknown = get(&with("zzz=1")).await;
        if route.path.starts_with("/api/v1") {
            assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{}", route.path);
            let allowed = unknown.json()["allowed"].as_str().unwrap_or_default().to_owned();
            let allowed: BTreeSet<&str> = allowed.split(", ").filter(|name| !name.is_empty()).collect();
            assert_eq!(allowed, known, "{}", route.path);
        } else {
            // What mail scanners hang on an address breaks nothing that people follow.
            assert_eq!(unknown.status, walk::openly(route), "{}", route.path);
        }
        for parameter in queries(operation) {
            let name = parameter["name"].as_str().unwrap();
            let Some(words) = parameter["schema"].get("enum").and_then(Value::as_array) else { continue };
            let refused = get(&with(&format!("{name}=zzz"))).await;
            let words = words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
            if route.page {
                assert!(refused.text().contains(name) && refused.text().contains(&words), "{} {name}", route.path);
            } else {
                assert_eq!(refused.json()["allowed"], words, "{} {name}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_form_the_document_says() {
    let rig = walk::rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    let document = document(&rig).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET").filter(walk::ends) {
        let operation = operation(&document, route.method, route.path);
        let contents = operation["responses"]["200"]["content"].as_object().unwrap();
        for token in [None, Some(TOKEN)] {
            let answer = walk::visit(&rig, route, token).await;
            let kind = answer.header(header::CONTENT_TYPE).split(';').next().unwrap().to_owned();
            let response = &operation["responses"][answer.status.as_str()];
            let content = response["content"].get(&kind);
            assert!(content.is_some(), "{} answers {} {kind}", route.path, answer.status);
            if kind.ends_with("json") {
                let found = wrong(&document, &content.unwrap()["schema"], &answer.json(), route.path);
                assert!(found.is_empty(), "{}", found.join("\n"));
            }
        }
        for content in contents.values().filter(|content| content.get("example").is_some()) {
            let found =
                wrong(&document, &content["schema"], &content["example"], &format!("example of {}", route.path));
            assert!(found.is_empty(), "{}", found.join("\n"));
        }
    }
}

#[tokio::test]
async fn every_json_answer_has_an_example() {
    let rig = Rig::start().await;
    let document = document(&rig).await;
    for path in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values()) {
        let json = &path["responses"]["200"]["content"]["application/json"];
        if json["schema"].get("$ref").is_some() {
            assert!(json.get("example").is_some(), "no example of {}", path["operationId"]);
        }
    }
}

#[tokio::test]
async fn the_example_of_an_acknowledgement_is_acknowledged() {
    let rig = Rig::start().await;
    let document = document(&rig).await;
    let answer = operation(&document, "POST", "/api/v1/alerts/{id}/acknowledge")["responses"]["200"].clone();
    let example = &answer["content"]["application/json"]["example"];
    assert_eq!(
        (&example["acknowledged"], &example["acknowledged_level"]),
        (&true.into(), &example["level"]),
        "{example}"
    );
    assert!(example["acknowledged_at"].is_string() && example["acknowledged_by"].is_string(), "{example}");
}

#[tokio::test]
async fn the_page_shows_every_route_in_both_languages_with_examples_to_copy() {
    let rig = Rig::start().await;
    for (language, word) in [("id", "Contoh"), ("en", "Examples")] {
        let page = rig.get_with(&format!("/api?lang={language}"), &[(header::HOST, "bakau.test:8080")]).await;
        assert_eq!(page.status, StatusCode::OK);
        let text = page.text();
        for route in &ROUTES {
            assert!(text.contains(&format!("{} {}", route.method, route.path)), "{} in {language}", route.path);
        }
        for part in [word, "http://bakau.test:8080/api/v1/observations?", "read.csv", "import pandas"] {
            assert!(text.contains(part), "no {part} in {language}");
        }
        for key in ["route_", "param_", "tag_", "reference_"] {
            assert!(!text.contains(key), "a message key shows in {language}");
        }
    }
}
