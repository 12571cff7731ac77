//! `GET /api/v1/stations` and `datastreams`: what is registered.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_answers::{self as answers, DatastreamList, Site, StationList};
use bakau_model::{DEFAULT_ZONE, DatastreamName, StationId, Text};
use bakau_registry::{City, Datastream, Snapshot, Station};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::{
    http::{
        answer,
        error::{ApiError, ProblemType},
        query::Params,
    },
    state::AppState,
};

/// Every station, in order of its id.
pub(crate) async fn stations(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let snapshot = state.snapshot();
    // Grouped once: asking the snapshot per station would walk all datastreams for each.
    let mut names: BTreeMap<&StationId, Vec<DatastreamName>> = BTreeMap::new();
    for datastream in snapshot.datastreams.values() {
        names.entry(&datastream.station).or_default().push(datastream.name.clone());
    }
    names.values_mut().for_each(|names| names.sort());
    let station = |station: &Station| {
        let datastreams = names.remove(&station.id).unwrap_or_default();
        answers::Station { site: site(&snapshot, station), datastreams }
    };
    let stations = snapshot.stations.values().map(station).collect();
    registered(&headers, &StationList { revision: snapshot.revision, stations })
}

/// Every datastream, or one station's, in order of its name.
pub(crate) async fn datastreams(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["station"])?;
    let snapshot = state.snapshot();
    let mut found: Vec<_> = match params.station()? {
        Some(station) => {
            known_station(&snapshot, &station)?;
            snapshot.datastreams_of(&station)
        }
        None => snapshot.datastreams.values().collect(),
    };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let datastreams = found.iter().map(|datastream| tell(&snapshot, datastream)).collect();
    registered(&headers, &DatastreamList { revision: snapshot.revision, datastreams })
}

/// An answer that changes with the registry or with what is drawn from it, sent again only when it has changed.
pub(crate) fn registered<T: Serialize>(headers: &HeaderMap, value: &T) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| ApiError::defect(error.to_string()))?;
    Ok(answer::conditional(headers, &answer::etag(&body), || answer::json_bytes(body.into())))
}

/// A station as every answer shows it.
pub(crate) fn site(snapshot: &Snapshot, station: &Station) -> Site {
    let agency = snapshot.agencies.get(&station.agency);
    let city = agency.and_then(|agency| snapshot.cities.get(&agency.city));
    Site {
        id: station.id.clone(),
        name: station.name.clone(),
        kind: station.kind,
        agency: answers::Agency { id: station.agency.clone(), name: agency.map(|agency| agency.name.clone()) },
        city: city.cloned().map(|City { id, name, code }| answers::City { id, name, code }),
        latitude: station.latitude,
        longitude: station.longitude,
        elevation_m: station.elevation_m,
        description: station.description.clone(),
        water_class: station.water_class.clone(),
        air_type: station.air_type,
        time_zone: station.time_zone.clone(),
    }
}

/// A datastream as every answer shows it.
pub(crate) fn tell(snapshot: &Snapshot, datastream: &Datastream) -> answers::Datastream {
    let info = snapshot.parameters.get(&datastream.parameter);
    answers::Datastream {
        id: datastream.name.clone(),
        number: datastream.number,
        station: datastream.station.clone(),
        parameter: datastream.parameter.clone(),
        qualifier: datastream.name.qualifier().map(str::to_owned),
        name: info.map(|info| info.name.clone()),
        cf_name: info.and_then(|info| info.cf_name.clone()),
        unit: datastream.unit.clone(),
        unit_symbol: datastream.unit.symbol().to_owned(),
        decimals: info.map(|info| info.decimals),
        interval_s: datastream.interval_ms / 1000,
        vertical_datum: datastream.vertical_datum.clone(),
        counter: datastream.counter().is_some(),
        counter_max: datastream.counter().and_then(|counter| counter.max),
        limits: datastream.limits,
    }
}

/// Zone of times that belong to no station.
pub(crate) fn platform_zone() -> TimeZone {
    TimeZone::get(DEFAULT_ZONE).unwrap_or(TimeZone::UTC)
}

/// The zone in which days of a station are civil.
pub(crate) fn zone(snapshot: &Snapshot, station: &StationId) -> TimeZone {
    TimeZone::get(snapshot.zone_name(station)).unwrap_or(TimeZone::UTC)
}

/// The station of an id from a path.
pub(crate) fn find_station<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Station, ApiError> {
    let found = StationId::new(id).ok().and_then(|id| snapshot.stations.get(&id));
    found.ok_or_else(|| ApiError::new(ProblemType::StationNotFound).with("station", id))
}

/// Refuses a station id that nobody registered.
pub(crate) fn known_station(snapshot: &Snapshot, id: &StationId) -> Result<(), ApiError> {
    find_station(snapshot, id.as_str()).map(drop)
}

/// The datastream that a request about one names.
pub(crate) fn asked_datastream<'a>(snapshot: &'a Snapshot, params: &Params) -> Result<&'a Datastream, ApiError> {
    let required =
        || ApiError::parameter("datastream", None, "parameter_required").with("allowed", "station/parameter");
    find_datastream(snapshot, &params.datastream()?.ok_or_else(required)?)
}

/// The datastream of a name.
pub(crate) fn find_datastream<'a>(snapshot: &'a Snapshot, name: &DatastreamName) -> Result<&'a Datastream, ApiError> {
    let found = snapshot.datastream(name).map(AsRef::as_ref);
    found.ok_or_else(|| ApiError::new(ProblemType::DatastreamNotFound).with("datastream", name.as_str()))
}

/// Name of a datastream's parameter for people, with the qualifier where there is one.
pub(crate) fn label(snapshot: &Snapshot, datastream: &Datastream) -> Text {
    let info = snapshot.parameters.get(&datastream.parameter);
    let name = info.map_or_else(|| Text::from(datastream.parameter.as_str()), |info| info.name.clone());
    match datastream.name.qualifier() {
        Some(qualifier) => Text { id: format!("{} ({qualifier})", name.id), en: format!("{} ({qualifier})", name.en) },
        None => name,
    }
}

/// Decimal places of a datastream's values on pages and charts.
pub(crate) fn decimals(snapshot: &Snapshot, datastream: &Datastream) -> u8 {
    snapshot.parameters.get(&datastream.parameter).map_or(2, |info| info.decimals)
}
