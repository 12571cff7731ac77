//! A row of the tables of values in our types.

use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, TestResults, TimeSource, UtcMillis};
use rusqlite::Row;

use crate::{StoredObservation, metrics};

/// Columns of both tables of values in the order that [`RawRow::read`] expects.
pub(crate) const COLUMNS: &str =
    "datastream, observed_at, revision, value, flag, tests, deployment, time_source, received_at, increment";

/// A row as SQLite holds it, before anything of it is believed.
pub(crate) struct RawRow {
    pub(crate) datastream: i64,
    pub(crate) observed_at: i64,
    pub(crate) revision: i64,
    value: Option<f64>,
    flag: i64,
    tests: i64,
    deployment: i64,
    time_source: i64,
    received_at: i64,
    increment: Option<f64>,
}

impl RawRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            datastream: row.get(0)?,
            observed_at: row.get(1)?,
            revision: row.get(2)?,
            value: row.get(3)?,
            flag: row.get(4)?,
            tests: row.get(5)?,
            deployment: row.get(6)?,
            time_source: row.get(7)?,
            received_at: row.get(8)?,
            increment: row.get(9)?,
        })
    }

    /// The row in our types, or what is wrong with it.
    pub(crate) fn check(&self) -> Result<StoredObservation, &'static str> {
        let datastream = u32::try_from(self.datastream).map_err(|_| "the datastream number is out of range")?;
        let revision = u32::try_from(self.revision).ok().filter(|&revision| revision != 0);
        let (flag, tests) = verdict(self.flag, self.tests)?;
        let deployment = u32::try_from(self.deployment).map_err(|_| "the deployment number is out of range")?;
        let time_source = u8::try_from(self.time_source).ok().and_then(TimeSource::from_code);
        fits(self.value, flag)?;
        let increment = increment(self.increment)?;
        let observation = Observation {
            datastream: DatastreamId::new(datastream),
            observed_at: UtcMillis::new(self.observed_at),
            value: self.value,
            deployment: DeploymentId::new(deployment),
            time_source: time_source.ok_or("the time source is unknown")?,
            received_at: UtcMillis::new(self.received_at),
            flag,
        };
        let revision = revision.ok_or("the revision is not positive")?;
        Ok(StoredObservation { observation, revision, tests, increment })
    }

    /// The row in our types; a damaged one is named and left out, so that the others stay readable.
    pub(crate) fn accept(&self) -> Option<StoredObservation> {
        let checked = self.check();
        checked.map_err(|what| metrics::damaged_row(self.datastream, self.observed_at, what)).ok()
    }
}

/// Whether value and flag say the same, or what is wrong with them.
pub(crate) fn fits(value: Option<f64>, flag: Flag) -> Result<(), &'static str> {
    if value.is_none() != (flag == Flag::Missing) {
        return Err("a value and the flag 'missing' exclude each other");
    }
    if value.is_some_and(|value| !value.is_finite()) {
        return Err("the value is no finite number");
    }
    Ok(())
}

/// An increment, or what is wrong with it.
pub(crate) fn increment(increment: Option<f64>) -> Result<Option<f64>, &'static str> {
    let is_sound = increment.is_none_or(|increment| increment.is_finite() && 0.0 <= increment);
    if is_sound { Ok(increment) } else { Err("the increment is negative or no finite number") }
}

/// A flag, or what is wrong with it.
pub(crate) fn flag_of(code: i64) -> Result<Flag, &'static str> {
    u8::try_from(code).ok().and_then(Flag::from_code).ok_or("the flag is no QARTOD code")
}

/// Results as they stand in a column: SQLite has no unsigned numbers.
pub(crate) const fn tests_column(tests: TestResults) -> i64 {
    tests.code().cast_signed()
}

/// A flag and its tests, or what is wrong with them.
pub(crate) fn verdict(flag: i64, tests: i64) -> Result<(Flag, TestResults), &'static str> {
    let flag = flag_of(flag)?;
    let tests = TestResults::from_code(tests.cast_unsigned()).ok_or("a test has no QARTOD code")?;
    if tests != TestResults::NONE && flag != Flag::Missing && flag != tests.aggregate() {
        return Err("the flag is not the worst of its tests");
    }
    Ok((flag, tests))
}

/// A count of a row; a negative one is damage.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
