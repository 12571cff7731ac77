//! The steps of a copy: points first, then the journal, in one transaction with the place after them.
//!
//! A copy killed in between sends the same points again; they overwrite themselves.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use bakau_model::{DatastreamId, LedgerKey, UtcMillis};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{
    InfluxStore, Inner,
    journal::{
        hours::{self, Adding, Before},
        quarantine,
        series::{self, Series},
    },
    parts,
    point::{encode, series_key},
    read::influxql,
    write::send,
};
use crate::{
    RangeQuery, RefusedPoint, StoreCounts, StoreError, StoreErrorKind, StoredObservation,
    copy::{Place, Slice, Step, Transfer, Unfinished},
    sqlite::{copying, ledger, refused, values, versions},
};

#[async_trait]
impl Transfer for InfluxStore {
    async fn datastreams(&self) -> Result<Vec<DatastreamId>, StoreError> {
        self.0.readers.run(values::datastreams).await
    }

    async fn quarantine(
        &self,
        after: Option<(String, UtcMillis)>,
        limit: usize,
    ) -> Result<Vec<RefusedPoint>, StoreError> {
        self.0.readers.run(move |connection| refused::quarantine(connection, after.as_ref(), limit)).await
    }

    async fn ledger_lines(
        &self,
        after: Option<LedgerKey>,
        limit: usize,
    ) -> Result<Vec<(LedgerKey, StoreCounts)>, StoreError> {
        self.0.readers.run(move |connection| ledger::ledger_lines(connection, after.as_ref(), limit)).await
    }

    async fn unfinished(&self) -> Result<Option<Unfinished>, StoreError> {
        self.0.readers.run(copying::unfinished).await
    }

    async fn take(&self, step: Step) -> Result<(), StoreError> {
        let journal = self.0.writer.lock().await;
        let mut visible = BTreeSet::new();
        let refused = match &step {
            Step::Begin { .. } => {
                self.0.refuse_strangers().await?;
                Vec::new()
            }
            Step::Values(slice) => {
                let (datastream, names) = (slice.datastream, Arc::clone(&self.0.names));
                let name = move |datastream| names(datastream).map(|name| parts(&name));
                let ensured = move |connection: &mut _| series::ensure_series(connection, datastream, &name);
                let series = journal.run(ensured).await?;
                self.0.send_values(&series, &slice.values).await?
            }
            Step::Quarantine(points) => {
                visible = self.0.visible(points).await?;
                Vec::new()
            }
            Step::Ledger(_) | Step::End { .. } => Vec::new(),
        };
        journal
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                keep(&transaction, &step, &refused, &visible)?;
                if let Some(place) = Place::after(&step) {
                    copying::at_place(&transaction, &place)?;
                }
                Ok(transaction.commit()?)
            })
            .await
    }
}

impl Inner {
    /// Values of somebody else in the bucket would look like ours afterwards.
    async fn refuse_strangers(&self) -> Result<(), StoreError> {
        if self.readers.run(copying::unfinished).await?.is_none() && influxql::has_points(&self.server).await? {
            let message = "the bucket has observations already: name an empty one";
            return Err(StoreError::new(StoreErrorKind::Other, message));
        }
        Ok(())
    }

    /// The points of a quarantine at whose instants the server has a value all the same.
    async fn visible(&self, points: &[RefusedPoint]) -> Result<BTreeSet<(DatastreamId, UtcMillis)>, StoreError> {
        let points = points.to_vec();
        let named = self.readers.run(move |connection| {
            let key = |point: &RefusedPoint| Ok(series::datastream_of(connection, point)?.zip(Some(point.observed_at)));
            points.iter().map(key).collect::<Result<Vec<_>, StoreError>>()
        });
        let mut found = BTreeSet::new();
        for (datastream, at) in named.await?.into_iter().flatten() {
            let (from, to) = (at, at.saturating_add(1));
            let query = RangeQuery { datastream, from, to, after: None, limit: 1, newest_first: false };
            let mut reading = self.read::<StoredObservation>(&query);
            while let Some(values) = reading.next().await? {
                found.extend(values.iter().map(|row| (datastream, row.observation.observed_at)));
            }
        }
        Ok(found)
    }

