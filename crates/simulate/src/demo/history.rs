//! What the stations would have measured before the demo began, published as a logger sends what it kept while it had no
//! connection: arrays of readings on `bakau/{station}/history`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bakau_model::{MINUTE_MS, UtcMillis};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Credentials, sites};
use crate::{
    mqtt::{Effort, Login, Message, Next, PublishError, Source, Target, publish_all},
    station::Station,
};

/// Time between two rows of history.
pub const STEP: Duration = Duration::from_secs(300);
const STEP_MS: i64 = 5 * MINUTE_MS;

/// Rows in one message: half a day, some 20 kB.
const ROWS: usize = 144;

/// Messages of a station on their way: enough for one commit after the other, few enough that all stations together need
/// little memory.
const WINDOW: usize = 8;

/// A stretch of time a station has no history of, start inclusive, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First instant.
    pub from: UtcMillis,
    /// First instant after it.
    pub to: UtcMillis,
}

/// The number of the first whole step at or after an instant.
fn step_at(at: UtcMillis) -> i64 {
    at.get().div_euclid(STEP_MS) + i64::from(at.get().rem_euclid(STEP_MS) != 0)
}

impl Gap {
    /// What is missing of `wanted` where there are observations from `extent.0` to `extent.1`: something before, something
    /// behind, or all of it.
    #[must_use]
    pub fn missing(wanted: Self, extent: Option<(UtcMillis, UtcMillis)>) -> Vec<Self> {
        let Some((first, last)) = extent else { return vec![wanted] };
        let before = Self { from: wanted.from, to: wanted.to.min(first) };
        let behind = Self { from: wanted.from.max(last.saturating_add(1)), to: wanted.to };
        [before, behind].into_iter().filter(|gap| 0 < gap.rows()).collect()
    }

    /// Rows in it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        u64::try_from(step_at(self.to) - step_at(self.from)).unwrap_or(0)
    }

    /// Instants of its rows, on the grid of whole steps.
    fn instants(self) -> impl Iterator<Item = UtcMillis> + Send {
        (step_at(self.from)..step_at(self.to)).map(|step| UtcMillis::new(step * STEP_MS))
    }
}

/// The history to publish.
#[derive(Debug, Clone)]
pub struct HistoryPlan {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// Devices, each with what its station lacks.
    pub stations: Vec<(Credentials, Vec<Gap>)>,
    /// Seed of everything random, that of the demo.
    pub seed: u64,
}

impl HistoryPlan {
    /// Rows altogether.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.stations.iter().flat_map(|(_, gaps)| gaps).map(Gap::rows).sum()
    }
}

