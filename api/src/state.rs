//! What handlers share: handles to the other crates, caches and bounds.

use std::{ops::Deref, sync::Arc};

use bakau_alerts::Alerts;
use bakau_clock::Clock;
use bakau_ingest::{IntakeHealth, LatestTable, SourceBoard, StoreBoard};
use bakau_model::StoreKind;
use bakau_registry::{Registry, Snapshot};
use bakau_spool::SpoolReader;
use bakau_store::Store;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    http::{admission::Admission, token::TokenGuard},
    live::{
        event_log::{EventLog, Feeds},
        shown::StateWatch,
    },
    read::{last_day::LastDayCache, latest::LatestCache},
};

/// Open event streams; each holds one connection and a few kilobytes.
const MAX_EVENT_STREAMS: usize = 1_000;
/// Downloads at once; each keeps a page of observations in memory and a store reader busy.
const MAX_EXPORTS: usize = 8;
/// Charts drawn at once: drawing is pure CPU, and the line from sensor to alert shares these cores.
const MAX_DRAWINGS: usize = 2;

/// Settings of the API, from `bakau.toml`.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Whether values, charts and pages can be read without the admin token.
    pub open_read: bool,
    /// Bound of the spool, shown on the status page.
    pub spool_max_bytes: u64,
    /// What keeps the history.
    pub store_kind: StoreKind,
    /// Address at which people reach the pages, where that is known.
    pub public_url: Option<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { open_read: true, spool_max_bytes: 0, store_kind: StoreKind::Embedded, public_url: None }
    }
}

/// The handles that the API works with.
#[derive(Debug)]
pub struct AppParts {
    /// Agencies, stations, datastreams, rules and the admin token.
    pub registry: Registry,
    /// History.
    pub store: Arc<dyn Store>,
    /// Quarantine, ledgers and how far consumers are.
    pub spool: SpoolReader,
    /// Present values.
    pub latest: LatestTable,
    /// Alerts: state, history, acknowledgement.
    pub alerts: Alerts,
    /// Status of the sources.
    pub board: SourceBoard,
    /// How writing to the store goes.
    pub store_board: StoreBoard,
    /// Whether messages are being made durable.
    pub intake: watch::Receiver<IntakeHealth>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Settings of the API.
    pub config: ApiConfig,
    /// Ends open event streams when cancelled.
    pub stop: CancellationToken,
}

/// Shared by every handler; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    parts: Arc<AppParts>,
    /// Caches and bounds of the API.
    pub(crate) own: Arc<Own>,
}

/// Caches and bounds of the API.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) token: TokenGuard,
    pub(crate) latest: LatestCache,
    pub(crate) last_day: LastDayCache,
    pub(crate) events: EventLog,
    pub(crate) states: StateWatch,
    pub(crate) admission: Admission,
    pub(crate) event_streams: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) drawings: Arc<Semaphore>,
}

impl AppState {
    /// Takes the handles of the other crates.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        let feeds = Feeds {
            latest: parts.latest.clone(),
            alerts: parts.alerts.clone(),
            registry: parts.registry.clone(),
            clock: Arc::clone(&parts.clock),
            stop: parts.stop.clone(),
        };
        let own = Own {
            token: TokenGuard::new(parts.registry.clone()),
            latest: LatestCache::default(),
            last_day: LastDayCache::new(Arc::clone(&parts.store), parts.registry.clone()),
            events: EventLog::new(feeds),
            states: StateWatch::default(),
            admission: Admission::default(),
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            exports: Arc::new(Semaphore::new(MAX_EXPORTS)),
            drawings: Arc::new(Semaphore::new(MAX_DRAWINGS)),
        };
        Self { parts: Arc::new(parts), own: Arc::new(own) }
    }

    /// The registry as it is now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.registry.snapshot()
    }
}

impl Deref for AppState {
    type Target = AppParts;
    fn deref(&self) -> &AppParts {
        &self.parts
    }
}
