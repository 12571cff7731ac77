//! `GET /api/v1/stations/{id}`: everything known about one station, present values included.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::Path;
use bakau_answers::{
    self as answers, DatastreamDetail, DeviceClock, MeasuredValue, PendingLevel, PresentValue, StationDetail,
    StationState, StationStatus,
};
use bakau_dashboards::view::{ClockAhead, Freshness, Pending, StationCard, ValueCell};
use bakau_model::{DatastreamName, RuleId, UtcMillis};
use bakau_registry::{Datastream, Deployment, Instrument, Rule, RuleTarget, Snapshot};

use crate::{
    http::{
        call::{Answered, Call},
        times::Times,
    },
    read::gather::Gatherer,
    v1::catalogue::{self, find_station},
};

/// One station: place, owner, datastreams with limits and present values, every deployment.
pub(crate) async fn station(call: Call, Path(id): Path<String>) -> Answered {
    call.params(&[])?;
    let gatherer = Gatherer::new(&call.state);
    let snapshot = gatherer.snapshot();
    let station = find_station(snapshot, &id)?;
    let card = gatherer.card(station);
    let mut local = Times::local(catalogue::zone(snapshot, &station.id));
    let cells: BTreeMap<&DatastreamName, &ValueCell> =
        card.values.iter().map(|cell| (&cell.datastream, cell)).collect();
    let datastreams = snapshot.datastreams_of(&station.id);
    let mut present = |datastream: &Datastream| {
        let cell = cells.get(&datastream.name)?;
        present_value(cell, datastream.counter().is_some(), &mut local)
    };
    let detail = |datastream: &&Arc<Datastream>| DatastreamDetail {
        datastream: catalogue::tell(snapshot, datastream),
        rules: rules_of(snapshot, datastream),
        latest: present(datastream),
    };
    let details = datastreams.iter().map(detail).collect();
    let deployments: Vec<(&Datastream, &Deployment)> = datastreams
        .iter()
        .flat_map(|datastream| {
            let deployments = snapshot.deployments.get(&datastream.number).map_or(&[][..], Vec::as_slice);
            deployments.iter().map(|deployment| (&***datastream, deployment))
        })
        .collect();
    let instruments: BTreeMap<_, _> = deployments
        .iter()
        .filter_map(|(_, deployment)| snapshot.instruments.get_key_value(&deployment.instrument))
        .collect();
    let now = call.state.clock.now();
    let told = StationDetail {
        site: catalogue::site(snapshot, station),
        state: card.state,
        level: card.state.level(),
        status: status(&card, &mut local),
        clock: card.clock.map(|clock| device_clock(clock, &mut local)),
        datastreams: details,
        instruments: instruments.into_values().map(instrument).collect(),
        deployments: deployments.iter().map(|(of, deployment)| tell_deployment(of, deployment, now)).collect(),
    };
    call.registered(&told)
}

/// Whether the station reports, and when it last did.
fn status(card: &StationCard, local: &mut Times) -> StationStatus {
    let newest = card.values.iter().filter_map(|cell| cell.observed_at).max();
    StationStatus {
        state: match card.freshness {
            Freshness::Live { .. } => StationState::Live,
            Freshness::Stale { .. } => StationState::Stale,
            Freshness::Offline { .. } => StationState::Offline,
            Freshness::NeverReported => StationState::NeverReported,
        },
        observed_at: newest.map(Into::into),
        observed_at_local: newest.map(|at| local.text(at)),
        no_data_after_s: card.no_data_after_ms / 1_000,
    }
}

/// By how much the clock of the device is ahead, and since when.
fn device_clock(ClockAhead { ahead_ms, since, refused }: ClockAhead, local: &mut Times) -> DeviceClock {
    DeviceClock { ahead_s: (ahead_ms + 500) / 1_000, since: since.into(), since_local: local.text(since), refused }
}

fn present_value(cell: &ValueCell, is_counter: bool, local: &mut Times) -> Option<PresentValue> {
    let observed_at = cell.observed_at?;
    Some(PresentValue {
        observed_at: observed_at.into(),
        observed_at_local: local.text(observed_at),
        measured: MeasuredValue {
            value: if is_counter { cell.reading } else { cell.value },
            increment: is_counter.then_some(cell.value),
            flag: cell.flag.into(),
        },
        reasons: cell.tests.reasons().collect(),
        state: cell.state,
        pending: cell.pending.map(|Pending { level, since, until }| PendingLevel {
            level,
            since: since.into(),
            until: until.into(),
        }),
        level: cell.level,
        stale: cell.stale,
    })
}

/// The rules that look at the values of a datastream.
fn rules_of(snapshot: &Snapshot, datastream: &Datastream) -> Vec<RuleId> {
    let of_values = |rule: &&Arc<Rule>| matches!(rule.condition.target(), RuleTarget::Datastreams(_));
    let rules = snapshot.rules.values().filter(of_values);
    rules.filter(|rule| snapshot.watches(rule, datastream)).map(|rule| rule.id.clone()).collect()
}

fn instrument(instrument: &Instrument) -> answers::Instrument {
    let Instrument { id, make, model, serial } = instrument.clone();
    answers::Instrument { id, make, model, serial }
}

fn tell_deployment(datastream: &Datastream, deployment: &Deployment, now: UtcMillis) -> answers::Deployment {
    answers::Deployment {
        datastream: datastream.name.clone(),
        instrument: deployment.instrument.clone(),
        from: deployment.from.into(),
        to: deployment.to.map(Into::into),
        gain: deployment.gain,
        offset: deployment.offset,
        current: deployment.from <= now && deployment.to.is_none_or(|to| now < to),
    }
}
