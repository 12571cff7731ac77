//! `GET /api/v1/events`: what is happening now, as server-sent events in the form that `bakau_dashboards::live` defines.
//!
//! A client holds a set of changed datastreams, never a queue of values: however slow it is, it costs one number per
//! datastream, and what it gets is always the newest. One that has just come gets every value, the level of every
//! datastream with a rule and every station that is away: between the drawing of its page and its first event things may
//! have happened. One that comes back with `Last-Event-ID` gets what has changed since ([`crate::event_log`]); where that is no longer known it is told
//! to load again and starts like a new one. An id says "everything up to here has been told", so what was still owed
//! when a connection broke is told again.

use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bakau_alerts::AlertView;
use bakau_dashboards::{format, live, view::StationCard};
use bakau_model::{DatastreamId, DatastreamName, Language, Level, Observation, StationId, StationStatus};
use bakau_registry::{Datastream, Snapshot};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    answer, catalogue,
    error::{ApiError, ProblemType},
    event_log::{Happened, Position},
    gather::{self, Gatherer},
    query::Params,
    state::AppState,
};

/// Shortest time between two `values` events of one client: two a second look live and cost little.
const VALUES_EVERY: Duration = Duration::from_millis(500);
/// Time between two `status` events.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Comment lines that keep proxies from closing a quiet connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a client whose stream broke waits before it comes back.
const RECONNECT: Duration = Duration::from_secs(3);

/// Header in which a client that comes back names the last event it had.
const LAST_EVENT_ID: &str = "last-event-id";

/// Live events, of one station with `?station=`.
pub(crate) async fn events(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["station"])?;
    let station = params.station()?;
    if let Some(station) = &station {
        catalogue::known_station(&state.snapshot(), station)?;
    }
    let permit = Arc::clone(&state.own.event_streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(30))?;
    state.own.events.start(&state);
    let client = Client::new(state, station, last_event_id(&headers), permit);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(client.into_stream()).keep_alive(keep_alive).into_response();
    // Tells nginx to pass events on at once.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The id a client that comes back names; an empty one is none.
fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

/// Which values a client has still to get.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    All,
    /// These, of which the first changed with this entry of the log.
    Some(BTreeSet<DatastreamId>, u64),
}

impl Due {
    const fn nothing() -> Self {
        Self::Some(BTreeSet::new(), 0)
    }

    fn is_something(&self) -> bool {
        match self {
            Self::All => true,
            Self::Some(changed, _) => !changed.is_empty(),
        }
    }
}

