//! `GET /api/v1/rules` and `rules/{id}`: under which condition of what an alert is raised, and by which law or advice.

use std::collections::BTreeMap;

use axum::extract::Path;
use bakau_alerts::AlertView;
use bakau_answers::{self as answers, LevelCondition, RuleDetail, RuleList};
use bakau_model::{DatastreamName, Level, RuleId, Unit};
use bakau_registry::{Band, DatastreamTarget, Direction, Figures, Rule, RuleTarget, Snapshot, StationTarget};

use crate::http::{
    call::{Answered, Call},
    error::{ApiError, ProblemType},
};

/// Every rule, in order of its id.
pub(crate) async fn list(call: Call) -> Answered {
    call.params(&[])?;
    let (snapshot, active) = (call.state.snapshot(), call.state.alerts.active());
    let rules = snapshot.rules.values().map(|rule| tell(&snapshot, rule, &active)).collect();
    call.registered(&RuleList { revision: snapshot.revision, rules })
}

/// One rule, with what it looks at by name.
pub(crate) async fn one(call: Call, Path(id): Path<String>) -> Answered {
    call.params(&[])?;
    let snapshot = call.state.snapshot();
    let found = RuleId::new(&id).ok().and_then(|id| snapshot.rules.get(&id));
    let rule = found.ok_or_else(|| ApiError::new(ProblemType::RuleNotFound).with("rule", &id))?;
    call.registered(&RuleDetail {
        rule: tell(&snapshot, rule, &call.state.alerts.active()),
        datastreams: datastreams(&snapshot, rule),
        stations: snapshot.stations_of_rule(rule),
    })
}

fn tell(snapshot: &Snapshot, rule: &Rule, active: &[AlertView]) -> answers::Rule {
    let open: Vec<&AlertView> = active.iter().filter(|alert| alert.rule == rule.id).collect();
    let (direction, hold_s, levels) = figures(rule.condition.figures());
    answers::Rule {
        id: rule.id.clone(),
        name: rule.name.clone(),
        kind: rule.condition.kind(),
        target: target(rule.condition.target()),
        direction,
        unit: direction.and_then(|_| unit(snapshot, rule)),
        levels,
        hold_s,
        repeat_s: rule.repeat_s,
        source: rule.source.clone(),
        level: open.iter().map(|alert| alert.level).max().unwrap_or_default(),
        open_alerts: open.iter().map(|alert| alert.id).collect(),
    }
}

/// What is watched: one of the members says what, the others are `null`.
fn target(target: RuleTarget<'_>) -> answers::RuleTarget {
    let nothing = answers::RuleTarget::default();
    match target {
        RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
            answers::RuleTarget { datastream: Some(name.clone()), ..nothing }
        }
        RuleTarget::Datastreams(DatastreamTarget::Parameter { parameter, kind }) => {
            answers::RuleTarget { parameter: Some(parameter.clone()), station_kind: *kind, ..nothing }
        }
        RuleTarget::Stations(StationTarget::Stations { kind }) => {
            answers::RuleTarget { station_kind: *kind, ..nothing }
        }
        RuleTarget::Stations(StationTarget::Station(station)) => {
            answers::RuleTarget { station: Some(station.clone()), ..nothing }
        }
        RuleTarget::Sources(source) => answers::RuleTarget { source: source.cloned(), ..nothing },
        RuleTarget::Store => nothing,
    }
}

/// Direction and hold of thresholds; thresholds or seconds of each level that is set.
fn figures(figures: Figures<'_>) -> (Option<Direction>, Option<u32>, BTreeMap<Level, LevelCondition>) {
    match figures {
        Figures::Bands { direction, hold_s, bands } => {
            let told = |band: &Band| LevelCondition { low: band.low, high: band.high, after_s: None };
            (Some(direction), Some(hold_s), bands.iter().map(|(level, band)| (level, told(band))).collect())
        }
        Figures::After(after_s) => {
            let told = |after_s: &u32| LevelCondition { low: None, high: None, after_s: Some(*after_s) };
            (None, None, after_s.iter().map(|(level, after_s)| (level, told(after_s))).collect())
        }
    }
}

/// The unit of the thresholds.
fn unit(snapshot: &Snapshot, rule: &Rule) -> Option<Unit> {
    let parameter = match rule.condition.target() {
        RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
            snapshot.datastream(name).map(|datastream| &datastream.parameter)
        }
        RuleTarget::Datastreams(DatastreamTarget::Parameter { parameter, .. }) => Some(parameter),
        RuleTarget::Stations(_) | RuleTarget::Sources(_) | RuleTarget::Store => None,
    };
    parameter.and_then(|parameter| snapshot.parameters.get(parameter)).map(|info| info.unit.clone())
}

fn datastreams(snapshot: &Snapshot, rule: &Rule) -> Vec<DatastreamName> {
    let found = snapshot.datastreams_of_rule(rule);
    let mut names: Vec<_> = found.into_iter().map(|found| found.name.clone()).collect();
    names.sort();
    names
}
