//! The embedded broker: devices publish straight to Bakau, and an acknowledgement means *stored*.
//!
//! rmqtt speaks MQTT 3.1.1 and 5; its hooks decide who may connect, publish and subscribe, and the publish-ACL hook
//! commits each message before rmqtt acknowledges it (`hook`). In front of it stands the edge (`edge`): it owns the
//! public ports (plain and TLS), bounds connections, packet sizes and the time until CONNECT, and sends the MQTT 5 DISCONNECT reasons
//! that rmqtt 0.24 writes into an already closed socket. See `docs/adr/0010-embedded-broker-commits-in-the-acl-hook.md`.

mod auth;
mod certificate;
mod connections;
mod edge;
mod frame;
mod hook;
mod limits;
mod metrics;
mod rights;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::{BlockedReason, SourceKind, SourceName};
use bakau_registry::Snapshot;
use rmqtt::{context::ServerContext, net::Builder, router::DefaultRouter, server::MqttServer, shared::DefaultShared};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch, task::JoinHandle, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    Intake, IntakeHealth, NotCommitted, SourceBoard, SourceState,
    tls::{CertificateFiles, TlsFileError},
};
use certificate::Certificate;
use edge::Edge;

/// Bytes a PUBLISH may have beside its payload: the longest topic (65,535) and as much again for MQTT 5 properties.
const PACKET_OVERHEAD_BYTES: usize = 128 * 1024;

/// Largest CONNECT, last will included; a client that is not yet known gets no more memory than this.
const MAX_CONNECT_BYTES: usize = 64 * 1024;

/// Longest a stop waits for commits under way before it closes connections regardless.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Most threads of the broker; four carry more than one spool can store.
const MAX_THREADS: usize = 4;

/// How often sessions without a connection are looked for.
const DEAD_SESSIONS_EVERY: Duration = Duration::from_secs(60);

/// How the embedded broker listens.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Source of its messages.
    pub name: SourceName,
    /// Where to listen without encryption; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where to listen with TLS, and with which certificate.
    pub tls: Option<BrokerTls>,
    /// Largest payload that is taken, in bytes; a larger one ends the connection (MQTT 5: reason 0x95).
    pub max_payload_bytes: usize,
    /// Most connections at a time; each needs three file descriptors.
    pub max_connections: usize,
    /// Longest a publisher waits for its message to become durable before it is disconnected unacknowledged.
    pub commit_timeout: Duration,
}

/// The port with TLS.
#[derive(Debug, Clone)]
pub struct BrokerTls {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The broker's certificate and key; read again when they change.
    pub files: CertificateFiles,
}

impl BrokerConfig {
    /// The usual limits: 1 MiB of payload, 5,000 connections, 20 s to commit.
    #[must_use]
    pub const fn new(name: SourceName, listen: SocketAddr) -> Self {
        Self {
            name,
            listen,
            tls: None,
            max_payload_bytes: 1024 * 1024,
            max_connections: 5_000,
            commit_timeout: Duration::from_secs(20),
        }
    }
}

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another program listens there.
    #[error("{addr} is in use: choose another MQTT port, or stop the program that listens there")]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address cannot be used for another reason, such as missing rights for a port below 1024.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error("the broker's certificate cannot be used: {0}")]
    Certificate(#[from] TlsFileError),
    /// rustls refuses to serve.
    #[error("the broker cannot serve TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gives no threads.
    #[error("the broker cannot start its threads: {source}")]
    Threads {
        /// What the operating system says.
        source: io::Error,
    },
    /// The broker's inner listener on the loopback interface could not be opened.
    #[error("the broker cannot open a port on the loopback interface: {reason}")]
    Loopback {
        /// What the operating system says.
        reason: String,
    },
}

impl BrokerError {
    fn listen(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr },
            _ => Self::Listen { addr, source },
        }
    }
}

