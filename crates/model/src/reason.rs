//! Reasons why a value is suspect or failed, for people.

use serde::{Deserialize, Serialize};

use crate::{Flag, QualityTest, TestResults};

crate::words! {
    /// Why a value is suspect or fails: one per test, and where it matters how badly.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum Reason {
        /// Outside what physics or the instrument allows.
        Impossible => "impossible",
        /// Outside what is plausible here.
        Implausible => "implausible",
        /// It stands out from both neighbours.
        Spike => "spike",
        /// It changed too fast.
        RateOfChange => "rate_of_change",
        /// It has not changed for too long.
        FlatLine => "flat_line",
        /// It is a code for "no value".
        MissingCode => "missing_code",
        /// It may be one: a value that could be real, and came twice.
        PossibleCode => "possible_code",
        /// The clock that stamped it is ahead.
        Clock => "clock",
    }
}

impl Reason {
    /// The reason that a test gives which suspects or fails a value.
    const fn of(test: QualityTest, fails: bool) -> Self {
        match test {
            QualityTest::GrossRange if fails => Self::Impossible,
            QualityTest::GrossRange => Self::Implausible,
            QualityTest::Spike => Self::Spike,
            QualityTest::RateOfChange => Self::RateOfChange,
            QualityTest::FlatLine => Self::FlatLine,
            QualityTest::MissingCode if fails => Self::MissingCode,
            QualityTest::MissingCode => Self::PossibleCode,
            QualityTest::Clock => Self::Clock,
        }
    }
}

impl TestResults {
    /// Why the value is doubted, in the order of the tests; nothing for one that is not. A code for "no value" is reason
    /// enough: that it is outside the range, too, tells nobody more.
    pub fn reasons(self) -> impl Iterator<Item = Reason> {
        let is_code = self.get(QualityTest::MissingCode) == Flag::Fail;
        let doubted = QualityTest::ALL.into_iter().filter_map(move |test| match self.get(test) {
            Flag::Suspect => Some(Reason::of(test, false)),
            Flag::Fail => Some(Reason::of(test, true)),
            Flag::Good | Flag::NotEvaluated | Flag::Missing => None,
        });
        doubted.filter(move |reason| !is_code || *reason != Reason::Impossible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(results: &[(QualityTest, Flag)]) -> Vec<&'static str> {
        let all = results.iter().fold(TestResults::NONE, |all, (test, flag)| all.with(*test, *flag));
        all.reasons().map(Reason::key).collect()
    }

    #[test]
    fn only_tests_with_something_against_the_value_are_reasons() {
        use QualityTest::{Clock, FlatLine, GrossRange, MissingCode, Spike};
        assert_eq!(reasons(&[(GrossRange, Flag::Good), (Spike, Flag::Good)]), [""; 0]);
        assert_eq!(reasons(&[(GrossRange, Flag::Suspect), (Clock, Flag::Suspect)]), ["implausible", "clock"]);
        assert_eq!(reasons(&[(GrossRange, Flag::Fail)]), ["impossible"]);
        assert_eq!(reasons(&[(GrossRange, Flag::Fail), (MissingCode, Flag::Fail)]), ["missing_code"]);
        assert_eq!(reasons(&[(MissingCode, Flag::Suspect), (FlatLine, Flag::Fail)]), ["flat_line", "possible_code"]);
    }
}
