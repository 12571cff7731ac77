//! Live events.

use axum::{
    body::Body,
    http::{Request, header},
};
use bakau_clock::Clock as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::rig::{Rig, time, within};

const DO: &str = "prb-bjbr-01/do";

struct Stream {
    body: Body,
    buffer: String,
    last_id: Option<String>,
}

impl Stream {
    async fn open(rig: &Rig, uri: &str) -> Self {
        Self::open_after(rig, uri, None).await
    }

    async fn open_after(rig: &Rig, uri: &str, last_id: Option<&str>) -> Self {
        let mut request = Request::get(uri).header(header::ACCEPT_ENCODING, "gzip");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = rig.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "events are passed on at once");
        Self { body: response.into_body(), buffer: String::new(), last_id: None }
    }

    /// The next event as (name, data); `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let parsed =
                    field("event:").map(|name| (name, serde_json::from_str(&field("data:").unwrap()).unwrap()));
                self.last_id = field("id:").or_else(|| self.last_id.take());
                self.buffer = rest.to_owned();
                match parsed {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let frame = within("an event", self.body.frame()).await?;
            self.buffer.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }

    async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream goes on");
            if found == name {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn a_new_client_gets_the_time_and_every_value_at_once() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.1))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    let status = stream.next_of("status").await;
    assert_eq!(status["now"], "2026-03-10T09:00:00Z");
    let values = stream.next_of("values").await;
    insta::assert_json_snapshot!("event_values", values);
}

#[tokio::test]
async fn changes_and_alerts_arrive_while_the_stream_is_open() {
    let mut rig = Rig::start().await;
    let mut stream = Stream::open(&rig, "/api/v1/events?station=prb-bjbr-01").await;
    stream.next_of("status").await;
    rig.feed(&[("mlg-kota-01/pm25", time("2026-03-10T08:59:00Z"), Some(50.0))]).await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    let alert = stream.next_of("alert").await;
    insta::assert_json_snapshot!("event_alert", alert);
    let values = stream.next_of("values").await;
    let names: Vec<&Value> = values.as_array().unwrap().iter().map(|value| &value["datastream"]).collect();
    assert_eq!(names, [DO], "other stations are left out");
}

#[tokio::test]
async fn whoever_comes_later_learns_of_alerts_that_are_active() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    rig.feed_status("mlg-kota-01", false).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    insta::assert_json_snapshot!("event_levels", stream.next_of("levels").await);
    let mut other = Stream::open(&rig, "/api/v1/events?station=mlg-kota-01").await;
    let levels = other.next_of("levels").await;
    assert_eq!((&levels["stations"], &levels["away"][0]), (&serde_json::json!({}), &"mlg-kota-01".into()));
}

