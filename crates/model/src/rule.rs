//! Thresholds of rules.

use serde::{Deserialize, Serialize};

crate::words! {
    /// Which way a threshold is crossed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum Direction {
        /// High values are bad.
        Above => "above",
        /// Low values are bad.
        Below => "below",
        /// Both high and low values are bad.
        Outside => "outside",
    }
}

/// Raise and clear value of one level, in the parameter's canonical unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// At or beyond this value the level holds.
    pub raise: f64,
    /// Back behind this value the level ends; between the two nothing changes.
    pub clear: f64,
}
