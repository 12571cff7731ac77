//! One write: a sorted group in one transaction, with ledger and cursor.

use std::sync::Arc;

use bakau_model::Batch;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    StoreCounts, StoreError, Verdict, WriteReceipt,
    sqlite::{
        cursor::{read_cursor, write_cursor},
        ledger::add_to_ledger,
        write::{Group, verdict_key, write_rows},
    },
};

/// Writes the batches above the cursor and the verdicts; all or nothing.
pub(super) fn write(
    connection: &mut Connection,
    batches: &[Arc<Batch>],
    mut verdicts: Vec<Verdict>,
) -> Result<WriteReceipt, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = read_cursor(&transaction)?;
    let mut group = Group::collect(batches, before);
    if group.cursor == before && verdicts.is_empty() {
        return Ok(WriteReceipt { counts: StoreCounts::default(), cursor: before });
    }
    if !verdicts.is_sorted_by_key(verdict_key) {
        verdicts.sort_unstable_by_key(verdict_key);
    }
    write_rows(&transaction, &mut group, &verdicts, &mut |_, _| {})?;
    let counts = group.counts();
    add_to_ledger(&transaction, &group.lines)?;
    write_cursor(&transaction, group.cursor)?;
    transaction.commit()?;
    Ok(WriteReceipt { counts, cursor: group.cursor })
}
