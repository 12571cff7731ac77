//! The shared status of all sources, read by API and pages.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bakau_model::{BlockedReason, SourceKind, SourceName, UtcMillis};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// Last wills kept, one per device; beyond this the one with the oldest change is forgotten.
const MAX_DEVICES: usize = 100_000;

/// What a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum SourceState {
    /// Trying to reach its broker, or to open its port.
    Connecting,
    /// Receiving.
    Connected,
    /// Reachable, but taking no messages, or not all of them.
    Blocked(BlockedReason),
    /// Ended on purpose.
    Stopped,
}

impl SourceState {
    /// The stable key used in the API and in message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Blocked(_) => "blocked",
            Self::Stopped => "stopped",
        }
    }
}

/// One source as API and pages see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// Name in the configuration.
    pub name: SourceName,
    /// Embedded broker or client of an external one.
    pub kind: SourceKind,
    /// Present state.
    pub state: SourceState,
    /// Start of the present state.
    pub since: UtcMillis,
    /// Arrival of the last message.
    pub last_message: Option<UtcMillis>,
    /// Messages since start, whatever became of them.
    pub messages: u64,
    /// Connections opened since start.
    pub connections: u64,
    /// The last thing that went wrong, in words for an administrator; `None` while connected.
    pub problem: Option<String>,
    /// What an external broker lost or may have lost, as far as it can be seen from outside; `None` for the embedded
    /// broker, which acknowledges only what is stored.
    pub external: Option<ExternalBroker>,
}

/// Messages that were lost inside an external broker, as far as its own counters and sessions tell.
///
/// Kept across restarts of Bakau. Only mosquitto publishes these counters; behind another broker they stay at their
/// start values and `counters` is false.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalBroker {
    /// Whether the broker publishes its counters (`$SYS/broker/...`).
    pub counters: bool,
    /// Messages that were lost in the broker by its own counters, since Bakau first saw it, also in the ledger: those it
    /// says it dropped because a queue was full, for whichever of its subscribers, and those it received for Bakau
    /// while somebody else had the session.
    pub lost_in_broker: u64,
    /// When that number last grew.
    pub last_lost: Option<UtcMillis>,
    /// Messages the broker holds now, for all of its subscribers.
    pub holds: Option<u64>,
    /// How often the broker was seen to have restarted. After a crash (not after a clean stop) it has forgotten what it
    /// acknowledged after its last save; how much that was cannot be seen from outside.
    pub restarts: u64,
    /// When the last restart was noticed.
    pub last_restart: Option<UtcMillis>,
    /// How often the broker no longer had Bakau's session where it should have had one: everything it had queued for
    /// Bakau, and what was published until Bakau subscribed again, is lost.
    pub sessions_lost: u64,
    /// When that was last noticed.
    pub last_session_lost: Option<UtcMillis>,
    /// How often the broker said that another client took Bakau's session over. MQTT 3.1.1 has no word for it.
    pub takeovers: u64,
    /// When it last said so.
    pub last_takeover: Option<UtcMillis>,
    /// How often a session was lost or taken over while the counters cannot say how many messages that cost, if any.
    pub uncounted_losses: u64,
    /// When that last happened.
    pub last_uncounted_loss: Option<UtcMillis>,
}

/// Whether a device is connected, and what its last will said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceStatus {
    /// The source it is connected to.
    pub source: SourceName,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name, where it gave one.
    pub username: Option<String>,
    /// Whether it is connected.
    pub online: bool,
    /// When that last changed.
    pub since: UtcMillis,
    /// The text of its last will (at most 200 characters), where it left one when it went away.
    pub will: Option<String>,
    /// The topic of that last will.
    pub will_topic: Option<String>,
    /// How often another connection with the same client id pushed it out since start; a growing number means that
    /// two devices share one client id.
    pub takeovers: u64,
}

#[derive(Debug)]
struct Row {
    kind: SourceKind,
    state: SourceState,
    since: UtcMillis,
    connections: u64,
    traffic: Arc<Traffic>,
    problem: Option<String>,
    external: Option<ExternalBroker>,
}

