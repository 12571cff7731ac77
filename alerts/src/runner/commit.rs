//! What was decided becomes durable and is shown, or is kept and tried again.

use std::sync::Arc;

use bakau_model::{DatastreamId, RuleId};
use bakau_spool::Consumer;
use tokio::time::Instant;

use super::Runner;
use crate::{
    AlertView, PendingView,
    db::{Commit, DbError, Decision},
    engine::Pending,
    metrics::METRICS,
};

impl Runner {
    pub(super) async fn commit_if_due(&mut self) {
        let decided = !self.pending.decisions.is_empty() || !self.pending.outcomes.is_empty();
        let rested = self.given.commit_every <= self.last_try.elapsed();
        if (decided && !self.failing) || rested {
            self.last_try = Instant::now();
            self.commit().await;
        }
    }

    pub(super) async fn commit(&mut self) {
        self.pending.states.extend(self.engine.take_dirty());
        self.pending.heard.extend(self.engine.take_heard());
        self.pending.waiting.extend(self.ahead.take_changed());
        let pending = &self.pending;
        let nothing_decided = pending.decisions.is_empty() && pending.outcomes.is_empty() && pending.waiting.is_empty();
        if nothing_decided && pending.states.is_empty() && pending.heard.is_empty() && pending.cursor == self.committed
        {
            return;
        }
        let pending = Arc::new(std::mem::take(&mut self.pending));
        let committed = self.given.db.commit(Arc::clone(&pending)).await;
        // The other handle went with the work: nothing is copied.
        self.pending = Arc::unwrap_or_clone(pending);
        match committed {
            Ok(views) => {
                self.committed(views);
                self.given.reserve.renew().await;
            }
            Err(error) => {
                self.not_committed(&error);
                self.given.reserve.give_back();
            }
        }
    }

    fn committed(&mut self, views: Vec<AlertView>) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("decisions are committed again");
        }
        let cursor = self.pending.cursor;
        let done = std::mem::replace(&mut self.pending, Commit { cursor, ..Commit::default() });
        self.committed = cursor;
        self.given.spool.report(Consumer::Alerts, cursor);
        METRICS.cursor.set(cursor.get().cast_signed());
        let now = self.given.clock.now();
        for decision in &done.decisions {
            if let Decision::Transition { facts, received_at, .. } = decision {
                METRICS.transitions.with_label_values(&[facts.level.key()]).inc();
                if let Some(received_at) = received_at {
                    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay")]
                    METRICS.decision_seconds.observe(now.since(*received_at).max(0) as f64 / 1000.0);
                }
            }
        }
        if !views.is_empty() {
            self.show(views);
            self.given.shared.notifications.notify_one();
        }
        if !done.outcomes.is_empty() {
            self.given.shared.answered.send_modify(|commits| *commits = commits.wrapping_add(1));
        }
    }

    fn not_committed(&mut self, error: &DbError) {
        METRICS.commit_failures.inc();
        if !std::mem::replace(&mut self.failing, true) {
            let waiting = self.pending.decisions.len();
            tracing::error!(%error, waiting, "decisions cannot be committed, evaluation goes on and they are tried again");
        }
    }

    /// Shows which levels wait for their hold time. Nothing of it is stored: it follows from the states that are.
    pub(super) fn show_pending(&mut self) {
        let Some(pending) = self.engine.take_pending() else { return };
        let view = |(rule, datastream, Pending { level, since, until }): (RuleId, DatastreamId, Pending)| {
            let datastream = self.snapshot.datastreams.get(&datastream)?.name.clone();
            Some(PendingView { rule, datastream, level, since, until })
        };
        let views = pending.into_iter().filter_map(view).collect();
        self.given.shared.pending.store(Arc::new(views));
    }

    fn show(&self, views: Vec<AlertView>) {
        let mut active = Vec::clone(&self.given.shared.active.load());
        active.retain(|shown| views.iter().all(|changed| changed.id != shown.id));
        active.extend(views.iter().filter(|view| view.closed_at.is_none()).cloned());
        active.sort_by_key(|view| std::cmp::Reverse((view.opened_at, view.id)));
        self.given.shared.active.store(Arc::new(active));
        for view in views {
            // Nobody listening is fine.
            let _receivers = self.given.shared.changes.send(Arc::new(view));
        }
    }
}
