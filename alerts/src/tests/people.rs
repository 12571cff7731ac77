//! Who is told, of what, and of what not.

use bakau_model::{Language, Level, NotificationRouteId, PersonId, Principal};
use bakau_registry::{About, Condition, NotificationRoute, Person};

use super::*;
use crate::{NotificationKind, NotificationState, NotificationView, engine::Endpoint, testing::do_rule};

const NOWHERE: &str = "http://127.0.0.1:9/";

fn person(id: &str) -> Person {
    let id = PersonId::new(id).unwrap();
    Person { name: id.to_string(), id, language: Language::Id, email: None, telegram_chat: Some(7) }
}

fn route(id: &str, min_level: Level, people: &[&str]) -> NotificationRoute {
    NotificationRoute {
        id: NotificationRouteId::new(id).unwrap(),
        agencies: Vec::new(),
        kinds: Vec::new(),
        min_level,
        about: About::Both,
        people: people.iter().map(|id| PersonId::new(id).unwrap()).collect(),
        channels: vec![ChannelId::new("bot").unwrap()],
    }
}

fn registered(rule: Rule, routes: Vec<NotificationRoute>) -> Arc<Snapshot> {
    let mut snapshot = snapshot(NOWHERE, 1, [Rule { channels: Vec::new(), ..rule }]);
    let (id, token_env) = (ChannelId::new("bot").unwrap(), "HOOK_SECRET".to_owned());
    snapshot.channels.insert(id.clone(), Channel::Telegram { id, token_env, base_url: NOWHERE.to_owned() });
    snapshot.people = ["budi", "sari", "tono"].map(|id| (PersonId::new(id).unwrap(), person(id))).into();
    snapshot.notification_routes = routes.into_iter().map(|one| (one.id.clone(), one)).collect();
    Arc::new(snapshot)
}

/// Who got which sequence, in a sentence per notification.
fn told(detail: &AlertDetail) -> Vec<String> {
    let sequence = |notification: &NotificationView| {
        detail.transitions.iter().find(|transition| transition.id == notification.transition).unwrap().to
    };
    let line = |notification: &NotificationView| {
        let person = notification.person.as_ref().map_or("-", PersonId::as_str);
        format!("{} {} {}", sequence(notification), person, notification.channel)
    };
    detail.notifications.iter().map(line).collect()
}

#[tokio::test]
async fn people_are_told_once_per_channel_by_level_and_hear_how_it_goes_on() {
    let mut house = House::new(NOWHERE);
    let routes = vec![
        route("piket", Level::Waspada, &["budi", "sari"]),
        route("juga", Level::Waspada, &["sari"]),
        route("kepala", Level::Awas, &["tono"]),
    ];
    house.snapshots.send_replace(registered(do_rule(0), routes));
    let room = house.open().await;
    house.arrive(&[(1, 3.0), (2, 0.3), (3, 6.0)]);
    let detail = room.alert("the end", |detail| detail.alert.closed_at.is_some()).await;
    let expected = [
        "waspada budi bot",
        "waspada sari bot",
        "awas budi bot",
        "awas sari bot",
        "awas tono bot",
        "normal budi bot",
        "normal sari bot",
        "normal tono bot",
    ];
    assert_eq!(told(&detail), expected);
    house.arrive(&[(4, 3.0), (5, 6.0)]);
    let detail = eventually("the second alert", async || {
        let details = room.details().await;
        details.into_iter().find(|detail| detail.alert.onset == at(4) && detail.alert.closed_at.is_some())
    })
    .await;
    let expected = ["waspada budi bot", "waspada sari bot", "normal budi bot", "normal sari bot"];
    assert_eq!(told(&detail), expected, "who was not told of an alert is not told of its end");
    room.close().await;
}

#[tokio::test]
async fn notification_routes_choose_by_agency_kind_of_station_and_kind_of_alert() {
    let mut house = House::new(NOWHERE);
    let other = |id, change: fn(&mut NotificationRoute)| {
        let mut route = route(id, Level::Waspada, &["tono"]);
        change(&mut route);
        route
    };
    let routes = vec![
        route("piket", Level::Waspada, &["budi"]),
        other("pdam", |one| one.agencies = vec!["pdam".parse().unwrap()]),
        other("udara", |one| one.kinds = vec![bakau_model::StationKind::Air]),
        other("teknisi", |one| one.about = About::Technical),
    ];
    house.snapshots.send_replace(registered(do_rule(0), routes));
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    let detail = room.alert("an alert", |detail| !detail.notifications.is_empty()).await;
    assert_eq!(told(&detail), ["waspada budi bot"]);
    room.close().await;
}

#[tokio::test]
async fn somebody_without_any_address_is_visibly_not_told() {
    let mut house = House::new(NOWHERE);
    let mut snapshot = Snapshot::clone(&registered(do_rule(0), vec![route("piket", Level::Waspada, &["budi"])]));
    snapshot.people.get_mut("budi").unwrap().telegram_chat = None;
    house.snapshots.send_replace(Arc::new(snapshot));
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    let detail = room.alert("an alert", |detail| !detail.notifications.is_empty()).await;
    let notification = &detail.notifications[0];
    assert_eq!((notification.state, notification.attempts), (NotificationState::Failed, 0));
    assert!(notification.last_result.as_deref().unwrap().contains("no address"));
    assert_eq!(room.alerts.delivery_problems(10).await.unwrap().len(), 1);
    room.close().await;
}

