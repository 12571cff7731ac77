//! Rules as states of formats 1 to 4 hold them, in JSON.

use bakau_model::{
    ChannelId, DatastreamName, Direction, Parameter, PerLevel, RuleId, SourceName, StationId, StationKind, Text,
};
use bakau_registry::{Band, Condition, DatastreamTarget, NoDataTarget, Rule, StationTarget};
use serde::Deserialize;

#[derive(Deserialize)]
struct OldRule {
    id: RuleId,
    name: Text,
    target: OldTarget,
    condition: OldCondition,
    #[serde(default)]
    hold_s: u32,
    repeat_s: Option<u32>,
    source: Text,
    #[serde(default)]
    channels: Vec<ChannelId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldTarget {
    Datastream(DatastreamName),
    Parameter { parameter: Parameter, kind: Option<StationKind> },
    Stations { kind: Option<StationKind> },
    Station(StationId),
    Sources(Option<SourceName>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldCondition {
    Threshold {
        direction: Direction,
        #[serde(flatten)]
        bands: PerLevel<Band>,
    },
    #[serde(rename = "silence")]
    NoData(PerLevel<u32>),
    SourceDown(PerLevel<u32>),
}

/// The rule; none where nothing of the kind was ever written.
pub(super) fn read(json: &str) -> Option<Rule> {
    let OldRule { id, name, target, condition, hold_s, repeat_s, source, channels } =
        serde_json::from_str(json).ok()?;
    let condition = renew(target, condition)?;
    Some(Rule { id, name, condition, hold_s, repeat_s, source, channels })
}

fn renew(target: OldTarget, condition: OldCondition) -> Option<Condition> {
    use DatastreamTarget::{Datastream, Parameter};
    let target = match target {
        OldTarget::Datastream(name) => NoDataTarget::Datastreams(Datastream(name)),
        OldTarget::Parameter { parameter, kind } => NoDataTarget::Datastreams(Parameter { parameter, kind }),
        OldTarget::Stations { kind } => NoDataTarget::Stations(StationTarget::Stations { kind }),
        OldTarget::Station(station) => NoDataTarget::Stations(StationTarget::Station(station)),
        OldTarget::Sources(source) => {
            let OldCondition::SourceDown(after_s) = condition else { return None };
            let is_store = source.as_ref().is_some_and(|name| name.as_str() == "store");
            return Some(if is_store {
                Condition::StoreDown { after_s }
            } else {
                Condition::SourceDown { source, after_s }
            });
        }
    };
    match (condition, target) {
        (OldCondition::Threshold { direction, bands }, NoDataTarget::Datastreams(target)) => {
            Some(Condition::Threshold { target, direction, bands })
        }
        (OldCondition::NoData(after_s), target) => Some(Condition::NoData { target, after_s }),
        (OldCondition::Threshold { .. }, NoDataTarget::Stations(_)) | (OldCondition::SourceDown(_), _) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::do_rule;

    /// The rule of `crate::testing::do_rule` with a hold of ten minutes.
    pub(in super::super) const DO_LOW: &str = r#"{"id":"bjbr-do-low","name":{"id":"Oksigen rendah","en":"Oksigen rendah"},
        "target":{"datastream":"prb-bjbr-01/do"},"condition":{"threshold":{"direction":"below",
        "waspada":{"low":{"raise":4.0,"clear":4.5}},"siaga":{"low":{"raise":2.0,"clear":2.5}},
        "awas":{"low":{"raise":0.5,"clear":0.8}}}},"hold_s":600,"source":{"id":"test","en":"test"},"channels":["piket"]}"#;

    fn condition(target: &str, condition: &str) -> Option<Condition> {
        let json = format!(
            r#"{{"id":"r","name":{{"id":"R","en":"R"}},"target":{target},"condition":{condition},"source":{{"id":"x","en":"x"}}}}"#
        );
        read(&json).map(|rule| rule.condition)
    }

    #[test]
    fn every_rule_there_was_is_read_as_it_was_meant() {
        assert_eq!(read(DO_LOW).unwrap(), do_rule(600));
        let after_s = PerLevel { waspada: Some(60), siaga: None, awas: None };
        let stations = |target| Condition::NoData { target: NoDataTarget::Stations(target), after_s };
        let no_data = r#"{"silence":{"waspada":60}}"#;
        let station = StationTarget::Station(StationId::new("a").unwrap());
        assert_eq!(condition(r#"{"station":"a"}"#, no_data).unwrap(), stations(station));
        let all = StationTarget::Stations { kind: Some(StationKind::Water) };
        assert_eq!(condition(r#"{"stations":{"kind":"water"}}"#, no_data).unwrap(), stations(all));
        let down = r#"{"source_down":{"waspada":60}}"#;
        assert_eq!(condition(r#"{"sources":null}"#, down).unwrap(), Condition::SourceDown { source: None, after_s });
        let source = Some(SourceName::new("kota").unwrap());
        assert_eq!(condition(r#"{"sources":"kota"}"#, down).unwrap(), Condition::SourceDown { source, after_s });
        assert_eq!(condition(r#"{"sources":"store"}"#, down).unwrap(), Condition::StoreDown { after_s });
        assert_eq!(condition(r#"{"station":"a"}"#, down), None, "nobody could write that");
    }
}
