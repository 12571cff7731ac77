//! `GET /api/v1/stations/{id}`: everything known about one station, present values included.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_dashboards::view::{ClockAhead, Freshness, StationCard, ValueCell};
use bakau_model::{DatastreamName, UtcMillis};
use bakau_registry::{Datastream, Deployment, Instrument, RuleTarget, Snapshot};
use serde_json::{Value, json};

use crate::{
    http::{answer, error::ApiError, query::Params, times::Times},
    read::{gather::Gatherer, rows::reasons},
    state::AppState,
    v1::catalogue::{self, datastream_value, find_station, registered, station_value},
};

/// One station: place, owner, datastreams with limits and present values, every deployment.
pub(crate) async fn station(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let gatherer = Gatherer::new(&state);
    let snapshot = gatherer.snapshot();
    let station = find_station(snapshot, &id)?;
    let card = gatherer.card(station);
    let mut local = Times::local(catalogue::zone(snapshot, &station.id));
    let cells: BTreeMap<&DatastreamName, &ValueCell> =
        card.values.iter().map(|cell| (&cell.datastream, cell)).collect();
    let datastreams = snapshot.datastreams_of(&station.id);
    let mut value = station_value(snapshot, station, &[]);
    value["level"] = json!(card.level);
    value["status"] = status_value(&card, &mut local);
    value["clock"] = card.clock.map_or(Value::Null, |clock| clock_value(clock, &mut local));
    let datastream = |datastream: &&std::sync::Arc<Datastream>| {
        let mut value = datastream_value(snapshot, datastream);
        value["rules"] = rules_of(snapshot, datastream);
        let is_counter = datastream.counter().is_some();
        let latest = |cell: &&ValueCell| latest_value(cell, is_counter, &mut local);
        value["latest"] = cells.get(&datastream.name).map_or(Value::Null, latest);
        value
    };
    value["datastreams"] = datastreams.iter().map(datastream).collect();
    let deployments = datastreams.iter().flat_map(|datastream| {
        let deployments = snapshot.deployments.get(&datastream.number).map_or(&[][..], Vec::as_slice);
        deployments.iter().map(|deployment| (*datastream, deployment))
    });
    let deployments: Vec<_> = deployments.collect();
    let instruments: BTreeMap<_, _> = deployments
        .iter()
        .filter_map(|(_, deployment)| snapshot.instruments.get_key_value(&deployment.instrument))
        .collect();
    value["instruments"] = instruments.into_values().map(instrument_value).collect();
    let now = state.clock.now();
    value["deployments"] =
        deployments.iter().map(|(datastream, deployment)| deployment_value(datastream, deployment, now)).collect();
    registered(&headers, &value)
}

/// Whether the station reports, and when it last did.
fn status_value(card: &StationCard, local: &mut Times) -> Value {
    let word = match card.freshness {
        Freshness::Live { .. } => "live",
        Freshness::Stale { .. } => "stale",
        Freshness::Offline { .. } => "offline",
        Freshness::NeverReported => "never_reported",
    };
    let newest = card.values.iter().filter_map(|cell| cell.observed_at).max();
    json!({
        "state": word,
        "observed_at": newest.map(answer::time),
        "observed_at_local": newest.map(|at| local.text(at)),
        "silent_after_s": card.silent_after_ms / 1_000,
    })
}

/// By how much the clock of the device is ahead, and since when.
fn clock_value(clock: ClockAhead, local: &mut Times) -> Value {
    let ClockAhead { ahead_ms, since, refused } = clock;
    json!({
        "ahead_s": (ahead_ms + 500) / 1_000,
        "since": answer::time(since),
        "since_local": local.text(since),
        "refused": refused,
    })
}

fn latest_value(cell: &ValueCell, is_counter: bool, local: &mut Times) -> Value {
    let Some(observed_at) = cell.observed_at else { return Value::Null };
    let mut latest = json!({
        "observed_at": answer::time(observed_at),
        "observed_at_local": local.text(observed_at),
        "value": cell.value,
        "flag": cell.flag.code(),
        "reasons": reasons(cell.tests),
        "level": cell.level,
        "stale": cell.stale,
    });
    if is_counter {
        (latest["value"], latest["increment"]) = (json!(cell.reading), json!(cell.value));
    }
    latest
}

/// The rules that look at the values of a datastream.
fn rules_of(snapshot: &Snapshot, datastream: &Datastream) -> Value {
    let of_values = |target: &RuleTarget| match target {
        RuleTarget::Datastream(_) | RuleTarget::Parameter { .. } => true,
        RuleTarget::Stations { .. } | RuleTarget::Station(_) | RuleTarget::Sources(_) => false,
    };
    let rules = snapshot.rules.values().filter(|rule| of_values(&rule.target));
    let mine = rules.filter(|rule| snapshot.watches(rule, datastream));
    mine.map(|rule| json!(rule.id)).collect()
}

fn instrument_value(instrument: &Instrument) -> Value {
    json!({
        "id": instrument.id,
        "make": instrument.make,
        "model": instrument.model,
        "serial": instrument.serial,
    })
}

fn deployment_value(datastream: &Datastream, deployment: &Deployment, now: UtcMillis) -> Value {
    let current = deployment.from <= now && deployment.to.is_none_or(|to| now < to);
    json!({
        "datastream": datastream.name,
        "instrument": deployment.instrument,
        "from": answer::time(deployment.from),
        "to": deployment.to.map(answer::time),
        "gain": deployment.gain,
        "offset": deployment.offset,
        "current": current,
    })
}
