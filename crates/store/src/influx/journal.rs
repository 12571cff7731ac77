//! Bakau's own file beside the server: everything that must not depend on it.
//!
//! Cursor, ledger, replaced values and flags are tables like those of the embedded store. `recent` holds only the newest
//! rows of each datastream, from `floor` on without gaps, so that what a new value is (new, repeated, correction) is
//! nearly always decided here. A write is one transaction with the body for the server as `pending`; the body stays
//! until the server has said 204, and the visible cursor moves only then. `synchronous` is FULL: the intent comes first.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
};

use bakau_model::{Batch, DatastreamId, UtcMillis};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{
    apart, erased,
    hours::{self, Adding, Before},
    pending::{Pending, put_pending},
    point::{self, INSTANTS, Unfit},
};
use crate::{
    Hour, RangeQuery, RefusedPoint, StoreError, StoreErrorKind, StoredObservation, Verdict, WriteReceipt,
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

/// Rows of a datastream kept in `recent` at least, and as many more before it is cut back: repeats and verdicts about a
/// spike concern the last few.
pub(super) const KEPT_ROWS: usize = 32;

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

/// Station and parameter (with qualifier) under which a datastream is written, fixed at its first value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) datastream: DatastreamId,
    pub(super) station: String,
    pub(super) parameter: String,
    pub(super) first_at: i64,
    /// From here on `recent` has every row.
    pub(super) floor: i64,
    /// Whether a point was ever given an increment.
    pub(super) counted: bool,
}

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

impl Series {
    /// In the order of [`SERIES`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let datastream = DatastreamId::new(row.get(0)?);
        let (station, parameter, first_at, floor) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Self { datastream, station, parameter, first_at, floor, counted: row.get(5)? })
    }
}

const SERIES: &str = "SELECT datastream, station, parameter, first_at, floor, counted FROM series";

/// Every series.
pub(super) fn all_series(connection: &Connection) -> Result<Vec<Series>, StoreError> {
    let mut statement = connection.prepare(SERIES)?;
    let found = statement.query_map([], Series::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The series of one datastream.
pub(super) fn series(connection: &Connection, of: DatastreamId) -> Result<Option<Series>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SERIES} WHERE datastream = ?1"))?;
    Ok(statement.query_row([of.get()], Series::read).optional()?)
}

/// New rows of each datastream since its part of `recent` was cut back, as far as this process knows.
pub(super) type Grown = HashMap<u32, usize>;

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

/// The keys of each datastream together.
pub(super) fn by_datastream(touched: &[(u32, i64)]) -> impl Iterator<Item = &[(u32, i64)]> {
    touched.chunk_by(|a, b| a.0 == b.0)
}

fn unknown(touched: &[(u32, i64)], known: &[Known]) -> Vec<(Series, BTreeSet<i64>)> {
    let each = by_datastream(touched).zip(known).map(|(keys, Known { series, .. })| {
        let below = keys.iter().map(|key| key.1).take_while(|&at| at < series.floor).collect();
        (series.clone(), below)
    });
    each.filter(|(_, below): &(_, BTreeSet<i64>)| !below.is_empty()).collect()
}

/// A datastream that a write touches.
pub(super) struct Known {
    pub(super) series: Series,
    /// Measurement and tags.
    pub(super) key: Result<String, Unfit>,
    before: Before,
    /// How many new values there are, and the first of them.
    new: (usize, i64),
    /// Whether any point of the series has an increment now.
    counted: bool,
}

impl Known {
    /// Notes the first value, and cuts `recent` back now and then: each time would cost as much as the values.
    fn keep(&self, transaction: &Transaction<'_>, grown: &mut Grown) -> Result<(), StoreError> {
        let (datastream, (count, first)) = (self.series.datastream.get(), self.new);
        if first < self.series.first_at {
            let mut note = transaction.prepare_cached("UPDATE series SET first_at = ?2 WHERE datastream = ?1")?;
            note.execute((datastream, first))?;
        }
        if self.counted && !self.series.counted {
            transaction.execute("UPDATE series SET counted = 1 WHERE datastream = ?1", [datastream])?;
        }
        // Nobody knows how much a process left that ended before.
        let rows = grown.entry(datastream).or_insert(KEPT_ROWS);
        *rows += count;
        if KEPT_ROWS <= *rows {
            prune(transaction, datastream)?;
            *rows = 0;
        }
        Ok(())
    }
}

/// Gives new datastreams their series.
struct Names<'a> {
    transaction: &'a Transaction<'a>,
    name: &'a dyn Fn(DatastreamId) -> Option<(String, String)>,
}

impl Names<'_> {
    /// What is known of each datastream before the write.
    fn ensure(&self, touched: &[(u32, i64)]) -> Result<Vec<Known>, StoreError> {
        let datastreams = by_datastream(touched).filter_map(|keys| keys.first()).map(|key| key.0);
        let known = datastreams.map(|datastream| {
            let series = self.ensure_one(DatastreamId::new(datastream))?;
            let key = point::series_key(&series.station, &series.parameter);
            let (before, counted) = (Before::read(self.transaction, datastream)?, series.counted);
            Ok(Known { series, key, before, new: (0, i64::MAX), counted })
        });
        known.collect()
    }

    fn ensure_one(&self, datastream: DatastreamId) -> Result<Series, StoreError> {
        if let Some(known) = series(self.transaction, datastream)? {
            return Ok(known);
        }
        let Some((station, parameter)) = (self.name)(datastream) else {
            let message = format!("the registry has no name for datastream {datastream}");
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        };
        let add = "INSERT INTO series (datastream, station, parameter, first_at, floor)
                       VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (station, parameter) DO NOTHING";
        let mut add = self.transaction.prepare_cached(add)?;
        if add.execute(params![datastream.get(), station, parameter, i64::MAX, i64::MIN])? == 0 {
            // The name belonged to another datastream once; its points stay its own.
            let parameter = format!("{parameter}~{datastream}");
            add.execute(params![datastream.get(), station, parameter, i64::MAX, i64::MIN])?;
        }
        let made = series(self.transaction, datastream)?;
        made.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "a series that was just made is not there"))
    }
}

/// The series of a datastream, made where there is none.
pub(super) fn ensure_series(
    connection: &mut Connection,
    datastream: DatastreamId,
    name: &dyn Fn(DatastreamId) -> Option<(String, String)>,
) -> Result<Series, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let series = Names { transaction: &transaction, name }.ensure_one(datastream)?;
    transaction.commit()?;
    Ok(series)
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

/// Keeps `recent` small: only the newest rows of a datastream, without gaps from the floor on.
pub(super) fn prune(transaction: &Transaction<'_>, datastream: u32) -> Result<(), StoreError> {
    let mut floor = transaction.prepare_cached(
        "UPDATE series SET floor = max(floor, ifnull((SELECT observed_at FROM recent WHERE datastream = ?1
         ORDER BY observed_at DESC LIMIT 1 OFFSET ?2), floor)) WHERE datastream = ?1",
    )?;
    let mut remove = transaction.prepare_cached(
        "DELETE FROM recent WHERE datastream = ?1
         AND observed_at < (SELECT floor FROM series WHERE datastream = ?1)",
    )?;
    floor.execute((datastream, KEPT_ROWS - 1))?;
    remove.execute([datastream])?;
    Ok(())
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
