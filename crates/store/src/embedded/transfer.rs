//! The steps of a copy: each is one transaction of the writer, with the place after it.

use async_trait::async_trait;
use bakau_model::{DatastreamId, LedgerKey, UtcMillis};
use rusqlite::{Connection, TransactionBehavior};

use super::EmbeddedStore;
use crate::{
    RefusedPoint, StoreCounts, StoreError,
    copy::{Place, Step, Transfer, Unfinished},
    sqlite::{copying, ledger, refused, values, versions},
};

#[async_trait]
impl Transfer for EmbeddedStore {
    async fn datastreams(&self) -> Result<Vec<DatastreamId>, StoreError> {
        self.readers.run(values::datastreams).await
    }

    async fn quarantine(
        &self,
        after: Option<(String, UtcMillis)>,
        limit: usize,
    ) -> Result<Vec<RefusedPoint>, StoreError> {
        self.readers.run(move |connection| refused::quarantine(connection, after.as_ref(), limit)).await
    }

    async fn ledger_lines(
        &self,
        after: Option<LedgerKey>,
        limit: usize,
    ) -> Result<Vec<(LedgerKey, StoreCounts)>, StoreError> {
        self.readers.run(move |connection| ledger::ledger_lines(connection, after.as_ref(), limit)).await
    }

    async fn unfinished(&self) -> Result<Option<Unfinished>, StoreError> {
        self.readers.run(copying::unfinished).await
    }

    async fn take(&self, step: Step) -> Result<(), StoreError> {
        self.writer.run(move |connection| take(connection, &step)).await
    }
}

fn take(connection: &mut Connection, step: &Step) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match step {
        Step::Begin { source } => copying::begin(&transaction, *source)?,
        Step::Values(slice) => {
            values::put_values(&transaction, &slice.values)?;
            versions::put_versions(&transaction, &slice.superseded, &slice.reflagged)?;
        }
        Step::Quarantine(points) => refused::put_quarantine(&transaction, points)?,
        Step::Ledger(lines) => ledger::put_ledger(&transaction, lines)?,
        Step::End { cursor } => copying::end(&transaction, *cursor)?,
    }
    if let Some(place) = Place::after(step) {
        copying::at_place(&transaction, &place)?;
    }
    transaction.commit()?;
    if matches!(step, Step::End { .. }) {
        // Nobody may remove the source before this is on the disk.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}
