//! MQTT message in, durable observation out.
//!
//! Sources ([`client`], [`broker`]) put [`bakau_model::Envelope`]s into the [`Intake`]; one thread, the committer,
//! takes what has arrived, works out each message (route, decode, identify: all pure), writes the group to the spool
//! with one fsync and only then lets the sources acknowledge. Behind the spool, [`run_writer`] carries observations to
//! the store and [`LatestTable`] keeps the present values in memory.

mod board;
pub mod broker;
pub mod client;
mod committer;
pub mod decode;
mod frames;
mod identify;
mod intake;
mod latest;
mod limits;
mod metrics;
mod owner;
mod process;
mod route;
mod store_board;
#[cfg(test)]
mod testing;
pub mod tls;
mod writer;

pub use board::{ExternalBroker, SourceBoard, SourceState, SourceStatus};
pub use committer::{IngestConfig, start_committer};
pub use identify::AcceptWindow;
pub use intake::{Intake, IntakeHealth, NotCommitted};
pub use latest::{ClockAhead, LatestEntry, LatestTable};
pub use process::{Findings, Limits, Processor};
pub use store_board::{StoreBoard, StoreStatus};
pub use writer::run_writer;
