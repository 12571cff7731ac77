//! `GET /api/v1/events`: what is happening now, as server-sent events in the form that `bakau_dashboards::live` defines.
//!
//! A client holds a set of changed datastreams, never a queue of values: however slow it is, it costs one number per
//! datastream, and what it gets is always the newest. A client that missed changes, and one that has just come, gets every
//! value and the level of every datastream with a rule: between the drawing of its page and its first event things
//! may have happened.

use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bakau_alerts::AlertView;
use bakau_dashboards::{format, live, view::StationCard};
use bakau_model::{DatastreamId, DatastreamName, Language, Level, Observation, StationId};
use bakau_registry::{Datastream, Snapshot};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    answer, catalogue,
    error::{ApiError, ProblemType},
    gather::Gatherer,
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

/// Live events, of one station with `?station=`.
pub(crate) async fn events(State(state): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["station"])?;
    let station = params.station()?;
    if let Some(station) = &station {
        catalogue::known_station(&state.snapshot(), station)?;
    }
    let permit = Arc::clone(&state.own.event_streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(30))?;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response =
        Sse::new(Client::new(state, station, permit).into_stream()).keep_alive(keep_alive).into_response();
    // Tells nginx to pass events on at once.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Which values a client has still to get.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    All,
    Some(BTreeSet<DatastreamId>),
}

/// One open stream.
struct Client {
    state: AppState,
    station: Option<StationId>,
    changes: broadcast::Receiver<Arc<[DatastreamId]>>,
    alerts: broadcast::Receiver<Arc<AlertView>>,
    status: Interval,
    due: Due,
    values_at: Instant,
    next_id: u64,
    /// Levels still to be told to a client that has just come or has missed alerts.
    levels: VecDeque<Value>,
    _permit: OwnedSemaphorePermit,
}

enum Heard {
    Stop,
    Changed(Vec<DatastreamId>),
    ChangesLost,
    Alert(Arc<AlertView>),
    AlertsLost,
    StatusDue,
    ValuesDue,
}

impl Client {
    fn new(state: AppState, station: Option<StationId>, permit: OwnedSemaphorePermit) -> Self {
        let mut status = tokio::time::interval(STATUS_EVERY);
        status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut client = Self {
            // Subscribed before the first values are taken, so that no change falls between.
            changes: state.latest.subscribe(),
            alerts: state.alerts.subscribe(),
            state,
            station,
            status,
            due: Due::All,
            values_at: Instant::now(),
            next_id: 1,
            levels: VecDeque::new(),
            _permit: permit,
        };
        client.levels = client.every_level();
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
            if let Some(level) = self.levels.pop_front() {
                return Some(self.event(live::ALERT, &level));
            }
            match self.listen().await {
                Heard::Stop => return None,
                Heard::Changed(changed) => self.remember(&changed),
                Heard::ChangesLost => self.due = Due::All,
                Heard::Alert(alert) => {
                    if let Some(value) = self.alert_value(&alert) {
                        return Some(self.event(live::ALERT, &value));
                    }
                }
                Heard::AlertsLost => self.levels = self.every_level(),
                Heard::StatusDue => {
                    let now = answer::time(self.state.clock.now());
                    return Some(
                        self.event(
                            live::STATUS,
                            &json!({ "now": now, "active_alerts": self.state.alerts.active().len() }),
                        )
                        .retry(RECONNECT),
                    );
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
        let waiting = match &self.due {
            Due::All => true,
            Due::Some(changed) => !changed.is_empty(),
        };
        tokio::select! {
            biased;
            () = self.state.stop.cancelled() => Heard::Stop,
            alert = self.alerts.recv() => match alert {
                Ok(alert) => Heard::Alert(alert),
                Err(broadcast::error::RecvError::Lagged(_)) => Heard::AlertsLost,
                // The alert room ends only with the process.
                Err(broadcast::error::RecvError::Closed) => Heard::Stop,
            },
            _ = self.status.tick() => Heard::StatusDue,
            () = tokio::time::sleep_until(self.values_at), if waiting => Heard::ValuesDue,
            changed = self.changes.recv() => match changed {
                Ok(changed) => Heard::Changed(changed.to_vec()),
                Err(broadcast::error::RecvError::Lagged(_)) => Heard::ChangesLost,
                // So does the table of present values.
                Err(broadcast::error::RecvError::Closed) => Heard::Stop,
            },
        }
    }

    fn remember(&mut self, changed: &[DatastreamId]) {
        if let Due::Some(due) = &mut self.due {
            due.extend(changed);
        }
    }

    /// Every value that is due, as an array of the form in `live`.
    fn take_values(&mut self) -> Vec<Value> {
        self.values_at = Instant::now() + VALUES_EVERY;
        let due = std::mem::replace(&mut self.due, Due::Some(BTreeSet::new()));
        let snapshot = self.state.snapshot();
        let observations: Vec<Observation> = match due {
            Due::All => self.state.latest.snapshot().into_iter().map(|entry| entry.observation).collect(),
            Due::Some(changed) => {
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
        let datastream = alert.datastream.as_ref()?;
        let station = datastream.station();
        if self.station.as_ref().is_some_and(|mine| mine.as_str() != station) {
            return None;
        }
        let active = self.state.alerts.active();
        // The list in memory may be a moment behind this very alert.
        let mut now: Vec<&AlertView> = active.iter().filter(|other| other.id != alert.id).collect();
        if alert.closed_at.is_none() {
            now.push(alert);
        }
        Some(level_value(Some(alert), datastream, &now))
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
        watched.map(|datastream| level_value(worst(datastream), datastream, &active)).collect()
    }

    fn event(&mut self, name: &str, value: &Value) -> Event {
        let id = self.next_id;
        self.next_id += 1;
        Event::default().event(name).id(id.to_string()).data(value.to_string())
    }
}

/// The event of a datastream's level: of `alert`, or of no alert at all, among those active now.
fn level_value(alert: Option<&AlertView>, datastream: &DatastreamName, active: &[&AlertView]) -> Value {
    let worst = |of: &dyn Fn(&AlertView) -> bool| {
        active.iter().filter(|alert| of(alert)).map(|alert| alert.level).max().unwrap_or_default()
    };
    let open = alert.filter(|alert| alert.closed_at.is_none());
    json!({
        "id": alert.map(|alert| alert.id),
        "station": datastream.station(),
        "datastream": datastream,
        "level": open.map_or(Level::Normal, |alert| alert.level),
        "datastream_level": worst(&|alert| alert.datastream.as_ref() == Some(datastream)),
        "station_level": worst(&|alert| alert.station.as_ref().is_some_and(|station| station.as_str() == datastream.station())),
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
