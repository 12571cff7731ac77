//! How an open page stays what a fresh one would be (ADR 0032).
//!
//! The server draws. The script in [`crate::assets`] listens to the page stream ([`STREAM_PATH`]), which says no more than
//! that something changed and at which stations. The page then fetches its own address, naming the fragments that it
//! holds ([`crate::fragment`]), and puts the answer in place of what it shows. So there is one way to draw a page, and a
//! page that has missed anything is whole again after the next fetch.
//!
//! What changes by time alone (a value becomes stale, a chart moves on) has an instant at which the page fetches itself:
//! `Live::due`. Ages are counted by the script, since a page without it shows clock times.
//!
//! One stream serves all tabs of a browser, by a shared worker, while one of them is seen. A page that hears nothing for
//! 12.5 seconds, whose stream breaks or whose fetch fails says that it is disconnected.

use bakau_model::{StationId, UtcMillis};

/// Path of the page stream.
pub const STREAM_PATH: &str = "/live";

/// Time between two fetches for new values, per station shown: bytes per hour do not grow with the number of stations.
const GAP_PER_STATION_MS: i64 = 150;
/// The least and the most of it.
const GAP_MS: std::ops::RangeInclusive<i64> = 1_000..=30_000;

/// What the script needs to keep a page current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    /// The one station whose changes change the page, beside alerts; `None` where any station's do.
    pub(crate) about: Option<StationId>,
    /// Least time between two fetches that only bring new values.
    pub(crate) gap_ms: i64,
    /// When something on the page changes by time alone.
    pub(crate) due: Option<UtcMillis>,
}

impl Live {
    /// Of a page that shows `stations`.
    pub(crate) fn of(stations: usize, due: Option<UtcMillis>) -> Self {
        let stations = i64::try_from(stations).unwrap_or(i64::MAX);
        let gap_ms = stations.saturating_mul(GAP_PER_STATION_MS).clamp(*GAP_MS.start(), *GAP_MS.end());
        Self { about: None, gap_ms, due }
    }
}
