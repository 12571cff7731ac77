//! What the engine holds values against: rules of the registry, and what sources there are.

use std::sync::Arc;

use super::Runner;
use crate::engine::{Endpoint, EndpointView, Input, RuleSet};

impl Runner {
    pub(super) fn take_rules(&mut self, first: bool) {
        if !first && !self.given.snapshots.has_changed().unwrap_or(false) {
            return;
        }
        self.snapshot = Arc::clone(&self.given.snapshots.borrow_and_update());
        self.change_rules();
    }

    fn change_rules(&mut self) {
        let now = self.given.clock.now();
        let names = self.endpoints.iter().filter_map(|view| match &view.endpoint {
            Endpoint::Source(name) => Some(name.clone()),
            Endpoint::Store => None,
        });
        let names = names.collect();
        self.decide(now, Input::RuleChange(RuleSet::of(&self.snapshot, &names)), None, None);
        self.decide(now, Input::Endpoints(self.endpoints.clone()), None, None);
    }

    /// Tells the engine what has changed with the sources; a new one may have rules. Before each evaluation, so that the
    /// engine knows the source of whatever arrived.
    pub(super) fn take_endpoints(&mut self) {
        let views = self.given.sources.endpoints();
        // Since when one has been up decides nothing.
        let alike = |(one, two): (&EndpointView, &EndpointView)| {
            one.endpoint == two.endpoint && one.up == two.up && (one.up || one.since == two.since)
        };
        if views.len() == self.endpoints.len() && views.iter().zip(&self.endpoints).all(alike) {
            return;
        }
        let same = views.iter().map(|view| &view.endpoint).eq(self.endpoints.iter().map(|view| &view.endpoint));
        self.endpoints = views;
        if !same {
            return self.change_rules();
        }
        self.decide(self.given.clock.now(), Input::Endpoints(self.endpoints.clone()), None, None);
    }
}
