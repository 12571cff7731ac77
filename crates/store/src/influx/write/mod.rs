//! A write: decided and stored in the journal, sent, confirmed.

mod send;

use std::sync::Arc;

use bakau_sqlite::Writer;

pub(crate) use self::send::{Refused, send};
use super::{
    Inner,
    journal::{
        erased,
        intent::{self, Intent, WriteRequest},
        pending::{self, Pending},
    },
    parts,
};
use crate::{StoreCounts, StoreError, StoredObservation, WriteReceipt, sqlite::cursor::read_cursor};

impl Inner {
    /// Sends a pending write and confirms it in the journal.
    async fn finish(&self, journal: &Writer, pending: Pending) -> Result<WriteReceipt, StoreError> {
        let refused = send(&self.server, pending.body).await?;
        if !refused.is_empty() {
            tracing::error!(
                points = refused.len(),
                reason = refused[0].reason,
                "influxdb refused points; they are in quarantine"
            );
        }
        let receipt = pending.receipt;
        journal.run(move |connection| pending::confirm(connection, receipt.cursor, &refused)).await?;
        Ok(receipt)
    }

    pub(crate) async fn write_all(&self, request: Arc<WriteRequest>) -> Result<WriteReceipt, StoreError> {
        let journal = self.writer.lock().await;
        let mut counts = StoreCounts::default();
        if let Some(pending) = journal.run(|connection| pending::pending(connection)).await? {
            counts += self.finish(&journal, pending).await?.counts;
        }
        self.bring_numbers_back(&journal).await?;
        let mut intent = self.intend(&journal, &request, None).await?;
        if let Intent::Unknown(unknown) = intent {
            let loaded = self.load(unknown).await?;
            intent = self.intend(&journal, &request, Some(loaded)).await?;
        }
        let cursor = match intent {
            Intent::Decided(pending) => {
                let receipt = self.finish(&journal, pending).await?;
                counts += receipt.counts;
                receipt.cursor
            }
            Intent::Nothing | Intent::Unknown(_) => journal.run(|connection| read_cursor(connection)).await?,
        };
        Ok(WriteReceipt { counts, cursor })
    }

    /// Brings back the numbers that the migration of the journal listed, before anything new is decided.
    async fn bring_numbers_back(&self, journal: &Writer) -> Result<(), StoreError> {
        while let Some(mut erased) = journal.run(|connection| erased::next(connection)).await? {
            let loaded = self.load(std::mem::take(&mut erased.unknown)).await?;
            let decided = journal.run(move |connection| erased::bring_back(connection, &erased, &loaded)).await?;
            if let Some(pending) = decided {
                self.finish(journal, pending).await?;
            }
        }
        Ok(())
    }

    async fn intend(
        &self,
        journal: &Writer,
        request: &Arc<WriteRequest>,
        loaded: Option<Vec<StoredObservation>>,
    ) -> Result<Intent, StoreError> {
        let (names, grown, request) = (Arc::clone(&self.names), Arc::clone(&self.grown), Arc::clone(request));
        journal
            .run(move |connection| {
                let name = |datastream| names(datastream).map(|name| parts(&name));
                intent::intend(connection, &request, loaded.as_deref(), &name, &mut grown.lock())
            })
            .await
    }
}
