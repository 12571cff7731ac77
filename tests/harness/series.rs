//! Measured series: what a file says, what is held of it, and the real command that publishes one.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bakau_model::UtcMillis;

use crate::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_connected, wait_settled},
    mosquitto::{self, Mosquitto},
};

const DAY_MS: i64 = 86_400_000;

/// One measured file, its map and catalogue, and how its columns become parameters.
#[derive(Debug, Clone)]
pub struct Series {
    /// Where it is.
    pub file: PathBuf,
    /// Of its map and catalogue.
    pub name: &'static str,
    /// Station id.
    pub station: &'static str,
    /// (column, parameter, factor, offset): the conversion worked out here on its own.
    pub columns: &'static [(&'static str, &'static str, f64, f64)],
    /// First instant.
    pub from: &'static str,
    /// First instant after it.
    pub to: &'static str,
    /// The rules of its catalogue.
    pub rules: &'static [&'static str],
}

const FAHRENHEIT: (f64, f64) = (5.0 / 9.0, -160.0 / 9.0);

/// Where maps and catalogues are.
fn tests_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// One month of New York weather: public domain, always there.
#[must_use]
pub fn jfk() -> Series {
    Series {
        file: tests_data().join("weather_jfk_2013_hourly.csv.gz"),
        name: "jfk",
        station: "jfk",
        columns: &[
            ("temp", "air_temperature", FAHRENHEIT.0, FAHRENHEIT.1),
            ("humid", "humidity", 1.0, 0.0),
            ("pressure", "pressure", 1.0, 0.0),
            ("wind_speed", "wind_speed", 0.44704, 0.0),
            // Mostly empty: gusts are reported only when there are any.
            ("wind_gust", "wind_speed@gust", 0.44704, 0.0),
        ],
        from: "2013-03-01T00:00:00Z",
        to: "2013-04-01T00:00:00Z",
        rules: &[],
    }
}

/// One month of the Apalachicola estuary; used where it is at hand, because its terms do not allow a copy here.
#[must_use]
pub fn estuary() -> Series {
    Series {
        file: beside_the_project("nerrs_apacpwq.csv.gz"),
        name: "apacpwq",
        station: "apacpwq",
        columns: &[
            ("temp", "water_temperature", 1.0, 0.0),
            ("spcond", "conductivity", 1000.0, 0.0),
            ("sal", "salinity", 1.0, 0.0),
            ("do_mgl", "do", 1.0, 0.0),
            ("ph", "ph", 1.0, 0.0),
            ("turb", "turbidity", 1.0, 0.0),
        ],
        from: "2012-06-01T00:00:00Z",
        to: "2012-07-01T00:00:00Z",
        rules: &["apacpwq-do", "apacpwq-turbidity"],
    }
}

/// A year of London's air; used where it is at hand.
#[must_use]
pub fn marylebone() -> Series {
    Series {
        file: beside_the_project("air_marylebone_hourly.csv.gz"),
        name: "marylebone",
        station: "marylebone",
        columns: &[
            ("pm25", "pm25", 1.0, 0.0),
            ("pm10", "pm10", 1.0, 0.0),
            ("ws", "wind_speed", 1.0, 0.0),
            ("wd", "wind_direction", 1.0, 0.0),
        ],
        from: "2003-01-01T00:00:00Z",
        to: "2004-01-01T00:00:00Z",
        rules: &["marylebone-pm25", "marylebone-pm10"],
    }
}

/// A file whose terms allow no copy in the project.
fn beside_the_project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name)
}

