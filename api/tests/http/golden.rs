//! The golden set: what every route answers of one history, in both languages. Whoever moves code moves none of it.
//!
//! A change here is a change that people or programs see. It belongs in the changelog, with its reason.

use axum::http::StatusCode;
use bakau_api::{ApiConfig, ROUTES};
use bakau_registry::CatalogueFile;
use serde_json::Value;

use crate::{
    openapi,
    rig::{Answer, Rig, TOKEN, time, until},
};

/// The catalogue that is shipped: every kind of station, parameter and condition.
fn shipped() -> Vec<CatalogueFile> {
    let file = |name: &str, text: &str| CatalogueFile { path: name.to_owned(), text: text.to_owned() };
    vec![
        file("agencies.toml", include_str!("../../../deploy/catalogue/agencies.toml")),
        file("channels.toml", include_str!("../../../deploy/catalogue/channels.toml")),
        file("cities.toml", include_str!("../../../deploy/catalogue/cities.toml")),
        file("rules.toml", include_str!("../../../deploy/catalogue/rules.toml")),
        file("stations.toml", include_str!("../../../deploy/catalogue/stations.toml")),
    ]
}

/// A morning with a smoky city, a river short of oxygen, a gauge in a cloudburst, a broken sensor, and stations that fall
/// no data; one alert is acknowledged.
async fn morning() -> Rig {
    let mut rig = Rig::with_catalogue(&shipped(), ApiConfig::default(), Some(TOKEN)).await;
    let smoke: Vec<_> = (0..150_u32).map(|minute| Some(18.0 + f64::from(minute) * 1.5)).collect();
    rig.feed_series("psr-kota-01/pm25", &smoke).await;
    let oxygen: Vec<_> = (0..150_u32).map(|minute| Some(6.0 - f64::from(minute) * 0.035)).collect();
    rig.feed_series("mlg-brantas-01/do", &oxygen).await;
    rig.feed_series("btu-alun-01/pm25", &[Some(12.5), Some(13.0), None, Some(12.0)]).await;
    rig.feed_series("prb-bjbr-01/water_temperature", &[Some(29.25), Some(29.5)]).await;
    rig.feed_status("psr-gembong-01", false).await;
    rig.clock.set(time("2026-03-10T10:30:00Z"));
    let burst = [Some(10.0), Some(10.2), Some(10.2), Some(14.4), Some(22.0), Some(0.2)];
    rig.feed_series("mlg-bango-01/rain", &burst).await;
    rig.feed_series("prb-kota-01/pm25", &[Some(20.0), Some(-9_999.0), Some(21.0), Some(220.0), Some(20.5)]).await;
    rig.feed_series("prb-mayangan-01/wind_direction", &[Some(350.0), Some(10.0)]).await;
    rig.feed_without_waiting(&[("prb-mayangan-01/water_level", time("2026-03-10T10:33:00Z"), Some(1.5))]).await;
    rig.feed_poison(&[b"\xff\x00{not json"]).await;
    let alerts = rig.alerts.clone();
    // Smoke, oxygen, and whoever has sent no data for more than half an hour.
    until("the alerts", || ALERTS == alerts.active().len()).await;
    let smoke = alerts.active().iter().find(|alert| alert.rule.as_str() == "pm25-udara").map(|alert| alert.id);
    let uri = format!("/api/v1/alerts/{}/acknowledge", smoke.unwrap());
    let taken = rig.post(&uri, Some(TOKEN), "application/json", "{\"name\":\"Sari\",\"note\":\"cek lapangan\"}").await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.text());
    rig
}

/// Alerts that are open at the end of the morning.
const ALERTS: usize = 14;

/// Members that no clock and no history decides.
fn of_this_machine(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "disk_free_bytes" => *member = "of this machine".into(),
                    // Counted behind the back of whoever asks first.
                    "last_24h" => *member = "has a test of its own".into(),
                    _ => of_this_machine(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(of_this_machine),
        _ => {}
    }
}

fn text(answer: &Answer) -> String {
    let kind = answer.header(axum::http::header::CONTENT_TYPE).to_owned();
    let head = format!("{} {kind}\n", answer.status.as_u16());
    if kind.contains("json") {
        let mut value = answer.json();
        of_this_machine(&mut value);
        return head + &serde_json::to_string_pretty(&value).unwrap();
    }
    if kind.starts_with("image/png") {
        return format!("{head}{} bytes", answer.body.len());
    }
    head + &without_disk(answer.text())
}

