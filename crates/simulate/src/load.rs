//! Many devices and many messages, and a record of which were acknowledged.
//!
//! Message `n` is a pure function of the plan: station, time and both values. So the record is one bit per message, and
//! a checker knows what an acknowledged message said without asking the publisher.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bakau_model::UtcMillis;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::mqtt::{Effort, Login, Message, Next, PublishError, Source, Target, publish_all};

/// Plan of a load.
#[derive(Debug, Clone, SmartDefault)]
pub struct LoadPlan {
    /// MQTT broker.
    #[default(SocketAddr::from(([127, 0, 0, 1], 1883)))]
    pub broker: SocketAddr,
    /// Logins of the connections, used in turn; all anonymous where empty.
    pub logins: Vec<Login>,
    /// Connections; each serves every `connections`-th station.
    #[default(1)]
    pub connections: u32,
    /// Messages sent and not yet acknowledged on each connection.
    #[default(100)]
    pub window: usize,
    /// Messages per second of all connections together; `None` is as fast as they are acknowledged.
    pub rate: Option<f64>,
    /// Give up when nothing was acknowledged for this long.
    #[default(Some(Duration::from_secs(120)))]
    pub patience: Option<Duration>,
    /// Content of the messages.
    pub content: LoadContent,
}

/// Content of the messages of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
pub struct LoadContent {
    /// Messages altogether.
    #[default(10_000)]
    pub messages: u64,
    /// Stations, at least one; message `n` is of station `n % stations`.
    #[default(100)]
    pub stations: u32,
    /// Station ids are this and a number of six digits: `load-000017`.
    #[default("load-".to_owned())]
    pub station_prefix: String,
    /// Topic with `{station}` in it.
    #[default("bakau/{station}/data".to_owned())]
    pub topic: String,
    /// JSON keys of the two values.
    #[default(["do".to_owned(), "ph".to_owned()])]
    pub keys: [String; 2],
    /// Time of the first message of each station.
    #[default(UtcMillis::new(1_770_000_000_000))]
    pub start: UtcMillis,
    /// Milliseconds between two messages of a station.
    #[default(1_000)]
    pub step_ms: i64,
    /// The first value of so many stations, the first ones, rises from 6.0 to 7.6 and falls again every six messages, in
    /// steps that quality control takes for real ones of oxygen; all others jump between 0 and 14.
    pub waving: u32,
}

/// Content of one message of a load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadMessage {
    /// Station id.
    pub station: String,
    /// Time in the payload.
    pub observed_at: UtcMillis,
    /// Both values, exactly as a reader of the payload gets them.
    pub values: [f64; 2],
}

impl LoadContent {
    /// The id of a station, counted from 0.
    #[must_use]
    pub fn station(&self, number: u32) -> String {
        format!("{}{number:06}", self.station_prefix)
    }

    /// Content of message `n`.
    #[must_use]
    pub fn message(&self, n: u64) -> LoadMessage {
        let [first, second] = self.cents(n);
        // A number of hundredths divided by 100 is the same float as its decimal text read back: both are the nearest.
        let values = [f64::from(first) / 100.0, f64::from(second) / 100.0];
        LoadMessage { station: self.station(self.station_of(n)), observed_at: self.observed_at(n), values }
    }

    /// Topics by station number.
    fn topics(&self) -> Vec<String> {
        (0..self.stations.max(1)).map(|number| self.topic.replace("{station}", &self.station(number))).collect()
    }

    fn station_of(&self, n: u64) -> u32 {
        u32::try_from(n % u64::from(self.stations.max(1))).unwrap_or(0)
    }

    fn observed_at(&self, n: u64) -> UtcMillis {
        let round = i64::try_from(n / u64::from(self.stations.max(1))).unwrap_or(i64::MAX);
        self.start.saturating_add(round.saturating_mul(self.step_ms))
    }

    fn payload(&self, n: u64) -> Bytes {
        let [first, second] = self.cents(n);
        let mut text = String::with_capacity(80);
        let [key, other] = &self.keys;
        // Writing into a String cannot fail.
        let _infallible = write!(
            text,
            "{{\"time\":\"{}\",\"{key}\":{}.{:02},\"{other}\":{}.{:02}}}",
            self.observed_at(n),
            first / 100,
            first % 100,
            second / 100,
            second % 100,
        );
        Bytes::from(text)
    }

    /// Both values in hundredths, 0.00 to 14.00: other from message to message, inside the ranges of oxygen and pH.
    fn cents(&self, n: u64) -> [u32; 2] {
        let value = |factor: u64| u32::try_from(n.wrapping_mul(factor) % 1_401).unwrap_or(0);
        let station = self.station_of(n);
        if self.waving <= station {
            return [value(37), value(911)];
        }
        // Each begins elsewhere in the wave, so that not all of them cross a level at once.
        let place = (n / u64::from(self.stations.max(1)) + u64::from(station)) % WAVE.len() as u64;
        [WAVE.get(place as usize).copied().unwrap_or(0), value(911)]
    }
}

