//! What is stored and decided about values is true: units, codes for "no value", extremes, clocks that are ahead.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    influx::Influx,
    publish::{Answer, Publisher},
    wait,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A river and an air station whose loggers send other units than are stored.
const CATALOGUE: &str = r#"
[[station]]
id = "uji-sungai"
name = "Uji Sungai"
agency = "dlh-uji"
kind = "water"
latitude = -7.9
longitude = 112.6

[[datastream]]
id = "uji-sungai/water_level"
interval_s = 300
vertical_datum = "staff"

[[datastream]]
id = "uji-sungai/conductivity"
interval_s = 300

[[datastream]]
id = "uji-sungai/water_temperature"
interval_s = 300

[[station]]
id = "uji-udara"
name = "Uji Udara"
agency = "dlh-uji"
kind = "air"
latitude = -7.91
longitude = 112.61

[[datastream]]
id = "uji-udara/o3"
interval_s = 300

[[datastream]]
id = "uji-udara/pm25"
interval_s = 300

[[datastream]]
id = "uji-udara/pm10"
interval_s = 300

[[station]]
id = "uji-bendung"
name = "Uji Bendung"
agency = "dlh-uji"
kind = "water"
latitude = -7.92
longitude = 112.62

[[datastream]]
id = "uji-bendung/water_level"
interval_s = 300
vertical_datum = "staff"

[[datastream]]
id = "uji-bendung/flow"
interval_s = 300

[[datastream]]
id = "uji-bendung/conductivity"
interval_s = 300

[[route]]
id = "bendung"
topic = "bendung/{station}"
format = "json"
[route.json]
time = "/time"
time_format = "epoch_ms"
values = [
    { path = "/water_level", parameter = "water_level", unit = "m" },
    { path = "/flow", parameter = "flow", unit = "m3/s" },
    { path = "/ec", parameter = "conductivity", unit = "uS/cm" },
]

[[route]]
id = "logger"
topic = "logger/{station}"
format = "json"
[route.json]
time = "/time"
time_format = "epoch_ms"
values = [
    { path = "/water_level_cm", parameter = "water_level", unit = "cm" },
    { path = "/ec_ms_cm", parameter = "conductivity", unit = "mS/cm" },
    { path = "/t_K", parameter = "water_temperature", unit = "K" },
    { path = "/pm25", parameter = "pm25", unit = "ug/m3" },
    { path = "/pm10", parameter = "pm10", unit = "ug/m3" },
    { path = "/o3_ppb", parameter = "o3", unit = "[ppb]", gas = { temperature_c = 25, pressure_hpa = 1013.25 } },
]

[[rule]]
id = "surut"
name = { id = "Air surut", en = "Low water" }
datastream = "uji-sungai/water_level"
direction = "below"
source = "test"
awas = { raise = 1.15, clear = 1.2 }

[[rule]]
id = "kering"
name = { id = "Debit kecil", en = "Low flow" }
datastream = "uji-bendung/flow"
direction = "below"
source = "test"
awas = { raise = 0.1, clear = 0.2 }

[[rule]]
id = "dangkal"
name = { id = "Muka air rendah", en = "Low level" }
datastream = "uji-bendung/water_level"
direction = "below"
source = "test"
awas = { raise = 0.5, clear = 0.6 }

[[rule]]
id = "asap"
name = { id = "Asap", en = "Smoke" }
parameter = "pm25"
direction = "above"
source = "test"
awas = { raise = 250, clear = 240 }

[[rule]]
id = "debu"
name = { id = "Debu", en = "Dust" }
parameter = "pm10"
direction = "above"
source = "test"
awas = { raise = 420, clear = 400 }
"#;

/// A running Bakau with its own broker, and a device that may publish anything.
struct Line {
    bakau: Bakau,
}

impl Line {
    async fn open(folder: &Path, store: &str) -> Result<Self> {
        let text =
            catalogue::AGENCY.to_owned() + CATALOGUE + &catalogue::device(catalogue::DEVICE, catalogue::TOKEN, "#");
        let configuration = "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\n";
        let mut bakau = Bakau::prepare(folder, &(configuration.to_owned() + store), &[("uji.toml", text)])?;
        bakau.start().await?;
        Ok(Self { bakau })
    }

