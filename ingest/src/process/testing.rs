//! A small registry and messages for it.

use std::sync::Arc;

use bakau_model::{
    AgencyId, DatastreamId, DatastreamName, DeploymentId, Envelope, InstrumentId, Parameter, Qos, RouteId, SourceName,
    StationId, StationKind, Unit, UtcMillis,
};
use bakau_registry::{Datastream, Deployment, Format, JsonMapping, JsonValue, Route, Snapshot, Station, TimeFormat};
use bytes::Bytes;

use crate::{decode::Slot, identify::AcceptWindow, process::Limits};

pub(crate) const ARRIVAL: UtcMillis = UtcMillis::new(1_772_000_000_000);

pub(crate) fn source() -> SourceName {
    SourceName::new("main").unwrap()
}

pub(crate) fn slot(path: &str, parameter: &str, qualifier: Option<&str>, unit: &str) -> Slot {
    Slot {
        path: path.to_owned(),
        parameter: Parameter::new(parameter).unwrap(),
        qualifier: qualifier.map(str::to_owned),
        unit: Unit::new(unit),
        gas: None,
        missing: bakau_model::Missing::default(),
        decimal_comma: None,
        unit_texts: Vec::new(),
    }
}

pub(crate) fn mapping(time: Option<&str>, values: &[(&str, &str, &str)]) -> JsonMapping {
    let value = |&(path, parameter, unit): &(&str, &str, &str)| JsonValue {
        path: path.to_owned(),
        parameter: Parameter::new(parameter).unwrap(),
        qualifier: None,
        unit: Unit::new(unit),
        gas: None,
        missing: Vec::new(),
        decimal_comma: None,
        unit_texts: Vec::new(),
    };
    JsonMapping {
        readings: None,
        station: None,
        time: time.map(str::to_owned),
        time_format: TimeFormat::Rfc3339,
        values: values.iter().map(value).collect(),
    }
}

/// Station `s1` with `do` (number 1) and `conductivity` (number 2, deployment 7 since 2026), one route.
pub(crate) fn snapshot() -> Arc<Snapshot> {
    let mut snapshot = Snapshot { revision: 3, ..Snapshot::default() };
    for (number, parameter, unit) in [(1, "do", "mg/L"), (2, "conductivity", "uS/cm")] {
        let name = DatastreamName::new("s1", parameter, None).unwrap();
        let datastream = Arc::new(Datastream {
            number: DatastreamId::new(number),
            name: name.clone(),
            station: StationId::new("s1").unwrap(),
            parameter: Parameter::new(parameter).unwrap(),
            unit: Unit::new(unit),
            interval_ms: 60_000,
            vertical_datum: None,
            limits: bakau_model::QualityLimits::default(),
        });
        snapshot.datastreams.insert(datastream.number, Arc::clone(&datastream));
        snapshot.by_name.insert(name, datastream);
    }
    let deployment = Deployment {
        number: DeploymentId::new(7),
        datastream: DatastreamId::new(2),
        instrument: InstrumentId::new("ctd-1").unwrap(),
        from: UtcMillis::parse("2026-01-01T00:00:00Z").unwrap(),
        to: None,
        gain: 1.0,
        offset: 0.0,
    };
    snapshot.deployments.insert(DatastreamId::new(2), vec![deployment]);
    let json = mapping(Some("/time"), &[("/do", "do", "mg/L"), ("/cond", "conductivity", "mS/cm")]);
    snapshot.routes.push(route("bakau/{station}/data", Format::Json { json }));
    Arc::new(snapshot)
}

pub(crate) fn station(id: &str) -> Station {
    Station {
        id: StationId::new(id).unwrap(),
        name: id.into(),
        agency: AgencyId::new("dlh").unwrap(),
        kind: StationKind::Water,
        latitude: 0.0,
        longitude: 0.0,
        time_zone: "Asia/Jakarta".to_owned(),
        elevation_m: None,
        description: None,
        water_class: None,
        air_type: None,
    }
}

pub(crate) fn route(topic: &str, format: Format) -> Route {
    Route {
        id: RouteId::new("r").unwrap(),
        topic: topic.to_owned(),
        source: None,
        station: None,
        devices: std::collections::BTreeMap::new(),
        time_zone: None,
        missing: Vec::new(),
        decimal_comma: false,
        format,
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        windows: std::collections::BTreeMap::new(),
        zones: std::collections::BTreeMap::new(),
        missing: std::collections::BTreeMap::new(),
        default_window: AcceptWindow { past_ms: 7 * 86_400_000, future_ms: 300_000 },
        max_payload_bytes: 1024 * 1024,
    }
}

pub(crate) fn envelope(topic: &str, payload: &str) -> Envelope {
    Envelope {
        source: source(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: Arc::from(topic),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at: ARRIVAL,
    }
}
