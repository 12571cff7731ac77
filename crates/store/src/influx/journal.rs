//! Bakau's own file beside the server: everything that must not depend on it.
//!
//! Cursor, ledger, replaced values and flags are tables like those of the embedded store. `recent` holds only the newest
//! rows of each datastream, from `floor` on without gaps, so that what a new value is (new, repeated, correction) is
//! nearly always decided here. A write is one transaction with the body for the server as `pending`; the body stays
//! until the server has said 204, and the visible cursor moves only then. `synchronous` is FULL: the intent comes first.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use bakau_model::{Batch, DatastreamId, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    apart, erased,
    hours::{self, Adding},
    pending::{Pending, put_pending},
    point::{self, INSTANTS},
    series::{Grown, Known, Names, Series, all_series, by_datastream, series},
};
use crate::{
    Hour, RangeQuery, RefusedPoint, StoreError, StoredObservation, Verdict, WriteReceipt,
    copy::tables,
    embedded::{
        read::{COLUMNS, RawRow, bounds},
        schema::{BUSY_TIMEOUT, Format, IGNORED_MISSING, INCREMENTS, TABLES, keep_in_memory},
        write::{Group, add_to_ledger, read_cursor, verdict_key, write_rows},
    },
};

/// "BkIn".
const JOURNAL: Format = Format {
    application_id: 0x426B_496E,
    what: "a journal",
    migrations: &[
        TABLES,
        OWN_TABLES,
        hours::TABLES,
        IGNORED_MISSING,
        OWN_IGNORED_MISSING,
        erased::TABLES,
        INCREMENTS,
        COUNTED,
    ],
};

const OWN_TABLES: &str = "
    CREATE TABLE series (
        datastream INTEGER PRIMARY KEY,
        station TEXT NOT NULL,
        parameter TEXT NOT NULL,
        first_at INTEGER NOT NULL,
        floor INTEGER NOT NULL,
        UNIQUE (station, parameter)
    );
    CREATE TABLE pending (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        duplicate INTEGER NOT NULL,
        corrected INTEGER NOT NULL,
        body TEXT NOT NULL
    );
";

const OWN_IGNORED_MISSING: &str = "ALTER TABLE pending ADD COLUMN ignored_missing INTEGER NOT NULL DEFAULT 0;";

/// Whether a point of the series was ever given an increment: from then on each one says whether it has one, because the
/// fields of a point that is written again merge.
const COUNTED: &str = "ALTER TABLE series ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;";

/// Batches and verdicts of a write, shared by its steps.
#[derive(Debug)]
pub(super) struct Asked {
    batches: Vec<Arc<Batch>>,
    /// In order of their keys.
    verdicts: Vec<Verdict>,
}

impl Asked {
    pub(super) fn new(batches: Vec<Arc<Batch>>, mut verdicts: Vec<Verdict>) -> Self {
        verdicts.sort_unstable_by_key(verdict_key);
        Self { batches, verdicts }
    }
}

/// A part of a range that holds about as many values as were asked for; both ends inclusive.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) series: Series,
    pub(super) first: i64,
    pub(super) last: i64,
    /// Where the next one begins behind; `None` when the range ends here.
    pub(super) next: Option<UtcMillis>,
}

/// Opens the file, creating it.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    JOURNAL.check(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    keep_in_memory(&connection)?;
    JOURNAL.migrate(&mut connection)?;
    Ok(connection)
}

/// What becomes of a write.
#[derive(Debug)]
pub(super) enum Intent {
    /// There is nothing to do.
    Nothing,
    /// Instants below the floor of their datastream: what the server holds there decides.
    Unknown(Vec<(Series, BTreeSet<i64>)>),
    /// It is decided and stored.
    Decided(Pending),
}

/// Decides a write and stores the intent: one transaction. `loaded` is what the server holds at the unknown instants, once
/// they were asked for.
pub(super) fn intend(
    connection: &mut Connection,
    Asked { batches, verdicts }: &Asked,
    loaded: Option<&[StoredObservation]>,
    name: &dyn Fn(DatastreamId) -> Option<(String, String)>,
    grown: &mut Grown,
) -> Result<Intent, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = read_cursor(&transaction)?;
    let mut group = Group::collect(batches, before);
    if group.cursor == before && verdicts.is_empty() {
        return Ok(Intent::Nothing);
    }
    let touched = touched(&group, verdicts);
    let mut known = Names { transaction: &transaction, name }.ensure(&touched)?;
    let unknown = unknown(&touched, &known);
    match loaded {
        None if !unknown.is_empty() => return Ok(Intent::Unknown(unknown)),
        None => {}
        // Rows from the server, so that the decision finds them where it looks.
        Some(loaded) => tables::add_values(&transaction, loaded)?,
    }
    apart::leave_out_unfit(&transaction, &mut group, &known)?;
    let mut fresh = Vec::with_capacity(group.order.len());
    write_rows(&transaction, &mut group, verdicts, &mut |row, last_word| fresh.push((row, last_word)))?;
    let body = body(&transaction, &touched, &fresh, &mut known)?;
    known.iter().try_for_each(|known| known.keep(&transaction, grown))?;
    let counts = group.counts();
    add_to_ledger(&transaction, &group.lines)?;
    let pending = put_pending(&transaction, WriteReceipt { counts, cursor: group.cursor }, body)?;
    transaction.commit()?;
    Ok(Intent::Decided(pending))
}

