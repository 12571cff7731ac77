//! Live events.

use axum::{
    body::Body,
    http::{Request, header},
};
use bakau_answers::{Event, ReloadReason, ValueEvent};
use bakau_clock::Clock as _;
use bakau_model::{Flag, Level};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt as _;

use crate::rig::{DEADLINE, Rig, time};

const DO: &str = "prb-bjbr-01/do";

struct Stream {
    body: Body,
    buffer: String,
    last_id: Option<String>,
    /// Everything that a test waits for has come by then; the time is told for ever.
    until: Instant,
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
        Self { body: response.into_body(), buffer: String::new(), last_id: None, until: Instant::now() + DEADLINE }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let read = field("event:").map(|name| Event::read(&name, &field("data:").unwrap()).unwrap());
                self.last_id = field("id:").or_else(|| self.last_id.take());
                self.buffer = rest.to_owned();
                match read {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let frame = timeout_at(self.until, self.body.frame()).await.expect("an event in time")?;
            self.buffer.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }
}

/// What the next event of a kind tells; others are passed over.
macro_rules! next {
    ($stream:expr, $kind:ident) => {
        loop {
            if let Event::$kind(told) = $stream.next().await.expect("the stream goes on") {
                break told;
            }
        }
    };
}

#[tokio::test]
async fn a_new_client_gets_the_time_and_every_value_at_once() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.1))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    let status = next!(stream, Status);
    assert_eq!(status.now.0, time("2026-03-10T09:00:00Z"));
    let values = next!(stream, Values);
    insta::assert_json_snapshot!("event_values", json!(values));
}

#[tokio::test]
async fn changes_and_alerts_arrive_while_the_stream_is_open() {
    let mut rig = Rig::start().await;
    let mut stream = Stream::open(&rig, "/api/v1/events?station=prb-bjbr-01").await;
    next!(stream, Status);
    rig.feed(&[("mlg-kota-01/pm25", time("2026-03-10T08:59:00Z"), Some(50.0))]).await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    let alert = next!(stream, Alert);
    insta::assert_json_snapshot!("event_alert", json!(alert));
    let values = next!(stream, Values);
    assert_eq!(names(&values), [DO], "other stations are left out");
}

#[tokio::test]
async fn whoever_comes_later_learns_of_alerts_that_are_active() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    rig.feed_status("mlg-kota-01", false).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    insta::assert_json_snapshot!("event_levels", json!(next!(stream, Levels)));
    let mut other = Stream::open(&rig, "/api/v1/events?station=mlg-kota-01").await;
    let levels = next!(other, Levels);
    assert!(levels.stations.is_empty());
    assert_eq!(levels.away[0].as_str(), "mlg-kota-01");
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
        let (oxygen, level) =
            if path == "/stations/prb-bjbr-01" { (5.5, Level::Normal) } else { (3.5, Level::Waspada) };
        let after = drawn_after(&rig, path).await;
        // Slow enough to be believed: what is suspect ends no alert.
        rig.clock.advance(300_000);
        rig.feed(&[(DO, rig.clock.now(), Some(oxygen))]).await;
        let mut stream = Stream::open(&rig, &format!("/api/v1/events?after={after}")).await;
        loop {
            match stream.next().await.expect("the stream goes on") {
                Event::Alert(alert) => break assert_eq!(alert.level, level, "{path}"),
                Event::Status(_) | Event::Values(_) => {}
                event @ (Event::Levels(_) | Event::Station(_) | Event::Reload(_)) => panic!("{event:?}"),
            }
        }
    }
    let mut stream = Stream::open(&rig, "/api/v1/events?after=1-1").await;
    assert_eq!(next!(stream, Reload).reason, ReloadReason::Unknown, "a page of another process");
}

