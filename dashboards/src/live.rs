//! The events that keep an open page current, as sent on `GET /api/v1/events` (`text/event-stream`).
//!
//! The script in [`crate::assets`] reads exactly this; whoever emits the stream keeps to it.
//!
//! * `event: values`, at most a few times a second: a JSON array with the newest value of each changed datastream.
//!   `value` and both texts are `null` where the device reported that it has no value; `text` is without unit, as
//!   [`crate::format::number`] writes it; `flag` is the QARTOD code.
//!   ```json
//!   [{"datastream": "prb-bjbr-01/do", "value": 5.1, "text": {"id": "5,10", "en": "5.10"},
//!     "observed_at": "2026-03-10T09:00:00Z", "flag": 2}]
//!   ```
//! * `event: alert`, at each transition of an alert: `level` is the level of this alert now (`normal` when it closed),
//!   `datastream_level` and `station_level` the worst level of any active alert of the datastream and of the station.
//!   ```json
//!   {"id": "9f2c...", "station": "prb-bjbr-01", "datastream": "prb-bjbr-01/do", "level": "siaga",
//!    "datastream_level": "siaga", "station_level": "siaga", "active_alerts": 3}
//!   ```
//!   A client that has just come, or has missed alerts, gets one for each datastream with a rule at a station with
//!   current data; `id` is `null` where that datastream has no active alert.
//! * `event: status`, at least every 15 seconds: that the stream lives, and the server's time, from which pages count
//!   ages (a visitor's clock may be wrong).
//!   ```json
//!   {"now": "2026-03-10T09:00:01Z", "active_alerts": 3}
//!   ```
//! * `event: station`, when the last will or an availability message of a device says that it has gone, or is back:
//!   the station is silent at once, whatever the age of its values. A client that has just come, or has missed
//!   something, gets one for each station that is away.
//!   ```json
//!   {"station": "prb-bjbr-01", "online": false, "at": "2026-03-10T09:00:00Z"}
//!   ```
//!
//! * `event: reload`, when a client comes back and what it missed is no longer known (too long ago, or Bakau has been
//!   restarted), or when it could not keep up: what it has recorded or drawn from events has a hole. Everything as it is
//!   now follows by itself.
//!   ```json
//!   {"reason": "unknown"}
//!   ```
//!
//! Where an alert is about a whole station, `datastream` and `datastream_level` are `null`; about a source, so are those
//! of the station. A client that comes back with `Last-Event-ID` gets what has changed since, at least once.
//!
//! An event name or a member that the script does not know is ignored. A page that hears nothing for 40 seconds, or
//! whose stream breaks, says that it is disconnected.

use bakau_model::StationId;

/// Path of the event stream.
pub const EVENTS_PATH: &str = "/api/v1/events";
/// Event with the newest values.
pub const VALUES: &str = "values";
/// Event with a transition of an alert.
pub const ALERT: &str = "alert";
/// Event that says the stream lives.
pub const STATUS: &str = "status";
/// Event that tells a client that it missed something.
pub const RELOAD: &str = "reload";
/// Event of a device that left, or came back.
pub const STATION: &str = "station";

/// Path of the events of one station.
pub(crate) fn of_station(station: &StationId) -> String {
    format!("{EVENTS_PATH}?station={station}")
}
