//! Measured series through the whole line: what is stored equals what the file says.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{Way, wait_connected, wait_settled},
    mosquitto::{self, Mosquitto},
};

const DAY_MS: i64 = 86_400_000;

/// One measured file, its map and catalogue, and how its columns become parameters.
struct Series {
    file: PathBuf,
    name: &'static str,
    station: &'static str,
    /// (column, parameter, factor, offset): the conversion worked out here on its own.
    columns: &'static [(&'static str, &'static str, f64, f64)],
    from: &'static str,
    to: &'static str,
}

const FAHRENHEIT: (f64, f64) = (5.0 / 9.0, -160.0 / 9.0);

fn tests_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// One month of New York weather: public domain, always there.
fn jfk() -> Series {
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
    }
}

/// One month of the Apalachicola estuary; used where it is at hand, because its terms do not allow a copy here.
fn estuary() -> Series {
    Series {
        file: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nerrs_apacpwq.csv.gz"),
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
    }
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
    let mut text = String::new();
    let file = File::open(&series.file).with_context(|| format!("{} is missing", series.file.display()))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let index = |name: &str| header.iter().position(|column| column == name).context("column is in the file");
    let (from, to) = (UtcMillis::parse(series.from)?.get(), UtcMillis::parse(series.to)?.get());
    let mut found: BTreeMap<_, _> = series.columns.iter().map(|column| (column.1, Summary::default())).collect();
    for row in reader.records() {
        let row = row?;
        let at = UtcMillis::parse(&row[index("time")?])?.get();
        if at < from || to <= at {
            continue;
        }
        for (column, parameter, factor, offset) in series.columns {
            let cell = row[index(column)?].split(['<', ' ']).next().unwrap_or("").trim();
            let value = if cell.is_empty() { None } else { Some(cell.parse::<f64>()?.mul_add(*factor, *offset)) };
            found.entry(parameter).or_default().add(at, value);
        }
    }
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
        let index = |name: &str| header.iter().position(|column| column == name).context("column is in the answer");
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

/// Publishes the series with the real command; gives the number of readings, missing ones included.
fn replay(series: &Series, bakau: &Bakau, broker: &str, username: &str, password: &str) -> Result<u64> {
    replay_with(series, bakau, &[broker, username, password], &[])
}

/// The same with further options; `login` is broker, user name and password.
fn replay_with(series: &Series, bakau: &Bakau, login: &[&str; 3], options: &[&str]) -> Result<u64> {
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
    // "rows 744, messages acknowledged 744, values 6000, empty cells 696"
    let said = String::from_utf8(output.stdout)?;
    let number = |name: &str| -> Result<u64> {
        let part =
            said.split(',').find_map(|part| part.trim().strip_prefix(name)).context("the replay says its counts")?;
        Ok(part.trim().parse()?)
    };
    Ok(number("values")? + number("empty cells")?)
}

fn catalogue_of(series: &Series) -> Result<[(&'static str, String); 1]> {
    let text = std::fs::read_to_string(tests_data().join(format!("{}.catalogue.toml", series.name)))?;
    Ok([("seri.toml", text + &catalogue::device(catalogue::DEVICE, catalogue::TOKEN, "replay/#"))])
}

async fn check(series: &Series, bakau: &mut Bakau, readings: u64) -> Result<()> {
    wait_settled(bakau, readings).await?;
    let (file, held) = (from_file(series)?, from_api(series, bakau).await?);
    for (parameter, summary) in &file {
        assert!(0 < summary.count, "{parameter} has no values in the file: the test would show nothing");
        summary.assert_equals(&held[parameter], parameter);
    }
    // One chart of the replayed range, of a datastream with a qualifier where there is one.
    let named = series.columns.iter().find(|column| column.1.contains('@')).or(series.columns.first());
    let (_, parameter, ..) = named.context("a series has columns")?;
    let (station, from, to) = (series.station, series.from, series.to);
    let chart = bakau.url(&format!("/charts/{station}/{parameter}.png?from={from}&to={to}"))?;
    let chart = reqwest::get(chart).await?.error_for_status()?.bytes().await?;
    assert!(chart.starts_with(b"\x89PNG"));
    bakau.stop()
}

async fn through_the_embedded_broker(series: &Series) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &catalogue_of(series)?)?;
    bakau.start().await?;
    let readings = replay(series, &bakau, &bakau.mqtt()?.to_string(), catalogue::DEVICE, catalogue::TOKEN)?;
    check(series, &mut bakau, readings).await
}

