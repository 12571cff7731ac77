//! A real spool and a real store in a temporary directory, filled without a committer.

use std::sync::Arc;

use bakau_model::{
    DatastreamId, DatastreamName, DeploymentId, Flag, Observation, Parameter, QualityLimits, StationId, StationStatus,
    TimeSource, Unit, UtcMillis,
};
use bakau_registry::{Datastream, Snapshot};
use bakau_spool::{BatchDraft, Spool, SpoolConfig, SpoolReader};
use bakau_store::{Store, embedded::EmbeddedStore};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::process::testing::envelope;

pub(crate) struct House {
    pub(crate) spool: Spool,
    pub(crate) reader: SpoolReader,
    pub(crate) store: Arc<dyn Store>,
    _directory: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("spool.db");
        let (spool, reader) = Spool::open(&SpoolConfig { path, max_bytes: 1 << 30, keep_messages: 65_535 }).unwrap();
        let store = Arc::new(EmbeddedStore::open(&directory.path().join("series.db")).unwrap());
        Self { spool, reader, store, _directory: directory }
    }

    /// Spools one batch with these observations.
    pub(crate) fn spool(&mut self, observations: &[Observation]) {
        self.spool_with(observations, Vec::new());
    }

    /// Spools a message that arrived at this instant with a reading that is refused as one from the future.
    pub(crate) fn refuse(&mut self, reading: &str, detail: &str, received_at: i64) {
        let received_at = UtcMillis::new(received_at);
        let quarantine = bakau_spool::QuarantineDraft {
            envelope: 0,
            reading: Some(reading.to_owned()),
            reason: bakau_model::QuarantineReason::InFuture,
            detail: detail.to_owned(),
        };
        let draft = BatchDraft {
            envelopes: vec![bakau_model::Envelope { received_at, ..envelope("bakau/s1/data", "{}") }],
            quarantine: vec![quarantine],
            ..BatchDraft::default()
        };
        self.spool.append(&draft).unwrap();
    }

    /// Spools one batch with these observations and statuses.
    pub(crate) fn spool_with(&mut self, observations: &[Observation], statuses: Vec<StationStatus>) {
        let draft = BatchDraft {
            statuses,
            envelopes: vec![envelope("bakau/s1/data", "{}")],
            observations: observations.iter().map(|observation| (0, *observation)).collect(),
            ..BatchDraft::default()
        };
        self.spool.append(&draft).unwrap();
    }
}

/// Snapshots of a registry in which nothing is registered: no limits, no verdicts.
pub(crate) fn nothing_registered() -> watch::Receiver<Arc<Snapshot>> {
    watch::channel(Arc::default()).1
}

/// Snapshots of a registry with datastream 1, which has these limits.
pub(crate) fn registered(limits: QualityLimits) -> watch::Receiver<Arc<Snapshot>> {
    watch::channel(registered_anew(limits)).1
}

/// A snapshot of such a registry.
pub(crate) fn registered_anew(limits: QualityLimits) -> Arc<Snapshot> {
    let name = DatastreamName::new("s1", "do", None).unwrap();
    let datastream = Datastream {
        number: DatastreamId::new(1),
        station: StationId::new("s1").unwrap(),
        name,
        parameter: Parameter::new("do").unwrap(),
        unit: Unit::new("mg/L"),
        interval_ms: 60_000,
        vertical_datum: None,
        limits,
    };
    let datastream = Arc::new(datastream);
    let by_name = [(datastream.name.clone(), Arc::clone(&datastream))].into();
    let datastreams = [(datastream.number, datastream)].into();
    Arc::new(Snapshot { datastreams, by_name, ..Snapshot::default() })
}

pub(crate) fn observation(datastream: u32, observed_at: i64, received_at: i64, value: f64) -> Observation {
    Observation {
        datastream: DatastreamId::new(datastream),
        observed_at: UtcMillis::new(observed_at),
        value: Some(value),
        deployment: DeploymentId::new(0),
        time_source: TimeSource::Device,
        received_at: UtcMillis::new(received_at),
        flag: Flag::NotEvaluated,
    }
}