impl Series {
    /// Whether the file is at hand; says so where it is not.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        let found = self.file.is_file();
        if !found {
            println!("left out: {} is not there (its terms allow no copy in the project)", self.file.display());
        }
        found
    }

    /// The values of one column in order of time; empty cells left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn column(&self, name: &str) -> Result<Vec<(UtcMillis, f64)>> {
        let mut values = Vec::new();
        self.rows(|at, cell| {
            let text = cell(name)?;
            if !text.is_empty() {
                values.push((at, text.parse()?));
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Shows each row of the range: its instant, and its cells by the name of their column.
    fn rows(&self, mut see: impl FnMut(UtcMillis, &dyn Fn(&str) -> Result<String>) -> Result<()>) -> Result<()> {
        let text = self.text()?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers()?.clone();
        let (from, to) = (UtcMillis::parse(self.from)?, UtcMillis::parse(self.to)?);
        for row in reader.records() {
            let row = row?;
            let cell = |name: &str| Ok(row[column_index(&header, name)?].to_owned());
            let at = UtcMillis::parse(&cell("time")?)?;
            if from <= at && at < to {
                see(at, &cell)?;
            }
        }
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        let file = File::open(&self.file).with_context(|| format!("{} is missing", self.file.display()))?;
        flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn column_index(header: &csv::StringRecord, name: &str) -> Result<usize> {
    header.iter().position(|column| column == name).with_context(|| format!("there is no column {name}"))
}

/// Count, empty cells, sum and daily (sum, count) of one column.
#[derive(Debug, Default, Clone, PartialEq)]
struct Summary {
    count: u64,
    empty: u64,
    sum: f64,
    days: BTreeMap<i64, (f64, u64)>,
}

impl Summary {
    fn add(&mut self, at: i64, value: Option<f64>) {
        let Some(value) = value else {
            self.empty += 1;
            return;
        };
        self.count += 1;
        self.sum += value;
        let day = self.days.entry(at.div_euclid(DAY_MS)).or_default();
        *day = (day.0 + value, day.1 + 1);
    }

    /// Asserts that both say the same but for the last bit of a conversion.
    fn assert_equals(&self, other: &Self, what: &str) {
        assert_eq!((self.count, self.empty), (other.count, other.empty), "{what}: counts and empty cells");
        // Sums of up to 3,000 doubles in the same order: only the conversion's last bit may differ.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        assert!(close(self.sum, other.sum), "{what}: sum {} against {}", self.sum, other.sum);
        assert_eq!(self.days.len(), other.days.len(), "{what}: days");
        for (day, (sum, count)) in &self.days {
            let held = other.days.get(day).copied().unwrap_or_default();
            let (mean, held_mean) = (sum / *count as f64, held.0 / held.1 as f64);
            assert!(
                *count == held.1 && close(mean, held_mean),
                "{what}: mean of day {day}: {mean} against {held_mean}"
            );
        }
    }
}

/// Reads the file with nothing of Bakau's: gunzip, csv, and the number before any suffix.
fn from_file(series: &Series) -> Result<BTreeMap<&'static str, Summary>> {
    let mut found: BTreeMap<_, _> = series.columns.iter().map(|column| (column.1, Summary::default())).collect();
    series.rows(|at, cell| {
        for (column, parameter, factor, offset) in series.columns {
            let text = cell(column)?;
            let number = text.split(['<', ' ']).next().unwrap_or("").trim();
            let value = if number.is_empty() { None } else { Some(number.parse::<f64>()?.mul_add(*factor, *offset)) };
            found.entry(parameter).or_default().add(at.get(), value);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Reads the same from the API's CSV.
async fn from_api(series: &Series, bakau: &Bakau) -> Result<BTreeMap<&'static str, Summary>> {
    let mut found = BTreeMap::new();
    for (_, parameter, ..) in series.columns {
        let (station, from, to) = (series.station, series.from, series.to);
        let path = format!("/api/v1/observations?datastream={station}/{parameter}&from={from}&to={to}&format=csv");
        let text = reqwest::get(bakau.url(&path)?).await?.error_for_status()?.text().await?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers()?.clone();
        let index = |name: &str| column_index(&header, name);
        let (time, value) = (index("observed_at")?, index("value")?);
        let mut summary = Summary::default();
        for row in reader.records() {
            let row = row?;
            let held = if row[value].is_empty() { None } else { Some(row[value].parse()?) };
            summary.add(UtcMillis::parse(&row[time])?.get(), held);
        }
        found.insert(*parameter, summary);
    }
    Ok(found)
}

/// Publishes the series with the real command and further options; `login` is broker, user name and password. Gives the
/// number of readings, missing ones included.
///
/// # Errors
/// When a part fails.
pub fn replay_with(series: &Series, bakau: &Bakau, login: &[&str; 3], options: &[&str]) -> Result<u64> {
    let [broker, username, password] = *login;
    let map = tests_data().join(format!("{}.map.toml", series.name));
    let arguments = ["replay", &series.file.display().to_string(), "--map", &map.display().to_string()];
    let more = ["--broker", broker, "--username", username, "--password-env", "BAKAU_REPLAY_PASSWORD"];
    let range = ["--from", series.from, "--to", series.to];
    let all: Vec<_> =
        arguments.iter().chain(&more).chain(&range).chain(options).map(|text| (*text).to_owned()).collect();
    let output = bakau.command(&all)?.env("BAKAU_REPLAY_PASSWORD", password).output()?;
    if !output.status.success() {
        bail!("replay failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    // "744 baris, 744 pesan dikonfirmasi, 6000 nilai, 696 sel kosong"
    let said = String::from_utf8(output.stdout)?;
    let number = |name: &str| -> Result<u64> {
        let part =
            said.split(',').find_map(|part| part.trim().strip_suffix(name)).context("the replay says its counts")?;
        Ok(part.trim().parse()?)
    };
    Ok(number("nilai")? + number("sel kosong")?)
}

/// The catalogue of a series, with a device that may publish it.
///
/// # Errors
/// When a part fails.
pub fn catalogue_of(series: &Series) -> Result<[(&'static str, String); 1]> {
    let text = std::fs::read_to_string(tests_data().join(format!("{}.catalogue.toml", series.name)))?;
    Ok([("seri.toml", text + &catalogue::device(catalogue::DEVICE, catalogue::TOKEN, "replay/#"))])
}

/// The settled episodes of the series' rules, rule by rule.
async fn settled(series: &Series, bakau: &Bakau) -> Result<Vec<serde_json::Value>> {
    let mut all = Vec::new();
    for rule in series.rules {
        let path = format!("/api/v1/alerts/settled?rule={rule}&from={}&to={}", series.from, series.to);
        let answer = bakau.json(&path).await?;
        let episodes = answer["episodes"].as_array().filter(|found| 3 < found.len());
        all.extend(episodes.with_context(|| format!("{rule} has episodes: {answer}"))?.iter().cloned());
    }
    Ok(all)
}

/// Replays the series through a mosquitto into a new Bakau and waits until all of it is settled.
///
/// # Errors
/// When a part fails.
pub async fn through_mosquitto(series: &Series, folder: &Path, options: &[&str]) -> Result<(Mosquitto, Bakau)> {
    through_mosquitto_into(series, folder, options, "").await
}

/// The same with `[store]` as the configuration is to have it.
async fn through_mosquitto_into(
    series: &Series,
    folder: &Path,
    options: &[&str],
    store: &str,
) -> Result<(Mosquitto, Bakau)> {
    let broker = Mosquitto::start(&folder.join("mosquitto")).await?;
    let configuration = Way::Mosquitto.configuration(broker.port()) + store;
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &catalogue_of(series)?)?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let address = format!("127.0.0.1:{}", broker.port());
    let login = [address.as_str(), mosquitto::USERNAME, mosquitto::PASSWORD];
    let readings = replay_with(series, &bakau, &login, options)?;
    wait_settled(&bakau, readings).await?;
    Ok((broker, bakau))
}

/// Asserts that the series is held as its file has it.
///
/// # Errors
/// When a part fails.
///
/// # Panics
/// When it is not, or the file has no values to show it with.
pub async fn assert_held(series: &Series, bakau: &Bakau) -> Result<()> {
    let (file, held) = (from_file(series)?, from_api(series, bakau).await?);
    for (parameter, summary) in &file {
        assert!(0 < summary.count, "{parameter} has no values in the file: the test would show nothing");
        summary.assert_equals(&held[parameter], parameter);
    }
    Ok(())
}

/// What follows from a series.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Its settled episodes.
    pub episodes: Vec<serde_json::Value>,
    /// Its aggregates by civil day, as CSV, column by column.
    pub days: Vec<String>,
}

/// Replays the series through mosquitto in one order of arrival, with the store that the configuration names, checks that
/// it is held as the file has it, and gives what follows from it.
///
/// # Errors
/// When a part fails.
pub async fn outcome(series: &Series, options: &[&str], store: &str) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let (_broker, mut bakau) = through_mosquitto_into(series, folder.path(), options, store).await?;
    assert_held(series, &bakau).await?;
    let episodes = settled(series, &bakau).await?;
    let mut days = Vec::new();
    for (_, parameter, ..) in series.columns {
        let (station, from, to) = (series.station, series.from, series.to);
        let path = format!(
            "/api/v1/aggregates?datastream={station}/{parameter}&from={from}&to={to}&step=1d&tz=Asia/Jakarta&format=csv"
        );
        days.push(reqwest::get(bakau.url(&path)?).await?.error_for_status()?.text().await?);
    }
    bakau.stop()?;
    let verified = bakau.command(&["verify".to_owned()])?.output()?;
    if !verified.status.success() {
        bail!("bakau verify finds damage:\n{}", String::from_utf8_lossy(&verified.stdout));
    }
    Ok(Outcome { episodes, days })
}

/// The settled episodes of a series in one order of arrival; the rest of [`outcome`] is checked on the way.
///
/// # Errors
/// When a part fails.
pub async fn settled_in_order(series: &Series, options: &[&str]) -> Result<Vec<serde_json::Value>> {
    Ok(outcome(series, options, "").await?.episodes)
}
