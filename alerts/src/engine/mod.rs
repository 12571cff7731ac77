//! engine
use serde::{Deserialize, Serialize};
/// Why a level changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An observation crossed a threshold of the rule.
    Threshold,
    /// The rule's thresholds, direction, hold time or datastream changed.
    RuleChanged,
    /// The rule is no longer registered.
    RuleRemoved,
}
