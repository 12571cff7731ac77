//! Reads the settled history from the store, in bounded pages.
//!
//! An observation behind every clear value puts the level machine at rest whatever came before, so reading starts at
//! the last such observation before the range and ends where the last episode of the range has ended. An episode is
//! therefore the same whichever range it is asked in.

use bakau_model::{DatastreamId, UtcMillis};
use bakau_registry::Rule;
use bakau_store::{RangeQuery, Store, StoreError};

use crate::{Episode, engine::Limits, settled::Settler};

/// Observations per page: under 1 MB.
const PAGE: usize = 10_000;

/// Episodes of a rule that touch `from..to`, from observations before `settled_until`.
pub(crate) async fn episodes(
    store: &dyn Store,
    rule: &Rule,
    datastream: DatastreamId,
    (from, to): (UtcMillis, UtcMillis),
    settled_until: UtcMillis,
) -> Result<Vec<Episode>, StoreError> {
    let start = last_rest(store, rule, datastream, from.min(settled_until)).await?;
    let mut query =
        RangeQuery { datastream, from: start, to: settled_until, after: None, limit: PAGE, newest_first: false };
    let mut settler = Settler::new(rule, datastream);
    let mut found = Vec::new();
    'pages: loop {
        let page = store.observations(&query).await?;
        for stored in &page {
            let observation = &stored.observation;
            found.extend(settler.observe(observation.observed_at, observation.value, observation.flag));
            if to <= observation.observed_at && settler.is_at_rest() {
                break 'pages;
            }
        }
        query.after = page.last().map(|stored| stored.observation.observed_at);
        if page.len() < PAGE {
            break;
        }
    }
    found.extend(settler.lasting());
    found.retain(|episode| episode.onset < to && episode.end.is_none_or(|end| from < end));
    Ok(found)
}

/// The last observation before `before` that puts the machine at rest; the beginning of the series where none does.
async fn last_rest(
    store: &dyn Store,
    rule: &Rule,
    datastream: DatastreamId,
    before: UtcMillis,
) -> Result<UtcMillis, StoreError> {
    let limits = Limits::of(rule);
    let first = UtcMillis::new(i64::MIN);
    let mut query = RangeQuery { datastream, from: first, to: before, after: None, limit: 100, newest_first: true };
    loop {
        let page = store.observations(&query).await?;
        let rests = |value: Option<f64>| value.is_some_and(|value| limits.at_rest(value));
        let rest = page.iter().find(|stored| stored.observation.flag.is_usable() && rests(stored.observation.value));
        if let Some(rest) = rest {
            return Ok(rest.observation.observed_at);
        }
        if page.len() < query.limit {
            return Ok(first);
        }
        query.after = page.last().map(|stored| stored.observation.observed_at);
        // Most of the time rest is near; a long episode is walked back in larger steps.
        query.limit = PAGE;
    }
}
