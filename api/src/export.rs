//! Downloads: page after page from the store, as CSV.

use std::{io, sync::Arc};

use bakau_model::{DatastreamName, UtcMillis};
use bakau_registry::Datastream;
use bakau_store::{RangeQuery, Store};
use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    query::{Flags, Span},
    rows::{CSV_HEADER, RowWriter},
    state::AppState,
};

/// Observations read from the store at a time: large enough to be cheap, small enough to be forgotten (1 MB of text).
const PAGE_ROWS: usize = 10_000;

/// A text that no spreadsheet takes for a formula. Numbers are left alone: `-1.5` is a value.
pub(crate) fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        Some(_) | None => text.to_owned(),
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
    ended: bool,
    /// Held as long as the client reads.
    _permit: OwnedSemaphorePermit,
}

impl CsvStream {
    /// The rows of `datastream` in `span`, behind `after`, of the flags asked for.
    pub(crate) fn new(
        state: &AppState,
        datastream: &Datastream,
        (span, after): (Span, Option<UtcMillis>),
        flags: Flags,
        rows: RowWriter,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let query = RangeQuery {
            datastream: datastream.number,
            from: span.from,
            to: span.to,
            after,
            limit: PAGE_ROWS,
            newest_first: false,
        };
        let (store, name) = (Arc::clone(&state.store), datastream.name.clone());
        Self { store, name, rows, flags, query, started: false, ended: false, _permit: permit }
    }

    /// The chunks. A failure breaks the connection off, so that nobody takes half a file for a whole one.
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
        if self.ended {
            return Ok(None);
        }
        let mut found = self.store.observations(&self.query).await.map_err(io::Error::other)?;
        self.ended = found.len() < PAGE_ROWS;
        self.query.after = found.last().map(|last| last.observation.observed_at);
        let mut chunk = if self.started { Vec::new() } else { CSV_HEADER.to_vec() };
        self.started = true;
        found.retain(|row| self.flags.contain(row.observation.flag));
        self.rows.csv(&mut chunk, &found);
        Ok(Some(chunk.into()))
    }
}
