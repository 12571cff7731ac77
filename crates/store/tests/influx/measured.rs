//! Measured series as a history: values, missing ones, corrections, verdicts that were taken back.

use std::{fs::File, path::PathBuf};

use bakau_model::{Flag, MINUTE_MS, Observation, QualityTest, TestResults, UtcMillis};
use bakau_store::{
    Store, Verdict,
    conformance::{batch, observation},
};
use flate2::read::GzDecoder;

/// A file and some of its columns; the datastreams are 1, 2, ... in this order.
pub(crate) struct Measured {
    file: PathBuf,
    columns: &'static [&'static str],
    /// Whole days that every instant is moved by.
    days: i64,
}

const DAY_MS: i64 = 86_400_000;

/// Rows of a file, at most: a year of quarter hours.
const ROWS: usize = 35_136;

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

impl Measured {
    /// A year of weather by the hour.
    pub(crate) fn weather() -> Self {
        let file = project("tests/data/weather_jfk_2013_hourly.csv.gz");
        Self { file, columns: &["temp", "humid", "pressure"], days: 0 }
    }

    /// A year of an estuary by the quarter of an hour. Its terms allow no copy in the project, so tests that need it are
    /// ignored.
    pub(crate) fn estuary() -> Self {
        let file = project("../shared/data/nerrs_apacpwq.csv.gz");
        Self { file, columns: &["temp", "do_mgl", "ph"], days: 0 }
    }

    /// The same, as if its year had been 2026.
    pub(crate) fn in_2026(self) -> Self {
        let first = self.series()[0][0].0.div_euclid(DAY_MS);
        let begin = UtcMillis::parse("2026-01-01T00:00:00Z").unwrap().get() / DAY_MS;
        Self { days: begin - first, ..self }
    }

    /// Instants and values of every column; empty cells are missing values.
    pub(crate) fn series(&self) -> Vec<Vec<(i64, Option<f64>)>> {
        let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(&self.file).unwrap()));
        let header = reader.headers().unwrap().clone();
        let place = |name: &str| header.iter().position(|column| column == name).unwrap();
        let (time, places) = (place("time"), self.columns.iter().map(|name| place(name)).collect::<Vec<_>>());
        let mut series = vec![Vec::new(); places.len()];
        for row in reader.records().take(ROWS) {
            let row = row.unwrap();
            let at = UtcMillis::parse(&row[time]).unwrap().get() + self.days * DAY_MS;
            for (series, place) in series.iter_mut().zip(&places) {
                series.push((at, row[*place].parse().ok()));
            }
        }
        series
    }

    /// Writes the history: every 97th value is corrected later, every 89th flag taken back, every 1,000th value repeated.
    pub(crate) async fn write(&self, store: &dyn Store) {
        let mut seq = 0;
        for pass in 0..3_i64 {
            for (n, series) in self.series().iter().enumerate() {
                let datastream = u32::try_from(n).unwrap() + 1;
                for days in series.chunks(10_000) {
                    seq += 1;
                    let (rows, verdicts) = pass_of(pass, datastream, days);
                    let source = if pass == 0 { "first" } else { "later" };
                    store.write(&[batch(seq, source, &rows)], verdicts).await.unwrap();
                }
            }
        }
    }
}

/// What a pass brings: everything, then corrections and repeats, then verdicts alone with a few more corrections.
fn pass_of(pass: i64, datastream: u32, series: &[(i64, Option<f64>)]) -> (Vec<Observation>, Vec<Verdict>) {
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    for (n, &(at, value)) in series.iter().enumerate() {
        let received_at = UtcMillis::new(at + 1_234 + pass * 90 * MINUTE_MS);
        let corrected = n % 97 == 5 && (pass == 1 || n % 3 == 0);
        let value = if corrected { value.map(|value| value + 0.5 * pass as f64) } else { value };
        if pass == 0 || corrected || (pass == 1 && n % 1_000 == 9) {
            rows.push(Observation { received_at, ..observation(datastream, at, value) });
        }
        let flag = match (pass, n % 89) {
            (0, 3) => Flag::Suspect,
            (0, 7) => Flag::Fail,
            (0, _) | (2, 3) => Flag::Good,
            _ => continue,
        };
        let tests = TestResults::NONE.with(QualityTest::GrossRange, flag);
        let key = observation(datastream, at, value);
        let (datastream, observed_at) = (key.datastream, key.observed_at);
        verdicts.push(Verdict { datastream, observed_at, tests, increment: None, recorded_at: received_at });
    }
    (rows, verdicts)
}
