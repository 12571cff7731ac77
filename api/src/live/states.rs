//! Which stations say something else than before: values change all the time, what pages say of a station does not.
//!
//! Looked at only while a page is open. Alerts and last wills have entries of their own in the log; this adds what follows
//! from values and from time.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use bakau_alerts::PendingView;
use bakau_model::StationId;

use crate::{
    live::{event_log::Happened, shown::Shown},
    read::gather::Gatherer,
    state::AppState,
};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One stream of a page; while one is open, states are watched.
#[derive(Debug)]
pub(crate) struct Watching(AppState);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.own.states.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watching {
    /// Begins to watch. What changes after this call is told.
    pub(crate) fn begin(state: &AppState) -> Self {
        let watch = &state.own.states;
        if watch.streams.fetch_add(1, Ordering::Relaxed) == 0 {
            let gatherer = Gatherer::new(state);
            let mut known = watch.known.lock();
            known.seen = state.own.events.last();
            let now = state.clock.now();
            let stations = gatherer.stations().into_iter();
            known.stations = stations.map(|card| (card.id.clone(), Shown::of(&card, now))).collect();
        }
        watch.started.get_or_init(|| drop(tokio::spawn(look_on(state.clone()))));
        Self(state.clone())
    }
}

async fn look_on(state: AppState) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.stop.cancelled() => return,
            _ = every.tick() => if 0 < state.own.states.streams.load(Ordering::Relaxed) {
                look(&state);
            },
        }
    }
}

/// Compares the stations that may say something else with what they said, and writes down which do.
fn look(state: &AppState) {
    let mut known = state.own.states.known.lock();
    let now = state.clock.now();
    let snapshot = state.snapshot();
    let entries = state.own.events.behind(known.seen);
    known.seen = state.own.events.last();
    let mut touched: BTreeSet<StationId> = match &entries {
        // Too much has happened: look at all of them.
        None => snapshot.stations.keys().cloned().collect(),
        Some(entries) => {
            let changed = entries.iter().filter_map(|entry| match entry {
                Happened::Changed(changed) => Some(changed),
                Happened::Alert(_) | Happened::Station(_) | Happened::States(_) | Happened::Anything => None,
            });
            let datastreams = changed.flat_map(|changed| changed.iter());
            datastreams.filter_map(|id| Some(snapshot.datastreams.get(id)?.station.clone())).collect()
        }
    };
    let over = |shown: &Shown| shown.until.is_some_and(|until| until < now);
    touched.extend(known.stations.iter().filter(|(_, shown)| over(shown)).map(|(id, _)| id.clone()));
    let pending = state.alerts.pending();
    if pending != known.pending {
        let of =
            |view: &PendingView| snapshot.datastream(&view.datastream).map(|datastream| datastream.station.clone());
        touched.extend(pending.iter().chain(known.pending.iter()).filter_map(of));
        known.pending = pending;
    }
    if touched.is_empty() {
        return;
    }
    let gatherer = Gatherer::new(state);
    let mut other = Vec::new();
    for id in touched {
        let Some(station) = snapshot.stations.get(&id) else { continue };
        let shown = Shown::of(&gatherer.card(station), now);
        let before = known.stations.insert(id.clone(), shown.clone());
        if before.is_none_or(|before| !before.says_the_same(&shown)) {
            other.push(id);
        }
    }
    if !other.is_empty() {
        state.own.events.push(Happened::States(other.into()));
    }
}
