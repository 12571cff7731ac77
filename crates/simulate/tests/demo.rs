//! The simulated stations against the catalogue of the demo.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bakau_model::{Principal, StationKind, UtcMillis};
use bakau_registry::{Catalogue, Registry, Snapshot, demo_catalogue};
use bakau_simulate::{demo, station::Station};

const START: UtcMillis = UtcMillis::new(1_770_000_000_000);
const WINDOW: Duration = Duration::from_secs(10);

async fn registered() -> Arc<Snapshot> {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
    let plan = registry.plan(&Catalogue::parse(&demo_catalogue()).unwrap(), false).await.unwrap();
    registry.apply(plan, &Principal::System, START).await.unwrap();
    registry.snapshot()
}

#[tokio::test]
async fn every_station_says_a_value_for_each_of_its_registered_datastreams_and_no_other() {
    let snapshot = registered().await;
    let sites: BTreeMap<_, _> = demo::sites().into_iter().map(|site| (site.id.clone(), site)).collect();
    assert_eq!(sites.len(), snapshot.stations.len());
    for entry in snapshot.stations.values() {
        let site = sites[entry.id.as_str()].clone();
        assert_eq!(site.kind(), entry.kind, "{}", entry.id);
        let station = Station { site, seed: 1, start: START, faults: vec![] };
        let report = station.report(START, WINDOW).unwrap();
        let said: BTreeSet<_> =
            report.values.iter().map(|(channel, _)| format!("{}/{}", entry.id, channel.code())).collect();
        let registered: BTreeSet<_> =
            snapshot.datastreams_of(&entry.id).iter().map(|datastream| datastream.name.to_string()).collect();
        assert_eq!(said, registered);
    }
}

#[tokio::test]
async fn the_catalogue_is_of_four_cities_all_kinds_and_many_agencies() {
    let snapshot = registered().await;
    let owners: BTreeSet<_> = snapshot.stations.values().map(|station| &station.agency).collect();
    let cities: BTreeSet<_> = owners.iter().map(|agency| &snapshot.agencies[*agency].city).collect();
    let kinds: BTreeSet<_> = snapshot.stations.values().map(|station| station.kind).collect();
    assert!(12 <= snapshot.stations.len() && 5 <= owners.len(), "{owners:?}");
    assert_eq!((cities.len(), kinds.len()), (4, StationKind::ALL.len()));
}

/// With the pace and the hold of the demo: at least three messages in a row beyond each limit before the next one.
#[tokio::test]
async fn every_level_of_a_demo_rule_is_held_within_the_first_forty_seconds() {
    let snapshot = registered().await;
    let rule = &snapshot.rules["do-mangrove"];
    let limit = |level| rule.band(level).unwrap().thresholds().next().unwrap().raise;
    let [waspada, siaga, awas] = bakau_model::Level::RAISED.map(limit);
    for hour in 0..24 {
        let start = START.saturating_add(hour * 3_600_000);
        let site = demo::sites().into_iter().find(|site| site.id == "prb-bjbr-01").unwrap();
        let station = Station { site, seed: 1, start, faults: demo::faults("prb-bjbr-01") };
        let oxygen: Vec<f64> = (0..=40)
            .step_by(2)
            .map(|seconds| station.report(start.saturating_add(seconds * 1_000), WINDOW).unwrap())
            .map(|report| report.values.iter().find(|(channel, _)| channel.code() == "do").unwrap().1.unwrap())
            .collect();
        // At night the creek may start below the first limit already.
        let reached = oxygen[0] <= waspada;
        for (limit, next) in
            [(waspada, siaga), (siaga, awas), (awas, f64::NEG_INFINITY)].into_iter().skip(usize::from(reached))
        {
            let held = oxygen.iter().filter(|value| next < **value && **value <= limit).count();
            assert!(3 <= held, "{held} messages between {next} and {limit} when started {hour} h later: {oxygen:?}");
        }
    }
}

/// What a datastream of the story says within a span of the demo, every 2 s, when it was started at an hour of the day.
fn said(datastream: &str, hour: i64, span: std::ops::Range<i64>) -> Vec<f64> {
    let (id, parameter) = datastream.split_once('/').unwrap();
    let site = demo::sites().into_iter().find(|site| site.id == id).unwrap();
    let start = START.saturating_add(hour * 3_600_000);
    let station = Station { site, seed: 1, start, faults: demo::faults(id) };
    let reports = span.step_by(2).filter_map(|s| station.report(start.saturating_add(s * 1_000), WINDOW));
    reports.filter_map(|report| report.values.iter().find(|(channel, _)| channel.code() == parameter)?.1).collect()
}

#[tokio::test]
async fn the_wild_sensor_is_marked_and_after_ten_minutes_nothing_of_the_story_is_alarmed() {
    let snapshot = registered().await;
    let plausible =
        bakau_registry::parameters().iter().find(|(code, _)| code.as_str() == "pm25").unwrap().1.suspect.unwrap();
    for hour in 0..24 {
        let wild = said("mlg-arjosari-01/pm25", hour, 14..38);
        assert!(wild.iter().all(|value| plausible.max < *value), "started {hour} h later: {wild:?}");
        for (datastream, rule) in [("mlg-arjosari-01/pm25", "pm25-udara"), ("prb-bjbr-01/do", "do-mangrove")] {
            let limit = snapshot.rules[rule].band(bakau_model::Level::Waspada).unwrap().thresholds().next().unwrap();
            let is_calm =
                |value: &f64| if limit.raise < limit.clear { limit.clear < *value } else { *value < limit.clear };
            let late = said(datastream, hour, 540..900);
            assert!(late.iter().all(is_calm), "{datastream} started {hour} h later: {late:?}");
        }
        assert!(said("btu-bumiaji-01/rain", hour, 25..325).is_empty());
        assert!(!said("btu-bumiaji-01/rain", hour, 326..600).is_empty());
    }
}
