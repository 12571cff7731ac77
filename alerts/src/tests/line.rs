//! From the spool to decisions, across restarts.

use bakau_model::{Level, PerLevel, Principal};
use bakau_registry::{Band, Condition, Direction, Threshold};
use rusqlite::Connection;

use super::*;
use crate::{
    AlertsError, DbError, NotificationState,
    engine::Reason,
    testing::{do_rule, set_waspada},
};

const NOWHERE: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn a_crossing_becomes_an_active_alert_that_subscribers_see() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    let mut changes = room.alerts.subscribe();
    house.arrive(&[(0, 6.0)]);
    house.arrive(&[(1, 3.0)]);
    let change = changes.recv().await.unwrap();
    assert_eq!((change.id, change.level, change.onset, change.value), (onset_id(1), Level::Waspada, at(1), Some(3.0)));
    assert_eq!(*room.alerts.active(), vec![(*change).clone()]);
    house.arrive(&[(2, 6.0)]);
    let change = changes.recv().await.unwrap();
    assert_eq!(
        (change.level, change.peak, change.closed_reason),
        (Level::Normal, Level::Waspada, Some(Reason::Threshold))
    );
    assert_eq!(change.closed_at, Some(at(2)), "decided by the engine's clock");
    assert!(room.alerts.active().is_empty());
    room.close().await;
}

#[tokio::test]
async fn a_restart_evaluates_what_came_meanwhile_and_repeats_nothing() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    room.alert("the first level", |detail| detail.alert.level == Level::Waspada).await;
    room.close().await;
    house.arrive(&[(1, 3.0), (2, 1.0)]);
    let room = house.open().await;
    assert_eq!(room.alerts.active().len(), 1, "active alerts are there from the start");
    let detail = room.alert("the second level", |detail| detail.alert.level == Level::Siaga).await;
    let steps: Vec<_> = detail.transitions.iter().map(|transition| (transition.sequence, transition.to)).collect();
    assert_eq!(steps, [(1, Level::Waspada), (2, Level::Siaga)]);
    assert_eq!(room.details().await.len(), 1);
    room.close().await;
}

#[tokio::test]
async fn a_closed_alert_keeps_the_worst_value_and_when_it_was_first_measured() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0), (2, 2.5), (3, 2.2)]);
    let open = room.alert("an alert", |_| true).await.alert;
    assert_eq!((open.worst, open.worst_at), (Some(3.0), Some(at(1))), "as it was when people were told");
    room.close().await;
    let room = house.open().await;
    house.arrive(&[(4, 2.2), (5, 3.9), (6, 6.0)]);
    let closed = room.alert("its end", |detail| detail.alert.closed_at.is_some()).await.alert;
    assert_eq!((closed.worst, closed.worst_at, closed.value), (Some(2.2), Some(at(3)), Some(6.0)));
    room.close().await;
}

#[tokio::test]
async fn hold_times_go_on_across_a_restart() {
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(snapshot(NOWHERE, 1, [do_rule(600)])));
    let room = house.open().await;
    let seq = house.arrive(&[(0, 3.0), (2, 3.0), (4, 3.0), (5, 3.0)]);
    cursor_reaches(&house.reader, seq).await;
    room.close().await;
    let room = house.open().await;
    house.arrive(&[(7, 3.0), (9, 3.0), (10, 3.0)]);
    let detail = room.alert("an alert", |_| true).await;
    assert_eq!((detail.alert.onset, detail.alert.updated), (at(0), at(10)));
    room.close().await;
}

#[tokio::test]
async fn a_cursor_beyond_the_spool_starts_at_its_beginning() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    for minute in 0..5 {
        house.arrive(&[(minute, 6.0)]);
    }
    cursor_reaches(&house.reader, Seq::new(5)).await;
    room.close().await;
    (house.spool, house.reader) = open_spool(&house.dir, "other.db");
    house.arrive(&[(6, 0.1)]);
    let room = house.open().await;
    room.alert("an alert from the new spool", |detail| detail.alert.level == Level::Awas).await;
    room.close().await;
}

#[tokio::test]
async fn changed_thresholds_close_the_alert_with_that_reason() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    room.alert("an alert", |_| true).await;
    let mut rule = do_rule(0);
    set_waspada(&mut rule, 3.9, 4.5);
    house.snapshots.send_replace(Arc::new(snapshot(NOWHERE, 2, [rule])));
    let detail = room.alert("its end", |detail| detail.alert.closed_at.is_some()).await;
    assert_eq!(detail.alert.closed_reason, Some(Reason::RuleChanged));
    assert_eq!((detail.transitions[1].rule_revision, detail.notifications.len()), (2, 2), "people are told of it");
    room.close().await;
}

