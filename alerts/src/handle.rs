//! The handle the rest of the platform holds.

use std::sync::Arc;

use bakau_clock::Clock;
use bakau_model::{Principal, RuleId, UtcMillis};
use bakau_registry::Snapshot;
use bakau_spool::SpoolReader;
use bakau_store::Store;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    AlertDetail, AlertId, AlertQuery, AlertView, AlertsConfig, AlertsError, Episode, NoticeView, Secrets, SettledQuery,
};

/// Cheap to clone; every clone talks to the same engine.
#[derive(Debug, Clone)]
pub struct Alerts;

impl Alerts {
    /// Opens the alert database and starts engine and outbox; both end when `stop` is cancelled.
    ///
    /// # Errors
    /// When the database cannot be opened or was written by a newer Bakau.
    pub async fn start(
        _config: AlertsConfig,
        _spool: SpoolReader,
        _store: Arc<dyn Store>,
        _snapshots: watch::Receiver<Arc<Snapshot>>,
        _secrets: Arc<dyn Secrets>,
        _clock: Arc<dyn Clock>,
        _stop: CancellationToken,
    ) -> Result<Self, AlertsError> {
        todo!()
    }

    /// Waits until engine and outbox have ended after `stop`.
    pub async fn stopped(&self) {
        todo!()
    }

    /// Records that a person has taken the alert in hand.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyAcknowledged`, `Closed`, `TooLong`, or `Busy` when the engine does not answer in time.
    pub async fn acknowledge(
        &self,
        _id: &AlertId,
        _by: &Principal,
        _note: Option<String>,
    ) -> Result<AlertView, AlertsError> {
        todo!()
    }

    /// Holds back the notices of a rule until an instant; decisions are still made and logged.
    ///
    /// # Errors
    /// When no such rule is registered or the engine does not answer in time.
    pub async fn mute(&self, _rule: &RuleId, _until: UtcMillis, _by: &Principal) -> Result<(), AlertsError> {
        todo!()
    }

    /// Alerts, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self, _query: &AlertQuery) -> Result<Vec<AlertView>, AlertsError> {
        todo!()
    }

    /// One alert with its transitions and notices.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, _id: &AlertId) -> Result<Option<AlertDetail>, AlertsError> {
        todo!()
    }

    /// Notices that failed or are being tried again, worst first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn delivery_problems(&self, _limit: usize) -> Result<Vec<NoticeView>, AlertsError> {
        todo!()
    }

    /// Episodes as a pure function of stored observations older than the lateness bound.
    ///
    /// # Errors
    /// When the store cannot be read or the filter names something unknown.
    pub async fn settled(&self, _query: &SettledQuery) -> Result<Vec<Episode>, AlertsError> {
        todo!()
    }

    /// The alerts that are not closed, newest first.
    #[must_use]
    pub fn active(&self) -> Arc<Vec<AlertView>> {
        todo!()
    }

    /// Every change of an alert from now on; a slow receiver loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<AlertView>> {
        todo!()
    }
}
