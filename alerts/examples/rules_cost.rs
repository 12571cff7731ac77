//! What the rules cost: CPU per million messages of two values, and packet to outbox under a steady load.
//!
//! `cargo run --release -p bakau-alerts --example rules_cost -- [messages per second] [seconds] [datastreams] [everything]`
//!
//! A feeder thread appends batches to a real spool at the offered rate (0: as fast as it can); only the other threads
//! (alert room and its SQLite) are counted. Every datastream has a rule; one value in 10,000 crosses its limit. With
//! `everything` = 1 each also has quality control and a rule about no data of it, and so has each station of ten.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measuring program")]

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_alerts::{Alerts, AlertsConfig, FixedSecrets};
use bakau_clock::{Clock, SystemClock};
use bakau_model::{
    DatastreamId, DeploymentId, Envelope, Flag, FlatLine, Observation, PerLevel, Qos, QualityLimits, Range, RuleId,
    SourceName, StationId, StationKind, Step, TimeSource, UtcMillis,
};
use bakau_registry::{
    Band, Condition, Datastream, DatastreamTarget, Direction, NoDataTarget, Rule, Snapshot, Station, StationTarget,
    Threshold,
};
use bakau_spool::{BatchDraft, Consumer, Spool, SpoolConfig};
use bakau_store::{Store, embedded::EmbeddedStore};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const VALUES_PER_MESSAGE: u64 = 2;
const GROUPS_PER_SECOND: u64 = 200;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let number = |place: usize, default| numbers.get(place).copied().unwrap_or(default);
    let (rate, seconds, datastreams) = (number(0, 5_000), number(1, 10), number(2, 1_000));
    let registered = if number(3, 0) == 0 { snapshot(datastreams) } else { everything(snapshot(datastreams)) };
    let dir = tempfile::tempdir().unwrap();
    let config = SpoolConfig { path: dir.path().join("spool.db"), max_bytes: 1 << 34, keep_messages: 65_535 };
    let (mut spool, reader) = Spool::open(&config).unwrap();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&dir.path().join("series.db")).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (snapshots, stop) = (watch::Sender::new(Arc::new(registered)), CancellationToken::new());
    let alerts = runtime
        .block_on(Alerts::start(
            AlertsConfig::new(dir.path().join("alerts.db")),
            reader.clone(),
            store,
            snapshots.subscribe(),
            Arc::new(FixedSecrets::default()),
            Arc::new(SystemClock),
            stop.clone(),
        ))
        .unwrap();
    let (cpu_before, feeder) = (cpu_by_thread(), own_thread());
    let begun = Instant::now();
    let mut messages = 0;
    let group = if rate == 0 { 2_000 } else { (rate / GROUPS_PER_SECOND).max(1) };
    while begun.elapsed() < Duration::from_secs(seconds) {
        if rate != 0 {
            let due = Duration::from_secs_f64(messages as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        spool.append(&draft(messages, group, datastreams, begun.elapsed())).unwrap();
        messages += group;
    }
    while reader.cursor(Consumer::Alerts) < reader.last_seq() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let cpu: f64 = cpu_by_thread()
        .iter()
        .filter(|(thread, _)| **thread != feeder)
        .map(|(thread, seconds)| seconds - cpu_before.get(thread).unwrap_or(&0.0))
        .sum();
    println!("{messages} messages of {VALUES_PER_MESSAGE} values in {:.1} s", begun.elapsed().as_secs_f64());
    println!("rules: {cpu:.2} CPU-s, {:.2} per million messages", cpu * 1e6 / messages as f64);
    let families = prometheus::gather();
    let decision = families.iter().find(|family| family.name() == "bakau_alerts_decision_seconds").unwrap();
    let histogram = decision.get_metric()[0].get_histogram();
    println!("packet to outbox, {} decisions:", histogram.sample_count());
    for bucket in histogram.get_bucket() {
        println!("  <= {:>6} s: {}", bucket.upper_bound(), bucket.cumulative_count());
    }
    stop.cancel();
    runtime.block_on(alerts.stopped());
}

fn snapshot(datastreams: u64) -> Snapshot {
    let mut snapshot = Snapshot { revision: 1, ..Snapshot::default() };
    for number in 1..=datastreams {
        let name: bakau_model::DatastreamName = format!("st-{}/do@{number}", number / 10).parse().unwrap();
        let id = RuleId::new(&format!("rule-{number}")).unwrap();
        let datastream = Arc::new(Datastream {
            number: DatastreamId::new(u32::try_from(number).unwrap()),
            name: name.clone(),
            station: name.station().parse().unwrap(),
            parameter: "do".parse().unwrap(),
            unit: bakau_model::Unit::new("mg/L"),
            interval_ms: 1_000,
            vertical_datum: None,
            limits: bakau_model::QualityLimits::default(),
        });
        snapshot.datastreams.insert(datastream.number, Arc::clone(&datastream));
        snapshot.by_name.insert(name.clone(), datastream);
        let rule = Rule {
            id: id.clone(),
            name: "low".into(),
            condition: Condition::Threshold {
                target: DatastreamTarget::Datastream(name),
                direction: Direction::Below,
                hold_s: 0,
                bands: PerLevel {
                    waspada: Band::one_sided(Direction::Below, Threshold { raise: 4.0, clear: 4.5 }),
                    siaga: None,
                    awas: None,
                },
            },
            repeat_s: None,
            source: "measuring".into(),
            channels: Vec::new(),
        };
        snapshot.rules.insert(id, Arc::new(rule));
    }
    snapshot
}

/// Adds quality control, and rules about no data of each datastream and each station.
fn everything(mut snapshot: Snapshot) -> Snapshot {
    for datastream in snapshot.datastreams.values_mut() {
        let limits = QualityLimits {
            fail: Some(Range { min: 0.0, max: 20.0 }),
            spike: Some(Step { suspect: Some(5.0), fail: None }),
            rate_per_min: Some(Step { suspect: Some(500.0), fail: None }),
            flat_line: Some(FlatLine { tolerance: 0.01, suspect_s: Some(21_600), fail_s: None }),
            ..QualityLimits::default()
        };
        *datastream = Arc::new(Datastream { limits, ..Datastream::clone(datastream) });
        let id = datastream.station.clone();
        snapshot.stations.entry(id.clone()).or_insert_with(|| station(id));
    }
    let targets = [
        NoDataTarget::Stations(StationTarget::Stations { kind: None }),
        NoDataTarget::Datastreams(DatastreamTarget::Parameter { parameter: "do".parse().unwrap(), kind: None }),
    ];
    for (id, target) in ["no-data-station", "no-data-datastream"].into_iter().zip(targets) {
        let id = RuleId::new(id).unwrap();
        let rule = Rule {
            id: id.clone(),
            name: "no data".into(),
            condition: Condition::NoData { target, after_s: PerLevel { waspada: Some(60), siaga: None, awas: None } },
            repeat_s: None,
            source: "measuring".into(),
            channels: Vec::new(),
        };
        snapshot.rules.insert(id, Arc::new(rule));
    }
    snapshot
}

fn station(id: StationId) -> Station {
    Station {
        name: id.as_str().into(),
        id,
        agency: "dlh".parse().unwrap(),
        kind: StationKind::Water,
        latitude: 0.0,
        longitude: 0.0,
        time_zone: "Asia/Jakarta".to_owned(),
        elevation_m: None,
        description: None,
        water_class: None,
        air_type: None,
    }
}

fn draft(from: u64, count: u64, datastreams: u64, elapsed: Duration) -> BatchDraft {
    let received_at = SystemClock.now();
    let mut draft = BatchDraft { registry_revision: 1, ..BatchDraft::default() };
    // Event time moves with every round over the datastreams, so that each observation is evaluated.
    let start = received_at.get() - i64::try_from(elapsed.as_millis()).unwrap();
    for (place, message) in (0u32..).zip(from..from + count) {
        draft.envelopes.push(envelope(received_at));
        for value in 0..VALUES_PER_MESSAGE {
            let position = message * VALUES_PER_MESSAGE + value;
            let crossing = position.is_multiple_of(10_000);
            let observation = Observation {
                datastream: DatastreamId::new(u32::try_from(position % datastreams + 1).unwrap()),
                observed_at: UtcMillis::new(start + i64::try_from(position / datastreams).unwrap()),
                value: Some(if crossing { 3.0 } else { 6.0 }),
                deployment: DeploymentId::new(0),
                time_source: TimeSource::Device,
                received_at,
                flag: Flag::NotEvaluated,
            };
            draft.observations.push((place, observation));
        }
    }
    draft
}

fn envelope(received_at: UtcMillis) -> Envelope {
    Envelope {
        source: SourceName::new("load").unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: "bakau/load/data".into(),
        payload: b"{\"do\":6.0,\"temp\":28.1}".to_vec().into(),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at,
    }
}

/// Seconds of CPU per thread, from the scheduler.
fn cpu_by_thread() -> BTreeMap<String, f64> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let seconds = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    };
    tasks.filter_map(|task| Some((task.file_name().into_string().ok()?, seconds(task.path())?))).collect()
}

/// The main thread has the number of the process.
fn own_thread() -> String {
    std::process::id().to_string()
}
