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

#[cfg(test)]
mod tests {
    use bakau_model::{BlockedReason, SourceKind};

    use super::*;

    #[test]
    fn a_source_is_up_unless_it_brings_nothing_and_the_store_is_watched_like_one() {
        let boards = SourceStates { sources: SourceBoard::default(), store: StoreBoard::default() };
        let at = UtcMillis::new(1_000);
        let blocked = SourceState::Blocked(BlockedReason::Refused);
        let states = [SourceState::Connected, SourceState::Stopped, SourceState::Connecting, blocked];
        for (name, state) in ["a", "b", "c", "d"].into_iter().zip(states) {
            let name = SourceName::new(name).unwrap();
            boards.sources.register(&name, SourceKind::Client, UtcMillis::new(0));
            boards.sources.set_state(&name, state, at);
        }
        let views = boards.sources();
        let up: Vec<_> = views.iter().map(|view| (view.name.as_str(), view.up)).collect();
        assert_eq!(up, [("a", true), ("b", true), ("c", false), ("d", false), (SourceName::STORE, true)]);
        assert_eq!(views[3].since, at, "how long a source is down counts from its last change");
    }
}
