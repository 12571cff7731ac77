//! What the engine holds values against: rules of the registry, and what sources there are.

use std::sync::Arc;

use super::Runner;
use crate::engine::{Input, RuleSet, SourceView};

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

    /// Tells the engine what has changed with the sources; a new one may have rules. Before each evaluation, so that the
    /// engine knows the source of whatever arrived.
    pub(super) fn take_sources(&mut self) {
        let views = self.sources.sources();
        // Since when one has been up decides nothing.
        let alike = |(one, two): (&SourceView, &SourceView)| {
            one.name == two.name && one.up == two.up && (one.up || one.since == two.since)
        };
        if views.len() == self.source_views.len() && views.iter().zip(&self.source_views).all(alike) {
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
