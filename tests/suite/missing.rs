//! Devices that send the values of one instant in several messages, each with `null` for what it does not have: the numbers
//! stay, in whatever order they come, in both stores.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use bakau_tests::{bakau::Bakau, catalogue, checker, influx::Influx, wait};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

/// 2026-01-01T10:30:00Z.
const INSTANT_MS: i64 = 1_767_263_400_000;
/// The first of 46 rows of the buoy, five minutes apart.
const FIRST_S: i64 = 1_767_226_500;
const ROWS: usize = 46;
/// All of it, and of the file.
const RANGE: &str = "from=2026-01-01T00:00:00Z&to=2026-04-01T00:00:00Z";
/// Rows 6 to 35 are below every limit.
const LOW: std::ops::Range<usize> = 6..36;

/// Loggers whose messages and whose files are told apart by topic.
const ROUTES: &str = r#"
[[route]]
id = "zigbee"
topic = "zigbee/{station}"
format = "json"
[route.json]
time = "/last_seen"
time_format = "epoch_ms"
values = [
  { path = "/temperature", parameter = "air_temperature", unit = "Cel" },
  { path = "/humidity", parameter = "humidity", unit = "%" },
]

[[route]]
id = "buoy"
topic = "buoy/{station}"
format = "json"
[route.json]
time = "/time"
time_format = "epoch_s"
values = [
  { path = "/do", parameter = "do", unit = "mg/L" },
  { path = "/pm25", parameter = "pm25", unit = "ug/m3" },
]

[[route]]
id = "csv"
topic = "replay/{station}/csv"
format = "json"
[route.json]
time = "/time"
values = [{ path = "/do", parameter = "do", unit = "mg/L" }]
"#;

const MAP: &str = r#"
station = "berkas"
topic = "replay/{station}/csv"
time = "time"

[[column]]
name = "do"
key = "do"
unit = "mg/L"
"#;

const FILE: &str = "time,do\n2026-03-01T00:00:00Z,5.31\n2026-03-01T00:00:00Z,5.40\n2026-03-01T00:00:00Z,\n";

/// Stations with the same messages in other orders: as the logger sends them, the other way round, all numbers before all
/// `null`s.
const BUOYS: [&str; 3] = ["selang-seling", "terbalik", "terpisah"];

fn station(id: &str, kind: &str, parameters: &[&str]) -> String {
    let streams = parameters.iter().map(|parameter| catalogue::datastream(&format!("{id}/{parameter}"), 300));
    catalogue::place(id, id, kind) + &streams.collect::<String>()
}

fn oxygen(row: usize) -> f64 {
    if LOW.contains(&row) { 0.2 } else { 6.0 }
}

