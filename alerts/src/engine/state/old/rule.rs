//! Rules as states of formats 1 to 5 hold them, in JSON.

use bakau_registry::Rule;
use serde_json::{Map, Value, json};

/// The rule; none where nothing of the kind was ever written.
pub(super) fn read(json: &str) -> Option<Rule> {
    let mut rule: Map<String, Value> = serde_json::from_str(json).ok()?;
    let Value::Object(condition) = rule.remove("condition")? else { return None };
    let (kind, mut figures) = condition.into_iter().next()?;
    let members = figures.as_object_mut()?;
    // Up to format 4, what a rule watches stood beside its condition; before that, no data was called silence.
    let mut target = rule.remove("target");
    let source = target.as_mut().and_then(|target| target.get_mut("sources")).map(Value::take);
    let kind = match (kind.as_str(), source) {
        ("source_down", Some(store)) if store == "store" => "store_down",
        ("source_down", Some(source)) => {
            members.insert("mqtt_source".to_owned(), source);
            "source_down"
        }
        ("source_down", None) if target.is_some() => return None,
        (kind, _) => {
            members.extend(target.map(|target| ("target".to_owned(), target)));
            if kind == "silence" { "no_data" } else { kind }
        }
    };
    let hold_s = rule.remove("hold_s");
    if kind == "threshold" {
        members.insert("hold_s".to_owned(), hold_s.unwrap_or_else(|| 0.into()));
    }
    rule.insert("condition".to_owned(), json!({ kind: figures }));
    serde_json::from_value(rule.into()).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use bakau_model::{PerLevel, SourceName, StationId, StationKind};
    use bakau_registry::{Condition, NoDataTarget, StationTarget};

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

    #[test]
    fn a_rule_of_format_5_keeps_how_long_a_threshold_must_be_crossed() {
        let threshold = r#""target":{"datastream":"prb-bjbr-01/do"},"direction":"below""#;
        let (target, rest) = (r#""target":{"datastream":"prb-bjbr-01/do"},"condition""#, r#""direction":"below""#);
        let of_5 = DO_LOW.replace(target, r#""condition""#).replace(rest, threshold);
        assert_eq!(read(&of_5).unwrap(), do_rule(600));
        let after_s = PerLevel { waspada: Some(60), siaga: None, awas: None };
        for (condition, read_as) in [
            (r#"{"no_data":{"target":{"stations":{}},"waspada":60}}"#, {
                let target = NoDataTarget::Stations(StationTarget::Stations { kind: None });
                Condition::NoData { target, after_s }
            }),
            (r#"{"source_down":{"waspada":60}}"#, Condition::SourceDown { source: None, after_s }),
            (r#"{"store_down":{"waspada":60}}"#, Condition::StoreDown { after_s }),
        ] {
            let text = r#"{"id":"x","en":"x"}"#;
            let json = format!(r#"{{"id":"r","name":{text},"condition":{condition},"hold_s":0,"source":{text}}}"#);
            assert_eq!(read(&json).unwrap().condition, read_as);
        }
    }
}
