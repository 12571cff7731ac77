//! The InfluxDB 2 backend (ADR 0021): current values on the server, everything else in a journal of Bakau's own.
//!
//! A write is decided and stored in the journal first, body included, and sent then; the cursor moves on 204 alone.
//! Until then readers may see a part of the new values. After a crash or a failure the pending body is sent again
//! before anything else: points overwrite themselves, so nothing is lost or counted twice.

mod ahead;
mod answer;
mod apart;
mod erased;
mod hours;
mod http;
mod influxql;
mod journal;
mod mapping;
mod msgpack;
mod pending;
mod point;
mod send;
mod series;
mod transfer;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::Instant,
};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, DatastreamName, LedgerKey, Seq, UtcMillis};
use parking_lot::Mutex;
use rusqlite::Connection;

use self::{
    ahead::Ahead,
    http::Server,
    journal::{Asked, Intent},
    pending::Pending,
    point::Wanted,
    series::{Grown, Series},
};
pub use self::{
    answer::{Answered, Hold, Next, decide},
    http::{InfluxConfig, Timeouts},
    point::{INSTANTS, MEASUREMENT, MISSING, Unfit, encode, series_key},
};
use crate::{
    Hour, RangeQuery, Reflagged, RefusedPoint, SeriesPoint, Store, StoreCounts, StoreError, StoreErrorKind,
    StoreVerify, StoredObservation, Superseded, Verdict, Visit, VisitPoint, WriteReceipt,
    copy::tables,
    embedded::{Readers, read},
    metrics,
};

/// Inexact hours this close are read together, and reads at most for one question.
const JOINED_HOURS: usize = 24;
const MAX_RUNS: usize = 16;

/// How a datastream is called: asked once, when its first value is written.
pub type Names = Arc<dyn Fn(DatastreamId) -> Option<DatastreamName> + Send + Sync>;

/// Observations in InfluxDB 2.
#[derive(Debug)]
pub struct InfluxStore(Arc<Inner>);

struct Inner {
    server: Server,
    names: Names,
    /// The connection that writes the journal; held during a whole write, which keeps writes in order.
    writer: tokio::sync::Mutex<Arc<Mutex<Connection>>>,
    /// What only the writer knows.
    grown: Arc<Mutex<Grown>>,
    readers: Readers,
    /// Why the last write failed: the server's own health says nothing about that.
    failure: Mutex<Option<(StoreErrorKind, &'static str, String)>>,
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
        let connection = journal::open(journal)?;
        tables::refuse_unfinished(&connection)?;
        Self::with(connection, journal, config, names)
    }

    /// Opens the journal of a store that may be the target of an unfinished copy.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_target(journal: &Path, config: InfluxConfig, names: Names) -> Result<Self, StoreError> {
        Self::with(journal::open(journal)?, journal, config, names)
    }

    fn with(connection: Connection, journal: &Path, config: InfluxConfig, names: Names) -> Result<Self, StoreError> {
        let server = Server::new(config)?;
        metrics::at_cursor(crate::embedded::write::read_cursor(&connection)?);
        let writer = tokio::sync::Mutex::new(Arc::new(Mutex::new(connection)));
        let readers = Readers::new(journal);
        Ok(Self(Arc::new(Inner { server, names, writer, grown: Arc::default(), readers, failure: Mutex::new(None) })))
    }

    /// Points in quarantine, at most `limit`: confirmed by nobody, and in no answer of this store.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn refused(&self, limit: usize) -> Result<Vec<RefusedPoint>, StoreError> {
        self.0.readers.run(move |connection| tables::quarantine(connection, None, limit)).await
    }
}

impl Inner {
    /// Sends what the journal says is not confirmed yet.
    async fn finish(&self, connection: &Arc<Mutex<Connection>>, pending: Pending) -> Result<WriteReceipt, StoreError> {
        let refused = send::send(&self.server, pending.body).await?;
        if !refused.is_empty() {
            tracing::error!(points = refused.len(), reason = refused[0].reason, "points refused by influxdb");
        }
        let receipt = pending.receipt;
        on(connection, move |connection| pending::confirm(connection, receipt.cursor, &refused)).await?;
        Ok(receipt)
    }

    async fn write_all(&self, asked: Arc<Asked>) -> Result<WriteReceipt, StoreError> {
        let connection = self.writer.lock().await;
        let mut counts = StoreCounts::default();
        if let Some(pending) = on(&connection, |connection| pending::pending(connection)).await? {
            counts += self.finish(&connection, pending).await?.counts;
        }
        self.bring_numbers_back(&connection).await?;
        let mut intent = self.intend(&connection, &asked, None).await?;
        if let Intent::Unknown(unknown) = intent {
            let loaded = self.load(unknown).await?;
            intent = self.intend(&connection, &asked, Some(loaded)).await?;
        }
        let cursor = match intent {
            Intent::Decided(pending) => {
                let receipt = self.finish(&connection, pending).await?;
                counts += receipt.counts;
                receipt.cursor
            }
            Intent::Nothing | Intent::Unknown(_) => {
                on(&connection, |connection| crate::embedded::write::read_cursor(connection)).await?
            }
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
        asked: &Arc<Asked>,
        loaded: Option<Vec<StoredObservation>>,
    ) -> Result<Intent, StoreError> {
        let (names, grown, asked) = (Arc::clone(&self.names), Arc::clone(&self.grown), Arc::clone(asked));
        on(connection, move |connection| {
            let name = |datastream| names(datastream).map(|name| parts(&name));
            journal::intend(connection, &asked, loaded.as_deref(), &name, &mut grown.lock())
        })
        .await
    }

    /// What the server holds at these instants.
    async fn load(&self, unknown: Vec<(Series, BTreeSet<i64>)>) -> Result<Vec<StoredObservation>, StoreError> {
        let mut loaded = Vec::new();
        for (series, instants) in unknown {
            let (Some(&first), Some(&last)) = (instants.first(), instants.last()) else { continue };
            let (first, last) = (UtcMillis::new(first), UtcMillis::new(last));
            let query = RangeQuery {
                datastream: series.datastream,
                from: first,
                to: last.saturating_add(1),
                after: None,
                limit: usize::MAX,
                newest_first: false,
            };
            let mut reading = self.read::<StoredObservation>(&query);
            while let Some(values) = reading.next().await? {
                loaded.extend(values.into_iter().filter(|row| instants.contains(&row.observation.observed_at.get())));
            }
        }
        Ok(loaded)
    }

    /// The values of a range as the server has them.
    fn read<T: Wanted>(&self, query: &RangeQuery) -> Ahead<'_, T> {
        Ahead::new(self, query)
    }

