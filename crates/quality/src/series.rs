//! The tests of a whole series at once.

use bakau_model::{Flag, Observation, QualityLimits, TestResults, UtcMillis};

use crate::{Revision, Stream};

/// What a value is judged by, beside its neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was measured, by the clock of whoever stamped it.
    pub at: UtcMillis,
    /// The value; `None` (and anything that is no finite number) is a missing one.
    pub value: Option<f64>,
    /// When it arrived, by our clock.
    pub received_at: UtcMillis,
}

/// One that arrived the moment it was measured.
impl From<(UtcMillis, Option<f64>)> for Sample {
    fn from((at, value): (UtcMillis, Option<f64>)) -> Self {
        Self { at, value, received_at: at }
    }
}

impl From<&Observation> for Sample {
    fn from(observation: &Observation) -> Self {
        let Observation { observed_at: at, value, received_at, .. } = *observation;
        Self { at, value, received_at }
    }
}

/// The results of every value of a series in strictly increasing event time.
#[must_use]
pub fn evaluate<R: Into<Sample> + Copy>(limits: &QualityLimits, series: &[R]) -> Vec<TestResults> {
    count(limits, series).into_iter().map(|(results, _)| results).collect()
}

/// The results and, of a counter, the increment of every value of a series in strictly increasing event time.
#[must_use]
pub fn count<R: Into<Sample> + Copy>(limits: &QualityLimits, series: &[R]) -> Vec<(TestResults, Option<f64>)> {
    let mut stream = Stream::new();
    let mut all: Vec<(TestResults, Option<f64>)> = Vec::with_capacity(series.len());
    for &reading in series {
        let judgement = stream.judge(limits, reading.into());
        if let Some(Revision { at: revised_at, results, increment }) = judgement.revises
            && let Ok(index) = series[..all.len()].binary_search_by_key(&revised_at, |&reading| reading.into().at)
        {
            all[index] = (results, increment);
        }
        all.push((judgement.results, judgement.increment));
    }
    all
}

/// The flag of a value with these results: *missing* stays missing whatever the tests say.
#[must_use]
pub fn flag(value: Option<f64>, results: TestResults) -> Flag {
    match value {
        Some(_) => results.aggregate(),
        None => Flag::Missing,
    }
}
