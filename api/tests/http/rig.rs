//! Everything behind the router, for real, at a clock that stands still.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use bakau_alerts::{Alerts, AlertsConfig, FixedSecrets};
use bakau_api::{ApiConfig, AppParts, AppState, hash_token, router};
use bakau_clock::{Clock, ManualClock};
use bakau_ingest::{IntakeHealth, LatestTable, SourceBoard, SourceState, StoreBoard, run_writer};
use bakau_model::{
    DeploymentId, Envelope, Flag, LedgerKey, MessageLedger, Observation, Principal, Qos, QuarantineReason, Seq,
    SourceKind, SourceName, StationStatus, TimeSource, UtcMillis,
};
use bakau_registry::{Catalogue, CatalogueFile, Registry};
use bakau_spool::{BatchDraft, Consumer, QuarantineDraft, ReadingCounts, Spool, SpoolConfig, SpoolReader};
use bakau_store::{Store, embedded::EmbeddedStore};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The admin token of a rig.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// When the clock of a rig stands.
pub(crate) const NOW: &str = "2026-03-10T09:00:00Z";
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const CATALOGUE: &str = r#"
[[city]]
id = "probolinggo"
name = "Kota Probolinggo"
code = "35.74"
[[agency]]
id = "dlh"
name = { id = "Dinas Lingkungan Hidup", en = "Environment Agency" }
city = "probolinggo"
[[station]]
id = "prb-bjbr-01"
name = { id = "BeeJay Bakau", en = "BeeJay Mangrove" }
agency = "dlh"
kind = "mangrove"
latitude = -7.73
longitude = 113.22
[[station]]
id = "mlg-kota-01"
name = "Malang Kota"
agency = "dlh"
kind = "air"
latitude = -7.98
longitude = 112.63
[[datastream]]
id = "prb-bjbr-01/do"
interval_s = 60
[[datastream]]
id = "prb-bjbr-01/do@150cm"
interval_s = 60
[[datastream]]
id = "prb-bjbr-01/water_temperature"
interval_s = 60
[[datastream]]
id = "mlg-kota-01/pm25"
interval_s = 60
[[instrument]]
id = "probe"
make = "Bakau"
model = "Test probe"
serial = "1"
[[deployment]]
datastream = "prb-bjbr-01/do"
instrument = "probe"
from = "2026-01-01T00:00:00+07:00"
[[rule]]
id = "do-low"
name = { id = "Oksigen rendah", en = "Low oxygen" }
datastream = "prb-bjbr-01/do"
direction = "below"
waspada = { raise = 4.0, clear = 4.5 }
siaga = { raise = 2.0, clear = 2.5 }
source = "test"
channels = []
"#;

