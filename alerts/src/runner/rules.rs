//! What the engine holds values against: rules of the registry, and what sources there are.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Runner;
use crate::engine::{Input, RuleSet};

/// A source that is down is told of after minutes, not seconds.
const LOOK_AT_SOURCES_EVERY: Duration = Duration::from_secs(1);

impl Runner {
    pub(super) fn take_rules(&mut self, first: bool) {
        if !first && !self.snapshots.has_changed().unwrap_or(false) {
            return;
        }
        self.snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        self.change_rules();
    }

    fn change_rules(&mut self) {
        let now = self.clock.now();
        let names = self.source_views.iter().map(|source| source.name.clone()).collect();
        let effects = self.engine.step(now, Input::RuleChange(RuleSet::of(&self.snapshot, &names)));
        self.decide(effects, None, None);
        let effects = self.engine.step(now, Input::Sources(self.source_views.clone()));
        self.decide(effects, None, None);
    }

    /// Tells the engine what has changed with the sources; a new one may have rules.
    pub(super) fn take_sources(&mut self) {
        // At a start they come one after the other, the first of them soon.
        if !self.source_views.is_empty() && self.last_look.elapsed() < LOOK_AT_SOURCES_EVERY {
            return;
        }
        self.last_look = Instant::now();
        let views = self.sources.sources();
        if views == self.source_views {
            return;
        }
        let same = views.iter().map(|source| &source.name).eq(self.source_views.iter().map(|source| &source.name));
        self.source_views = views;
        if !same {
            return self.change_rules();
        }
        let effects = self.engine.step(self.clock.now(), Input::Sources(self.source_views.clone()));
        self.decide(effects, None, None);
    }
}
