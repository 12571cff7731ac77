//! Real parts for system tests, drills and benchmarks: the `bakau` binary, mosquitto, a webhook sink, and a checker that
//! reads the files on its own.
//!
//! Nothing here sleeps to wait for something: every wait polls a condition with a deadline and says what it waited for.

pub mod bakau;
pub mod broker_kill;
pub mod browser;
pub mod catalogue;
pub mod certificates;
pub mod checker;
pub mod clients;
pub mod device;
pub mod disk;
pub mod events;
pub mod faketime;
pub mod house;
pub mod influx;
pub mod kill;
pub mod line;
pub mod listen;
pub mod metrics;
pub mod mosquitto;
pub mod process;
pub mod publish;
pub mod relay;
pub mod remote;
pub mod renewal;
pub mod series;
pub mod sink;
pub mod smtp;
pub mod tap;
pub mod telegram;
pub mod wait;

/// Installs the one TLS provider; every binary and test calls it before making an HTTP client.
pub fn install_tls() {
    // A second call in one process finds it installed already, which is what was wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