/// A running embedded broker; it runs on when this is dropped, until its stop token is cancelled.
#[derive(Debug)]
pub struct BrokerHandle {
    /// Address of the plain port.
    pub local_addr: SocketAddr,
    /// Address of the port with TLS.
    pub tls_addr: Option<SocketAddr>,
    supervisor: JoinHandle<()>,
}

impl BrokerHandle {
    /// Waits until the broker has stopped and all its tasks have ended.
    pub async fn stopped(self) {
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "embedded broker ended unexpectedly");
        }
    }
}

/// State shared by edge, hooks and supervisor.
#[derive(Debug)]
struct Shared {
    config: BrokerConfig,
    intake: Intake,
    devices: watch::Receiver<Arc<Snapshot>>,
    board: SourceBoard,
    traffic: Arc<crate::board::Traffic>,
    clock: Arc<dyn Clock>,
    connections: connections::Connections,
    stop: CancellationToken,
}

/// Opens the port and serves until `stop` is cancelled.
///
/// The broker has threads of its own: rmqtt starts tasks it never ends, and they end with their runtime.
///
/// # Errors
/// When the address is in use or cannot be listened on, or the system gives no threads.
pub async fn start(
    config: BrokerConfig,
    intake: Intake,
    devices: watch::Receiver<Arc<Snapshot>>,
    board: SourceBoard,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<BrokerHandle, BrokerError> {
    let traffic = board.register(&config.name, SourceKind::Broker, clock.now());
    let connections = connections::Connections::default();
    let (addr, tls) = (config.listen, config.tls.clone());
    let shared = Arc::new(Shared { config, intake, devices, board, traffic, clock, connections, stop });
    let threads = Threads::start().map_err(|source| BrokerError::Threads { source })?;
    let opened = threads.spawn(async move {
        let (plain, local_addr) = bind(addr).await?;
        let (encrypted, tls_addr) = match tls {
            Some(tls) => {
                let certificate = Certificate::open(&tls.files)?;
                let (listener, tls_addr) = bind(tls.listen).await?;
                (Some(Encrypted { acceptor: certificate.acceptor()?, listener, certificate }), Some(tls_addr))
            }
            None => (None, None),
        };
        let inner = Inner::start(&shared).await?;
        Ok::<_, BrokerError>((local_addr, tls_addr, supervise(plain, encrypted, inner, shared)))
    });
    let (local_addr, tls_addr, supervising) = match opened.await {
        Ok(opened) => opened?,
        Err(error) => return Err(BrokerError::Loopback { reason: error.to_string() }),
    };
    let supervising = threads.spawn(supervising);
    let supervisor = tokio::spawn(async move {
        if let Err(error) = supervising.await {
            tracing::error!(%error, "embedded broker ended unexpectedly");
        }
        threads.end().await;
    });
    Ok(BrokerHandle { local_addr, tls_addr, supervisor })
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), BrokerError> {
    let failed = |source| BrokerError::listen(addr, source);
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

/// The open port with TLS.
struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

/// The broker's own runtime.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(cores.min(MAX_THREADS)).thread_name("bakau-mqtt").enable_all();
        Ok(Self(Some(builder.build()?)))
    }

    fn spawn<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        match &self.0 {
            Some(runtime) => runtime.spawn(future),
            // Only `end` takes the runtime out, and it takes `self` with it.
            None => tokio::spawn(future),
        }
    }

    /// Ends every task and thread that is left.
    async fn end(mut self) {
        let Some(runtime) = self.0.take() else { return };
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP_GRACE)).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "mqtt threads were not waited for");
        }
    }
}

