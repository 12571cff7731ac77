//! The items of a catalogue, and what becomes of them when they meet what is already registered.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{
    AgencyId, ChannelId, CityId, DatastreamId, DatastreamName, InstrumentId, NotificationRouteId, PersonId, RuleId,
    StationId, UtcMillis,
};

use super::{
    error::{Errors, Place},
    fields::Lines,
};
use crate::snapshot::{
    Agency, Channel, City, Datastream, DatastreamEntry, Deployment, DeploymentEntry, Device, Instrument,
    NotificationRoute, Person, Route, Rule, Snapshot, Station,
};

bakau_model::words! {
    /// Kinds of items, in the order in which they build on each other.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(crate) enum Kind {
        City => "city",
        Agency => "agency",
        Station => "station",
        Datastream => "datastream",
        Instrument => "instrument",
        Deployment => "deployment",
        Channel => "channel",
        Person => "person",
        Notification => "notification",
        Route => "route",
        Rule => "rule",
        Device => "device",
    }
}

/// A value with where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Item<T> {
    pub(crate) value: T,
    place: Place,
    lines: Lines,
}

impl<T> Item<T> {
    pub(crate) const fn written(value: T, place: Place, lines: Lines) -> Self {
        Self { value, place, lines }
    }

    pub(crate) fn registered(value: T) -> Self {
        Self { value, place: Place::registry(), lines: Lines::new() }
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Where a field is written; where the item is, if it is not.
    pub(crate) fn at(&self, field: &str) -> Place {
        let line = self.lines.get(field).copied().unwrap_or(self.place.line);
        Place { file: std::sync::Arc::clone(&self.place.file), line }
    }
}

/// What identifies a deployment: its datastream and its first instant.
pub(crate) type DeploymentKey = (DatastreamName, UtcMillis);

/// Items of every kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Items {
    pub(crate) cities: BTreeMap<CityId, Item<City>>,
    pub(crate) agencies: BTreeMap<AgencyId, Item<Agency>>,
    pub(crate) stations: BTreeMap<StationId, Item<Station>>,
    pub(crate) datastreams: BTreeMap<DatastreamName, Item<DatastreamEntry>>,
    pub(crate) instruments: BTreeMap<InstrumentId, Item<Instrument>>,
    pub(crate) deployments: BTreeMap<DeploymentKey, Item<DeploymentEntry>>,
    pub(crate) channels: BTreeMap<ChannelId, Item<Channel>>,
    pub(crate) people: BTreeMap<PersonId, Item<Person>>,
    pub(crate) notification_routes: BTreeMap<NotificationRouteId, Item<NotificationRoute>>,
    /// In the order in which they are tried.
    pub(crate) routes: Vec<Item<Route>>,
    pub(crate) rules: BTreeMap<RuleId, Item<Rule>>,
    pub(crate) devices: BTreeMap<String, Item<Device>>,
}

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: Items,
    /// Ids of items with mistakes: references to them are not reported as well.
    pub(crate) broken: BTreeSet<(Kind, String)>,
}

