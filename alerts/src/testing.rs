//! Rules and observations that tests of several modules share: dissolved oxygen in a mangrove estuary.

use std::sync::Arc;

use bakau_model::{ChannelId, DatastreamId, DeploymentId, Flag, Observation, RuleId, TimeSource, UtcMillis};
use bakau_registry::{Direction, Rule, Threshold};

use crate::engine::{RuleSet, WatchedRule};

pub(crate) const DATASTREAM: DatastreamId = DatastreamId::new(7);
/// 2026-03-09T17:00:00Z, midnight in western Indonesia.
pub(crate) const MIDNIGHT: UtcMillis = UtcMillis::new(1_773_075_600_000);

pub(crate) fn minute(minutes: i64) -> UtcMillis {
    MIDNIGHT.saturating_add(minutes * 60_000)
}

/// Waspada at 4 (clears at 4.5), siaga at 2 (2.5), awas at 0.5 (0.8) mg/L.
pub(crate) fn do_rule(hold_s: u32) -> Rule {
    let limit = |raise, clear| Some(Threshold { raise, clear });
    Rule {
        id: RuleId::new("bjbr-do-low").unwrap(),
        name: "Oksigen rendah".into(),
        datastream: "prb-bjbr-01/do".parse().unwrap(),
        direction: Direction::Below,
        waspada: limit(4.0, 4.5),
        siaga: limit(2.0, 2.5),
        awas: limit(0.5, 0.8),
        hold_s,
        source: "test".to_owned(),
        channels: vec![ChannelId::new("piket").unwrap()],
    }
}

pub(crate) fn rule_set(revision: u64, rules: impl IntoIterator<Item = Rule>) -> RuleSet {
    let watch = |rule| WatchedRule { rule: Arc::new(rule), datastream: DATASTREAM };
    RuleSet { revision, rules: rules.into_iter().map(watch).collect() }
}

pub(crate) fn observation(minutes: i64, value: f64) -> Observation {
    Observation {
        datastream: DATASTREAM,
        observed_at: minute(minutes),
        value: Some(value),
        deployment: DeploymentId::new(0),
        time_source: TimeSource::Device,
        received_at: minute(minutes),
        flag: Flag::NotEvaluated,
    }
}
