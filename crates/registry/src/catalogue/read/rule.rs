//! Rules.

use bakau_model::{DAY_S, Level, Parameter, PerLevel, SourceName, StationId, StationKind, words};

use super::name;
use crate::{
    catalogue::{check, fields::Fields},
    snapshot::{Band, Condition, Direction, Rule, RuleTarget, Threshold},
};

/// Shortest pause between reminders: people who are told more often stop reading.
const MIN_REPEAT_S: f64 = 60.0;
/// Longest pause between reminders: a week.
const MAX_REPEAT_S: f64 = (7 * DAY_S) as f64;
/// The keys of threshold rules, of silence rules and of rules about sources, as far as they are not of all.
const KEYS: [&str; 7] = ["datastream", "parameter", "direction", "hold_s", "station", "kind", "mqtt_source"];

words! {
    /// The kinds of conditions, as written.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Kind {
        Threshold => "threshold",
        Silence => "silence",
        SourceDown => "source_down",
    }
}

impl Kind {
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Threshold => &["datastream", "parameter", "direction", "hold_s", "kind"],
            Self::Silence => &["station", "kind"],
            Self::SourceDown => &["mqtt_source"],
        }
    }
}

pub(crate) fn rule(fields: &mut Fields<'_, '_>) -> Option<Rule> {
    let (id, name) = (fields.required("id"), name(fields));
    let written = fields.optional::<String>("condition").unwrap_or_else(|| "threshold".to_owned());
    let kind = Kind::from_key(&written);
    if kind.is_none() {
        fields.error_at("condition", "rule_condition", &[("value", &written)]);
    }
    let (hold_s, repeat_s) = (fields.optional::<u32>("hold_s"), fields.optional::<u32>("repeat_s"));
    let (source, channels) = (fields.required("source"), fields.optional::<Vec<_>>("channels"));
    check::both(fields, "source", source.as_ref());
    check::within(fields, "hold_s", hold_s.map(f64::from), 0.0, f64::from(check::MAX_HOLD_S));
    check::within(fields, "repeat_s", repeat_s.map(f64::from), MIN_REPEAT_S, MAX_REPEAT_S);
    check::list(fields, "channels", channels.as_ref().map_or(0, Vec::len));
    let (target, condition) = (target(fields, kind), condition(fields, kind));
    if let Some(kind) = kind {
        let foreign: Vec<_> = KEYS.into_iter().filter(|key| !kind.keys().contains(key)).collect();
        check::foreign_keys(fields, &written, &foreign);
    }
    Some(Rule {
        id: id?,
        name: name?,
        target: target?,
        condition: condition?,
        hold_s: hold_s.unwrap_or(0),
        repeat_s,
        source: source?,
        channels: channels.unwrap_or_default(),
    })
}

/// What the rule watches. Every key is read, whatever the condition, so that a misplaced one is named as such.
fn target(fields: &mut Fields<'_, '_>, condition: Option<Kind>) -> Option<RuleTarget> {
    let (datastream, parameter) = (fields.optional("datastream"), fields.optional::<Parameter>("parameter"));
    let (station, kind) = (fields.optional::<StationId>("station"), fields.optional::<StationKind>("kind"));
    let mqtt_source = fields.optional::<SourceName>("mqtt_source");
    match condition? {
        Kind::Threshold => {
            check::parameter(fields, "parameter", parameter.as_ref());
            match (fields.is_written("datastream"), fields.is_written("parameter")) {
                (true, false) if fields.is_written("kind") => fields.error_at("kind", "rule_kind_of_datastream", &[]),
                (true, true) | (false, false) => fields.error_at("parameter", "rule_target", &[]),
                (true, false) | (false, true) => {}
            }
            let of_parameter = || Some(RuleTarget::Parameter { parameter: parameter?, kind });
            datastream.map(RuleTarget::Datastream).or_else(of_parameter)
        }
        Kind::Silence => {
            if fields.is_written("station") && fields.is_written("kind") {
                fields.error_at("kind", "rule_station_or_kind", &[]);
            }
            Some(station.map_or(RuleTarget::Stations { kind }, RuleTarget::Station))
        }
        Kind::SourceDown => Some(RuleTarget::Sources(mqtt_source)),
    }
}

fn condition(fields: &mut Fields<'_, '_>, kind: Option<Kind>) -> Option<Condition> {
    let after = |fields: &mut Fields<'_, '_>| {
        fields.pass("direction");
        let found = PerLevel::from_fn(|level| after_s(fields, level.key()));
        check::after(fields, &found);
        found
    };
    match kind {
        Some(Kind::Threshold) => {
            let direction = fields.required::<Direction>("direction");
            let bands = PerLevel::from_fn(|level| band(fields, level.key(), direction));
            check::bands(fields, direction, &bands);
            Some(Condition::Threshold { direction: direction?, bands })
        }
        Some(Kind::Silence) => Some(Condition::Silence(after(fields))),
        Some(Kind::SourceDown) => Some(Condition::SourceDown(after(fields))),
        None => {
            // What stands there belongs to a condition nobody knows: it is not reported as well.
            Level::RAISED.map(Level::key).into_iter().chain(["direction"]).for_each(|key| fields.pass(key));
            None
        }
    }
}

fn band(fields: &mut Fields<'_, '_>, level: &'static str, direction: Option<Direction>) -> Option<Band> {
    let mut table = fields.table(level)?;
    let found = match direction {
        None => {
            ["raise", "clear", "low", "high"].into_iter().for_each(|key| table.pass(key));
            None
        }
        Some(direction @ (Direction::Above | Direction::Below)) => {
            threshold(&mut table).and_then(|threshold| Band::one_sided(direction, threshold))
        }
        Some(Direction::Outside) => {
            let [low, high] = ["low", "high"].map(|side| {
                if !table.has(side) {
                    table.missing(side);
                }
                let mut inner = table.table(side)?;
                let found = threshold(&mut inner);
                inner.finish(&mut table.errors);
                found
            });
            low.zip(high).map(|(low, high)| Band { low: Some(low), high: Some(high) })
        }
    };
    table.finish(&mut fields.errors);
    found
}

fn threshold(table: &mut Fields<'_, '_>) -> Option<Threshold> {
    let (raise, clear) = (table.required("raise"), table.required("clear"));
    Some(Threshold { raise: raise?, clear: clear? })
}

fn after_s(fields: &mut Fields<'_, '_>, level: &'static str) -> Option<u32> {
    let mut table = fields.table(level)?;
    let after_s = table.required("after_s");
    table.finish(&mut fields.errors);
    after_s
}
