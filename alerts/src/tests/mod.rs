//! The room as a whole: a real spool, a real store, a real alert database and a real HTTP receiver.

mod delivery;
mod line;
mod no_data;
mod people;
mod reach;
mod settled;
mod sink;

use std::{sync::Arc, time::Duration};

use bakau_clock::{Clock, ManualClock};
use bakau_model::{Backoff, ChannelId, Envelope, Observation, Qos, Secret, Seq, SourceName, UtcMillis};
use bakau_registry::{Channel, Rule, Snapshot};
use bakau_spool::{BatchDraft, Consumer, Spool, SpoolConfig, SpoolReader};
use bakau_store::{Store, embedded::EmbeddedStore};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    AlertDetail, AlertId, AlertQuery, Alerts, AlertsConfig, FixedSecrets, Sources, engine::EndpointView, testing,
};

/// A folder with spool and store that outlive the alert room.
struct House {
    dir: TempDir,
    spool: Spool,
    reader: SpoolReader,
    store: Arc<EmbeddedStore>,
    clock: Arc<ManualClock>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    sources: Arc<TestSources>,
}

/// Sources as a test wants them.
#[derive(Debug, Default)]
struct TestSources(Mutex<Vec<EndpointView>>);

impl Sources for TestSources {
    fn endpoints(&self) -> Vec<EndpointView> {
        self.0.lock().clone()
    }
}

struct Room {
    alerts: Alerts,
    stop: CancellationToken,
}

impl House {
    /// The clock stands at minute 0; the rule `bjbr-do-low` tells the channel `piket`.
    fn new(hook: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (spool, reader) = open_spool(&dir, "spool.db");
        let store = Arc::new(EmbeddedStore::open(&dir.path().join("series.db")).unwrap());
        let clock = Arc::new(ManualClock::new(testing::minute(0)));
        let snapshots = watch::Sender::new(Arc::new(snapshot(hook, 1, [testing::do_rule(0)])));
        Self { dir, spool, reader, store, clock, snapshots, sources: Arc::default() }
    }

    async fn open(&self) -> Room {
        self.open_with(FixedSecrets::new([("HOOK_SECRET".to_owned(), Secret::new("rahasia"))])).await
    }

    async fn open_with(&self, secrets: FixedSecrets) -> Room {
        let stop = CancellationToken::new();
        let mut config = AlertsConfig::new(self.dir.path().join("alerts.db"));
        let on_time = |pauses: Backoff| pauses.spread(1.0, 1.0);
        config.retry.usual = on_time(config.retry.usual);
        config.retry.urgent = on_time(config.retry.urgent);
        config.public_url = Some("https://bakau.example".to_owned());
        config.gather = Duration::from_millis(1);
        // Deadlines are looked at as often as the engine commits.
        config.commit_every = Duration::from_millis(20);
        config.sources = Arc::clone(&self.sources) as _;
        let store: Arc<dyn Store> = Arc::clone(&self.store) as _;
        let (reader, clock) = (self.reader.clone(), Arc::clone(&self.clock));
        let alerts =
            Alerts::start(config, reader, store, self.snapshots.subscribe(), Arc::new(secrets), clock, stop.clone());
        Room { alerts: alerts.await.unwrap(), stop }
    }

    /// One message with the given (minute, value) readings, arriving now or, where they are newer, at the last of them.
    fn arrive(&mut self, readings: &[(i64, f64)]) -> Seq {
        let newest = readings.iter().map(|(minute, _)| at(*minute)).max();
        newest.into_iter().for_each(|newest| self.clock.set(self.clock.now().max(newest)));
        let observations: Vec<_> =
            readings.iter().map(|(minute, value)| testing::observation(*minute, *value)).collect();
        self.spool.append(&draft(&observations)).unwrap().seq
    }
}

impl Room {
    async fn close(self) {
        self.stop.cancel();
        self.alerts.stopped().await;
    }

    /// The only alert, once `met` holds for it.
    async fn alert(&self, what: &str, met: impl Fn(&AlertDetail) -> bool) -> AlertDetail {
        let look = async || {
            let listed = self.alerts.list(&AlertQuery::default()).await.unwrap();
            let detail = self.alerts.get(&listed.first()?.id).await.unwrap()?;
            met(&detail).then_some(detail)
        };
        eventually(what, look).await
    }

    async fn details(&self) -> Vec<AlertDetail> {
        let mut details = Vec::new();
        for alert in self.alerts.list(&AlertQuery::default()).await.unwrap() {
            details.push(self.alerts.get(&alert.id).await.unwrap().unwrap());
        }
        details
    }
}

fn open_spool(dir: &TempDir, name: &str) -> (Spool, SpoolReader) {
    let config = SpoolConfig { path: dir.path().join(name), max_bytes: 1 << 30, keep_messages: 65_535 };
    Spool::open(&config).unwrap()
}

fn draft(observations: &[Observation]) -> BatchDraft {
    let envelope = Envelope {
        source: SourceName::new("demo").unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: "bakau/prb-bjbr-01/data".into(),
        payload: b"{}".to_vec().into(),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at: observations[0].received_at,
    };
    BatchDraft {
        registry_revision: 1,
        envelopes: vec![envelope],
        observations: observations.iter().map(|observation| (0, *observation)).collect(),
        ..BatchDraft::default()
    }
}

fn snapshot(hook: &str, revision: u64, rules: impl IntoIterator<Item = Rule>) -> Snapshot {
    let id = ChannelId::new("piket").unwrap();
    let channel = Channel::Webhook { id: id.clone(), url: hook.to_owned(), secret_env: "HOOK_SECRET".to_owned() };
    let mut snapshot = testing::snapshot(rules);
    snapshot.revision = revision;
    snapshot.channels.insert(id, channel);
    snapshot
}

/// Looks until there is something to see; tests fail by name instead of hanging.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap_or_else(|_| panic!("never seen: {what}"))
}

async fn cursor_reaches(reader: &SpoolReader, seq: Seq) {
    eventually("cursor", async || (seq <= reader.cursor(Consumer::Alerts)).then_some(())).await;
}

fn onset_id(minutes: i64) -> AlertId {
    crate::engine::id::of(&testing::do_rule(0).id, &testing::SUBJECT, at(minutes))
}

fn at(minutes: i64) -> UtcMillis {
    testing::minute(minutes)
}