/// An event that waits to be sent: of this entry of the log, or of none.
type Waiting = (Option<u64>, &'static str, Value);

/// One open stream.
struct Client {
    state: AppState,
    station: Option<StationId>,
    last: watch::Receiver<u64>,
    /// The last entry of the log that was looked at.
    seen: u64,
    status: Interval,
    due: Due,
    values_at: Instant,
    waiting: VecDeque<Waiting>,
    _permit: OwnedSemaphorePermit,
}

enum Heard {
    Stop,
    Something,
    StatusDue,
    ValuesDue,
}

impl Client {
    fn new(state: AppState, station: Option<StationId>, came_from: Option<&str>, permit: OwnedSemaphorePermit) -> Self {
        let mut status = tokio::time::interval(STATUS_EVERY);
        status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let log = &state.own.events;
        let number = came_from.map(|id| id.parse::<Position>().ok().and_then(|position| log.number(position)));
        let mut client = Self {
            last: log.subscribe(),
            // Taken before the first values are, so that no change falls between.
            seen: log.last(),
            state,
            station,
            status,
            due: Due::nothing(),
            values_at: Instant::now(),
            waiting: VecDeque::new(),
            _permit: permit,
        };
        match number {
            Some(Some(number)) => {
                client.seen = number;
                client.look();
            }
            Some(None) => client.start_again("unknown"),
            None => client.tell_everything(),
        }
        client
    }

    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut client| async move {
            let event = client.next_event().await?;
            Some((Ok(event), client))
        })
    }

    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some((_, name, value)) = self.waiting.pop_front() {
                return Some(self.event(name, &value));
            }
            match self.listen().await {
                Heard::Stop => return None,
                Heard::Something => self.look(),
                Heard::StatusDue => {
                    let now = answer::time(self.state.clock.now());
                    let status = json!({ "now": now, "active_alerts": self.state.alerts.active().len() });
                    return Some(self.event(live::STATUS, &status).retry(RECONNECT));
                }
                Heard::ValuesDue => {
                    let values = self.take_values();
                    if !values.is_empty() {
                        return Some(self.event(live::VALUES, &Value::Array(values)));
                    }
                }
            }
        }
    }

    async fn listen(&mut self) -> Heard {
        tokio::select! {
            biased;
            () = self.state.stop.cancelled() => Heard::Stop,
            _ = self.status.tick() => Heard::StatusDue,
            () = tokio::time::sleep_until(self.values_at), if self.due.is_something() => Heard::ValuesDue,
            changed = self.last.changed() => match changed {
                Ok(()) => Heard::Something,
                // The log ends only with the process.
                Err(_) => Heard::Stop,
            },
        }
    }

    /// Takes what has happened since from the log.
    fn look(&mut self) {
        let Some(entries) = self.state.own.events.behind(self.seen) else {
            self.seen = self.state.own.events.last();
            self.start_again("behind");
            return;
        };
        for happened in entries {
            self.seen += 1;
            match happened {
                Happened::Changed(changed) => self.remember(&changed),
                Happened::Alert(alert) => {
                    let value = self.alert_value(&alert);
                    self.waiting.extend(value.map(|value| (Some(self.seen), live::ALERT, value)));
                }
                Happened::Station(status) => {
                    let value = self.station_value(&status);
                    self.waiting.extend(value.map(|value| (Some(self.seen), live::STATION, value)));
                }
                Happened::Anything => self.start_again("behind"),
            }
        }
    }

    /// Tells the client that it missed something, and everything as it is now.
    fn start_again(&mut self, reason: &str) {
        self.waiting.clear();
        self.waiting.push_back((None, live::RELOAD, json!({ "reason": reason })));
        self.tell_everything();
    }

    fn tell_everything(&mut self) {
        self.due = Due::All;
        let levels = self.every_level();
        self.waiting.extend(levels.into_iter().map(|level| (None, live::ALERT, level)));
        let away = self.every_absence();
        self.waiting.extend(away.into_iter().map(|station| (None, live::STATION, station)));
    }

    /// The last entry up to which everything has been told; `None` before a new client knows the present.
    fn told(&self) -> Option<u64> {
        let values = match &self.due {
            Due::All => return None,
            Due::Some(changed, _) if changed.is_empty() => self.seen,
            Due::Some(_, first) => first.saturating_sub(1),
        };
        match self.waiting.front() {
            None => Some(values),
            Some((first, _, _)) => first.map(|first| values.min(first.saturating_sub(1))),
        }
    }

    fn remember(&mut self, changed: &[DatastreamId]) {
        if let Due::Some(due, first) = &mut self.due {
            if due.is_empty() {
                *first = self.seen;
            }
            due.extend(changed);
        }
    }

    /// Every value that is due, as an array of the form in `live`.
    fn take_values(&mut self) -> Vec<Value> {
        self.values_at = Instant::now() + VALUES_EVERY;
        let due = std::mem::replace(&mut self.due, Due::nothing());
        let snapshot = self.state.snapshot();
        let observations: Vec<Observation> = match due {
            Due::All => self.state.latest.snapshot().into_iter().map(|entry| entry.observation).collect(),
            Due::Some(changed, _) => {
                let entries = changed.into_iter().filter_map(|number| self.state.latest.get(number));
                entries.map(|entry| entry.observation).collect()
            }
        };
        let wanted = observations.iter().filter_map(|observation| {
            let datastream = snapshot.datastreams.get(&observation.datastream)?;
            let mine = self.station.as_ref().is_none_or(|station| datastream.station == *station);
            mine.then(|| value_of(&snapshot, datastream, observation))
        });
        wanted.collect()
    }

    /// The event of an alert; `None` where it is not about the client's station.
    fn alert_value(&self, alert: &AlertView) -> Option<Value> {
        if self.station.is_some() && self.station != alert.station {
            return None;
        }
        let active = self.state.alerts.active();
        // The list in memory may be a moment behind this very alert.
        let mut now: Vec<&AlertView> = active.iter().filter(|other| other.id != alert.id).collect();
        if alert.closed_at.is_none() {
            now.push(alert);
        }
        Some(level_value(Some(alert), alert.station.as_ref(), alert.datastream.as_ref(), &now))
    }

    /// The event of a station that left or is back; `None` where it is not the client's, or values since say otherwise.
    fn station_value(&self, status: &StationStatus) -> Option<Value> {
        let mine = self.station.as_ref().is_none_or(|mine| *mine == status.station);
        let snapshot = self.state.snapshot();
        let known = snapshot.stations.contains_key(&status.station);
        (mine && known && gather::holds(&self.state, &snapshot, status))
            .then(|| json!({ "station": status.station, "online": status.online, "at": answer::time(status.at) }))
    }

    /// One event for each station whose device is away.
    fn every_absence(&self) -> Vec<Value> {
        let snapshot = self.state.snapshot();
        let said = snapshot.stations.keys().filter_map(|station| self.state.latest.status(station));
        said.filter(|status| !status.online).filter_map(|status| self.station_value(&status)).collect()
    }

    /// One event for each datastream with a rule, of stations that have current data.
    fn every_level(&self) -> VecDeque<Value> {
        let gatherer = Gatherer::new(&self.state);
        let active = self.state.alerts.active();
        let active: Vec<&AlertView> = active.iter().collect();
        let mine = |card: &StationCard| self.station.as_ref().is_none_or(|mine| *mine == card.id);
        let cards = gatherer.stations().into_iter().filter(|card| mine(card) && card.level.is_some());
        let current: BTreeSet<StationId> = cards.map(|card| card.id).collect();
        let watched: BTreeSet<&DatastreamName> =
            gatherer.snapshot().rules.values().filter_map(|rule| rule.datastream()).collect();
        let watched = watched.into_iter().filter(|datastream| current.contains(datastream.station()));
        let worst = |datastream: &DatastreamName| {
            let of = |alert: &&AlertView| alert.datastream.as_ref() == Some(datastream);
            active.iter().copied().filter(of).max_by_key(|alert| alert.level)
        };
        let level = |datastream: &DatastreamName| {
            let station = StationId::new(datastream.station()).ok();
            level_value(worst(datastream), station.as_ref(), Some(datastream), &active)
        };
        watched.map(level).collect()
    }

    fn event(&self, name: &str, value: &Value) -> Event {
        let event = Event::default().event(name).data(value.to_string());
        match self.told() {
            Some(number) => event.id(self.state.own.events.position(number).to_string()),
            // The client keeps the id it has: what it has not been told yet it must not lose.
            None => event,
        }
    }
}

