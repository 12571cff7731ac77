//! Verification: the journal's tables, and the server's points counted by datastream and hour.

use std::collections::{BTreeMap, BTreeSet};

use bakau_model::UtcMillis;
use rusqlite::Connection;

use super::{
    Inner,
    http::mapping,
    journal::{quarantine, series},
    point::series_key,
};
use crate::{
    Hour, RangeQuery, StoreError, StoreVerify, StoredObservation,
    sqlite::verify::{Problems, check_pages, check_rows},
};

/// Rows by hour.
type Hours = BTreeMap<i64, i64>;

/// A series with the values of each hour but those at instants that are in quarantine: those may be there or not.
struct Held {
    series: series::Series,
    written: Hours,
    quarantined: BTreeSet<i64>,
}

/// Content of the server by the journal.
struct Expected {
    series: Vec<Held>,
    superseded: u64,
    reflagged: u64,
    problems: Problems,
}

pub(super) async fn verify(store: &Inner) -> Result<StoreVerify, StoreError> {
    mapping::look(&store.server).await?;
    let Expected { series, superseded, reflagged, mut problems } = store.readers.run(expected).await?;
    let mut rows = 0;
    for Held { series, written, quarantined } in series {
        let (from, to) = (UtcMillis::new(i64::MIN), UtcMillis::new(i64::MAX));
        let datastream = series.datastream;
        let query = RangeQuery { datastream, from, to, after: None, limit: usize::MAX, newest_first: false };
        let mut visible = Hours::new();
        let mut reading = store.read::<StoredObservation>(&query);
        while let Some(values) = reading.next().await? {
            rows += values.len() as u64;
            for row in values {
                let at = row.observation.observed_at.get();
                if quarantined.contains(&at) {
                    continue;
                }
                *visible.entry(Hour::start_of(at)).or_default() += 1;
            }
        }
        for (hour, count) in &written {
            let seen = visible.remove(hour).unwrap_or_default();
            if seen != *count {
                let hour = UtcMillis::new(*hour);
                problems.add(|| {
                    format!("{datastream} in the hour of {hour}: {count} values were confirmed, {seen} are visible")
                });
            }
        }
        for (hour, seen) in visible {
            problems.add(|| format!("{datastream} in the hour of {hour} ms: {seen} values that nobody wrote"));
        }
    }
    Ok(StoreVerify { rows, superseded, reflagged, problems: problems.finish() })
}

fn expected(connection: &Connection) -> Result<Expected, StoreError> {
    let mut problems = Problems::default();
    check_pages(connection, &mut problems)?;
    let superseded = check_rows(connection, "superseded", &mut problems)?;
    check_rows(connection, "recent", &mut problems)?;
    let reflagged = connection.query_row("SELECT count(*) FROM reflagged", [], |row| row.get(0))?;
    let mut hours = connection.prepare("SELECT hour, stored FROM hours WHERE datastream = ?1")?;
    let mut expected = Vec::new();
    for series in series::all_series(connection)? {
        let written = hours.query_map([series.datastream.get()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut written = written.collect::<Result<Hours, _>>()?;
        let key = series_key(&series.station, &series.parameter).unwrap_or_default();
        let quarantined = quarantine::instants(connection, series.datastream, &key, (i64::MIN, i64::MAX))?;
        for at in &quarantined {
            if let Some(count) = written.get_mut(&Hour::start_of(*at)) {
                *count -= 1;
            }
        }
        expected.push(Held { series, written, quarantined });
    }
    Ok(Expected { series: expected, superseded, reflagged, problems })
}
