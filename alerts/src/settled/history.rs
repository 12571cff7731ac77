//! Reads the settled history from the store, in bounded pages.
//!
//! A good observation behind every clear value puts the level machine at rest whatever came before, so reading starts
//! at the last such observation before the range and ends where the last episode of the range has ended. What quality
//! control needs is read before it. An episode is therefore the same whichever range it is asked in.

use bakau_model::{DAY_MS, UtcMillis};
use bakau_quality::margin;
use bakau_registry::{Datastream, Rule};
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation};

use crate::{
    Episode,
    settled::{Seen, Settler, last_rest},
};

/// Observations per page: under 1 MB.
const PAGE: usize = 10_000;
/// Most of the time rest is near; a long episode is walked back in larger steps.
const FIRST_STEP_MS: i64 = DAY_MS;
const LONGEST_STEP_MS: i64 = 32 * FIRST_STEP_MS;

/// Episodes of a rule on a datastream that touch `from..to`, from observations before `settled_until`.
pub(crate) async fn episodes(
    store: &dyn Store,
    rule: &Rule,
    datastream: &Datastream,
    (from, to): (UtcMillis, UtcMillis),
    settled_until: UtcMillis,
) -> Result<Vec<Episode>, StoreError> {
    let start = rest_before(store, rule, datastream, from.min(settled_until), settled_until).await?;
    let margin = margin(&datastream.limits);
    let mut pages = Pages::new(store, datastream, start.saturating_add(-margin.to_resume()), settled_until);
    let mut settler = Settler::new(rule, datastream, start);
    let mut found = Vec::new();
    'pages: while let Some(page) = pages.next().await? {
        for seen in page {
            found.extend(settler.observe(seen));
            if to.saturating_add(margin.after) <= seen.at && settler.is_at_rest() {
                break 'pages;
            }
        }
    }
    found.extend(settler.finish());
    found.retain(|episode| episode.onset < to && episode.end.is_none_or(|end| from < end));
    Ok(found)
}

/// The last observation before `before` that puts the machine at rest; the beginning of the series where none does.
async fn rest_before(
    store: &dyn Store,
    rule: &Rule,
    datastream: &Datastream,
    before: UtcMillis,
    settled_until: UtcMillis,
) -> Result<UtcMillis, StoreError> {
    let margin = margin(&datastream.limits);
    let (mut end, mut step) = (before, FIRST_STEP_MS);
    while let Some(newest) = newest_before(store, datastream, end).await? {
        let end_of_window = newest.saturating_add(1);
        let window = newest.saturating_add(-step)..end_of_window;
        let first = window.start.saturating_add(-margin.to_resume());
        let last = end_of_window.saturating_add(margin.after).min(settled_until);
        let mut pages = Pages::new(store, datastream, first, last);
        let mut series = Vec::new();
        while let Some(page) = pages.next().await? {
            series.extend(page);
        }
        if let Some(rest) = last_rest(rule, datastream, &series, window.clone()) {
            return Ok(rest);
        }
        end = window.start;
        step = step.saturating_mul(2).min(LONGEST_STEP_MS);
    }
    Ok(UtcMillis::new(i64::MIN))
}

async fn newest_before(
    store: &dyn Store,
    datastream: &Datastream,
    before: UtcMillis,
) -> Result<Option<UtcMillis>, StoreError> {
    let (number, from) = (datastream.number, UtcMillis::new(i64::MIN));
    let query = RangeQuery { datastream: number, from, to: before, after: None, limit: 1, newest_first: true };
    Ok(store.observations(&query).await?.first().map(|stored| stored.observation.observed_at))
}

/// Times and values of a range, oldest first, page by page; of a counter its increments.
struct Pages<'a> {
    store: &'a dyn Store,
    is_counter: bool,
    query: RangeQuery,
    over: bool,
}

impl<'a> Pages<'a> {
    fn new(store: &'a dyn Store, datastream: &Datastream, from: UtcMillis, to: UtcMillis) -> Self {
        let number = datastream.number;
        let query = RangeQuery { datastream: number, from, to, after: None, limit: PAGE, newest_first: false };
        Self { store, is_counter: datastream.counter().is_some(), query, over: false }
    }

    async fn next(&mut self) -> Result<Option<Vec<Seen>>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let page = self.store.observations(&self.query).await?;
        self.over = page.len() < PAGE;
        self.query.after = page.last().map(|stored| stored.observation.observed_at);
        let seen = |stored: &StoredObservation| Seen {
            at: stored.observation.observed_at,
            value: if self.is_counter { stored.increment } else { stored.observation.value },
            flag: stored.observation.flag,
            received_at: stored.observation.received_at,
        };
        Ok(Some(page.iter().map(seen).collect()))
    }
}
