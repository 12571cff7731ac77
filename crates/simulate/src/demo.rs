//! Simulated stations, each publishing over a connection of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bakau_clock::Clock;
use bakau_model::StationKind;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::{Fault, FaultKind},
    mqtt::{Effort, Login, Next, PublishError, Source, Target, publish_all},
    station::Station,
};

/// The device of one station.
#[derive(Clone)]
pub struct Credentials {
    /// Station id, a topic level.
    pub station: String,
    /// What the station measures.
    pub kind: StationKind,
    /// MQTT user name.
    pub username: String,
    /// MQTT password; left out of debug output.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { station, kind, username, .. } = self;
        let mut named = f.debug_struct("Credentials");
        named.field("station", station).field("kind", kind).field("username", username).finish_non_exhaustive()
    }
}

/// What the demo publishes.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// One device per station.
    pub credentials: Vec<Credentials>,
    /// Time between two messages of a station.
    pub interval: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// Faults by station id, counted from the start of the demo; `None` is [`show_faults`].
    pub faults: Option<Vec<(String, Fault)>>,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            broker: SocketAddr::from(([127, 0, 0, 1], 1883)),
            credentials: Vec::new(),
            interval: Duration::from_secs(2),
            seed: 1,
            faults: None,
        }
    }
}

/// Something to see within the first minute: oxygen in the first mangrove creek sinks to 0.3 mg/L in half a minute, slowly
/// enough that messages of 5 s and more fall between 4, 2 (hypoxia) and 0.5 mg/L (anoxia), and recovers after four minutes.
#[must_use]
pub fn show_faults(credentials: &[Credentials]) -> Vec<(String, Fault)> {
    let kind = FaultKind::Crossing { parameter: "do".to_owned(), to: 0.3, ramp: Duration::from_secs(28) };
    let crossing = Fault { kind, from: Duration::from_secs(2), lasts: Duration::from_secs(240) };
    let creek = credentials.iter().find(|device| device.kind == StationKind::Mangrove);
    creek.map(|device| (device.station.clone(), crossing)).into_iter().collect()
}

/// Publishes until `stop` is cancelled, reconnecting for as long as it takes.
///
/// # Errors
/// When the broker refuses one of the devices.
pub async fn run_demo(config: DemoConfig, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<(), PublishError> {
    let faults = config.faults.unwrap_or_else(|| show_faults(&config.credentials));
    let start = clock.now();
    let mut tasks = JoinSet::new();
    let stations = u32::try_from(config.credentials.len()).unwrap_or(u32::MAX);
    for (n, device) in (0..).zip(config.credentials) {
        let own = faults.iter().filter(|(station, _)| *station == device.station).map(|(_, fault)| fault.clone());
        let (id, kind, faults) = (device.station.clone(), device.kind, own.collect());
        let station = Station { id, kind, seed: config.seed, start, faults };
        // Spread over the interval, so that pages move all the time.
        let due = config.interval * n / stations;
        let mut beat = Beat { station, clock: Arc::clone(&clock), interval: config.interval, due };
        let login = Login { username: device.username, password: device.password };
        let target = Target { broker: config.broker, client_id: format!("sim-{}", device.station), login: Some(login) };
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

/// A station's messages at its interval; beats missed while the broker was away are skipped, as a device without memory
/// does it.
struct Beat {
    station: Station,
    clock: Arc<dyn Clock>,
    interval: Duration,
    due: Duration,
}

impl Source for Beat {
    fn next(&mut self, elapsed: Duration) -> Result<Next, PublishError> {
        if elapsed < self.due {
            return Ok(Next::NotBefore(self.due));
        }
        while self.due <= elapsed {
            self.due += self.interval.max(Duration::from_millis(1));
        }
        let message = self.station.message(self.clock.now());
        Ok(message.map_or(Next::NotBefore(self.due), Next::Message))
    }

    fn acknowledged(&mut self, _number: u64) {}
}

#[cfg(test)]
mod tests {
    use bakau_clock::ManualClock;
    use bakau_model::UtcMillis;

    use super::*;

    #[test]
    fn a_station_beats_at_its_interval_and_skips_what_it_missed() {
        let clock = Arc::new(ManualClock::new(UtcMillis::new(1_770_000_000_000)));
        let station =
            Station { id: "a".to_owned(), kind: StationKind::Air, seed: 1, start: clock.now(), faults: vec![] };
        let interval = Duration::from_secs(2);
        let mut beat = Beat { station, clock, interval, due: Duration::from_secs(1) };
        let mut next = |ms| beat.next(Duration::from_millis(ms)).unwrap();
        assert!(matches!(next(0), Next::NotBefore(due) if due == Duration::from_secs(1)));
        assert!(matches!(next(1_000), Next::Message(_)));
        assert!(matches!(next(1_001), Next::NotBefore(due) if due == Duration::from_secs(3)));
        assert!(matches!(next(60_500), Next::Message(_)));
        assert!(matches!(next(60_501), Next::NotBefore(due) if due == Duration::from_secs(61)));
    }

    #[test]
    fn the_first_mangrove_crosses_and_no_other_station() {
        let device = |station: &str, kind| Credentials {
            station: station.to_owned(),
            kind,
            username: String::new(),
            password: String::new(),
        };
        let all =
            [device("a", StationKind::Air), device("m", StationKind::Mangrove), device("n", StationKind::Mangrove)];
        let faults = show_faults(&all);
        assert_eq!(faults.iter().map(|(station, _)| station.as_str()).collect::<Vec<_>>(), ["m"]);
    }

    #[test]
    fn a_password_is_not_in_debug_output() {
        let device = Credentials {
            station: "a".to_owned(),
            kind: StationKind::Air,
            username: "u".to_owned(),
            password: "secret-word".to_owned(),
        };
        assert!(!format!("{device:?}").contains("secret-word"));
    }
}