impl Items {
    /// What is registered, except datastreams, which need their identity settled first.
    fn registered(snapshot: &Snapshot) -> Self {
        fn all<'a, K: Ord, T>(values: impl Iterator<Item = &'a T>, key: impl Fn(&T) -> K) -> BTreeMap<K, Item<T>>
        where
            T: Clone + 'a,
        {
            values.map(|value| (key(value), Item::registered(value.clone()))).collect()
        }
        Self {
            cities: all(snapshot.cities.values(), |city| city.id.clone()),
            agencies: all(snapshot.agencies.values(), |agency| agency.id.clone()),
            stations: all(snapshot.stations.values(), |station| station.id.clone()),
            datastreams: BTreeMap::new(),
            instruments: all(snapshot.instruments.values(), |instrument| instrument.id.clone()),
            deployments: BTreeMap::new(),
            channels: all(snapshot.channels.values(), |channel| channel.id().clone()),
            people: all(snapshot.people.values(), |person| person.id.clone()),
            notification_routes: all(snapshot.notification_routes.values(), |entry| entry.id.clone()),
            routes: snapshot.routes.iter().cloned().map(Item::registered).collect(),
            rules: all(snapshot.rules.values().map(AsRef::as_ref), |rule| rule.id.clone()),
            devices: all(snapshot.devices.values(), |device| device.username.clone()),
        }
    }

    /// Everything registered and in use, and the deployments of retired datastreams that are to be `revived`.
    pub(crate) fn of(snapshot: &Snapshot, revived: impl Fn(DatastreamId) -> bool) -> Self {
        let mut items = Self::registered(snapshot);
        for datastream in snapshot.datastreams.values() {
            let entry = entry_of(datastream, snapshot);
            items.datastreams.insert(entry.id.clone(), Item::registered(entry));
        }
        items.add_deployments(snapshot, |number| {
            let retired = || snapshot.retired.get(&number).filter(|_| revived(number));
            snapshot.datastreams.get(&number).or_else(retired).map(|found| found.name.clone())
        });
        items
    }

    /// The same items with datastreams under new names.
    pub(crate) fn renamed(mut self, renamed: &BTreeMap<DatastreamName, DatastreamName>) -> Self {
        let new = |name: &DatastreamName| renamed.get(name).unwrap_or(name).clone();
        let rename = |(name, mut item): (DatastreamName, Item<DatastreamEntry>)| {
            item.value.id = new(&name);
            if item.value.id != name {
                item.value.was.push(name);
                item.value.was.sort();
            }
            (item.value.id.clone(), item)
        };
        self.datastreams = self.datastreams.into_iter().map(rename).collect();
        let rename = |((name, from), mut item): (DeploymentKey, Item<DeploymentEntry>)| {
            item.value.datastream = new(&name);
            ((new(&name), from), item)
        };
        self.deployments = self.deployments.into_iter().map(rename).collect();
        for rule in self.rules.values_mut() {
            if let Some(name) = rule.value.datastream_mut() {
                *name = new(name);
            }
        }
        self
    }

    fn add_deployments(&mut self, snapshot: &Snapshot, name: impl Fn(DatastreamId) -> Option<DatastreamName>) {
        for deployment in snapshot.deployments.values().flatten() {
            let Some(name) = name(deployment.datastream) else { continue };
            let entry = deployment_entry(deployment, name.clone());
            self.deployments.insert((name, deployment.from), Item::registered(entry));
        }
    }
}

fn entry_of(datastream: &Datastream, snapshot: &Snapshot) -> DatastreamEntry {
    let is_former =
        |(name, number): &(&DatastreamName, &DatastreamId)| **number == datastream.number && **name != datastream.name;
    DatastreamEntry {
        id: datastream.name.clone(),
        interval_s: u32::try_from(datastream.interval_ms / 1000).unwrap_or(u32::MAX),
        vertical_datum: datastream.vertical_datum.clone(),
        was: snapshot.aliases.iter().filter(is_former).map(|(name, _)| name.clone()).collect(),
        quality: snapshot.own_limits.get(&datastream.number).copied(),
        counter: datastream.counter().is_some(),
        counter_max: datastream.counter().and_then(|counter| counter.max),
    }
}

fn deployment_entry(deployment: &Deployment, datastream: DatastreamName) -> DeploymentEntry {
    DeploymentEntry {
        datastream,
        instrument: deployment.instrument.clone(),
        from: deployment.from.to_string(),
        to: deployment.to.map(|to| to.to_string()),
        gain: deployment.gain,
        offset: deployment.offset,
    }
}

/// The registry as it would be with a catalogue applied.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    pub(crate) items: Items,
    /// The integers of datastreams that were registered before, by the name they have now.
    pub(crate) numbers: BTreeMap<DatastreamName, DatastreamId>,
    /// Names given up in this change, with the present ones.
    pub(crate) renamed: BTreeMap<DatastreamName, DatastreamName>,
    /// Datastreams in no file any more.
    pub(crate) retired: BTreeMap<DatastreamName, DatastreamId>,
}

impl Merged {
    pub(crate) fn new(found: &Found, snapshot: &Snapshot, prune: bool, errors: &mut Errors) -> Self {
        let files = &found.items;
        let mut numbers = BTreeMap::new();
        let mut renamed = BTreeMap::new();
        for (name, item) in &files.datastreams {
            if let Some(known) = identity(item, snapshot, errors) {
                if known.name != *name {
                    renamed.insert(known.name.clone(), name.clone());
                }
                numbers.insert(name.clone(), known.number);
            }
        }
        let claimed: BTreeSet<DatastreamId> = numbers.values().copied().collect();
        let mut items = Items::registered(snapshot);
        let mut retired = BTreeMap::new();
        for (number, datastream) in snapshot.datastreams.iter().filter(|(number, _)| !claimed.contains(number)) {
            if prune {
                retired.insert(datastream.name.clone(), *number);
            } else {
                let entry = entry_of(datastream, snapshot);
                numbers.insert(entry.id.clone(), *number);
                items.datastreams.insert(entry.id.clone(), Item::registered(entry));
            }
        }
        let names: BTreeMap<_, _> = numbers.iter().map(|(name, number)| (*number, name.clone())).collect();
        items.add_deployments(snapshot, |number| names.get(&number).cloned());
        let mut merged = Self { items, numbers, renamed, retired };
        merged.add_datastreams(files, snapshot);
        merged.overlay(files, prune);
        merged
    }

