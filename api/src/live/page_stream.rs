//! `GET /live`: tells open pages that something changed, and at which stations. Pages fetch what they show themselves.
//!
//! One stream serves all tabs of a browser, so it knows neither page nor language. Events:
//! - `hello`: the stream has begun; the position in the log, as in the page's `data-after`.
//! - `states`: what is said of these stations (ids with spaces between), or `*` of anything, has changed.
//! - `values`: these stations have new values; at most every 2 seconds.
//! - `ping`: the server's time in milliseconds since 1970; every 5 seconds.

use std::{collections::BTreeSet, convert::Infallible, io::Write as _, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse as _,
};
use bakau_model::StationId;
use flate2::{Compression, write::GzEncoder};
use futures::{Stream, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    http::{
        call::{Answered, Call},
        error::{ApiError, ProblemType},
    },
    live::{event_log::Happened, states::Watching},
    state::AppState,
};

/// Shortest time between two `states` events: an alert and what follows from it come together.
const STATES_EVERY: Duration = Duration::from_millis(200);
/// Shortest time between two `values` events.
const VALUES_EVERY: Duration = Duration::from_secs(2);
/// Time between two `ping` events: a page says after 12.5 s without one that it is disconnected.
const PING_EVERY: Duration = Duration::from_secs(5);

/// The stream of one browser.
pub(crate) async fn live(call: Call) -> Answered {
    let Call { state, headers, .. } = call;
    let permit = Arc::clone(&state.own.event_streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(30))?;
    let position = state.own.events.here();
    let compressed = accepts_gzip(&headers);
    let client = Client::new(state, position.number(), permit);
    let hello = format!("event: hello\ndata: {position}\nretry: 3000\n\n");
    let body = Body::from_stream(client.into_stream(hello, compressed.then(Gzip::new)));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Tells nginx to pass events on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"))
}

/// Compresses event by event: ids of stations that come again cost next to nothing.
struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    fn event(&mut self, text: &str) -> std::io::Result<Bytes> {
        self.0.write_all(text.as_bytes())?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
}

/// Stations of which something is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
enum Due {
    #[default]
    Nothing,
    Stations(BTreeSet<StationId>),
    Anything,
}

impl Due {
    fn add(&mut self, stations: impl IntoIterator<Item = StationId>) {
        match self {
            Self::Nothing => *self = Self::Stations(stations.into_iter().collect()),
            Self::Stations(known) => known.extend(stations),
            Self::Anything => {}
        }
    }

    /// As the event says it; nothing is due any more.
    fn take(&mut self) -> Option<String> {
        match std::mem::take(self) {
            Self::Nothing => None,
            Self::Stations(ids) if ids.is_empty() => None,
            Self::Stations(ids) => Some(ids.iter().map(StationId::as_str).collect::<Vec<_>>().join(" ")),
            Self::Anything => Some("*".to_owned()),
        }
    }
}

struct Client {
    state: AppState,
    last: watch::Receiver<u64>,
    /// The last entry of the log that was looked at.
    seen: u64,
    ping: Interval,
    states: Due,
    states_at: Instant,
    values: Due,
    values_at: Instant,
    _watching: Watching,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    fn new(state: AppState, seen: u64, permit: OwnedSemaphorePermit) -> Self {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        Self {
            last: state.own.events.subscribe(),
            seen,
            ping,
            states: Due::Nothing,
            states_at: now,
            values: Due::Nothing,
            values_at: now,
            _watching: Watching::begin(&state),
            _permit: permit,
            state,
        }
    }

    fn into_stream(self, hello: String, gzip: Option<Gzip>) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold((self, Some(hello), gzip), |(mut client, hello, mut gzip)| async move {
            let text = match hello {
                Some(hello) => hello,
                None => client.next_event().await?,
            };
            let bytes = match &mut gzip {
                Some(gzip) => gzip.event(&text).ok()?,
                None => text.into(),
            };
            Some((Ok(bytes), (client, None, gzip)))
        })
    }

    async fn next_event(&mut self) -> Option<String> {
        loop {
            let (states, values) = (self.states != Due::Nothing, self.values != Due::Nothing);
            tokio::select! {
                biased;
                () = self.state.stop.cancelled() => return None,
                _ = self.ping.tick() => return Some(event("ping", &self.state.clock.now().get().to_string())),
                () = tokio::time::sleep_until(self.states_at), if states => {
                    self.states_at = Instant::now() + STATES_EVERY;
                    if let Some(stations) = self.states.take() {
                        return Some(event("states", &stations));
                    }
                }
                () = tokio::time::sleep_until(self.values_at), if values => {
                    self.values_at = Instant::now() + VALUES_EVERY;
                    if let Some(stations) = self.values.take() {
                        return Some(event("values", &stations));
                    }
                }
                changed = self.last.changed() => match changed {
                    Ok(()) => self.look(),
                    // The log ends only with the process.
                    Err(_) => return None,
                },
            }
        }
    }

    /// Takes what has happened since from the log.
    fn look(&mut self) {
        let Some(entries) = self.state.own.events.behind(self.seen) else {
            self.seen = self.state.own.events.last();
            self.states = Due::Anything;
            return;
        };
        for happened in entries {
            self.seen += 1;
            match happened {
                Happened::Changed(changed) => {
                    let snapshot = self.state.snapshot();
                    let stations = changed.iter().filter_map(|id| snapshot.datastreams.get(id));
                    self.values.add(stations.map(|datastream| datastream.station.clone()));
                }
                // The number of active alerts is on every page.
                Happened::Alert(_) | Happened::Anything => self.states = Due::Anything,
                Happened::Station(status) => self.states.add([status.station]),
                Happened::States(stations) if stations.is_empty() => self.states = Due::Anything,
                Happened::States(stations) => self.states.add(stations.iter().cloned()),
            }
        }
    }
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_is_due_is_told_once_and_anything_stands_for_all_of_it() {
        let station = |id: &str| id.parse::<StationId>().unwrap();
        let mut due = Due::default();
        due.add([station("b"), station("a")]);
        due.add([station("b")]);
        assert_eq!(due.take().as_deref(), Some("a b"));
        assert_eq!(due.take(), None);
        due.add([station("a")]);
        due = Due::Anything;
        due.add([station("c")]);
        assert_eq!(due.take().as_deref(), Some("*"));
    }

    #[test]
    fn each_compressed_event_can_be_read_as_soon_as_it_is_there() {
        let mut gzip = Gzip::new();
        let mut sent = gzip.event(&event("ping", "1")).unwrap().to_vec();
        let mut first = [0; 21];
        flate2::read::GzDecoder::new(&sent[..]).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"event: ping\ndata: 1\n\n");
        let again = gzip.event(&event("values", "beban-000001 beban-000002")).unwrap().len();
        sent.extend(gzip.event(&event("values", "beban-000001 beban-000002")).unwrap());
        let third = gzip.event(&event("values", "beban-000001 beban-000002")).unwrap().len();
        assert!(third < again / 2, "{third} bytes, {again} the first time");
    }

    #[test]
    fn only_a_client_that_says_so_gets_compressed_events() {
        let accepts = |text: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert!(accepts("gzip, deflate, br") && accepts("br;q=1.0, gzip;q=0.8"));
        assert!(!accepts("br") && !accepts_gzip(&HeaderMap::new()));
    }
}