/// The messages of a buoy: a number and a `null` of each instant, in an order of its own.
fn messages(buoy: &str) -> Vec<String> {
    let time = |row: usize| FIRST_S + 300 * row as i64;
    let number = |row: usize| format!(r#"{{"time":{},"do":{:?}}}"#, time(row), oxygen(row));
    let none = |row: usize| format!(r#"{{"time":{},"do":null,"pm25":12.0}}"#, time(row));
    match buoy {
        "selang-seling" => (0..ROWS).flat_map(|row| [number(row), none(row)]).collect(),
        "terbalik" => (0..ROWS).flat_map(|row| [none(row), number(row)]).collect(),
        _ => (0..ROWS).map(number).chain((0..ROWS).map(none)).collect(),
    }
}

struct House {
    bakau: Bakau,
    readings: u64,
}

impl House {
    async fn open(folder: &Path, store: &str) -> Result<Self> {
        let mut text = ROUTES.to_owned();
        text += &station("zigbee-01", "air", &["air_temperature", "humidity"]);
        text += &station("berkas", "water", &["do"]);
        // Nobody listens there: decisions are looked at, not messages.
        text += &catalogue::webhook("http://127.0.0.1:9/");
        for buoy in BUOYS {
            text += &station(buoy, "water", &["do", "pm25"]);
            text += &catalogue::rule(&format!("do-{buoy}"), &format!("{buoy}/do"));
        }
        let broker = "accept_past_days = 20000\n".to_owned() + store;
        Ok(Self { bakau: Bakau::open(folder, &text, &broker).await?, readings: 0 })
    }

    async fn publish(&mut self, topic: &str, payload: &str, readings: u64) -> Result<()> {
        self.bakau.put(topic, payload).await?;
        self.readings += readings;
        Ok(())
    }

    /// Waits until every reading is where it belongs; every line of the ledger balances. Gives the sums.
    async fn settled(&self) -> Result<Value> {
        let settled = async || {
            let ledger = self.bakau.json("/api/v1/ledger").await?;
            let readings = &ledger["readings"];
            if readings["decoded"] != self.readings || readings["waiting"] != 0 {
                bail!("{readings} of {} readings", self.readings);
            }
            Ok(Some(ledger))
        };
        let ledger = wait::until("the store to hold every reading", PATIENCE, settled).await;
        let ledger = ledger.with_context(|| self.bakau.log_tail())?;
        checker::check_ledger(&ledger)?;
        Ok(ledger["readings"].clone())
    }

    async fn values(&self, datastream: &str) -> Result<Vec<Value>> {
        let rows = self.bakau.observations(&format!("datastream={datastream}&{RANGE}")).await?;
        assert!(rows.iter().all(|row| row["value"].is_null() == (row["flag"] == 9)), "{rows:?}");
        Ok(rows.iter().map(|row| row["value"].clone()).collect())
    }

    async fn latest(&self, datastream: &str) -> Result<Value> {
        let all = self.bakau.listed("/api/v1/latest", "latest").await?;
        let found = all.iter().find(|entry| entry["datastream"] == datastream);
        Ok(found.with_context(|| format!("no {datastream} in {all:?}"))?["value"].clone())
    }

    /// Two halves of one instant.
    async fn zigbee(&mut self) -> Result<()> {
        let first = format!(r#"{{"last_seen":{INSTANT_MS},"temperature":28.2,"humidity":null,"battery":null}}"#);
        let second = format!(r#"{{"last_seen":{INSTANT_MS},"temperature":null,"humidity":72.08,"battery":null}}"#);
        self.publish("zigbee/zigbee-01", &first, 2).await?;
        self.publish("zigbee/zigbee-01", &second, 2).await?;
        let readings = self.settled().await?;
        assert_eq!((&readings["ignored_missing"], &readings["corrected"]), (&json!(1), &json!(1)), "{readings}");
        for (datastream, value) in [("zigbee-01/air_temperature", 28.2), ("zigbee-01/humidity", 72.08)] {
            assert_eq!(self.values(datastream).await?, [json!(value)], "{datastream}");
            assert_eq!(self.latest(datastream).await?, value, "{datastream}");
        }
        Ok(())
    }

    /// Oxygen that falls for two and a half hours, with a `null` beside each number.
    async fn buoys(&mut self) -> Result<()> {
        for buoy in BUOYS {
            for (n, message) in messages(buoy).iter().enumerate() {
                if buoy == "terpisah" && n == ROWS {
                    self.settled().await?;
                }
                self.publish(&format!("buoy/{buoy}"), message, if message.contains("pm25") { 2 } else { 1 }).await?;
            }
        }
        self.settled().await?;
        let numbers: Vec<Value> = (0..ROWS).map(|row| json!(oxygen(row))).collect();
        for buoy in BUOYS {
            assert_eq!(self.values(&format!("{buoy}/do")).await?, numbers, "{buoy}");
            assert_eq!(self.latest(&format!("{buoy}/do")).await?, 6.0, "{buoy}");
            let settled = self.bakau.json(&format!("/api/v1/alerts/settled?rule=do-{buoy}&{RANGE}")).await?;
            let episodes = settled["episodes"].as_array().context("episodes")?;
            assert_eq!(episodes.len(), 1, "{buoy}: {settled}");
            let keys = ["peak", "peak_value", "observations"];
            assert_eq!(
                keys.map(|key| episodes[0][key].clone()),
                [json!("awas"), json!(0.2), json!(LOW.len())],
                "{buoy}"
            );
        }
        Ok(())
    }

    /// A file with a value, its correction and an empty cell.
    async fn file(&mut self, folder: &Path) -> Result<()> {
        let before = self.settled().await?;
        let (file, map) = (folder.join("ukur.csv"), folder.join("ukur.map.toml"));
        std::fs::write(&file, FILE)?;
        std::fs::write(&map, MAP)?;
        let (file, map, broker) =
            (file.display().to_string(), map.display().to_string(), self.bakau.mqtt()?.to_string());
        let arguments = ["replay", &file, "--map", &map, "--broker", &broker, "--username", catalogue::DEVICE];
        let arguments = arguments.iter().chain(&["--password-env", "BAKAU_REPLAY_PASSWORD"]);
        let arguments: Vec<String> = arguments.map(|text| (*text).to_owned()).collect();
        let output = self.bakau.command(&arguments)?.env("BAKAU_REPLAY_PASSWORD", catalogue::TOKEN).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.readings += 3;
        let after = self.settled().await?;
        let more = |count: &str| Some(after[count].as_u64()? - before[count].as_u64()?);
        let counts = ["stored", "corrected", "ignored_missing", "duplicate"].map(more);
        assert_eq!(counts, [Some(1), Some(1), Some(1), Some(0)]);
        assert_eq!(self.values("berkas/do").await?, [json!(5.4)]);
        Ok(())
    }
}

async fn numbers_stay(store: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = House::open(&folder.path().join("bakau"), store).await?;
    house.zigbee().await?;
    house.buoys().await?;
    house.file(folder.path()).await?;
    house.bakau.stop()?;
    let verified = house.bakau.command(&["verify".to_owned()])?.output()?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_beside_a_number_erases_it_in_no_order() -> Result<()> {
    numbers_stay("").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_beside_a_number_erases_it_in_no_order_in_influxdb() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(folder.path()).await?;
    numbers_stay(&influx.section("influx")).await
}
