//! The maps against the measured files: every row, every cell.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use bakau_simulate::replay::{ReplayMap, Row, Rows};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

fn map(name: &str) -> ReplayMap {
    ReplayMap::parse(&std::fs::read_to_string(data().join(format!("{name}.map.toml"))).unwrap()).unwrap()
}

fn rows(file: &Path, name: &str) -> Vec<Row> {
    Rows::open(file, &map(name)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Cells of a file counted by splitting its text, not by the code under test: (rows, values, empty).
fn counted(file: &Path, name: &str) -> (usize, u64, u64) {
    let mut text = String::new();
    let file = std::fs::File::open(file).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let wanted: Vec<_> =
        map(name).columns.iter().map(|column| header.iter().position(|name| *name == column.name).unwrap()).collect();
    let (mut rows, mut values, mut empty) = (0, 0, 0);
    for line in lines {
        let cells: Vec<_> = line.split(',').collect();
        rows += 1;
        for index in &wanted {
            if cells[*index].is_empty() { empty += 1 } else { values += 1 }
        }
    }
    (rows, values, empty)
}

fn check(file: &Path, name: &str) {
    let read = rows(file, name);
    let (values, empty) = read.iter().fold((0, 0), |(v, e), row| (v + row.values, e + row.empty));
    assert_eq!((read.len(), values, empty), counted(file, name));
    assert!(0 < empty || name == "keywest", "{name} has holes");
    for row in read {
        let json: serde_json::Value = serde_json::from_slice(&row.message.payload).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 1 + map(name).columns.len());
    }
}

#[test]
fn the_committed_series_read_completely() {
    check(&data().join("sea_temp_keywest_hourly.csv.gz"), "keywest");
    check(&data().join("weather_jfk_2013_hourly.csv.gz"), "jfk");
    assert_eq!(rows(&data().join("sea_temp_keywest_hourly.csv.gz"), "keywest").len(), 6_572);
}

#[test]
#[ignore = "needs ../shared/data"]
fn the_estuary_series_reads_completely() {
    let file = data().join("../../../shared/data/nerrs_apacpwq.csv.gz");
    check(&file, "apacpwq");
}

#[test]
fn maps_and_catalogues_name_the_same_keys_units_and_topics() {
    for name in ["keywest", "jfk", "apacpwq"] {
        let text = std::fs::read_to_string(data().join(format!("{name}.catalogue.toml"))).unwrap();
        let catalogue: toml::Table = text.parse().unwrap();
        let route = &catalogue["route"][0];
        let map = map(name);
        assert_eq!(route["topic"].as_str().unwrap(), map.topic);
        let values = route["json"]["values"].as_array().unwrap();
        let of_route: Vec<_> =
            values.iter().map(|value| (value["path"].as_str().unwrap(), value["unit"].as_str().unwrap())).collect();
        let paths: Vec<_> = map.columns.iter().map(|column| format!("/{}", column.key)).collect();
        let of_map: Vec<_> = paths
            .iter()
            .zip(&map.columns)
            .map(|(path, column)| (path.as_str(), column.unit.as_ref().unwrap().as_str()))
            .collect();
        assert_eq!(of_route, of_map);
    }
}

#[test]
fn the_catalogues_of_the_measured_series_are_valid() {
    for name in ["keywest", "jfk", "apacpwq"] {
        let path = data().join(format!("{name}.catalogue.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let file = bakau_registry::CatalogueFile { path: path.display().to_string(), text };
        let errors = bakau_registry::Catalogue::parse(&[file]).err().unwrap_or_default();
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}