impl Drop for Threads {
    /// A runtime must not be dropped where blocking is forbidden, which is where this happens when Bakau is torn down.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// rmqtt behind the edge.
struct Inner {
    context: ServerContext,
    server: JoinHandle<()>,
    addr: SocketAddr,
}

impl Inner {
    async fn start(shared: &Arc<Shared>) -> Result<Self, BrokerError> {
        let loopback = |error: rmqtt::Error| BrokerError::Loopback { reason: format!("{error:#}") };
        let listener = limits::apply(Builder::new(), &shared.config).bind().and_then(|bound| bound.tcp());
        let listener = listener.map_err(loopback)?;
        let addr = listener.local_addr().map_err(loopback)?;
        // Its busy check refuses devices when the machine's load is high; our own queue bounds work instead.
        let context = ServerContext::new().busy_check_enable(false).build().await;
        *context.extends.fitter_mgr_mut().await = Box::new(limits::BakauFitters);
        hook::register(&context, shared).await;
        let server = MqttServer::new(context.clone()).listener_by_id(listener, addr.port()).build();
        let server = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "mqtt server ended");
            }
        });
        Ok(Self { context, server, addr })
    }

    /// Removes sessions whose connection broke between authentication and CONNACK, which rmqtt forgets; never ends.
    async fn bury_dead_sessions(&self) {
        loop {
            tokio::time::sleep(DEAD_SESSIONS_EVERY).await;
            let sessions = self.context.extends.shared().await;
            let dead: Vec<_> = sessions.iter().filter(|entry| entry.tx().is_none_or(|tx| tx.is_closed())).collect();
            for mut entry in dead {
                let id = entry.id();
                if let Err(error) = entry.remove_with(&id).await {
                    tracing::debug!(%error, "dead mqtt session not removed");
                }
            }
        }
    }

    /// Ends the server and gives its memory back once every session has ended.
    async fn stop(self) {
        self.server.abort();
        let ended = async {
            while 0 < self.context.connections.count() + self.context.handshakings.count() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(STOP_GRACE, ended).await.is_err() {
            tracing::warn!("mqtt sessions still open after stop");
            return;
        }
        // The context holds these two and they hold the context: without this, nothing of it is ever freed.
        *self.context.extends.shared_mut().await = Box::new(DefaultShared::new(None));
        *self.context.extends.router_mut().await = Box::new(DefaultRouter::new(None));
    }
}

async fn supervise(plain: TcpListener, encrypted: Option<Encrypted>, inner: Inner, shared: Arc<Shared>) {
    let name = &shared.config.name;
    shared.board.set_state(name, SourceState::Connected, shared.clock.now());
    let edge = Edge::new(&shared, inner.addr);
    {
        let accepting = edge.accept(plain, None);
        let accepting_encrypted = async {
            let Some(port) = encrypted else { return std::future::pending().await };
            tokio::join!(edge.accept(port.listener, Some(port.acceptor)), port.certificate.renew_forever());
        };
        let reporting = report_health(&shared);
        let sweeping = shared.connections.sweep_forever();
        let burying = inner.bury_dead_sessions();
        tokio::select! {
            () = accepting => {}
            () = accepting_encrypted => {}
            () = reporting => {}
            () = sweeping => {}
            () = burying => {}
            () = shared.stop.cancelled() => {}
        }
    }
    edge.tasks.close();
    edge.tasks.wait().await;
    inner.stop().await;
    shared.board.set_state(name, SourceState::Stopped, shared.clock.now());
}

/// Shows on the board whether messages can be committed; ends only with the broker.
async fn report_health(shared: &Shared) {
    let mut health = shared.intake.health();
    loop {
        let state = match *health.borrow_and_update() {
            IntakeHealth::Open => SourceState::Connected,
            IntakeHealth::Blocked(NotCommitted::SpoolFull) => SourceState::Blocked(BlockedReason::SpoolFull),
            IntakeHealth::Blocked(NotCommitted::SpoolFailed) => SourceState::Blocked(BlockedReason::SpoolFailed),
            IntakeHealth::Blocked(NotCommitted::Stopping) => SourceState::Stopped,
        };
        shared.board.set_state(&shared.config.name, state, shared.clock.now());
        if health.changed().await.is_err() {
            // The intake is gone: every commit is refused from now on, which the hook tells each publisher.
            std::future::pending::<()>().await;
        }
    }
}
