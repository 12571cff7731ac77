//! Which stations are behind a source, by what was last heard through it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DatastreamId, SourceName, StationId};
use bakau_registry::{Route, Snapshot, Station};

use crate::{
    engine::{Engine, Origin, Subject},
    recipients::concerned::Concerned,
};

/// Datastream numbers up to here are remembered; the registry counts up from 1, so only a damaged one exceeds it.
const MOST_NUMBERS: usize = 1 << 20;

/// The source of the last value of every datastream, whether a rule watches it or not.
#[derive(Debug, Default)]
pub(crate) struct Through(Vec<Option<Origin>>);

impl Through {
    /// A value of a datastream came.
    pub(crate) fn note(&mut self, datastream: DatastreamId, origin: Option<Origin>) {
        let place = datastream.get() as usize;
        if self.0.len() <= place && place < MOST_NUMBERS {
            self.0.resize(place + 1, None);
        }
        if let Some(known) = self.0.get_mut(place) {
            *known = origin;
        }
    }

    fn of(&self, datastream: DatastreamId) -> Option<Origin> {
        self.0.get(datastream.get() as usize).copied().flatten()
    }
}

/// Whom an alert about a source concerns: everybody whose station was last heard through it; of a station that has not
/// been heard whoever could be, by the routes of that source.
pub(crate) fn behind(source: &SourceName, engine: &Engine, through: &Through, snapshot: &Snapshot) -> Vec<Concerned> {
    let mut heard: BTreeMap<&StationId, BTreeSet<&SourceName>> = BTreeMap::new();
    for datastream in snapshot.datastreams.values() {
        let latest = through.of(datastream.number).and_then(|origin| engine.source(origin));
        let latest = latest.or_else(|| engine.heard_through(&Subject::Datastream(datastream.number)));
        heard.entry(&datastream.station).or_default().extend(latest);
    }
    let is_behind = |station: &&Station| {
        let mut sources = heard.get(&station.id).cloned().unwrap_or_default();
        sources.extend(engine.heard_through(&Subject::Station(station.id.clone())));
        if sources.is_empty() {
            snapshot.routes.iter().any(|route| could_bring(route, source, station))
        } else {
            sources.contains(source)
        }
    };
    concerned(snapshot.stations.values().filter(is_behind))
}

/// Whom an alert about the store concerns.
pub(crate) fn everybody(snapshot: &Snapshot) -> Vec<Concerned> {
    concerned(snapshot.stations.values())
}

fn concerned<'a>(stations: impl Iterator<Item = &'a Station>) -> Vec<Concerned> {
    stations.map(Concerned::of).collect::<BTreeSet<_>>().into_iter().collect()
}

fn could_bring(route: &Route, source: &SourceName, station: &Station) -> bool {
    let from_there = route.source.as_ref().is_none_or(|of| of == source);
    let named = route.station.as_ref().is_none_or(|of| *of == station.id);
    let device = route.devices.is_empty() || route.devices.values().any(|of| *of == station.id);
    from_there && named && device
}
