//! The events that keep an open page current, as sent on `GET /api/v1/events` (`text/event-stream`).
//!
//! The script in [`crate::assets`] reads exactly this; whoever emits the stream keeps to it.
//!
//! * `event: values`, at most a few times a second: a JSON array with the newest value of each changed datastream.
//!   `value` and both texts are `null` where the device reported that it has no value; `text` is without unit, as
//!   [`bakau_text::format::number`] writes it; `flag` is the QARTOD code; `current_until` is when the value becomes stale if no
//!   other comes; `online` is `false` while the last word of the device is that it left: an old value that comes late does
//!   not bring it back.
//!   ```json
//!   [{"datastream": "prb-bjbr-01/do", "station": "prb-bjbr-01", "value": 5.1, "text": {"id": "5,10", "en": "5.10"},
//!     "observed_at": "2026-03-10T09:00:00Z", "current_until": "2026-03-10T09:04:00Z", "online": true, "flag": 2}]
//!   ```
//!   Of a counter `value` is its reading, `increment` what it counted since the reading before, `text` that of the
//!   increment and `reading` that of the reading.
//! * `event: alert`, at each transition of an alert, and when somebody takes it in hand: `level` is the level of this alert now (`normal` when it closed),
//!   `datastream_level` the worst level of any active alert of the datastream, `station_level` that of all datastreams of
//!   the station, as pages show it.
//!   ```json
//!   {"id": "9f2c...", "station": "prb-bjbr-01", "datastream": "prb-bjbr-01/do", "level": "siaga",
//!    "datastream_level": "siaga", "station_level": "siaga", "station_taken_at": null, "acknowledged": false,
//!    "acknowledged_level": "waspada", "acknowledged_at": "2026-03-10T08:40:00Z", "active_alerts": 3}
//!   ```
//!   `acknowledged` is about the level that it has now, `acknowledged_level` up to which somebody has; `station_taken_at` is
//!   since when every alert of the station's level is in hand. Who that is, and what they wrote, is in no event.
//! * `event: levels`, for a client that knows nothing yet or has missed something: every raised level and every station
//!   whose device is away. What is not named is neither.
//!   ```json
//!   {"now": "2026-03-10T09:00:00Z", "stations": {"prb-bjbr-01": "siaga"}, "datastreams": {"prb-bjbr-01/do": "siaga"},
//!    "away": ["mlg-kota-01"], "active_alerts": 3}
//!   ```
//! * `event: status`, at least every 15 seconds: that the stream lives, and the server's time, from which pages count
//!   ages (a visitor's clock may be wrong).
//!   ```json
//!   {"now": "2026-03-10T09:00:01Z", "active_alerts": 3}
//!   ```
//! * `event: station`, when the last will or an availability message of a device says that it has gone, or is back:
//!   the station is silent at once, whatever the age of its values.
//!   ```json
//!   {"station": "prb-bjbr-01", "online": false, "at": "2026-03-10T09:00:00Z"}
//!   ```
//!
//! * `event: reload`, when a client comes back and what it missed is no longer known (too long ago, or Bakau has been
//!   restarted), or when it could not keep up: what it has recorded or drawn from events has a hole. Everything as it is
//!   now follows by itself: `levels` and all values. Pages fetch themselves instead.
//!   ```json
//!   {"reason": "unknown"}
//!   ```
//!
//! Where an alert is about a whole station, `datastream` and `datastream_level` are `null`; about a source, so are those
//! of the station. A client that comes back with `Last-Event-ID`, or names the last event it knows with `?after=`, gets
//! what has changed since, at least once.
//!
//! # How an open page stays what a fresh one would be
//! A page carries the id of the last event before it was drawn, and asks for what came after: nothing falls between the
//! two. What is known of each station is kept as three facts (the worst level of its alerts, until when its values are
//! current, whether its device is away) and shown by the same rules as on the server. Whenever that chain breaks (the
//! stream says `reload`), and where a list of alerts is shown and one of them changes, the page fetches its own address
//! again, puts the parts marked `data-part` in place of its own, and goes on from the id that came with them. Until that
//! has worked it says that it is disconnected.
//!
//! An event name or a member that the script does not know is ignored. A page that hears nothing for 40 seconds, or
//! whose stream breaks, says that it is disconnected and asks anew for what came after the last event it had.

use bakau_model::StationId;

/// Path of the event stream.
pub const EVENTS_PATH: &str = "/api/v1/events";
/// Event with the newest values.
pub const VALUES: &str = "values";
/// Event with a transition of an alert.
pub const ALERT: &str = "alert";
/// Event that says the stream lives.
pub const STATUS: &str = "status";
/// Event with all levels, for a client that knows none.
pub const LEVELS: &str = "levels";
/// Event that tells a client that it missed something.
pub const RELOAD: &str = "reload";
/// Event of a device that left, or came back.
pub const STATION: &str = "station";

/// Path of the events of one station.
pub(crate) fn of_station(station: &StationId) -> String {
    format!("{EVENTS_PATH}?station={station}")
}
