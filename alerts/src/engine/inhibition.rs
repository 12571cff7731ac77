//! Inhibition: which alerts stand for others. Nobody is spared a message for one that does not reach them. Pure.
//!
//! While a source is down, or nothing comes from a whole station, one alert stands for those of everything behind it. It does so
//! only where it reaches somebody, and everybody whom the other one would reach; whatever reaches nobody stands for nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bakau_model::{ChannelId, Level, PerLevel, PersonId, RuleId, SourceName, StationId};
use bakau_registry::{Rule, Snapshot};

use crate::{
    engine::{NotInhibited, Subject, WatchedRule},
    recipients::{
        concerned::Concerned,
        routes::{Matter, recipients},
    },
};

/// Who gets a message, whatever the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Receiver {
    Person(PersonId),
    Webhook(ChannelId),
}

type Receivers = BTreeSet<Receiver>;

/// Who is told by which rule about whose stations, found out once each.
struct Reach<'a> {
    snapshot: &'a Snapshot,
    known: BTreeMap<(RuleId, Concerned, Level), Receivers>,
}

impl Reach<'_> {
    fn of(&mut self, rule: &Rule, concerned: &Concerned, level: Level) -> Receivers {
        let snapshot = self.snapshot;
        let find = || {
            let matter = Matter { technical: true, peak: level, concerned: std::slice::from_ref(concerned) };
            let told = recipients(&matter, rule, snapshot).into_iter().filter(|recipient| recipient.reachable);
            told.map(|recipient| recipient.person.map_or(Receiver::Webhook(recipient.channel), Receiver::Person))
                .collect()
        };
        self.known.entry((rule.id.clone(), concerned.clone(), level)).or_insert_with(find).clone()
    }

    /// Everybody whom some rules tell in the end, about a station behind what they watch.
    fn in_the_end<'r>(&mut self, rules: impl IntoIterator<Item = &'r Rule>, concerned: &Concerned) -> Receivers {
        let mut all = Receivers::new();
        for rule in rules {
            let top = levels(rule).last();
            all.extend(top.map(|top| self.of(rule, concerned, top)).into_iter().flatten());
        }
        all
    }

    /// The lowest level of a rule at which it tells anybody whom others do not tell; its lowest where they tell nobody.
    fn beyond(&mut self, rule: &Rule, concerned: &Concerned, others: &Receivers) -> Option<Level> {
        levels(rule).find(|level| others.is_empty() || !self.of(rule, concerned, *level).is_subset(others))
    }
}

/// The levels of a rule about time without anything, calm first.
fn levels(rule: &Rule) -> impl Iterator<Item = Level> {
    rule.condition.after_s().into_iter().flat_map(PerLevel::iter).map(|(level, _)| level)
}

/// Finds for each rule about no data which other alerts do not inhibit its own, and from which level on.
pub(crate) fn find_not_inhibited(rules: &mut [WatchedRule], snapshot: &Snapshot) {
    let (mut sources, mut stations) = (BTreeMap::<SourceName, Vec<_>>::new(), BTreeMap::<StationId, Vec<_>>::new());
    for watched in rules.iter() {
        match &watched.subject {
            Subject::Source(source) => sources.entry(source.clone()).or_default().push(Arc::clone(&watched.rule)),
            Subject::Station(station) => stations.entry(station.clone()).or_default().push(Arc::clone(&watched.rule)),
            Subject::Datastream(_) | Subject::Store => {}
        }
    }
    let mut reach = Reach { snapshot, known: BTreeMap::new() };
    for watched in rules.iter_mut().filter(|watched| watched.rule.condition.kind().can_be_inhibited()) {
        let of_datastream = watched.subject.datastream().and_then(|number| snapshot.datastreams.get(&number));
        let station = match &watched.subject {
            Subject::Station(station) => Some(station),
            Subject::Datastream(_) => of_datastream.map(|datastream| &datastream.station),
            Subject::Source(_) | Subject::Store => None,
        };
        let Some(station) = station.and_then(|station| snapshot.stations.get(station)) else { continue };
        let (rule, concerned) = (&watched.rule, Concerned::of(station));
        let mut by_source = BTreeMap::new();
        for (source, rules) in &sources {
            let others = reach.in_the_end(rules.iter().map(AsRef::as_ref), &concerned);
            by_source.extend(reach.beyond(rule, &concerned, &others).map(|level| (source.clone(), level)));
        }
        let whole = of_datastream.and_then(|_| stations.get(&station.id));
        let by_station = whole.and_then(|rules| {
            let others = reach.in_the_end(rules.iter().map(AsRef::as_ref), &concerned);
            reach.beyond(rule, &concerned, &others)
        });
        watched.not_inhibited = NotInhibited { by_source, by_station };
    }
}

#[cfg(test)]
mod tests;
