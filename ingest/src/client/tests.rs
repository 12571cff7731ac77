//! Against a real mosquitto; without one on this machine they say so and end.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use bakau_clock::SystemClock;
use bakau_model::Seq;
use bakau_spool::{Spool, SpoolConfig, SpoolReader};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::{IngestConfig, process::testing::snapshot, start_committer};

const TOPIC: &str = "bakau/s1/data";

struct Broker {
    port: u16,
    process: Child,
    config: std::path::PathBuf,
}

impl Broker {
    fn start(directory: &TempDir) -> Option<Self> {
        let binary = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].into_iter().find(|path| {
            let found = std::path::Path::new(path).exists();
            if !found {
                eprintln!("no {path}");
            }
            found
        })?;
        // mosquitto cannot pick a port itself; another process may take this one in between, so try a few.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = directory.path().join(format!("mosquitto-{port}.conf"));
            let text = format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n\
                 max_queued_messages 0\npersistence true\npersistence_location {}/\n",
                directory.path().display()
            );
            std::fs::write(&config, text).unwrap();
            let broker = Self { port, process: spawn(binary, &config), config };
            if broker.answers() {
                return Some(broker);
            }
        }
        panic!("mosquitto did not start on five ports");
    }

    /// Waits for the port, as long as the process lives.
    fn answers(&self) -> bool {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        })
    }

    /// SIGTERM, so that it writes its sessions, then a new process on the same port.
    fn restart(&mut self) {
        let id = self.process.id().to_string();
        Command::new("kill").arg(&id).status().unwrap();
        self.process.wait().unwrap();
        self.process = spawn("/usr/sbin/mosquitto", &self.config);
        assert!(self.answers());
    }
}

fn spawn(binary: &str, config: &std::path::Path) -> Child {
    let mut command = Command::new(binary);
    command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

struct Line {
    reader: SpoolReader,
    board: SourceBoard,
    stop_source: CancellationToken,
    source: tokio::task::JoinHandle<()>,
    stop_committer: CancellationToken,
    committer: std::thread::JoinHandle<()>,
    _snapshots: watch::Sender<Arc<bakau_registry::Snapshot>>,
}

impl Line {
    fn start(directory: &TempDir, config: ClientConfig) -> Self {
        let spool = SpoolConfig { path: directory.path().join("spool.db"), max_bytes: 1 << 30, keep_messages: 65_535 };
        let (spool, reader) = Spool::open(&spool).unwrap();
        let (sender, snapshots) = watch::channel(snapshot());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (stop_source, stop_committer) = (CancellationToken::new(), CancellationToken::new());
        let (intake, committer) =
            start_committer(spool, snapshots, IngestConfig::default(), Arc::clone(&clock), stop_committer.clone())
                .unwrap();
        let board = SourceBoard::default();
        let source = tokio::spawn(run(config, intake, board.clone(), clock, stop_source.clone()));
        Self { reader, board, stop_source, source, stop_committer, committer, _snapshots: sender }
    }

    async fn in_state(&self, state: SourceState) {
        wait_for(|| self.board.sources().first().is_some_and(|source| source.state == state)).await;
    }

    fn spooled(&self) -> Vec<Vec<u8>> {
        let last = self.reader.last_seq().get();
        let batches = (1..=last).map(|seq| self.reader.envelopes(Seq::new(seq)).unwrap());
        batches.flatten().map(|envelope| envelope.payload.to_vec()).collect()
    }

    async fn end(self) -> SpoolReader {
        self.stop_source.cancel();
        self.source.await.unwrap();
        assert_eq!(self.board.sources()[0].state, SourceState::Stopped);
        self.stop_committer.cancel();
        self.committer.join().unwrap();
        self.reader
    }
}

async fn wait_for(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("nothing happened for 20 s");
}

/// Publishes and returns when the broker has acknowledged everything.
async fn publish(port: u16, payloads: Vec<String>, qos: QoS) {
    let mut options = MqttOptions::new("publisher", "127.0.0.1", port);
    options.set_max_packet_size(8 << 20, 8 << 20).set_inflight(100);
    let (client, mut eventloop) = AsyncClient::new(options, 100);
    let expected = payloads.len();
    let sender = tokio::spawn(async move {
        for payload in payloads {
            client.publish(TOPIC, qos, false, payload).await.unwrap();
        }
        client
    });
    let mut acknowledged = 0;
    while acknowledged < expected {
        match eventloop.poll().await.unwrap() {
            Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => acknowledged += 1,
            Event::Outgoing(Outgoing::Publish(0)) => acknowledged += 1,
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }
    drop(sender.await.unwrap());
}

fn config(port: u16) -> ClientConfig {
    ClientConfig::new(SourceName::new("main").unwrap(), "127.0.0.1", port, vec!["bakau/#".to_owned()])
}

fn payloads(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|count| format!(r#"{{"do":{count}}}"#)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_arrives_across_restarts_of_broker_and_source() {
    let directory = TempDir::new().unwrap();
    let Some(mut broker) = Broker::start(&directory) else { return };
    let line = Line::start(&directory, config(broker.port));
    line.in_state(SourceState::Connected).await;
    publish(broker.port, payloads(0..300), QoS::AtLeastOnce).await;
    publish(broker.port, payloads(300..320), QoS::ExactlyOnce).await;
    wait_for(|| line.spooled().len() == 320).await;

    broker.restart();
    wait_for(|| line.board.sources()[0].connections == 2).await;
    line.in_state(SourceState::Connected).await;
    publish(broker.port, payloads(320..400), QoS::AtLeastOnce).await;
    wait_for(|| line.spooled().len() == 400).await;
    line.end().await;

    // Nobody listens now; the broker keeps the messages in our session.
    publish(broker.port, payloads(400..500), QoS::AtLeastOnce).await;
    let line = Line::start(&directory, config(broker.port));
    wait_for(|| line.spooled().len() == 500).await;
    let mut found: Vec<_> = line.spooled();
    found.sort();
    let mut expected: Vec<_> = payloads(0..500).into_iter().map(String::into_bytes).collect();
    expected.sort();
    assert_eq!(found, expected);
    line.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_above_the_limit_blocks_the_source_visibly_and_without_haste() {
    let directory = TempDir::new().unwrap();
    let Some(broker) = Broker::start(&directory) else { return };
    let line = Line::start(&directory, ClientConfig { max_packet_bytes: 10_000, ..config(broker.port) });
    line.in_state(SourceState::Connected).await;
    publish(broker.port, vec!["x".repeat(20_000)], QoS::AtLeastOnce).await;
    line.in_state(SourceState::Blocked(BlockedReason::OversizedMessage)).await;
    let before = line.board.sources()[0].connections;
    wait_for(|| line.board.sources()[0].connections == before + 2).await;
    line.in_state(SourceState::Blocked(BlockedReason::OversizedMessage)).await;
    assert!(line.spooled().is_empty());
    line.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_the_source_tries_again_with_growing_pauses() {
    let directory = TempDir::new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let line = Line::start(&directory, config(port));
    line.in_state(SourceState::Connecting).await;
    line.end().await;
}
