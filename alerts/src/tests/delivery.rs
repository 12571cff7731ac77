//! From a decision to somebody who has it.

use bakau_model::{DeliveryVerdict, Level};

use super::{
    sink::{Reply, Request, Sink},
    *,
};
use crate::{
    NotificationState,
    delivery::channel::webhook,
    testing::{do_rule, set_waspada},
};

fn body(request: &Request) -> serde_json::Value {
    serde_json::from_str(&request.body).unwrap()
}

fn key(request: &Request) -> &str {
    &request.headers["bakau-idempotency-key"]
}

#[tokio::test]
async fn a_webhook_gets_a_signed_notification() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(&sink.url);
    let room = house.open().await;
    house.arrive(&[(133, 0.42)]);
    let request = sink.next().await;
    assert_eq!(request.headers["content-type"], "application/json");
    let expected = webhook::sign(&Secret::new("rahasia"), at(133), &request.body);
    assert_eq!(request.headers["bakau-signature"], expected);
    let body = body(&request);
    assert_eq!(body["idempotency_key"], key(&request));
    assert_eq!((&body["level"], &body["previous_level"]), (&"awas".into(), &"normal".into()));
    assert!(body["text"]["id"].as_str().unwrap().starts_with("AWAS: Oksigen terlarut 0,42 mg/L di BeeJay Bakau"));
    let detail = room.alert("delivery", |detail| detail.notifications[0].state == NotificationState::Sent).await;
    assert_eq!(detail.notifications[0].deliveries[0].http_status, Some(204));
    assert!(room.alerts.delivery_problems(10).await.unwrap().is_empty());
    room.close().await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_under_the_same_key_and_not_before_the_receiver_wants() {
    let refusals = [Reply::Answer("500 Oops"), Reply::Answer("503 Busy\r\nRetry-After: 120")];
    let mut sink = Sink::start(refusals).await;
    let mut house = House::new(&sink.url);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    let first = sink.next().await;
    let after = |attempts| move |detail: &AlertDetail| detail.notifications[0].attempts == attempts;
    let detail = room.alert("the first failure", after(1)).await;
    assert_eq!(detail.notifications[0].next_attempt_at, Some(at(1).saturating_add(5_000)));
    assert_eq!(
        room.alerts.delivery_problems(10).await.unwrap(),
        detail.notifications,
        "it is visibly being tried again"
    );
    house.clock.advance(5_000);
    let second = sink.next().await;
    let detail = room.alert("the second failure", after(2)).await;
    assert_eq!(detail.notifications[0].next_attempt_at, Some(at(1).saturating_add(125_000)));
    house.clock.advance(120_000);
    let third = sink.next().await;
    assert_eq!((key(&first), &first.body), (key(&second), &second.body));
    assert_eq!((key(&first), &first.body), (key(&third), &third.body));
    assert_ne!(first.headers["bakau-signature"], third.headers["bakau-signature"], "the time is signed too");
    let detail = room.alert("the delivery", |detail| detail.notifications[0].state == NotificationState::Sent).await;
    let verdicts: Vec<_> = detail.notifications[0].deliveries.iter().map(|delivery| delivery.verdict).collect();
    assert_eq!(verdicts, [DeliveryVerdict::Retry, DeliveryVerdict::Retry, DeliveryVerdict::Sent]);
    room.close().await;
}

#[tokio::test]
async fn a_refusal_for_good_is_not_repeated_and_shown() {
    let mut sink = Sink::start([Reply::Answer("404 Not Found")]).await;
    let mut house = House::new(&sink.url);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    sink.next().await;
    let detail = room.alert("the failure", |detail| detail.notifications[0].state == NotificationState::Failed).await;
    assert_eq!(detail.notifications[0].last_result.as_deref(), Some("answer 404"));
    assert_eq!(room.alerts.delivery_problems(10).await.unwrap().len(), 1);
    room.close().await;
}

#[tokio::test]
async fn a_missing_secret_is_told_by_name_and_the_notification_stays_owed() {
    let mut sink = Sink::start([]).await;
    let mut house = House::new(&sink.url);
    let room = house.open_with(FixedSecrets::default()).await;
    house.arrive(&[(1, 3.0)]);
    let detail = room.alert("the attempt", |detail| detail.notifications[0].attempts == 1).await;
    assert_eq!(detail.notifications[0].state, NotificationState::Pending);
    let reason = detail.notifications[0].last_result.clone().unwrap();
    assert!(reason.contains("HOOK_SECRET is not set"), "{reason}");
    room.close().await;
    house.clock.advance(120_000);
    let room = house.open().await;
    sink.next().await;
    room.close().await;
}

#[tokio::test]
async fn a_dead_receiver_is_given_up_when_the_news_is_half_a_day_old() {
    let mut house = House::new("http://127.0.0.1:9/");
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    for attempt in 1..=2 {
        room.alert("an attempt", |detail| attempt <= detail.notifications[0].attempts).await;
        assert_eq!(room.details().await[0].notifications[0].state, NotificationState::Pending);
        house.clock.advance(6 * 3_600_000);
    }
    let detail = room.alert("giving up", |detail| detail.notifications[0].state == NotificationState::Failed).await;
    assert!(detail.notifications[0].last_result.as_deref().unwrap().starts_with("no connection"));
    room.close().await;
}

