//! Copying everything from one store to another: `bakau store copy`.
//!
//! The target keeps the progress of the copy in its own file, in the transaction of each step, so that a copy that was
//! killed resumes there. Until everything was compared the target counts as unfinished and cannot be opened as a store.
//! Values, replaced values and flags, quarantine and ledger are copied unchanged; the cursor comes last.

mod compare;
mod plan;

use std::ops::ControlFlow;

use async_trait::async_trait;
use bakau_model::{DatastreamId, LedgerKey, Seq, UtcMillis};
use tokio::sync::mpsc;

pub use self::{
    compare::{Compared, Totals},
    plan::{Place, Slice, Step, Unfinished},
};
use crate::{RangeQuery, RefusedPoint, Store, StoreCounts, StoreError, StoredObservation, fold};

/// Values of one step: some two requests to InfluxDB, one transaction of a few hundred milliseconds elsewhere.
const SLICE_VALUES: usize = 20_000;

/// Lines of ledger or quarantine of one step.
const PAGE_LINES: usize = 20_000;

/// A store whose whole content can be copied.
///
/// The target of an unfinished copy is opened by `open_target`; `open` refuses it.
#[async_trait]
pub trait Transfer: Store {
    /// Numbers of all datastreams that have values, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn datastreams(&self) -> Result<Vec<DatastreamId>, StoreError>;

    /// Points in quarantine behind `after`, by (series, `observed_at`); at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn quarantine(
        &self,
        after: Option<(String, UtcMillis)>,
        limit: usize,
    ) -> Result<Vec<RefusedPoint>, StoreError>;

    /// Lines of the ledger behind `after`, in order; at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn ledger_lines(
        &self,
        after: Option<LedgerKey>,
        limit: usize,
    ) -> Result<Vec<(LedgerKey, StoreCounts)>, StoreError>;

    /// Progress of the copy into this store, when one is unfinished.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn unfinished(&self) -> Result<Option<Unfinished>, StoreError>;

    /// Takes one step of a copy, together with the place after it; all or nothing, and any step may be taken again.
    ///
    /// # Errors
    /// When nothing was taken; [`Step::Begin`] also when the store holds something that is not of a copy.
    async fn take(&self, step: Step) -> Result<(), StoreError>;
}

/// Why a copy stopped; calling again resumes it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source failed.
    #[error("reading failed: {0}")]
    Source(#[source] StoreError),
    /// The target failed.
    #[error("writing failed: {0}")]
    Target(#[source] StoreError),
}

/// Progress of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyEvent {
    /// The copy begins or resumes.
    Started {
        /// Datastreams of the source.
        datastreams: usize,
        /// Whether an unfinished copy is resumed.
        resumed: bool,
    },
    /// More values were copied.
    Copied {
        /// The datastream.
        datastream: DatastreamId,
        /// Its place in the order of copying, from 0.
        index: usize,
        /// Values copied by this call so far.
        values: u64,
    },
    /// A datastream was read again on both sides.
    Compared {
        /// The datastream.
        datastream: DatastreamId,
        /// Its place in the order of copying, from 0.
        index: usize,
        /// Counts and checksum of the target.
        totals: Totals,
    },
}

/// Copies everything and compares it; resumes an unfinished copy.
///
/// Nothing may write to either store meanwhile. When the comparison finds differences, the target stays unfinished and
/// the next call begins anew.
///
/// # Errors
/// When a store fails; calling again resumes.
pub async fn copy(
    source: &dyn Transfer,
    target: &dyn Transfer,
    report: &mut (dyn FnMut(CopyEvent) + Send),
) -> Result<Compared, CopyError> {
    // Writes that the server has not confirmed are finished first.
    source.write(&[], Vec::new()).await.map_err(CopyError::Source)?;
    let cursor = source.cursor().await.map_err(CopyError::Source)?;
    let place = begin(target, cursor).await?;
    let datastreams = source.datastreams().await.map_err(CopyError::Source)?;
    report(CopyEvent::Started { datastreams: datastreams.len(), resumed: place != Place::Start });
    let mut values = 0;
    for (index, &datastream) in datastreams.iter().enumerate() {
        let Some(after) = place.values_after(datastream) else { continue };
        each_slice(source, datastream, after, CopyError::Source, async |slice: Slice| {
            values += slice.values.len() as u64;
            target.take(Step::Values(slice)).await.map_err(CopyError::Target)?;
            report(CopyEvent::Copied { datastream, index, values });
            Ok(())
        })
        .await?;
    }
    copy_quarantine(source, target, &place).await?;
    copy_ledger(source, target, &place).await?;
    let compared = compare::everything(source, target, &datastreams, report).await?;
    let last = if compared.is_equal() { Step::End { cursor } } else { Step::Begin { source: cursor } };
    target.take(last).await.map_err(CopyError::Target)?;
    Ok(compared)
}

