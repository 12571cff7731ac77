//! Real MQTT clients against the broker, the committer and a spool in a temporary directory.

mod limits;
mod publish;
mod refuse;
mod status;
mod tls;

use std::{sync::Arc, time::Duration};

use bakau_clock::ManualClock;
use bakau_model::{Envelope, MessageLedger, Seq, UtcMillis};
use bakau_registry::{Device, Snapshot, token};
use bakau_spool::{Spool, SpoolConfig, SpoolReader};
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, v5};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{BrokerConfig, BrokerHandle, start};
use crate::{IngestConfig, Intake, SourceBoard, start_committer};

/// Longest any single answer may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

const TOKEN: &str = "00112233445566778899aabbccddeeff";
const TOPIC: &str = "bakau/prb-01/data";

fn device(username: &str) -> Device {
    Device {
        username: username.to_owned(),
        token_sha256: token::digest_hex(TOKEN),
        publish: vec![format!("bakau/{username}/#")],
    }
}

fn snapshot(devices: &[&str]) -> Arc<Snapshot> {
    let devices = devices.iter().map(|name| ((*name).to_owned(), device(name))).collect();
    Arc::new(Snapshot { revision: 1, devices, ..Snapshot::default() })
}

/// A broker with everything behind it.
struct Line {
    broker: Option<BrokerHandle>,
    port: u16,
    reader: SpoolReader,
    board: SourceBoard,
    snapshots: watch::Sender<Arc<Snapshot>>,
    stop: CancellationToken,
    committer: Option<std::thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Line {
    async fn open() -> Self {
        Self::with(u64::MAX, |_| {}).await
    }

    async fn with(max_bytes: u64, adjust: impl FnOnce(&mut BrokerConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool.db");
        let (spool, reader) = Spool::open(&SpoolConfig { path, max_bytes, keep_messages: 65_535 }).unwrap();
        let snapshots = watch::Sender::new(snapshot(&["prb-01", "prb-02"]));
        let clock = Arc::new(ManualClock::new(UtcMillis::new(1_700_000_000_000)));
        // Apart from the broker's token, because the broker is stopped first.
        let (intake, committer) = start_committer(
            spool,
            snapshots.subscribe(),
            IngestConfig::default(),
            Arc::clone(&clock) as _,
            CancellationToken::new(),
        )
        .unwrap();
        let board = SourceBoard::default();
        let stop = CancellationToken::new();
        let mut config = BrokerConfig::new("broker".parse().unwrap(), ([127, 0, 0, 1], 0).into());
        adjust(&mut config);
        let broker =
            start(config, intake.clone(), snapshots.subscribe(), board.clone(), clock, stop.clone()).await.unwrap();
        let port = broker.local_addr.port();
        Self { broker: Some(broker), port, reader, board, snapshots, stop, committer: Some(committer), _dir: dir }
    }

    /// Everything in the spool, in order.
    fn spooled(&self) -> Vec<Envelope> {
        let last = self.reader.last_seq().get();
        (1..=last).flat_map(|seq| self.reader.envelopes(Seq::new(seq)).unwrap()).collect()
    }

    /// The message ledger, waited for until it counts `received` messages: denied ones are written with delay.
    async fn ledger(&self, received: u64) -> MessageLedger {
        let read = || {
            let all = self.reader.message_ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).unwrap();
            all.into_values().fold(MessageLedger::default(), |mut sum, row| {
                sum += row;
                sum
            })
        };
        eventually(|| received <= read().received).await;
        read()
    }

    /// Stops the broker and waits until all its tasks ended.
    async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(broker) = self.broker.take() {
            tokio::time::timeout(PATIENCE, broker.stopped()).await.unwrap();
        }
        drop(self.committer.take());
    }

    fn v4(&self, client_id: &str) -> V4 {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", self.port);
        options.set_credentials("prb-01", TOKEN).set_max_packet_size(4 << 20, 4 << 20).set_inflight(100);
        V4::new(options)
    }

    fn v5(&self, client_id: &str) -> V5 {
        let mut options = v5::MqttOptions::new(client_id, "127.0.0.1", self.port);
        options.set_credentials("prb-01", TOKEN);
        V5::new(options)
    }
}

/// Polls a condition until it holds.
async fn eventually(mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.expect("did not become true in time");
}

/// An MQTT 3.1.1 client.
struct V4 {
    client: AsyncClient,
    events: EventLoop,
}

