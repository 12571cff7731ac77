//! What the room can be told at start.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bakau_model::HOUR_MS;

use crate::{ChartSource, NoSources, RetryPolicy, Sources};

/// Configuration of the alert room.
#[derive(Debug, Clone)]
pub struct AlertsConfig {
    /// The alert database, `alerts.db`.
    pub path: PathBuf,
    /// Milliseconds after which an observation is too late to drive live alerts and old enough for the settled history.
    pub lateness_ms: i64,
    /// Address under which people reach the pages, without a slash at its end; messages then carry a link.
    pub public_url: Option<String>,
    /// Tells which sources there are and whether they bring messages.
    pub sources: Arc<dyn Sources>,
    /// Who draws the charts in messages; without it they go without.
    pub charts: Option<Arc<dyn ChartSource>>,
    /// When to try a failed delivery again, and when to give up.
    pub retry: RetryPolicy,
    /// Longest time between two commits of cursor B while nothing happens.
    pub commit_every: Duration,
    /// How long arriving batches are gathered before they are evaluated together.
    pub gather: Duration,
}

/// Two hours: gateways with a day's buffer reach the settled history only, short radio gaps still drive alerts.
const DEFAULT_LATENESS_MS: i64 = 2 * HOUR_MS;

impl AlertsConfig {
    /// The defaults, with the database at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lateness_ms: DEFAULT_LATENESS_MS,
            public_url: None,
            sources: Arc::new(NoSources),
            charts: None,
            retry: RetryPolicy::default(),
            commit_every: Duration::from_secs(1),
            // One wake-up per spool commit would cost more CPU than the rules; 40 ms is far below the 250 ms promised.
            gather: Duration::from_millis(40),
        }
    }
}
