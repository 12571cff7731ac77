//! Every route without a token, and what every answer has in common.

use axum::http::{StatusCode, header};
use bakau_api::{Access, ApiConfig, ROUTES, RouteInfo};
use bakau_ingest::{IntakeHealth, NotCommitted};

use crate::rig::{Answer, Rig, TOKEN, time};

/// An address of a route at which there is something.
pub(crate) async fn address(rig: &Rig, route: &RouteInfo) -> String {
    let alert = rig.alerts.active().first().map(|alert| alert.id.to_string()).unwrap_or_default();
    let path = match route.path {
        "/api/v1/stations/{id}" | "/stations/{id}" => route.path.replace("{id}", "prb-bjbr-01"),
        "/api/v1/rules/{id}" => route.path.replace("{id}", "do-low"),
        "/api/v1/quarantine/{id}" => route.path.replace("{id}", "1"),
        "/charts/{station}/{file}" => "/charts/prb-bjbr-01/do.svg".to_owned(),
        "/assets/{name}" => "/assets/bakau.css".to_owned(),
        "/problems/{key}" => "/problems/busy".to_owned(),
        path => path.replace("{id}", &alert),
    };
    match route.path {
        "/api/v1/observations" | "/api/v1/aggregates" => path + "?datastream=prb-bjbr-01/do",
        "/api/v1/alerts/settled" => path + "?rule=do-low",
        _ => path,
    }
}

/// Asks a route.
pub(crate) async fn visit(rig: &Rig, route: &RouteInfo, token: Option<&str>) -> Answer {
    let address = address(rig, route).await;
    if route.method == "POST" {
        let kind = if route.page { "application/x-www-form-urlencoded" } else { "application/json" };
        let body = if route.page { "name=x" } else { "{\"name\":\"x\"}" };
        return rig.post(&address, token, kind, body).await;
    }
    match token {
        Some(_) => rig.get_as_admin(&address).await,
        None => rig.get(&address).await,
    }
}

