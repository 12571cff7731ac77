//! What the board shows of devices.

use bakau_registry::{Format, StatusMapping};
use rumqttc::{LastWill, Packet, QoS, v5};

use super::*;
use crate::board::DeviceStatus;

fn device_status(line: &Line, client_id: &str) -> Option<DeviceStatus> {
    line.board.devices().into_iter().find(|device| device.client_id == client_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_will_becomes_device_status_and_never_a_message() {
    let mut line = Line::open().await;
    let mut options = MqttOptions::new("station", "127.0.0.1", line.port);
    options.set_credentials("prb-01", TOKEN);
    options.set_last_will(LastWill::new(TOPIC, "gone", QoS::AtLeastOnce, true));
    // Another connection of the same device may listen to the will's topic and still does not get it.
    let mut listener = line.v4("listener").connected().await;
    listener.client.subscribe("bakau/prb-01/#", QoS::AtMostOnce).await.unwrap();
    assert!(matches!(listener.packet().await.unwrap(), Packet::SubAck(_)));
    let client = V4::new(options).connected().await;
    eventually(|| device_status(&line, "station").is_some_and(|device| device.online)).await;
    drop(client);
    eventually(|| device_status(&line, "station").is_some_and(|device| !device.online)).await;
    let status = device_status(&line, "station").unwrap();
    assert_eq!((status.will.as_deref(), status.will_topic.as_deref()), (Some("gone"), Some(TOPIC)));
    assert_eq!(status.username.as_deref(), Some("prb-01"));
    listener.publish(TOPIC, QoS::AtLeastOnce, "alive").await;
    loop {
        match listener.packet().await.unwrap() {
            Packet::Publish(publish) => break assert_eq!(&publish.payload[..], b"alive"),
            Packet::PubAck(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(line.spooled().len(), 1, "the will was spooled");
    line.stop().await;
}

/// The devices of the line and a registered station whose availability is on its own topic.
fn with_status_route() -> Snapshot {
    let mut changed = Snapshot::clone(&snapshot(&["prb-01", "prb-02"]));
    let station = crate::process::testing::station("prb-01");
    changed.stations.insert(station.id.clone(), station);
    let texts = |text: &str| vec![text.to_owned()];
    let status = StatusMapping { path: None, online: texts("online"), offline: texts("offline") };
    changed.routes = vec![crate::process::testing::route("bakau/{station}/status", Format::Status { status })];
    Snapshot { revision: 2, ..changed }
}

fn statuses(line: &Line) -> Vec<(String, bool)> {
    let batches = line.reader.read_after(Seq::START, usize::MAX).unwrap();
    let all = batches.iter().flat_map(|batch| batch.statuses.clone());
    all.map(|status| (status.station.to_string(), status.online)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_will_on_an_availability_route_is_committed_for_the_alert_engine() {
    let mut line = Line::open().await;
    line.snapshots.send_replace(Arc::new(with_status_route()));
    let connected = |id: &str, topic: &str| {
        let mut options = MqttOptions::new(id, "127.0.0.1", line.port);
        options.set_credentials("prb-01", TOKEN);
        options.set_last_will(LastWill::new(topic, "offline", QoS::AtLeastOnce, true));
        V4::new(options).connected()
    };
    let mut client = connected("station", "bakau/prb-01/status").await;
    client.publish("bakau/prb-01/status", QoS::AtLeastOnce, "online").await;
    assert!(matches!(client.packet().await.unwrap(), Packet::PubAck(_)));
    drop(client);
    eventually(|| statuses(&line).len() == 2).await;
    // A will outside the device's rights says nothing about the other station.
    drop(connected("thief", "bakau/prb-02/status").await);
    eventually(|| device_status(&line, "thief").is_some_and(|device| !device.online)).await;
    assert_eq!(statuses(&line), [("prb-01".to_owned(), true), ("prb-01".to_owned(), false)]);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_with_one_client_id_are_noticed() {
    let mut line = Line::open().await;
    let mut first = line.v5("shared").connected().await;
    let mut second = line.v4("shared").connected().await;
    let reason = first.disconnect_reason().await;
    assert_eq!(reason, v5::mqttbytes::v5::DisconnectReasonCode::SessionTakenOver);
    second.publish(TOPIC, QoS::AtLeastOnce, "still here").await;
    assert!(matches!(second.packet().await.unwrap(), Packet::PubAck(_)));
    let status = device_status(&line, "shared").unwrap();
    assert_eq!((status.online, status.takeovers), (true, 1));
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_comes_back_at_once_is_always_let_in() {
    let mut line = Line::open().await;
    for _ in 0..100 {
        line.v4("hasty").connected().await;
        line.v5("hasty").connected().await;
    }
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_shows_its_connections_and_messages() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    client.publish(TOPIC, QoS::AtLeastOnce, "1").await;
    client.packet().await.unwrap();
    let source = line.board.sources().remove(0);
    assert_eq!((source.state.key(), source.connections, source.messages), ("connected", 1, 1));
    line.stop().await;
}
