//! Who else is told when a notification does not reach its person. Pure.
//!
//! First the same person by another way; where there is none left, everybody else of the notification routes that are
//! about this alert, whatever level they usually wait for. A notification for a program (webhook) has nobody to be told
//! instead: its failure is shown.

use std::collections::BTreeSet;

use bakau_model::{ChannelId, PersonId};
use bakau_registry::{Person, Snapshot};

use crate::{message::facts::Facts, recipients::routes};

/// A person and a way to reach them.
pub(crate) type Way = (PersonId, ChannelId);

/// The next ways for a notification that did not reach `person`; `told` are those tried for this transition so far.
pub(crate) fn next_ways(
    facts: &Facts,
    person: Option<&PersonId>,
    told: &BTreeSet<Way>,
    snapshot: &Snapshot,
) -> Vec<Way> {
    let Some(person) = person else { return Vec::new() };
    let same = snapshot.people.get(person).map(|person| ways(person, snapshot)).unwrap_or_default();
    let same: Vec<_> = same.into_iter().filter(|way| !told.contains(way)).collect();
    if !same.is_empty() {
        return same;
    }
    let about_it = snapshot.notification_routes.values().filter(|route| routes::is_about(route, &facts.matter()));
    let ids: BTreeSet<_> = about_it.flat_map(|route| &route.people).collect();
    let unasked = ids.into_iter().filter(|id| told.iter().all(|(told, _)| told != *id));
    unasked.filter_map(|id| snapshot.people.get(id)).flat_map(|person| ways(person, snapshot)).collect()
}

/// Where a notification goes, in the channel's own words.
pub(crate) fn recipient(way: &Way, snapshot: &Snapshot) -> Option<String> {
    routes::address(snapshot.channels.get(&way.1)?, snapshot.people.get(&way.0)?)
}

fn ways(person: &Person, snapshot: &Snapshot) -> Vec<Way> {
    let reaching = snapshot.channels.values().filter(|channel| channel.reaches(person));
    reaching.map(|channel| (person.id.clone(), channel.id().clone())).collect()
}

#[cfg(test)]
mod tests {
    use bakau_model::{Level, NotificationRouteId};
    use bakau_registry::{About, Channel, NotificationRoute};

    use super::*;
    use crate::{engine::Reason, testing};

    fn channel(id: &str) -> ChannelId {
        ChannelId::new(id).unwrap()
    }

    fn way(person: &str, channel: &str) -> Way {
        (PersonId::new(person).unwrap(), ChannelId::new(channel).unwrap())
    }

    /// Sari by mail and Telegram, Budi by mail only; both are told by mail of mangrove stations.
    fn people() -> Snapshot {
        let mut snapshot = testing::snapshot([testing::do_rule(0)]);
        let email = channel("surel");
        snapshot.channels.insert(email.clone(), testing::email_channel(&email, 25));
        let telegram = channel("telegram");
        let bot = Channel::Telegram { id: telegram.clone(), token_env: "TOKEN".to_owned(), base_url: String::new() };
        snapshot.channels.insert(telegram, bot);
        for (id, chat) in [("sari", Some(42)), ("budi", None)] {
            let person = Person { telegram_chat: chat, ..testing::person(id) };
            snapshot.people.insert(person.id.clone(), person);
        }
        let id = NotificationRouteId::new("piket").unwrap();
        let route = NotificationRoute {
            id: id.clone(),
            agencies: Vec::new(),
            kinds: vec![bakau_model::StationKind::Mangrove],
            min_level: Level::Awas,
            about: About::Environment,
            people: vec![PersonId::new("sari").unwrap(), PersonId::new("budi").unwrap()],
            channels: vec![email],
        };
        snapshot.notification_routes.insert(id, route);
        snapshot
    }

    fn next(person: Option<&str>, told: &[Way], snapshot: &Snapshot) -> Vec<Way> {
        let facts = testing::facts(Level::Normal, Level::Awas, Reason::Threshold, 0.4, Some(0.5));
        let person = person.map(|person| PersonId::new(person).unwrap());
        next_ways(&facts, person.as_ref(), &told.iter().cloned().collect(), snapshot)
    }

    #[test]
    fn the_same_person_comes_first_then_the_others_then_nobody() {
        let snapshot = people();
        let mut told = vec![way("sari", "surel")];
        assert_eq!(next(Some("sari"), &told, &snapshot), [way("sari", "telegram")]);
        told.push(way("sari", "telegram"));
        assert_eq!(next(Some("sari"), &told, &snapshot), [way("budi", "surel")]);
        told.push(way("budi", "surel"));
        assert_eq!(next(Some("sari"), &told, &snapshot), []);
        assert_eq!(next(None, &told, &snapshot), [], "a webhook has no person");
    }

    #[test]
    fn people_of_other_stations_and_other_matters_are_left_asleep() {
        let told = [way("sari", "surel"), way("sari", "telegram")];
        let id = NotificationRouteId::new("piket").unwrap();
        for change in [
            |route: &mut NotificationRoute| route.about = About::Technical,
            |route: &mut NotificationRoute| route.kinds = vec![bakau_model::StationKind::Air],
            |route: &mut NotificationRoute| {
                route.agencies = vec![bakau_model::AgencyId::new("lain").unwrap()];
            },
        ] {
            let mut snapshot = people();
            change(snapshot.notification_routes.get_mut(&id).unwrap());
            assert_eq!(next(Some("sari"), &told, &snapshot), []);
        }
    }

    #[test]
    fn somebody_no_longer_registered_is_replaced_by_the_others() {
        let mut snapshot = people();
        snapshot.people.remove("sari");
        assert_eq!(next(Some("sari"), &[way("sari", "surel")], &snapshot), [way("budi", "surel")]);
    }
}
