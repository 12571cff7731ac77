//! The Flux examples of `docs/influxdb.md`, taken out of it and run on a measured year.

use std::{collections::BTreeMap, sync::Arc};

use bakau_model::{DatastreamId, DatastreamName, Flag, UtcMillis};
use bakau_store::{
    Store, StoredObservation, conformance::everything, copy::copy, embedded::EmbeddedStore, influx::InfluxStore,
};

use super::{measured::Measured, server::Influxd};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Of `do`, the datastream of the examples.
const OXYGEN: u32 = 2;

/// A row of an answer, by column.
type Row = BTreeMap<String, String>;

/// Titles and queries, in the order of the document.
fn examples() -> Vec<(String, String)> {
    let document = include_str!("../../../../docs/influxdb.md");
    let (mut found, mut title) = (Vec::new(), "");
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("### ") {
            title = heading;
        } else if line == "```flux" {
            let query: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((title.to_owned(), query.join("\n")));
        }
    }
    found
}

/// Rows of an answer, by column.
async fn rows(influxd: &Influxd, query: &str) -> Vec<Row> {
    let text = influxd.query(query).await;
    let mut found = Vec::new();
    for table in text.replace('\r', "").split("\n\n").filter(|table| !table.trim().is_empty()) {
        let mut reader = csv::Reader::from_reader(table.trim_start_matches('\n').as_bytes());
        let header = reader.headers().unwrap().clone();
        for row in reader.records() {
            found.push(
                header.iter().zip(&row.unwrap()).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect(),
            );
        }
    }
    found
}