/// A page without the free space of the disk that this runs on.
fn without_disk(page: &str) -> String {
    let mut parts = Vec::new();
    for part in ["Ruang disk yang bebas</dt><dd>", "Free disk space</dt><dd>"] {
        if let Some((before, after)) = page.split_once(part) {
            parts = vec![before, part, "of this machine", &after[after.find('<').unwrap_or_default()..]];
        }
    }
    if parts.is_empty() { page.to_owned() } else { parts.concat() }
}

/// Addresses of a route that show all there is.
async fn addresses(rig: &Rig, path: &str) -> Vec<String> {
    let every = |template: &str, of: &[&str]| of.iter().map(|one| template.replace("{}", one)).collect::<Vec<_>>();
    let alerts: Vec<String> = rig.alerts.active().iter().map(|alert| alert.id.to_string()).collect();
    let alerts: Vec<&str> = alerts.iter().map(String::as_str).collect();
    let stations = ["psr-kota-01", "mlg-bango-01", "prb-bjbr-01", "psr-gembong-01"];
    let datastreams = ["psr-kota-01/pm25", "mlg-bango-01/rain", "prb-kota-01/pm25"];
    match path {
        "/api/v1/stations/{id}" => every("/api/v1/stations/{}", &stations),
        "/stations/{id}" => every("/stations/{}", &stations),
        "/api/v1/alerts/{id}" => every("/api/v1/alerts/{}", &alerts),
        "/alerts/{id}" => every("/alerts/{}", &alerts),
        "/api/v1/rules/{id}" => every("/api/v1/rules/{}", &["pm25-udara", "do-sungai", "stasiun-diam", "sumber-putus"]),
        "/api/v1/quarantine/{id}" => vec!["/api/v1/quarantine/1".to_owned()],
        "/charts/{station}/{file}" => {
            [every("/charts/{}.svg?range=1d", &datastreams), every("/charts/{}.png?range=1d", &datastreams)].concat()
        }
        "/problems/{key}" => every("/problems/{}", &["busy", "already-acknowledged"]),
        "/api/v1/observations" => [
            every("/api/v1/observations?datastream={}&limit=10", &datastreams),
            every("/api/v1/observations?datastream={}&format=csv", &datastreams),
        ]
        .concat(),
        "/api/v1/aggregates" => [
            every(
                "/api/v1/aggregates?datastream={}&step=1h&from=2026-03-10T06:00:00Z&to=2026-03-10T11:00:00Z",
                &datastreams,
            ),
            every(
                "/api/v1/aggregates?datastream={}&step=1h&from=2026-03-10T06:00:00Z&to=2026-03-10T11:00:00Z&format=csv",
                &datastreams,
            ),
        ]
        .concat(),
        "/api/v1/alerts/settled" => {
            every("/api/v1/alerts/settled?datastream={}&from=2026-03-10T00:00:00Z", &datastreams)
        }
        // The document has a snapshot of its own.
        "/api/v1/openapi.json" => Vec::new(),
        // Style sheets and scripts are compared as files; a link is followed where it arrives; counters are the machine's.
        "/assets/{name}" | "/a/{token}" | "/metrics" | "/api/v1/events" | "/live" => Vec::new(),
        path => vec![path.to_owned()],
    }
}

#[tokio::test]
async fn every_route_answers_as_it_did() {
    let rig = morning().await;
    let document = openapi::document(&rig).await;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let addresses = addresses(&rig, route.path).await;
        if addresses.is_empty() {
            continue;
        }
        let name = route.path.trim_matches('/').replace(['/', '{', '}'], "-").replace("--", "-");
        let name = if name.is_empty() { "overview" } else { name.trim_end_matches('-') };
        let said = async |language| {
            let mut said = String::new();
            for address in &addresses {
                let with = if address.contains('?') { '&' } else { '?' };
                let answer = rig.get_as_admin(&format!("{address}{with}lang={language}")).await;
                openapi::assert_is_documented(&document, route, &answer);
                said += &format!("=== {address}\n{}\n", text(&answer));
            }
            said
        };
        let said = [said("id").await, said("en").await];
        match &said {
            [id, en] if id == en => insta::assert_snapshot!(name, id),
            [id, en] => {
                insta::assert_snapshot!(format!("{name}.id"), id);
                insta::assert_snapshot!(format!("{name}.en"), en);
            }
        }
    }
}