#[tokio::test]
async fn an_alert_is_acknowledged_once_by_name() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    let id = room.alert("an alert", |_| true).await.alert.id;
    let sari = Principal::Admin("Sari".to_owned());
    let view = room.alerts.acknowledge(&id, &sari, None, Some("menuju lokasi".to_owned())).await.unwrap();
    let acknowledged = view.acknowledged.unwrap();
    assert_eq!((acknowledged.by.as_str(), acknowledged.note.as_deref()), ("Sari", Some("menuju lokasi")));
    assert_eq!(acknowledged.level, bakau_model::Level::Waspada);
    let again = room.alerts.acknowledge(&id, &sari, None, None).await;
    assert!(matches!(again, Err(AlertsError::AlreadyAcknowledged(_))), "{again:?}");
    let unknown = room.alerts.acknowledge(&onset_id(99), &sari, None, None).await;
    assert!(matches!(unknown, Err(AlertsError::NotFound(_))), "{unknown:?}");
    let long = room.alerts.acknowledge(&id, &sari, None, Some("x".repeat(1_001))).await;
    assert!(matches!(long, Err(AlertsError::TooLong { .. })), "{long:?}");
    house.arrive(&[(2, 6.0)]);
    room.alert("its end", |detail| detail.alert.closed_at.is_some()).await;
    let closed = room.alerts.acknowledge(&id, &sari, None, None).await;
    assert!(matches!(closed, Err(AlertsError::Closed(_))), "{closed:?}");
    room.close().await;
}

#[tokio::test]
async fn a_mute_holds_back_notifications_but_no_decisions() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    let sari = Principal::Admin("Sari".to_owned());
    room.alerts.mute(&do_rule(0).id, at(30), &sari).await.unwrap();
    let unknown = room.alerts.mute(&bakau_model::RuleId::new("nope").unwrap(), at(30), &sari).await;
    assert!(matches!(unknown, Err(AlertsError::Unknown(_))), "{unknown:?}");
    room.close().await;
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    let detail = room.alert("an alert", |_| true).await;
    assert_eq!(detail.transitions[0].muted_until, Some(at(30)));
    assert_eq!(detail.notifications[0].state, NotificationState::Cancelled);
    assert!(detail.notifications[0].last_result.as_deref().unwrap().starts_with("muted until"));
    room.close().await;
}

#[tokio::test]
async fn pages_of_alerts_follow_each_other() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    for minute in 0..5 {
        house.arrive(&[(2 * minute, 3.0), (2 * minute + 1, 6.0)]);
    }
    let all = eventually("five alerts", async || {
        let all = room.alerts.list(&AlertQuery::default()).await.unwrap();
        (all.len() == 5).then_some(all)
    })
    .await;
    let mut paged = Vec::new();
    let mut query = AlertQuery { limit: 2, station: Some("prb-bjbr-01".parse().unwrap()), ..AlertQuery::default() };
    loop {
        let page = room.alerts.list(&query).await.unwrap();
        query.before = page.last().map(|alert| alert.id);
        paged.extend(page);
        if paged.len() == 5 || query.before.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    let none = AlertQuery { active_only: true, ..AlertQuery::default() };
    assert_eq!(room.alerts.list(&none).await.unwrap(), vec![]);
    room.close().await;
}