async fn through_mosquitto(series: &Series) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(&folder.path().join("mosquitto")).await?;
    let configuration = Way::Mosquitto.configuration(broker.port());
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &configuration, &catalogue_of(series)?)?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let address = format!("127.0.0.1:{}", broker.port());
    let readings = replay(series, &bakau, &address, mosquitto::USERNAME, mosquitto::PASSWORD)?;
    check(series, &mut bakau, readings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_weather_through_the_embedded_broker_is_held_as_measured() -> Result<()> {
    through_the_embedded_broker(&jfk()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_weather_through_mosquitto_is_held_as_measured() -> Result<()> {
    through_mosquitto(&jfk()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_estuary_through_both_brokers_is_held_as_measured() -> Result<()> {
    let series = estuary();
    if !series.file.is_file() {
        println!("left out: the estuary series is not at hand (its terms allow no copy in the project)");
        return Ok(());
    }
    through_the_embedded_broker(&series).await?;
    through_mosquitto(&series).await
}

/// The settled history of a year of the estuary, arrived through mosquitto in one order.
async fn settled_year(series: &Series, options: &[&str]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(&folder.path().join("mosquitto")).await?;
    let configuration = Way::Mosquitto.configuration(broker.port());
    let [(name, text)] = catalogue_of(series)?;
    let rules = "
[[rule]]
id = \"do\"
name = \"Oksigen\"
datastream = \"apacpwq/do\"
direction = \"below\"
waspada = { raise = 4.0, clear = 4.5 }
siaga = { raise = 2.0, clear = 2.5 }
hold_s = 3600
source = \"test\"
[[rule]]
id = \"turbidity\"
name = \"Kekeruhan\"
parameter = \"turbidity\"
direction = \"above\"
waspada = { raise = 50.0, clear = 40.0 }
source = \"test\"
";
    let files = [(name, text + rules)];
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &configuration, &files)?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let address = format!("127.0.0.1:{}", broker.port());
    let login = [address.as_str(), mosquitto::USERNAME, mosquitto::PASSWORD];
    let readings = replay_with(series, &bakau, &login, options)?;
    wait_settled(&bakau, readings).await?;
    let (file, held) = (from_file(series)?, from_api(series, &bakau).await?);
    for (parameter, summary) in &file {
        summary.assert_equals(&held[parameter], parameter);
    }
    let mut settled = String::new();
    for rule in ["do", "turbidity"] {
        let (from, to) = (series.from, series.to);
        let path = bakau.url(&format!("/api/v1/alerts/settled?rule={rule}&from={from}&to={to}"))?;
        let answer: serde_json::Value = reqwest::get(path).await?.error_for_status()?.json().await?;
        let episodes = &answer["episodes"];
        assert!(episodes.as_array().is_some_and(|all| 3 < all.len()), "{rule} has episodes: {answer}");
        settled += &episodes.to_string();
    }
    bakau.stop()?;
    Ok(settled)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_the_estuary_settles_to_the_same_alerts_in_any_order_of_arrival() -> Result<()> {
    let series = Series { from: "2012-01-01T00:00:00Z", to: "2013-01-01T00:00:00Z", ..estuary() };
    if !series.file.is_file() {
        println!("left out: the estuary series is not at hand (its terms allow no copy in the project)");
        return Ok(());
    }
    let measured = settled_year(&series, &[]).await?;
    for seed in ["1", "2"] {
        let shuffled = settled_year(&series, &["--shuffle", seed, "--lateness", "2h"]).await?;
        assert!(measured == shuffled, "order {seed} settles differently:\n{measured}\n{shuffled}");
    }
    Ok(())
}
