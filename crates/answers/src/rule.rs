//! Rules: which condition of what raises alerts.

use std::collections::BTreeMap;

use bakau_model::{
    AlertId, ConditionKind, DatastreamName, Direction, Level, Parameter, RuleId, SourceName, StationId, StationKind,
    Text, Threshold, Unit,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleList {
    /// Revision of the registry.
    pub revision: u64,
    /// By id.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: Text,
    /// What its alerts are about.
    pub kind: ConditionKind,
    /// What it watches.
    pub target: RuleTarget,
    /// Which way a threshold is crossed; null where there is none.
    #[schema(required)]
    pub direction: Option<Direction>,
    /// The unit of the thresholds (UCUM).
    #[schema(required)]
    pub unit: Option<Unit>,
    /// By level: waspada, siaga, awas, as far as they are set.
    pub levels: BTreeMap<Level, LevelCondition>,
    /// Seconds a threshold must be crossed without a break before its level is raised; null where there is none.
    #[schema(required)]
    pub hold_s: Option<u32>,
    /// Seconds after which people are reminded of an alert that nobody acknowledged; null where they are not.
    #[schema(required)]
    pub repeat_s: Option<u32>,
    /// Where the figures come from and how sure they are.
    pub source: Text,
    /// The worst level of its open alerts.
    pub level: Level,
    /// Its alerts that are not closed.
    pub open_alerts: Vec<AlertId>,
}

/// A rule with what it looks at by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleDetail {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// The datastreams it watches.
    pub datastreams: Vec<DatastreamName>,
    /// The stations it watches.
    pub stations: Vec<StationId>,
}

/// What a rule watches; what does not apply is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTarget {
    /// This datastream.
    #[schema(required)]
    pub datastream: Option<DatastreamName>,
    /// Every datastream of this parameter.
    #[schema(required)]
    pub parameter: Option<Parameter>,
    /// Only at stations of this kind.
    #[schema(required)]
    pub station_kind: Option<StationKind>,
    /// This station.
    #[schema(required)]
    pub station: Option<StationId>,
    /// This source of messages.
    #[schema(required)]
    pub source: Option<SourceName>,
}

/// When a level holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelCondition {
    /// Low values are bad from here on.
    #[schema(required)]
    pub low: Option<Threshold>,
    /// High values are bad from here on.
    #[schema(required)]
    pub high: Option<Threshold>,
    /// Seconds without data, or of being down.
    #[schema(required)]
    pub after_s: Option<u32>,
}