/// A rig with something at every address.
pub(crate) async fn rig_with_everything(config: ApiConfig, token: Option<&str>) -> Rig {
    let mut rig = Rig::with(config, token).await;
    rig.feed(&[("prb-bjbr-01/do", time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    rig.feed_poison(&[b"\xff\x00{not json"]).await;
    rig
}

/// What an open route answers to anybody; a link that was not made here says so. Links that were are followed in the
/// system tests, where they arrive by mail.
pub(crate) fn openly(route: &RouteInfo) -> StatusCode {
    if route.path == "/a/{token}" { StatusCode::NOT_FOUND } else { StatusCode::OK }
}

/// Streams have no end of their own; they have tests of their own.
pub(crate) fn ends(route: &&RouteInfo) -> bool {
    !matches!(route.path, "/api/v1/events" | "/live")
}

#[tokio::test]
async fn without_a_token_everything_is_open_but_writes_payloads_and_people() {
    let rig = rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    for route in ROUTES.iter().filter(ends) {
        let answer = visit(&rig, route, None).await;
        let expected = match route.access {
            Access::Open | Access::Read => openly(route),
            Access::Payloads | Access::Write => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(answer.status, expected, "{} {}: {}", route.method, route.path, answer.text());
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{}", route.path);
        assert!(answer.header(header::CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"), "{}", route.path);
    }
}

#[tokio::test]
async fn while_no_token_exists_nothing_can_be_written() {
    let rig = rig_with_everything(ApiConfig::default(), None).await;
    for route in ROUTES.iter().filter(|route| matches!(route.access, Access::Payloads | Access::Write)) {
        let answer = visit(&rig, route, Some(TOKEN)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {}: {}", route.method, route.path, answer.text());
    }
}

#[tokio::test]
async fn closed_reading_needs_the_token_too() {
    let closed = ApiConfig { open_read: false, ..ApiConfig::default() };
    let rig = rig_with_everything(closed, Some(TOKEN)).await;
    for route in ROUTES.iter().filter(ends).filter(|route| route.method == "GET") {
        let expected = if route.access == Access::Open { openly(route) } else { StatusCode::UNAUTHORIZED };
        assert_eq!(visit(&rig, route, None).await.status, expected, "{}", route.path);
        assert_eq!(visit(&rig, route, Some(TOKEN)).await.status, openly(route), "{}", route.path);
    }
    let basic = "Basic YW55OjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
    assert_eq!(rig.get_with("/", &[(header::AUTHORIZATION, basic)]).await.status, StatusCode::OK);
    assert!(rig.get("/").await.header(header::WWW_AUTHENTICATE).starts_with("Basic"));
}

#[tokio::test]
async fn every_route_in_the_table_is_in_the_router() {
    let rig = Rig::start().await;
    for route in &ROUTES {
        // DELETE is nowhere: a route that exists refuses it by name.
        let path = route.path.replace(['{', '}'], "");
        let request = axum::http::Request::delete(path).body(axum::body::Body::empty()).unwrap();
        let answer = rig.send(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
        assert!(answer.header(header::ALLOW).contains(route.method), "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn readiness_says_what_does_not_work() {
    let rig = Rig::start().await;
    let ready = rig.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
    rig.intake.send(IntakeHealth::Blocked(NotCommitted::SpoolFull)).unwrap();
    let full = rig.get("/readyz?lang=en").await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    insta::assert_json_snapshot!("readyz_spool_full", full.json());
    assert_eq!(rig.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn json_answers_keep_their_shape() {
    let rig = rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    for (name, uri) in [
        ("stations", "/api/v1/stations"),
        ("station", "/api/v1/stations/prb-bjbr-01"),
        ("datastreams", "/api/v1/datastreams?station=prb-bjbr-01"),
        ("latest", "/api/v1/latest"),
        ("observations", "/api/v1/observations?datastream=prb-bjbr-01/do"),
        ("alerts", "/api/v1/alerts"),
        ("ledger", "/api/v1/ledger"),
        ("rules", "/api/v1/rules"),
        ("rule", "/api/v1/rules/do-low"),
        ("status", "/api/v1/status"),
        ("sources", "/api/v1/sources"),
        ("readyz", "/readyz"),
        ("problem", "/problems/already-acknowledged"),
    ] {
        let answer = rig.get(uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        let mut value = answer.json();
        if let Some(free) = value.pointer_mut("/spool/disk_free_bytes") {
            assert!(free.is_u64(), "{free}");
            *free = "of this machine".into();
        }
        if let Some(day) = value.pointer_mut("/agencies/0/last_24h") {
            // Counted behind the back of whoever asks first.
            *day = "has a test of its own".into();
        }
        insta::assert_json_snapshot!(name, value);
    }
    insta::assert_json_snapshot!("quarantine", rig.get_as_admin("/api/v1/quarantine").await.json());
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let mut rig = rig_with_everything(ApiConfig::default(), Some(TOKEN)).await;
    for uri in ["/api/v1/latest", "/api/v1/stations", "/charts/prb-bjbr-01/do.svg", "/assets/bakau.css"] {
        let first = rig.get(uri).await;
        let tag = first.header(header::ETAG).to_owned();
        let again = rig.get_with(uri, &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{uri}");
    }
    let before = rig.get("/api/v1/latest").await.header(header::ETAG).to_owned();
    rig.feed(&[("prb-bjbr-01/do", time("2026-03-10T09:00:00Z"), Some(5.0))]).await;
    assert_ne!(rig.get("/api/v1/latest").await.header(header::ETAG), before);
}

#[tokio::test]
async fn the_quarantine_is_paged_and_shows_payloads_to_the_token_only() {
    let mut rig = Rig::start().await;
    let poison: Vec<String> = (0..25).map(|n| format!("poison {n}")).collect();
    let payloads: Vec<&[u8]> = poison.iter().map(String::as_bytes).collect();
    rig.feed_poison(&payloads).await;
    let mut uri = "/api/v1/quarantine?limit=10".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = rig.get_as_admin(&uri).await.json();
        let rows = page["quarantine"].as_array().unwrap().clone();
        seen.extend(rows.iter().map(|row| row["payload_text"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => uri = next.to_owned(),
            None => break,
        }
    }
    assert!(seen.iter().rev().eq(&poison));
    let one = rig.get_as_admin("/api/v1/quarantine/3").await.json();
    assert_eq!(one["payload_text"], "poison 2");
    assert_eq!(rig.get_as_admin("/api/v1/quarantine/26").await.status, StatusCode::NOT_FOUND);
}
