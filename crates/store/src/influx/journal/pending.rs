//! The body that the server has not confirmed yet: stored with the decision, deleted after 204.

use std::collections::BTreeMap;

use bakau_model::Seq;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    super::{point, write::Refused},
    hours, quarantine,
    series::all_series,
};
use crate::{
    StoreCounts, StoreError, WriteReceipt,
    sqlite::{cursor::write_cursor, ledger::counts},
};

/// A write that the server has not confirmed yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) receipt: WriteReceipt,
    /// Lines of line protocol.
    pub(crate) body: Bytes,
}

/// The pending write, if any.
pub(crate) fn pending(connection: &Connection) -> Result<Option<Pending>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, stored, duplicate, corrected, ignored_missing, body FROM pending")?;
    let found = statement.query_row([], |row| {
        let receipt = WriteReceipt { counts: counts(row, 1)?, cursor: Seq::new(row.get(0)?) };
        Ok(Pending { receipt, body: Bytes::from(row.get::<_, String>(5)?) })
    });
    Ok(found.optional()?)
}

/// Stores the pending write in the transaction that decided it.
pub(crate) fn put_pending(
    transaction: &Transaction<'_>,
    receipt: WriteReceipt,
    body: String,
) -> Result<Pending, StoreError> {
    let StoreCounts { stored, duplicate, corrected, ignored_missing } = receipt.counts;
    let mut keep = transaction.prepare_cached(
        "INSERT INTO pending (id, seq, stored, duplicate, corrected, ignored_missing, body)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    keep.execute(params![receipt.cursor.get(), stored, duplicate, corrected, ignored_missing, body])?;
    Ok(Pending { receipt, body: body.into() })
}

/// After 204: the cursor moves, the body goes, refused points are kept.
pub(crate) fn confirm(connection: &mut Connection, cursor: Seq, refused: &[Refused]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let series = if refused.is_empty() { Vec::new() } else { all_series(&transaction)? };
    let numbers: BTreeMap<_, _> = series
        .iter()
        .filter_map(|series| Some((point::series_key(&series.station, &series.parameter).ok()?, series.datastream)))
        .collect();
    for Refused { line, reason } in refused {
        let key = line.split_once(" value=").map_or(line.as_str(), |(key, _)| key);
        let at: i64 = line.rsplit_once(' ').and_then(|(_, at)| at.parse().ok()).unwrap_or_default();
        quarantine::keep(&transaction, key, at, reason, line)?;
        if let Some(datastream) = numbers.get(key) {
            hours::mark_inexact(&transaction, datastream.get(), at)?;
        }
    }
    write_cursor(&transaction, cursor)?;
    transaction.execute("DELETE FROM pending", [])?;
    Ok(transaction.commit()?)
}
