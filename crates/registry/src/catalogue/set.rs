//! What can only be said about the whole set: references, names, overlaps.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DatastreamName, UtcMillis};

use super::{
    check::near,
    error::Errors,
    items::{Item, Items, Kind},
};
use crate::parameters;
use crate::snapshot::{Channel, DatastreamTarget, DeploymentEntry, RuleTarget, StationTarget};

/// Checks items against each other. References to `broken` items are let through: their mistake is reported already.
pub(crate) fn check(items: &Items, broken: Option<&BTreeSet<(Kind, String)>>, errors: &mut Errors) {
    References { items, broken, names: present_names(items) }.check(errors);
    reached(items, errors);
    former_names(items, errors);
    overlaps(items, errors);
}

/// Finds what is no mistake and will hardly be meant.
pub(crate) fn warn(items: &Items, warnings: &mut Errors) {
    for (name, item) in &items.datastreams {
        let has_own = item.value.quality.is_some_and(|own| own.fail.is_some() || own.suspect.is_some());
        let Some(info) = parameters().get(name.parameter()).filter(|info| info.site_range && !has_own) else {
            continue;
        };
        let Some(range) = info.fail else { continue };
        let values: [(&str, &dyn std::fmt::Display); 4] =
            [("datastream", name), ("unit", &info.unit), ("min", &range.min), ("max", &range.max)];
        warnings.add(item.place(), "site_range", &values);
    }
}

/// Every present or former name of a datastream.
fn present_names(items: &Items) -> BTreeSet<&DatastreamName> {
    items.datastreams.iter().flat_map(|(name, item)| std::iter::once(name).chain(&item.value.was)).collect()
}

#[derive(Debug)]
struct References<'a> {
    items: &'a Items,
    broken: Option<&'a BTreeSet<(Kind, String)>>,
    names: BTreeSet<&'a DatastreamName>,
}

impl References<'_> {
    fn check(&self, errors: &mut Errors) {
        let items = self.items;
        for item in items.agencies.values() {
            self.refer(item, "city", Kind::City, item.value.city.as_str(), errors);
        }
        for item in items.stations.values() {
            self.refer(item, "agency", Kind::Agency, item.value.agency.as_str(), errors);
        }
        for (name, item) in &items.datastreams {
            self.refer(item, "id", Kind::Station, name.station(), errors);
        }
        for item in items.deployments.values() {
            self.refer(item, "datastream", Kind::Datastream, item.value.datastream.as_str(), errors);
            self.refer(item, "instrument", Kind::Instrument, item.value.instrument.as_str(), errors);
        }
        for item in &items.routes {
            if let Some(station) = &item.value.station {
                self.refer(item, "station", Kind::Station, station.as_str(), errors);
            }
            for station in item.value.devices.values() {
                self.refer(item, "devices", Kind::Station, station.as_str(), errors);
            }
        }
        for item in items.rules.values() {
            match item.value.condition.target() {
                RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
                    self.refer(item, "datastream", Kind::Datastream, name.as_str(), errors);
                }
                RuleTarget::Stations(StationTarget::Station(station)) => {
                    self.refer(item, "station", Kind::Station, station.as_str(), errors);
                }
                RuleTarget::Datastreams(DatastreamTarget::Parameter { .. })
                | RuleTarget::Stations(StationTarget::Stations { .. })
                | RuleTarget::Sources(_)
                | RuleTarget::Store => {}
            }
            for channel in &item.value.channels {
                self.refer(item, "channels", Kind::Channel, channel.as_str(), errors);
            }
        }
        for item in items.notification_routes.values() {
            for agency in &item.value.agencies {
                self.refer(item, "agencies", Kind::Agency, agency.as_str(), errors);
            }
            for person in &item.value.people {
                self.refer(item, "people", Kind::Person, person.as_str(), errors);
            }
            for channel in &item.value.channels {
                self.refer(item, "channels", Kind::Channel, channel.as_str(), errors);
            }
        }
    }

    fn refer<T>(&self, item: &Item<T>, field: &str, kind: Kind, id: &str, errors: &mut Errors) {
        let is_broken = self.broken.is_some_and(|broken| broken.contains(&(kind, id.to_owned())));
        if let Some(near) = self.unknown(kind, id).filter(|_| !is_broken) {
            errors.add(&item.at(field), "unknown_reference", &[("kind", &kind.key()), ("id", &id), ("near", &near)]);
        }
    }

    /// Where there is no such item, the nearest id as [`near`] has it.
    fn unknown(&self, kind: Kind, id: &str) -> Option<String> {
        macro_rules! look {
            ($map:ident) => {
                look!($map, self.items.$map.contains_key(id))
            };
            ($map:ident, $is_known:expr) => {
                (!$is_known).then(|| near(id, self.items.$map.keys().map(|known| known.as_str())))
            };
        }
        match kind {
            Kind::City => look!(cities),
            Kind::Agency => look!(agencies),
            Kind::Station => look!(stations),
            Kind::Datastream => {
                look!(datastreams, id.parse::<DatastreamName>().is_ok_and(|name| self.names.contains(&name)))
            }
            Kind::Instrument => look!(instruments),
            Kind::Channel => look!(channels),
            Kind::Person => look!(people),
            // Nothing refers to these.
            Kind::Deployment | Kind::Notification | Kind::Route | Kind::Rule | Kind::Device => None,
        }
    }
}

