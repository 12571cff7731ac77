//! The station of a message: named by its topic, its route or its payload.
//!
//! Pure. Per route there is a table from device ids to stations; without one a device id is the station's.

use std::collections::HashMap;

use bakau_model::{QuarantineReason, StationId};
use bakau_registry::{Route, Snapshot};

use crate::{
    decode::Slot,
    identify::{self, Fault, Resolved},
    route::Routed,
};

/// Devices remembered per route; above, the memory is emptied, so that it cannot grow with the fleet of a network.
const MAX_DEVICES: usize = 65_536;

/// Sender of the messages of one topic.
#[derive(Debug)]
pub(crate) enum Owner {
    /// The station that topic or route name, with what each slot means there.
    Station { id: String, slots: Vec<Resolved> },
    /// Each payload names its device.
    Payload,
    /// The topic names a device that nobody knows.
    Unknown(Fault),
}

/// The devices of one route.
#[derive(Debug)]
pub(crate) struct Devices {
    route: String,
    /// Stations by device id in small letters.
    stations: HashMap<String, StationId>,
    /// What each slot means at the station of a device, by the id as payloads write it.
    resolved: HashMap<Box<str>, Vec<Resolved>>,
}

impl Devices {
    pub(crate) fn of(route: &Route) -> Self {
        let small = |(device, station): (&String, &StationId)| (device.to_ascii_lowercase(), station.clone());
        Self {
            route: route.id.to_string(),
            stations: route.devices.iter().map(small).collect(),
            resolved: HashMap::new(),
        }
    }

    /// Who messages of a topic are from.
    pub(crate) fn owner(&self, routed: Routed<'_>, slots: &[Slot], snapshot: &Snapshot) -> Owner {
        let of_station =
            |id: &str| Owner::Station { id: id.to_owned(), slots: identify::resolve(snapshot, slots, Some(id)) };
        match (routed.device, routed.station) {
            (Some(device), _) => match self.station(device, snapshot) {
                Some(station) => of_station(&station),
                None => Owner::Unknown(self.unknown(&[device])),
            },
            (None, Some(station)) => of_station(station),
            (None, None) => Owner::Payload,
        }
    }

    /// What each slot means at the station of the first device id that is known.
    pub(crate) fn resolve(
        &mut self,
        devices: &[Box<str>],
        slots: &[Slot],
        snapshot: &Snapshot,
    ) -> Result<&[Resolved], Fault> {
        let is_known = |id: &str| self.resolved.contains_key(id) || self.station(id, snapshot).is_some();
        let known = devices.iter().find(|device| is_known(device));
        let Some(device) = known else { return Err(self.unknown(devices)) };
        if !self.resolved.contains_key(device) {
            let station = self.station(device, snapshot);
            if MAX_DEVICES <= self.resolved.len() {
                self.resolved.clear();
            }
            self.resolved.insert(device.clone(), identify::resolve(snapshot, slots, station.as_deref()));
        }
        Ok(self.resolved.get(device).map_or(&[][..], Vec::as_slice))
    }

    /// The station of a device id; without a table the id itself, if a station has it.
    fn station(&self, device: &str, snapshot: &Snapshot) -> Option<String> {
        let station = if self.stations.is_empty() {
            snapshot.stations.get_key_value(device).map(|(station, _)| station)
        } else {
            self.stations.get(&device.to_ascii_lowercase())
        };
        station.map(ToString::to_string)
    }

    fn unknown(&self, devices: &[impl AsRef<str>]) -> Fault {
        let quoted: Vec<String> = devices.iter().map(|device| format!("'{}'", device.as_ref())).collect();
        let detail = match (quoted.is_empty(), self.stations.is_empty()) {
            (true, _) => "neither topic, route nor payload says which device or station it is from".to_owned(),
            (false, true) => format!(
                "{} is no registered station: name the station of this device in devices of route '{}'",
                quoted.join(" or "),
                self.route
            ),
            (false, false) => format!(
                "device {} is not among the devices of route '{}': add it to the catalogue",
                quoted.join(" or "),
                self.route
            ),
        };
        Fault { reason: QuarantineReason::UnknownDevice, detail }
    }
}
