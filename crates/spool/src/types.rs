//! Inputs and outputs of the spool, besides batches.

use std::path::PathBuf;

use bakau_model::{
    Envelope, LedgerKey, MessageLedger, Observation, QuarantineReason, Seq, SourceName, StationStatus, UtcMillis,
};

use crate::raw::RawReport;

/// Path and bounds of the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The file, usually `DATA/spool.db`; its directory must exist.
    pub path: PathBuf,
    /// Bound of unconsumed blob bytes; at the bound [`Spool::append`](crate::Spool::append) refuses with `Full`.
    pub max_bytes: u64,
    /// Consumed messages kept to recognise repeated deliveries after a restart; raised to 65,535 when smaller.
    pub keep_messages: u64,
}

/// One group of the committer, written by one transaction.
#[derive(Debug, Clone, Default)]
pub struct BatchDraft {
    /// Revision of the registry that identified the readings.
    pub registry_revision: u64,
    /// Messages as they arrived, in order, without the denied ones.
    pub envelopes: Vec<Envelope>,
    /// Observations in order, each with the index of its envelope.
    pub observations: Vec<(u32, Observation)>,
    /// Statuses of stations, in order; each comes from one of the envelopes.
    pub statuses: Vec<StationStatus>,
    /// Messages and readings that could not be used.
    pub quarantine: Vec<QuarantineDraft>,
    /// Changes of the message ledger; several rows of one key add up.
    pub messages: Vec<(LedgerKey, MessageLedger)>,
    /// Changes of the reading ledger; several rows of one key add up.
    pub readings: Vec<(LedgerKey, ReadingCounts)>,
}

/// The spool's part of the reading ledger; the store keeps the other part beside its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadingCounts {
    /// Readings found in decoded messages.
    pub decoded: u64,
    /// Of these, readings listed in quarantine.
    pub quarantined: u64,
}

/// A message, or one reading of it, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineDraft {
    /// Index into [`BatchDraft::envelopes`].
    pub envelope: u32,
    /// Datastream or path, as far as it is known; `None` for the whole message. Cut to 256 bytes.
    pub reading: Option<String>,
    /// Reason of the quarantine.
    pub reason: QuarantineReason,
    /// Details for whoever repairs the device or the mapping. Cut to 1024 bytes.
    pub detail: String,
}

/// A row of the quarantine list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Rising, never reused.
    pub id: u64,
    /// Where the message came from.
    pub source: SourceName,
    /// Topic of the message.
    pub topic: String,
    /// The whole payload as it arrived.
    pub payload: Vec<u8>,
    /// Datastream or path, as far as it is known; `None` for the whole message.
    pub reading: Option<String>,
    /// Reason of the quarantine.
    pub reason: QuarantineReason,
    /// Details.
    pub detail: String,
    /// When the message arrived.
    pub received_at: UtcMillis,
}

/// A row of the quarantine list without its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedReading {
    /// Rising, never reused.
    pub id: u64,
    /// Datastream or path, as far as it is known; `None` for the whole message.
    pub reading: Option<String>,
    /// Details.
    pub detail: String,
    /// When the message arrived.
    pub received_at: UtcMillis,
}

bakau_model::words! {
    /// A consumer of batches with a durable cursor of its own.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Consumer {
        /// The store writer, cursor A.
        Store => "store",
        /// The alert engine, cursor B.
        Alerts => "alerts",
    }
}

impl Consumer {
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Store => 0,
            Self::Alerts => 1,
        }
    }
}

/// Size of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolSize {
    /// Bytes of the database file and its write-ahead log.
    pub file_bytes: u64,
    /// Blob bytes above the slower cursor; this is what `max_bytes` bounds.
    pub unconsumed_bytes: u64,
    /// Messages above the slower cursor.
    pub unconsumed_messages: u64,
    /// Messages held, consumed ones included.
    pub messages: u64,
    /// Bytes free on the disk that holds the spool; `None` where the file system cannot tell.
    pub disk_free_bytes: Option<u64>,
}

/// A batch with a blob that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedBatch {
    /// Position of the batch.
    pub seq: Seq,
    /// The blob: `envelopes` or `observations`.
    pub blob: &'static str,
    /// Description of the damage.
    pub problem: String,
}

/// Result of [`SpoolReader::verify`](crate::SpoolReader::verify).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Batches read.
    pub batches: u64,
    /// Messages in intact batches.
    pub messages: u64,
    /// Observations in intact batches.
    pub observations: u64,
    /// Statuses of stations in intact batches.
    pub statuses: u64,
    /// Damaged blobs; every other row stays readable.
    pub damaged: Vec<DamagedBatch>,
    /// Positions missing between the oldest and the newest batch.
    pub missing: u64,
    /// Problems found by SQLite's own structure check.
    pub structure: Vec<String>,
    /// The raw record beside the file.
    pub raw: RawReport,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.structure.is_empty() && self.raw.is_sound()
    }
}
