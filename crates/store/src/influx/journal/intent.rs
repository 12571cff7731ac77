//! The intent of a write: decided here and stored with the body for the server, in one transaction.

use std::{collections::BTreeSet, sync::Arc};

use bakau_model::{Batch, DatastreamId};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::{
    super::point,
    hours::{self, Adding},
    pending::{Pending, put_pending},
    quarantine,
    series::{Grown, Known, Names, Series, by_datastream},
};
use crate::{
    RefusedPoint, StoreError, StoredObservation, Verdict, WriteReceipt,
    sqlite::{
        cursor::read_cursor,
        ledger::add_to_ledger,
        row::{COLUMNS, RawRow},
        values,
        write::{Group, verdict_key, write_rows},
    },
};

/// Batches and verdicts of a write, shared by its steps.
#[derive(Debug)]
pub(crate) struct WriteRequest {
    batches: Vec<Arc<Batch>>,
    /// In order of their keys.
    verdicts: Vec<Verdict>,
}

impl WriteRequest {
    pub(crate) fn new(batches: Vec<Arc<Batch>>, mut verdicts: Vec<Verdict>) -> Self {
        verdicts.sort_unstable_by_key(verdict_key);
        Self { batches, verdicts }
    }
}

/// Result of deciding a write.
#[derive(Debug)]
pub(crate) enum Intent {
    /// Nothing to write.
    Nothing,
    /// Instants below the floor of their datastream: what the server holds there decides.
    Unknown(Vec<(Series, BTreeSet<i64>)>),
    /// It is decided and stored.
    Decided(Pending),
}

/// Decides a write and stores the intent: one transaction. `loaded` is what the server holds at the unknown instants, once
/// they were asked for.
pub(crate) fn intend(
    connection: &mut Connection,
    WriteRequest { batches, verdicts }: &WriteRequest,
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
        Some(loaded) => values::add_values(&transaction, loaded)?,
    }
    quarantine::leave_out_unfit(&transaction, &mut group, &known)?;
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
    let quarantined = quarantine::among(transaction, touched, known)?;
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
            if is_new.is_some() && quarantined.contains(&(datastream, at)) {
                // Counted when it went to quarantine, without its value.
                hours.flush()?;
                hours::mark_inexact(transaction, datastream, at)?;
            } else if is_new.is_some() {
                hours.put(before, &row)?;
            }
            let encoded =
                key.as_ref().map_err(|unfit| *unfit).and_then(|key| point::encode(key, &row, *counted, &mut body));
            if let Err(unfit) = encoded {
                let series = RefusedPoint::numbered(DatastreamId::new(datastream));
                quarantine::keep(
                    transaction,
                    &series,
                    at,
                    &unfit.to_string(),
                    &format!("{:?}", row.observation.value),
                )?;
                hours.flush()?;
                hours::mark_inexact(transaction, datastream, at)?;
            }
        }
    }
    hours.flush()?;
    Ok(body)
}

const fn key_of(row: &StoredObservation) -> (u32, i64) {
    (row.observation.datastream.get(), row.observation.observed_at.get())
}
