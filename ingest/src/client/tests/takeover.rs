//! Other clients that connect with our client id, at a mosquitto that lets them. mosquitto 2.0.11 closes the connection of
//! the one it pushes out without a word; brokers that say so are played.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// Enough to see whether the broker's counters are about us alone.
const BEFORE: usize = 120;

fn intruder(port: u16, clean: bool) -> (AsyncClient, rumqttc::EventLoop) {
    let mut options = MqttOptions::new("bakau-main", "127.0.0.1", port);
    options.set_clean_session(clean);
    AsyncClient::new(options, 10)
}

async fn connected(events: &mut rumqttc::EventLoop) {
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::ConnAck(_))) {}
}

/// Connects with our client id, takes what there is for a while where there should be something, and goes away.
async fn intrude(port: u16, clean: bool, takes: usize) {
    let (client, mut events) = intruder(port, clean);
    connected(&mut events).await;
    let mut taken = 0;
    while taken < takes {
        taken += usize::from(matches!(events.poll().await.unwrap(), Event::Outgoing(Outgoing::PubAck(_))));
    }
    client.disconnect().await.unwrap();
    while events.poll().await.is_ok() {}
}

/// Waits until the broker has told its counters three times: whoever listens has heard them before anything that is
/// published afterwards.
async fn three_ticks(port: u16) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("clock", "127.0.0.1", port), 10);
    client.subscribe("$SYS/broker/uptime", QoS::AtMostOnce).await.unwrap();
    let mut ticks = 0;
    while ticks < 3 {
        ticks +=
            i32::from(matches!(events.poll().await.unwrap(), Event::Incoming(Packet::Publish(tick)) if !tick.retain));
    }
}

/// A source behind a broker whose counters have been seen to be about it alone.
async fn steady(directory: &TempDir, broker: &Broker, config: &ClientConfig) -> Line {
    let line = Line::start(directory, config.clone());
    line.in_state(SourceState::Connected).await;
    three_ticks(broker.port).await;
    publish(broker.port, payloads(0..BEFORE), QoS::AtLeastOnce).await;
    wait_for(|| line.spooled().len() == BEFORE).await;
    three_ticks(broker.port).await;
    line
}

fn remembering(directory: &TempDir, protocol: Protocol, port: u16) -> ClientConfig {
    ClientConfig { protocol, memory: Some(directory.path().join("sources/main.json")), ..config(port) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_took_or_deleted_while_we_were_away_is_counted_to_the_message() {
    let [v4, v5] = VERSIONS;
    tokio::join!(counted(v4, true), counted(v4, false), counted(v5, true), counted(v5, false));
}

async fn counted(protocol: Protocol, clean: bool) {
    let directory = TempDir::new().unwrap();
    let broker = Broker::start(&directory);
    let config = remembering(&directory, protocol, broker.port);
    steady(&directory, &broker, &config).await.end().await;
    publish(broker.port, payloads(200..237), QoS::AtLeastOnce).await;
    intrude(broker.port, clean, if clean { 0 } else { 37 }).await;
    publish(broker.port, payloads(300..305), QoS::AtLeastOnce).await;
    let lost = if clean { 42 } else { 37 };

    let line = Line::start(&directory, config);
    wait_for(|| 0 < external(&line).lost_in_broker).await;
    let found = external(&line);
    assert_eq!((found.lost_in_broker, found.sessions_lost, found.uncounted_losses), (lost, u64::from(clean), 0));
    assert_eq!(line.spooled().len(), if clean { BEFORE } else { BEFORE + 5 });
    three_ticks(broker.port).await;
    assert_eq!(external(&line).lost_in_broker, lost, "once");
    line.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_that_cost_nothing_counts_nothing() {
    for protocol in VERSIONS {
        let directory = TempDir::new().unwrap();
        let broker = Broker::start(&directory);
        let line = steady(&directory, &broker, &remembering(&directory, protocol, broker.port)).await;
        intrude(broker.port, false, 0).await;
        wait_for(|| line.board.sources()[0].connections == 2).await;
        line.in_state(SourceState::Connected).await;
        publish(broker.port, payloads(300..305), QoS::AtLeastOnce).await;
        wait_for(|| line.spooled().len() == BEFORE + 5).await;
        three_ticks(broker.port).await;
        three_ticks(broker.port).await;
        let found = external(&line);
        assert_eq!((found.sessions_lost, found.lost_in_broker, found.uncounted_losses), (0, 0, 0), "{protocol:?}");
        line.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_say_how_much_was_lost_that_is_told() {
    let directory = TempDir::new().unwrap();
    let broker = Broker::start(&directory);
    let config = ClientConfig { broker_counters: false, ..remembering(&directory, Protocol::V5, broker.port) };
    let line = Line::start(&directory, config.clone());
    line.in_state(SourceState::Connected).await;
    intrude(broker.port, true, 0).await;
    wait_for(|| external(&line).uncounted_losses == 1).await;
    let found = external(&line);
    assert_eq!((found.sessions_lost, found.lost_in_broker), (1, 0));
    assert!(0 < told("bakau_source_uncounted_losses_total", "main").unwrap());
    line.end().await;
}

/// Accepts one MQTT 5 connection with the session, grants its subscription and says DISCONNECT with reason 0x8E.
async fn push_out(connection: &mut TcpStream) -> std::io::Result<()> {
    connection.write_all(b"\x20\x03\x01\x00\x00").await?;
    let mut heard = Vec::new();
    // SUBSCRIBE with packet id 1.
    while !heard.windows(4).any(|bytes| bytes[0] == 0x82 && bytes[2..] == [0, 1]) {
        if connection.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
    connection.write_all(b"\x90\x04\x00\x01\x00\x01\xe0\x01\x8e").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_says_who_took_the_session_over_is_repeated() {
    let directory = TempDir::new().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let broker = tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            push_out(&mut connection).await.unwrap();
        }
    });
    let line = Line::start(&directory, ClientConfig { broker_counters: false, ..config(port) });
    line.in_state(SourceState::Blocked(BlockedReason::Contested)).await;
    wait_for(|| 2 <= external(&line).uncounted_losses).await;
    let (source, found) = (line.board.sources()[0].clone(), external(&line));
    let problem = source.problem.unwrap_or_default();
    assert!(problem.contains("use_username_as_clientid"), "{problem}");
    assert!(2 <= found.takeovers && found.last_takeover.is_some(), "{found:?}");
    assert!(0 < told("bakau_source_takeovers_total", "main").unwrap());
    line.end().await;
    broker.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_that_push_each_other_out_do_not_spin_and_it_is_said_why() {
    for protocol in VERSIONS {
        let directory = TempDir::new().unwrap();
        let broker = Broker::start(&directory);
        let line = Line::start(&directory, ClientConfig { protocol, ..config(broker.port) });
        line.in_state(SourceState::Connected).await;
        // Connects again at once whenever it is pushed out.
        let (_client, mut events) = intruder(broker.port, false);
        let rival = tokio::spawn(async move {
            loop {
                _ = events.poll().await;
            }
        });
        line.in_state(SourceState::Blocked(BlockedReason::Contested)).await;
        let source = &line.board.sources()[0];
        let problem = source.problem.clone().unwrap_or_default();
        assert!(problem.contains("another client"), "{problem}");
        assert!(source.connections < 8, "{} connections", source.connections);
        // Back on the line and still contested: what is shown does not change with every connection.
        wait_for(|| source.connections < line.board.sources()[0].connections).await;
        line.in_state(SourceState::Blocked(BlockedReason::Contested)).await;
        rival.abort();
        line.end().await;
    }
}
