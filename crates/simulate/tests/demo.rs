//! The simulated stations against the catalogue of the demo.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc};

use bakau_model::{Principal, StationKind, UtcMillis};
use bakau_registry::{Catalogue, Registry, Snapshot, demo_catalogue};
use bakau_simulate::{demo, station::Station};

const START: UtcMillis = UtcMillis::new(1_770_000_000_000);

async fn registered() -> Arc<Snapshot> {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
    let plan = registry.plan(&Catalogue::parse(&demo_catalogue()).unwrap(), false).await.unwrap();
    registry.apply(plan, &Principal::System, START).await.unwrap();
    registry.snapshot()
}

#[tokio::test]
async fn a_station_says_a_value_for_each_of_its_registered_datastreams() {
    let snapshot = registered().await;
    assert_eq!(snapshot.stations.len(), 3);
    for entry in snapshot.stations.values() {
        let (id, kind) = (entry.id.to_string(), entry.kind);
        let station = Station { id: id.clone(), kind, seed: 1, start: START, faults: vec![] };
        let said: BTreeSet<_> = station.report(START).unwrap().values.into_iter().map(|(code, _)| code).collect();
        let datastreams = snapshot.datastreams_of(&entry.id);
        assert!(!datastreams.is_empty(), "{id} has datastreams");
        for datastream in datastreams {
            assert!(said.contains(datastream.parameter.as_str()), "{} gets no value", datastream.name);
        }
    }
}

/// With the interval and the hold of the demo: at least three messages in a row beyond each limit before the next one.
#[tokio::test]
async fn every_level_of_a_demo_rule_is_held_within_the_first_forty_seconds() {
    let snapshot = registered().await;
    let mangrove = snapshot.stations.values().find(|station| station.kind == StationKind::Mangrove).unwrap();
    let of_oxygen = |rule: &&Arc<bakau_registry::Rule>| {
        rule.datastream().is_some_and(|name| name.as_str() == format!("{}/do", mangrove.id))
    };
    let rule = snapshot.rules.values().find(of_oxygen).unwrap();
    let limit = |level| rule.band(level).unwrap().thresholds().next().unwrap().raise;
    let [waspada, siaga, awas] = bakau_model::Level::RAISED.map(limit);
    let device = demo::Credentials {
        station: mangrove.id.to_string(),
        kind: mangrove.kind,
        username: String::new(),
        password: String::new(),
    };
    let faults: Vec<_> = demo::show_faults(std::slice::from_ref(&device)).into_iter().map(|(_, fault)| fault).collect();
    for hour in 0..24 {
        let start = START.saturating_add(hour * 3_600_000);
        let station = Station { id: device.station.clone(), kind: device.kind, seed: 1, start, faults: faults.clone() };
        let oxygen: Vec<f64> = (0..=40)
            .step_by(2)
            .map(|seconds| station.report(start.saturating_add(seconds * 1_000)).unwrap())
            .map(|report| report.values.iter().find(|(code, _)| *code == "do").unwrap().1.unwrap())
            .collect();
        for (limit, next) in [(waspada, siaga), (siaga, awas), (awas, f64::NEG_INFINITY)] {
            let held = oxygen.iter().filter(|value| next < **value && **value <= limit).count();
            assert!(3 <= held, "{held} messages between {next} and {limit} when started {hour} h later: {oxygen:?}");
        }
    }
}
