//! Problems: as documents for programs, as pages for people, in both languages.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

use crate::rig::{Rig, TOKEN};

#[tokio::test]
async fn problems_are_told_in_the_readers_language_with_a_stable_type() {
    let rig = Rig::start().await;
    let uri = "/api/v1/observations?datastream=prb-bjbr-01/do&limit=0";
    let id = rig.get(uri).await;
    assert_eq!(id.status, StatusCode::BAD_REQUEST);
    assert_eq!(id.header(header::CONTENT_TYPE), "application/problem+json");
    insta::assert_json_snapshot!("problem_limit_id", id.json());
    let en = rig.get_with(uri, &[(header::ACCEPT_LANGUAGE, "en-GB, id;q=0.5")]).await;
    insta::assert_json_snapshot!("problem_limit_en", en.json());
    assert_eq!(en.header(header::CONTENT_LANGUAGE), "en");
}

#[tokio::test]
async fn each_mistake_has_its_problem() {
    let rig = Rig::start().await;
    for (uri, status, kind) in [
        ("/api/v1/nothing", 404, "route-not-found"),
        ("/api/v1/stations/nowhere", 404, "station-not-found"),
        ("/api/v1/stations/No%20Where", 404, "station-not-found"),
        ("/api/v1/latest?station=nowhere", 404, "station-not-found"),
        ("/api/v1/observations", 400, "invalid-parameter"),
        ("/api/v1/observations?datastream=x", 400, "invalid-parameter"),
        ("/api/v1/observations?datastream=x/y", 404, "datastream-not-found"),
        ("/api/v1/observations?datastream=prb-bjbr-01/do&from=yesterday", 400, "invalid-parameter"),
        ("/api/v1/observations?datastream=prb-bjbr-01/do&cursor=x", 400, "invalid-cursor"),
        ("/api/v1/observations?datastream=prb-bjbr-01/do&format=xml", 400, "invalid-parameter"),
        ("/api/v1/stations?page=2", 400, "invalid-parameter"),
        ("/api/v1/alerts?before=x", 400, "invalid-parameter"),
        ("/api/v1/alerts/0123", 404, "alert-not-found"),
        ("/api/v1/alerts/settled", 400, "invalid-parameter"),
        ("/api/v1/alerts/settled?rule=unknown", 400, "invalid-parameter"),
        ("/api/v1/ledger?from=2020-01-01T00:00:00Z", 400, "invalid-parameter"),
        ("/api/v1/quarantine", 401, "token-required"),
        ("/charts/prb-bjbr-01/do.gif", 404, "route-not-found"),
        ("/charts/prb-bjbr-01/unknown.svg", 404, "datastream-not-found"),
        ("/charts/nowhere/do.svg", 404, "station-not-found"),
        ("/charts/prb-bjbr-01/do.svg?width=100000", 400, "invalid-parameter"),
        ("/problems/unknown", 404, "route-not-found"),
        ("/assets/unknown.css", 404, "route-not-found"),
    ] {
        let answer = rig.get(uri).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}: {}", answer.text());
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{uri}");
        let document = answer.json();
        assert_eq!(document["type"], format!("/problems/{kind}"), "{uri}");
        assert_eq!(document["status"], status);
        assert!(!document["detail"].as_str().unwrap().contains('{'), "{uri}: unfilled {document}");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let rig = Rig::start().await;
    let answer = rig.send(Request::put("/api/v1/stations").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["type"], "/problems/method-not-allowed");
    assert_eq!(answer.header(header::ALLOW), "GET,HEAD");
}

#[tokio::test]
async fn people_at_a_page_get_a_page() {
    let rig = Rig::start().await;
    let page = rig.get("/stations/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.header(header::CONTENT_TYPE).starts_with("text/html"));
    assert!(page.text().contains("Stasiun tidak ada"), "{}", page.text());
    let browser = rig.get_with("/nothing", &[(header::ACCEPT, "text/html,*/*;q=0.8")]).await;
    assert!(browser.header(header::CONTENT_TYPE).starts_with("text/html"));
    let program = rig.get("/nothing").await;
    assert_eq!(program.header(header::CONTENT_TYPE), "application/problem+json");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() {
    let rig = Rig::start().await;
    let uri = "/api/v1/alerts/00000000000000000000000000000000/acknowledge";
    let large = rig.post(uri, Some(TOKEN), "application/json", &"x".repeat(5_000)).await;
    assert_eq!((large.status.as_u16(), &large.json()["type"]), (413, &"/problems/body-too-large".into()));
    let text = rig.post(uri, Some(TOKEN), "text/plain", "{}").await;
    assert_eq!(text.json()["type"], "/problems/unsupported-media-type");
    let wrong = rig.post(uri, Some(TOKEN), "application/json", "{\"nam\":1}").await;
    assert_eq!(wrong.json()["type"], "/problems/invalid-body");
    let nobody = rig.post(uri, Some(TOKEN), "application/json", "{\"name\":\" \"}").await;
    assert_eq!((&nobody.json()["type"], &nobody.json()["field"]), (&"/problems/invalid-body".into(), &"name".into()));
    let unknown = rig.post(uri, Some(TOKEN), "application/json", "{\"name\":\"Sari\"}").await;
    assert_eq!(unknown.json()["type"], "/problems/alert-not-found");
}

#[tokio::test]
async fn a_flood_of_wrong_tokens_is_slowed_but_the_right_one_always_passes() {
    let rig = Rig::start().await;
    let wrong = [(header::AUTHORIZATION, "Bearer wrong")];
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(rig.get_with("/api/v1/quarantine", &wrong).await.status);
    }
    assert_eq!(statuses[0], StatusCode::UNAUTHORIZED);
    assert_eq!(statuses[29], StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(rig.get_as_admin("/api/v1/quarantine").await.status, StatusCode::OK);
}
