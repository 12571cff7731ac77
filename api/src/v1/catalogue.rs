//! `GET /api/v1/stations` and `datastreams`: what is registered.

use std::{collections::BTreeMap, sync::Arc};

use bakau_answers::{self as answers, DatastreamList, Site, StationList};
use bakau_model::{DEFAULT_ZONE, DatastreamName, StationId, Text};
use bakau_registry::{City, Datastream, Snapshot, Station};
use jiff::tz::TimeZone;

use crate::http::{
    call::{Answered, Call},
    error::{ApiError, ProblemType},
    query::{FileFormat, Params, Span},
};

/// Every station, in order of its id.
pub(crate) async fn stations(call: Call) -> Answered {
    call.params(&[])?;
    let snapshot = call.state.snapshot();
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
    call.registered(&StationList { revision: snapshot.revision, stations })
}

/// Every datastream, or one station's, in order of its name.
pub(crate) async fn datastreams(call: Call) -> Answered {
    let params = call.params(&["station"])?;
    let snapshot = call.state.snapshot();
    let mut found: Vec<_> = match params.station()? {
        Some(station) => {
            known_station(&snapshot, &station)?;
            snapshot.datastreams_of(&station)
        }
        None => snapshot.datastreams.values().collect(),
    };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let datastreams = found.iter().map(|datastream| tell(&snapshot, datastream)).collect();
    call.registered(&DatastreamList { revision: snapshot.revision, datastreams })
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

/// What a request for the history of one datastream says, whatever form of it is wanted.
pub(crate) struct HistoryAsked {
    pub(crate) params: Params,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) datastream: Arc<Datastream>,
    pub(crate) span: Span,
    pub(crate) format: FileFormat,
}

impl HistoryAsked {
    /// Reads `parameters`, among them `datastream`; without `from` the range is the last `default_ms`.
    pub(crate) fn read(call: &Call, parameters: &[&'static str], default_ms: i64) -> Result<Self, ApiError> {
        let (params, snapshot) = (call.params(parameters)?, call.state.snapshot());
        let required =
            || ApiError::parameter("datastream", None, "parameter_required").with("allowed", "station/parameter");
        let datastream = Arc::clone(find_datastream(&snapshot, &params.datastream()?.ok_or_else(required)?)?);
        let span = params.span(call.state.clock.now(), default_ms)?;
        let format = params.format()?;
        Ok(Self { params, snapshot, datastream, span, format })
    }
}

/// The datastream of a name.
pub(crate) fn find_datastream<'a>(
    snapshot: &'a Snapshot,
    name: &DatastreamName,
) -> Result<&'a Arc<Datastream>, ApiError> {
    let unknown = || ApiError::new(ProblemType::DatastreamNotFound).with("datastream", name.as_str());
    snapshot.datastream(name).ok_or_else(unknown)
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
