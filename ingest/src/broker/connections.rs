//! The open connections, shared by edge and hooks.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use bakau_model::{MINUTE_MS, UtcMillis};
use parking_lot::{Mutex, RwLock};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::metrics;
use crate::{Intake, intake::OpenConnection};

/// How long a connection without a publish counts as one the committer may wait for.
const WINDOW_IDLE: Duration = Duration::from_millis(100);

/// Longest a new connection with the same client id waits for the old session's end.
const DETACH_PATIENCE: Duration = Duration::from_secs(5);

/// Client ids remembered after their connection ended, for the number of takeovers.
const MAX_CLIENTS_REMEMBERED: usize = 10_000;

/// Two takeovers of one client id within this time are two devices, not one that lost its network.
const TAKEOVER_SUSPICIOUS_MS: i64 = MINUTE_MS;

/// Why the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// A packet or payload above the limit.
    TooLarge,
    /// The stream is not MQTT.
    Malformed,
    /// Another connection came with its client id.
    TakenOver,
    /// The device is no longer registered, or has a new token.
    NoLongerAllowed,
    /// The message could not be made durable in time.
    NotCommitted,
    /// The spool is full.
    SpoolFull,
    /// Bakau is stopping.
    Stopping,
}

impl Closing {
    /// Reason code of an MQTT 5 DISCONNECT (MQTT 5.0, table 3-10).
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::TooLarge => 0x95,
            Self::Malformed => 0x81,
            Self::TakenOver => 0x8e,
            Self::NoLongerAllowed => 0x87,
            Self::NotCommitted => 0x89,
            Self::SpoolFull => 0x97,
            Self::Stopping => 0x8b,
        }
    }
}

/// Who a connection belongs to, once it has authenticated.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) client_id: Arc<str>,
    pub(super) username: Arc<str>,
    /// The digest its token was checked against; a registry with another one ends the connection.
    pub(super) token_sha256: String,
}

/// One connection of a device.
#[derive(Debug)]
pub(super) struct Connection {
    /// Counts up over all connections of the source.
    pub(super) epoch: u64,
    pub(super) peer: SocketAddr,
    /// MQTT protocol level, 0 before the CONNECT.
    pub(super) protocol: AtomicU8,
    pub(super) identity: OnceLock<Identity>,
    /// Whether its last will was delivered.
    pub(super) will_sent: AtomicBool,
    port: u16,
    /// Whether its end has begun.
    ending: AtomicBool,
    /// Whether rmqtt holds a session for it, and whether that session is gone.
    attached: AtomicBool,
    detached: CancellationToken,
    closing: OnceLock<Closing>,
    closed: CancellationToken,
    published: AtomicBool,
    window: Mutex<Option<OpenConnection>>,
}

impl Connection {
    /// Asks the edge to end the connection; the first reason counts.
    pub(super) fn close(&self, reason: Closing) {
        let _ = self.closing.set(reason);
        self.closed.cancel();
    }

    /// Resolves when somebody asked to end the connection.
    pub(super) async fn close_requested(&self) {
        self.closed.cancelled().await;
    }

    /// Marks the connection as ending, whoever asked for it.
    pub(super) fn ends(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Resolves when rmqtt has forgotten the session, or after a while: a session that waits for a commit takes longer.
    pub(super) async fn detached(&self) {
        if self.attached.load(Ordering::Relaxed) {
            let _ = timeout(DETACH_PATIENCE, self.detached.cancelled()).await;
        }
    }

    /// Reason for which the server ends the connection; `None` while it does not.
    pub(super) fn closing(&self) -> Option<Closing> {
        self.closing.get().copied()
    }

    /// Whether it speaks MQTT 5.
    pub(super) fn is_v5(&self) -> bool {
        self.protocol.load(Ordering::Relaxed) == 5
    }

    /// Notes a publish: from now on the committer may wait for its next message, until it falls silent.
    pub(super) fn publishing(&self, intake: &Intake) {
        if !self.published.swap(true, Ordering::Relaxed) {
            self.window.lock().get_or_insert_with(|| intake.open_connection(1));
        }
    }
}

/// A connection inside rmqtt's session; dropped with it.
#[derive(Debug)]
pub(super) struct Attached(Arc<Connection>);

impl Attached {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        connection.attached.store(true, Ordering::Relaxed);
        Self(connection)
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.0)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.detached.cancel();
    }
}

