//! `GET /api/v1/rules` and `rules/{id}`: under which condition of what an alert is raised, and by which law or advice.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_alerts::AlertView;
use bakau_model::{DatastreamName, Level, RuleId};
use bakau_registry::{Condition, Rule, RuleTarget, Snapshot};
use serde_json::{Map, Value, json};

use crate::{
    http::{
        answer,
        error::{ApiError, ProblemType},
        query::Params,
    },
    state::AppState,
    v1::catalogue,
};

/// Levels a rule can raise, the mildest first.
const RAISED: [Level; 3] = [Level::Waspada, Level::Siaga, Level::Awas];

/// Every rule, in order of its id.
pub(crate) async fn list(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let snapshot = state.snapshot();
    let active = state.alerts.active();
    let rules: Vec<Value> = snapshot.rules.values().map(|rule| rule_value(&snapshot, rule, &active)).collect();
    catalogue::registered(&headers, &json!({ "revision": snapshot.revision, "rules": rules }))
}

/// One rule, with what it looks at by name.
pub(crate) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let snapshot = state.snapshot();
    let found = RuleId::new(&id).ok().and_then(|id| snapshot.rules.get(&id));
    let rule = found.ok_or_else(|| ApiError::new(ProblemType::RuleNotFound).with("rule", &id))?;
    let mut value = rule_value(&snapshot, rule, &state.alerts.active());
    value["datastreams"] = json!(datastreams(&snapshot, rule));
    value["stations"] = json!(snapshot.stations_of_rule(rule));
    catalogue::registered(&headers, &value)
}

fn rule_value(snapshot: &Snapshot, rule: &Rule, active: &[AlertView]) -> Value {
    let open: Vec<&AlertView> = active.iter().filter(|alert| alert.rule == rule.id).collect();
    let (kind, direction) = condition(&rule.condition);
    json!({
        "id": rule.id,
        "name": answer::text(&rule.name),
        "kind": kind,
        "target": target(&rule.target),
        "direction": direction,
        "unit": unit(snapshot, rule),
        "levels": levels(&rule.condition),
        "hold_s": rule.hold_s,
        "repeat_s": rule.repeat_s,
        "source": answer::text(&rule.source),
        "level": open.iter().map(|alert| alert.level).max().unwrap_or_default(),
        "open_alerts": open.iter().map(|alert| alert.id).collect::<Vec<_>>(),
    })
}

const fn condition(condition: &Condition) -> (&'static str, Option<&'static str>) {
    match condition {
        Condition::Threshold { direction, .. } => ("threshold", Some(direction.key())),
        Condition::Silence(_) => ("silence", None),
        Condition::SourceDown(_) => ("source_down", None),
    }
}

/// What is watched: one of the members says what, the others are `null`.
fn target(target: &RuleTarget) -> Value {
    let mut value =
        json!({ "datastream": null, "parameter": null, "station_kind": null, "station": null, "source": null });
    match target {
        RuleTarget::Datastream(name) => value["datastream"] = json!(name),
        RuleTarget::Parameter { parameter, kind } => {
            value["parameter"] = json!(parameter);
            value["station_kind"] = json!(kind);
        }
        RuleTarget::Stations { kind } => value["station_kind"] = json!(kind),
        RuleTarget::Station(station) => value["station"] = json!(station),
        RuleTarget::Sources(source) => value["source"] = json!(source),
    }
    value
}

/// Thresholds or seconds of each level that is set.
fn levels(condition: &Condition) -> Value {
    let mut levels = Map::new();
    for level in RAISED {
        let threshold =
            |threshold: bakau_registry::Threshold| json!({ "raise": threshold.raise, "clear": threshold.clear });
        let band = condition.band(level);
        let after_s = condition.after_s().and_then(|after_s| after_s.get(level));
        if band.is_none() && after_s.is_none() {
            continue;
        }
        let value = json!({
            "low": band.and_then(|band| band.low).map(threshold),
            "high": band.and_then(|band| band.high).map(threshold),
            "after_s": after_s,
        });
        levels.insert(level.key().to_owned(), value);
    }
    Value::Object(levels)
}

/// The unit of the thresholds.
fn unit(snapshot: &Snapshot, rule: &Rule) -> Value {
    let parameter = match &rule.target {
        RuleTarget::Datastream(name) => snapshot.datastream(name).map(|datastream| &datastream.parameter),
        RuleTarget::Parameter { parameter, .. } => Some(parameter),
        RuleTarget::Stations { .. } | RuleTarget::Station(_) | RuleTarget::Sources(_) => None,
    };
    json!(parameter.and_then(|parameter| snapshot.parameters.get(parameter)).map(|info| &info.unit))
}

fn datastreams<'a>(snapshot: &'a Snapshot, rule: &Rule) -> Vec<&'a DatastreamName> {
    let found = snapshot.datastreams_of_rule(rule);
    let mut names: Vec<_> =
        found.iter().filter_map(|number| snapshot.datastreams.get(number)).map(|found| &found.name).collect();
    names.sort();
    names
}
