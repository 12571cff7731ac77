//! The stream that tells open pages to renew themselves, and what a page that renews itself gets.

use axum::{
    body::Body,
    http::{HeaderName, Request, header},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::rig::{Rig, time, within};

const DO: &str = "prb-bjbr-01/do";

struct Stream {
    body: Body,
    buffer: String,
}

impl Stream {
    async fn open(rig: &Rig) -> Self {
        let request = Request::get("/live").body(Body::empty()).unwrap();
        let response = rig.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), buffer: String::new() }
    }

    /// The next event, as its kind and what it says.
    async fn next(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
                let found = (field("event: "), field("data: "));
                self.buffer = rest.to_owned();
                return found;
            }
            let frame = within("an event", self.body.frame()).await.expect("the stream goes on");
            self.buffer.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }

    /// Reads until all of these have been told, in any order.
    async fn told(&mut self, expected: &[(&str, &str)]) {
        let mut missing = expected.to_vec();
        let all = async {
            while !missing.is_empty() {
                let (kind, data) = self.next().await;
                missing.retain(|(wanted, what)| (*wanted, *what) != (&*kind, &*data));
            }
        };
        within("all of it", all).await;
    }
}

#[tokio::test]
async fn a_page_hears_of_values_by_station_and_of_alerts_as_of_anything() {
    let mut rig = Rig::start().await;
    let mut stream = Stream::open(&rig).await;
    let drawn = rig.get("/").await;
    let (kind, hello) = stream.next().await;
    assert_eq!(kind, "hello");
    assert!(drawn.text().contains(&format!("data-after=\"{hello}\"")), "nothing has happened since: {hello}");
    stream.told(&[("ping", &time("2026-03-10T09:00:00Z").get().to_string())]).await;
    // The first value of a station that has never reported changes what is said of it.
    rig.feed(&[("mlg-kota-01/pm25", time("2026-03-10T08:59:00Z"), Some(20.0))]).await;
    stream.told(&[("values", "mlg-kota-01"), ("states", "mlg-kota-01")]).await;
    rig.feed(&[(DO, time("2026-03-10T08:59:00Z"), Some(3.5))]).await;
    stream.told(&[("values", "prb-bjbr-01"), ("states", "*")]).await;
}

/// The hashes of the fragments of a page.
fn held(page: &str) -> String {
    page.split("data-v=\"").skip(1).filter_map(|part| part.split('"').next()).collect()
}

#[tokio::test]
async fn a_page_gets_again_only_what_it_does_not_hold() {
    let mut rig = Rig::start().await;
    let values =
        [(DO, time("2026-03-10T08:59:00Z"), Some(6.5)), ("mlg-kota-01/pm25", time("2026-03-10T08:59:00Z"), Some(20.0))];
    rig.feed(&values).await;
    let header = HeaderName::from_static("bakau-held");
    let first = rig.get("/").await;
    let again = rig.get_with("/", &[(header.clone(), &held(first.text()))]).await;
    assert!(again.text().contains("<li id=\"st-prb-bjbr-01\" data-same></li>"), "{}", again.text());
    assert!(again.text().contains("<li id=\"st-mlg-kota-01\" data-same></li>"));
    rig.feed(&[(DO, time("2026-03-10T09:00:00Z"), Some(6.4))]).await;
    let after = rig.get_with("/", &[(header, &held(first.text()))]).await;
    assert!(!after.text().contains("<li id=\"st-prb-bjbr-01\" data-same>") && after.text().contains("6,40"));
    assert!(after.text().contains("<li id=\"st-mlg-kota-01\" data-same></li>"));
}

#[tokio::test]
async fn a_page_that_renews_itself_chooses_no_language_for_others() {
    let rig = Rig::start().await;
    let chosen = rig.get("/?lang=en").await;
    assert!(chosen.headers.contains_key(header::SET_COOKIE));
    let renewed = rig.get_with("/?lang=en", &[(HeaderName::from_static("bakau-held"), "-")]).await;
    assert!(!renewed.headers.contains_key(header::SET_COOKIE));
}
