//! Comparison of both stores after a copy: counts and checksums by datastream and hour.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::{DatastreamId, Observation, TestResults, UtcMillis};

use super::{CopyError, CopyEvent, PAGE_LINES, Slice, Transfer, each_slice};
use crate::{Hour, StoreCounts, StoreError, StoreVerify, sqlite::row::tests_column};

/// Counts of rows, with a checksum that does not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Current values.
    pub values: u64,
    /// Replaced values.
    pub superseded: u64,
    /// Replaced flags.
    pub reflagged: u64,
    /// CRC-32C of each row with all its columns, added up.
    pub checksum: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.superseded += other.superseded;
        self.reflagged += other.reflagged;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

/// Result of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Datastreams compared.
    pub datastreams: usize,
    /// Hours compared, of all datastreams together.
    pub hours: u64,
    /// Counts and checksum of the target.
    pub totals: Totals,
    /// Lines of the ledger.
    pub ledger_lines: u64,
    /// Points in the quarantine of the target.
    pub quarantined: u64,
    /// Values that the target cannot hold: they are in its quarantine instead.
    pub newly_quarantined: u64,
    /// Differences, one sentence each; at most [`StoreVerify::MAX_PROBLEMS`].
    pub differences: Vec<String>,
    /// Problems of the target by [`crate::Store::verify`], which came from the source.
    pub inherited: Vec<String>,
}

impl Compared {
    /// Whether the target has exactly what the source has.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    fn differs(&mut self, sentence: String) {
        if self.differences.len() + 1 < StoreVerify::MAX_PROBLEMS {
            self.differences.push(sentence);
        } else if self.differences.len() < StoreVerify::MAX_PROBLEMS {
            self.differences.push("and more".to_owned());
        }
    }
}

type Hours = BTreeMap<i64, Totals>;

/// Quarantined instants of each datastream that has some under its number.
type Quarantined = BTreeMap<u32, BTreeSet<i64>>;

pub(super) async fn everything(
    source: &dyn Transfer,
    target: &dyn Transfer,
    datastreams: &[DatastreamId],
    report: &mut (dyn FnMut(CopyEvent) + Send),
) -> Result<Compared, CopyError> {
    let mut compared = Compared { datastreams: datastreams.len(), ..Compared::default() };
    let before = quarantine(source, CopyError::Source, &mut |_| {}).await?;
    let mut quarantined = quarantine(target, CopyError::Target, &mut |_| compared.quarantined += 1).await?;
    for (datastream, instants) in &mut quarantined {
        instants.retain(|at| before.get(datastream).is_none_or(|known| !known.contains(at)));
        compared.newly_quarantined += instants.len() as u64;
    }
    let none = BTreeSet::new();
    for (index, &datastream) in datastreams.iter().enumerate() {
        let left_out = quarantined.get(&datastream.get()).unwrap_or(&none);
        let expected = hours(source, datastream, CopyError::Source, left_out).await?;
        let found = hours(target, datastream, CopyError::Target, &none).await?;
        let mut totals = Totals::default();
        for hour in found.values() {
            totals += *hour;
        }
        compared.hours += found.len() as u64;
        compared.totals += totals;
        for sentence in differences(datastream, &expected, &found) {
            compared.differs(sentence);
        }
        report(CopyEvent::Compared { datastream, index, totals });
    }
    let strangers = target.datastreams().await.map_err(CopyError::Target)?;
    for stranger in strangers.iter().filter(|stranger| !datastreams.contains(stranger)) {
        compared.differs(format!("datastream {stranger}: only the target has it"));
    }
    let (lines, sum) = ledger(source, CopyError::Source).await?;
    compared.ledger_lines = lines;
    if ledger(target, CopyError::Target).await? != (lines, sum) {
        compared.differs("the ledgers differ".to_owned());
    }
    if compared.is_equal() {
        compared.inherited = target.verify().await.map_err(CopyError::Target)?.problems;
    }
    Ok(compared)
}

/// One sentence for each hour that is not the same.
fn differences(datastream: DatastreamId, expected: &Hours, found: &Hours) -> Vec<String> {
    let all: BTreeSet<i64> = expected.keys().chain(found.keys()).copied().collect();
    let of = |hours: &Hours, hour: i64| hours.get(&hour).copied().unwrap_or_default();
    let differing = all.into_iter().filter(|&hour| of(expected, hour) != of(found, hour));
    differing
        .map(|hour| {
            let (expected, found, hour) = (of(expected, hour), of(found, hour), UtcMillis::new(hour));
            let count = |totals: Totals| {
                let Totals { values, superseded, reflagged, .. } = totals;
                format!("{values} values, {superseded} replaced values, {reflagged} replaced flags")
            };
            if count(expected) == count(found) {
                format!("datastream {datastream} in the hour of {hour}: {}, not the same ones", count(found))
            } else {
                format!(
                    "datastream {datastream} in the hour of {hour}: {}; the source has {}",
                    count(found),
                    count(expected)
                )
            }
        })
        .collect()
}

