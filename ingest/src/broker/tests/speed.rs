//! How fast it is: a measurement for people, `cargo test -p bakau-ingest --lib broker::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use rumqttc::{Packet, QoS};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// Publishes and counts acknowledgements with a window of 100.
async fn publish_many(mut client: V4, messages: u64) {
    let sender = client.client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..messages {
            sender.publish(TOPIC, QoS::AtLeastOnce, false, number.to_string()).await.unwrap();
        }
    });
    let mut acknowledged = 0;
    while acknowledged < messages {
        if let Packet::PubAck(_) = client.packet().await.unwrap() {
            acknowledged += 1;
        }
    }
    sending.await.unwrap();
}

async fn rate(line: &Line, connections: u64, messages: u64) -> f64 {
    let mut clients = Vec::new();
    for number in 0..connections {
        clients.push(line.v4(&format!("station-{number}")).connected().await);
    }
    let started = Instant::now();
    let tasks: Vec<_> = clients.into_iter().map(|client| tokio::spawn(publish_many(client, messages))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    (connections * messages) as f64 / started.elapsed().as_secs_f64()
}

/// Full fsyncs per second of the disk the spool is on, one SQLite commit each.
fn fsyncs_per_second() -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let config = SpoolConfig { path: dir.path().join("spool.db"), max_bytes: u64::MAX, keep_messages: 65_535 };
    let (mut spool, _reader) = Spool::open(&config).unwrap();
    let envelope = Envelope {
        source: "probe".parse().unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: Arc::from(TOPIC),
        payload: bytes::Bytes::from_static(b"1"),
        qos: bakau_model::Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at: UtcMillis::new(0),
    };
    let draft = bakau_spool::BatchDraft { envelopes: vec![envelope], ..bakau_spool::BatchDraft::default() };
    let started = Instant::now();
    for _ in 0..300 {
        spool.append(&draft).unwrap();
    }
    300.0 / started.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn one_connection_is_not_held_up_by_the_linger_even_among_sleeping_ones() {
    let mut line = Line::open().await;
    let mut sleepers = Vec::new();
    for number in 0..20 {
        let mut sleeper = line.v4(&format!("sleeper-{number}")).connected().await;
        sleeper.publish(TOPIC, QoS::AtLeastOnce, "once").await;
        sleeper.packet().await.unwrap();
        // Its task keeps reading, so that the connection stays open.
        sleepers.push(tokio::spawn(async move { while sleeper.events.poll().await.is_ok() {} }));
    }
    let commits = fsyncs_per_second();
    let one = rate(&line, 1, 2_000).await;
    let fifty = rate(&line, 50, 400).await;
    let many = rate(&line, 500, 60).await;
    println!("commits/s {commits:.0}; messages/s on 1 connection {one:.0}, on 50 {fifty:.0}, on 500 {many:.0}");
    for sleeper in sleepers {
        sleeper.abort();
    }
    line.stop().await;
}

/// Publishes per second over one plain socket that sends as fast as it may, until all are acknowledged.
async fn raw_rate(stream: TcpStream, messages: u16) -> f64 {
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(&connect_v5("raw")).await.unwrap();
    let mut head = [0; 2];
    reader.read_exact(&mut head).await.unwrap();
    reader.read_exact(&mut vec![0; usize::from(head[1])]).await.unwrap();
    let started = Instant::now();
    let sending = tokio::spawn(async move {
        for packet_id in 1..=messages {
            writer.write_all(&publish_v5(0x32, packet_id)).await.unwrap();
        }
        writer
    });
    for _ in 0..messages {
        reader.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0], 0x40);
        reader.read_exact(&mut vec![0; usize::from(head[1])]).await.unwrap();
    }
    let rate = f64::from(messages) / started.elapsed().as_secs_f64();
    drop(sending.await.unwrap());
    rate
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn the_way_through_the_edge_against_the_way_around_it() {
    let mut line = Line::open().await;
    for _ in 0..3 {
        let through = raw_rate(TcpStream::connect(("127.0.0.1", line.port)).await.unwrap(), 5_000).await;
        let (inner, shared) = inner_alone(line.intake.clone()).await;
        let stream = TcpStream::connect(inner.addr).await.unwrap();
        let local = stream.local_addr().unwrap();
        let _connection = shared.connections.open(local.port(), local);
        let around = raw_rate(stream, 5_000).await;
        println!("one connection: {through:.0} messages/s through the edge, {around:.0} around it");
        inner.stop().await;
    }
    line.stop().await;
}
