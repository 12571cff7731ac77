//! What is stored and decided about values is true: units, codes for "no value", extremes, clocks that are ahead.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{bakau::Bakau, catalogue, influx::Influx, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A river and an air station whose loggers send other units than are stored, and a weir.
const STATIONS: [(&str, &str, &[&str]); 3] = [
    ("uji-sungai", "water", &["water_level", "conductivity", "water_temperature"]),
    ("uji-udara", "air", &["o3", "pm25", "pm10"]),
    ("uji-bendung", "water", &["water_level", "flow", "conductivity"]),
];

/// What the logger of the weir sends.
const WEIR: [&str; 3] = [
    r#"path = "/water_level", parameter = "water_level", unit = "m""#,
    r#"path = "/flow", parameter = "flow", unit = "m3/s""#,
    r#"path = "/ec", parameter = "conductivity", unit = "uS/cm""#,
];

/// What the others send.
const LOGGER: [&str; 6] = [
    r#"path = "/water_level_cm", parameter = "water_level", unit = "cm""#,
    r#"path = "/ec_ms_cm", parameter = "conductivity", unit = "mS/cm""#,
    r#"path = "/t_K", parameter = "water_temperature", unit = "K""#,
    r#"path = "/pm25", parameter = "pm25", unit = "ug/m3""#,
    r#"path = "/pm10", parameter = "pm10", unit = "ug/m3""#,
    r#"path = "/o3_ppb", parameter = "o3", unit = "[ppb]", gas = { temperature_c = 25, pressure_hpa = 1013.25 }"#,
];

/// Limits of *awas*: rule, what it watches, direction, raise and clear value.
const RULES: [(&str, &str, &str, f64, f64); 5] = [
    ("surut", "datastream = \"uji-sungai/water_level\"", "below", 1.15, 1.2),
    ("kering", "datastream = \"uji-bendung/flow\"", "below", 0.1, 0.2),
    ("dangkal", "datastream = \"uji-bendung/water_level\"", "below", 0.5, 0.6),
    ("asap", "parameter = \"pm25\"", "above", 250.0, 240.0),
    ("debu", "parameter = \"pm10\"", "above", 420.0, 400.0),
];

/// A running Bakau with its own broker, and a device that may publish anything.
struct Line {
    bakau: Bakau,
}

impl Line {
    async fn open(folder: &Path, store: &str) -> Result<Self> {
        let mut text = catalogue::json_route("bendung", "bendung/{station}", "epoch_ms", &WEIR)
            + &catalogue::json_route("logger", "logger/{station}", "epoch_ms", &LOGGER);
        for (id, kind, parameters) in STATIONS {
            text += &catalogue::place(id, id, kind);
            for parameter in parameters {
                text += &catalogue::datastream(&format!("{id}/{parameter}"), 300);
                text += if *parameter == "water_level" { "vertical_datum = \"staff\"\n" } else { "" };
            }
        }
        for (id, watched, direction, raise, clear) in RULES {
            text += &format!(
                "[[rule]]\nid = \"{id}\"\nname = \"{id}\"\n{watched}\ndirection = \"{direction}\"\nsource = \"test\"\n\
                 awas = {{ raise = {raise:?}, clear = {clear:?} }}\n"
            );
        }
        Ok(Self { bakau: Bakau::open(folder, &text, store).await? })
    }

    async fn send(&self, station: &str, payload: &str) -> Result<()> {
        self.bakau.put(&format!("logger/{station}"), payload).await
    }

    /// The stored rows of a datastream, oldest first, once there are so many.
    async fn stored(&self, datastream: &str, count: usize) -> Result<Vec<Value>> {
        let query = observations(datastream);
        let rows = async || Ok(Some(self.bakau.observations(&query).await?).filter(|rows| rows.len() == count));
        wait::until("observations in the store", PATIENCE, rows).await.with_context(|| self.bakau.log_tail())
    }

    /// The alerts of a rule, once there are any.
    async fn alerts(&self, rule: &str) -> Result<Vec<Value>> {
        let raised = async || {
            let mine: Vec<_> = self.bakau.alerts().await?.into_iter().filter(|alert| alert["rule"] == rule).collect();
            Ok((!mine.is_empty()).then_some(mine))
        };
        wait::until("an alert", PATIENCE, raised).await.with_context(|| self.bakau.log_tail())
    }
}

fn values(rows: &[Value]) -> Vec<Option<f64>> {
    rows.iter().map(|row| row["value"].as_f64()).collect()
}

/// The query for what is stored of a datastream, from the future too.
fn observations(datastream: &str) -> String {
    let to = SystemClock.now().saturating_add(3_600_000);
    format!("datastream={datastream}&to={to}")
}

