//! An alert from crossing to acknowledgement.

use axum::http::{StatusCode, header};

use bakau_api::ApiConfig;
use bakau_registry::CatalogueFile;

use crate::rig::{CATALOGUE, Rig, TOKEN, time, until};

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
async fn several_alerts_are_acknowledged_with_the_token_once_and_each_answer_is_told() {
    let text = CATALOGUE.replace("datastream = \"prb-bjbr-01/do\"\ndirection", "parameter = \"do\"\ndirection");
    let file = CatalogueFile { path: "test.toml".to_owned(), text };
    let mut rig = Rig::with_catalogue(&[file], ApiConfig::default(), Some(TOKEN)).await;
    let at = time("2026-03-10T08:59:00Z");
    rig.feed(&[(DO, at, Some(3.5)), ("prb-bjbr-01/do@150cm", at, Some(3.5))]).await;
    let alerts = rig.alerts.clone();
    until("both alerts", || alerts.active().len() == 2).await;
    let ids: Vec<String> = rig.alerts.active().iter().map(|alert| alert.id.to_string()).collect();
    let [first, second] = &ids[..] else { panic!("two alerts, not {ids:?}") };
    let list = rig.get("/alerts").await.text().to_owned();
    let offered = |id: &str| format!("name=\"alert\" value=\"{id}.waspada\"");
    assert!(list.contains(&offered(first)) && list.contains(&offered(second)), "{list}");

    let (uri, form) = ("/alerts/acknowledge?lang=en", "application/x-www-form-urlencoded");
    let wrong =
        rig.post(uri, Some(TOKEN), form, &format!("name=Sari&note=pump+on&token=x&alert={first}.waspada")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let kept = format!("value=\"{first}.waspada\" aria-label=");
    let kept = wrong.text().split(&kept).nth(1).and_then(|rest| rest.split('>').next()).unwrap();
    assert!(kept.ends_with("checked") && wrong.text().contains("pump on"), "what was chosen and typed is kept: {kept}");
    let nothing = rig.post(uri, None, form, &format!("name=Sari&token={TOKEN}")).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
    assert!(rig.alerts.active().iter().all(|alert| alert.acknowledged.is_none()));

    let body = format!(
        "name=Sari+Dewi&note=pump+on&token={TOKEN}&alert={first}.waspada&alert={second}.waspada&alert=no-such-alert.awas"
    );
    let done = rig.post(uri, None, form, &body).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    let told = done.text().split("class=\"answers\"").nth(1).and_then(|rest| rest.split("</ul>").next()).unwrap();
    assert_eq!((told.matches("✓ Watch acknowledged").count(), told.matches('✕').count()), (2, 1), "{told}");
    assert!(!done.text().contains("Sari Dewi"), "the answer names nobody");
    for alert in rig.alerts.active().iter() {
        let taken = alert.acknowledged.as_ref().unwrap();
        assert_eq!(
            (taken.by.as_str(), taken.level.key(), taken.note.as_deref()),
            ("Sari Dewi", "waspada", Some("pump on"))
        );
    }
    let again = rig.post(uri, None, form, &body).await;
    assert_eq!(again.text().matches('✕').count(), 3);
}

#[tokio::test]
async fn a_page_asks_for_the_token_to_show_who_acknowledged() {
    let (rig, id) = rig_with_alert().await;
    let uri = format!("/api/v1/alerts/{id}/acknowledge");
    rig.post(&uri, Some(TOKEN), "application/json", "{\"name\":\"Sari Dewi\",\"note\":\"pompa menyala\"}").await;
    for page in ["/alerts".to_owned(), format!("/alerts/{id}"), "/stations/prb-bjbr-01".to_owned()] {
        let asked = format!("{page}?people=true");
        assert!(rig.get(&page).await.text().contains(&format!("href=\"{asked}\"")), "{page} has the way to them");
        let without = rig.get(&asked).await;
        assert_eq!(without.status, StatusCode::UNAUTHORIZED, "{page}");
        assert!(without.header(header::WWW_AUTHENTICATE).starts_with("Basic "), "a browser asks for it");
        let with = rig.get_as_admin(&asked).await;
        assert!(with.text().contains("Sari Dewi") && with.text().contains("pompa menyala"), "{page}");
    }
}

#[tokio::test]
async fn a_list_and_a_page_of_an_alert_show_the_value_now_and_where_the_alert_ends() {
    let (mut rig, id) = rig_with_alert().await;
    // Between raise and clear value: it changes nothing.
    rig.feed(&[(DO, time("2026-03-10T08:59:30Z"), Some(4.2))]).await;
    for page in ["/alerts".to_owned(), format!("/alerts/{id}"), "/stations/prb-bjbr-01".to_owned()] {
        let html = rig.get(&format!("{page}?lang=en")).await.text().to_owned();
        assert!(html.contains(">4.20\u{a0}mg/L</b> <small>now, <time"), "{page}: {html}");
        assert!(html.contains(">3.50\u{a0}mg/L<small>"), "{page} keeps the value that decided");
        assert!(html.contains("ends above"), "{page}");
    }
}

#[tokio::test]
async fn a_value_is_written_on_the_side_of_its_limit_on_which_it_is() {
    let mut rig = Rig::start().await;
    // With two places it would be 4.00 beside "≤ 4", and no alert.
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(4.004))]).await;
    assert!(rig.alerts.active().is_empty());
    for page in ["/stations/prb-bjbr-01?lang=en", "/?lang=en"] {
        let html = rig.get(page).await.text().to_owned();
        assert!(html.contains("<span class=\"value\">4.004</span>"), "{page}: {html}");
    }
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
