//! The durable local log of Bakau: messages as they arrived, the observations in them, and the cursors of consumers.
//!
//! [`Spool`] is the single writer of `spool.db`. One [`Spool::append`] is one SQLite transaction with a full fsync;
//! only after it may a message be acknowledged. Consumers (the store writer and the alert engine) follow through a
//! [`SpoolReader`], keep their own durable cursors, and report them here so that consumed batches can be trimmed.
//!
//! Before a consumed batch is trimmed it is appended to the [`raw`] record: daily segments in the folder `raw` beside
//! `spool.db`, which are kept until an operator removes them.
//!
//! Reading order: `types` are the inputs and outputs; `blob`, `wire`, `envelopes` and `observations` how it is stored;
//! `schema` where; `spool` writes; `reader`, `tail`, `ledger` and `quarantine` read; `window` recognises repeated
//! deliveries; `raw` keeps what was consumed; `verify` looks for damage.

mod blob;
mod envelopes;
mod error;
mod ledger;
mod metrics;
mod observations;
mod quarantine;
pub mod raw;
mod reader;
mod schema;
mod shared;
mod spool;
mod tail;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod types;
mod verify;
mod window;
mod wire;

pub use error::{SpoolError, SpoolErrorKind};
pub use reader::SpoolReader;
pub use spool::Spool;
pub use types::{
    BatchDraft, Consumer, DamagedBatch, QuarantineDraft, QuarantineRow, ReadingCounts, RefusedReading, SpoolConfig,
    SpoolSize, VerifyReport,
};
pub use window::DeliveryWindow;
