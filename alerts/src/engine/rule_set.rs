//! The rules in force.

use std::{collections::BTreeSet, sync::Arc};

use bakau_model::{DatastreamId, SourceName, StationId};
use bakau_registry::{Datastream, Rule, RuleTarget, Snapshot, StationTarget};

use super::{Limits, Subject, WatchedRule, inhibition::find_not_inhibited};

/// All rules at one registry revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RuleSet {
    /// Registry revision.
    pub(crate) revision: u64,
    /// The rules, each with every subject it watches.
    pub(crate) rules: Vec<WatchedRule>,
    /// The station of each datastream.
    pub(crate) stations: Vec<(DatastreamId, StationId)>,
}

impl RuleSet {
    /// The rules of a snapshot on what is registered, and on the sources there are.
    #[must_use]
    pub(crate) fn of(snapshot: &Snapshot, sources: &BTreeSet<SourceName>) -> Self {
        let mut rules = Vec::new();
        for rule in snapshot.rules.values() {
            let watched = subjects(rule, snapshot, sources).into_iter();
            rules.extend(watched.map(|subject| {
                let datastream = subject.datastream().and_then(|number| snapshot.datastreams.get(&number));
                let interval_ms = datastream.map_or(Limits::ANY_INTERVAL, |datastream| datastream.interval_ms);
                WatchedRule { interval_ms, ..WatchedRule::new(Arc::clone(rule), subject) }
            }));
        }
        find_not_inhibited(&mut rules, snapshot);
        let station = |datastream: &Arc<Datastream>| (datastream.number, datastream.station.clone());
        Self { revision: snapshot.revision, rules, stations: snapshot.datastreams.values().map(station).collect() }
    }
}

fn subjects(rule: &Rule, snapshot: &Snapshot, sources: &BTreeSet<SourceName>) -> Vec<Subject> {
    match rule.condition.target() {
        RuleTarget::Datastreams(_) => {
            let watched = snapshot.datastreams_of_rule(rule).into_iter();
            watched.map(|datastream| Subject::Datastream(datastream.number)).collect()
        }
        RuleTarget::Stations(target) => {
            // A station of which nothing is expected lacks no data, where it is not named itself.
            let expected: BTreeSet<&StationId> = snapshot.datastreams.values().map(|one| &one.station).collect();
            let is_meant =
                |station: &StationId| matches!(target, StationTarget::Station(_)) || expected.contains(station);
            snapshot.stations_of_rule(rule).into_iter().filter(is_meant).map(Subject::Station).collect()
        }
        RuleTarget::Sources(Some(source)) => vec![Subject::Source(source.clone())],
        RuleTarget::Sources(None) => sources.iter().cloned().map(Subject::Source).collect(),
        RuleTarget::Store => vec![Subject::Store],
    }
}