/// The id of the last event that a page shows already, as its script finds it.
async fn drawn_after(rig: &Rig, path: &str) -> String {
    let page = rig.get(path).await;
    let (_, rest) = page.text().split_once("data-after=\"").expect("a live page has one");
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn nothing_falls_between_a_page_and_its_first_event() {
    let mut rig = Rig::start().await;
    for path in ["/", "/stations/prb-bjbr-01", "/alerts"] {
        let (oxygen, level) = if path == "/stations/prb-bjbr-01" { (5.5, "normal") } else { (3.5, "waspada") };
        let after = drawn_after(&rig, path).await;
        // Slow enough to be believed: what is suspect ends no alert.
        rig.clock.advance(300_000);
        rig.feed(&[(DO, rig.clock.now(), Some(oxygen))]).await;
        let mut stream = Stream::open(&rig, &format!("/api/v1/events?after={after}")).await;
        loop {
            match stream.next().await.expect("the stream goes on") {
                (name, alert) if name == "alert" => break assert_eq!(alert["level"], level, "{path}"),
                (name, data) => assert!(name == "status" || name == "values", "{name}: {data}"),
            }
        }
    }
    let mut stream = Stream::open(&rig, "/api/v1/events?after=1-1").await;
    assert_eq!(stream.next_of("reload").await["reason"], "unknown", "a page of another process");
}

#[tokio::test]
async fn a_station_that_leaves_and_comes_back_is_told_at_once_and_again_to_whoever_missed_it() {
    let mut rig = Rig::start().await;
    rig.feed_and_announce(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events?station=prb-bjbr-01").await;
    stream.next_of("values").await;
    let before = stream.last_id.clone().unwrap();
    rig.feed_status("mlg-kota-01", false).await;
    rig.feed_status("prb-bjbr-01", false).await;
    insta::assert_json_snapshot!("event_station", stream.next_of("station").await);
    rig.feed_status("prb-bjbr-01", true).await;
    assert_eq!(stream.next_of("station").await["online"], true);
    // Who comes back hears of both; who is new hears who is away now.
    let mut back = Stream::open_after(&rig, "/api/v1/events?station=prb-bjbr-01", Some(&before)).await;
    let told = [back.next_of("station").await, back.next_of("station").await];
    assert_eq!(told.map(|station| station["online"].as_bool()), [Some(false), Some(true)]);
    assert_ne!(back.last_id, Some(before));
    let mut new = Stream::open(&rig, "/api/v1/events").await;
    assert_eq!(new.next_of("levels").await["away"][0], "mlg-kota-01");
}

#[tokio::test]
async fn a_station_whose_values_go_on_is_not_called_away() {
    let mut rig = Rig::start().await;
    rig.feed_status("prb-bjbr-01", false).await;
    rig.clock.advance(1_000);
    rig.feed_and_announce(&[(DO, time("2026-03-10T09:00:00Z"), Some(5.5))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    loop {
        match stream.next().await.expect("the stream goes on") {
            (name, values) if name == "values" => break assert_eq!(values[0]["online"], true),
            (name, data) => assert!(data["away"].as_array().is_none_or(Vec::is_empty), "{name}: {data}"),
        }
    }
}

#[tokio::test]
async fn an_old_value_that_is_told_again_does_not_bring_a_station_back() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    rig.clock.advance(1_000);
    rig.feed_status("prb-bjbr-01", false).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    assert_eq!(stream.next_of("values").await[0]["online"], false);
    // Values that come after the word take it back; the word said again counts again.
    rig.clock.advance(1_000);
    rig.feed(&[(DO, rig.clock.now(), Some(5.4))]).await;
    assert_eq!(stream.next_of("values").await[0]["online"], true);
    rig.clock.advance(1_000);
    rig.feed_status("prb-bjbr-01", false).await;
    assert_eq!(stream.next_of("station").await["online"], false);
}

fn names(values: &Value) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|value| value["datastream"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_nothing_else() {
    let mut rig = Rig::start().await;
    rig.feed_and_announce(&[("mlg-kota-01/pm25", time("2026-03-10T08:58:00Z"), Some(50.0))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    assert_eq!(names(&stream.next_of("values").await), ["mlg-kota-01/pm25"]);
    let id = stream.last_id.clone().expect("who knows the present has an id");
    drop(stream);
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    rig.feed(&[(DO, time("2026-03-10T09:00:00Z"), Some(3.25))]).await;
    let mut stream = Stream::open_after(&rig, "/api/v1/events", Some(&id)).await;
    let (mut alert, mut values) = (Value::Null, Value::Null);
    while alert.is_null() || values.is_null() {
        match stream.next().await.expect("the stream goes on") {
            (name, data) if name == "alert" => alert = data,
            (name, data) if name == "values" => values = data,
            (name, data) => assert_eq!(name, "status", "{data}"),
        }
    }
    assert_eq!((&alert["datastream"], &alert["level"]), (&DO.into(), &"waspada".into()));
    assert_eq!(names(&values), [DO], "what had not changed is left out");
    assert_eq!((&values[0]["value"], &values[0]["flag"]), (&3.25.into(), &1.into()));
}

#[tokio::test]
async fn an_id_that_is_not_known_any_more_means_loading_again() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    for id in ["1-1", "19cd6e50000-99", "rubbish"] {
        let mut stream = Stream::open_after(&rig, "/api/v1/events", Some(id)).await;
        assert_eq!(stream.next_of("reload").await["reason"], "unknown", "{id}");
        assert_eq!(names(&stream.next_of("values").await), [DO], "everything follows");
    }
}

#[tokio::test]
async fn an_event_has_no_id_before_the_client_knows_the_present() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    stream.next_of("levels").await;
    assert_eq!(stream.last_id, None);
    stream.next_of("values").await;
    assert!(stream.last_id.is_some());
}

#[tokio::test]
async fn streams_end_when_bakau_stops() {
    let rig = Rig::start().await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    stream.next_of("status").await;
    rig.stop.cancel();
    while stream.next().await.is_some() {}
}
