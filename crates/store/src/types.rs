//! The [`Store`] trait, with the types that go in and come out.

use std::{collections::BTreeMap, fmt::Debug, ops::ControlFlow, sync::Arc};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, Flag, LedgerKey, Observation, Seq, TestResults, UtcMillis};
use derive_more::AddAssign;
use serde::{Deserialize, Serialize};

use crate::{Hour, StoreError};

/// Where observations are kept for years.
///
/// A key is (datastream, `observed_at`). Writing a key again with the same value is a *duplicate*; with another number
/// a *correction*: the one later in spool order wins and the older version moves to the superseded ones. A missing value
/// never replaces a number (*ignored missing*), in any order: a number replaces a missing value, as a correction.
/// Every backend passes [`crate::conformance::run`].
///
/// ```
/// use bakau_store::{Store, conformance::{batch, everything, observation}, embedded::EmbeddedStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let store = EmbeddedStore::open(&folder.path().join("series.db"))?;
/// let batches = [
///     batch(1, "broker", &[observation(17, 60_000, Some(0.42))]),
///     batch(2, "broker", &[observation(17, 60_000, Some(4.2)), observation(17, 120_000, Some(4.1))]),
/// ];
/// let receipt = store.write(&batches, Vec::new()).await?;
/// assert_eq!((receipt.counts.stored, receipt.counts.corrected, receipt.cursor.get()), (2, 1, 2));
///
/// let stored = store.observations(&everything(17)).await?;
/// assert_eq!(stored[0].observation.value, Some(4.2));
/// assert_eq!(store.superseded(&everything(17)).await?[0].observation.value, Some(0.42));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Writes batches in order, together with the cursor (their last seq), the ledger and verdicts of quality control.
    ///
    /// All or nothing. Idempotent: batches at or below the cursor are skipped and counted nowhere.
    ///
    /// A verdict holds for the value its key has after this write, whether it is in the batches or was stored before;
    /// of several values of one key in the batches the last number gets it. Verdicts come one per key; those of keys
    /// without a value are ignored. Without a verdict a value keeps the flag it came with.
    ///
    /// # Errors
    /// When nothing was written.
    async fn write(&self, batches: &[Arc<Batch>], verdicts: Vec<Verdict>) -> Result<WriteReceipt, StoreError>;

    /// The last batch that is in the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn cursor(&self) -> Result<Seq, StoreError>;

    /// Current values of one datastream, by `observed_at`; at most `query.limit` of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn observations(&self, query: &RangeQuery) -> Result<Vec<StoredObservation>, StoreError>;

    /// Shows the same values as [`Self::observations`] one by one, until `visit` breaks off: for ranges that are too long
    /// to be held at once. [`crate::fold`] brings a result back.
    ///
    /// `visit` runs on a thread that may block, and holds a reading connection while it runs.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan(&self, query: &RangeQuery, visit: Visit) -> Result<(), StoreError>;

    /// Shows of readings of a counter what was counted: the same points as [`Self::scan_points`], with the increment as
    /// their value; `None` where it is not known. [`crate::fold_increments`] brings a result back.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan_increments(&self, query: &RangeQuery, mut visit: VisitPoint) -> Result<(), StoreError> {
        let counted = move |row: &StoredObservation| visit(&SeriesPoint { value: row.increment, ..row.into() });
        self.scan(query, Box::new(counted)).await
    }

    /// Shows of the same values what charts, means and quality control need, with the rest of each row left unread
    /// where that saves time; otherwise like [`Self::scan`]. [`crate::fold_points`] brings a result back.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan_points(&self, query: &RangeQuery, mut visit: VisitPoint) -> Result<(), StoreError> {
        self.scan(query, Box::new(move |row| visit(&row.into()))).await
    }

    /// The hours of a datastream that have observations, earliest first, from `from` (inclusive) to `to` (exclusive), both
    /// whole hours; `None` where the store knows no better way than [`Self::scan`].
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn hours(
        &self,
        _datastream: DatastreamId,
        _from: UtcMillis,
        _to: UtcMillis,
    ) -> Result<Option<Vec<Hour>>, StoreError> {
        Ok(None)
    }

    /// The current value with the greatest `observed_at` of each datastream, by datastream.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn latest(&self) -> Result<Vec<StoredObservation>, StoreError>;

    /// Least and greatest `observed_at` of a datastream; `None` when it has no observation.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn extent(&self, datastream: DatastreamId) -> Result<Option<(UtcMillis, UtcMillis)>, StoreError>;

    /// Versions that were replaced, by (`observed_at`, revision); `query.limit` counts versions.
    ///
    /// A page may end in the middle of a key's versions, and `query.after` skips whole keys: ask with a limit that is
    /// larger than the number of corrections of one key.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn superseded(&self, query: &RangeQuery) -> Result<Vec<Superseded>, StoreError>;

    /// Flags and increments that were replaced, by (`observed_at`, revision, `recorded_at`); paging is that of
    /// [`Self::superseded`].
    ///
    /// A change from *not evaluated* to *good* takes nothing back and is not kept, nor is a first increment.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn reflagged(&self, query: &RangeQuery) -> Result<Vec<Reflagged>, StoreError>;

    /// Counts by minute of `received_at` and source, for minutes from `from` (inclusive) to `to` (exclusive).
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn ledger(&self, from: UtcMillis, to: UtcMillis) -> Result<BTreeMap<LedgerKey, StoreCounts>, StoreError>;

    /// Whether the store answers and its writer runs.
    ///
    /// # Errors
    /// When it does not.
    async fn health(&self) -> Result<(), StoreError>;

    /// Reads everything again and names what is wrong with it.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    async fn verify(&self) -> Result<StoreVerify, StoreError>;
}

