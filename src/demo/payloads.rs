//! What the demo's devices send against what the shipped catalogue makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bakau_ingest::{AcceptWindow, Findings, Limits, Processor};
use bakau_model::{Envelope, Qos, SourceName, TimeSource, UtcMillis};
use bakau_registry::{Format, Snapshot};
use bakau_simulate::{
    demo::{sites, topics},
    mqtt::Message,
    station::Station,
    wire::Wire,
};

use super::{Config, register};

/// 700 ms into a second: devices with whole seconds are told from those with milliseconds.
const AT: UtcMillis = UtcMillis::new(1_773_100_800_700);
const RECEIVED: UtcMillis = UtcMillis::new(1_773_100_803_000);

async fn snapshot() -> Arc<Snapshot> {
    let folder = tempfile::tempdir().unwrap();
    register(&Config { data: folder.path().to_owned(), ..Config::default() }).await.unwrap().0
}

fn process(snapshot: &Arc<Snapshot>, message: &Message) -> Findings {
    let default_window = AcceptWindow { past_ms: 86_400_000, future_ms: 300_000 };
    let (windows, zones) = (BTreeMap::new(), BTreeMap::new());
    let (missing, max_payload_bytes) = (BTreeMap::new(), 1_048_576);
    let limits = Limits { windows, zones, missing, default_window, max_payload_bytes };
    let envelope = Envelope {
        source: SourceName::new("broker").unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: Arc::from(message.topic.as_str()),
        payload: message.payload.clone(),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at: RECEIVED,
    };
    let mut findings = Findings::default();
    Processor::new(limits, Arc::clone(snapshot)).process(0, &envelope, |_| false, &mut findings);
    findings
}

/// Who stamps the messages of a device, and when they say that they were measured.
fn stamp(wire: Wire) -> (TimeSource, UtcMillis) {
    let whole_second = UtcMillis::new(AT.get() - 700);
    match wire {
        Wire::Json | Wire::Senml(_) => (TimeSource::Device, AT),
        Wire::Logger(_) | Wire::Tasmota(_) => (TimeSource::Device, whole_second),
        Wire::Chirpstack(_) | Wire::Tts(..) => (TimeSource::Network, AT),
        Wire::Airgradient(_) => (TimeSource::Server, RECEIVED),
    }
}

#[tokio::test]
async fn every_message_of_every_device_becomes_exactly_what_its_station_measured() {
    let snapshot = snapshot().await;
    let mut formats = BTreeSet::new();
    for site in sites() {
        let (id, wire) = (site.id.clone(), site.wire);
        formats.insert(format!("{wire:?}").split('(').next().unwrap().to_owned());
        for seed in 0..20 {
            let station = Station { site: site.clone(), seed, start: AT, faults: vec![] };
            let report = station.report(AT, Duration::from_secs(3_600)).unwrap();
            let message = station.message(AT, Duration::from_secs(3_600)).unwrap();
            assert!(topics(&id).contains(&message.topic), "{id} may not publish to {}", message.topic);
            let findings = process(&snapshot, &message);
            assert_eq!(findings.quarantine, [], "{id}: {message:?}");
            let mut held = BTreeMap::new();
            for (_, observation) in findings.observations {
                let name = snapshot.datastreams[&observation.datastream].name.to_string();
                assert_eq!((observation.time_source, observation.observed_at), stamp(wire), "{name}");
                held.insert(name, observation.value.unwrap());
            }
            assert_eq!(held.len(), report.values.len(), "{id}: {held:?}");
            for (channel, value) in report.values {
                // What the instrument shows of it; a unit there and back may change the last bit.
                let shown: f64 = format!("{:.*}", channel.digits(), value.unwrap()).parse().unwrap();
                let value = held[&format!("{id}/{}", channel.code())];
                assert!((value - shown).abs() <= 1e-12 * shown.abs().max(1.0), "{id} {channel:?}: {value}, {shown}");
            }
        }
    }
    let routed: BTreeSet<_> = snapshot.routes.iter().map(|route| route.format.name()).collect();
    assert_eq!(routed, BTreeSet::from(Format::NAMES), "the shipped catalogue has a route of every format");
    assert_eq!(formats.len(), 7, "the demo sends every format there is: {formats:?}");
}

#[tokio::test]
async fn a_device_with_a_last_will_marks_its_own_station_offline() {
    let snapshot = snapshot().await;
    let mut with_a_will = 0;
    for site in sites() {
        for is_online in [true, false] {
            let Some(message) = site.wire.status(&site.id, is_online) else { continue };
            assert!(topics(&site.id).contains(&message.topic), "{message:?}");
            let statuses = process(&snapshot, &message).statuses;
            assert_eq!((statuses[0].station.as_str(), statuses[0].online), (site.id.as_str(), is_online));
            with_a_will += 1;
        }
    }
    assert_eq!(with_a_will, 20, "both messages of ten stations");
}