/// Keys of values and verdicts, in order.
fn touched(group: &Group<'_>, verdicts: &[Verdict]) -> Vec<(u32, i64)> {
    let values = group.order.iter().map(|&(datastream, at, _)| (datastream, at));
    let mut keys: Vec<_> = values.chain(verdicts.iter().map(verdict_key)).collect();
    // Two runs in order: a stable sort merges them.
    keys.sort();
    keys.dedup();
    keys
}

fn unknown(touched: &[(u32, i64)], known: &[Known]) -> Vec<(Series, BTreeSet<i64>)> {
    let each = by_datastream(touched).zip(known).map(|(keys, Known { series, .. })| {
        let below = keys.iter().map(|key| key.1).take_while(|&at| at < series.floor).collect();
        (series.clone(), below)
    });
    each.filter(|(_, below): &(_, BTreeSet<i64>)| !below.is_empty()).collect()
}

/// The datastream of a point in quarantine.
pub(super) fn datastream_of(connection: &Connection, point: &RefusedPoint) -> Result<Option<DatastreamId>, StoreError> {
    if let Some(number) = point.datastream() {
        return Ok(Some(number));
    }
    let named = all_series(connection)?
        .into_iter()
        .find(|series| point::series_key(&series.station, &series.parameter).is_ok_and(|key| key == point.series));
    Ok(named.map(|series| series.datastream))
}

/// The lines of all touched rows as they are now; the fresh ones among them, which come in the same order, join their
/// hours.
fn body(
    transaction: &Transaction<'_>,
    touched: &[(u32, i64)],
    fresh: &[(StoredObservation, bool)],
    known: &mut [Known],
) -> Result<String, StoreError> {
    let mut find = transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM recent WHERE datastream = ?1 AND observed_at = ?2"))?;
    let mut body = String::with_capacity(touched.len() * 128);
    let apart = apart::among(transaction, touched, known)?;
    let (mut hours, mut fresh) = (Adding::new(transaction)?, fresh.iter().peekable());
    for (keys, Known { key, before, new, counted, .. }) in by_datastream(touched).zip(known) {
        for &(datastream, at) in keys {
            let is_new = fresh.next_if(|(row, _)| key_of(row) == (datastream, at));
            let row = match is_new {
                Some((row, true)) => Some(*row),
                Some((_, false)) | None => {
                    find.query_row((datastream, at), RawRow::read).optional()?.and_then(|row| row.accept())
                }
            };
            let Some(row) = row else { continue };
            *counted |= row.increment.is_some();
            if is_new.is_some() {
                *new = (new.0 + 1, new.1.min(at));
            }
            if is_new.is_some() && apart.contains(&(datastream, at)) {
                // Counted when it went to quarantine, without its value.
                hours.flush()?;
                hours::spoil(transaction, datastream, at)?;
            } else if is_new.is_some() {
                hours.put(before, &row)?;
            }
            let encoded =
                key.as_ref().map_err(|unfit| *unfit).and_then(|key| point::encode(key, &row, *counted, &mut body));
            if let Err(unfit) = encoded {
                let series = RefusedPoint::numbered(DatastreamId::new(datastream));
                apart::keep(transaction, &series, at, &unfit.to_string(), &format!("{:?}", row.observation.value))?;
                hours.flush()?;
                hours::spoil(transaction, datastream, at)?;
            }
        }
    }
    hours.flush()?;
    Ok(body)
}

const fn key_of(row: &StoredObservation) -> (u32, i64) {
    (row.observation.datastream.get(), row.observation.observed_at.get())
}

/// Least and greatest instant of a datastream.
pub(super) fn extent(
    connection: &Connection,
    datastream: DatastreamId,
) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT first_at, (SELECT max(observed_at) FROM recent WHERE datastream = ?1) FROM series WHERE datastream = ?1",
    )?;
    let found: Option<(i64, Option<i64>)> =
        statement.query_row([datastream.get()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.and_then(|(first, last)| last.map(|last| (UtcMillis::new(first), UtcMillis::new(last)))))
}

/// The first part of a range in reading order that holds at least `most` values, as far as the counts by hour tell, or
/// the whole range. `None` when nothing can be there.
pub(super) fn window(connection: &Connection, query: &RangeQuery, most: usize) -> Result<Option<Window>, StoreError> {
    let Some(series) = series(connection, query.datastream)? else { return Ok(None) };
    let (Some((least, greatest)), Some((first, last))) = (extent(connection, query.datastream)?, bounds(query)) else {
        return Ok(None);
    };
    // The journal may know instants that no point can have.
    let (first, last) = (first.max(least.max(INSTANTS.0).get()), last.min(greatest.min(INSTANTS.1).get()));
    if last < first {
        return Ok(None);
    }
    let direction = if query.newest_first { "DESC" } else { "ASC" };
    let mut hours = connection.prepare_cached(&format!(
        "SELECT hour, stored FROM hours WHERE datastream = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour {direction}"
    ))?;
    let mut rows = hours.query(params![query.datastream.get(), first, last.saturating_sub(Hour::MS - 1)])?;
    // Only whole hours are counted, those in which the range begins or ends are not.
    let mut counted = 0;
    while let Some(row) = rows.next()? {
        let (hour, stored): (i64, i64) = (row.get(0)?, row.get(1)?);
        counted += usize::try_from(stored).unwrap_or(0);
        if counted < most {
            continue;
        }
        let (first, last) = if query.newest_first { (hour, last) } else { (first, hour + Hour::MS - 1) };
        let next = UtcMillis::new(if query.newest_first { first } else { last });
        return Ok(Some(Window { series, first, last, next: Some(next) }));
    }
    Ok(Some(Window { series, first, last, next: None }))
}

#[cfg(test)]
mod tests;
