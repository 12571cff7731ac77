//! The document and the page of the API, held to the router, to what handlers accept and to what they answer.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use bakau_answers as answers;
use bakau_api::{ApiConfig, ROUTES, RouteInfo};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    rig::{Answer, Rig, TOKEN},
    walk,
};

pub(crate) async fn document(rig: &Rig) -> Value {
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

/// What a value says once it was read into its type; what the type does not have is missing then.
fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Result<Value, String> {
    let read = T::deserialize(value).map_err(|error| error.to_string())?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

macro_rules! again_by_name {
    ($name:expr, $value:expr, $($kind:ident)*) => {
        match $name {
            $(stringify!($kind) => again::<answers::$kind>($value),)*
            name => panic!("no type is called {name}"),
        }
    };
}

/// Holds a value to the type that the document says it has: read and said again, it is the same.
fn assert_is_said(media: &Value, value: &Value, place: &str) {
    let Some(schema) = media["schema"]["$ref"].as_str() else { return };
    let again = again_by_name!(schema.rsplit('/').next().unwrap(), value,
        Aggregates Alert AlertDetail AlertList DatastreamList LatestList Ledger ObservationPage
        Problem ProblemType QuarantineList QuarantineRow Readiness RuleDetail RuleList SettledHistory
        SourceList StationDetail StationList Status
    );
    assert_eq!(again.as_ref(), Ok(value), "{place}: {schema}");
}

/// Holds an answer to what the document says of its route.
pub(crate) fn assert_is_documented(document: &Value, route: &RouteInfo, answer: &Answer) {
    let place = format!("{} {}", route.method, route.path);
    let response = &operation(document, route.method, route.path)["responses"][answer.status.as_str()];
    if answer.status.is_redirection() {
        return assert!(response.is_object(), "{place} answers {}", answer.status);
    }
    let kind = answer.header(header::CONTENT_TYPE).split(';').next().unwrap();
    let media = response["content"].get(kind);
    let media = media.unwrap_or_else(|| panic!("{place} answers {} {kind}: {}", answer.status, answer.text()));
    if kind.ends_with("json") {
        assert_is_said(media, &answer.json(), &place);
    }
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
    for route in ROUTES.iter().filter(|route| route.method == "GET" && route.path != "/live") {
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
async fn every_answer_is_of_the_type_the_document_says() {
    let rig = walk::rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    let document = document(&rig).await;
    for route in ROUTES.iter().filter(walk::ends) {
        for token in [None, Some(TOKEN)] {
            assert_is_documented(&document, route, &walk::visit(&rig, route, token).await);
        }
    }
}

#[tokio::test]
async fn every_example_is_of_the_type_the_document_says() {
    let rig = Rig::start().await;
    let document = document(&rig).await;
    for route in &ROUTES {
        let media = &operation(&document, route.method, route.path)["responses"]["200"]["content"]["application/json"];
        if let Some(example) = media.get("example") {
            assert_is_said(media, example, route.path);
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
