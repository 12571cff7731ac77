//! What quality control checks, and one result per test.
//!
//! Names and flag codes follow IOOS QARTOD. The tests themselves are in `crates/quality`; limits are data of the
//! parameter list, overridden per datastream in the catalogue.

use serde::{Deserialize, Serialize};

use crate::{Flag, Range};

/// Two limits of one test: beyond `suspect` a value is suspect, beyond `fail` it fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Beyond it the value is suspect.
    #[serde(default)]
    pub suspect: Option<f64>,
    /// Beyond it the value fails.
    #[serde(default)]
    pub fail: Option<f64>,
}

/// A sensor that says the same for too long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlatLine {
    /// Values that differ by no more than this count as the same, in the canonical unit.
    pub tolerance: f64,
    /// After so many seconds of event time the value is suspect.
    #[serde(default)]
    pub suspect_s: Option<u32>,
    /// After so many seconds of event time the value fails.
    #[serde(default)]
    pub fail_s: Option<u32>,
}

/// The limits of every test of one datastream, in the parameter's canonical unit; a test without limits does not run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityLimits {
    /// Gross range: outside it the value is physically impossible and fails.
    #[serde(default)]
    pub fail: Option<Range>,
    /// Gross range: outside it the value is implausible and suspect.
    #[serde(default)]
    pub suspect: Option<Range>,
    /// Spike: how far a value lies beyond both of its neighbours, in the canonical unit.
    #[serde(default)]
    pub spike: Option<Step>,
    /// Rate of change: distance from the value before, per minute of event time.
    #[serde(default)]
    pub rate_per_min: Option<Step>,
    /// Flat line.
    #[serde(default)]
    pub flat_line: Option<FlatLine>,
}

impl QualityLimits {
    /// These limits, with those of `own` in their place where it has any.
    #[must_use]
    pub const fn overridden_by(self, own: &Self) -> Self {
        Self {
            fail: if own.fail.is_some() { own.fail } else { self.fail },
            suspect: if own.suspect.is_some() { own.suspect } else { self.suspect },
            spike: if own.spike.is_some() { own.spike } else { self.spike },
            rate_per_min: if own.rate_per_min.is_some() { own.rate_per_min } else { self.rate_per_min },
            flat_line: if own.flat_line.is_some() { own.flat_line } else { self.flat_line },
        }
    }
}

/// A test of quality control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum QualityTest {
    /// The value is within physical and local limits.
    GrossRange = 0,
    /// The value stands out from both neighbours.
    Spike = 1,
    /// The value changed too fast.
    RateOfChange = 2,
    /// The value has not changed for too long.
    FlatLine = 3,
}

impl QualityTest {
    /// Every test, in code order.
    pub const ALL: [Self; 4] = [Self::GrossRange, Self::Spike, Self::RateOfChange, Self::FlatLine];

    /// The stable key used in the API and in message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::GrossRange => "gross_range",
            Self::Spike => "spike",
            Self::RateOfChange => "rate_of_change",
            Self::FlatLine => "flat_line",
        }
    }
}

/// One flag per test, packed as stored: four bits each, 0 where the test was not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TestResults(u32);

impl TestResults {
    /// No test was evaluated.
    pub const NONE: Self = Self(0);

    /// The results of a stored code; `None` where a part is no flag.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        let known = QualityTest::ALL.into_iter().all(|test| {
            let flag = (code >> (4 * test as u32)) & 0xF;
            flag == 0 || u8::try_from(flag).ok().and_then(Flag::from_code).is_some()
        });
        (known && code >> (4 * QualityTest::ALL.len()) == 0).then_some(Self(code))
    }

    /// The code as stored.
    #[must_use]
    pub const fn code(self) -> u32 {
        self.0
    }

    /// These results with that of one test.
    #[must_use]
    pub const fn with(self, test: QualityTest, flag: Flag) -> Self {
        let shift = 4 * test as u32;
        let code = match flag {
            Flag::NotEvaluated => 0,
            Flag::Good | Flag::Suspect | Flag::Fail | Flag::Missing => flag.code() as u32,
        };
        Self((self.0 & !(0xF << shift)) | (code << shift))
    }

    /// The result of one test.
    #[must_use]
    pub fn get(self, test: QualityTest) -> Flag {
        let code = (self.0 >> (4 * test as u32)) & 0xF;
        u8::try_from(code).ok().and_then(Flag::from_code).unwrap_or(Flag::NotEvaluated)
    }

    /// The worst result of the tests that ran (QARTOD aggregate); *not evaluated* where none did.
    #[must_use]
    pub fn aggregate(self) -> Flag {
        let ran = QualityTest::ALL.into_iter().map(|test| self.get(test)).filter(|flag| *flag != Flag::NotEvaluated);
        ran.max_by_key(|flag| flag.code()).unwrap_or(Flag::NotEvaluated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregate_is_the_worst_of_the_tests_that_ran() {
        let results = TestResults::NONE.with(QualityTest::GrossRange, Flag::Good);
        assert_eq!(results.aggregate(), Flag::Good);
        let results = results.with(QualityTest::Spike, Flag::Suspect);
        assert_eq!((results.aggregate(), results.get(QualityTest::FlatLine)), (Flag::Suspect, Flag::NotEvaluated));
        assert_eq!(TestResults::from_code(results.code()), Some(results));
        assert_eq!(results.with(QualityTest::Spike, Flag::NotEvaluated).aggregate(), Flag::Good);
    }

    #[test]
    fn a_code_with_unknown_parts_is_refused() {
        assert_eq!(TestResults::from_code(5), None);
        assert_eq!(TestResults::from_code(1 << 16), None);
        assert_eq!(TestResults::from_code(0x3001).map(TestResults::aggregate), Some(Flag::Suspect));
    }

    #[test]
    fn limits_of_a_datastream_replace_those_of_its_parameter_one_by_one() {
        let parameter = QualityLimits { fail: Some(Range { min: 0.0, max: 14.0 }), ..QualityLimits::default() };
        let own = QualityLimits { suspect: Some(Range { min: 6.0, max: 9.0 }), ..QualityLimits::default() };
        let both = parameter.overridden_by(&own);
        assert_eq!((both.fail, both.suspect), (parameter.fail, own.suspect));
    }
}