/// One rise and fall in hundredths.
const WAVE: [u32; 6] = [600, 650, 720, 760, 720, 650];

/// Which messages of a load were acknowledged: one bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AckLog {
    words: Vec<u64>,
    count: u64,
}

impl AckLog {
    /// Whether a message was acknowledged.
    #[must_use]
    pub fn contains(&self, n: u64) -> bool {
        let word = usize::try_from(n / 64).ok().and_then(|index| self.words.get(index));
        word.is_some_and(|word| word & (1 << (n % 64)) != 0)
    }

    /// Number of acknowledged messages.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Whether none was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The numbers of acknowledged messages, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let bits = |(index, word): (u64, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| index * 64 + bit)
        };
        (0..).zip(&self.words).flat_map(bits)
    }
}

/// The bits of a running load, set by all its connections.
struct Bits(Vec<AtomicU64>);

impl Bits {
    fn new(messages: u64) -> Self {
        Self((0..messages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    fn insert(&self, n: u64) {
        if let Some(word) = usize::try_from(n / 64).ok().and_then(|index| self.0.get(index)) {
            word.fetch_or(1 << (n % 64), Ordering::Relaxed);
        }
    }

    fn log(&self) -> AckLog {
        let words: Vec<_> = self.0.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        let count = words.iter().map(|word| u64::from(word.count_ones())).sum();
        AckLog { words, count }
    }
}

/// Live counts of a running load.
#[derive(Debug, Default)]
pub struct Progress {
    handed_out: AtomicU64,
    acknowledged: AtomicU64,
}

impl Progress {
    /// Messages handed to connections so far.
    #[must_use]
    pub fn handed_out(&self) -> u64 {
        self.handed_out.load(Ordering::Relaxed)
    }

    /// Messages acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// Result of a load.
#[derive(Debug)]
pub struct LoadReport {
    /// Which messages were acknowledged; also those before an error or a stop.
    pub acknowledged: AckLog,
    /// From the first connection attempt to the end.
    pub took: Duration,
    /// Errors that ended connections early.
    pub errors: Vec<PublishError>,
}

/// Sends a load until every message is acknowledged, `stop` is cancelled or the patience ran out.
pub async fn run(plan: &LoadPlan, progress: &Arc<Progress>, stop: &CancellationToken) -> LoadReport {
    let started = std::time::Instant::now();
    let connections = plan.connections.clamp(1, plan.content.stations.max(1));
    let bits = Arc::new(Bits::new(plan.content.messages));
    let topics: Arc<[String]> = plan.content.topics().into();
    let mut tasks = JoinSet::new();
    for connection in 0..connections {
        let login = plan.logins.get(connection as usize % plan.logins.len().max(1)).cloned();
        let client_id = format!("{}client-{connection}", plan.content.station_prefix);
        let target = Target { broker: plan.broker, client_id, login, will: None };
        let effort = Effort { window: plan.window, patience: plan.patience };
        let mut lane = Lane {
            content: plan.content.clone(),
            topics: Arc::clone(&topics),
            connections: u64::from(connections),
            own: u64::from(connection),
            rate: plan.rate,
            next: u64::from(connection),
            open: VecDeque::new(),
            first_open: 0,
            bits: Arc::clone(&bits),
            progress: Arc::clone(progress),
        };
        let stop = stop.clone();
        tasks.spawn(async move { publish_all(&target, &effort, &mut lane, &stop).await });
    }
    let mut errors = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(outcome) => errors.extend(outcome.err()),
            Err(error) => errors.push(PublishError::Source(Box::new(error))),
        }
    }
    LoadReport { acknowledged: bits.log(), took: started.elapsed(), errors }
}

/// The messages of one connection: those of its stations, in order of their number.
struct Lane {
    content: LoadContent,
    topics: Arc<[String]>,
    connections: u64,
    /// Number of this connection.
    own: u64,
    rate: Option<f64>,
    /// Number of the next message.
    next: u64,
    /// Messages handed out and not yet acknowledged, by what the publisher calls them; `None` is one between them that was.
    open: VecDeque<Option<u64>>,
    /// What the publisher calls the first of them.
    first_open: u64,
    bits: Arc<Bits>,
    progress: Arc<Progress>,
}

impl Lane {
    /// The next message of this connection's stations after number `n`: the next of them in this round, or the first of
    /// them in the next round.
    fn following(&self, n: u64) -> u64 {
        let stations = u64::from(self.content.stations.max(1));
        let (round, station) = (n / stations, n % stations);
        let next = station + self.connections;
        if next < stations { n + self.connections } else { (round + 1) * stations + self.own }
    }
}

impl Source for Lane {
    fn next(&mut self, elapsed: Duration) -> Result<Next, PublishError> {
        let n = self.next;
        if self.content.messages <= n {
            return Ok(Next::End);
        }
        if let Some(rate) = self.rate {
            let due = Duration::try_from_secs_f64(n as f64 / rate).unwrap_or(Duration::MAX);
            if elapsed < due {
                return Ok(Next::NotBefore(due));
            }
        }
        self.next = self.following(n);
        self.open.push_back(Some(n));
        self.progress.handed_out.fetch_add(1, Ordering::Relaxed);
        let topic = self.topics[self.content.station_of(n) as usize].clone();
        Ok(Next::Message(Message { topic, payload: self.content.payload(n) }))
    }

    fn acknowledged(&mut self, number: u64) {
        let index = number.checked_sub(self.first_open).and_then(|index| usize::try_from(index).ok());
        let Some(n) = index.and_then(|index| self.open.get_mut(index)?.take()) else { return };
        self.bits.insert(n);
        self.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        while self.open.front() == Some(&None) {
            self.open.pop_front();
            self.first_open += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn lane(plan: &LoadPlan, connections: u64, own: u64) -> Lane {
        Lane {
            content: plan.content.clone(),
            topics: plan.content.topics().into(),
            connections,
            own,
            rate: plan.rate,
            next: own,
            open: VecDeque::new(),
            first_open: 0,
            bits: Arc::new(Bits::new(plan.content.messages)),
            progress: Arc::default(),
        }
    }

    #[test]
    fn connections_share_all_messages_without_overlap_and_keep_stations_to_themselves() {
        let content = LoadContent { messages: 1_000, stations: 7, ..LoadContent::default() };
        let plan = LoadPlan { content, ..LoadPlan::default() };
        let mut seen = HashSet::new();
        for connection in 0..3 {
            let mut lane = lane(&plan, 3, connection);
            let mut local = 0;
            while let Next::Message(message) = lane.next(Duration::ZERO).unwrap() {
                let station: u64 = message.topic[11..17].parse().unwrap();
                assert_eq!(station % 3, connection);
                assert!(seen.insert((message.topic, message.payload)), "every message is unique");
                lane.acknowledged(local);
                local += 1;
            }
            assert_eq!(lane.bits.log().len(), local);
            assert!(lane.open.is_empty());
        }
        assert_eq!(seen.len(), 1_000);
    }

    #[test]
    fn a_waving_station_goes_below_6_3_and_above_7_every_six_messages_without_a_jump() {
        let content = LoadContent { stations: 3, waving: 2, ..LoadContent::default() };
        for station in 0..2 {
            let values: Vec<_> = (0..13).map(|round| content.message(round * 3 + station).values[0]).collect();
            // A minute and what is less count as one: more than 1.0 mg/L in it is suspect.
            assert!(values.windows(2).all(|pair| 0.1 < (pair[1] - pair[0]).abs() && (pair[1] - pair[0]).abs() < 1.0));
            assert_eq!(values[..6], values[6..12]);
            assert!(values.iter().any(|value| *value < 6.3) && values.iter().any(|value| 7.0 < *value));
        }
        let still = LoadContent { waving: 0, ..content.clone() };
        assert!((0..13).all(|round| content.message(round * 3 + 2) == still.message(round * 3 + 2)));
    }

    #[test]
    fn acknowledgements_in_any_order_mark_the_right_messages() {
        let plan = LoadPlan::default();
        let mut lane = lane(&plan, 2, 1);
        for _ in 0..5 {
            lane.next(Duration::ZERO).unwrap();
        }
        for local in [3, 0, 1] {
            lane.acknowledged(local);
        }
        let log = lane.bits.log();
        assert_eq!(log.iter().collect::<Vec<_>>(), [1, 3, 7]);
        assert!(log.contains(7) && !log.contains(5));
    }

    #[test]
    fn a_rate_spreads_messages_over_time() {
        let plan = LoadPlan { rate: Some(100.0), ..LoadPlan::default() };
        let mut lane = lane(&plan, 1, 0);
        assert!(matches!(lane.next(Duration::ZERO).unwrap(), Next::Message(_)));
        assert!(matches!(lane.next(Duration::ZERO).unwrap(), Next::NotBefore(due) if due == Duration::from_millis(10)));
    }

    proptest! {
        #[test]
        fn a_payload_says_what_the_checker_expects(n in 0_u64..10_000_000_000) {
            let content = LoadContent::default();
            let json: serde_json::Value = serde_json::from_slice(&content.payload(n)).unwrap();
            let expected = content.message(n);
            prop_assert_eq!(json["do"].as_f64(), Some(expected.values[0]));
            prop_assert_eq!(json["ph"].as_f64(), Some(expected.values[1]));
            prop_assert_eq!(UtcMillis::parse(json["time"].as_str().unwrap()).unwrap(), expected.observed_at);
        }
    }
}
