//! Live events.

use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::rig::{Rig, time, within};

const DO: &str = "prb-bjbr-01/do";

struct Stream {
    body: Body,
    buffer: String,
}

impl Stream {
    async fn open(rig: &Rig, uri: &str) -> Self {
        let request = Request::get(uri).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
        let response = rig.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "events are passed on at once");
        Self { body: response.into_body(), buffer: String::new() }
    }

    /// The next event as (name, data); `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let parsed = field("event:").map(|name| {
                    assert!(field("id:").is_some(), "an event without id: {event}");
                    (name, serde_json::from_str(&field("data:").unwrap()).unwrap())
                });
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
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    let alert = stream.next_of("alert").await;
    assert_eq!((&alert["datastream"], &alert["station_level"]), (&DO.into(), &"waspada".into()));
}

#[tokio::test]
async fn streams_end_when_bakau_stops() {
    let rig = Rig::start().await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    stream.next_of("status").await;
    rig.stop.cancel();
    while stream.next().await.is_some() {}
}
