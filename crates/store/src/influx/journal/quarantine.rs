//! The quarantine of the journal: values that cannot become points, and points that the server does not take.
//!
//! Each instant in it is counted once in its hour, like every other instant: so counts can be compared with the server.

use std::collections::BTreeSet;

use bakau_model::{DatastreamId, Observation};
use rusqlite::{Connection, Transaction, params};

use super::{
    super::point::{self, Unfit},
    hours,
    series::{Known, by_datastream},
};
use crate::{RefusedPoint, StoreError, sqlite::write::Group};

/// Keeps a point; whether it is new here. A later number replaces what is kept of its instant, a missing value nothing.
pub(crate) fn keep(
    transaction: &Transaction<'_>,
    series: &str,
    at: i64,
    reason: &str,
    line: &str,
) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO refused (series, observed_at, reason, line) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    let is_new = statement.execute(params![series, at, reason, line])? == 1;
    if !is_new && has_number(line) {
        let mut replace = transaction
            .prepare_cached("UPDATE refused SET reason = ?3, line = ?4 WHERE series = ?1 AND observed_at = ?2")?;
        replace.execute(params![series, at, reason, line])?;
    }
    Ok(is_new)
}

/// Whether a line, or the value where there is none, has a number.
fn has_number(line: &str) -> bool {
    line != "None" && !line.contains(",flag=9i,")
}

/// Instants of a datastream in quarantine, ends inclusive. The server may have a value of each or not: another one of the
/// same instant may have been taken.
pub(crate) fn instants(
    connection: &Connection,
    datastream: DatastreamId,
    key: &str,
    (first, last): (i64, i64),
) -> Result<BTreeSet<i64>, StoreError> {
    let mut find = connection
        .prepare_cached("SELECT observed_at FROM refused WHERE series IN (?1, ?2) AND observed_at BETWEEN ?3 AND ?4")?;
    let found = find.query_map(params![key, RefusedPoint::numbered(datastream), first, last], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The keys of a write that are in quarantine.
pub(crate) fn among(
    transaction: &Transaction<'_>,
    touched: &[(u32, i64)],
    known: &[Known],
) -> Result<BTreeSet<(u32, i64)>, StoreError> {
    let mut found = BTreeSet::new();
    if !transaction.prepare_cached("SELECT 1 FROM refused LIMIT 1")?.exists([])? {
        return Ok(found);
    }
    for (keys, Known { series, key, .. }) in by_datastream(touched).zip(known) {
        let (Some(&(datastream, first)), Some(&(_, last))) = (keys.first(), keys.last()) else { continue };
        let key = key.as_deref().unwrap_or_default();
        let quarantined = instants(transaction, series.datastream, key, (first, last))?;
        found.extend(quarantined.into_iter().map(|at| (datastream, at)));
    }
    Ok(found)
}

/// Keeps a value that cannot become a point; whether it is new there.
fn keep_unfit(
    transaction: &Transaction<'_>,
    observation: &Observation,
    unfit: Unfit,
    known: &[Known],
) -> Result<bool, StoreError> {
    let (datastream, at) = (observation.datastream, observation.observed_at.get());
    let place = known.binary_search_by_key(&datastream, |known| known.series.datastream).ok();
    let key = place.and_then(|place| known[place].key.as_deref().ok()).unwrap_or_default();
    let mut recent = transaction.prepare_cached("SELECT 1 FROM recent WHERE datastream = ?1 AND observed_at = ?2")?;
    let is_counted =
        recent.exists((datastream.get(), at))? || !instants(transaction, datastream, key, (at, at))?.is_empty();
    if !is_counted {
        hours::count(transaction, datastream, at)?;
    }
    let shown = format!("{:?}", observation.value);
    keep(transaction, &RefusedPoint::numbered(datastream), at, &unfit.to_string(), &shown)
}

/// Values that cannot become points go to quarantine and count as stored there.
pub(crate) fn leave_out_unfit(
    transaction: &Transaction<'_>,
    group: &mut Group<'_>,
    known: &[Known],
) -> Result<(), StoreError> {
    let Group { rows, order, lines, .. } = group;
    let mut failed = None;
    order.retain(|&(_, _, index)| {
        let (observation, line) = rows[index];
        let Err(unfit) = point::check(observation) else { return true };
        match keep_unfit(transaction, observation, unfit, known) {
            Ok(true) => lines[line].counts.stored += 1,
            Ok(false) => lines[line].counts.duplicate += 1,
            Err(error) => failed = Some(error),
        }
        false
    });
    failed.map_or(Ok(()), Err)
}
