//! Rules.

use bakau_model::{
    ConditionKind, DAY_S, DatastreamName, Level, Parameter, PerLevel, SourceName, StationId, StationKind,
};

use super::name;
use crate::{
    catalogue::{check, fields::Fields},
    snapshot::{Band, Condition, DatastreamTarget, Direction, NoDataTarget, Rule, StationTarget, Threshold},
};

/// Shortest pause between reminders: people who are told more often stop reading.
const MIN_REPEAT_S: f64 = 60.0;
/// Longest pause between reminders: a week.
const MAX_REPEAT_S: f64 = (7 * DAY_S) as f64;

/// The keys that belong to some conditions only.
const KEYS: [&str; 7] = ["datastream", "parameter", "direction", "hold_s", "station", "kind", "mqtt_source"];

/// Those of [`KEYS`] that a condition has.
const fn keys(kind: ConditionKind) -> &'static [&'static str] {
    match kind {
        ConditionKind::Threshold => &["datastream", "parameter", "direction", "hold_s", "kind"],
        ConditionKind::NoData => &["datastream", "parameter", "station", "kind"],
        ConditionKind::SourceDown => &["mqtt_source"],
        ConditionKind::StoreDown => &[],
    }
}

pub(crate) fn rule(fields: &mut Fields<'_, '_>) -> Option<Rule> {
    let (id, name) = (fields.required("id"), name(fields));
    let written = fields.optional::<String>("condition");
    let kind = written.as_deref().map_or(Some(ConditionKind::Threshold), ConditionKind::from_key);
    if let (Some(written), None) = (&written, kind) {
        let [kinds @ .., last] = ConditionKind::KEYS;
        let values: check::Values<'_, 3> = [("value", written), ("kinds", &kinds.join(", ")), ("last", &last)];
        fields.error_at("condition", "rule_condition", &values);
    }
    let repeat_s = fields.optional::<u32>("repeat_s");
    let (source, channels) = (fields.required("source"), fields.optional::<Vec<_>>("channels"));
    check::both(fields, "source", source.as_ref());
    check::within(fields, "repeat_s", repeat_s.map(f64::from), MIN_REPEAT_S, MAX_REPEAT_S);
    check::list(fields, "channels", channels.as_ref().map_or(0, Vec::len));
    let condition = condition(fields, kind);
    if let Some(kind) = kind {
        let foreign: Vec<_> = KEYS.into_iter().filter(|key| !keys(kind).contains(key)).collect();
        check::foreign_keys(fields, kind.key(), &foreign);
    }
    Some(Rule {
        id: id?,
        name: name?,
        condition: condition?,
        repeat_s,
        source: source?,
        channels: channels.unwrap_or_default(),
    })
}

/// What only some conditions have. Every key is read, whatever the condition, so that a misplaced one is named as such.
struct Special {
    datastream: Option<DatastreamName>,
    parameter: Option<Parameter>,
    station: Option<StationId>,
    kind: Option<StationKind>,
    mqtt_source: Option<SourceName>,
    hold_s: Option<u32>,
}

impl Special {
    fn read(fields: &mut Fields<'_, '_>) -> Self {
        Self {
            datastream: fields.optional("datastream"),
            parameter: fields.optional("parameter"),
            station: fields.optional("station"),
            kind: fields.optional("kind"),
            mqtt_source: fields.optional("mqtt_source"),
            hold_s: fields.optional("hold_s"),
        }
    }

    fn datastreams(self, fields: &mut Fields<'_, '_>) -> Option<DatastreamTarget> {
        check::parameter(fields, "parameter", self.parameter.as_ref());
        match (fields.is_written("datastream"), fields.is_written("parameter")) {
            (true, false) if fields.is_written("kind") => fields.error_at("kind", "rule_kind_of_datastream", &[]),
            (true, true) | (false, false) => fields.error_at("parameter", "rule_target", &[]),
            (true, false) | (false, true) => {}
        }
        let of_parameter = || Some(DatastreamTarget::Parameter { parameter: self.parameter?, kind: self.kind });
        self.datastream.map(DatastreamTarget::Datastream).or_else(of_parameter)
    }

    /// Datastreams where they are named, stations otherwise.
    fn without_data(self, fields: &mut Fields<'_, '_>) -> Option<NoDataTarget> {
        let named = ["datastream", "parameter", "kind"].into_iter().find(|key| fields.is_written(key));
        if let Some(key) = named.filter(|_| fields.is_written("station")) {
            fields.error_at(key, "rule_station_alone", &[("key", &key)]);
        }
        if matches!(named, Some("datastream" | "parameter")) {
            return self.datastreams(fields).map(NoDataTarget::Datastreams);
        }
        let stations = self.station.map_or(StationTarget::Stations { kind: self.kind }, StationTarget::Station);
        Some(NoDataTarget::Stations(stations))
    }
}

fn condition(fields: &mut Fields<'_, '_>, kind: Option<ConditionKind>) -> Option<Condition> {
    let special = Special::read(fields);
    let hold_s = special.hold_s.unwrap_or(0);
    check::within(fields, "hold_s", Some(f64::from(hold_s)), 0.0, f64::from(check::MAX_HOLD_S));
    match kind {
        Some(ConditionKind::Threshold) => {
            let target = special.datastreams(fields);
            let direction = fields.required::<Direction>("direction");
            let bands = PerLevel::from_fn(|level| band(fields, level.key(), direction));
            check::bands(fields, direction, &bands);
            Some(Condition::Threshold { target: target?, direction: direction?, hold_s, bands })
        }
        Some(ConditionKind::NoData) => {
            let (target, after_s) = (special.without_data(fields), after(fields));
            Some(Condition::NoData { target: target?, after_s })
        }
        Some(ConditionKind::SourceDown) => {
            Some(Condition::SourceDown { source: special.mqtt_source, after_s: after(fields) })
        }
        Some(ConditionKind::StoreDown) => Some(Condition::StoreDown { after_s: after(fields) }),
        None => {
            // What stands there belongs to a condition nobody knows: it is not reported as well.
            Level::RAISED.map(Level::key).into_iter().chain(["direction"]).for_each(|key| fields.pass(key));
            None
        }
    }
}

/// The levels of a condition about time without anything.
fn after(fields: &mut Fields<'_, '_>) -> PerLevel<u32> {
    fields.pass("direction");
    let found = PerLevel::from_fn(|level| after_s(fields, level.key()));
    check::after(fields, &found);
    found
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
                table.need(side);
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
