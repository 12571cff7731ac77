//! How people are reached: in which order, by which other way, and what their links are worth.

use bakau_model::{Level, NotificationRouteId, PersonId};
use bakau_registry::{About, NotificationRoute, Person};

use super::{
    sink::{Request, Sink},
    *,
};
use crate::{
    AlertsError, NotificationKind, NotificationState,
    db::Db,
    testing::{do_rule, email_channel, person, set_waspada},
};

const NOWHERE: &str = "http://127.0.0.1:9/";

/// Nobody listens there.
const DEAD_PORT: u16 = 9;

fn channel(id: &str) -> ChannelId {
    ChannelId::new(id).unwrap()
}

/// Sari and Budi have a Telegram chat and a mail address; they are told of everything over the given channels.
fn with_people(mut snapshot: Snapshot, bot: &str, channels: &[&str]) -> Snapshot {
    let (telegram, mail) = (channel("telegram"), channel("surel"));
    let bot = Channel::Telegram { id: telegram.clone(), token_env: "BOT".to_owned(), base_url: bot.to_owned() };
    snapshot.channels.insert(telegram, bot);
    snapshot.channels.insert(mail.clone(), email_channel(&mail, DEAD_PORT));
    for (id, chat) in [("budi", 41), ("sari", 42)] {
        let person = Person { telegram_chat: Some(chat), ..person(id) };
        snapshot.people.insert(person.id.clone(), person);
    }
    let id = NotificationRouteId::new("piket").unwrap();
    let route = NotificationRoute {
        id: id.clone(),
        agencies: Vec::new(),
        kinds: Vec::new(),
        min_level: Level::Waspada,
        about: About::Both,
        people: vec![PersonId::new("sari").unwrap()],
        channels: channels.iter().map(|id| channel(id)).collect(),
    };
    snapshot.notification_routes.insert(id, route);
    snapshot
}

/// Only people are told, no webhook.
fn quiet_rule() -> Rule {
    Rule { channels: Vec::new(), ..do_rule(0) }
}

fn bot_secrets() -> FixedSecrets {
    FixedSecrets::new([("BOT".to_owned(), Secret::new("4711:rahasia"))])
}

fn text(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    body["text"].as_str().unwrap().to_owned()
}

fn token(request: &Request) -> String {
    let text = text(request);
    let rest = text.split("/a/").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_highest_level_goes_first_and_the_levels_of_one_alert_in_their_order() {
    let mut house = House::new(NOWHERE);
    let mut other = quiet_rule();
    other.id = "bjbr-do-watch".parse().unwrap();
    set_waspada(&mut other, 3.5, 4.5);
    if let bakau_registry::Condition::Threshold { bands, .. } = &mut other.condition {
        (bands.siaga, bands.awas) = (None, None);
    }
    let snapshot = snapshot(NOWHERE, 1, [quiet_rule(), other]);
    let mut snapshot = with_people(snapshot, NOWHERE, &["telegram"]);
    let both = ["sari", "budi"].map(|id| PersonId::new(id).unwrap()).to_vec();
    snapshot.notification_routes.values_mut().for_each(|route| route.people.clone_from(&both));
    house.snapshots.send_replace(Arc::new(snapshot));
    // Without the bot's token everything waits.
    let room = house.open_with(FixedSecrets::default()).await;
    house.arrive(&[(1, 3.7)]);
    eventually("a first alert", async || (room.details().await.len() == 1).then_some(())).await;
    house.arrive(&[(2, 3.0)]);
    eventually("a second alert", async || (room.details().await.len() == 2).then_some(())).await;
    house.arrive(&[(3, 0.1)]);
    let reached = async || {
        let details = room.details().await;
        details.iter().any(|detail| detail.alert.level == Level::Awas).then_some(())
    };
    eventually("the highest level", reached).await;
    room.close().await;
    let db = Db::open(&house.dir.path().join("alerts.db")).unwrap();
    let heads = db.heads(&channel("telegram"), at(24 * 60)).await.unwrap();
    let mut order = Vec::new();
    for head in &heads {
        let notification = db.notification(head).await.unwrap();
        order.push((head.urgency, notification.facts.level, notification.facts.rule.id.to_string()));
    }
    let first = (Level::Awas, Level::Waspada, "bjbr-do-low".to_owned());
    let then = (Level::Waspada, Level::Waspada, "bjbr-do-watch".to_owned());
    assert_eq!(order, [first.clone(), first, then.clone(), then], "two people, each with the urgent alert first");
    db.close().await;
}

#[tokio::test]
async fn urgent_news_that_nobody_takes_for_five_minutes_goes_another_way_once() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(with_people(snapshot(NOWHERE, 1, [quiet_rule()]), &sink.url, &["surel"])));
    let room = house.open_with(bot_secrets()).await;
    house.arrive(&[(1, 1.0)]);
    room.alert("a first attempt", |detail| detail.notifications[0].attempts == 1).await;
    house.clock.advance(4 * 60_000);
    let detail = room.alert("a second attempt", |detail| detail.notifications[0].attempts == 2).await;
    assert_eq!(detail.notifications.len(), 1, "patience first");
    house.clock.advance(60_000 + 10_000);
    let message = text(&sink.next().await);
    assert!(message.contains("<b>SIAGA</b>") && message.contains("Diteruskan kepada Anda"), "{message}");
    let detail = room.alert("the other way", |detail| {
        detail.notifications.iter().any(|notification| {
            notification.kind == NotificationKind::Escalation && notification.state == NotificationState::Sent
        })
    });
    let detail = detail.await;
    assert_eq!(detail.notifications[0].state, NotificationState::Pending, "mail is still owed");
    let tried = detail.notifications[0].attempts;
    house.clock.advance(2 * 60_000);
    let detail = room.alert("a further attempt", |detail| tried < detail.notifications[0].attempts).await;
    assert_eq!(detail.notifications.len(), 2, "the same person by the other way, nobody else, and only once");
    room.close().await;
}