/// The real rooms and the router in front of them.
pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) registry: Registry,
    pub(crate) reader: SpoolReader,
    pub(crate) latest: LatestTable,
    pub(crate) alerts: Alerts,
    pub(crate) stop: CancellationToken,
    pub(crate) intake: watch::Sender<IntakeHealth>,
    spool: Spool,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Rig {
    /// With a token, open for reading.
    pub(crate) async fn start() -> Self {
        Self::with(ApiConfig::default(), Some(TOKEN)).await
    }

    pub(crate) async fn with(config: ApiConfig, token: Option<&str>) -> Self {
        let file = CatalogueFile { path: "test.toml".to_owned(), text: CATALOGUE.to_owned() };
        Self::with_catalogue(&[file], config, token).await
    }

    pub(crate) async fn with_catalogue(files: &[CatalogueFile], config: ApiConfig, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(time(NOW)));
        let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
        let plan = registry.plan(&Catalogue::parse(files).unwrap(), false).await.unwrap();
        registry.apply(plan, &Principal::System, clock.now()).await.unwrap();
        if let Some(token) = token {
            registry.set_admin_token_hash(hash_token(token), &Principal::System, clock.now()).await.unwrap();
        }
        let path = folder.path().join("spool.db");
        let (spool, reader) = Spool::open(&SpoolConfig { path, max_bytes: 1 << 30, keep_messages: 65_535 }).unwrap();
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&folder.path().join("series.db")).unwrap());
        let stop = CancellationToken::new();
        let mut alerts = AlertsConfig::new(folder.path().join("alerts.db"));
        alerts.gather = Duration::from_millis(1);
        let secrets = Arc::new(FixedSecrets::default());
        let engine_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let alerts = Alerts::start(
            alerts,
            reader.clone(),
            Arc::clone(&store),
            registry.watch(),
            secrets,
            engine_clock,
            stop.clone(),
        );
        let alerts = alerts.await.unwrap();
        let latest = LatestTable::new();
        let table_clock = Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>;
        let following =
            latest.clone().run(Arc::clone(&store), reader.clone(), registry.watch(), table_clock, stop.clone());
        tokio::spawn(following);
        let store_board = StoreBoard::default();
        let watched = (store_board.clone(), Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>);
        tokio::spawn(run_writer(Arc::clone(&store), reader.clone(), registry.watch(), watched, stop.clone()));
        let board = SourceBoard::default();
        let source = SourceName::new("broker").unwrap();
        board.register(&source, SourceKind::Broker, clock.now());
        board.set_state(&source, SourceState::Connected, clock.now());
        let (intake, health) = watch::channel(IntakeHealth::Open);
        let state = AppState::new(AppParts {
            registry: registry.clone(),
            store: Arc::clone(&store),
            spool: reader.clone(),
            latest: latest.clone(),
            alerts: alerts.clone(),
            board,
            store_board,
            intake: health,
            clock: Arc::<ManualClock>::clone(&clock),
            config,
            stop: stop.clone(),
        });
        Self { router: router(state), clock, registry, reader, latest, alerts, stop, intake, spool, _folder: folder }
    }

    /// Observations arrive: (datastream, observed_at, value), all at the time of the clock; returns when every room
    /// has taken them.
    pub(crate) async fn feed(&mut self, observations: &[(&str, UtcMillis, Option<f64>)]) {
        self.feed_without_waiting(observations).await;
        for (name, observed_at, _) in observations {
            let number = self.registry.snapshot().datastream(&name.parse().unwrap()).unwrap().number;
            let latest = self.latest.clone();
            let there = || latest.get(number).is_some_and(|entry| *observed_at <= entry.observation.observed_at);
            until("the present value", there).await;
        }
    }

    /// As [`Self::feed`], but readings may be from the future, and are no present values then.
    pub(crate) async fn feed_without_waiting(&mut self, observations: &[(&str, UtcMillis, Option<f64>)]) {
        let snapshot = self.registry.snapshot();
        let received_at = self.clock.now();
        let observation = |&(name, observed_at, value): &(&str, UtcMillis, Option<f64>)| Observation {
            datastream: snapshot.datastream(&name.parse().unwrap()).unwrap().number,
            observed_at,
            value,
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at,
            flag: if value.is_some() { Flag::NotEvaluated } else { Flag::Missing },
        };
        let decoded = u64::try_from(observations.len()).unwrap();
        let draft = BatchDraft {
            registry_revision: snapshot.revision,
            envelopes: vec![envelope(received_at, b"{}")],
            observations: observations.iter().map(|each| (0, observation(each))).collect(),
            statuses: Vec::new(),
            quarantine: Vec::new(),
            messages: vec![(key(received_at), MessageLedger { received: 1, decoded: 1, ..MessageLedger::default() })],
            readings: vec![(key(received_at), ReadingCounts { decoded, quarantined: 0 })],
        };
        let seq = self.spool.append(&draft).unwrap().seq;
        self.everyone_has(seq).await;
    }

    /// The device of a station says that it leaves, or is back; returns when the table of present values has it.
    pub(crate) async fn feed_status(&mut self, station: &str, online: bool) {
        let at = self.clock.now();
        let status = StationStatus { station: station.parse().unwrap(), online, retained: false, at };
        let draft = BatchDraft {
            registry_revision: self.registry.snapshot().revision,
            envelopes: vec![envelope(at, b"{}")],
            statuses: vec![status.clone()],
            messages: vec![(key(at), MessageLedger { received: 1, decoded: 1, ..MessageLedger::default() })],
            ..BatchDraft::default()
        };
        let seq = self.spool.append(&draft).unwrap().seq;
        self.everyone_has(seq).await;
        let latest = self.latest.clone();
        until("the status", || latest.status(&status.station).is_some_and(|known| known.online == online)).await;
    }

    /// As [`Self::feed`]; returns when event streams have been told, too.
    pub(crate) async fn feed_and_announce(&mut self, observations: &[(&str, UtcMillis, Option<f64>)]) {
        let mut announced = self.latest.subscribe();
        self.feed(observations).await;
        within("the announcement", announced.recv()).await.unwrap();
    }

    /// Messages arrive that nobody understands.
    pub(crate) async fn feed_poison(&mut self, payloads: &[&[u8]]) {
        let received_at = self.clock.now();
        let quarantine = |envelope| QuarantineDraft {
            envelope,
            reading: None,
            reason: QuarantineReason::Undecodable,
            detail: "not JSON".to_owned(),
        };
        let count = u32::try_from(payloads.len()).unwrap();
        let counts = MessageLedger { received: count.into(), quarantined: count.into(), ..MessageLedger::default() };
        let draft = BatchDraft {
            registry_revision: 1,
            envelopes: payloads.iter().map(|payload| envelope(received_at, payload)).collect(),
            quarantine: (0..count).map(quarantine).collect(),
            messages: vec![(key(received_at), counts)],
            ..BatchDraft::default()
        };
        let seq = self.spool.append(&draft).unwrap().seq;
        self.everyone_has(seq).await;
    }

    async fn everyone_has(&self, seq: Seq) {
        for consumer in Consumer::ALL {
            until("a consumer", || seq <= self.reader.cursor(consumer)).await;
        }
    }

    /// One minute apart, ending at the clock's time.
    pub(crate) async fn feed_series(&mut self, name: &str, values: &[Option<f64>]) {
        let last = self.clock.now();
        let ages = (0..i64::try_from(values.len()).unwrap()).rev();
        let rows: Vec<_> =
            values.iter().zip(ages).map(|(value, age)| (name, last.saturating_add(-age * 60_000), *value)).collect();
        for rows in rows.chunks(20_000) {
            self.feed(rows).await;
        }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_with(&self, uri: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as_admin(&self, uri: &str) -> Answer {
        self.get_with(uri, &[(header::AUTHORIZATION, &format!("Bearer {TOKEN}"))]).await
    }

    pub(crate) async fn post(&self, uri: &str, token: Option<&str>, kind: &str, body: &str) -> Answer {
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, kind);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect()).await.expect("an answer that ends").unwrap();
        Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Asks until the answer is yes; the pause only bounds how often.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Fails loudly instead of waiting for ever.
pub(crate) async fn within<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, waiting).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

pub(crate) fn time(text: &str) -> UtcMillis {
    UtcMillis::parse(text).unwrap()
}

fn key(at: UtcMillis) -> LedgerKey {
    LedgerKey { minute: at.minute(), source: SourceName::new("broker").unwrap() }
}

fn envelope(received_at: UtcMillis, payload: &[u8]) -> Envelope {
    Envelope {
        source: SourceName::new("broker").unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: "bakau/prb-bjbr-01/data".into(),
        payload: Bytes::copy_from_slice(payload),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at,
    }
}
