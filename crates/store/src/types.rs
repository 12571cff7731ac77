//! What goes into a store and what comes out of it.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use bakau_model::{Batch, DatastreamId, LedgerKey, Observation, Seq, UtcMillis};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Where observations are kept for years.
///
/// A key is (datastream, `observed_at`). Writing a key again with the same value is a *duplicate*; with another value
/// a *correction*: the value later in spool order wins and the older one moves to the superseded versions.
/// Every backend passes [`crate::conformance::run`].
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Writes batches in order, together with the cursor (their last seq) and the ledger.
    ///
    /// All or nothing. Idempotent: batches at or below the cursor are skipped and counted nowhere.
    ///
    /// # Errors
    /// When nothing was written.
    async fn write(&self, batches: &[Arc<Batch>]) -> Result<WriteReceipt, StoreError>;

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

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteReceipt {
    /// Outcomes of the observations written by this call.
    pub counts: StoreCounts,
    /// The cursor after it.
    pub cursor: Seq,
}

/// Outcomes of written observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreCounts {
    /// A new key.
    pub stored: u64,
    /// Same key, same value.
    pub duplicate: u64,
    /// Same key, other value.
    pub corrected: u64,
}

impl StoreCounts {
    /// All outcomes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.stored + self.duplicate + self.corrected
    }
}

impl std::ops::AddAssign for StoreCounts {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.corrected += other.corrected;
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

/// A current value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredObservation {
    /// The observation.
    pub observation: Observation,
    /// 1 for the first value received for the key, one more with each correction.
    pub revision: u32,
}

/// A replaced value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superseded {
    /// The observation as it was.
    pub observation: Observation,
    /// Its revision.
    pub revision: u32,
    /// `received_at` of the value that replaced it.
    pub recorded_at: UtcMillis,
}

/// What reading everything again found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoreVerify {
    /// Current values read.
    pub rows: u64,
    /// Replaced values read.
    pub superseded: u64,
    /// What is wrong, one sentence each; empty when all is well. At most [`StoreVerify::MAX_PROBLEMS`].
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
