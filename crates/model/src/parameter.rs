//! Parameters: what can be measured, with canonical unit and plausible ranges.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FlatLine, InvalidId, MissingCodes, QualityLimits, Range, StationId, Step, Text, Unit};

/// The code of a parameter, such as `pm25`, `do` or `water_level`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[a-z0-9_-]{1,64}$"))]
pub struct Parameter(Arc<str>);

impl Parameter {
    /// Checks and wraps a code.
    ///
    /// ```
    /// use bakau_model::Parameter;
    ///
    /// assert_eq!(Parameter::new("pm25")?.as_str(), "pm25");
    /// assert!(Parameter::new("PM2.5").is_err());
    /// # Ok::<(), bakau_model::InvalidId>(())
    /// ```
    ///
    /// # Errors
    /// When it has other characters than `[a-z0-9_-]`.
    pub fn new(code: &str) -> Result<Self, InvalidId> {
        // The same grammar as every other id part; the station id is its plainest holder.
        StationId::new(code).map(|checked| Self(Arc::from(checked.as_str())))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Parameter {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl std::borrow::Borrow<str> for Parameter {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

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
    #[serde(default)]
    pub cf_name: Option<String>,
    /// Molar mass in g/mol of a gas whose share can be converted to a mass in air.
    #[serde(default)]
    pub molar_mass: Option<f64>,
    /// Outside this range the value is physically impossible.
    #[serde(default)]
    pub fail: Option<Range>,
    /// Outside this range the value is implausible in East Java.
    #[serde(default)]
    pub suspect: Option<Range>,
    /// Spike test: distance beyond both neighbours, in the canonical unit.
    #[serde(default)]
    pub spike: Option<Step>,
    /// Rate-of-change test, in canonical units per minute.
    #[serde(default)]
    pub rate_per_min: Option<Step>,
    /// Flat-line test.
    #[serde(default)]
    pub flat_line: Option<FlatLine>,
    /// Whether values are amounts of a stretch of time, which add up: only those can come from a counter.
    #[serde(default)]
    pub amount: bool,
    /// For how many seconds the ranges of an amount hold; for longer intervals they are as many times wider.
    #[serde(default)]
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
