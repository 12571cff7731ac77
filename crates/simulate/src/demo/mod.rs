//! Simulated stations, each publishing over a connection of its own.

mod history;
mod show;
mod sites;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::Secret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::{Fault, FaultKind},
    mqtt::{Effort, Login, Next, PublishError, Source, Target, publish_all},
    station::Station,
};

pub use history::{Gap, HistoryPlan, STEP, fill};
pub use show::faults;
pub use sites::{sites, topics};

/// Time between two messages of a station: like many loggers, it measures faster while something happens.
const CALM: Duration = Duration::from_secs(10);
/// Time between two messages while a fault lasts.
const EVENTFUL: Duration = Duration::from_secs(2);

/// The device of one station.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Station id, a topic level.
    pub station: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: Secret,
}

/// Settings of the demo.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// One device per station; stations that are not simulated send nothing.
    pub credentials: Vec<Credentials>,
    /// Seed of everything random.
    pub seed: u64,
}

/// Publishes until `stop` is cancelled, reconnecting for as long as it takes.
///
/// # Errors
/// When the broker refuses one of the devices.
pub async fn run_demo(config: DemoConfig, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<(), PublishError> {
    let start = clock.now();
    let mut tasks = JoinSet::new();
    let stations = u32::try_from(config.credentials.len()).unwrap_or(u32::MAX).max(1);
    let mut places = sites();
    for (n, device) in (0..).zip(config.credentials) {
        let Some(index) = places.iter().position(|site| site.id == device.station) else { continue };
        let site = places.swap_remove(index);
        let station = Station { site, seed: config.seed, start, faults: faults(&device.station) };
        // Spread over the interval, so that pages move all the time.
        let due = CALM * n / stations;
        let will = station.site.wire.status(&device.station, false);
        let mut beat = Beat { station, clock: Arc::clone(&clock), due, last: None, is_online: false };
        let login = Login { username: device.username, password: device.password };
        let client_id = format!("sim-{}", device.station);
        let target = Target { broker: config.broker, client_id, login: Some(login), will };
        let stop = stop.clone();
        tasks.spawn(async move {
            let effort = Effort { patience: None, ..Effort::default() };
            publish_all(&target, &effort, &mut beat, &stop).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        // A panic in a task is a programming error; the other stations go on.
        if let Ok(outcome) = ended {
            outcome?;
        }
    }
    Ok(())
}

/// A station's messages at its pace; beats missed while the broker was away are skipped, as a device without memory does
/// it.
struct Beat {
    station: Station,
    clock: Arc<dyn Clock>,
    due: Duration,
    /// When it last said something: its rain gauge counts from there.
    last: Option<Duration>,
    /// Whether it said that it is there since it was last gone.
    is_online: bool,
}

impl Beat {
    /// When the station sends again that sends nothing now.
    fn without_data_until(&self, elapsed: Duration) -> Option<Duration> {
        let outages = self.station.faults.iter().filter(|fault| fault.kind == FaultKind::NoData);
        let ends = outages.map(|fault| (fault.from, fault.from.saturating_add(fault.lasts)));
        ends.filter(|(from, end)| *from <= elapsed && elapsed < *end).map(|(_, end)| end).max()
    }

    /// The beat after one: the next calm one, or an eventful one that comes before it.
    fn following(&self, beat: Duration) -> Duration {
        let eventful = beat + EVENTFUL;
        let is_eventful = |fault: &Fault| {
            let end = fault.from.saturating_add(fault.lasts);
            fault.from <= eventful && beat < end
        };
        let calm = beat + CALM;
        if self.station.faults.iter().any(is_eventful) { eventful } else { calm }
    }
}

impl Source for Beat {
    fn next(&mut self, elapsed: Duration) -> Result<Next, PublishError> {
        if let Some(until) = self.without_data_until(elapsed) {
            (self.is_online, self.due) = (false, until);
            return Ok(Next::Gone(until));
        }
        if !self.is_online {
            self.is_online = true;
            let site = &self.station.site;
            if let Some(message) = site.wire.status(&site.id, true) {
                return Ok(Next::Message(message));
            }
        }
        if elapsed < self.due {
            return Ok(Next::NotBefore(self.due));
        }
        while self.due <= elapsed {
            self.due = self.following(self.due);
        }
        let window = self.last.map_or(CALM, |last| elapsed - last);
        let message = self.station.message(self.clock.now(), window);
        if message.is_some() {
            self.last = Some(elapsed);
        }
        Ok(message.map_or(Next::NotBefore(self.due), Next::Message))
    }

    fn acknowledged(&mut self, _number: u64) {}
}

#[cfg(test)]
mod tests {
    use bakau_clock::ManualClock;
    use bakau_model::UtcMillis;

    use super::*;

    fn beat(faults: Vec<Fault>) -> Beat {
        let clock = Arc::new(ManualClock::new(UtcMillis::new(1_770_000_000_000)));
        // Bakau's own JSON, with a last will.
        let site = sites().into_iter().find(|site| site.id == "prb-bjbr-01").unwrap();
        let station = Station { site, seed: 1, start: clock.now(), faults };
        Beat { station, clock, due: Duration::from_secs(1), last: None, is_online: true }
    }

    fn next(beat: &mut Beat, ms: u64) -> Next {
        beat.next(Duration::from_millis(ms)).unwrap()
    }

    #[test]
    fn a_station_beats_at_its_pace_and_skips_what_it_missed() {
        let mut beat = beat(vec![]);
        assert!(matches!(next(&mut beat, 0), Next::NotBefore(due) if due == Duration::from_secs(1)));
        assert!(matches!(next(&mut beat, 1_000), Next::Message(_)));
        assert!(matches!(next(&mut beat, 1_001), Next::NotBefore(due) if due == Duration::from_secs(11)));
        assert!(matches!(next(&mut beat, 60_500), Next::Message(_)));
        assert!(matches!(next(&mut beat, 60_501), Next::NotBefore(due) if due == Duration::from_secs(61)));
    }

    #[test]
    fn a_station_beats_faster_while_something_happens() {
        let kind = FaultKind::Drift { parameter: "pm25".to_owned(), per_hour: 1.0 };
        let mut beat = beat(vec![Fault { kind, from: Duration::from_secs(12), lasts: Duration::from_secs(5) }]);
        let mut beats = Vec::new();
        for second in 0..40 {
            if matches!(next(&mut beat, second * 1_000), Next::Message(_)) {
                beats.push(second);
            }
        }
        assert_eq!(beats, [1, 11, 13, 15, 17, 27, 37]);
    }

    #[test]
    fn a_station_without_data_is_gone_without_a_disconnect_and_says_so_when_it_is_back() {
        let kind = FaultKind::NoData;
        let mut beat = beat(vec![Fault { kind, from: Duration::from_secs(5), lasts: Duration::from_secs(60) }]);
        assert!(matches!(next(&mut beat, 1_000), Next::Message(_)));
        assert!(matches!(next(&mut beat, 5_001), Next::Gone(until) if until == Duration::from_secs(65)));
        let Next::Message(first) = next(&mut beat, 65_000) else { panic!("it is back") };
        assert_eq!((first.topic.as_str(), &first.payload[..]), ("bakau/prb-bjbr-01/status", &b"online"[..]));
        assert!(matches!(next(&mut beat, 65_001), Next::Message(_)));
    }
}
