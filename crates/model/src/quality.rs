//! Tests of quality control, their limits and their results.
//!
//! Names and flag codes follow IOOS QARTOD. The tests themselves are in `crates/quality`; limits are data of the
//! parameter list, overridden per datastream in the catalogue.

use serde::{Deserialize, Serialize};

use crate::{Flag, MissingCodes};

/// A closed interval in the parameter's canonical unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Lowest value inside.
    pub min: f64,
    /// Highest value inside.
    pub max: f64,
}

/// Two limits of one test: beyond `suspect` a value is suspect, beyond `fail` it fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Beyond it the value is suspect.
    #[cfg_attr(feature = "schema", schema(required))]
    pub suspect: Option<f64>,
    /// Beyond it the value fails.
    #[cfg_attr(feature = "schema", schema(required))]
    pub fail: Option<f64>,
}

/// Limits of the flat-line test: a sensor that repeats one value for too long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FlatLine {
    /// Values that differ by no more than this count as the same, in the canonical unit.
    pub tolerance: f64,
    /// After so many seconds of event time the value is suspect.
    #[cfg_attr(feature = "schema", schema(required))]
    pub suspect_s: Option<u32>,
    /// After so many seconds of event time the value fails.
    #[cfg_attr(feature = "schema", schema(required))]
    pub fail_s: Option<u32>,
}

/// How the readings of a counter, such as a tipping bucket or a water meter, become increments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counter {
    /// The reading at which it overflows and begins again at 0, in the canonical unit; unknown where absent.
    pub max: Option<f64>,
    /// Expected milliseconds between readings: ranges hold for the increment of that time.
    pub interval_ms: i64,
}

/// The limits of every test of one datastream, in the parameter's canonical unit; a test without limits does not run.
///
/// Where the values are readings of a counter, limits hold for its increments.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct QualityLimits {
    /// Gross range: outside it the value is physically impossible and fails.
    #[cfg_attr(feature = "schema", schema(required))]
    pub fail: Option<Range>,
    /// Gross range: outside it the value is implausible and suspect.
    #[cfg_attr(feature = "schema", schema(required))]
    pub suspect: Option<Range>,
    /// Spike: how far a value lies beyond both of its neighbours, in the canonical unit.
    #[cfg_attr(feature = "schema", schema(required))]
    pub spike: Option<Step>,
    /// Rate of change: distance from the value before, per minute of event time.
    #[cfg_attr(feature = "schema", schema(required))]
    pub rate_per_min: Option<Step>,
    /// Flat line.
    #[cfg_attr(feature = "schema", schema(required))]
    pub flat_line: Option<FlatLine>,
    /// Where the values are readings of a counter; a property of the datastream, written beside its limits.
    #[serde(skip)]
    pub counter: Option<Counter>,
    /// Codes for "no value" that nobody declared: data of the registry, by the units that devices send.
    #[serde(skip)]
    pub codes: MissingCodes,
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
            counter: if own.counter.is_some() { own.counter } else { self.counter },
            codes: if own.codes.is_empty() { self.codes } else { own.codes },
        }
    }
}

crate::words! {
    /// A test of quality control.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum QualityTest {
        /// The value is within physical and local limits.
        GrossRange = 0 => "gross_range",
        /// The value stands out from both neighbours.
        Spike = 1 => "spike",
        /// The value changed too fast.
        RateOfChange = 2 => "rate_of_change",
        /// The value has not changed for too long.
        FlatLine = 3 => "flat_line",
        /// The value is no code that devices send where they have none, such as -9999, although nobody declared it.
        MissingCode = 4 => "missing_code",
        /// The clock that stamped the value does not run ahead of ours.
        Clock = 5 => "clock",
    }
}

// The code of a test is its place, and sixteen of four bits fill what is stored.
const _: () = {
    assert!(QualityTest::ALL.len() <= TestResults::MAX_TESTS, "the stored results have no room for another test");
    let mut place = 0;
    while place < QualityTest::ALL.len() {
        assert!(QualityTest::ALL[place] as usize == place, "the tests must stand in code order");
        place += 1;
    }
};

/// One flag per test, packed as stored: four bits each, 0 where the test was not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TestResults(u64);

impl TestResults {
    /// No test was evaluated.
    pub const NONE: Self = Self(0);

    /// Tests that fit into a code.
    pub const MAX_TESTS: usize = u64::BITS as usize / 4;

    /// The results of a stored code; `None` where a part is no flag, or belongs to no test that is known.
    #[must_use]
    pub fn from_code(code: u64) -> Option<Self> {
        let known = (0..Self::MAX_TESTS).all(|place| {
            let flag = (code >> (4 * place)) & 0xF;
            let is_flag = || u8::try_from(flag).ok().and_then(Flag::from_code).is_some();
            flag == 0 || (place < QualityTest::ALL.len() && is_flag())
        });
        known.then_some(Self(code))
    }

    /// The code as stored.
    #[must_use]
    pub const fn code(self) -> u64 {
        self.0
    }

    /// These results with that of one test.
    #[must_use]
    pub const fn with(self, test: QualityTest, flag: Flag) -> Self {
        let shift = 4 * test as u32;
        let code = match flag {
            Flag::NotEvaluated => 0,
            Flag::Good | Flag::Suspect | Flag::Fail | Flag::Missing => flag.code() as u64,
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_test_keeps_its_own_result(flags in prop::collection::vec(0_usize..5, QualityTest::ALL.len())) {
            let flags: Vec<Flag> = flags.into_iter().map(|place| Flag::ALL[place]).collect();
            let given = QualityTest::ALL.into_iter().zip(flags.iter().copied());
            let results = given.clone().fold(TestResults::NONE, |all, (test, flag)| all.with(test, flag));
            for (test, flag) in given {
                prop_assert_eq!(results.get(test), flag);
            }
            prop_assert_eq!(TestResults::from_code(results.code()), Some(results));
            prop_assert_eq!(results.aggregate().code(), flags.iter().map(|flag| flag.code() % 10).filter(|code| *code != 2).max().unwrap_or(2));
        }

        #[test]
        fn a_code_is_known_or_refused_and_never_changed(
            parts in prop::collection::vec(prop::sample::select(vec![0_u64, 0, 0, 0, 1, 2, 3, 4, 9, 9, 4, 1]), 16),
            odd in prop::option::weighted(0.3, (0_usize..16, 5_u64..16)),
        ) {
            let mut parts = parts;
            if let Some((place, part)) = odd {
                parts[place] = part;
            }
            // Half of the codes have nothing behind the tests that are known.
            if parts[0] == 0 {
                parts.truncate(QualityTest::ALL.len());
            }
            let code = (0..).step_by(4).zip(&parts).fold(0, |code, (shift, part)| code | part << shift);
            let known = (0..16).all(|place| match code >> (4 * place) & 0xF {
                0 => true,
                1..=4 | 9 => place < QualityTest::ALL.len(),
                _ => false,
            });
            prop_assert_eq!(TestResults::from_code(code).map(TestResults::code), known.then_some(code));
        }
    }

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
        assert_eq!(TestResults::from_code(1 << (4 * QualityTest::ALL.len())), None, "a test that nobody knows");
        assert_eq!(TestResults::from_code(1 << 63), None);
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
