//! An alert from crossing to acknowledgement.

use axum::http::{StatusCode, header};

use crate::rig::{Rig, TOKEN, time, until};

const DO: &str = "prb-bjbr-01/do";

async fn rig_with_alert() -> (Rig, String) {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    let alerts = rig.alerts.clone();
    until("an alert", || !alerts.active().is_empty()).await;
    let id = rig.alerts.active()[0].id.to_string();
    (rig, id)
}

#[tokio::test]
async fn an_alert_is_acknowledged_once_by_whoever_holds_the_token() {
    let (rig, id) = rig_with_alert().await;
    let uri = format!("/api/v1/alerts/{id}/acknowledge");
    let body = "{\"name\":\"Sari\",\"note\":\"aerator dinyalakan\"}";
    let without = rig.post(&uri, None, "application/json", body).await;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    assert_eq!(without.header(header::WWW_AUTHENTICATE), "Bearer realm=\"bakau\"");
    assert_eq!(rig.post(&uri, Some("wrong"), "application/json", body).await.status, StatusCode::UNAUTHORIZED);
    let done = rig.post(&uri, Some(TOKEN), "application/json", body).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert_eq!(done.json()["acknowledged_by"], "Sari");
    let again = rig.post(&uri, Some(TOKEN), "application/json", "{\"name\":\"Budi\"}").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    insta::assert_json_snapshot!("problem_already_acknowledged", again.json());
}

#[tokio::test]
async fn people_are_named_only_to_the_token() {
    let (rig, id) = rig_with_alert().await;
    let uri = format!("/api/v1/alerts/{id}/acknowledge");
    rig.post(&uri, Some(TOKEN), "application/json", "{\"name\":\"Sari Dewi\",\"note\":\"rahasia\"}").await;
    for open in [
        format!("/api/v1/alerts/{id}"),
        "/api/v1/alerts".to_owned(),
        format!("/alerts/{id}"),
        "/alerts".to_owned(),
        "/stations/prb-bjbr-01".to_owned(),
    ] {
        let answer = rig.get(&open).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.text().contains("Sari Dewi") && !answer.text().contains("rahasia"), "{open}");
    }
    let open = rig.get(&format!("/api/v1/alerts/{id}")).await.json();
    assert_eq!((&open["acknowledged"], &open["acknowledged_at"]), (&true.into(), &"2026-03-10T09:00:00Z".into()));
    let closed = rig.get_as_admin(&format!("/api/v1/alerts/{id}")).await;
    insta::assert_json_snapshot!("alert_with_token", closed.json());
    let wrong = [(header::AUTHORIZATION, "Bearer wrong")];
    assert_eq!(rig.get_with("/api/v1/alerts", &wrong).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_form_takes_its_token_from_the_body() {
    let (rig, id) = rig_with_alert().await;
    let uri = format!("/alerts/{id}/acknowledge?lang=en");
    let form = "application/x-www-form-urlencoded";
    // A token in a header is what another site's form cannot send and a browser would not: it counts for nothing here.
    let refused = rig.post(&uri, Some(TOKEN), form, "name=Sari&note=pump+on&token=").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.text().contains("The admin token is missing or wrong."));
    assert!(refused.text().contains("pump on"), "what was typed is kept");
    let done = rig.post(&uri, None, form, &format!("name=Sari&note=&token={TOKEN}")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    assert_eq!(done.header(header::LOCATION), format!("/alerts/{id}?lang=en"));
    assert!(rig.alerts.active()[0].acknowledged.is_some());
    let again = rig.post(&uri, None, form, &format!("name=Budi&token={TOKEN}")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn alerts_are_listed_in_pages_newest_first() {
    let mut rig = Rig::start().await;
    for minute in 0..7 {
        let value = if minute % 2 == 0 { 3.5 } else { 6.0 };
        // Slow enough to be believed: what is suspect ends no alert.
        rig.feed(&[(DO, time(&format!("2026-03-10T08:{:02}:00Z", 8 * minute)), Some(value))]).await;
    }
    let whole = rig.get("/api/v1/alerts").await.json();
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["alerts"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&whole);
    assert_eq!(all.len(), 4);
    let mut paged = Vec::new();
    let mut uri = "/api/v1/alerts?limit=3&station=prb-bjbr-01".to_owned();
    loop {
        let page = rig.get(&uri).await.json();
        paged.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => uri = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&rig.get("/api/v1/alerts?active=true").await.json()).len(), 1);
    assert_eq!(ids(&rig.get("/api/v1/alerts?datastream=mlg-kota-01/pm25").await.json()).len(), 0);
}

#[tokio::test]
async fn the_settled_history_is_answered_by_rule_and_by_datastream() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T03:00:00Z"), Some(3.5)), (DO, time("2026-03-10T04:00:00Z"), Some(6.0))]).await;
    let by_rule = rig.get("/api/v1/alerts/settled?rule=do-low").await.json();
    let by_datastream = rig.get(&format!("/api/v1/alerts/settled?datastream={DO}")).await.json();
    assert_eq!(by_rule, by_datastream);
    insta::assert_json_snapshot!("settled", by_rule);
    let page = rig.get("/stations/prb-bjbr-01?history=settled").await.text().to_owned();
    assert!(page.contains("Berisi data pengukuran sampai 10 Mar 2026 14.00 WIB"), "{page}");
}