#[tokio::test]
async fn a_receiver_that_never_answers_delays_no_decision_and_no_other_channel() {
    let stuck = Sink::start(std::iter::repeat_n(Reply::Never, 8)).await;
    let mut good = Sink::start([]).await;
    let mut house = House::new(&stuck.url);
    let mut rule = do_rule(0);
    rule.channels.push(ChannelId::new("lain").unwrap());
    let mut snapshot = snapshot(&stuck.url, 1, [rule]);
    let id = ChannelId::new("lain").unwrap();
    let url = good.url.clone();
    snapshot.channels.insert(id.clone(), Channel::Webhook { id, url, secret_env: "HOOK_SECRET".to_owned() });
    house.snapshots.send_replace(Arc::new(snapshot));
    let room = house.open().await;
    for (minute, value) in [(1, 3.0), (2, 1.0), (3, 0.1)] {
        house.arrive(&[(minute, value)]);
    }
    for _ in 0..3 {
        good.next().await;
    }
    room.alert("awas", |detail| detail.alert.level == Level::Awas).await;
    room.close().await;
}

/// A rule that tells once, when oxygen is below a limit.
fn below(id: &str, limit: f64) -> Rule {
    let mut rule = Rule { id: id.parse().unwrap(), ..do_rule(0) };
    set_waspada(&mut rule, limit, 9.0);
    if let bakau_registry::Condition::Threshold { bands, .. } = &mut rule.condition {
        (bands.siaga, bands.awas) = (None, None);
    }
    rule
}

/// One notification for each alert of the crowd, of which there are more than follow at once.
#[tokio::test]
async fn what_waits_for_a_receiver_that_was_away_follows_the_first_notification_that_gets_through() {
    const CROWD: usize = 30;
    let mut sink = Sink::start([Reply::Answer("503 Busy")]).await;
    let rules = || {
        let crowd = (0..CROWD).map(|number| below(&format!("ramai-{number}"), 3.5));
        crowd.chain([below("sibuk", 4.0), below("nanti", 2.5)])
    };
    let mut house = House::new(&sink.url);
    house.snapshots.send_replace(Arc::new(snapshot(&sink.url, 1, rules())));
    house.clock.set(at(3));
    let room = house.open().await;
    house.arrive(&[(1, 3.9)]);
    sink.next().await;
    room.alert("an answer", |detail| detail.notifications[0].attempts == 1).await;

    house.snapshots.send_replace(Arc::new(snapshot("http://127.0.0.1:9/", 1, rules())));
    house.arrive(&[(2, 3.4)]);
    let tried = async || {
        let details = room.details().await;
        let tried = |detail: &&AlertDetail| detail.notifications[0].attempts == 1;
        (details.iter().filter(tried).count() == CROWD + 1).then_some(())
    };
    eventually("an attempt for everybody", tried).await;

    house.snapshots.send_replace(Arc::new(snapshot(&sink.url, 1, rules())));
    house.arrive(&[(3, 2.4)]);
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..=CROWD {
        let request = sink.next().await;
        assert!(told.insert(key(&request).to_owned()), "told twice");
    }
    let sent = async || {
        let details = room.details().await;
        let waiting: Vec<_> =
            details.iter().filter(|one| one.notifications[0].state == NotificationState::Pending).collect();
        (waiting.len() == 1).then(|| waiting[0].alert.rule.to_string())
    };
    assert_eq!(eventually("all but one", sent).await, "sibuk", "it was answered, and asked to come later");
    assert!(sink.requests.try_recv().is_err(), "nothing else was sent");
    room.close().await;
}

/// Bakau dies between the receiver's taking and the record of it.
#[test]
fn what_was_owed_at_a_kill_is_delivered_once_to_a_receiver_that_honours_the_key() {
    let outside = tokio::runtime::Runtime::new().unwrap();
    let mut sink = outside.block_on(Sink::start([Reply::Never]));
    let mut house = House::new(&sink.url);
    let killed = tokio::runtime::Runtime::new().unwrap();
    let room = killed.block_on(house.open());
    house.arrive(&[(1, 3.0)]);
    let taken = outside.block_on(sink.next());
    drop(room);
    killed.shutdown_background();
    sink.then(Reply::Answer("200 OK"));
    outside.block_on(async {
        let room = house.open().await;
        let again = sink.next().await;
        assert_eq!(key(&again), key(&taken));
        room.alert("the delivery", |detail| detail.notifications[0].state == NotificationState::Sent).await;
        assert_eq!(room.details().await[0].notifications.len(), 1);
        room.close().await;
        let room = house.open().await;
        house.arrive(&[(2, 6.0)]);
        let normal = sink.next().await;
        assert_eq!(body(&normal)["level"], "normal", "nothing else was owed");
        room.close().await;
    });
}
