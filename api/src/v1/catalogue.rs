//! `GET /api/v1/stations` and `datastreams`: what is registered.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_model::{DEFAULT_ZONE, DatastreamName, StationId, Text};
use bakau_registry::{Datastream, Snapshot, Station};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

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
    let mut names: BTreeMap<&StationId, Vec<&DatastreamName>> = BTreeMap::new();
    for datastream in snapshot.datastreams.values() {
        names.entry(&datastream.station).or_default().push(&datastream.name);
    }
    names.values_mut().for_each(|names| names.sort());
    let value =
        |station: &Station| station_value(&snapshot, station, names.get(&station.id).map_or(&[][..], Vec::as_slice));
    let stations: Vec<Value> = snapshot.stations.values().map(value).collect();
    registered(&headers, &json!({ "revision": snapshot.revision, "stations": stations }))
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
    let values: Vec<Value> = found.iter().map(|datastream| datastream_value(&snapshot, datastream)).collect();
    registered(&headers, &json!({ "revision": snapshot.revision, "datastreams": values }))
}

/// An answer that changes with the registry or with what is drawn from it, sent again only when it has changed.
pub(crate) fn registered(headers: &HeaderMap, value: &Value) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| ApiError::defect(error.to_string()))?;
    Ok(answer::conditional(headers, &answer::etag(&body), || answer::json_bytes(body.into())))
}

/// A station as every answer shows it.
pub(crate) fn station_value(snapshot: &Snapshot, station: &Station, datastreams: &[&DatastreamName]) -> Value {
    let agency = snapshot.agencies.get(&station.agency);
    let city = agency.and_then(|agency| snapshot.cities.get(&agency.city));
    json!({
        "id": station.id,
        "name": answer::text(&station.name),
        "kind": station.kind,
        "agency": { "id": station.agency, "name": agency.map(|agency| answer::text(&agency.name)) },
        "city": city.map(|city| json!({ "id": city.id, "name": answer::text(&city.name), "code": city.code })),
        "latitude": station.latitude,
        "longitude": station.longitude,
        "elevation_m": station.elevation_m,
        "description": station.description.as_ref().map(answer::text),
        "water_class": station.water_class,
        "air_type": station.air_type,
        "time_zone": station.time_zone,
        "datastreams": datastreams,
    })
}

/// A datastream as every answer shows it.
pub(crate) fn datastream_value(snapshot: &Snapshot, datastream: &Datastream) -> Value {
    let info = snapshot.parameters.get(&datastream.parameter);
    json!({
        "id": datastream.name,
        "number": datastream.number,
        "station": datastream.station,
        "parameter": datastream.parameter,
        "qualifier": datastream.name.qualifier(),
        "name": info.map(|info| answer::text(&info.name)),
        "cf_name": info.and_then(|info| info.cf_name.as_deref()),
        "unit": datastream.unit,
        "unit_symbol": datastream.unit.symbol(),
        "decimals": info.map(|info| info.decimals),
        "interval_s": datastream.interval_ms / 1000,
        "vertical_datum": datastream.vertical_datum,
        "counter": datastream.counter().is_some(),
        "counter_max": datastream.counter().and_then(|counter| counter.max),
        "limits": datastream.limits,
    })
}

/// The zone of what is about no station in particular.
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
