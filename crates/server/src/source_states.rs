//! What the alert room has to know of the sources, from the board that the ingest room keeps.

use bakau_alerts::{SourceView, Sources};
use bakau_ingest::{SourceBoard, SourceState};

/// The board as the alert room sees it.
#[derive(Debug)]
pub(crate) struct SourceStates(pub(crate) SourceBoard);

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
        self.0.sources().into_iter().map(view).collect()
    }
}
