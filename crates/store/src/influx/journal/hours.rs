//! Counts and sums by datastream and hour: the counts are compared with the server, the sums give a year of daily means
//! without asking it.
//!
//! Values nearly always come in order of time, and each joins its hour once. Whatever else changes an hour (a late value, a
//! correction, a verdict that takes a value out or back in, a point that the server did not take) makes it inexact, and
//! the hour behind it, whose first value may have another one before it now. Such hours are summed up from the server's
//! values when somebody asks.

use bakau_model::{DatastreamId, UtcMillis};
use rusqlite::{CachedStatement, Connection, Transaction, params};

use crate::{Hour, StoreError, StoredObservation, Sum};

/// The trigger sees every correction and every verdict; 4 and 9 are the flags that make a value unusable.
pub(crate) const TABLES: &str = "
    CREATE TABLE hours (
        datastream INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        usable INTEGER NOT NULL DEFAULT 0,
        total REAL NOT NULL DEFAULT 0,
        lost REAL NOT NULL DEFAULT 0,
        least REAL,
        greatest REAL,
        last_at INTEGER,
        gap INTEGER NOT NULL DEFAULT 3600000,
        exact INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (datastream, hour)
    ) WITHOUT ROWID;
    CREATE TRIGGER hours_changed AFTER UPDATE ON recent
    WHEN old.value IS NOT new.value OR (old.flag IN (4, 9)) <> (new.flag IN (4, 9))
    BEGIN
        UPDATE hours SET exact = 0 WHERE datastream = new.datastream
        AND hour BETWEEN new.observed_at - 3599999 AND new.observed_at + 3600000;
    END;
";

/// The newest values of a datastream before a write.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    newest: Option<i64>,
    usable: Option<i64>,
}

impl Before {
    /// As far as `recent` tells.
    pub(crate) fn read(connection: &Connection, datastream: u32) -> Result<Self, StoreError> {
        let mut newest_first = connection.prepare_cached(
            "SELECT observed_at, flag NOT IN (4, 9) FROM recent WHERE datastream = ?1 ORDER BY observed_at DESC",
        )?;
        let (mut rows, mut before) = (newest_first.query([datastream])?, Self::default());
        while let Some(row) = rows.next()? {
            // Where none of those kept is usable the last one was before all of them.
            let (at, usable) = (row.get(0)?, row.get(1)?);
            (before.newest, before.usable) = (before.newest.or(Some(at)), Some(at));
            if usable {
                break;
            }
        }
        Ok(before)
    }
}

/// Adds the new values of a write, keeping what rounding loses of a sum (the error of a sum of two, after Knuth);
/// values come by datastream and in order of time.
pub(crate) struct Adding<'t> {
    add: CachedStatement<'t>,
    mark_inexact: CachedStatement<'t>,
    open: Option<Open>,
}

/// An hour that is being added up.
struct Open {
    datastream: u32,
    stored: i64,
    exact: bool,
    sums: Hour,
}

impl<'t> Adding<'t> {
    pub(crate) fn new(transaction: &'t Transaction<'_>) -> Result<Self, StoreError> {
        let add = transaction.prepare_cached(
            "INSERT INTO hours (datastream, hour, stored, usable, total, lost, least, greatest, last_at, gap, exact)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (datastream, hour) DO UPDATE SET stored = stored + excluded.stored,
             usable = usable + excluded.usable, total = total + excluded.total,
             lost = lost + excluded.lost
                 + (total - ((total + excluded.total) - ((total + excluded.total) - total)))
                 + (excluded.total - ((total + excluded.total) - total)),
             least = min(ifnull(least, excluded.least), ifnull(excluded.least, least)),
             greatest = max(ifnull(greatest, excluded.greatest), ifnull(excluded.greatest, greatest)),
             last_at = ifnull(excluded.last_at, last_at), gap = min(gap, excluded.gap), exact = exact AND excluded.exact",
        )?;
        let mark_inexact =
            transaction.prepare_cached("UPDATE hours SET exact = 0 WHERE datastream = ?1 AND hour = ?2")?;
        Ok(Self { add, mark_inexact, open: None })
    }

