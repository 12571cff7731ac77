//! The settled history from a real store.

use bakau_model::DatastreamName;
use bakau_store::WriteReceipt;

use super::*;
use crate::{AlertsError, SettledQuery, testing::do_rule};

const NOWHERE: &str = "http://127.0.0.1:9/";

async fn store(house: &mut House, readings: &[(i64, f64)]) -> WriteReceipt {
    let observations: Vec<_> = readings.iter().map(|(minute, value)| testing::observation(*minute, *value)).collect();
    let batch = house.spool.append(&draft(&observations)).unwrap();
    house.store.write(&[batch], Vec::new()).await.unwrap()
}

fn between(from: i64, to: i64) -> SettledQuery {
    SettledQuery { datastream: None, rule: Some(do_rule(0).id), from: at(from), to: at(to) }
}

/// A slow day: 12 hours with three episodes, one reading a minute.
fn day() -> Vec<(i64, f64)> {
    let value = |minute: i64| match minute {
        60..=70 | 300..=500 => 1.9,
        600..=610 => 0.3,
        _ => 6.0,
    };
    (0..720).map(|minute| (minute, value(minute))).collect()
}

#[tokio::test]
async fn arrival_order_and_range_change_no_episode() {
    let mut answers = Vec::new();
    for reversed in [false, true] {
        let mut house = House::new(NOWHERE);
        house.clock.set(at(2_000));
        let mut readings = day();
        if reversed {
            readings.reverse();
        }
        for part in readings.chunks(100) {
            store(&mut house, part).await;
        }
        let room = house.open().await;
        let whole = room.alerts.settled(&between(-10, 2_000)).await.unwrap();
        assert_eq!(whole.iter().map(|episode| episode.onset).collect::<Vec<_>>(), [at(60), at(300), at(600)]);
        let inside = room.alerts.settled(&between(400, 401)).await.unwrap();
        assert_eq!(inside, whole[1..2], "an episode is the same whichever range asks for it");
        assert_eq!(room.alerts.settled(&between(71, 300)).await.unwrap(), vec![]);
        answers.push(serde_json::to_vec(&whole).unwrap());
        room.close().await;
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn what_is_younger_than_the_lateness_is_not_settled() {
    let mut house = House::new(NOWHERE);
    store(&mut house, &[(0, 6.0), (10, 3.0), (20, 6.0)]).await;
    let room = house.open().await;
    house.clock.set(at(120 + 10));
    assert_eq!(room.alerts.settled(&between(0, 1_000)).await.unwrap(), vec![]);
    house.clock.set(at(120 + 11));
    let lasting = room.alerts.settled(&between(0, 1_000)).await.unwrap();
    assert_eq!((lasting.len(), lasting[0].end), (1, None));
    house.clock.set(at(120 + 21));
    let over = room.alerts.settled(&between(0, 1_000)).await.unwrap();
    assert_eq!((over[0].id, over[0].end), (onset_id(10), Some(at(20))));
    room.close().await;
}

#[tokio::test]
async fn a_long_episode_is_read_over_many_pages() {
    let mut house = House::new(NOWHERE);
    house.clock.set(at(100_000));
    let readings: Vec<_> = (0..25_000).map(|minute| (minute, if minute < 24_000 { 1.0 } else { 6.0 })).collect();
    for part in readings.chunks(5_000) {
        store(&mut house, part).await;
    }
    let room = house.open().await;
    let found = room.alerts.settled(&between(22_000, 22_001)).await.unwrap();
    assert_eq!((found[0].onset, found[0].end, found[0].count), (at(0), Some(at(24_000)), 24_000));
    room.close().await;
}

#[tokio::test]
async fn an_unknown_name_is_an_error_and_no_empty_answer() {
    let house = House::new(NOWHERE);
    let room = house.open().await;
    let datastream: DatastreamName = "prb-bjbr-01/nope".parse().unwrap();
    let query = SettledQuery { datastream: Some(datastream), ..between(0, 1) };
    let error = room.alerts.settled(&query).await.unwrap_err();
    assert!(matches!(error, AlertsError::Unknown(_)), "{error}");
    room.close().await;
}

/// The flags in the store and the arrival of the values play no part: quality control judges anew.
#[tokio::test]
async fn a_spike_is_in_no_episode_whichever_range_asks_and_however_it_arrived() {
    let readings: Vec<_> = (0..2_000)
        .map(|minute| match minute {
            500 => (minute, 1.0),
            900..=930 => (minute, 3.0),
            _ => (minute, 6.0 + 0.01 * f64::from(u8::try_from(minute % 9).unwrap())),
        })
        .collect();
    let mut answers = Vec::new();
    for reversed in [false, true] {
        let mut house = House::new(NOWHERE);
        let mut controlled = snapshot(NOWHERE, 1, [do_rule(0)]);
        let datastream = bakau_registry::Datastream { limits: testing::do_limits(), ..testing::datastream() };
        let datastream = Arc::new(datastream);
        controlled.datastreams.insert(testing::DATASTREAM, Arc::clone(&datastream));
        controlled.by_name.insert(datastream.name.clone(), datastream);
        house.snapshots.send_replace(Arc::new(controlled));
        house.clock.set(at(3_000));
        let mut parts: Vec<_> = readings.chunks(100).collect();
        if reversed {
            parts.reverse();
        }
        for part in parts {
            store(&mut house, part).await;
        }
        let room = house.open().await;
        let whole = room.alerts.settled(&between(-10, 3_000)).await.unwrap();
        assert_eq!(whole.iter().map(|episode| episode.onset).collect::<Vec<_>>(), [at(900)]);
        for (from, to) in [(501, 902), (910, 911), (930, 2_500), (100, 2_000)] {
            assert_eq!(room.alerts.settled(&between(from, to)).await.unwrap(), whole, "{from} to {to}");
        }
        assert_eq!(room.alerts.settled(&between(499, 502)).await.unwrap(), vec![]);
        answers.push(serde_json::to_vec(&whole).unwrap());
        room.close().await;
    }
    assert_eq!(answers[0], answers[1]);
}