/// Counters of one source, updated without a lock.
#[derive(Debug)]
pub struct Traffic {
    messages: AtomicU64,
    last_message: AtomicI64,
}

/// Instant that stands for "no message yet" in [`Traffic`].
const NEVER: i64 = i64::MIN;

impl Traffic {
    /// Counts messages that arrived at an instant.
    pub fn arrived(&self, messages: u64, at: UtcMillis) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.last_message.store(at.get(), Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Rows {
    sources: BTreeMap<SourceName, Row>,
    devices: BTreeMap<(SourceName, String), DeviceStatus>,
}

/// The status of every source and of the devices behind the embedded broker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SourceBoard {
    rows: Arc<RwLock<Rows>>,
}

impl SourceBoard {
    /// Adds a source in state `connecting`, or finds it again; returns its message counters.
    pub fn register(&self, name: &SourceName, kind: SourceKind, now: UtcMillis) -> Arc<Traffic> {
        let mut rows = self.rows.write();
        let row = rows.sources.entry(name.clone()).or_insert_with(|| Row {
            kind,
            state: SourceState::Connecting,
            since: now,
            connections: 0,
            problem: None,
            external: None,
            traffic: Arc::new(Traffic { messages: AtomicU64::new(0), last_message: AtomicI64::new(NEVER) }),
        });
        Arc::clone(&row.traffic)
    }

    /// Sets the state of a registered source; returns whether it changed.
    pub fn set_state(&self, name: &SourceName, state: SourceState, now: UtcMillis) -> bool {
        let mut rows = self.rows.write();
        let Some(row) = rows.sources.get_mut(name) else { return false };
        if row.state == state {
            return false;
        }
        row.state = state;
        row.since = now;
        if state == SourceState::Connected {
            row.problem = None;
        }
        crate::metrics::source_connected(name, state == SourceState::Connected);
        true
    }

    /// Sets the problem of a registered source, in words; cleared when it is connected again.
    pub(crate) fn set_problem(&self, name: &SourceName, problem: String) {
        if let Some(row) = self.rows.write().sources.get_mut(name) {
            row.problem = Some(problem);
        }
    }

    /// Sets the losses inside the external broker of a registered source.
    pub(crate) fn set_external(&self, name: &SourceName, external: ExternalBroker) {
        if let Some(row) = self.rows.write().sources.get_mut(name) {
            row.external = Some(external);
        }
    }

    /// Counts a connection of a registered source.
    pub(crate) fn connection_opened(&self, name: &SourceName) {
        if let Some(row) = self.rows.write().sources.get_mut(name) {
            row.connections += 1;
        }
    }

    /// Every source, by name.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceStatus> {
        let rows = self.rows.read();
        let status = |(name, row): (&SourceName, &Row)| {
            let last = row.traffic.last_message.load(Ordering::Relaxed);
            SourceStatus {
                name: name.clone(),
                kind: row.kind,
                state: row.state,
                since: row.since,
                last_message: (last != NEVER).then_some(UtcMillis::new(last)),
                messages: row.traffic.messages.load(Ordering::Relaxed),
                connections: row.connections,
                problem: row.problem.clone(),
                external: row.external.clone(),
            }
        };
        rows.sources.iter().map(status).collect()
    }

    /// Sets the status of a device.
    pub(crate) fn set_device(&self, status: DeviceStatus) {
        let mut rows = self.rows.write();
        let key = (status.source.clone(), status.client_id.clone());
        if MAX_DEVICES <= rows.devices.len() && !rows.devices.contains_key(&key) {
            let oldest = rows.devices.iter().min_by_key(|(_, device)| device.since).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                rows.devices.remove(&oldest);
            }
        }
        rows.devices.insert(key, status);
    }

    /// Every device that connected or disconnected since start, by source and client id.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceStatus> {
        self.rows.read().devices.values().cloned().collect()
    }
}
