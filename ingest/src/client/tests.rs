//! Against a real mosquitto.

mod single;
mod takeover;

use std::{
    collections::BTreeSet,
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
use crate::{IngestConfig, metrics::tests::told, process::testing::snapshot, start_committer};

const TOPIC: &str = "bakau/s1/data";

struct Broker {
    port: u16,
    process: Child,
    config: std::path::PathBuf,
}

impl Broker {
    fn start(directory: &TempDir) -> Self {
        Self::start_with(directory, "")
    }

    fn start_with(directory: &TempDir, more: &str) -> Self {
        let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
        let binary = places.into_iter().find(|path| std::path::Path::new(path).exists());
        // A test that cannot run must not look as if it had passed.
        let binary = binary.expect("this test needs mosquitto; `cargo xtask test` installs it");
        // mosquitto cannot pick a port itself; another process may take this one in between, so try a few.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = directory.path().join(format!("mosquitto-{port}.conf"));
            let text = format!(
                "listener {port} 127.0.0.1\n{more}\nallow_anonymous true\nmax_inflight_messages 1000\nsys_interval 1\n\
                 max_queued_messages 0\npersistence true\npersistence_location {}/\nuser root\n",
                directory.path().display()
            );
            std::fs::write(&config, text).unwrap();
            let broker = Self { port, process: spawn(binary, &config), config };
            if broker.answers() {
                return broker;
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
        self.resume();
    }

    fn resume(&mut self) {
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

    /// What is spooled, each message once: one whose acknowledgement a restart of the broker overtook is sent again.
    fn arrived(&self) -> BTreeSet<Vec<u8>> {
        self.spooled().into_iter().collect()
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
    publish_to(port, TOPIC, payloads, qos).await;
}

async fn publish_to(port: u16, topic: &'static str, payloads: Vec<String>, qos: QoS) {
    let mut options = MqttOptions::new("publisher", "127.0.0.1", port);
    options.set_max_packet_size(8 << 20, 8 << 20).set_inflight(100);
    let (client, mut eventloop) = AsyncClient::new(options, 100);
    let expected = payloads.len();
    let sender = tokio::spawn(async move {
        for payload in payloads {
            client.publish(topic, qos, false, payload).await.unwrap();
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
    ClientConfig {
        name: SourceName::new("main").unwrap(),
        host: "127.0.0.1".to_owned(),
        port,
        protocol: Protocol::default(),
        tls: None,
        client_id: "bakau-main".to_owned(),
        username: None,
        password: None,
        topics: vec!["bakau/#".to_owned()],
        max_packet_bytes: (2 << 20) + (64 << 10),
        window: 1_000,
        session_expiry: DEFAULT_SESSION_EXPIRY,
        broker_counters: true,
        memory: None,
    }
}

const VERSIONS: [Protocol; 2] = [Protocol::V311, Protocol::V5];

fn payloads(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|count| format!(r#"{{"do":{count}}}"#)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_arrives_across_restarts_of_broker_and_source() {
    for protocol in VERSIONS {
        everything_arrives(protocol).await;
    }
}

async fn everything_arrives(protocol: Protocol) {
    let directory = TempDir::new().unwrap();
    let mut broker = Broker::start(&directory);
    let config = |port| ClientConfig { protocol, ..config(port) };
    let line = Line::start(&directory, config(broker.port));
    line.in_state(SourceState::Connected).await;
    publish(broker.port, payloads(0..300), QoS::AtLeastOnce).await;
    publish(broker.port, payloads(300..320), QoS::ExactlyOnce).await;
    wait_for(|| line.arrived().len() == 320).await;

    broker.restart();
    wait_for(|| line.board.sources()[0].connections == 2).await;
    line.in_state(SourceState::Connected).await;
    publish(broker.port, payloads(320..400), QoS::AtLeastOnce).await;
    wait_for(|| line.arrived().len() == 400).await;
    line.end().await;

    // Nobody listens now; the broker keeps the messages in our session.
    publish(broker.port, payloads(400..500), QoS::AtLeastOnce).await;
    let line = Line::start(&directory, config(broker.port));
    wait_for(|| line.arrived().len() == 500).await;
    let expected: BTreeSet<_> = payloads(0..500).into_iter().map(String::into_bytes).collect();
    assert_eq!(line.arrived(), expected);
    line.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_above_the_limit_blocks_the_source_visibly_and_without_haste() {
    for protocol in VERSIONS {
        oversized_blocks(protocol).await;
    }
}

async fn oversized_blocks(protocol: Protocol) {
    let directory = TempDir::new().unwrap();
    let broker = Broker::start(&directory);
    let line = Line::start(&directory, ClientConfig { max_packet_bytes: 10_000, protocol, ..config(broker.port) });
    line.in_state(SourceState::Connected).await;
    publish(broker.port, vec!["x".repeat(20_000)], QoS::AtLeastOnce).await;
    line.in_state(SourceState::Blocked(BlockedReason::OversizedMessage)).await;
    let before = line.board.sources()[0].connections;
    wait_for(|| line.board.sources()[0].connections == before + 2).await;
    line.in_state(SourceState::Blocked(BlockedReason::OversizedMessage)).await;
    let problem = line.board.sources()[0].problem.clone().unwrap();
    assert!(problem.contains("raise max_packet_bytes"), "{problem}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_no_longer_configured_are_unsubscribed_even_after_a_restart_of_bakau() {
    for protocol in VERSIONS {
        unwanted_topics_end(protocol).await;
    }
}

async fn unwanted_topics_end(protocol: Protocol) {
    let directory = TempDir::new().unwrap();
    let broker = Broker::start(&directory);
    let memory = directory.path().join("sources/main.json");
    let config = |topics: &[&str]| {
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        ClientConfig { topics, protocol, memory: Some(memory.clone()), ..config(broker.port) }
    };
    let remembered = |topic: &str| {
        let kept = std::fs::read_to_string(&memory).unwrap_or_default();
        kept.contains("\"established\":true") && kept.contains(topic)
    };
    let line = Line::start(&directory, config(&["bakau/#", "other/#"]));
    wait_for(|| remembered("other/#")).await;
    line.end().await;
    let line = Line::start(&directory, config(&["other/#"]));
    wait_for(|| remembered("other/#") && !remembered("bakau/#")).await;
    publish(broker.port, payloads(0..5), QoS::AtLeastOnce).await;
    publish_to(broker.port, "other/1", payloads(5..6), QoS::AtLeastOnce).await;
    wait_for(|| !line.spooled().is_empty()).await;
    assert_eq!(line.spooled(), [payloads(5..6)[0].as_bytes()], "a topic that is no longer configured still came");
    line.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_the_broker_drops_are_counted_as_lost_in_broker_and_nowhere_else() {
    for protocol in VERSIONS {
        dropped_are_counted(protocol).await;
    }
}

async fn dropped_are_counted(protocol: Protocol) {
    let directory = TempDir::new().unwrap();
    // The default that loses messages: 100 queued, here for a source that is away.
    let broker = Broker::start_with(&directory, "max_queued_messages 100\nmax_inflight_messages 20");
    // The last of two equal settings counts.
    let text = std::fs::read_to_string(&broker.config).unwrap().replace("max_queued_messages 0\n", "");
    std::fs::write(&broker.config, text.replace("max_inflight_messages 1000\n", "")).unwrap();
    let mut broker = broker;
    broker.restart();
    let memory = Some(directory.path().join("sources/main.json"));
    let config = || ClientConfig { protocol, memory: memory.clone(), ..config(broker.port) };
    let line = Line::start(&directory, config());
    wait_for(|| external(&line).counters).await;
    line.in_state(SourceState::Connected).await;
    line.end().await;
    publish(broker.port, payloads(0..500), QoS::AtLeastOnce).await;
    let line = Line::start(&directory, config());
    wait_for(|| 0 < external(&line).lost_in_broker).await;
    wait_for(|| line.spooled().len() as u64 + external(&line).lost_in_broker == 500).await;
    let lost = external(&line).lost_in_broker;
    let reader = line.end().await;
    let ledger = reader.message_ledger(bakau_model::UtcMillis::new(0), bakau_model::UtcMillis::new(i64::MAX)).unwrap();
    let sum = ledger.into_values().fold(bakau_model::MessageLedger::default(), |mut sum, row| {
        sum += row;
        sum
    });
    assert_eq!((sum.lost_in_broker, sum.received), (lost, 500 - lost));
    assert!(sum.balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_the_session_is_reported() {
    let directory = TempDir::new().unwrap();
    let mut broker = Broker::start(&directory);
    let line = Line::start(&directory, config(broker.port));
    wait_for(|| external(&line).counters).await;
    line.in_state(SourceState::Connected).await;
    // Killed before it ever saved anything: whatever it knew is gone.
    broker.process.kill().unwrap();
    broker.process.wait().unwrap();
    broker.resume();
    wait_for(|| external(&line).sessions_lost == 1).await;
    assert!(0 < told("bakau_source_sessions_lost_total", "main").unwrap());
    assert!(told("bakau_source_broker_restarts_total", "main").is_some());
    line.in_state(SourceState::Connected).await;
    publish(broker.port, payloads(0..5), QoS::AtLeastOnce).await;
    wait_for(|| line.spooled().len() == 5).await;
    line.end().await;
}

fn external(line: &Line) -> crate::ExternalBroker {
    line.board.sources().first().and_then(|source| source.external.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_both_sides_are_checked_and_a_refusal_says_why() {
    let directory = TempDir::new().unwrap();
    let authority = crate::tls::testing::Authority::new(directory.path());
    let other_folder = directory.path().join("other");
    std::fs::create_dir(&other_folder).unwrap();
    let stranger = crate::tls::testing::Authority::new(&other_folder);
    let (server, client) = (authority.issue("server", "localhost"), authority.issue("client", "bakau"));
    let more = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        authority.ca_file.display(),
        server.cert_file.display(),
        server.key_file.display()
    );
    let broker = Broker::start_with(&directory, &more);
    let source = |ca: &std::path::Path, identity: Option<&crate::tls::CertificateFiles>, name: &str| {
        let tls = crate::tls::ClientTls { ca_file: Some(ca.to_owned()), identity: identity.cloned() };
        let tls = Tls { config: crate::tls::client(&tls).unwrap(), server_name: Some(name.to_owned()) };
        ClientConfig { tls: Some(tls), ..config(broker.port) }
    };
    let refused = [
        (source(&stranger.ca_file, Some(&client), "localhost"), "set ca_file to its authority"),
        (source(&authority.ca_file, Some(&client), "mqtt.example"), "for another name"),
        (source(&authority.ca_file, None, "localhost"), "cert_file"),
        (source(&authority.ca_file, Some(&stranger.issue("client", "bakau")), "localhost"), "does not accept"),
    ];
    for (config, words) in refused {
        let line = Line::start(&directory, config);
        line.in_state(SourceState::Blocked(BlockedReason::Tls)).await;
        wait_for(|| line.board.sources()[0].problem.is_some()).await;
        let problem = line.board.sources()[0].problem.clone().unwrap();
        assert!(problem.contains(words), "{problem} does not say {words}");
        line.end().await;
    }
    let line = Line::start(&directory, source(&authority.ca_file, Some(&client), "localhost"));
    line.in_state(SourceState::Connected).await;
    line.end().await;
}