    async fn send(&self, station: &str, payload: &str) -> Result<()> {
        self.publish(&format!("logger/{station}"), payload).await
    }

    async fn publish(&self, topic: &str, payload: &str) -> Result<()> {
        let publisher = Publisher {
            broker: self.bakau.mqtt()?,
            username: catalogue::DEVICE.to_owned(),
            password: catalogue::TOKEN.to_owned(),
        };
        let answer = publisher.publish(topic, payload.as_bytes()).await?;
        assert_eq!(answer, Answer::Acknowledged, "{payload}");
        Ok(())
    }

    /// The stored rows of a datastream, oldest first, once there are so many.
    async fn stored(&self, datastream: &str, count: usize) -> Result<Vec<Value>> {
        let path = observations(datastream);
        let rows = async || {
            let answer = self.bakau.json(&path).await?;
            Ok(answer["observations"].as_array().filter(|rows| rows.len() == count).cloned())
        };
        wait::until("observations in the store", PATIENCE, rows).await.with_context(|| self.bakau.log_tail())
    }

    /// The alerts of a rule, once there are any.
    async fn alerts(&self, rule: &str) -> Result<Vec<Value>> {
        let raised = async || {
            let answer = self.bakau.json("/api/v1/alerts").await?;
            let all = answer["alerts"].as_array().cloned().unwrap_or_default();
            let mine: Vec<_> = all.into_iter().filter(|alert| alert["rule"] == rule).collect();
            Ok((!mine.is_empty()).then_some(mine))
        };
        wait::until("an alert", PATIENCE, raised).await.with_context(|| self.bakau.log_tail())
    }
}

fn values(rows: &[Value]) -> Vec<Option<f64>> {
    rows.iter().map(|row| row["value"].as_f64()).collect()
}

/// The address of what is stored of a datastream, from the future too.
fn observations(datastream: &str) -> String {
    let to = SystemClock.now().saturating_add(3_600_000);
    format!("/api/v1/observations?datastream={datastream}&to={to}")
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
        line.publish("bendung/uji-bendung", &format!(r#"{{"time":{},{values}}}"#, minutes_ago(minutes))).await?;
    }
    line.send("uji-sungai", &format!(r#"{{"time":{},"water_level_cm":-9999}}"#, minutes_ago(24))).await?;
    line.send("uji-udara", &format!(r#"{{"time":{},"pm25":1200,"pm10":3760}}"#, minutes_ago(20))).await?;

    // These came after the codes, so the engine has seen those.
    for rule in ["asap", "debu"] {
        assert_eq!(line.alerts(rule).await?[0]["level"], "awas", "{rule}");
    }
    let alerts = line.bakau.json("/api/v1/alerts").await?;
    let rules: Vec<_> = alerts["alerts"].as_array().into_iter().flatten().map(|alert| &alert["rule"]).collect();
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
    line.publish("bendung/uji-bendung", &format!(r#"{{"time":{ahead},"flow":6.0}}"#)).await?;
    line.publish("bendung/uji-bendung", &format!(r#"{{"time":{},"flow":0.2}}"#, SystemClock.now().get())).await?;
    line.publish("bendung/uji-bendung", &format!(r#"{{"time":{},"flow":6.1}}"#, ahead + 1_000)).await?;
    line.stored("uji-bendung/flow", 3).await?;
    line.check_clock(0.2, false).await?;
    let answer = line.bakau.json(&observations("uji-bendung/flow")).await?;
    assert_eq!(judged(&answer, "clock"), [(1, '2'), (3, '3'), (3, '3')], "{answer}");
    assert_eq!(answer["observations"][1]["reasons"], serde_json::json!(["clock"]));

    line.bakau.stop()?;
    line.bakau.start().await?;
    line.check_clock(0.2, false).await?;

    // Now it runs so far ahead that nothing is accepted any more.
    let hour = SystemClock.now().get() + 3_600_000;
    line.publish("bendung/uji-bendung", &format!(r#"{{"time":{hour},"flow":0.3}}"#)).await?;
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
            ("/stations/uji-bendung", format!("Jam perangkat maju {words} sejak ")),
            ("/", format!("Jam maju {words}")),
        ] {
            let page = reqwest::get(self.bakau.url(path)?).await?.text().await?;
            assert!(page.contains(&says), "{path} does not say '{says}'");
        }
        Ok(())
    }
}
