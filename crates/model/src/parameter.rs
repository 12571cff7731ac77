//! Parameters: what can be measured, with canonical unit and plausible ranges.

use serde::{Deserialize, Serialize};

use crate::{FlatLine, MissingCodes, Parameter, QualityLimits, Range, Step, Text, Unit};

/// One row of the parameter code list; the list itself is data in the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterInfo {
    /// The code.
    pub code: Parameter,
    /// Name shown to people.
    pub name: Text,
    /// Canonical unit (UCUM) values are stored in.
    pub unit: Unit,
    /// CF standard name, where there is one.
    pub cf_name: Option<String>,
    /// Molar mass in g/mol of a gas whose share can be converted to a mass in air.
    pub molar_mass: Option<f64>,
    /// Outside this range the value is physically impossible.
    pub fail: Option<Range>,
    /// Outside this range the value is implausible in East Java.
    pub suspect: Option<Range>,
    /// Spike test: distance beyond both neighbours, in the canonical unit.
    pub spike: Option<Step>,
    /// Rate-of-change test, in canonical units per minute.
    pub rate_per_min: Option<Step>,
    /// Flat-line test.
    pub flat_line: Option<FlatLine>,
    /// Whether values are amounts of a stretch of time, which add up: only those can come from a counter.
    #[serde(default)]
    pub amount: bool,
    /// For how many seconds the ranges of an amount hold; for longer intervals they are as many times wider.
    pub ranges_per_s: Option<u32>,
    /// Whether its range holds for every site at once, so wide that codes for "no value" lie within it: a datastream
    /// should have its own.
    #[serde(default)]
    pub site_range: bool,
    /// Decimal places shown on pages.
    pub decimals: u8,
    /// Where the ranges come from and how sure they are.
    pub source: String,
}

impl ParameterInfo {
    /// The limits of quality control that hold where a datastream with this expected interval has none of its own.
    #[must_use]
    pub fn limits(&self, interval_s: u32) -> QualityLimits {
        let times = self.ranges_per_s.map_or(1.0, |per_s| (f64::from(interval_s) / f64::from(per_s)).max(1.0));
        let wider = |Range { min, max }| Range { min, max: max * times };
        QualityLimits {
            fail: self.fail.map(wider),
            suspect: self.suspect.map(wider),
            spike: self.spike,
            rate_per_min: self.rate_per_min,
            flat_line: self.flat_line,
            counter: None,
            codes: MissingCodes::NONE,
        }
    }
}