/// Publishes a history and returns when all of it is acknowledged or `stop` is cancelled; `acknowledged` is called with the rows
/// of each acknowledged message.
///
/// # Errors
/// When the broker refuses a device or acknowledges nothing for a minute.
pub async fn fill(
    plan: HistoryPlan,
    acknowledged: impl Fn(u64) + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<(), PublishError> {
    let told: Arc<dyn Fn(u64) + Send + Sync> = Arc::new(acknowledged);
    let mut tasks = JoinSet::new();
    let mut places = sites();
    for (device, gaps) in plan.stations {
        let Some(index) = places.iter().position(|site| site.id == device.station) else { continue };
        let site = places.swap_remove(index);
        let station = Station { site, seed: plan.seed, start: UtcMillis::new(i64::MAX), faults: Vec::new() };
        let instants = gaps.into_iter().flat_map(Gap::instants);
        let mut past = Past { station, instants: Box::new(instants), rows: Vec::new(), told: Arc::clone(&told) };
        let login = Login { username: device.username, password: device.password };
        let client_id = format!("sim-{}-history", device.station);
        let target = Target { broker: plan.broker, client_id, login: Some(login), will: None };
        let stop = stop.clone();
        let effort = Effort { window: WINDOW, ..Effort::default() };
        tasks.spawn(async move { publish_all(&target, &effort, &mut past, &stop).await });
    }
    while let Some(ended) = tasks.join_next().await {
        // A panic in a task is a programming error; the other stations go on.
        if let Ok(outcome) = ended {
            outcome?;
        }
    }
    Ok(())
}

/// The past of one station, half a day per message.
struct Past {
    station: Station,
    instants: Box<dyn Iterator<Item = UtcMillis> + Send>,
    /// Rows of each message so far.
    rows: Vec<u64>,
    told: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Source for Past {
    fn next(&mut self, _elapsed: Duration) -> Result<Next, PublishError> {
        let mut text = String::from("[");
        let mut rows = 0;
        for at in self.instants.by_ref().take(ROWS) {
            let Some(report) = self.station.report(at, STEP) else { continue };
            if 0 < rows {
                text.push(',');
            }
            report.write(&mut text);
            rows += 1;
        }
        if rows == 0 {
            return Ok(Next::End);
        }
        text.push(']');
        self.rows.push(rows);
        let topic = format!("bakau/{}/history", self.station.site.id);
        Ok(Next::Message(Message { topic, payload: Bytes::from(text) }))
    }

    fn acknowledged(&mut self, number: u64) {
        let rows = usize::try_from(number).ok().and_then(|index| self.rows.get(index));
        (self.told)(rows.copied().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> UtcMillis {
        UtcMillis::new(minutes * 60_000)
    }

    fn gap(from: i64, to: i64) -> Gap {
        Gap { from: at(from), to: at(to) }
    }

    #[test]
    fn only_what_is_missing_before_and_behind_is_filled() {
        let wanted = gap(100, 200);
        assert_eq!(Gap::missing(wanted, None), [wanted]);
        let extent = |from, to| Some((at(from), at(to)));
        assert_eq!(Gap::missing(wanted, extent(100, 195)), []);
        assert_eq!(Gap::missing(wanted, extent(90, 250)), []);
        let after_a_stop = Gap { from: at(150).saturating_add(1), to: at(200) };
        assert_eq!(Gap::missing(wanted, extent(20, 150)), [after_a_stop]);
        assert_eq!(after_a_stop.instants().next(), Some(at(155)));
        assert_eq!(Gap::missing(wanted, extent(130, 197)), [gap(100, 130)]);
        assert_eq!(Gap::missing(wanted, extent(0, 50)), [wanted], "a stop longer ago than the history wanted");
    }

    #[test]
    fn a_month_is_published_row_by_row_in_messages_of_half_a_day() {
        let site = sites().remove(0);
        let station = Station { site, seed: 1, start: UtcMillis::new(i64::MAX), faults: vec![] };
        let month = gap(29_000_000, 29_000_000 + 30 * 1_440);
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        let tell = move |rows| {
            count.fetch_add(rows, Ordering::Relaxed);
        };
        let mut past = Past { station, instants: Box::new(month.instants()), rows: vec![], told: Arc::new(tell) };
        let mut messages = 0;
        while let Next::Message(message) = past.next(Duration::ZERO).unwrap() {
            let rows: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(rows.as_array().unwrap().len(), 144);
            assert!(message.payload.len() < 100_000 && rows[0]["pm25"].is_number());
            past.acknowledged(messages);
            messages += 1;
        }
        assert_eq!((messages, month.rows(), told.load(Ordering::Relaxed)), (60, 8_640, 8_640));
    }

    proptest! {
        #[test]
        fn rows_are_counted_as_they_are_made(from in 0_i64..10_000_000, length in 0_i64..10_000_000) {
            let gap = Gap { from: UtcMillis::new(from), to: UtcMillis::new(from + length) };
            prop_assert_eq!(gap.rows(), gap.instants().count() as u64);
            prop_assert!(gap.instants().all(|at| gap.from <= at && at < gap.to));
        }
    }
}