/// The place to resume from; a source that changed since is copied anew.
async fn begin(target: &dyn Transfer, cursor: Seq) -> Result<Place, CopyError> {
    let unfinished = target.unfinished().await.map_err(CopyError::Target)?;
    if let Some(unfinished) = unfinished.filter(|unfinished| unfinished.source == cursor) {
        return Ok(unfinished.place);
    }
    target.take(Step::Begin { source: cursor }).await.map_err(CopyError::Target)?;
    Ok(Place::Start)
}

async fn copy_quarantine(source: &dyn Transfer, target: &dyn Transfer, place: &Place) -> Result<(), CopyError> {
    let Some(mut after) = place.quarantine_after() else { return Ok(()) };
    loop {
        let page = source.quarantine(after, PAGE_LINES).await.map_err(CopyError::Source)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.series.clone(), last.observed_at));
        target.take(Step::Quarantine(page)).await.map_err(CopyError::Target)?;
    }
}

async fn copy_ledger(source: &dyn Transfer, target: &dyn Transfer, place: &Place) -> Result<(), CopyError> {
    let mut after = place.ledger_after();
    loop {
        let page = source.ledger_lines(after, PAGE_LINES).await.map_err(CopyError::Source)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        target.take(Step::Ledger(page)).await.map_err(CopyError::Target)?;
    }
}

/// Everything of a datastream behind an instant, in slices; the last one reaches to the end of time.
///
/// The next slice is read while one is used.
async fn each_slice(
    store: &dyn Transfer,
    datastream: DatastreamId,
    after: Option<UtcMillis>,
    failed: fn(StoreError) -> CopyError,
    mut with: impl AsyncFnMut(Slice) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let (from, to) = (UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX));
    let query = RangeQuery { datastream, from, to, after, limit: usize::MAX, newest_first: false };
    let (full, mut slices) = mpsc::channel::<Vec<StoredObservation>>(1);
    let reading = fold(store, &query, Vec::new(), move |rows: &mut Vec<StoredObservation>, row| {
        rows.push(*row);
        let goes_on = rows.len() < SLICE_VALUES || full.blocking_send(std::mem::take(rows)).is_ok();
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let mut begin = after;
    let using = async {
        while let Some(values) = slices.recv().await {
            let Some(through) = values.last().map(|row| row.observation.observed_at) else { continue };
            with(whole(store, datastream, begin, through, values).await.map_err(failed)?).await?;
            begin = Some(through);
        }
        Ok(begin)
    };
    let (rest, begin) = tokio::try_join!(async { reading.await.map_err(failed) }, using)?;
    with(whole(store, datastream, begin, to, rest).await.map_err(failed)?).await
}

/// Values with what they replaced.
async fn whole(
    store: &dyn Transfer,
    datastream: DatastreamId,
    after: Option<UtcMillis>,
    through: UtcMillis,
    values: Vec<StoredObservation>,
) -> Result<Slice, StoreError> {
    let (from, to) = (UtcMillis::new(i64::MIN), through.saturating_add(1));
    let query = RangeQuery { datastream, from, to, after, limit: usize::MAX, newest_first: false };
    let superseded = store.superseded(&query).await?;
    let reflagged = store.reflagged(&query).await?;
    Ok(Slice { datastream, through, values, superseded, reflagged })
}
