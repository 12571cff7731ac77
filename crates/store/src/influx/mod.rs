//! The InfluxDB 2 backend (ADR 0021): current values on the server, everything else in a journal of Bakau's own.
//!
//! A write is decided and stored in the journal first, body included, and sent then; the cursor moves on 204 alone.
//! Until then readers may see a part of the new values. After a crash or a failure the pending body is sent again
//! before anything else: points overwrite themselves, so nothing is lost or counted twice.

mod http;
mod journal;
mod point;
mod read;
mod transfer;
mod verify;
mod write;

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Instant};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, DatastreamName, LedgerKey, Seq, UtcMillis};
use bakau_sqlite::{Readers, Writer};
use parking_lot::Mutex;
use rusqlite::Connection;

pub use self::{
    http::{
        InfluxConfig, Timeouts,
        answer::{Answered, Next, decide},
    },
    point::{INSTANTS, MISSING, Unfit, encode, series_key},
};
use self::{
    http::{Server, mapping},
    journal::{JOURNAL, hours, intent::WriteRequest, series::Grown, window},
};
use crate::{
    Hour, RangeQuery, Reflagged, RefusedPoint, Store, StoreCounts, StoreError, StoreErrorKind, StoreProblem,
    StoreVerify, StoredObservation, Superseded, Verdict, Visit, VisitPoint, WriteReceipt, metrics,
    sqlite::{copying, cursor::read_cursor, ledger, refused, tables::READERS, values, versions},
};

/// Name of a datastream; asked once, when its first value is written.
pub type Names = Arc<dyn Fn(DatastreamId) -> Option<DatastreamName> + Send + Sync>;

/// Observations in InfluxDB 2.
#[derive(Debug)]
pub struct InfluxStore(Arc<Inner>);

struct Inner {
    server: Server,
    names: Names,
    /// Writes the journal; locked during a whole write, which keeps writes in order.
    writer: tokio::sync::Mutex<Writer>,
    /// State of the writer.
    grown: Arc<Mutex<Grown>>,
    readers: Readers,
    /// Error of the last write, which the server's own health does not show.
    failure: Mutex<Option<(StoreProblem, String)>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfluxStore").field("config", &self.server.config).finish_non_exhaustive()
    }
}

impl InfluxStore {
    /// Opens the journal, creating it; the server need not be there yet.
    ///
    /// # Errors
    /// When the journal cannot be opened or the settings make no sense.
    pub fn open(journal: &Path, config: InfluxConfig, names: Names) -> Result<Self, StoreError> {
        let connection = JOURNAL.open_writer(journal)?;
        copying::refuse_unfinished(&connection)?;
        Self::with(connection, journal, config, names)
    }

    /// Opens the journal of a store that may be the target of an unfinished copy.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_target(journal: &Path, config: InfluxConfig, names: Names) -> Result<Self, StoreError> {
        Self::with(JOURNAL.open_writer(journal)?, journal, config, names)
    }

    fn with(connection: Connection, journal: &Path, config: InfluxConfig, names: Names) -> Result<Self, StoreError> {
        let server = Server::new(config)?;
        metrics::at_cursor(read_cursor(&connection)?);
        let writer = tokio::sync::Mutex::new(Writer::start("bakau-journal", connection, None)?);
        let readers = Readers::new(&JOURNAL, journal, READERS);
        Ok(Self(Arc::new(Inner { server, names, writer, grown: Arc::default(), readers, failure: Mutex::new(None) })))
    }

    /// Points in quarantine, at most `limit`; no query of this store returns them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn refused(&self, limit: usize) -> Result<Vec<RefusedPoint>, StoreError> {
        self.0.readers.run(move |connection| refused::quarantine(connection, None, limit)).await
    }
}

/// Station and parameter with its qualifier.
fn parts(name: &DatastreamName) -> (String, String) {
    let station = name.station();
    (station.to_owned(), name.as_str()[station.len() + 1..].to_owned())
}

// === impl Store ===

#[async_trait]
impl Store for InfluxStore {
    async fn write(&self, batches: &[Arc<Batch>], verdicts: Vec<Verdict>) -> Result<WriteReceipt, StoreError> {
        let started = Instant::now();
        let (inner, request) = (Arc::clone(&self.0), Arc::new(WriteRequest::new(batches.to_vec(), verdicts)));
        // A task of its own: an abandoned call must not leave the journal in the middle of a write.
        let writing = tokio::spawn(async move { inner.write_all(request).await });
        let outcome = writing.await.unwrap_or_else(|error| Err(StoreError::new(StoreErrorKind::Unavailable, error)));
        *self.0.failure.lock() = outcome.as_ref().err().map(|error| (error.problem(), error.to_string()));
        if let Ok(receipt) = &outcome
            && !batches.is_empty()
        {
            metrics::written(receipt, started.elapsed());
        }
        outcome
    }

    async fn cursor(&self) -> Result<Seq, StoreError> {
        self.0.readers.run(read_cursor).await
    }

    async fn observations(&self, query: &RangeQuery) -> Result<Vec<StoredObservation>, StoreError> {
        let (mut found, mut reading) = (Vec::new(), self.0.read(query));
        while let Some(mut values) = reading.next().await? {
            found.append(&mut values);
        }
        Ok(found)
    }

    async fn scan(&self, query: &RangeQuery, visit: Visit) -> Result<(), StoreError> {
        self.0.visit(query, visit).await
    }

    async fn scan_points(&self, query: &RangeQuery, visit: VisitPoint) -> Result<(), StoreError> {
        self.0.visit(query, visit).await
    }

    async fn hours(
        &self,
        datastream: DatastreamId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<Option<Vec<Hour>>, StoreError> {
        let found = self.0.readers.run(move |connection| hours::read(connection, datastream, from, to)).await?;
        self.0.exact(datastream, found).await
    }

    async fn latest(&self) -> Result<Vec<StoredObservation>, StoreError> {
        self.0.readers.run(values::latest).await
    }

    async fn extent(&self, datastream: DatastreamId) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
        self.0.readers.run(move |connection| window::extent(connection, datastream)).await
    }

    async fn superseded(&self, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError> {
        let query = query.clone();
        self.0.readers.run(move |connection| versions::superseded(connection, &query)).await
    }

    async fn reflagged(&self, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError> {
        let query = query.clone();
        self.0.readers.run(move |connection| versions::reflagged(connection, &query)).await
    }

    async fn ledger(&self, from: UtcMillis, to: UtcMillis) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError> {
        self.0.readers.run(move |connection| ledger::ledger(connection, from, to)).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        let failure = self.0.failure.lock().clone();
        if let Some((problem, message)) = failure {
            return Err(StoreError::new(problem, message));
        }
        mapping::check(&self.0.server).await?;
        self.cursor().await.map(drop)
    }

    async fn verify(&self) -> Result<StoreVerify, StoreError> {
        verify::verify(&self.0).await
    }
}
