//! Sources and store as rules watch them, from the boards that ingest keeps.

use bakau_alerts::{Endpoint, EndpointView, Sources};
use bakau_ingest::{SourceBoard, SourceState, StoreBoard};
use bakau_model::UtcMillis;

/// The boards as the alert engine reads them.
#[derive(Debug)]
pub(crate) struct SourceStates {
    pub(crate) sources: SourceBoard,
    pub(crate) store: StoreBoard,
}

impl SourceStates {
    /// Rules about the store watch how long it has been taking nothing.
    fn store(&self) -> EndpointView {
        let status = self.store.status();
        let down = status.present_failure().map(|failure| failure.since);
        let since = down.or(status.last_write).unwrap_or(UtcMillis::new(0));
        EndpointView { endpoint: Endpoint::Store, up: down.is_none(), since }
    }
}

impl Sources for SourceStates {
    fn endpoints(&self) -> Vec<EndpointView> {
        let up = |state| match state {
            // What ended on purpose is nobody's alarm.
            SourceState::Connected | SourceState::Stopped => true,
            SourceState::Connecting | SourceState::Blocked(_) => false,
        };
        let view = |status: bakau_ingest::SourceStatus| EndpointView {
            up: up(status.state),
            endpoint: Endpoint::Source(status.name),
            since: status.since,
        };
        self.sources.sources().into_iter().map(view).chain([self.store()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::{BlockedReason, SourceKind, SourceName};

    use super::*;

    #[test]
    fn a_source_is_up_unless_it_brings_nothing_and_so_is_the_store() {
        let boards = SourceStates { sources: SourceBoard::default(), store: StoreBoard::default() };
        let at = UtcMillis::new(1_000);
        let blocked = SourceState::Blocked(BlockedReason::Refused);
        let states = [SourceState::Connected, SourceState::Stopped, SourceState::Connecting, blocked];
        for (name, state) in ["a", "b", "c", "d"].into_iter().zip(states) {
            let name = SourceName::new(name).unwrap();
            boards.sources.register(&name, SourceKind::Client, UtcMillis::new(0));
            boards.sources.set_state(&name, state, at);
        }
        let views = boards.endpoints();
        let up: Vec<_> = views.iter().map(|view| (view.endpoint.clone(), view.up)).collect();
        let source = |name: &str, up| (Endpoint::Source(SourceName::new(name).unwrap()), up);
        let sources = [source("a", true), source("b", true), source("c", false), source("d", false)];
        assert_eq!(up, [&sources[..], &[(Endpoint::Store, true)]].concat());
        assert_eq!(views[3].since, at, "how long a source is down counts from its last change");
    }
}
