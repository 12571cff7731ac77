//! Alerts whose state was lost: none stays open for ever.

use std::sync::Arc;

use bakau_model::{Level, UtcMillis};
use bakau_registry::Rule;

use super::Runner;
use crate::{
    AlertView,
    db::Decision,
    engine::{Reason, SlotKey, Subject, Told, Transition},
};

impl Runner {
    /// Closes alerts the engine no longer knows because their state was unreadable: none stays open for ever.
    pub(super) async fn close_forgotten(&mut self) {
        for alert in self.given.shared.active.load_full().iter().filter(|alert| !self.engine.is_open(alert.id)) {
            // The rule change just taken has decided the end of some of them.
            let ends =
                |decision: &Decision| matches!(decision, Decision::Transition { facts, .. } if facts.alert == alert.id);
            if self.pending.decisions.iter().any(ends) {
                continue;
            }
            let key = self.subject_of(alert).map(|subject| SlotKey { subject, rule: alert.rule.clone() });
            let known = key.and_then(|key| Some((Arc::clone(self.engine.rule(&key)?), key.subject)));
            let sequence = match self.given.db.last_sequence(alert.id).await {
                Ok(sequence) => sequence.saturating_add(1),
                Err(error) => {
                    tracing::error!(%error, alert = %alert.id, "an alert without engine state cannot be closed");
                    continue;
                }
            };
            let Some((rule, subject)) = known else {
                tracing::error!(alert = %alert.id, "an alert without engine state has no rule any more and stays listed");
                continue;
            };
            let transition =
                forgotten(alert, subject, rule, sequence, (self.snapshot.revision, self.given.clock.now()));
            let decision = self.transition(&transition, None);
            self.pending.decisions.extend(decision);
        }
    }

    fn subject_of(&self, alert: &AlertView) -> Option<Subject> {
        Some(match (&alert.datastream, &alert.station, &alert.source) {
            (Some(name), ..) => Subject::Datastream(self.snapshot.datastream(name)?.number),
            (None, Some(station), _) => Subject::Station(station.clone()),
            (None, None, Some(source)) => Subject::Source(source.clone()),
            (None, None, None) => Subject::Store,
        })
    }
}

fn forgotten(
    alert: &AlertView,
    subject: Subject,
    rule: Arc<Rule>,
    sequence: u32,
    (rule_revision, decided_at): (u64, UtcMillis),
) -> Transition {
    Transition {
        alert: alert.id,
        sequence,
        rule,
        rule_revision,
        subject,
        told: Told {
            from: alert.level,
            to: Level::Normal,
            peak: alert.peak,
            onset: alert.onset,
            onset_at_latest: alert.onset_at_latest,
            observed_at: alert.updated,
            value: alert.value.zip(alert.flag),
            worst: alert.worst.zip(alert.worst_at),
            heard: None,
        },
        reason: Reason::StateLost,
        decided_at,
        muted_until: None,
        tells: true,
    }
}
