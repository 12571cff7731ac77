//! Stored states of earlier formats. A format is never edited once it was released.

use std::sync::Arc;

use bakau_model::UtcMillis;
use bakau_registry::Rule;
use serde::Deserialize;

use super::{Judge, OpenAlert, SlotState, as_json};
use crate::AlertId;

/// Format 1: an acknowledgement was one of the whole alert.
#[derive(Debug, Deserialize)]
struct SlotState1 {
    judge: Judge,
    alert: Option<OpenAlert1>,
}

#[derive(Debug, Deserialize)]
struct OpenAlert1 {
    id: AlertId,
    sequence: u32,
    acknowledged: bool,
    told_at: UtcMillis,
    reminders: u32,
    #[serde(deserialize_with = "as_json::deserialize")]
    rule: Arc<Rule>,
}

/// Reads the body of format 1. What was acknowledged counts for the level that it has; alerts.db knows whether that was a
/// lower one.
pub(super) fn decode(body: &[u8]) -> Option<SlotState> {
    let SlotState1 { judge, alert } = postcard::from_bytes(body).ok()?;
    let renew = |old: OpenAlert1| OpenAlert {
        id: old.id,
        sequence: old.sequence,
        acknowledged: old.acknowledged.then(|| judge.level()),
        told_at: old.told_at,
        reminders: old.reminders,
        rule: old.rule,
    };
    let alert = alert.map(renew);
    Some(SlotState { judge, alert })
}
