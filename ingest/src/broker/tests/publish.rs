//! What is acknowledged is stored, and what is not stored is not acknowledged.

use bakau_model::Qos;
use rumqttc::{Packet, QoS, v5};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_in_the_spool_when_its_puback_arrives() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    client.publish(TOPIC, QoS::AtLeastOnce, "1").await;
    assert!(matches!(client.packet().await.unwrap(), Packet::PubAck(_)));
    let spooled = line.spooled();
    assert_eq!(spooled.len(), 1);
    let envelope = &spooled[0];
    assert_eq!((&*envelope.topic, &envelope.payload[..]), (TOPIC, &b"1"[..]));
    assert_eq!((envelope.client_id.as_deref(), envelope.username.as_deref()), (Some("station"), Some("prb-01")));
    assert_eq!((envelope.qos, envelope.dup, envelope.retained), (Qos::AtLeastOnce, false, false));
    assert_eq!(envelope.source.as_str(), "broker");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qos_2_message_is_in_the_spool_once_when_its_pubrec_arrives() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    client.publish(TOPIC, QoS::ExactlyOnce, "2").await;
    assert!(matches!(client.packet().await.unwrap(), Packet::PubRec(_)));
    assert_eq!(line.spooled().len(), 1);
    assert!(matches!(client.packet().await.unwrap(), Packet::PubComp(_)));
    assert_eq!(line.spooled().len(), 1);
    assert_eq!(line.spooled()[0].qos, Qos::ExactlyOnce);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_5_messages_keep_their_content_type_and_a_retain_flag_makes_no_retained_delivery() {
    use v5::mqttbytes::{
        QoS,
        v5::{Packet, PubRecReason, PublishProperties},
    };
    let mut line = Line::open().await;
    let mut client = line.v5("station").connected().await;
    let properties =
        PublishProperties { content_type: Some("application/json".to_owned()), ..PublishProperties::default() };
    client.client.publish_with_properties(TOPIC, QoS::ExactlyOnce, true, "{}", properties).await.unwrap();
    let packet = client.packet().await.unwrap();
    let Packet::PubRec(received) = packet else { panic!("{packet:?}") };
    assert_eq!(received.reason, PubRecReason::Success);
    let spooled = line.spooled();
    assert_eq!(spooled[0].content_type.as_deref(), Some("application/json"));
    assert!(!spooled[0].retained);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_0_is_stored_without_acknowledgement() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    client.publish(TOPIC, QoS::AtMostOnce, "0").await;
    client.publish(TOPIC, QoS::AtLeastOnce, "1").await;
    assert!(matches!(client.packet().await.unwrap(), Packet::PubAck(_)));
    let stored: Vec<_> = line.spooled().into_iter().map(|envelope| envelope.qos).collect();
    assert_eq!(stored, [Qos::AtMostOnce, Qos::AtLeastOnce]);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_has_a_higher_epoch() {
    let mut line = Line::open().await;
    for _ in 0..2 {
        let mut client = line.v4("station").connected().await;
        client.publish(TOPIC, QoS::AtLeastOnce, "1").await;
        client.packet().await.unwrap();
    }
    let epochs: Vec<_> = line.spooled().into_iter().map(|envelope| envelope.epoch).collect();
    assert!(epochs[0] < epochs[1], "{epochs:?}");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_ends_the_connection_without_acknowledgement() {
    let mut line = Line::with(1, |_| {}).await;
    let mut client = line.v4("station").connected().await;
    // One batch always fits an empty spool.
    client.publish(TOPIC, QoS::AtLeastOnce, "fits").await;
    assert!(matches!(client.packet().await.unwrap(), Packet::PubAck(_)));
    client.publish(TOPIC, QoS::AtLeastOnce, "does not").await;
    assert!(client.packet().await.is_err());
    let mut newer = line.v5("newer").connected().await;
    newer.publish(TOPIC, v5::mqttbytes::QoS::AtLeastOnce, "neither").await;
    let reason = newer.disconnect_reason().await;
    assert_eq!(reason, v5::mqttbytes::v5::DisconnectReasonCode::QuotaExceeded);
    assert_eq!(line.spooled().len(), 1);
    let blocked = || line.board.sources().iter().any(|source| source.state.key() == "blocked");
    eventually(blocked).await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_committed_in_time_is_not_acknowledged() {
    let clock = Arc::new(ManualClock::new(UtcMillis::new(0)));
    let snapshots = watch::Sender::new(snapshot(&["prb-01"]));
    let stop = CancellationToken::new();
    let mut config = BrokerConfig::new("broker".parse().unwrap(), ([127, 0, 0, 1], 0).into());
    config.commit_timeout = Duration::from_millis(50);
    let board = SourceBoard::default();
    let broker = start(config, nobody_commits(), snapshots.subscribe(), board, clock, stop.clone()).await.unwrap();
    let mut options = v5::MqttOptions::new("station", "127.0.0.1", broker.local_addr.port());
    options.set_credentials("prb-01", TOKEN);
    let mut client = V5::new(options).connected().await;
    client.publish(TOPIC, v5::mqttbytes::QoS::AtLeastOnce, "late").await;
    let reason = client.disconnect_reason().await;
    assert_eq!(reason, v5::mqttbytes::v5::DisconnectReasonCode::ServerBusy);
    stop.cancel();
    broker.stopped().await;
}