#[derive(Debug)]
struct Client {
    connection: Option<Arc<Connection>>,
    takeovers: u64,
    last_takeover: Option<UtcMillis>,
    warned: Option<UtcMillis>,
}

/// Takeover of an older connection by a new one with the same client id.
#[derive(Debug)]
pub(super) struct Takeover {
    /// The older connection, which was asked to close.
    pub(super) older: Arc<Connection>,
    /// Takeovers of this client id since start.
    pub(super) count: u64,
    /// Whether it looks like two devices and was not logged within the last minute.
    pub(super) warn: bool,
}

/// All connections of the broker.
#[derive(Debug, Default)]
pub(super) struct Connections {
    next_epoch: AtomicU64,
    /// By the port the edge connects to rmqtt from, which is all an rmqtt hook knows of the edge.
    by_port: RwLock<HashMap<u16, Arc<Connection>>>,
    by_client: Mutex<HashMap<Arc<str>, Client>>,
}

impl Connections {
    pub(super) fn open(&self, port: u16, peer: SocketAddr) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            epoch: self.next_epoch.fetch_add(1, Ordering::Relaxed) + 1,
            peer,
            protocol: AtomicU8::new(0),
            identity: OnceLock::new(),
            will_sent: AtomicBool::new(false),
            port,
            ending: AtomicBool::new(false),
            attached: AtomicBool::new(false),
            detached: CancellationToken::new(),
            closing: OnceLock::new(),
            closed: CancellationToken::new(),
            published: AtomicBool::new(false),
            window: Mutex::new(None),
        });
        let mut by_port = self.by_port.write();
        by_port.insert(port, Arc::clone(&connection));
        metrics::connections(by_port.len());
        connection
    }

    pub(super) fn by_port(&self, port: u16) -> Option<Arc<Connection>> {
        self.by_port.read().get(&port).cloned()
    }

    /// Gives a connection its identity and ends an older one with the same client id.
    pub(super) fn identify(
        &self,
        connection: &Arc<Connection>,
        identity: Identity,
        now: UtcMillis,
    ) -> Option<Takeover> {
        let client_id = Arc::clone(&identity.client_id);
        let _ = connection.identity.set(identity);
        let mut by_client = self.by_client.lock();
        if MAX_CLIENTS_REMEMBERED <= by_client.len() {
            by_client.retain(|_, client| client.connection.is_some());
        }
        let client = by_client.entry(client_id).or_insert_with(|| Client {
            connection: None,
            takeovers: 0,
            last_takeover: None,
            warned: None,
        });
        let older = client.connection.replace(Arc::clone(connection))?;
        if older.ending.load(Ordering::Relaxed) {
            // The device reconnected before its old connection was cleared away: no takeover.
            return Some(Takeover { older, count: client.takeovers, warn: false });
        }
        older.close(Closing::TakenOver);
        let recent = |at: Option<UtcMillis>| at.is_some_and(|at| now.since(at) < TAKEOVER_SUSPICIOUS_MS);
        let warn = recent(client.last_takeover) && !recent(client.warned);
        client.takeovers += 1;
        client.last_takeover = Some(now);
        if warn {
            client.warned = Some(now);
        }
        metrics::takeover();
        Some(Takeover { older, count: client.takeovers, warn })
    }

    /// Takeovers of the client id of `connection`; `None` when a newer connection has it.
    pub(super) fn takeovers_if_current(&self, connection: &Connection) -> Option<u64> {
        let identity = connection.identity.get()?;
        let by_client = self.by_client.lock();
        let client = by_client.get(&identity.client_id)?;
        let current = client.connection.as_ref().is_some_and(|current| current.epoch == connection.epoch);
        current.then_some(client.takeovers)
    }

    /// Forgets a connection that ended.
    pub(super) fn closed(&self, connection: &Connection) {
        connection.window.lock().take();
        {
            let mut by_port = self.by_port.write();
            if by_port.get(&connection.port).is_some_and(|held| held.epoch == connection.epoch) {
                by_port.remove(&connection.port);
            }
            metrics::connections(by_port.len());
        }
        let Some(identity) = connection.identity.get() else { return };
        let mut by_client = self.by_client.lock();
        let Some(client) = by_client.get_mut(&identity.client_id) else { return };
        if client.connection.as_ref().is_some_and(|held| held.epoch == connection.epoch) {
            client.connection = None;
            if client.takeovers == 0 {
                by_client.remove(&identity.client_id);
            }
        }
    }

    /// Stops the committer from waiting for connections that fell silent; never ends.
    ///
    /// Without this, a thousand sleeping devices would make it wait the whole linger for each message of an awake one.
    pub(super) async fn sweep_forever(&self) {
        let mut ticks = tokio::time::interval(WINDOW_IDLE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for connection in self.by_port.read().values() {
                if !connection.published.swap(false, Ordering::Relaxed) {
                    connection.window.lock().take();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { client_id: Arc::from("probe"), username: Arc::from("prb-01"), token_sha256: String::new() }
    }

    fn open(connections: &Connections, port: u16) -> Arc<Connection> {
        connections.open(port, ([127, 0, 0, 1], 1).into())
    }

    #[test]
    fn a_second_takeover_within_a_minute_is_warned_of_once_a_minute() {
        let connections = Connections::default();
        let mut warned = Vec::new();
        for second in [0, 10, 20, 30, 75, 300] {
            let connection = open(&connections, 1_000 + u16::try_from(second).unwrap());
            let takeover = connections.identify(&connection, identity(), UtcMillis::new(second * 1_000));
            warned.push(takeover.map(|takeover| takeover.warn));
        }
        let expected = [None, Some(false), Some(true), Some(false), Some(false), Some(false)];
        assert_eq!(warned, expected);
    }

    #[test]
    fn only_the_older_connection_is_closed_by_a_takeover() {
        let connections = Connections::default();
        let (first, second) = (open(&connections, 1), open(&connections, 2));
        assert!(connections.identify(&first, identity(), UtcMillis::new(0)).is_none());
        let takeover = connections.identify(&second, identity(), UtcMillis::new(0)).unwrap();
        assert_eq!((takeover.older.epoch, takeover.count, takeover.warn), (first.epoch, 1, false));
        assert_eq!((first.closing(), second.closing()), (Some(Closing::TakenOver), None));
        connections.closed(&first);
        assert_eq!(connections.takeovers_if_current(&first), None);
        assert_eq!(connections.takeovers_if_current(&second), Some(1));
    }

    #[test]
    fn a_quick_reconnect_is_no_takeover() {
        let connections = Connections::default();
        let (first, second) = (open(&connections, 1), open(&connections, 2));
        connections.identify(&first, identity(), UtcMillis::new(0));
        first.ends();
        let takeover = connections.identify(&second, identity(), UtcMillis::new(0)).unwrap();
        assert_eq!((takeover.count, first.closing()), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_committer_waits_only_for_connections_that_published_lately() {
        let (connections, intake) = (Connections::default(), Intake::new());
        let (busy, silent) = (open(&connections, 1), open(&connections, 2));
        assert!(intake.everyone_waits(), "a connection that never published is waited for");
        busy.publishing(&intake);
        silent.publishing(&intake);
        assert!(!intake.everyone_waits());
        let publish_on = async {
            for _ in 0..20 {
                tokio::time::sleep(WINDOW_IDLE / 4).await;
                busy.publishing(&intake);
            }
        };
        tokio::select! { () = connections.sweep_forever() => {}, () = publish_on => {} }
        assert!(silent.window.lock().is_none() && busy.window.lock().is_some());
        connections.closed(&busy);
        assert!(intake.everyone_waits());
    }

    #[test]
    fn a_closed_connection_is_forgotten() {
        let connections = Connections::default();
        let connection = open(&connections, 1);
        connections.identify(&connection, identity(), UtcMillis::new(0));
        connections.closed(&connection);
        assert!(connections.by_port(1).is_none());
        assert!(connections.by_client.lock().is_empty());
    }
}