#[tokio::test]
async fn a_link_is_worth_one_alert_and_one_person_until_it_expires() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(NOWHERE);
    let told = with_people(snapshot(NOWHERE, 1, [quiet_rule()]), &sink.url, &["telegram"]);
    house.snapshots.send_replace(Arc::new(told.clone()));
    let room = house.open_with(bot_secrets()).await;
    house.arrive(&[(1, 1.0)]);
    let token = token(&sink.next().await);
    let link = room.alerts.link(&token).await.unwrap();
    assert_eq!((link.person.as_str(), link.expired), ("sari", false));
    assert!(link.sentence.id.starts_with("SIAGA: Oksigen terlarut 1,00 mg/L"), "{}", link.sentence.id);
    room.close().await;
    house.clock.advance(8 * 24 * 3_600_000);
    let room = house.open_with(bot_secrets()).await;
    assert!(room.alerts.link(&token).await.unwrap().expired, "the key is kept, the link is too old");
    let late = room.alerts.acknowledge_by_link(&token, None, None).await;
    assert!(matches!(late, Err(AlertsError::LinkExpired)), "{late:?}");
    let mut gone = told;
    gone.revision = 2;
    gone.people.clear();
    house.snapshots.send_replace(Arc::new(gone));
    let nobody = room.alerts.link(&token).await;
    assert!(matches!(nobody, Err(AlertsError::LinkInvalid)), "{nobody:?}");
    room.close().await;
}

#[tokio::test]
async fn acknowledging_from_the_link_names_the_person() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(with_people(snapshot(NOWHERE, 1, [quiet_rule()]), &sink.url, &["telegram"])));
    let room = house.open_with(bot_secrets()).await;
    house.arrive(&[(1, 1.0)]);
    let token = token(&sink.next().await);
    let taken = room.alerts.acknowledge_by_link(&token, None, Some("menuju lokasi".to_owned())).await.unwrap();
    let by = taken.acknowledged.unwrap();
    assert_eq!(
        (by.by.as_str(), by.person, by.note.as_deref()),
        ("sari", PersonId::new("sari").ok(), Some("menuju lokasi"))
    );
    let again = room.alerts.acknowledge_by_link(&token, None, None).await;
    assert!(matches!(again, Err(AlertsError::AlreadyAcknowledged(_))), "{again:?}");
    room.close().await;
}

