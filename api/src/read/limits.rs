//! Rules as pages tell them.

use bakau_dashboards::{
    chart::{LimitLine, Side},
    figure,
    view::{Limit, RuleFacts, RuleFigures, RuleRow, Watched},
};
use bakau_model::{Level, PerLevel, Text, Unit};
use bakau_registry::{
    Band, Datastream, DatastreamTarget, Figures, Rule, RuleTarget, Snapshot, StationTarget, Threshold,
};

use crate::v1::catalogue;

/// The figures of a rule.
pub(crate) fn facts(rule: &Rule) -> RuleFacts {
    let figures = match rule.condition.figures() {
        Figures::Bands { hold_s, bands, .. } => RuleFigures::Limits { hold_s, limits: limits(bands) },
        Figures::After(after_s) => {
            let seconds = |level| Some((level, *after_s.get(level)?));
            RuleFigures::After(Level::RAISED.into_iter().filter_map(seconds).collect())
        }
    };
    RuleFacts { id: rule.id.clone(), name: rule.name.clone(), source: rule.source.clone(), figures }
}

fn limits(bands: &PerLevel<Band>) -> Vec<Limit> {
    let of_band = |level: Level| {
        let sides = bands.get(level).map(|band| [(band.low, Side::Low), (band.high, Side::High)]);
        sides.into_iter().flatten().filter_map(move |(threshold, side)| {
            threshold.map(|Threshold { raise, clear }| Limit { line: LimitLine { level, value: raise, side }, clear })
        })
    };
    Level::RAISED.into_iter().flat_map(of_band).collect()
}

/// The rules that compare the values of a datastream with limits.
pub(crate) fn of_datastream<'s>(snapshot: &'s Snapshot, datastream: &'s Datastream) -> impl Iterator<Item = &'s Rule> {
    let rules = snapshot.rules.values();
    let watching = move |rule: &&Rule| rule.condition.hold_s().is_some() && snapshot.watches(rule, datastream);
    rules.map(AsRef::as_ref).filter(watching)
}

/// Every value at which a level of a rule is raised or ends.
fn bounds(rule: &Rule) -> impl Iterator<Item = f64> + '_ {
    let bands = Level::RAISED.into_iter().filter_map(|level| rule.band(level));
    bands.flat_map(|band| band.thresholds()).flat_map(|Threshold { raise, clear }| [raise, clear])
}

/// Decimal places of a value of a datastream: as many as it takes to stand on the right side of every limit.
pub(crate) fn decimals(snapshot: &Snapshot, datastream: &Datastream, value: Option<f64>) -> u8 {
    let usual = catalogue::decimals(snapshot, datastream);
    let Some(value) = value else { return usual };
    let bounds: Vec<f64> = of_datastream(snapshot, datastream).flat_map(bounds).collect();
    figure::decimals_beside(value, usual, &bounds)
}

/// A rule on the page of rules.
pub(crate) fn row(snapshot: &Snapshot, rule: &Rule) -> RuleRow {
    let target = rule.condition.target();
    RuleRow {
        facts: facts(rule),
        kind: rule.condition.kind(),
        watched: watched(snapshot, target),
        unit: unit(snapshot, target).unwrap_or_else(|| Unit::new("")),
        repeat_s: rule.repeat_s,
    }
}

fn watched(snapshot: &Snapshot, target: RuleTarget<'_>) -> Watched {
    match target {
        RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
            let station = snapshot.stations.values().find(|station| station.id.as_str() == name.station());
            let station = station.map_or_else(|| Text::from(name.station()), |station| station.name.clone());
            let label = snapshot.datastream(name).map(|datastream| catalogue::label(snapshot, datastream));
            let label = label.unwrap_or_else(|| Text::from(name.parameter()));
            let both = |station: &str, label: &str| format!("{station} · {label}");
            Watched::One(Text { id: both(&station.id, &label.id), en: both(&station.en, &label.en) })
        }
        RuleTarget::Datastreams(DatastreamTarget::Parameter { parameter, kind }) => {
            let info = snapshot.parameters.get(parameter);
            Watched::Parameter(info.map_or_else(|| parameter.as_str().into(), |info| info.name.clone()), *kind)
        }
        RuleTarget::Stations(StationTarget::Station(id)) => {
            let station = snapshot.stations.get(id);
            Watched::One(station.map_or_else(|| Text::from(id.as_str()), |station| station.name.clone()))
        }
        RuleTarget::Stations(StationTarget::Stations { kind }) => Watched::Stations(*kind),
        RuleTarget::Sources(source) => Watched::Source(source.map(ToString::to_string)),
        RuleTarget::Store => Watched::Store,
    }
}

fn unit(snapshot: &Snapshot, target: RuleTarget<'_>) -> Option<Unit> {
    match target {
        RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
            snapshot.datastream(name).map(|datastream| datastream.unit.clone())
        }
        RuleTarget::Datastreams(DatastreamTarget::Parameter { parameter, .. }) => {
            snapshot.parameters.get(parameter).map(|info| info.unit.clone())
        }
        RuleTarget::Stations(_) | RuleTarget::Sources(_) | RuleTarget::Store => None,
    }
}
