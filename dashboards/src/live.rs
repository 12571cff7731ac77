//! How an open page stays what a fresh one would be (ADR 0028).
//!
//! The script in [`crate::assets`] listens to the events of [`bakau_answers::Event`]. It keeps three facts about each
//! station: the worst level of its alerts, until when its values are current, and whether its device is away. It shows them
//! by the same rules as the server.
//!
//! A page carries the id of the last event before it was drawn and asks for what came after (`?after=`), so that nothing
//! falls between the two. Where that chain breaks (event `reload`), and where a list of alerts is shown and one of them
//! changes, the page fetches its own address, puts the parts marked `data-part` in place of its own, and goes on from the
//! id that came with them. Until that has worked it says that it is disconnected.
//!
//! The script ignores an event or a member that it does not know. A page that hears nothing for 40 seconds, or whose stream
//! breaks, says that it is disconnected and asks anew for what came after the last event it had.

use bakau_model::StationId;

/// Path of the event stream.
pub(crate) const EVENTS_PATH: &str = "/api/v1/events";

/// Path of the events of one station.
pub(crate) fn of_station(station: &StationId) -> String {
    format!("{EVENTS_PATH}?station={station}")
}