    /// Sends values; those that cannot be points, or that the server does not take, come back for the quarantine.
    async fn send_values(&self, series: &Series, rows: &[StoredObservation]) -> Result<Vec<RefusedPoint>, StoreError> {
        let (mut body, mut refused) = (String::with_capacity(rows.len() * 128), Vec::new());
        let refuse = |observed_at, reason, line| {
            let series = RefusedPoint::numbered(series.datastream);
            RefusedPoint { series, observed_at, reason, line }
        };
        let (key, counted) = (series_key(&series.station, &series.parameter), series.counted || is_counted(rows));
        for row in rows {
            let encoded = key.as_ref().map_err(|unfit| *unfit).and_then(|key| encode(key, row, counted, &mut body));
            if let Err(unfit) = encoded {
                let observation = &row.observation;
                refused.push(refuse(observation.observed_at, unfit.to_string(), format!("{:?}", observation.value)));
            }
        }
        for point in send(&self.server, body.into()).await? {
            let at = point.line.rsplit_once(' ').and_then(|(_, at)| at.parse().ok()).unwrap_or_default();
            refused.push(refuse(UtcMillis::new(at), point.reason, point.line));
        }
        Ok(refused)
    }
}

/// Whether any of these values is a reading of a counter.
fn is_counted(rows: &[StoredObservation]) -> bool {
    rows.iter().any(|row| row.increment.is_some())
}

/// Stores a step in the journal.
fn keep(
    transaction: &Transaction<'_>,
    step: &Step,
    refused: &[RefusedPoint],
    visible: &BTreeSet<(DatastreamId, UtcMillis)>,
) -> Result<(), StoreError> {
    match step {
        Step::Begin { source } => {
            copying::begin(transaction, *source)?;
            Ok(transaction
                .execute_batch("DELETE FROM series; DELETE FROM hours; DELETE FROM pending; DELETE FROM erased;")?)
        }
        Step::Values(slice) => {
            refused::put_quarantine(transaction, refused)?;
            versions::put_versions(transaction, &slice.superseded, &slice.reflagged)?;
            keep_values(transaction, slice)?;
            let number = slice.datastream.get();
            refused.iter().try_for_each(|point| hours::mark_inexact(transaction, number, point.observed_at.get()))
        }
        Step::Quarantine(points) => {
            for point in points {
                if let Some(datastream) = series::datastream_of(transaction, point)? {
                    count_quarantined(transaction, datastream, point, visible)?;
                }
                refused::put_quarantine(transaction, std::slice::from_ref(point))?;
            }
            Ok(())
        }
        Step::Ledger(lines) => ledger::put_ledger(transaction, lines),
        Step::End { cursor } => copying::end(transaction, *cursor),
    }
}

/// Counts by hour, and the newest rows, which are the last ones of a slice.
fn keep_values(transaction: &Transaction<'_>, slice: &Slice) -> Result<(), StoreError> {
    let (datastream, rows) = (slice.datastream, &slice.values);
    let Some(first) = rows.first().map(|row| row.observation.observed_at.get()) else { return Ok(()) };
    let (mut before, mut hours) = (Before::read(transaction, datastream.get())?, Adding::new(transaction)?);
    rows.iter().try_for_each(|row| hours.put(&mut before, row))?;
    hours.flush()?;
    let newest = &rows[rows.len().saturating_sub(series::KEPT_ROWS)..];
    values::put_values(transaction, newest)?;
    let floor = newest.first().filter(|_| newest.len() < rows.len()).map(|row| row.observation.observed_at.get());
    transaction.execute(
        "UPDATE series SET first_at = min(first_at, ?2), floor = max(floor, ifnull(?3, floor)),
         counted = max(counted, ?4) WHERE datastream = ?1",
        params![datastream.get(), first, floor, is_counted(rows)],
    )?;
    series::prune(transaction, datastream.get())
}

/// A point in quarantine is counted once in its hour: a value of the same instant was, and so was another such point.
fn count_quarantined(
    transaction: &Transaction<'_>,
    datastream: DatastreamId,
    point: &RefusedPoint,
    visible: &BTreeSet<(DatastreamId, UtcMillis)>,
) -> Result<(), StoreError> {
    let at = point.observed_at.get();
    let series = series::series(transaction, datastream)?;
    let key = series.and_then(|series| series_key(&series.station, &series.parameter).ok()).unwrap_or_default();
    let known = quarantine::instants(transaction, datastream, &key, (at, at))?;
    if known.is_empty() && !visible.contains(&(datastream, point.observed_at)) {
        hours::count(transaction, datastream, at)?;
    }
    Ok(())
}
