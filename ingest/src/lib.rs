//! MQTT message in, durable observation out.
//!
//! Sources ([`client`], [`broker`]) put [`bakau_model::Envelope`]s into the [`Intake`]; one thread, the committer,
//! takes what has arrived, works out each message (route, decode, identify: all pure), writes the group to the spool
//! with one fsync and only then lets the sources acknowledge. Behind the spool, [`run_writer`] carries observations to
//! the store and [`LatestTable`] keeps the present values in memory.

pub mod board;
pub mod broker;
pub mod client;
mod committer;
pub mod decode;
mod frames;
pub mod identify;
mod intake;
mod latest;
mod limits;
mod metrics;
mod owner;
pub mod process;
pub mod route;
mod store_board;
#[cfg(test)]
mod testing;
pub mod tls;
mod writer;

pub use board::{DeviceStatus, ExternalBroker, SourceBoard, SourceState, SourceStatus};
pub use committer::{IngestConfig, start_committer};
pub use intake::{Intake, IntakeHealth, NotCommitted, OpenConnection};
pub use latest::{ClockAhead, LatestEntry, LatestTable};
pub use store_board::{StoreBoard, StoreFailure, StoreStatus};
pub use writer::run_writer;
