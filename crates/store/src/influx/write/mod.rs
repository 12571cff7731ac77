//! A write: decided and stored in the journal, sent, confirmed.

mod send;

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

pub(crate) use self::send::{Refused, send};
use super::{
    Inner,
    journal::{
        erased,
        intent::{self, Intent, WriteRequest},
        pending::{self, Pending},
    },
    on, parts,
};
use crate::{StoreCounts, StoreError, StoredObservation, WriteReceipt, sqlite::cursor::read_cursor};

impl Inner {
    /// Sends what the journal says is not confirmed yet.
    async fn finish(&self, connection: &Arc<Mutex<Connection>>, pending: Pending) -> Result<WriteReceipt, StoreError> {
        let refused = send(&self.server, pending.body).await?;
        if !refused.is_empty() {
            tracing::error!(points = refused.len(), reason = refused[0].reason, "points refused by influxdb");
        }
        let receipt = pending.receipt;
        on(connection, move |connection| pending::confirm(connection, receipt.cursor, &refused)).await?;
        Ok(receipt)
    }

    pub(crate) async fn write_all(&self, request: Arc<WriteRequest>) -> Result<WriteReceipt, StoreError> {
        let connection = self.writer.lock().await;
        let mut counts = StoreCounts::default();
        if let Some(pending) = on(&connection, |connection| pending::pending(connection)).await? {
            counts += self.finish(&connection, pending).await?.counts;
        }
        self.bring_numbers_back(&connection).await?;
        let mut intent = self.intend(&connection, &request, None).await?;
        if let Intent::Unknown(unknown) = intent {
            let loaded = self.load(unknown).await?;
            intent = self.intend(&connection, &request, Some(loaded)).await?;
        }
        let cursor = match intent {
            Intent::Decided(pending) => {
                let receipt = self.finish(&connection, pending).await?;
                counts += receipt.counts;
                receipt.cursor
            }
            Intent::Nothing | Intent::Unknown(_) => on(&connection, |connection| read_cursor(connection)).await?,
        };
        Ok(WriteReceipt { counts, cursor })
    }

    /// Finishes what the migration of the journal left to do, before anything new is decided on top of it.
    async fn bring_numbers_back(&self, connection: &Arc<Mutex<Connection>>) -> Result<(), StoreError> {
        while let Some(mut erased) = on(connection, |connection| erased::next(connection)).await? {
            let loaded = self.load(std::mem::take(&mut erased.unknown)).await?;
            let decided = on(connection, move |connection| erased::bring_back(connection, &erased, &loaded)).await?;
            if let Some(pending) = decided {
                self.finish(connection, pending).await?;
            }
        }
        Ok(())
    }

    async fn intend(
        &self,
        connection: &Arc<Mutex<Connection>>,
        request: &Arc<WriteRequest>,
        loaded: Option<Vec<StoredObservation>>,
    ) -> Result<Intent, StoreError> {
        let (names, grown, request) = (Arc::clone(&self.names), Arc::clone(&self.grown), Arc::clone(request));
        on(connection, move |connection| {
            let name = |datastream| names(datastream).map(|name| parts(&name));
            intent::intend(connection, &request, loaded.as_deref(), &name, &mut grown.lock())
        })
        .await
    }
}