#[tokio::test]
async fn what_rises_after_an_acknowledgement_is_told_with_a_link_reminded_of_and_passed_on_again() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(NOWHERE);
    let rule = Rule { repeat_s: Some(600), ..quiet_rule() };
    let mut told = with_people(snapshot(NOWHERE, 1, [rule]), &sink.url, &["surel", "telegram"]);
    // Budi waits for awas, so he is there when others cannot be reached.
    let piket = told.notification_routes.values().next().unwrap();
    let (people, min_level) = (vec![PersonId::new("budi").unwrap()], Level::Awas);
    let kepala =
        NotificationRoute { id: NotificationRouteId::new("kepala").unwrap(), people, min_level, ..piket.clone() };
    told.notification_routes.insert(kepala.id.clone(), kepala);
    house.snapshots.send_replace(Arc::new(told));
    let room = house.open_with(bot_secrets()).await;
    house.arrive(&[(1, 3.0)]);
    let first = token(&sink.next().await);
    room.alerts.acknowledge_by_link(&first, Some(Level::Waspada), None).await.unwrap();
    house.arrive(&[(2, 1.0)]);
    let next = sink.next().await;
    assert!(text(&next).contains("Ditangani oleh: sari untuk WASPADA"), "{}", text(&next));
    let detail = room.alert("siaga", |detail| detail.alert.level == Level::Siaga).await;
    assert!(!detail.alert.is_acknowledged() && detail.alert.acknowledged.is_some());
    house.clock.advance(10 * 60_000 + 1);
    let mut reminder = text(&sink.next().await);
    while reminder.contains("Diteruskan") {
        reminder = text(&sink.next().await);
    }
    assert!(reminder.contains("sari menanganinya untuk WASPADA, SIAGA belum ditangani siapa pun"), "{reminder}");
    // Mail has reached nobody for more than 5 minutes: waspada is acknowledged, siaga goes to Budi over all of his ways.
    let passed_on = room.alert("the passing on", |detail| {
        detail.notifications.iter().any(|notification| notification.kind == NotificationKind::Escalation)
    });
    let levels = |detail: &AlertDetail| {
        let of = |id| detail.transitions.iter().find(|transition| transition.id == id).unwrap().to;
        let passed_on =
            detail.notifications.iter().filter(|notification| notification.kind == NotificationKind::Escalation);
        passed_on.map(|notification| of(notification.transition)).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(levels(&passed_on.await), [Level::Siaga].into(), "waspada is acknowledged");
    let taken = room.alerts.acknowledge_by_link(&token(&next), Some(Level::Siaga), None).await.unwrap();
    assert!(taken.is_acknowledged());
    let detail = room.alert("both acknowledgements", |detail| detail.acknowledgements.len() == 2).await;
    assert_eq!([0, 1].map(|place| detail.acknowledgements[place].level), [Level::Waspada, Level::Siaga]);
    house.arrive(&[(13, 3.0), (14, 1.0)]);
    let detail = room.alert("siaga again", |detail| detail.alert.updated == at(14)).await;
    assert!(detail.alert.is_acknowledged(), "a level that was acknowledged needs no new acknowledgement");
    room.close().await;
}

#[tokio::test]
async fn what_waits_behind_a_notification_that_reaches_nobody_goes_another_way_too() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(with_people(snapshot(NOWHERE, 1, [quiet_rule()]), &sink.url, &["surel"])));
    let room = house.open_with(bot_secrets()).await;
    house.arrive(&[(1, 3.0)]);
    room.alert("a first attempt", |detail| detail.notifications[0].attempts == 1).await;
    house.clock.advance(6 * 60_000);
    room.alert("a second attempt", |detail| detail.notifications[0].attempts == 2).await;
    house.arrive(&[(2, 0.1)]);
    let message = text(&sink.next().await);
    assert!(message.contains("<b>AWAS</b>"), "the waspada before it wakes nobody else: {message}");
    let told = room.alert("the other way", |detail| detail.notifications.len() == 3).await;
    assert_eq!(told.notifications[2].transition, told.notifications[1].transition);
    room.close().await;
}
