//! Values in answers: the members that present values and history have in common.

use bakau_model::{Reason, TimeSource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{FlagCode, Time, told};

/// A value with its quality.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredValue {
    /// Instrument value in the canonical unit, before calibration; of a counter the reading. Null where the device said
    /// that it has none.
    #[schema(required)]
    pub value: Option<f64>,
    /// Of a counter: what was counted since the reading before; null where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<f64>)]
    pub increment: Option<Option<f64>>,
    /// Its quality.
    pub flag: FlagCode,
}

/// A value with the results of its tests and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestedValue {
    /// The value.
    #[serde(flatten)]
    pub measured: MeasuredValue,
    /// One flag per test, in the order of the answer's member `tests`.
    pub tests: String,
    /// Why it is suspect or fails; only where it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Who stamped `observed_at`.
    pub time_source: TimeSource,
    /// When Bakau received it.
    pub received_at: Time,
}