impl V4 {
    fn new(options: MqttOptions) -> Self {
        let (client, events) = AsyncClient::new(options, 1_000);
        Self { client, events }
    }

    /// The next packet from the broker.
    async fn packet(&mut self) -> Result<Packet, ConnectionError> {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.poll()).await.expect("the broker says nothing");
            if let Event::Incoming(packet) = event? {
                return Ok(packet);
            }
        }
    }

    async fn connected(mut self) -> Self {
        let packet = self.packet().await.unwrap();
        assert!(matches!(packet, Packet::ConnAck(_)), "{packet:?}");
        self
    }

    async fn publish(&self, topic: &str, qos: rumqttc::QoS, payload: impl Into<Vec<u8>>) {
        self.client.publish(topic, qos, false, payload).await.unwrap();
    }
}

/// An MQTT 5 client.
struct V5 {
    client: v5::AsyncClient,
    events: v5::EventLoop,
}

impl V5 {
    fn new(options: v5::MqttOptions) -> Self {
        let (client, events) = v5::AsyncClient::new(options, 1_000);
        Self { client, events }
    }

    async fn packet(&mut self) -> Result<v5::mqttbytes::v5::Packet, v5::ConnectionError> {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.poll()).await.expect("the broker says nothing");
            if let v5::Event::Incoming(packet) = event? {
                return Ok(packet);
            }
        }
    }

    async fn connected(mut self) -> Self {
        let packet = self.packet().await.unwrap();
        assert!(matches!(packet, v5::mqttbytes::v5::Packet::ConnAck(_)), "{packet:?}");
        self
    }

    async fn publish(&self, topic: &str, qos: v5::mqttbytes::QoS, payload: impl Into<Vec<u8>>) {
        self.client.publish(topic, qos, false, payload.into()).await.unwrap();
    }

    /// The reason with which the broker ends the connection, whatever it sends before.
    async fn disconnect_reason(&mut self) -> v5::mqttbytes::v5::DisconnectReasonCode {
        use v5::mqttbytes::v5::Packet;
        loop {
            match self.packet().await {
                Ok(Packet::Disconnect(disconnect)) => return disconnect.reason_code,
                Ok(_) => {}
                Err(v5::ConnectionError::MqttState(v5::StateError::ServerDisconnect { reason_code, .. })) => {
                    return reason_code;
                }
                Err(error) => panic!("closed without a reason: {error}"),
            }
        }
    }
}

/// rmqtt with our hooks, without edge and supervisor.
async fn inner_alone(intake: Intake) -> (super::Inner, Arc<super::Shared>) {
    let board = SourceBoard::default();
    let clock: Arc<dyn bakau_clock::Clock> = Arc::new(ManualClock::new(UtcMillis::new(0)));
    let config = BrokerConfig::new("broker".parse().unwrap(), ([127, 0, 0, 1], 0).into());
    let traffic = board.register(&config.name, bakau_model::SourceKind::Broker, clock.now());
    let shared = Arc::new(super::Shared {
        config,
        intake,
        devices: watch::Sender::new(snapshot(&["prb-01"])).subscribe(),
        board,
        traffic,
        clock,
        connections: super::connections::Connections::default(),
        stop: CancellationToken::new(),
    });
    (super::Inner::start(&shared).await.unwrap(), shared)
}

/// A CONNECT of MQTT 5 with a keep-alive of 60 s at bytes 10 and 11.
fn connect_v5(client_id: &str) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x05\xc2\x00\x3c\x00".to_vec();
    for text in [client_id, "prb-01", TOKEN] {
        body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        body.extend(text.as_bytes());
    }
    let mut packet = vec![0x10, u8::try_from(body.len()).unwrap()];
    packet.extend(body);
    packet
}

/// A PUBLISH of MQTT 5 with one byte of payload; `first` is its first byte.
fn publish_v5(first: u8, packet_id: u16) -> Vec<u8> {
    let length = 2 + TOPIC.len() + 2 + 1 + 1;
    let mut packet = vec![first, u8::try_from(length).unwrap(), 0, u8::try_from(TOPIC.len()).unwrap()];
    packet.extend(TOPIC.as_bytes());
    packet.extend(packet_id.to_be_bytes());
    packet.extend([0, b'1']);
    packet
}

/// An intake that nobody serves: commits wait for ever.
fn nobody_commits() -> Intake {
    Intake::new()
}
