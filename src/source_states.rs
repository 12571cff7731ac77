//! Sources and store as rules watch them, from the boards that ingest keeps.

use bakau_alerts::{SourceView, Sources};
use bakau_ingest::{SourceBoard, SourceState, StoreBoard};
use bakau_model::{SourceName, UtcMillis};

/// The boards as the alert engine reads them.
#[derive(Debug)]
pub(crate) struct SourceStates {
    pub(crate) sources: SourceBoard,
    pub(crate) store: StoreBoard,
}

impl SourceStates {
    /// The store as if it were a source: rules about it watch how long it has been taking nothing.
    fn store(&self) -> Option<SourceView> {
        let status = self.store.status();
        let down = status.present_failure().map(|failure| failure.since);
        let since = down.or(status.last_write).unwrap_or(UtcMillis::new(0));
        Some(SourceView { name: SourceName::new(SourceName::STORE).ok()?, up: down.is_none(), since })
    }
}

impl Sources for SourceStates {
    fn sources(&self) -> Vec<SourceView> {
        let up = |state| match state {
            // What ended on purpose is nobody's alarm.
            SourceState::Connected | SourceState::Stopped => true,
            SourceState::Connecting | SourceState::Blocked(_) => false,
        };
        let view = |status: bakau_ingest::SourceStatus| SourceView {
            up: up(status.state),
            name: status.name,
            since: status.since,
        };
        self.sources.sources().into_iter().map(view).chain(self.store()).collect()
    }
}