/// Sums of a datastream by hour, but for some instants.
async fn hours(
    store: &dyn Transfer,
    datastream: DatastreamId,
    failed: fn(StoreError) -> CopyError,
    left_out: &BTreeSet<i64>,
) -> Result<Hours, CopyError> {
    let mut hours = Hours::new();
    each_slice(store, datastream, None, failed, async |slice: Slice| {
        add(&mut hours, &slice, left_out);
        Ok(())
    })
    .await?;
    Ok(hours)
}

fn add(hours: &mut Hours, slice: &Slice, left_out: &BTreeSet<i64>) {
    let mut count = |at: UtcMillis, totals: Totals| {
        *hours.entry(Hour::start_of(at.get())).or_default() += totals;
    };
    for row in slice.values.iter().filter(|row| !left_out.contains(&row.observation.observed_at.get())) {
        let checksum = version(&row.observation, row.revision, (row.tests, row.increment), 0);
        count(row.observation.observed_at, Totals { values: 1, checksum, ..Totals::default() });
    }
    for row in &slice.superseded {
        let verdict = (row.tests, row.increment);
        let checksum = version(&row.observation, row.revision, verdict, row.recorded_at.get());
        count(row.observation.observed_at, Totals { superseded: 1, checksum, ..Totals::default() });
    }
    for row in &slice.reflagged {
        let tests = tests_column(row.tests);
        let numbers = [row.observed_at.get(), row.revision.into(), row.flag.code().into(), tests];
        let checksum = crc(&numbers, crc(&[row.recorded_at.get(), bits(row.increment)], 0));
        count(row.observed_at, Totals { reflagged: 1, checksum: checksum.into(), ..Totals::default() });
    }
}

fn version(
    observation: &Observation,
    revision: u32,
    (tests, increment): (TestResults, Option<f64>),
    recorded_at: i64,
) -> u64 {
    let numbers = [
        observation.observed_at.get(),
        observation.received_at.get(),
        observation.deployment.get().into(),
        observation.time_source.code().into(),
        observation.flag.code().into(),
        revision.into(),
        tests_column(tests),
        recorded_at,
        bits(observation.value),
        bits(increment),
    ];
    crc(&numbers, 0).into()
}

/// A number or its absence, bit by bit.
fn bits(value: Option<f64>) -> i64 {
    value.map_or(-1, |value| value.to_bits().cast_signed())
}

fn crc(numbers: &[i64], before: u32) -> u32 {
    numbers.iter().fold(before, |sum, number| crc32c::crc32c_append(sum, &number.to_le_bytes()))
}

/// Everything in quarantine under the number of a datastream; `each` is called with the series of every point.
async fn quarantine(
    store: &dyn Transfer,
    failed: fn(StoreError) -> CopyError,
    each: &mut (dyn FnMut(&str) + Send),
) -> Result<Quarantined, CopyError> {
    let (mut quarantined, mut after) = (Quarantined::new(), None);
    loop {
        let page = store.quarantine(after, PAGE_LINES).await.map_err(failed)?;
        for point in &page {
            each(&point.series);
            if let Some(datastream) = point.datastream() {
                quarantined.entry(datastream.get()).or_default().insert(point.observed_at.get());
            }
        }
        let Some(last) = page.last() else { return Ok(quarantined) };
        after = Some((last.series.clone(), last.observed_at));
    }
}

/// Number of lines and their checksum.
async fn ledger(store: &dyn Transfer, failed: fn(StoreError) -> CopyError) -> Result<(u64, u32), CopyError> {
    let (mut lines, mut sum, mut after) = (0, 0, None);
    loop {
        let page = store.ledger_lines(after, PAGE_LINES).await.map_err(failed)?;
        for (key, counts) in &page {
            lines += 1;
            sum = crc(&[key.minute.get()], crc32c::crc32c_append(sum, key.source.as_str().as_bytes()));
            let StoreCounts { stored, duplicate, corrected, ignored_missing } = *counts;
            for count in [stored, duplicate, corrected, ignored_missing] {
                sum = crc32c::crc32c_append(sum, &count.to_le_bytes());
            }
        }
        let Some((last, _)) = page.last() else { return Ok((lines, sum)) };
        after = Some(last.clone());
    }
}