#[tokio::test]
async fn a_station_that_leaves_and_comes_back_is_told_at_once_and_again_to_whoever_missed_it() {
    let mut rig = Rig::start().await;
    rig.feed_and_announce(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events?station=prb-bjbr-01").await;
    next!(stream, Values);
    let before = stream.last_id.clone().unwrap();
    rig.feed_status("mlg-kota-01", false).await;
    rig.feed_status("prb-bjbr-01", false).await;
    insta::assert_json_snapshot!("event_station", json!(next!(stream, Station)));
    rig.feed_status("prb-bjbr-01", true).await;
    assert!(next!(stream, Station).online);
    // Who comes back hears of both; who is new hears who is away now.
    let mut back = Stream::open_after(&rig, "/api/v1/events?station=prb-bjbr-01", Some(&before)).await;
    let told = [next!(back, Station), next!(back, Station)];
    assert_eq!(told.map(|station| station.online), [false, true]);
    assert_ne!(back.last_id, Some(before));
    let mut new = Stream::open(&rig, "/api/v1/events").await;
    assert_eq!(next!(new, Levels).away[0].as_str(), "mlg-kota-01");
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
            Event::Values(values) => break assert!(values[0].online),
            Event::Levels(levels) => assert_eq!(levels.away, []),
            Event::Status(_) => {}
            event @ (Event::Alert(_) | Event::Station(_) | Event::Reload(_)) => panic!("{event:?}"),
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
    assert!(!next!(stream, Values)[0].online);
    // Values that come after the word take it back; the word said again counts again.
    rig.clock.advance(1_000);
    rig.feed(&[(DO, rig.clock.now(), Some(5.4))]).await;
    assert!(next!(stream, Values)[0].online);
    rig.clock.advance(1_000);
    rig.feed_status("prb-bjbr-01", false).await;
    assert!(!next!(stream, Station).online);
}

fn names(values: &[ValueEvent]) -> Vec<&str> {
    values.iter().map(|value| value.datastream.as_str()).collect()
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_nothing_else() {
    let mut rig = Rig::start().await;
    rig.feed_and_announce(&[("mlg-kota-01/pm25", time("2026-03-10T08:58:00Z"), Some(50.0))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    assert_eq!(names(&next!(stream, Values)), ["mlg-kota-01/pm25"]);
    let id = stream.last_id.clone().expect("who knows the present has an id");
    drop(stream);
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    rig.feed(&[(DO, time("2026-03-10T09:00:00Z"), Some(3.25))]).await;
    let mut stream = Stream::open_after(&rig, "/api/v1/events", Some(&id)).await;
    let (mut alert, mut values) = (None, None);
    while alert.is_none() || values.is_none() {
        match stream.next().await.expect("the stream goes on") {
            Event::Alert(told) => alert = Some(told),
            Event::Values(told) => values = Some(told),
            Event::Status(_) => {}
            event @ (Event::Levels(_) | Event::Station(_) | Event::Reload(_)) => panic!("{event:?}"),
        }
    }
    let (alert, values) = (alert.unwrap(), values.unwrap());
    assert_eq!((alert.datastream.unwrap().as_str(), alert.level), (DO, Level::Waspada));
    assert_eq!(names(&values), [DO], "what had not changed is left out");
    assert_eq!((values[0].value, values[0].flag.0), (Some(3.25), Flag::Good));
}

#[tokio::test]
async fn an_id_that_is_not_known_any_more_means_loading_again() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(5.5))]).await;
    for id in ["1-1", "19cd6e50000-99", "rubbish"] {
        let mut stream = Stream::open_after(&rig, "/api/v1/events", Some(id)).await;
        assert_eq!(next!(stream, Reload).reason, ReloadReason::Unknown, "{id}");
        assert_eq!(names(&next!(stream, Values)), [DO], "everything follows");
    }
}

#[tokio::test]
async fn an_event_has_no_id_before_the_client_knows_the_present() {
    let mut rig = Rig::start().await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    next!(stream, Levels);
    assert_eq!(stream.last_id, None);
    next!(stream, Values);
    assert!(stream.last_id.is_some());
}

#[tokio::test]
async fn streams_end_when_bakau_stops() {
    let rig = Rig::start().await;
    let mut stream = Stream::open(&rig, "/api/v1/events").await;
    next!(stream, Status);
    rig.stop.cancel();
    while stream.next().await.is_some() {}
}