/// The event of a level: of `alert`, or of no alert at all, among those active now.
fn level_value(
    alert: Option<&AlertView>,
    station: Option<&StationId>,
    datastream: Option<&DatastreamName>,
    active: &[&AlertView],
) -> Value {
    let worst = |of: &dyn Fn(&AlertView) -> bool| {
        active.iter().filter(|alert| of(alert)).map(|alert| alert.level).max().unwrap_or_default()
    };
    let open = alert.filter(|alert| alert.closed_at.is_none());
    json!({
        "id": alert.map(|alert| alert.id),
        "kind": alert.map(|alert| alert.kind),
        "station": station,
        "datastream": datastream,
        "source": alert.and_then(|alert| alert.source.as_ref()),
        "level": open.map_or(Level::Normal, |alert| alert.level),
        "datastream_level": datastream.map(|name| worst(&|alert| alert.datastream.as_ref() == Some(name))),
        "station_level": station.map(|id| worst(&|alert| alert.station.as_ref() == Some(id))),
        "active_alerts": active.len(),
    })
}

fn value_of(snapshot: &Snapshot, datastream: &Datastream, observation: &Observation) -> Value {
    let decimals = catalogue::decimals(snapshot, datastream);
    let text = observation.value.map(|value| {
        json!({
            "id": format::number(value, decimals, Language::Id),
            "en": format::number(value, decimals, Language::En),
        })
    });
    json!({
        "datastream": datastream.name,
        "value": observation.value,
        "text": text,
        "observed_at": answer::time(observation.observed_at),
        "flag": observation.flag.code(),
    })
}
