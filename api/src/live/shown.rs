//! What pages say of each station, as far as it is remembered while one of them is open.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use bakau_alerts::PendingView;
use bakau_dashboards::view::{StationCard, ValueCell};
use bakau_model::{State, StationId, UtcMillis};
use parking_lot::Mutex;

/// What is remembered of each station, and for how many open streams.
#[derive(Debug, Default)]
pub(crate) struct StateWatch {
    pub(super) streams: AtomicUsize,
    pub(super) started: OnceLock<()>,
    pub(super) known: Mutex<Known>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last entry of the log that was looked at.
    pub(super) seen: u64,
    pub(super) stations: HashMap<StationId, Shown>,
    pub(super) pending: Arc<Vec<PendingView>>,
}

/// What pages say of a station in few words, and when that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    state: State,
    datastreams: Vec<(State, bool)>,
    freshness: &'static str,
    acknowledged_at: Option<UtcMillis>,
    clock_refused: Option<bool>,
    /// Behind this instant another of its values is stale.
    pub(super) until: Option<UtcMillis>,
}

impl Shown {
    pub(super) fn of(card: &StationCard, now: UtcMillis) -> Self {
        let untils = card.values.iter().filter_map(ValueCell::current_until);
        Self {
            state: card.state,
            datastreams: card.values.iter().map(|cell| (cell.state, cell.stale)).collect(),
            freshness: card.freshness.key(),
            acknowledged_at: card.acknowledged_at,
            clock_refused: card.clock.map(|clock| clock.refused),
            until: untils.filter(|until| now <= *until).min(),
        }
    }

    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        Self { until: None, ..self.clone() } == Self { until: None, ..other.clone() }
    }
}
