//! What a notice tells, fixed at the moment of the decision.
//!
//! Names, units and limits may change before a notice is delivered; the decision log keeps what was known.

use bakau_model::{DatastreamName, Flag, Level, Parameter, RuleId, StationId, Text, Unit, UtcMillis};
use bakau_registry::{Direction, Rule, Snapshot, Threshold};
use serde::{Deserialize, Serialize};

use crate::{
    AlertId,
    engine::{Reason, Transition},
};

/// The facts of one transition, as stored in the decision log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) alert: AlertId,
    pub(crate) sequence: u32,
    pub(crate) reason: Reason,
    pub(crate) level: Level,
    pub(crate) previous_level: Level,
    pub(crate) peak: Level,
    pub(crate) onset: UtcMillis,
    pub(crate) observed_at: UtcMillis,
    pub(crate) decided_at: UtcMillis,
    pub(crate) value: f64,
    pub(crate) flag: Flag,
    pub(crate) datastream: DatastreamName,
    pub(crate) station: StationFacts,
    pub(crate) parameter: ParameterFacts,
    pub(crate) rule: RuleFacts,
    /// The raise or clear value that was passed; none where a rule change decided.
    pub(crate) limit: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StationFacts {
    pub(crate) id: StationId,
    pub(crate) name: Text,
    pub(crate) time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParameterFacts {
    pub(crate) code: Parameter,
    pub(crate) name: Text,
    pub(crate) unit: Unit,
    pub(crate) decimals: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleFacts {
    pub(crate) id: RuleId,
    pub(crate) name: Text,
    pub(crate) revision: u64,
    pub(crate) direction: Direction,
    pub(crate) waspada: Option<Threshold>,
    pub(crate) siaga: Option<Threshold>,
    pub(crate) awas: Option<Threshold>,
    pub(crate) hold_s: u32,
    pub(crate) source: String,
}

impl Facts {
    /// The facts of a transition as the registry names things now. What is no longer registered is named by its id.
    pub(crate) fn of(transition: &Transition, snapshot: &Snapshot) -> Option<Self> {
        let rule = &transition.rule;
        let registered = snapshot.datastreams.get(&transition.datastream);
        let datastream = registered.map_or(&rule.datastream, |datastream| &datastream.name).clone();
        Some(Self {
            alert: transition.alert,
            sequence: transition.sequence,
            reason: transition.reason,
            level: transition.to,
            previous_level: transition.from,
            peak: transition.peak,
            onset: transition.onset,
            observed_at: transition.observed_at,
            decided_at: transition.decided_at,
            value: transition.value,
            flag: transition.flag,
            station: StationFacts::of(&datastream, snapshot)?,
            parameter: ParameterFacts::of(&datastream, snapshot, registered.map(|datastream| &datastream.unit))?,
            datastream,
            rule: RuleFacts::of(rule, transition.rule_revision),
            limit: passed_limit(rule, transition),
        })
    }
}

impl StationFacts {
    fn of(datastream: &DatastreamName, snapshot: &Snapshot) -> Option<Self> {
        // A datastream name is made of valid parts, so this is always some.
        let id = StationId::new(datastream.station()).ok()?;
        let station = snapshot.stations.get(&id);
        let name = station.map_or_else(|| Text::from(id.as_str()), |station| station.name.clone());
        let time_zone = station.map_or("Asia/Jakarta", |station| &station.time_zone).to_owned();
        Some(Self { id, name, time_zone })
    }
}

impl ParameterFacts {
    fn of(datastream: &DatastreamName, snapshot: &Snapshot, unit: Option<&Unit>) -> Option<Self> {
        let code = Parameter::new(datastream.parameter()).ok()?;
        let info = snapshot.parameters.get(&code);
        let name = info.map_or_else(|| Text::from(code.as_str()), |info| info.name.clone());
        let unit = unit.or(info.map(|info| &info.unit)).cloned().unwrap_or_else(|| Unit::new(""));
        Some(Self { name, unit, decimals: info.map_or(2, |info| info.decimals), code })
    }
}

impl RuleFacts {
    fn of(rule: &Rule, revision: u64) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            revision,
            direction: rule.direction,
            waspada: rule.waspada,
            siaga: rule.siaga,
            awas: rule.awas,
            hold_s: rule.hold_s,
            source: rule.source.clone(),
        }
    }
}

fn passed_limit(rule: &Rule, transition: &Transition) -> Option<f64> {
    if transition.reason != Reason::Threshold {
        return None;
    }
    if transition.from < transition.to {
        return rule.threshold(transition.to).map(|threshold| threshold.raise);
    }
    // The last clear value passed on the way down is that of the lowest level left behind.
    let left = Level::RAISED.into_iter().filter(|level| transition.to < *level && *level <= transition.from);
    left.filter_map(|level| rule.threshold(level)).map(|threshold| threshold.clear).next()
}