/// Rules tell programs directly and people by notification routes, in which everybody has an address for some channel.
fn reached(items: &Items, errors: &mut Errors) {
    for item in items.rules.values() {
        let channels = item.value.channels.iter().filter_map(|id| items.channels.get(id));
        for channel in channels.filter(|channel| !matches!(channel.value, Channel::Webhook { .. })) {
            errors.add(&item.at("channels"), "rule_tells_people", &[("id", channel.value.id())]);
        }
    }
    for item in items.notification_routes.values() {
        let channels = || item.value.channels.iter().filter_map(|id| items.channels.get(id));
        for channel in channels().filter(|channel| matches!(channel.value, Channel::Webhook { .. })) {
            errors.add(&item.at("channels"), "notification_tells_programs", &[("id", channel.value.id())]);
        }
        // Channels that could not be read may be the ones that reach somebody.
        if channels().count() < item.value.channels.len() {
            continue;
        }
        let unreached = |person: &&Item<_>| !channels().any(|channel| channel.value.reaches(&person.value));
        for person in item.value.people.iter().filter_map(|id| items.people.get(id)).filter(unreached) {
            errors.add(&item.at("people"), "person_unreached", &[("id", &person.value.id)]);
        }
    }
}

/// A former name belongs to one datastream and is the present name of none.
fn former_names(items: &Items, errors: &mut Errors) {
    let mut owners: BTreeMap<&DatastreamName, &Item<_>> = BTreeMap::new();
    for item in items.datastreams.values() {
        for former in item.value.was.iter().filter(|former| **former != item.value.id) {
            if let Some(present) = items.datastreams.get(former) {
                errors.add(&item.at("was"), "was_in_use", &[("id", former), ("place", present.place())]);
            }
            if let Some(other) = owners.insert(former, item) {
                errors.add(&item.at("was"), "was_twice", &[("id", former), ("place", other.place())]);
            }
        }
    }
}

/// One instrument at a time serves a datastream.
fn overlaps(items: &Items, errors: &mut Errors) {
    let mut before: Option<(&DatastreamName, Option<UtcMillis>, &Item<DeploymentEntry>)> = None;
    // Keys are ordered by datastream, then by first instant.
    for ((name, from), item) in &items.deployments {
        let to = item.value.to.as_deref().and_then(|to| UtcMillis::parse(to).ok());
        if let Some((_, before_to, other)) = before.filter(|(other, ..)| *other == name)
            && before_to.is_none_or(|before_to| *from < before_to)
        {
            errors.add(&item.at("from"), "deployment_overlap", &[("datastream", name), ("place", other.place())]);
        }
        before = Some((name, to, item));
    }
}
