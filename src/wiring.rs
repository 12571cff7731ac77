//! Starts every part of the platform in order and stops them in reverse.

use std::{fs::File, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bakau_alerts::{Alerts, AlertsConfig, AlertsError, Secrets};
use bakau_api::{ApiConfig, AppParts, AppState, MessageCharts};
use bakau_clock::{Clock, SystemClock};
use bakau_ingest::{LatestTable, SourceBoard, StoreBoard, run_writer, start_committer};
use bakau_model::{Principal, Secret};
use bakau_registry::Registry;
use bakau_spool::{Consumer, SpoolReader};
use bakau_store::Store;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{admin, config::Config, files, source_states::SourceStates, sources, store};

/// How long the store writer and the alert engine may take to catch up before the process ends anyway; what is left
/// waits in the spool.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// How late a change of the registry by another process is noticed.
const REGISTRY_POLL: Duration = Duration::from_secs(1);

/// The addresses that are listened on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) mqtt: Option<SocketAddr>,
    pub(crate) mqtts: Option<SocketAddr>,
}

/// Secrets come from the environment and from nowhere else.
#[derive(Debug)]
struct Environment;

impl Secrets for Environment {
    fn get(&self, name: &str) -> Option<Secret> {
        std::env::var(name).ok().filter(|secret| !secret.is_empty()).map(Secret::new)
    }
}

/// Runs the platform until `stop`, saying on standard output where it listens.
pub(crate) async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    let lock = files::lock(&config.data)?;
    let platform = Platform::start(config, lock).await?;
    platform.announce();
    platform.run_until(stop).await
}

/// Every part of the running process.
pub(crate) struct Platform {
    addresses: Addresses,
    admin_token: Option<String>,
    /// Sources stop first.
    sources_stop: CancellationToken,
    sources: Vec<JoinHandle<()>>,
    /// Then the committer.
    committer_stop: CancellationToken,
    committer: std::thread::JoinHandle<()>,
    /// Then its consumers, once they have caught up.
    consumers_stop: CancellationToken,
    writer: JoinHandle<()>,
    alerts: Alerts,
    store: Arc<dyn Store>,
    spool: SpoolReader,
    /// The API last.
    api_stop: CancellationToken,
    api: JoinHandle<std::io::Result<()>>,
    _threads: [OwnThread; 2],
    _lock: File,
}

/// A runtime with one thread. The store writer and the alert engine have one each: neither a slow disk nor a burst of
/// requests on the main runtime delays the other, and the cost of each can be read off its thread.
struct OwnThread(Option<Runtime>);

impl OwnThread {
    fn start(name: &str) -> std::io::Result<Self> {
        Ok(Self(Some(Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()?)))
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        match &self.0 {
            Some(runtime) => runtime.spawn(work),
            None => tokio::spawn(work),
        }
    }
}

impl Drop for OwnThread {
    /// Without waiting: a runtime that waits must not be dropped inside another one, and by now its work has ended.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Boards on which sources and the store writer note their state.
#[derive(Default)]
struct Boards {
    sources: SourceBoard,
    store: StoreBoard,
}

/// The consumers of the spool, and what they share.
struct Consumers {
    store: Arc<dyn Store>,
    latest: LatestTable,
    writer: JoinHandle<()>,
    alerts: Alerts,
    /// Draws for messages once the HTTP side is there.
    charts: MessageCharts,
    threads: [OwnThread; 2],
}

impl Consumers {
    async fn start(
        config: &Config,
        spool: &SpoolReader,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
        boards: &Boards,
        stop: &CancellationToken,
    ) -> Result<Self> {
        let store: Arc<dyn Store> = store::open(config, registry)?;
        // Before anything is appended, so that new positions never fall below what the store has already seen.
        spool.report(Consumer::Store, store.cursor().await?);
        let latest = LatestTable::new();
        let following =
            latest.clone().run(Arc::clone(&store), spool.clone(), registry.watch(), Arc::clone(clock), stop.clone());
        tokio::spawn(following);
        let threads = [OwnThread::start("store")?, OwnThread::start("alerts")?];
        let charts = MessageCharts::default();
        let alerts = start_alerts(config, spool, &store, registry, clock, (boards, &charts), stop);
        let alerts = threads[1].spawn(alerts).await?.with_context(|| say!("cannot_start_alerts"))?;
        let watched = (boards.store.clone(), Arc::clone(clock));
        let writer = run_writer(Arc::clone(&store), spool.clone(), registry.watch(), watched, stop.clone());
        let writer = threads[0].spawn(writer);
        Ok(Self { store, latest, writer, alerts, charts, threads })
    }
}

impl Platform {
    /// Opens files and sockets and starts everything, from the end of the line to its beginning: who consumes stands ready
    /// before anything comes in. The lock of the data folder is taken by the caller, before it touches anything there.
    pub(crate) async fn start(config: Config, lock: File) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = files::open_registry(&config.data).await?;
        let admin_token = ensure_admin_token(&registry, &config).await?;
        let listener = bind_http(config.http.listen).await?;
        let http = listener.local_addr()?;

