//! The decision about a value: new, duplicate, correction or ignored missing; and the verdict about it.

use bakau_model::{Flag, Observation, TestResults};
use rusqlite::{CachedStatement, OptionalExtension, Row, Transaction};

use super::row::tests_column;
use crate::{StoreError, StoredObservation, Verdict};

pub(crate) enum Outcome {
    /// The row of a new key.
    Stored(StoredObservation),
    Duplicate,
    Corrected,
    /// Nothing changed: the key has a number.
    IgnoredMissing,
}

/// The statements of one group. A new key takes one statement; only a known key takes the others.
pub(crate) struct Table<'t> {
    insert: CachedStatement<'t>,
    find: CachedStatement<'t>,
    keep_old: CachedStatement<'t>,
    replace: CachedStatement<'t>,
    confirm: CachedStatement<'t>,
    find_flag: CachedStatement<'t>,
    keep_flag: CachedStatement<'t>,
    reflag: CachedStatement<'t>,
}

impl<'t> Table<'t> {
    pub(crate) fn prepare(transaction: &'t Transaction<'_>) -> Result<Self, StoreError> {
        let insert = transaction.prepare_cached(
            "INSERT INTO recent (datastream, observed_at, value, flag, tests, deployment, time_source, received_at,
             increment, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1) ON CONFLICT DO NOTHING",
        )?;
        let find = transaction.prepare_cached("SELECT value FROM recent WHERE datastream = ?1 AND observed_at = ?2")?;
        let keep_old = transaction.prepare_cached(
            "INSERT INTO superseded (datastream, observed_at, revision, value, flag, tests, deployment, time_source,
             received_at, increment, recorded_at)
             SELECT datastream, observed_at, revision, value, flag, tests, deployment, time_source, received_at,
             increment, ?3
             FROM recent WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        let replace = transaction.prepare_cached(
            "UPDATE recent SET value = ?3, flag = ?4, tests = ?5, deployment = ?6, time_source = ?7, received_at = ?8,
             increment = ?9, revision = revision + 1 WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        let confirm = transaction.prepare_cached(
            "UPDATE recent SET tests = ?4 WHERE datastream = ?1 AND observed_at = ?2 AND flag = ?3 AND tests <> ?4
             AND increment IS ?5",
        )?;
        let find_flag = transaction.prepare_cached(
            "SELECT flag, tests, revision, increment FROM recent WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        // Of two changes recorded at one instant the older flag is the one that was known until then.
        let keep_flag = transaction.prepare_cached(
            "INSERT INTO reflagged (datastream, observed_at, revision, recorded_at, flag, tests, increment)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?;
        let reflag = transaction.prepare_cached(
            "UPDATE recent SET flag = ?3, tests = ?4, increment = ?5 WHERE datastream = ?1 AND observed_at = ?2",
        )?;
        Ok(Self { insert, find, keep_old, replace, confirm, find_flag, keep_flag, reflag })
    }

    /// Puts a value, with the verdict about it where there is one.
    pub(crate) fn put(&mut self, observation: &Observation, verdict: Option<&Verdict>) -> Result<Outcome, StoreError> {
        let value = storable(observation.value);
        let (flag, tests, increment) = match (value, verdict) {
            (None, _) => (Flag::Missing, TestResults::NONE, None),
            (Some(_), Some(verdict)) => (verdict.tests.aggregate(), verdict.tests, storable(verdict.increment)),
            (Some(_), None) => (observation.flag, TestResults::NONE, None),
        };
        let (datastream, observed_at) = (observation.datastream.get(), observation.observed_at.get());
        let rest = (observation.deployment.get(), observation.time_source.code(), observation.received_at.get());
        let row = (datastream, observed_at, value, flag.code(), tests_column(tests), rest.0, rest.1, rest.2, increment);
        if self.insert.execute(row)? == 1 {
            let observation = Observation { value, flag, ..*observation };
            return Ok(Outcome::Stored(StoredObservation { observation, revision: 1, tests, increment }));
        }
        let held: Option<f64> = self.find.query_row((datastream, observed_at), |row| row.get(0))?;
        let outcome = match (held.map(f64::to_bits), value.map(f64::to_bits)) {
            (held, value) if held == value => Outcome::Duplicate,
            (Some(_), None) => Outcome::IgnoredMissing,
            (Some(_) | None, _) => {
                self.keep_old.execute((datastream, observed_at, rest.2))?;
                self.replace.execute(row)?;
                return Ok(Outcome::Corrected);
            }
        };
        verdict.map_or(Ok(()), |verdict| self.judge(verdict))?;
        Ok(outcome)
    }

    /// Gives a stored value its verdict; a flag or an increment that this takes back is kept.
    pub(crate) fn judge(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        let (datastream, observed_at) = (verdict.datastream.get(), verdict.observed_at.get());
        let (flag, tests) = (verdict.tests.aggregate(), tests_column(verdict.tests));
        let increment = storable(verdict.increment);
        // Nearly always one more test of a good value has run: one statement.
        if self.confirm.execute((datastream, observed_at, flag.code(), tests, increment))? == 1 {
            return Ok(());
        }
        let key = (datastream, observed_at);
        let held = self.find_flag.query_row(key, Held::read).optional()?;
        let Some(held) = held.filter(|held| held.flag != Flag::Missing.code()) else { return Ok(()) };
        if (held.tests, held.increment) == (tests, increment) {
            return Ok(());
        }
        if held.is_taken_back_by(flag, increment) {
            let Held { flag, tests, revision, increment } = held;
            let recorded_at = verdict.recorded_at.get();
            self.keep_flag.execute((datastream, observed_at, revision, recorded_at, flag, tests, increment))?;
        }
        self.reflag.execute((datastream, observed_at, flag.code(), tests, increment))?;
        Ok(())
    }
}

/// The verdict of a row.
struct Held {
    flag: u8,
    tests: i64,
    revision: i64,
    increment: Option<f64>,
}

impl Held {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { flag: row.get(0)?, tests: row.get(1)?, revision: row.get(2)?, increment: row.get(3)? })
    }

    /// Whether a new verdict says something else than what was known so far, and not only more.
    fn is_taken_back_by(&self, flag: Flag, increment: Option<f64>) -> bool {
        let other_flag = self.flag != flag.code() && (self.flag, flag) != (Flag::NotEvaluated.code(), Flag::Good);
        other_flag || self.increment.is_some() && self.increment != increment
    }
}

/// The value as SQLite gives it back.
///
/// SQLite keeps -0.0 as 0.0 and NaN as no value. Without the same change here, a repeated -0.0 would look like a
/// correction for ever; values that are no finite number never get here from a decoder.
pub(crate) fn storable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite()).map(|value| value + 0.0)
}
