//! The default backend: one SQLite file.
//!
//! One connection writes, on a thread of its own; a few others read, on the blocking pool of the runtime. The file is
//! in WAL mode, so readers see the last commit and never wait for the writer. `synchronous` is NORMAL: power loss may
//! take the last commits, but rows, ledger and cursor go together and the spool still has the batches.

mod read;
mod schema;
mod transfer;
mod verify;
mod write;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, LedgerKey, Seq, UtcMillis};
use bakau_sqlite::{Readers, Writer};
use rusqlite::Connection;

use self::schema::SERIES;
use crate::{
    RangeQuery, Reflagged, Store, StoreCounts, StoreError, StoreVerify, StoredObservation, Superseded, Verdict, Visit,
    VisitPoint, WriteReceipt, metrics,
    sqlite::{copying, cursor::read_cursor, ledger, tables::READERS, values, versions},
};

/// Quiet time after which the writer moves the WAL into the main file, where more of it is checked when read.
const IDLE_CHECKPOINT: Duration = Duration::from_secs(1);

/// A store in one SQLite file.
#[derive(Debug)]
pub struct EmbeddedStore {
    writer: Writer,
    readers: Readers,
}

impl EmbeddedStore {
    /// Opens the file, creating or migrating it, and starts the writer thread; the thread ends with the store.
    ///
    /// # Errors
    /// When the file cannot be opened, belongs to another program, is damaged or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = SERIES.open_writer(path)?;
        copying::refuse_unfinished(&connection)?;
        Self::with(connection, path)
    }

    /// Opens the file of a store that may be the target of an unfinished copy.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_target(path: &Path) -> Result<Self, StoreError> {
        Self::with(SERIES.open_writer(path)?, path)
    }

    fn with(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        metrics::at_cursor(read_cursor(&connection)?);
        let writer = Writer::start("bakau-store", connection, Some(IDLE_CHECKPOINT))?;
        Ok(Self { writer, readers: Readers::new(&SERIES, path, READERS) })
    }
}

fn write(
    connection: &mut Connection,
    batches: &[Arc<Batch>],
    verdicts: Vec<Verdict>,
) -> Result<WriteReceipt, StoreError> {
    let started = Instant::now();
    let receipt = write::write(connection, batches, verdicts)?;
    if !batches.is_empty() {
        metrics::written(&receipt, started.elapsed());
    }
    Ok(receipt)
}

// === impl Store ===

#[async_trait]
impl Store for EmbeddedStore {
    async fn write(&self, batches: &[Arc<Batch>], verdicts: Vec<Verdict>) -> Result<WriteReceipt, StoreError> {
        let batches = batches.to_vec();
        self.writer.run(move |connection| write(connection, &batches, verdicts)).await
    }

    async fn cursor(&self) -> Result<Seq, StoreError> {
        self.readers.run(read_cursor).await
    }

    async fn observations(&self, query: &RangeQuery) -> Result<Vec<StoredObservation>, StoreError> {
        let query = query.clone();
        self.readers.run(move |connection| read::observations(connection, &query)).await
    }

    async fn scan(&self, query: &RangeQuery, mut visit: Visit) -> Result<(), StoreError> {
        let query = query.clone();
        self.readers.run(move |connection| read::scan(connection, &query, &mut visit)).await
    }

    async fn scan_points(&self, query: &RangeQuery, mut visit: VisitPoint) -> Result<(), StoreError> {
        let query = query.clone();
        self.readers.run(move |connection| read::scan_points(connection, &query, &mut visit)).await
    }

    async fn latest(&self) -> Result<Vec<StoredObservation>, StoreError> {
        self.readers.run(values::latest).await
    }

    async fn extent(&self, datastream: DatastreamId) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
        self.readers.run(move |connection| read::extent(connection, datastream)).await
    }

    async fn superseded(&self, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError> {
        let query = query.clone();
        self.readers.run(move |connection| versions::superseded(connection, &query)).await
    }

    async fn reflagged(&self, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError> {
        let query = query.clone();
        self.readers.run(move |connection| versions::reflagged(connection, &query)).await
    }

    async fn ledger(&self, from: UtcMillis, to: UtcMillis) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError> {
        self.readers.run(move |connection| ledger::ledger(connection, from, to)).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        // An empty write goes through the writer's transaction and changes nothing.
        self.write(&[], Vec::new()).await?;
        self.cursor().await.map(drop)
    }

    async fn verify(&self) -> Result<StoreVerify, StoreError> {
        self.readers.run(verify::verify).await
    }
}
