//! Who is told of a raised level: a pure function of the transition and of the registry of that moment.

use std::collections::BTreeMap;

use bakau_model::{ChannelId, Level, PersonId};
use bakau_registry::{About, Channel, NotificationRoute, Person, Rule, Snapshot};

use crate::recipients::concerned::Concerned;

/// What people are chosen by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matter<'a> {
    /// Whether it is about equipment and not about the environment.
    pub(crate) technical: bool,
    /// The worst level so far.
    pub(crate) peak: Level,
    /// The owner of the station with its kind; of a source those of everything behind it.
    pub(crate) concerned: &'a [Concerned],
}

/// One receiver on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// None where the channel is its own receiver, as a webhook is.
    pub(crate) person: Option<PersonId>,
    pub(crate) channel: ChannelId,
    /// The address as it was known; delivery looks it up again.
    pub(crate) address: String,
    /// A person who can be reached by none of the channels is owed a notification that visibly fails.
    pub(crate) reachable: bool,
}

/// Everybody who is told of a raised level: the webhooks of the rule, and the people of every notification route that
/// wants such an alert. Each person gets it once per channel, however many notification routes name them.
pub(crate) fn recipients(matter: &Matter<'_>, rule: &Rule, snapshot: &Snapshot) -> Vec<Recipient> {
    let mut found = BTreeMap::new();
    for channel in &rule.channels {
        found.insert((None, channel.clone()), direct(channel));
    }
    for route in snapshot.notification_routes.values().filter(|route| wants(route, matter)) {
        for channel in &route.channels {
            if matches!(snapshot.channels.get(channel), Some(Channel::Webhook { .. })) {
                found.insert((None, channel.clone()), direct(channel));
            }
        }
        for person in &route.people {
            for recipient in ways(person, route, snapshot) {
                found.insert((recipient.person.clone(), recipient.channel.clone()), recipient);
            }
        }
    }
    found.into_values().collect()
}

fn direct(channel: &ChannelId) -> Recipient {
    Recipient { person: None, channel: channel.clone(), address: channel.to_string(), reachable: true }
}

/// The channels of a notification route that reach a person; where none does, one that says so.
fn ways(id: &PersonId, route: &NotificationRoute, snapshot: &Snapshot) -> Vec<Recipient> {
    let way = |channel: &ChannelId, address: String, reachable| Recipient {
        person: Some(id.clone()),
        channel: channel.clone(),
        address,
        reachable,
    };
    let person = snapshot.people.get(id);
    let reached = route.channels.iter().filter_map(|channel| {
        let address = address(snapshot.channels.get(channel)?, person?)?;
        Some(way(channel, address, true))
    });
    let reached: Vec<_> = reached.collect();
    let personal = |channel: &&ChannelId| !matches!(snapshot.channels.get(*channel), Some(Channel::Webhook { .. }));
    match route.channels.iter().find(personal) {
        Some(channel) if reached.is_empty() => vec![way(channel, id.to_string(), false)],
        Some(_) | None => reached,
    }
}

/// Where a channel reaches a person.
pub(crate) fn address(channel: &Channel, person: &Person) -> Option<String> {
    match channel {
        Channel::Webhook { .. } => None,
        Channel::Email { .. } => person.email.clone(),
        Channel::Telegram { .. } => person.telegram_chat.map(|chat| chat.to_string()),
    }
}

fn wants(route: &NotificationRoute, matter: &Matter<'_>) -> bool {
    route.min_level <= matter.peak && is_about(route, matter)
}

/// Whether a notification route is about such alerts, whatever level it waits for.
pub(crate) fn is_about(route: &NotificationRoute, matter: &Matter<'_>) -> bool {
    let about = match route.about {
        About::Environment => !matter.technical,
        About::Technical => matter.technical,
        About::Both => true,
    };
    let (agencies, kinds) = (&route.agencies, &route.kinds);
    let chosen = |concerned: &Concerned| {
        let agency = agencies.is_empty() || agencies.contains(&concerned.agency);
        agency && (kinds.is_empty() || concerned.kind.is_some_and(|kind| kinds.contains(&kind)))
    };
    about && ((agencies.is_empty() && kinds.is_empty()) || matter.concerned.iter().any(chosen))
}
