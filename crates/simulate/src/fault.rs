//! What goes wrong at real stations, as data.

use std::time::Duration;

/// Something wrong with a station.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// From this offset after the start.
    pub from: Duration,
    /// For this long.
    pub lasts: Duration,
}

/// Kinds of faults.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// The station sends nothing.
    Silence,
}