    /// Adds a new key with the value that it has after the write.
    pub(crate) fn put(&mut self, before: &mut Before, row: &StoredObservation) -> Result<(), StoreError> {
        let observation = &row.observation;
        let (datastream, at) = (observation.datastream.get(), observation.observed_at.get());
        if self
            .open
            .as_ref()
            .is_none_or(|open| (open.datastream, open.sums.start.get()) != (datastream, Hour::start_of(at)))
        {
            self.flush()?;
        }
        let start = UtcMillis::new(Hour::start_of(at));
        let fresh = || Open { datastream, stored: 0, exact: true, sums: Hour::empty(start) };
        let open = self.open.get_or_insert_with(fresh);
        open.stored += 1;
        open.exact &= before.newest.is_none_or(|newest| newest < at);
        if let Some(value) = observation.value.filter(|_| observation.flag.is_usable()) {
            open.sums.add(observation.observed_at, value, before.usable.map(UtcMillis::new));
            before.usable = before.usable.max(Some(at));
        }
        Ok(())
    }

    /// Stores the hour that is open.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        let Some(Open { datastream, stored, exact, sums }) = self.open.take() else { return Ok(()) };
        let (start, any) = (sums.start.get(), 0 < sums.usable);
        let (least, greatest) = (any.then_some(sums.min), any.then_some(sums.max));
        let last_at = sums.last_at.map(UtcMillis::get);
        let usable = i64::try_from(sums.usable).unwrap_or(i64::MAX);
        let Hour { sum: Sum { rounded: sum, lost }, gap_ms, .. } = sums;
        let row = params![datastream, start, stored, usable, sum, lost, least, greatest, last_at, gap_ms, exact];
        self.add.execute(row)?;
        if !exact {
            self.mark_inexact.execute((datastream, start + Hour::MS))?;
        }
        Ok(())
    }
}

/// Makes an hour of a datastream inexact, and the one behind it.
pub(crate) fn mark_inexact(transaction: &Transaction<'_>, datastream: u32, at: i64) -> Result<(), StoreError> {
    let mut mark_inexact = transaction
        .prepare_cached("UPDATE hours SET exact = 0 WHERE datastream = ?1 AND hour BETWEEN ?2 AND ?2 + 3600000")?;
    mark_inexact.execute((datastream, Hour::start_of(at)))?;
    Ok(())
}

/// Counts an instant that is in quarantine and nowhere else.
pub(crate) fn count(transaction: &Transaction<'_>, datastream: DatastreamId, at: i64) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO hours (datastream, hour, stored) VALUES (?1, ?2, 1)
         ON CONFLICT (datastream, hour) DO UPDATE SET stored = stored + 1",
    )?;
    add.execute((datastream.get(), Hour::start_of(at)))?;
    Ok(())
}

/// The hours of a range, each with whether it is exact.
pub(crate) fn read(
    connection: &Connection,
    datastream: DatastreamId,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<Vec<(Hour, bool)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT hour, usable, total, lost, least, greatest, last_at, gap, exact FROM hours
         WHERE datastream = ?1 AND ?2 <= hour AND hour < ?3 ORDER BY hour",
    )?;
    let found = statement.query_map(params![datastream.get(), from.get(), to.get()], |row| {
        let start = UtcMillis::new(row.get(0)?);
        let last_at: Option<i64> = row.get(6)?;
        let sums = Hour {
            start,
            usable: row.get(1)?,
            sum: Sum { rounded: row.get(2)?, lost: row.get(3)? },
            min: row.get::<_, Option<f64>>(4)?.unwrap_or(f64::INFINITY),
            max: row.get::<_, Option<f64>>(5)?.unwrap_or(f64::NEG_INFINITY),
            last_at: last_at.map(UtcMillis::new),
            gap_ms: row.get(7)?,
        };
        Ok((sums, row.get(8)?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
