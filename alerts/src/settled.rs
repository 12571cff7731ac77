//! Settled history.
use bakau_model::{DatastreamName, Level, RuleId, UtcMillis};
use serde::Serialize;

use crate::AlertId;

/// One episode of the settled history: what stored observations say happened, whoever knew it when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// Identity: hash of rule, datastream number and onset.
    pub id: AlertId,
    /// The rule.
    pub rule: RuleId,
    /// The datastream.
    pub datastream: DatastreamName,
    /// `observed_at` of the first observation of the crossing.
    pub onset: UtcMillis,
    /// The worst level reached.
    pub peak: Level,
    /// `observed_at` of the observation that ended it; `None` while it lasts.
    pub end: Option<UtcMillis>,
    /// The worst value from onset to end, in the canonical unit.
    pub peak_value: f64,
    /// Usable observations from onset, without the one that ended it.
    pub count: u64,
}
