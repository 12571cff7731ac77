//! The tests of a whole series at once.

use bakau_model::{Flag, QualityLimits, TestResults};

use crate::{Revision, Sample, Stream};

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