        let stops: [CancellationToken; 4] = std::array::from_fn(|_| CancellationToken::new());
        let [sources_stop, committer_stop, consumers_stop, api_stop] = stops;
        let (spool, reader) = files::open_spool(&config)?;
        let boards = Boards::default();
        let consumers = Consumers::start(&config, &reader, &registry, &clock, &boards, &consumers_stop).await?;
        let (ingest, snapshots) = (sources::ingest_config(&config)?, registry.watch());
        let (intake, committer) =
            start_committer(spool, snapshots, ingest, Arc::clone(&clock), committer_stop.clone())?;
        let door = sources::Door { intake: &intake, board: &boards.sources, registry: &registry, clock: &clock };
        let (ports, mut sources) = sources::start(&config, &door, &sources_stop).await?;
        sources.push(tokio::spawn(poll_registry(registry.clone(), sources_stop.clone())));

        let state = AppState::new(AppParts {
            registry,
            store: Arc::clone(&consumers.store),
            spool: reader.clone(),
            latest: consumers.latest,
            alerts: consumers.alerts.clone(),
            board: boards.sources,
            store_board: boards.store,
            intake: intake.health(),
            clock,
            config: ApiConfig {
                open_read: config.http.open_read,
                spool_max_bytes: config.spool.max_bytes,
                store_kind: config.store.kind,
                public_url: config.http.public_url.clone(),
            },
            stop: api_stop.clone(),
        });
        consumers.charts.connect(state.clone());
        let api = tokio::spawn(bakau_api::serve(listener, bakau_api::router(state), api_stop.clone()));
        Ok(Self {
            addresses: Addresses { http, mqtt: ports.mqtt, mqtts: ports.mqtts },
            admin_token,
            sources_stop,
            sources,
            committer_stop,
            committer,
            consumers_stop,
            writer: consumers.writer,
            alerts: consumers.alerts,
            store: consumers.store,
            spool: reader,
            api_stop,
            api,
            _threads: consumers.threads,
            _lock: lock,
        })
    }

    /// Says where it listens; the admin token is shown here once and never again.
    pub(crate) fn announce(&self) {
        if let Some(token) = &self.admin_token {
            println!("{}", say!("admin_token", token = token));
        }
        if let Some(mqtt) = self.addresses.mqtt {
            println!("mqtt {mqtt}");
        }
        if let Some(mqtts) = self.addresses.mqtts {
            println!("mqtts {mqtts}");
        }
        println!("ready http://{}", self.addresses.http);
    }

    pub(crate) const fn addresses(&self) -> Addresses {
        self.addresses
    }

    pub(crate) const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Waits until store and alerts have everything that was acknowledged.
    pub(crate) async fn caught_up(&self) {
        catch_up(&self.spool).await;
    }