#[tokio::test]
async fn reminders_go_to_those_who_were_told_until_somebody_acknowledges() {
    let mut house = House::new(NOWHERE);
    let rule = Rule { repeat_s: Some(600), ..do_rule(0) };
    house.snapshots.send_replace(registered(rule, vec![route("piket", Level::Waspada, &["budi"])]));
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    room.alert("the first notification", |detail| detail.notifications.len() == 1).await;
    house.clock.set(at(11));
    let reminders = |detail: &AlertDetail| {
        let states = detail.notifications.iter().filter(|notification| notification.kind == NotificationKind::Reminder);
        states.map(|notification| notification.state).collect::<Vec<_>>()
    };
    room.alert("a reminder", |detail| reminders(detail) == [NotificationState::Pending]).await;
    house.clock.set(at(21));
    let two = [NotificationState::Cancelled, NotificationState::Pending];
    let detail = room.alert("a second one in its place", |detail| reminders(detail) == two).await;
    let sari = Principal::Person { id: PersonId::new("sari").unwrap(), name: "Sari".to_owned() };
    let view = room.alerts.acknowledge(&detail.alert.id, &sari, None, None).await.unwrap();
    let acknowledged = view.acknowledged.unwrap();
    assert_eq!((acknowledged.by.as_str(), acknowledged.person.unwrap().as_str()), ("Sari", "sari"));
    let detail = room.alert("the same alert", |_| true).await;
    assert_eq!(reminders(&detail), [NotificationState::Cancelled; 2], "nobody is reminded of what is acknowledged");
    assert_eq!(detail.notifications[0].state, NotificationState::Pending, "the first notification stays owed");
    house.clock.set(at(60));
    house.arrive(&[(61, 6.0)]);
    let detail = room.alert("the end", |detail| detail.alert.closed_at.is_some()).await;
    assert_eq!(told(&detail).last().unwrap(), "normal budi bot");
    assert_eq!(reminders(&detail).len(), 2);
    room.close().await;
}

/// A source and a store that are down, seen by people of agencies and kinds of stations.
#[tokio::test]
async fn a_source_and_the_store_concern_the_agencies_and_kinds_behind_them() {
    let mut house = House::new(NOWHERE);
    let chosen = |id, agency: &str, kinds: &[bakau_model::StationKind], who| NotificationRoute {
        agencies: vec![agency.parse().unwrap()],
        kinds: kinds.to_vec(),
        ..route(id, Level::Waspada, &[who])
    };
    use bakau_model::StationKind::{Air, Mangrove};
    let routes = vec![
        chosen("piket", "dlh", &[Mangrove], "budi"),
        // The station there is of another kind, and the agency of another station.
        chosen("udara", "dlh", &[Air], "sari"),
        chosen("pdam", "pdam", &[], "tono"),
    ];
    let after_s = bakau_model::PerLevel { waspada: Some(60), siaga: None, awas: None };
    let rule = |id: &str, condition| Rule { id: id.parse().unwrap(), condition, ..do_rule(0) };
    let source = Condition::SourceDown { source: Some("demo".parse().unwrap()), after_s };
    let mut told_by = Snapshot::clone(&registered(rule("sumber", source), routes));
    let gudang = Rule { channels: Vec::new(), ..rule("gudang", Condition::StoreDown { after_s }) };
    told_by.rules.insert(gudang.id.clone(), Arc::new(gudang));
    let mut other = told_by.stations.values().next().unwrap().clone();
    (other.id, other.agency, other.kind) = ("pdam-01".parse().unwrap(), "pdam".parse().unwrap(), Air);
    told_by.stations.insert(other.id.clone(), other);
    house.snapshots.send_replace(Arc::new(told_by));
    let room = house.open().await;
    let seq = house.arrive(&[(0, 6.0)]);
    cursor_reaches(&house.reader, seq).await;
    let since = house.clock.now();
    let view = |endpoint| EndpointView { endpoint, up: false, since };
    *house.sources.0.lock() = vec![view(Endpoint::Source("demo".parse().unwrap())), view(Endpoint::Store)];
    let mut told = eventually("both alerts", async || {
        house.clock.advance(1_000);
        let details = room.details().await;
        let told = |detail: &AlertDetail| (detail.alert.kind.key(), told(detail));
        (details.len() == 2).then(|| details.iter().map(told).collect::<Vec<_>>())
    })
    .await;
    told.sort();
    let expected = [
        ("source_down", vec!["waspada budi bot".to_owned()]),
        ("store_down", vec!["waspada budi bot".to_owned(), "waspada tono bot".to_owned()]),
    ];
    assert_eq!(told, expected);
    room.close().await;
}