    fn add_datastreams(&mut self, files: &Items, snapshot: &Snapshot) {
        for (name, item) in &files.datastreams {
            let mut item = item.clone();
            if let Some(number) = self.numbers.get(name) {
                let known = snapshot.datastreams.get(number).or_else(|| snapshot.retired.get(number));
                let former = known.into_iter().flat_map(|known| {
                    let entry = entry_of(known, snapshot);
                    entry.was.into_iter().chain([entry.id])
                });
                item.value.was.extend(former.filter(|former| former != name));
            }
            item.value.was.sort();
            item.value.was.dedup();
            self.items.datastreams.insert(name.clone(), item);
        }
    }

    /// Lays the files over everything but datastreams, and writes present names where former ones are used.
    fn overlay(&mut self, files: &Items, prune: bool) {
        fn over<K: Ord + Clone, T: Clone>(base: &mut BTreeMap<K, T>, files: &BTreeMap<K, T>, prune: bool) {
            if prune {
                base.clear();
            }
            base.extend(files.iter().map(|(key, item)| (key.clone(), item.clone())));
        }
        let mut present = BTreeMap::new();
        for (name, item) in &self.items.datastreams {
            present.extend(item.value.was.iter().map(|former| (former.clone(), name.clone())));
        }
        let present = |name: &mut DatastreamName| {
            if let Some(now) = present.get(name) {
                *name = now.clone();
            }
        };
        let items = &mut self.items;
        over(&mut items.cities, &files.cities, prune);
        over(&mut items.agencies, &files.agencies, prune);
        over(&mut items.stations, &files.stations, prune);
        over(&mut items.instruments, &files.instruments, prune);
        over(&mut items.channels, &files.channels, prune);
        over(&mut items.people, &files.people, prune);
        over(&mut items.notification_routes, &files.notification_routes, prune);
        over(&mut items.rules, &files.rules, prune);
        over(&mut items.devices, &files.devices, prune);
        for rule in items.rules.values_mut() {
            if let Some(name) = rule.value.datastream_mut() {
                present(name);
            }
        }
        if prune {
            items.deployments.clear();
        }
        for ((name, from), item) in &files.deployments {
            let (mut name, mut item) = (name.clone(), item.clone());
            present(&mut name);
            item.value.datastream = name.clone();
            items.deployments.insert((name, *from), item);
        }
        items.routes = in_order(&items.routes, &files.routes, prune);
    }
}

/// Which registered datastream an item of a file is; `None` where it is a new one or there is a mistake.
fn identity<'a>(item: &Item<DatastreamEntry>, snapshot: &'a Snapshot, errors: &mut Errors) -> Option<&'a Datastream> {
    let entry = &item.value;
    let mut known: Option<&Datastream> = None;
    for name in std::iter::once(&entry.id).chain(&entry.was) {
        let Some(found) = snapshot.ever(name) else { continue };
        if known.is_some_and(|known| known.number != found.number) {
            errors.add(&item.at("was"), "rename_merges", &[("id", &entry.id), ("other", &found.name)]);
            return None;
        }
        known = Some(found);
    }
    let known = known?;
    if known.name != entry.id && !entry.was.contains(&known.name) {
        errors.add(&item.at("id"), "name_taken", &[("id", &entry.id), ("other", &known.name)]);
        return None;
    }
    if known.parameter.as_str() != entry.id.parameter() {
        errors.add(&item.at("was"), "rename_parameter", &[("id", &entry.id), ("other", &known.name)]);
        return None;
    }
    if known.vertical_datum != entry.vertical_datum {
        let text = |datum: &Option<String>| datum.clone().unwrap_or_else(|| "-".to_owned());
        let (before, after) = (text(&known.vertical_datum), text(&entry.vertical_datum));
        errors.add(&item.at("vertical_datum"), "datum_changed", &[("before", &before), ("after", &after)]);
    }
    Some(known)
}

/// Routes in the order of the files, without moving those of other files: the files' routes take the places they had,
/// new ones come last.
fn in_order(base: &[Item<Route>], files: &[Item<Route>], prune: bool) -> Vec<Item<Route>> {
    if prune {
        return files.to_vec();
    }
    let written: BTreeSet<_> = files.iter().map(|item| &item.value.id).collect();
    let mut next = files.iter();
    let mut ordered = Vec::new();
    for item in base {
        let replaced = if written.contains(&item.value.id) { next.next() } else { None };
        ordered.push(replaced.unwrap_or(item).clone());
    }
    ordered.extend(next.cloned());
    ordered
}