#[tokio::test]
async fn a_newer_database_is_refused_with_a_sentence() {
    let house = House::new(NOWHERE);
    house.open().await.close().await;
    let path = house.dir.path().join("alerts.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = crate::db::Db::open(&path).unwrap_err();
    assert!(matches!(error, DbError::File(bakau_sqlite::Error::NewerFormat { found: 99, .. })));
    assert!(error.to_string().contains("start the newer version again"), "{error}");
}

#[tokio::test]
async fn the_decision_log_cannot_be_rewritten() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    room.alert("an alert", |_| true).await;
    room.close().await;
    let file = Connection::open(house.dir.path().join("alerts.db")).unwrap();
    for attempt in ["UPDATE transitions SET value = 9", "DELETE FROM transitions"] {
        let error = file.execute_batch(attempt).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn an_alert_whose_state_is_damaged_is_closed_and_may_be_raised_again() {
    let mut house = House::new(NOWHERE);
    let room = house.open().await;
    house.arrive(&[(1, 3.0)]);
    room.alert("an alert", |_| true).await;
    room.close().await;
    let file = Connection::open(house.dir.path().join("alerts.db")).unwrap();
    let flip = "UPDATE engine_state SET state = CAST(substr(state, 1, 20) || x'FF' || substr(state, 22) AS BLOB)";
    file.execute_batch(flip).unwrap();
    drop(file);
    let room = house.open().await;
    let detail = room.alert("its end", |detail| detail.alert.closed_at.is_some()).await;
    assert_eq!((detail.alert.closed_reason, detail.transitions[1].sequence), (Some(Reason::StateLost), 2));
    house.arrive(&[(2, 3.0)]);
    eventually("a new alert", async || (room.alerts.active().first()?.onset == at(2)).then_some(())).await;
    room.close().await;
}

#[tokio::test]
async fn a_value_that_fails_quality_control_alarms_nobody_even_just_after_a_restart() {
    let mut house = House::new(NOWHERE);
    let mut controlled = snapshot(NOWHERE, 1, [do_rule(0)]);
    let limits = bakau_model::QualityLimits {
        rate_per_min: Some(bakau_model::Step { suspect: Some(1.0), fail: Some(2.0) }),
        ..bakau_model::QualityLimits::default()
    };
    let datastream = Arc::new(bakau_registry::Datastream { limits, ..testing::datastream() });
    controlled.datastreams.insert(testing::DATASTREAM, datastream);
    house.snapshots.send_replace(Arc::new(controlled));
    let room = house.open().await;
    let batch = house.spool.append(&draft(&[testing::observation(0, 6.0), testing::observation(1, 6.1)])).unwrap();
    cursor_reaches(&house.reader, batch.seq).await;
    room.close().await;
    house.store.write(&[batch], Vec::new()).await.unwrap();
    let room = house.open().await;
    house.arrive(&[(2, 3.0), (3, 6.0), (4, 4.9), (5, 3.8)]);
    let detail = room.alert("an alert", |_| true).await;
    assert_eq!((detail.alert.onset, detail.alert.flag), (at(5), Some(bakau_model::Flag::Suspect)));
    room.close().await;
}

/// A rain gauge that counts on, watched by a rule about more than 5 mm.
fn gauge() -> Snapshot {
    let mut rule = do_rule(0);
    let waspada = Band::one_sided(Direction::Above, Threshold { raise: 5.0, clear: 1.0 });
    rule.condition = Condition::Threshold {
        target: testing::do_target(),
        direction: Direction::Above,
        hold_s: 0,
        bands: PerLevel { waspada, siaga: None, awas: None },
    };
    let mut counting = snapshot(NOWHERE, 1, [rule]);
    let counter = Some(bakau_model::Counter { max: None, interval_ms: 60_000 });
    let limits = bakau_model::QualityLimits { counter, ..bakau_model::QualityLimits::default() };
    let datastream = Arc::new(bakau_registry::Datastream { limits, ..testing::datastream() });
    counting.datastreams.insert(testing::DATASTREAM, datastream);
    counting
}

#[tokio::test]
async fn what_the_store_has_before_rules_have_evaluated_it_still_alarms_after_a_kill() {
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(gauge()));
    let room = house.open().await;
    let known = house.spool.append(&draft(&[testing::observation(0, 100.0), testing::observation(1, 100.2)])).unwrap();
    cursor_reaches(&house.reader, known.seq).await;
    room.close().await;
    // Rules have not seen the burst; the store has.
    house.clock.set(at(3));
    let burst = house.spool.append(&draft(&[testing::observation(2, 100.2), testing::observation(3, 112.4)])).unwrap();
    house.store.write(&[known, burst], Vec::new()).await.unwrap();
    let room = house.open().await;
    let detail = room.alert("an alert", |_| true).await;
    assert_eq!((detail.alert.onset, detail.alert.value), (at(3), Some(12.2)));
    room.close().await;
}

#[tokio::test]
async fn what_waited_for_its_time_while_nothing_ran_still_alarms() {
    let mut house = House::new(NOWHERE);
    house.snapshots.send_replace(Arc::new(gauge()));
    let room = house.open().await;
    // The second reading is of a clock that is two minutes ahead.
    let early = Observation { received_at: at(1), ..testing::observation(3, 112.4) };
    house.clock.set(at(1));
    let batch = house.spool.append(&draft(&[testing::observation(1, 100.0), early])).unwrap();
    cursor_reaches(&house.reader, batch.seq).await;
    room.close().await;
    house.store.write(&[batch], Vec::new()).await.unwrap();
    house.clock.set(at(4));
    let room = house.open().await;
    let detail = room.alert("an alert", |_| true).await;
    assert_eq!(detail.alert.onset, at(3));
    room.close().await;
}
