//! Who and what is refused, and how the device learns it.

use rumqttc::{ConnectReturnCode, ConnectionError, Packet, QoS, SubscribeReasonCode, v5};

use super::*;

async fn refusal_v4(line: &Line, credentials: Option<(&str, &str)>) -> ConnectReturnCode {
    let mut options = MqttOptions::new("station", "127.0.0.1", line.port);
    if let Some((username, password)) = credentials {
        options.set_credentials(username, password);
    }
    match V4::new(options).packet().await {
        Err(ConnectionError::ConnectionRefused(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_strangers_are_refused_with_the_code_of_their_protocol() {
    let mut line = Line::open().await;
    assert_eq!(refusal_v4(&line, None).await, ConnectReturnCode::NotAuthorized);
    assert_eq!(refusal_v4(&line, Some(("prb-01", "wrong"))).await, ConnectReturnCode::BadUserNamePassword);
    assert_eq!(refusal_v4(&line, Some(("nobody", TOKEN))).await, ConnectReturnCode::BadUserNamePassword);
    for (credentials, expected) in [
        (None, v5::mqttbytes::v5::ConnectReturnCode::NotAuthorized),
        (Some(("prb-01", "wrong")), v5::mqttbytes::v5::ConnectReturnCode::BadUserNamePassword),
    ] {
        let mut options = v5::MqttOptions::new("station", "127.0.0.1", line.port);
        if let Some((username, password)) = credentials {
            options.set_credentials(username, password);
        }
        match V5::new(options).packet().await {
            Err(v5::ConnectionError::ConnectionRefused(code)) => assert_eq!(code, expected),
            other => panic!("{other:?}"),
        }
    }
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rmqtt_itself_cannot_be_used_around_the_edge() {
    // The inner listener sits on a loopback port anyone on the machine could connect to.
    let (inner, _shared) = inner_alone(nobody_commits()).await;
    let mut options = MqttOptions::new("station", "127.0.0.1", inner.addr.port());
    options.set_credentials("prb-01", TOKEN);
    let refused = V4::new(options).packet().await;
    assert!(matches!(refused, Err(ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized))));
    inner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_topic_closes_an_older_client_and_is_not_spooled() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    client.publish("bakau/prb-02/data", QoS::AtLeastOnce, "foreign").await;
    assert!(client.packet().await.is_err());
    let ledger = line.ledger(1).await;
    assert_eq!((ledger.denied, ledger.received), (1, 1));
    assert!(line.spooled().is_empty());
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_topic_is_told_to_mqtt_5_and_the_connection_stays() {
    use v5::mqttbytes::{
        QoS,
        v5::{Packet, PubAckReason, PubRecReason},
    };
    let mut line = Line::open().await;
    let mut client = line.v5("station").connected().await;
    client.publish("$SYS/brokers", QoS::AtLeastOnce, "foreign").await;
    let packet = client.packet().await.unwrap();
    assert!(matches!(&packet, Packet::PubAck(ack) if ack.reason == PubAckReason::NotAuthorized), "{packet:?}");
    client.publish("bakau/prb-02/data", QoS::ExactlyOnce, "foreign").await;
    let packet = client.packet().await.unwrap();
    assert!(matches!(&packet, Packet::PubRec(ack) if ack.reason == PubRecReason::NotAuthorized), "{packet:?}");
    client.publish(TOPIC, QoS::AtLeastOnce, "own").await;
    let packet = client.packet().await.unwrap();
    assert!(matches!(&packet, Packet::PubAck(ack) if ack.reason == PubAckReason::Success), "{packet:?}");
    let ledger = line.ledger(3).await;
    assert_eq!((ledger.denied, line.spooled().len()), (2, 1));
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_registry_counts_from_the_next_publish() {
    use v5::mqttbytes::{
        QoS,
        v5::{DisconnectReasonCode, Packet, PubAckReason},
    };
    let mut line = Line::open().await;
    let mut client = line.v5("station").connected().await;
    let mut changed = device("prb-01");
    changed.publish = vec!["other/#".to_owned()];
    let narrowed = Snapshot { devices: [("prb-01".to_owned(), changed)].into(), ..Snapshot::default() };
    line.snapshots.send_replace(Arc::new(narrowed));
    client.publish(TOPIC, QoS::AtLeastOnce, "no longer").await;
    let packet = client.packet().await.unwrap();
    assert!(matches!(&packet, Packet::PubAck(ack) if ack.reason == PubAckReason::NotAuthorized), "{packet:?}");
    line.snapshots.send_replace(snapshot(&[]));
    client.publish(TOPIC, QoS::AtLeastOnce, "removed").await;
    assert_eq!(client.disconnect_reason().await, DisconnectReasonCode::NotAuthorized);
    assert!(line.spooled().is_empty());
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_may_listen_only_to_its_own_topics() {
    let mut line = Line::open().await;
    let mut client = line.v4("station").connected().await;
    let mut answers = Vec::new();
    for filter in ["#", "bakau/prb-02/#", "$SYS/#", "bakau/prb-01/#"] {
        client.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let Packet::SubAck(ack) = client.packet().await.unwrap() else { panic!("no suback") };
        answers.push(ack.return_codes[0]);
    }
    let refused = SubscribeReasonCode::Failure;
    assert_eq!(answers, [refused, refused, refused, SubscribeReasonCode::Success(QoS::AtMostOnce)]);
    let mut newer = line.v5("newer").connected().await;
    newer.client.subscribe("#", v5::mqttbytes::QoS::AtLeastOnce).await.unwrap();
    let packet = newer.packet().await.unwrap();
    let v5::mqttbytes::v5::Packet::SubAck(ack) = packet else { panic!("{packet:?}") };
    assert_eq!(ack.return_codes, [v5::mqttbytes::v5::SubscribeReasonCode::NotAuthorized]);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let config = BrokerConfig::new("broker".parse().unwrap(), addr);
    let snapshots = watch::Sender::new(snapshot(&[]));
    let clock = Arc::new(ManualClock::new(UtcMillis::new(0)));
    let refused =
        start(config, nobody_commits(), snapshots.subscribe(), SourceBoard::default(), clock, CancellationToken::new())
            .await
            .unwrap_err();
    assert!(matches!(refused, super::super::BrokerError::AddressInUse { addr: named } if named == addr));
    assert!(refused.to_string().contains(&addr.to_string()));
}
