//! Downloads: page after page from the store, as CSV; the next one is read while the client takes the last.

use std::{io, sync::Arc};

use bakau_model::DatastreamName;
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation};
use bytes::Bytes;
use futures::{Stream, stream};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};

use crate::{http::query::Flags, read::rows::RowWriter};

/// Observations read from the store at a time: large enough to be cheap, small enough to be held twice (4 MB each).
pub(crate) const PAGE_ROWS: usize = 50_000;

/// Observations of one chunk (1 MB of text).
const CHUNK_ROWS: usize = 10_000;

/// A page that is being read.
struct Reading(JoinHandle<Result<Vec<StoredObservation>, StoreError>>);

impl Drop for Reading {
    /// A client that has gone away ends the read.
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A download in progress.
pub(crate) struct CsvStream {
    store: Arc<dyn Store>,
    name: DatastreamName,
    rows: RowWriter,
    flags: Flags,
    query: RangeQuery,
    started: bool,
    /// What is left of the page that is being sent.
    page: std::vec::IntoIter<StoredObservation>,
    /// The page behind it; `None` when there is none.
    next: Option<Reading>,
    /// Held as long as the client reads.
    _permit: OwnedSemaphorePermit,
}

impl CsvStream {
    /// The rows of `query`, which asks for [`PAGE_ROWS`] of them, of the flags asked for.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        name: DatastreamName,
        query: RangeQuery,
        flags: Flags,
        rows: RowWriter,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (page, next) = (Vec::new().into_iter(), Some(read(&store, &query)));
        Self { store, name, rows, flags, query, started: false, page, next, _permit: permit }
    }

    /// The chunks. A failure ends the connection, so that nobody takes half a file for a whole one.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, io::Error>> {
        stream::try_unfold(self, |mut this| async move {
            let chunk = this.next_chunk().await.map_err(|error| {
                tracing::warn!(datastream = %this.name, error = %error, "download broken off");
                error
            })?;
            Ok(chunk.map(|chunk| (chunk, this)))
        })
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, io::Error> {
        if self.page.len() == 0 {
            let Some(mut reading) = self.next.take() else { return Ok(None) };
            let page = (&mut reading.0).await.map_err(io::Error::other)?.map_err(io::Error::other)?;
            if let Some(last) = page.last().filter(|_| page.len() == PAGE_ROWS) {
                self.query.after = Some(last.observation.observed_at);
                self.next = Some(read(&self.store, &self.query));
            }
            self.page = page.into_iter();
        }
        let mut chunk = if self.started { Vec::new() } else { self.rows.csv_header().to_vec() };
        self.started = true;
        let mut found: Vec<_> = self.page.by_ref().take(CHUNK_ROWS).collect();
        found.retain(|row| self.flags.contain(row.observation.flag));
        self.rows.csv(&mut chunk, &found);
        Ok(Some(chunk.into()))
    }
}

fn read(store: &Arc<dyn Store>, query: &RangeQuery) -> Reading {
    let (store, query) = (Arc::clone(store), query.clone());
    Reading(tokio::spawn(async move { store.observations(&query).await }))
}
