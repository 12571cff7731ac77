//! Live events: `GET /api/v1/events`.

use std::collections::BTreeMap;

use bakau_model::{AlertId, ConditionKind, DatastreamName, Level, Reason, SourceName, StationId, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{AcknowledgementState, FlagCode, Time, told};

/// A live event: `event` is the name of the server-sent event, `data` what is in it, as one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// The newest value of each datastream that changed; at most twice a second.
    Values(Vec<ValueEvent>),
    /// A transition of an alert, or its acknowledgement.
    Alert(AlertEvent),
    /// Every raised level, for a client that knows nothing yet or has missed something.
    Levels(LevelsEvent),
    /// The stream is alive; at least every 15 seconds.
    Status(StatusEvent),
    /// A device has left or come back, as its last will or an availability message says.
    Station(StationEvent),
    /// The client missed something. `levels` and all values follow by themselves.
    Reload(ReloadEvent),
}

impl Event {
    /// Name and data, as a server-sent event has them.
    ///
    /// ```
    /// use bakau_answers::{Event, ReloadEvent, ReloadReason};
    ///
    /// let event = Event::Reload(ReloadEvent { reason: ReloadReason::Behind });
    /// let (name, data) = event.parts()?;
    /// assert_eq!((name.as_str(), data.as_str()), ("reload", r#"{"reason":"behind"}"#));
    /// assert_eq!(Event::read(&name, &data)?, event);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// Never for an event of this crate: every part of it is JSON.
    pub fn parts(&self) -> serde_json::Result<(String, String)> {
        let value = serde_json::to_value(self)?;
        let name = value["event"].as_str().unwrap_or_default();
        Ok((name.to_owned(), value["data"].to_string()))
    }

    /// Reads an event from its name and data.
    ///
    /// # Errors
    /// When no event has this name, or when the data is not that of the event.
    pub fn read(name: &str, data: &str) -> serde_json::Result<Self> {
        serde_json::from_value(json!({ "event": name, "data": serde_json::from_str::<Value>(data)? }))
    }
}

/// The newest value of a datastream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ValueEvent {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Its station.
    pub station: StationId,
    /// False while the last word of the station's device is that it left.
    pub online: bool,
    /// When the value becomes stale if no other comes.
    pub current_until: Time,
    /// The value; of a counter the reading; null where the device said that it has none.
    #[schema(required)]
    pub value: Option<f64>,
    /// The value as people read it, without unit; of a counter the increment.
    #[schema(required)]
    pub text: Option<Text>,
    /// When the environment had it.
    pub observed_at: Time,
    /// Its quality.
    pub flag: FlagCode,
    /// Why it is suspect or fails; empty where it does not.
    pub reasons: Vec<Reason>,
    /// Of a counter: what was counted since the reading before; null where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<f64>)]
    pub increment: Option<Option<f64>>,
    /// Of a counter: the reading as people read it, without unit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<Text>)]
    pub reading: Option<Option<Text>>,
}

/// An alert as it is now, with the levels of what it is about among all active alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertEvent {
    /// The alert.
    pub id: AlertId,
    /// What it is about.
    pub kind: ConditionKind,
    /// The station; null where it is about a source.
    #[schema(required)]
    pub station: Option<StationId>,
    /// The datastream; null where it is about a whole station or a source.
    #[schema(required)]
    pub datastream: Option<DatastreamName>,
    /// The source, where it is about one.
    #[schema(required)]
    pub source: Option<SourceName>,
    /// The level of this alert; normal once it is closed.
    pub level: Level,
    /// The worst level of any active alert of the datastream.
    #[schema(required)]
    pub datastream_level: Option<Level>,
    /// The worst level of all datastreams of the station, as pages show it.
    #[schema(required)]
    pub station_level: Option<Level>,
    /// Since when every alert of the station's level is acknowledged; null while one is not.
    #[schema(required)]
    pub station_acknowledged_at: Option<Time>,
    /// Whether and how far it is acknowledged.
    #[serde(flatten)]
    pub acknowledgement: AcknowledgementState,
    /// Alerts that are not closed, of all stations.
    pub active_alerts: u64,
}

/// Every raised level and every station whose device is away: what is not named is neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LevelsEvent {
    /// When the event was sent.
    pub now: Time,
    /// Stations with an active alert about a value, and the worst level of these.
    pub stations: BTreeMap<StationId, Level>,
    /// Datastreams with an active alert, and the worst level of these.
    pub datastreams: BTreeMap<DatastreamName, Level>,
    /// Stations whose device has left.
    pub away: Vec<StationId>,
    /// Alerts that are not closed, of all stations.
    pub active_alerts: u64,
}

/// The time of the server, from which pages count ages, because the clock of a visitor may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusEvent {
    /// When the event was sent.
    pub now: Time,
    /// Alerts that are not closed, of all stations.
    pub active_alerts: u64,
}

/// A device that left or came back. A station whose device left is offline at once, whatever the age of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StationEvent {
    /// The station.
    pub station: StationId,
    /// Whether the device is back.
    pub online: bool,
    /// When that was received.
    pub at: Time,
}

/// The client missed something: what it recorded from events has a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadEvent {
    /// Why.
    pub reason: ReloadReason,
}

bakau_model::words! {
    /// Why a client missed something.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub serde enum ReloadReason {
        /// The id it came back with is too old, or from before a restart.
        Unknown => "unknown",
        /// It could not keep up.
        Behind => "behind",
    }
}
