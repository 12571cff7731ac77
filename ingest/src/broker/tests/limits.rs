//! Sizes, times and counts are bounded.

use rumqttc::{Packet, QoS, v5};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_exactly_one_mebibyte_passes() {
    let mut line = Line::open().await;
    let mut older = line.v4("older").connected().await;
    older.publish(TOPIC, QoS::AtLeastOnce, vec![b'x'; MIB]).await;
    assert!(matches!(older.packet().await.unwrap(), Packet::PubAck(_)));
    let mut newer = line.v5("newer").connected().await;
    newer.publish(TOPIC, v5::mqttbytes::QoS::AtLeastOnce, vec![b'x'; MIB]).await;
    newer.packet().await.unwrap();
    let sizes: Vec<_> = line.spooled().iter().map(|envelope| envelope.payload.len()).collect();
    assert_eq!(sizes, [MIB, MIB]);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_more_ends_the_connection_with_packet_too_large() {
    let mut line = Line::open().await;
    let mut newer = line.v5("newer").connected().await;
    newer.publish(TOPIC, v5::mqttbytes::QoS::AtLeastOnce, vec![b'x'; MIB + 1]).await;
    let reason = newer.disconnect_reason().await;
    assert_eq!(reason, v5::mqttbytes::v5::DisconnectReasonCode::PacketTooLarge);
    let mut older = line.v4("older").connected().await;
    older.publish(TOPIC, QoS::AtLeastOnce, vec![b'x'; MIB + 1]).await;
    assert!(older.packet().await.is_err());
    let ledger = line.ledger(2).await;
    assert_eq!(ledger.denied, 2);
    assert!(line.spooled().is_empty());
    line.stop().await;
}

async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the broker does not close");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_far_above_the_limit_is_refused_at_its_header_and_what_came_before_is_acknowledged() {
    let mut line = Line::open().await;
    let mut stream = TcpStream::connect(("127.0.0.1", line.port)).await.unwrap();
    stream.write_all(&connect_v5("raw")).await.unwrap();
    let mut small = publish_v5(0x32, 7);
    // 256 MiB announced.
    small.extend([0x32, 0xff, 0xff, 0xff, 0x7f]);
    small.extend([0; 1_000]);
    stream.write_all(&small).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!(answer[0], 0x20, "{answer:02x?}");
    let acknowledged = |bytes: &[u8]| bytes[0] == 0x40 && bytes[2..4] == [0, 7];
    assert!(answer.windows(4).any(acknowledged), "{answer:02x?}");
    assert!(answer.ends_with(&[0xe0, 2, 0x95, 0]), "{answer:02x?}");
    assert_eq!(line.spooled().len(), 1);
    assert_eq!(line.ledger(2).await.denied, 1);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_qos_2_publish_is_stored_once_and_the_dup_flag_is_kept() {
    let mut line = Line::open().await;
    let mut stream = TcpStream::connect(("127.0.0.1", line.port)).await.unwrap();
    let mut bytes = connect_v5("raw");
    // QoS 2 with packet id 7, the same again with DUP, QoS 1 with DUP, DISCONNECT.
    for (first, packet_id) in [(0x34, 7), (0x3c, 7), (0x3a, 8)] {
        bytes.extend(publish_v5(first, packet_id));
    }
    bytes.extend([0xe0, 0]);
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    read_all(&mut stream).await;
    let stored: Vec<_> = line.spooled().iter().map(|envelope| (envelope.qos, envelope.dup)).collect();
    assert_eq!(stored, [(bakau_model::Qos::ExactlyOnce, false), (bakau_model::Qos::AtLeastOnce, true)]);
    line.stop().await;
}

/// Why there is an edge: should this fail with a newer rmqtt, the edge need not write reasons any more.
#[tokio::test(flavor = "multi_thread")]
async fn rmqtt_alone_closes_without_telling_the_reason() {
    let (inner, shared) = inner_alone(nobody_commits()).await;
    let mut stream = TcpStream::connect(inner.addr).await.unwrap();
    let local = stream.local_addr().unwrap();
    let _connection = shared.connections.open(local.port(), local);
    let mut bytes = connect_v5("raw");
    // 256 MiB announced.
    bytes.extend([0x32, 0xff, 0xff, 0xff, 0x7f]);
    stream.write_all(&bytes).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!(answer.first(), Some(&0x20), "{answer:02x?}");
    assert!(!answer.ends_with(&[0x95, 0]) && answer.len() == 2 + usize::from(answer[1]), "{answer:02x?}");
    inner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_mqtt_is_closed_at_once() {
    let mut line = Line::open().await;
    let mut stream = TcpStream::connect(("127.0.0.1", line.port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read_all(&mut stream).await, b"");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_limit_are_closed_and_a_freed_place_is_given_again() {
    let mut line = Line::with(u64::MAX, |config| config.max_connections = 1).await;
    let first = line.v4("first").connected().await;
    let mut second = TcpStream::connect(("127.0.0.1", line.port)).await.unwrap();
    assert_eq!(read_all(&mut second).await, b"");
    drop(first);
    let retry = async {
        while line.v4("third").packet().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, retry).await.unwrap();
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_closed_after_its_keep_alive() {
    let mut line = Line::open().await;
    let mut stream = TcpStream::connect(("127.0.0.1", line.port)).await.unwrap();
    let mut connect = connect_v5("silent");
    // Keep-alive of one second; rmqtt allows three more below six.
    connect[11] = 1;
    stream.write_all(&connect).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!(answer[0], 0x20);
    line.stop().await;
}

#[test]
fn stopping_ends_every_task_and_tells_mqtt_5_clients_why() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (tasks_before, tasks_after) = runtime.block_on(async {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let mut line = Line::open().await;
        let mut newer = line.v5("newer").connected().await;
        let _older = line.v4("older").connected().await;
        let running = tasks();
        assert!(before < running);
        line.stop.cancel();
        let reason = newer.disconnect_reason().await;
        assert_eq!(reason, v5::mqttbytes::v5::DisconnectReasonCode::ServerShuttingDown);
        line.stop().await;
        assert_eq!(line.board.sources()[0].state.key(), "stopped");
        eventually(|| tasks() <= before).await;
        (before, tasks())
    });
    assert_eq!(tasks_before, tasks_after);
}