    /// Serves until `stop`, then stops sources, committer, consumers and API in this order.
    pub(crate) async fn run_until(self, stop: CancellationToken) -> Result<()> {
        stop.cancelled().await;
        info!("stopping");
        self.sources_stop.cancel();
        for source in self.sources {
            // A source that panicked has already been logged by the runtime; the others still stop in order.
            let _ = tokio::time::timeout(DRAIN_DEADLINE, source).await;
        }
        self.committer_stop.cancel();
        tokio::task::spawn_blocking(move || self.committer.join()).await?.ok();
        let caught_up = catch_up(&self.spool);
        if tokio::time::timeout(DRAIN_DEADLINE, caught_up).await.is_err() {
            warn!("consumers did not catch up before the deadline, the rest waits in the spool");
        }
        self.consumers_stop.cancel();
        let _ = tokio::time::timeout(DRAIN_DEADLINE, self.writer).await;
        let _ = tokio::time::timeout(DRAIN_DEADLINE, self.alerts.stopped()).await;
        self.api_stop.cancel();
        let _ = tokio::time::timeout(DRAIN_DEADLINE, self.api).await;
        info!("stopped");
        Ok(())
    }
}

/// Waits until both consumers have committed everything that is in the spool.
async fn catch_up(spool: &SpoolReader) {
    let behind = |consumer| spool.cursor(consumer) < spool.last_seq();
    while behind(Consumer::Store) || behind(Consumer::Alerts) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn poll_registry(registry: Registry, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REGISTRY_POLL) => {}
        }
        match registry.refresh().await {
            Ok(true) => info!(revision = registry.snapshot().revision, "registry changed"),
            Ok(false) => {}
            Err(error) => warn!(%error, "registry could not be read, the last revision stays in force"),
        }
    }
}

/// Makes the admin token at the first run. On an address that others can reach, somebody must have made it before: the
/// first visitor of a fresh server must not be the one who reads it.
async fn ensure_admin_token(registry: &Registry, config: &Config) -> Result<Option<String>> {
    if registry.admin_token_hash().await?.is_some() {
        return Ok(None);
    }
    let listen = config.http.listen;
    if !listen.ip().is_loopback() {
        bail!(say!("no_admin_token", address = listen));
    }
    Ok(Some(admin::make(registry, &Principal::System).await?))
}

async fn bind_http(listen: SocketAddr) -> Result<TcpListener> {
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(say!("port_in_use", port = listen.port(), option = "--http", key = "[http] listen"))
        }
        Err(error) => Err(error).with_context(|| say!("cannot_listen", address = listen)),
    }
}

/// Not `async`, because the future must own everything it takes to another runtime.
fn start_alerts(
    config: &Config,
    spool: &SpoolReader,
    store: &Arc<dyn Store>,
    registry: &Registry,
    clock: &Arc<dyn Clock>,
    (boards, charts): (&Boards, &MessageCharts),
    stop: &CancellationToken,
) -> impl Future<Output = Result<Alerts, AlertsError>> + Send + 'static {
    let mut settings = AlertsConfig::new(config.data.join("alerts.db"));
    settings.lateness_ms = i64::from(config.alerts.lateness_s) * 1_000;
    settings.public_url = config.http.public_url.clone();
    settings.sources = Arc::new(SourceStates { sources: boards.sources.clone(), store: boards.store.clone() });
    settings.charts = Some(Arc::new(charts.clone()));
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    let (spool, snapshots, stop) = (spool.clone(), registry.watch(), stop.clone());
    async move { Alerts::start(settings, spool, store, snapshots, Arc::new(Environment), clock, stop).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_start_makes_the_admin_token_and_only_where_no_other_machine_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = files::open_registry(folder.path()).await.unwrap();
        let mut config = Config::default();
        config.http.listen = "0.0.0.0:8080".parse().unwrap();
        let refused = ensure_admin_token(&registry, &config).await.unwrap_err().to_string();
        assert!(refused.contains("run `bakau admin-token` first"), "{refused}");
        assert_eq!(registry.admin_token_hash().await.unwrap(), None);
        config.http.listen = "127.0.0.1:8080".parse().unwrap();
        let made = ensure_admin_token(&registry, &config).await.unwrap().unwrap();
        assert_eq!(registry.admin_token_hash().await.unwrap(), Some(bakau_api::hash_token(&made)));
        assert_eq!(ensure_admin_token(&registry, &config).await.unwrap(), None, "it is shown once");
        config.http.listen = "0.0.0.0:8080".parse().unwrap();
        assert_eq!(ensure_admin_token(&registry, &config).await.unwrap(), None);
    }
}
