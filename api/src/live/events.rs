//! `GET /api/v1/events`: what is happening now, as server-sent events ([`bakau_answers::Event`]).
//!
//! A client holds a set of changed datastreams, never a queue of values: however slow it is, it costs one number per
//! datastream, and what it gets is always the newest. One that has just come and knows nothing gets every value, every
//! raised level and every station that is away. One that names the last event it knows, as `Last-Event-ID` or, from the
//! page it was drawn on, as `after`, gets what has changed since ([`crate::live::event_log`]); where that is no longer known it is
//! told to load again and starts like a new one. An id says "everything up to here has been told", so what was still owed
//! when a connection broke is told again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse,
        sse::{self, KeepAlive, Sse},
    },
};
use bakau_alerts::AlertView;
use bakau_answers::{AlertEvent, Event, LevelsEvent, ReloadEvent, ReloadReason, StationEvent, StatusEvent, ValueEvent};
use bakau_ingest::LatestEntry;
use bakau_model::{DatastreamId, DatastreamName, Language, Level, StationId, StationStatus, Text};
use bakau_registry::{Datastream, Snapshot};
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
    live::event_log::{Happened, Position},
    read::gather,
    state::AppState,
    v1::{alerts, catalogue},
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
pub(crate) async fn events(call: Call) -> Answered {
    let params = call.params(&["station", "after"])?;
    let Call { state, headers, .. } = call;
    let station = params.station()?;
    if let Some(station) = &station {
        catalogue::known_station(&state.snapshot(), station)?;
    }
    let permit = Arc::clone(&state.own.event_streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(ProblemType::Busy).retry_after(30))?;
    state.own.events.start();
    // What the browser heard itself is newer than what its page was drawn with.
    let known = last_event_id(&headers).or_else(|| params.text("after"));
    let client = Client::new(state, station, known, permit);
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
type Waiting = (Option<u64>, Event);

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
            Some(None) => client.start_again(ReloadReason::Unknown),
            None => client.tell_everything(),
        }
        client
    }

    /// Whether a station is among those that the client asked for.
    fn wants(&self, station: &StationId) -> bool {
        self.station.as_ref().is_none_or(|mine| mine == station)
    }

    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut client| async move {
            let event = client.next_event().await?;
            Some((Ok(event), client))
        })
    }

    async fn next_event(&mut self) -> Option<sse::Event> {
        loop {
            if let Some((_, event)) = self.waiting.pop_front() {
                return self.written(&event);
            }
            match self.listen().await {
                Heard::Stop => return None,
                Heard::Something => self.look(),
                Heard::StatusDue => {
                    let now = self.state.clock.now().into();
                    let status = StatusEvent { now, active_alerts: self.state.alerts.active().len() as u64 };
                    return Some(self.written(&Event::Status(status))?.retry(RECONNECT));
                }
                Heard::ValuesDue => {
                    let values = self.take_values();
                    if !values.is_empty() {
                        return self.written(&Event::Values(values));
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
            self.start_again(ReloadReason::Behind);
            return;
        };
        for happened in entries {
            self.seen += 1;
            match happened {
                Happened::Changed(changed) => self.remember(&changed),
                Happened::Alert(alert) => {
                    let event = self.alert_event(&alert);
                    self.waiting.extend(event.map(|event| (Some(self.seen), Event::Alert(event))));
                }
                Happened::Station(status) => {
                    let event = self.station_event(&status);
                    self.waiting.extend(event.map(|event| (Some(self.seen), Event::Station(event))));
                }
                // The facts behind it have events of their own.
                Happened::States(_) => {}
                Happened::Anything => self.start_again(ReloadReason::Behind),
            }
        }
    }

    /// Tells the client that it missed something, and everything as it is now.
    fn start_again(&mut self, reason: ReloadReason) {
        self.waiting.clear();
        self.waiting.push_back((None, Event::Reload(ReloadEvent { reason })));
        self.tell_everything();
    }

    fn tell_everything(&mut self) {
        self.due = Due::All;
        let levels = self.levels();
        self.waiting.push_back((None, Event::Levels(levels)));
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
            Some((first, _)) => first.map(|first| values.min(first.saturating_sub(1))),
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

    /// Every value that is due.
    fn take_values(&mut self) -> Vec<ValueEvent> {
        self.values_at = Instant::now() + VALUES_EVERY;
        let due = std::mem::replace(&mut self.due, Due::nothing());
        let snapshot = self.state.snapshot();
        let entries: Vec<LatestEntry> = match due {
            Due::All => self.state.latest.snapshot(),
            Due::Some(changed, _) => changed.into_iter().filter_map(|number| self.state.latest.get(number)).collect(),
        };
        let mut away: HashMap<&StationId, bool> = HashMap::new();
        let wanted = entries.iter().filter_map(|entry| {
            let datastream = snapshot.datastreams.get(&entry.observation.datastream)?;
            let is_away = || gather::is_away(&self.state, &snapshot, &datastream.station);
            self.wants(&datastream.station).then(|| {
                let away = *away.entry(&datastream.station).or_insert_with(is_away);
                value_event(&snapshot, datastream, entry, !away)
            })
        });
        wanted.collect()
    }

    /// The event of an alert; `None` where it is not about the client's station.
    fn alert_event(&self, alert: &AlertView) -> Option<AlertEvent> {
        if self.station.is_some() && self.station != alert.station {
            return None;
        }
        let active = self.state.alerts.active();
        Some(alert_event(&self.state.snapshot(), alert, &active))
    }

    /// The event of a station that left or is back; `None` where it is not the client's, or values since say otherwise.
    fn station_event(&self, status: &StationStatus) -> Option<StationEvent> {
        let snapshot = self.state.snapshot();
        let known = snapshot.stations.contains_key(&status.station);
        (self.wants(&status.station) && known && gather::holds(&self.state, &snapshot, status)).then(|| StationEvent {
            station: status.station.clone(),
            online: status.online,
            at: status.at.into(),
        })
    }

    /// Every raised level and every station whose device is away: what is not named is neither.
    fn levels(&self) -> LevelsEvent {
        let (snapshot, active) = (self.state.snapshot(), self.state.alerts.active());
        let levels = gather::levels(&active);
        let registered = levels.into_iter().filter_map(|(name, level)| {
            let station = &snapshot.datastream(&name)?.station;
            self.wants(station).then(|| (station.clone(), name, level))
        });
        let (mut stations, mut datastreams) = (BTreeMap::<StationId, Level>::new(), BTreeMap::new());
        for (station, name, level) in registered {
            let worst = stations.entry(station).or_default();
            *worst = level.max(*worst);
            datastreams.insert(name, level);
        }
        let away = snapshot.stations.keys().filter(|station| self.wants(station));
        let away = away.filter(|station| gather::is_away(&self.state, &snapshot, station)).cloned().collect();
        let (now, active_alerts) = (self.state.clock.now().into(), active.len() as u64);
        LevelsEvent { now, stations, datastreams, away, active_alerts }
    }

    /// The event as it is sent; `None`, which ends the stream, for one that is no JSON.
    fn written(&self, event: &Event) -> Option<sse::Event> {
        let (name, data) = event.parts().ok()?;
        let event = sse::Event::default().event(name).data(data);
        Some(match self.told() {
            Some(number) => event.id(self.state.own.events.position(number).to_string()),
            // The client keeps the id it has: what it has not been told yet it must not lose.
            None => event,
        })
    }
}

/// The event of an alert, with the levels of its datastream and station among those active now.
fn alert_event(snapshot: &Snapshot, alert: &AlertView, active: &[AlertView]) -> AlertEvent {
    let levels = gather::levels(active);
    let level = |name: &DatastreamName| levels.get(name).copied().unwrap_or_default();
    let station_level = |id: &StationId| {
        let mine =
            levels.iter().filter(|(name, _)| name.station() == id.as_str() && snapshot.datastream(name).is_some());
        mine.map(|(_, level)| *level).max().unwrap_or_default()
    };
    AlertEvent {
        id: alert.id,
        kind: alert.kind,
        station: alert.station.clone(),
        datastream: alert.datastream.clone(),
        source: alert.source.clone(),
        level: if alert.closed_at.is_none() { alert.level } else { Level::Normal },
        datastream_level: alert.datastream.as_ref().map(level),
        station_level: alert.station.as_ref().map(station_level),
        station_acknowledged_at: alert
            .station
            .as_ref()
            .and_then(|id| gather::acknowledged_at(active, snapshot, id))
            .map(Into::into),
        acknowledgement: alerts::acknowledgement(alert),
        active_alerts: active.len() as u64,
    }
}

/// The event of a value. Of a counter pages show the increment, with the reading beside it.
fn value_event(snapshot: &Snapshot, datastream: &Datastream, entry: &LatestEntry, online: bool) -> ValueEvent {
    let (observation, decimals) = (&entry.observation, catalogue::decimals(snapshot, datastream));
    let text = |value: Option<f64>| {
        value.map(|value| Text {
            id: bakau_text::format::number(value, decimals, Language::Id),
            en: bakau_text::format::number(value, decimals, Language::En),
        })
    };
    let is_counter = datastream.counter().is_some();
    ValueEvent {
        datastream: datastream.name.clone(),
        station: datastream.station.clone(),
        online,
        current_until: gather::current_until(datastream, observation).into(),
        value: observation.value,
        text: text(if is_counter { entry.increment } else { observation.value }),
        observed_at: observation.observed_at.into(),
        flag: observation.flag.into(),
        reasons: entry.tests.reasons().collect(),
        increment: is_counter.then_some(entry.increment),
        reading: is_counter.then(|| text(observation.value)),
    }
}