/// Minutes before now, in milliseconds, on a whole second.
fn minutes_ago(minutes: i64) -> i64 {
    (SystemClock.now().get() / 1_000 - 60 * minutes) * 1_000
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_in_another_unit_is_stored_as_people_would_write_it_and_reaches_a_limit_exactly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::open(folder.path(), "").await?;
    for (minutes, value) in [(20, r#""water_level_cm":130"#), (15, r#""water_level_cm":115"#)] {
        line.send("uji-sungai", &format!(r#"{{"time":{},{value}}}"#, minutes_ago(minutes))).await?;
    }
    let alerts = line.alerts("surut").await?;
    line.send("uji-sungai", &format!(r#"{{"time":{},"ec_ms_cm":2.01,"t_K":301.5}}"#, minutes_ago(10))).await?;
    line.send("uji-udara", &format!(r#"{{"time":{},"o3_ppb":50}}"#, minutes_ago(10))).await?;

    let levels = line.stored("uji-sungai/water_level", 2).await?;
    assert_eq!(values(&levels), [Some(1.3), Some(1.15)]);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["level"], "awas", "115 cm is not above 1.15 m");
    let bits = |value: &Value| value.as_f64().map(f64::to_bits);
    assert_eq!(bits(&alerts[0]["value"]), bits(&levels[1]["value"]), "the fact is the stored value");
    assert_eq!(values(&line.stored("uji-sungai/conductivity", 1).await?), [Some(2010.0)]);
    assert_eq!(values(&line.stored("uji-sungai/water_temperature", 1).await?), [Some(28.35)]);
    // 50e-9 * 47.997 g/mol * 101325 Pa / (8.31446261815324 J/(mol K) * 298.15 K), in ug.
    assert_eq!(values(&line.stored("uji-udara/o3", 1).await?), [Some(98.091_575_749_904_12)]);
    line.bakau.stop()
}

/// Flag and the result of one test, row by row.
fn judged(answer: &Value, test: &str) -> Vec<(u64, char)> {
    let names = answer["tests"].as_array().cloned().unwrap_or_default();
    let place = names.iter().position(|name| name == test).unwrap_or(usize::MAX);
    let digit = |row: &Value| row["tests"].as_str().and_then(|digits| digits.chars().nth(place)).unwrap_or('?');
    let rows = answer["observations"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| (row["flag"].as_u64().unwrap_or_default(), digit(row))).collect()
}

async fn codes_are_no_values(folder: &Path, store: &str) -> Result<()> {
    let mut line = Line::open(folder, store).await?;
    for (minutes, values) in [
        (40, r#""water_level":1.20,"flow":0.5,"ec":812"#),
        (35, r#""water_level":-9999,"flow":-9999,"ec":7999"#),
        (30, r#""water_level":-9999,"flow":-9999,"ec":7999"#),
        (25, r#""water_level":1.21,"flow":0.5,"ec":812"#),
    ] {
        line.bakau.put("bendung/uji-bendung", &format!(r#"{{"time":{},{values}}}"#, minutes_ago(minutes))).await?;
    }
    line.send("uji-sungai", &format!(r#"{{"time":{},"water_level_cm":-9999}}"#, minutes_ago(24))).await?;
    line.send("uji-udara", &format!(r#"{{"time":{},"pm25":1200,"pm10":3760}}"#, minutes_ago(20))).await?;

    // These came after the codes, so the engine has seen those.
    for rule in ["asap", "debu"] {
        assert_eq!(line.alerts(rule).await?[0]["level"], "awas", "{rule}");
    }
    let alerts = line.bakau.alerts().await?;
    let rules: Vec<_> = alerts.iter().map(|alert| &alert["rule"]).collect();
    assert_eq!(rules.len(), 2, "no code may alarm: {rules:?}");

    for (datastream, mean) in [("uji-bendung/water_level", 1.205), ("uji-bendung/flow", 0.5)] {
        line.stored(datastream, 4).await?;
        let answer = line.bakau.json(&format!("/api/v1/observations?datastream={datastream}")).await?;
        assert_eq!(judged(&answer, "missing_code"), [(1, '2'), (4, '4'), (4, '4'), (1, '2')], "{datastream}: {answer}");
        let from = UtcMillis::new(minutes_ago(60));
        let path = format!("/api/v1/aggregates?datastream={datastream}&step=1y&from={from}");
        let buckets = line.bakau.json(&path).await?;
        let means: Vec<f64> =
            buckets["buckets"].as_array().into_iter().flatten().filter_map(|b| b["mean"].as_f64()).collect();
        assert!(means.iter().all(|found| (found - mean).abs() < 1e-9) && !means.is_empty(), "{buckets}");
    }
    line.stored("uji-bendung/conductivity", 4).await?;
    let answer = line.bakau.json("/api/v1/observations?datastream=uji-bendung/conductivity").await?;
    assert_eq!(
        judged(&answer, "missing_code"),
        [(1, '2'), (1, '2'), (3, '3'), (1, '2')],
        "7999 may be a value: {answer}"
    );
    let rows = line.stored("uji-sungai/water_level", 1).await?;
    assert_eq!((values(&rows), &rows[0]["flag"]), (vec![Some(-99.99)], &4.into()), "-9999 cm");
    line.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_for_no_value_that_nobody_declared_is_no_value_and_an_extreme_that_may_be_real_alarms() -> Result<()> {
    let folder = tempfile::tempdir()?;
    codes_are_no_values(folder.path(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_hides_no_value_and_the_station_says_so_after_a_restart_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    clock_is_told(folder.path(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn influxdb_holds_the_same_verdicts_of_codes_and_clocks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(&folder.path().join("influx")).await?;
    codes_are_no_values(&folder.path().join("codes"), &influx.section("influx")).await?;
    drop(influx);
    let influx = Influx::start(&folder.path().join("influx-clock")).await?;
    clock_is_told(&folder.path().join("clock"), &influx.section("influx")).await
}

async fn clock_is_told(folder: &Path, store: &str) -> Result<()> {
    let mut line = Line::open(folder, store).await?;
    let ahead = SystemClock.now().get() + 240_000;
    line.bakau.put("bendung/uji-bendung", &format!(r#"{{"time":{ahead},"flow":6.0}}"#)).await?;
    line.bakau.put("bendung/uji-bendung", &format!(r#"{{"time":{},"flow":0.2}}"#, SystemClock.now().get())).await?;
    line.bakau.put("bendung/uji-bendung", &format!(r#"{{"time":{},"flow":6.1}}"#, ahead + 1_000)).await?;
    line.stored("uji-bendung/flow", 3).await?;
    line.check_clock(0.2, false).await?;
    let answer = line.bakau.json(&format!("/api/v1/observations?{}", observations("uji-bendung/flow"))).await?;
    assert_eq!(judged(&answer, "clock"), [(1, '2'), (3, '3'), (3, '3')], "{answer}");
    assert_eq!(answer["observations"][1]["reasons"], serde_json::json!(["clock"]));

    line.bakau.stop()?;
    line.bakau.start().await?;
    line.check_clock(0.2, false).await?;

    // Now it runs so far ahead that nothing is accepted any more.
    let hour = SystemClock.now().get() + 3_600_000;
    line.bakau.put("bendung/uji-bendung", &format!(r#"{{"time":{hour},"flow":0.3}}"#)).await?;
    line.check_clock(0.2, true).await?;
    line.bakau.stop()
}

impl Line {
    /// The present flow, and that API and pages tell of the clock.
    async fn check_clock(&self, flow: f64, refused: bool) -> Result<()> {
        let told = async || {
            let station = self.bakau.json("/api/v1/stations/uji-bendung").await?;
            Ok((station["clock"]["refused"] == refused).then_some(station))
        };
        let station =
            wait::until("the clock to be told", PATIENCE, told).await.with_context(|| self.bakau.log_tail())?;
        let clock = &station["clock"];
        let (low, high, words) = if refused { (3_500, 3_600, "1 jam") } else { (230, 242, "4 menit") };
        assert!(clock["ahead_s"].as_i64().is_some_and(|ahead| (low..=high).contains(&ahead)), "{clock}");
        let since = UtcMillis::parse(clock["since"].as_str().unwrap_or_default())?;
        assert!((0..120_000).contains(&SystemClock.now().since(since)), "{clock}");
        let present = async || {
            let latest = self.bakau.json("/api/v1/latest?station=uji-bendung").await?;
            let rows = latest["latest"].as_array().cloned().unwrap_or_default();
            let found = rows.iter().any(|row| row["parameter"] == "flow" && row["value"] == flow);
            Ok(found.then_some(latest))
        };
        let latest = wait::until("the present value", PATIENCE, present).await?;
        assert_eq!(latest["clocks_ahead"][0]["station"], "uji-bendung", "{latest}");
        for (path, says) in [
            ("/stations/uji-bendung", format!("Jam alat maju {words} sejak ")),
            ("/", format!("Jam alat maju {words}")),
        ] {
            let page = reqwest::get(self.bakau.url(path)?).await?.text().await?;
            assert!(page.contains(&says), "{path} does not say '{says}'");
        }
        Ok(())
    }
}
