//! State of the store writer, for status, pages and alerts.

use std::sync::Arc;

use bakau_model::UtcMillis;
use bakau_store::{StoreError, StoreProblem};
use parking_lot::RwLock;

/// A failed write, and every one behind it until one succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFailure {
    /// When the first of them failed.
    pub since: UtcMillis,
    /// When the last of them failed.
    pub last: UtcMillis,
    /// Why.
    pub problem: StoreProblem,
    /// The same in words for an administrator; may name machines.
    pub words: String,
}

/// State of the store writer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreStatus {
    /// When observations were last confirmed.
    pub last_write: Option<UtcMillis>,
    /// Whether the last attempt failed.
    pub failing: bool,
    /// The last failure, over or not.
    pub failure: Option<StoreFailure>,
}

impl StoreStatus {
    /// The failure, while it lasts.
    #[must_use]
    pub fn present_failure(&self) -> Option<&StoreFailure> {
        self.failure.as_ref().filter(|_| self.failing)
    }
}

/// Shared state of the store writer; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct StoreBoard(Arc<RwLock<StoreStatus>>);

impl StoreBoard {
    /// The present state.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        self.0.read().clone()
    }

    pub(crate) fn succeeded(&self, now: UtcMillis) {
        let mut status = self.0.write();
        status.last_write = Some(now);
        status.failing = false;
    }

    pub(crate) fn failed(&self, error: &StoreError, now: UtcMillis) {
        let mut status = self.0.write();
        let since = status.present_failure().map_or(now, |failure| failure.since);
        status.failing = true;
        status.failure = Some(StoreFailure { since, last: now, problem: error.problem(), words: error.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use bakau_store::StoreErrorKind;

    use super::*;

    #[test]
    fn a_failure_lasts_from_its_first_attempt_to_the_next_success() {
        let (board, at) = (StoreBoard::default(), UtcMillis::new);
        assert_eq!(board.status(), StoreStatus::default());
        board.failed(&StoreError::new(StoreErrorKind::Unavailable, "a"), at(10));
        board.failed(&StoreError::new(StoreProblem::Mapping, "b"), at(20));
        let failure = board.status().present_failure().cloned().unwrap();
        assert_eq!((failure.since, failure.last, failure.problem), (at(10), at(20), StoreProblem::Mapping));
        board.succeeded(at(30));
        let status = board.status();
        assert_eq!((status.last_write, status.present_failure()), (Some(at(30)), None));
        assert_eq!(status.failure.unwrap().last, at(20), "what went wrong last is still told");
        board.failed(&StoreError::new(StoreErrorKind::Full, "c"), at(40));
        assert_eq!(board.status().failure.unwrap().since, at(40));
    }
}