    /// Shows the values of a range where it may block, until `visit` breaks off.
    async fn visit<T: Wanted>(
        &self,
        query: &RangeQuery,
        mut visit: impl FnMut(&T) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut reading = self.read::<T>(query);
        while let Some(values) = reading.next().await? {
            let visiting = tokio::task::spawn_blocking(move || {
                let flow = values.iter().try_for_each(&mut visit);
                (visit, flow)
            });
            let flow;
            (visit, flow) = visiting.await.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Inner {
    /// The hours with those that are inexact summed up again from the server's values; `None` when they lie so far
    /// scattered that reading everything is no slower.
    async fn exact(&self, of: DatastreamId, mut found: Vec<(Hour, bool)>) -> Result<Option<Vec<Hour>>, StoreError> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (n, _) in found.iter().enumerate().filter(|(_, (_, exact))| !exact) {
            match runs.last_mut() {
                Some((_, end)) if n - *end < JOINED_HOURS => *end = n,
                _ => runs.push((n, n)),
            }
        }
        if MAX_RUNS < runs.len() {
            return Ok(None);
        }
        for (first, last) in runs {
            let hours = &mut found[first..=last];
            hours.iter_mut().for_each(|(hour, _)| *hour = Hour::empty(hour.start));
            let (Some((start, _)), Some((end, _))) = (hours.first(), hours.last()) else { continue };
            // The value before matters when it is less than an hour away.
            let (from, to) = (start.start.saturating_add(-Hour::MS), end.start.saturating_add(Hour::MS));
            let query = RangeQuery { datastream: of, from, to, after: None, limit: usize::MAX, newest_first: false };
            let mut previous = None;
            let mut reading = self.read::<SeriesPoint>(&query);
            while let Some(points) = reading.next().await? {
                for point in points.into_iter().filter(|point| point.flag.is_usable()) {
                    let (at, Some(value)) = (point.observed_at, point.value) else { continue };
                    let hour = UtcMillis::new(Hour::start_of(at.get()));
                    if let Ok(place) = hours.binary_search_by_key(&hour, |(hour, _)| hour.start) {
                        hours[place].0.add(at, value, previous);
                    }
                    previous = Some(at);
                }
            }
        }
        Ok(Some(found.into_iter().map(|(hour, _)| hour).collect()))
    }
}

/// Station and parameter with its qualifier.
fn parts(name: &DatastreamName) -> (String, String) {
    let station = name.station();
    (station.to_owned(), name.as_str()[station.len() + 1..].to_owned())
}

/// Runs work on the journal where it may block.
async fn on<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let connection = Arc::clone(connection);
    let working = tokio::task::spawn_blocking(move || work(&mut connection.lock()));
    working.await.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?
}

// === impl Store ===

#[async_trait]
impl Store for InfluxStore {
    async fn write(&self, batches: &[Arc<Batch>], verdicts: Vec<Verdict>) -> Result<WriteReceipt, StoreError> {
        let started = Instant::now();
        let (inner, asked) = (Arc::clone(&self.0), Arc::new(Asked::new(batches.to_vec(), verdicts)));
        // A task of its own: an abandoned call must not leave the journal in the middle of a write.
        let writing = tokio::spawn(async move { inner.write_all(asked).await });
        let outcome = writing.await.unwrap_or_else(|error| Err(StoreError::new(StoreErrorKind::Unavailable, error)));
        *self.0.failure.lock() = outcome.as_ref().err().map(|error| (error.kind(), error.key(), error.to_string()));
        if let Ok(receipt) = &outcome
            && !batches.is_empty()
        {
            metrics::written(receipt, started.elapsed());
        }
        outcome
    }

    async fn cursor(&self) -> Result<Seq, StoreError> {
        self.0.readers.run(crate::embedded::write::read_cursor).await
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
        self.0.readers.run(read::latest).await
    }

    async fn extent(&self, datastream: DatastreamId) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError> {
        self.0.readers.run(move |connection| journal::extent(connection, datastream)).await
    }

    async fn superseded(&self, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError> {
        let query = query.clone();
        self.0.readers.run(move |connection| read::superseded(connection, &query)).await
    }

    async fn reflagged(&self, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError> {
        let query = query.clone();
        self.0.readers.run(move |connection| read::reflagged(connection, &query)).await
    }

    async fn ledger(&self, from: UtcMillis, to: UtcMillis) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError> {
        self.0.readers.run(move |connection| read::ledger(connection, from, to)).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        let failure = self.0.failure.lock().clone();
        if let Some((kind, key, message)) = failure {
            return Err(StoreError::new(kind, message).because(key));
        }
        mapping::check(&self.0.server).await?;
        self.cursor().await.map(drop)
    }

    async fn verify(&self) -> Result<StoreVerify, StoreError> {
        verify::verify(&self.0).await
    }
}