fn at(row: &Row) -> i64 {
    UtcMillis::parse(&row["_time"]).unwrap().get()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

fn instant(text: &str) -> i64 {
    UtcMillis::parse(text).unwrap().get()
}

/// Means and counts of values by windows that begin `offset` before those of UTC.
fn windows(held: &[StoredObservation], every: i64, offset: i64, good: fn(Flag) -> bool) -> BTreeMap<i64, (f64, usize)> {
    let mut sums: BTreeMap<i64, (f64, usize)> = BTreeMap::new();
    for row in held.iter().filter(|row| good(row.observation.flag)) {
        let begin = (row.observation.observed_at.get() + offset).div_euclid(every) * every - offset;
        let sum = sums.entry(begin).or_default();
        *sum = (sum.0 + row.observation.value.unwrap(), sum.1 + 1);
    }
    sums.values_mut().for_each(|sum| sum.0 /= sum.1 as f64);
    sums
}

fn assert_means(found: &[Row], column: &str, expected: &BTreeMap<i64, (f64, usize)>) {
    assert_eq!(found.iter().map(at).collect::<Vec<_>>(), expected.keys().copied().collect::<Vec<_>>());
    for (row, (mean, _)) in found.iter().zip(expected.values()) {
        assert!((number(row, column) - mean).abs() < 1e-9, "{row:?} against {mean}");
    }
}

/// An answer, and the rows of the store that it was copied from.
struct Case {
    found: Vec<Row>,
    held: Vec<StoredObservation>,
}

fn present(flag: Flag) -> bool {
    flag != Flag::Missing
}

impl Case {
    fn between(&self, from: &str, to: &str) -> Vec<StoredObservation> {
        let (from, to) = (instant(from), instant(to));
        let within = |row: &&StoredObservation| (from..to).contains(&row.observation.observed_at.get());
        self.held.iter().filter(within).copied().collect()
    }

    fn month(&self) -> Vec<StoredObservation> {
        self.between("2026-01-31T17:00:00Z", "2026-02-28T17:00:00Z")
    }

    fn raw_day(&self) {
        let numbers = |row: &Row| (at(row), number(row, "value"), number(row, "flag"));
        let day = self.between("2026-03-09T17:00:00Z", "2026-03-10T17:00:00Z");
        let there = day.iter().map(|row| row.observation).filter(|row| row.value.is_some());
        let expected = there.map(|row| (row.observed_at.get(), row.value.unwrap(), row.flag.code().into()));
        let found: Vec<_> = self.found.iter().map(numbers).collect();
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(20 < found.len());
    }

    fn hourly_means(&self) {
        let week = self.between("2026-03-09T17:00:00Z", "2026-03-16T17:00:00Z");
        let expected = windows(&week, HOUR, 0, |flag| present(flag) && flag != Flag::Fail);
        assert_ne!(expected, windows(&week, HOUR, 0, present), "the week has failed values");
        assert_means(&self.found, "value", &expected);
    }

    fn daily_means(&self) {
        assert_means(&self.found, "_value", &windows(&self.month(), DAY, 7 * HOUR, present));
    }

    fn completeness(&self) {
        let numbers = |row: &Row| (at(row), number(row, "values"), number(row, "completeness"));
        let expected = windows(&self.month(), DAY, 7 * HOUR, present);
        let expected = expected.iter().map(|(day, (_, count))| (*day, *count as f64, *count as f64 / 96.0));
        assert_eq!(self.found.iter().map(numbers).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    fn corrected(&self) {
        let of_oxygen = self.found.iter().filter(|row| row["parameter"] == "do");
        let month = self.month();
        let corrected = month.iter().filter(|row| 1 < row.revision);
        let expected: Vec<_> = corrected.map(|row| (row.observation.observed_at.get(), row.revision.into())).collect();
        assert_eq!(of_oxygen.map(|row| (at(row), number(row, "revision"))).collect::<Vec<_>>(), expected);
        assert!(!expected.is_empty());
    }
}

/// The same question about a year that is over.
async fn check_latest(query: &str, influxd: &Influxd, source: &EmbeddedStore) {
    let whole = query.replace("start: -1h", "start: 2026-01-01T00:00:00Z, stop: 2027-02-01T00:00:00Z");
    let mut found: Vec<_> = rows(influxd, &whole).await;
    found.sort_by_key(|row| row["parameter"].clone());
    let latest = source.latest().await.unwrap();
    let mut expected: Vec<_> = latest.iter().map(|row| row.observation).filter(|row| row.value.is_some()).collect();
    expected.sort_by_key(|row| name(row.datastream));
    let numbers = |row: &Row| (row["parameter"].clone(), at(row), number(row, "value"));
    let expected =
        expected.iter().map(|row| (name(row.datastream).unwrap(), row.observed_at.get(), row.value.unwrap()));
    assert_eq!(found.iter().map(numbers).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

fn name(datastream: DatastreamId) -> Option<String> {
    let names = ["water_temperature", "do", "ph"];
    names.get(datastream.get() as usize - 1).map(|name| (*name).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_document_answers_what_it_promises() {
    check_examples(Measured::weather()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data"]
async fn every_example_of_the_document_answers_what_it_promises_about_the_estuary() {
    check_examples(Measured::estuary()).await;
}

async fn check_examples(measured: Measured) {
    let (influxd, folder) = (Influxd::start().await, tempfile::tempdir().unwrap());
    influxd.make_bucket("bakau").await;
    let source = EmbeddedStore::open(&folder.path().join("series.db")).unwrap();
    measured.in_2026().write(&source).await;
    let names = Arc::new(|number| DatastreamName::new("prb-bjbr-01", &name(number)?, None).ok());
    let journal = folder.path().join("series-influx.db");
    let target = InfluxStore::open(&journal, influxd.config("bakau"), names).unwrap();
    assert!(copy(&source, &target, &mut |_| {}).await.unwrap().is_equal());
    let held = source.observations(&everything(OXYGEN)).await.unwrap();
    let mut checked = Vec::new();
    for (title, query) in examples() {
        let case = Case { found: rows(&influxd, &query).await, held: held.clone() };
        match title.as_str() {
            "The latest value of every datastream" => check_latest(&query, &influxd, &source).await,
            "A day as it was measured, with flags" => case.raw_day(),
            "Hourly means without missing and failed values" => case.hourly_means(),
            "Means of civil days in Asia/Jakarta" => case.daily_means(),
            "Completeness by civil day" => case.completeness(),
            "Values that were corrected" => case.corrected(),
            other => unreachable!("the example '{other}' is not checked"),
        }
        checked.push(title);
    }
    assert_eq!(checked.len(), 6, "{checked:?}");
}
