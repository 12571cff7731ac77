//! Stations that do not exist and series that were measured elsewhere, published over real MQTT.
//!
//! - [`station`]: stations at places whose values are pure functions of (seed, site, time), with faults.
//! - [`wire`]: how devices of several makes write what a station measured.
//! - [`demo`]: publishes such stations at an interval, for `bakau demo`.
//! - [`load`]: many devices and many messages, with a record of what was acknowledged.
//! - [`replay`]: measured CSV files as messages, values as the file has them.
//! - [`mqtt`]: the small MQTT 3.1.1 publisher under all of them: every message is sent until it is acknowledged.

mod channel;
pub mod demo;
mod fault;
pub mod load;
pub mod mqtt;
mod noise;
mod physics;
pub mod replay;
mod report;
mod site;
pub mod station;
pub mod wire;
