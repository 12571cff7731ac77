//! Where observations are kept: the [`Store`] trait, its conformance suite, and the embedded and InfluxDB backends.
//!
//! A store is filled by one writer that follows the spool; it may be slow or away for hours, because a reading is
//! durable in the spool before it comes here. A write commits rows, ledger and cursor together, so that after any
//! crash the same batches can be written again and nothing is counted twice. Verdicts of quality control are part of
//! the same commit; a flag that is taken back is kept as a version of its own.

#![forbid(unsafe_code)]

pub mod conformance;
pub mod copy;
pub mod embedded;
mod error;
mod fold;
mod hour;
#[cfg(feature = "influx")]
pub mod influx;
mod metrics;
mod retry;
mod sqlite;
mod sum;
mod types;

pub use error::{Hold, StoreError, StoreErrorKind, StoreProblem};
pub use fold::{fold, fold_increments, fold_points, stream_before, stream_of_known};
pub use hour::Hour;
pub use retry::pause;
pub use sum::Sum;
pub use types::{
    RangeQuery, Reflagged, RefusedPoint, SeriesPoint, Store, StoreCounts, StoreVerify, StoredObservation, Superseded,
    Verdict, Visit, VisitPoint, WriteReceipt,
};