/// What [`Store::scan`] calls with each value.
pub type Visit = Box<dyn FnMut(&StoredObservation) -> ControlFlow<()> + Send>;

/// What [`Store::scan_points`] calls with each value.
pub type VisitPoint = Box<dyn FnMut(&SeriesPoint) -> ControlFlow<()> + Send>;

/// Results of quality control for the present value of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The datastream.
    pub datastream: DatastreamId,
    /// The instant of the value.
    pub observed_at: UtcMillis,
    /// One flag per test; the worst becomes the flag of the value, unless the value is missing.
    pub tests: TestResults,
    /// Of a reading of a counter: what was counted since the reading before, never negative; `None` where that is not
    /// known, and of anything else than a counter.
    pub increment: Option<f64>,
    /// `received_at` of the value that led to it.
    pub recorded_at: UtcMillis,
}

/// Result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteReceipt {
    /// Outcomes of the observations written by this call.
    pub counts: StoreCounts,
    /// The cursor after it.
    pub cursor: Seq,
}

/// Outcomes of written observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AddAssign, Serialize, Deserialize)]
pub struct StoreCounts {
    /// A new key.
    pub stored: u64,
    /// Same key, same value.
    pub duplicate: u64,
    /// Same key, another number, or a number where there was none.
    pub corrected: u64,
    /// No value where the key has a number.
    pub ignored_missing: u64,
}

impl StoreCounts {
    /// All outcomes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.stored + self.duplicate + self.corrected + self.ignored_missing
    }
}

/// A part of one datastream's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeQuery {
    /// The datastream.
    pub datastream: DatastreamId,
    /// First instant, inclusive.
    pub from: UtcMillis,
    /// Last instant, exclusive.
    pub to: UtcMillis,
    /// Paging: only what comes strictly behind this instant in reading order, which is later instants, or earlier ones
    /// when `newest_first`.
    pub after: Option<UtcMillis>,
    /// At most this many; fewer are returned only at the end of the range.
    pub limit: usize,
    /// Greatest `observed_at` first.
    pub newest_first: bool,
}

/// Time, value and flag of a stored value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesPoint {
    /// When the environment had the value.
    pub observed_at: UtcMillis,
    /// In the datastream's unit; `None` exactly when `flag` is [`Flag::Missing`].
    pub value: Option<f64>,
    /// Quality of the value.
    pub flag: Flag,
}

impl From<&StoredObservation> for SeriesPoint {
    fn from(StoredObservation { observation, .. }: &StoredObservation) -> Self {
        Self { observed_at: observation.observed_at, value: observation.value, flag: observation.flag }
    }
}

/// A current value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredObservation {
    /// The observation.
    pub observation: Observation,
    /// 1 for the first value received for the key, one more with each correction.
    pub revision: u32,
    /// One flag per test of quality control.
    pub tests: TestResults,
    /// The increment by the verdict, of a counter.
    pub increment: Option<f64>,
}

/// A replaced value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superseded {
    /// The observation as it was.
    pub observation: Observation,
    /// Its revision.
    pub revision: u32,
    /// One flag per test of quality control, as they were.
    pub tests: TestResults,
    /// The increment as it was, of a counter.
    pub increment: Option<f64>,
    /// `received_at` of the value that replaced it.
    pub recorded_at: UtcMillis,
}

/// A replaced flag or increment of a value that itself did not change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reflagged {
    /// The datastream.
    pub datastream: DatastreamId,
    /// The instant of the value.
    pub observed_at: UtcMillis,
    /// The revision of the value that had this flag.
    pub revision: u32,
    /// The flag as it was.
    pub flag: Flag,
    /// One flag per test, as they were.
    pub tests: TestResults,
    /// The increment as it was, of a counter.
    pub increment: Option<f64>,
    /// `received_at` of the value that changed the verdict.
    pub recorded_at: UtcMillis,
}

/// A value that a store could not take; it is kept in quarantine with the reason, and no query returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPoint {
    /// Name of the series at the server, or [`RefusedPoint::numbered`].
    pub series: String,
    /// The instant of the value.
    pub observed_at: UtcMillis,
    /// Why it is not stored.
    pub reason: String,
    /// The line, or the value where there is none; cut at a few hundred bytes.
    pub line: String,
}

impl RefusedPoint {
    /// The series of a datastream that is known by its number only.
    #[must_use]
    pub fn numbered(datastream: DatastreamId) -> String {
        format!("datastream {datastream}")
    }

    /// The datastream of a [`Self::numbered`] series.
    #[must_use]
    pub fn datastream(&self) -> Option<DatastreamId> {
        self.series.strip_prefix("datastream ")?.parse().ok().map(DatastreamId::new)
    }
}

/// Result of reading everything again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreVerify {
    /// Current values read.
    pub rows: u64,
    /// Replaced values read.
    pub superseded: u64,
    /// Replaced flags read.
    pub reflagged: u64,
    /// Problems, one sentence each; empty when nothing is wrong. At most [`StoreVerify::MAX_PROBLEMS`].
    pub problems: Vec<String>,
}

impl StoreVerify {
    /// Problems named at most; further ones are counted in one last sentence.
    pub const MAX_PROBLEMS: usize = 100;

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}
