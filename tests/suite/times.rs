//! Devices whose clock stands at 1970 or runs in 2099, behind both kinds of broker.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue, checker,
    kill::wait_settled,
    mosquitto::{self, Mosquitto},
    publish::Publisher,
    sink::Sink,
    wait,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
/// A logger that sends several rows in one message, each with its time.
const ROUTE: &str = r#"
[[route]]
id = "logger"
topic = "bakau/{station}/logger"
format = "json"
[route.json]
readings = "/rows"
time = "/t"
time_format = "rfc3339"
values = [{ path = "/do", parameter = "do", unit = "mg/L" }]
"#;
const PAST: &str = "1970-01-01T00:00:00Z";
const FUTURE: &str = "2099-12-31T00:00:00Z";

/// Where one of the two stations publishes.
struct Device {
    source: &'static str,
    station: String,
    publisher: Publisher,
}

impl Device {
    async fn publish(&self, topic: &str, payload: &str) -> Result<()> {
        let topic = topic.replace("{station}", &self.station);
        self.publisher.put(&topic, payload).await
    }

    /// Low oxygen in other centuries, a good value among it, and one without a time.
    async fn confuse(&self, now: UtcMillis) -> Result<()> {
        for time in [PAST, FUTURE] {
            self.publish("bakau/{station}/data", &format!(r#"{{"time":"{time}","do":0.1}}"#)).await?;
        }
        let row = |time: &str, oxygen: f64| format!(r#"{{"t":"{time}","do":{oxygen}}}"#);
        let good = now.saturating_add(-60_000).to_string();
        let rows = [row(PAST, 0.1), row(&good, 5.3), row(FUTURE, 0.2)].join(",");
        self.publish("bakau/{station}/logger", &format!(r#"{{"rows":[{rows}]}}"#)).await?;
        self.publish("bakau/{station}/data", r#"{"do":5.4}"#).await
    }

    /// Each of the four is listed with what is wrong in words; the two good ones are there.
    async fn check(&self, bakau: &Bakau) -> Result<()> {
        let rows = bakau.listed("/api/v1/quarantine?limit=100", "quarantine").await?;
        let mine: Vec<_> = rows.iter().filter(|row| row["source"] == self.source).collect();
        assert_eq!(mine.len(), 4, "{rows:?}");
        for row in mine {
            let detail = row["detail"].as_str().unwrap_or_default();
            let fits = match row["reason"].as_str() {
                Some("too_old") => {
                    detail.starts_with(PAST) && detail.ends_with("days before arrival; this source accepts 7 days")
                }
                Some("in_future") => {
                    detail.starts_with(FUTURE)
                        && detail.ends_with("after the message arrived: check the device's clock")
                }
                _ => false,
            };
            assert!(fits && row["reading"] == format!("{}/do", self.station), "{row}");
        }
        let held = bakau.observations(&format!("datastream={}/do", self.station)).await?;
        let field = |name: &str| held.iter().map(|row| row[name].clone()).collect::<Vec<Value>>();
        assert_eq!(field("value"), [5.3, 5.4]);
        assert_eq!(field("time_source"), ["device", "server"]);
        Ok(())
    }
}

async fn open(folder: &Path, sink: &Sink) -> Result<(Mosquitto, Bakau, [Device; 2])> {
    let broker = Mosquitto::start(&folder.join("mosquitto")).await?;
    let configuration = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"mosquitto\"\n\
         host = \"127.0.0.1\"\nport = {}\nusername = \"{}\"\npassword_env = \"{}\"\ntopics = [\"bakau/#\"]\n",
        broker.port(),
        mosquitto::USERNAME,
        mosquitto::PASSWORD_ENV
    );
    let [first, second] = [0, 1].map(catalogue::station);
    let mut text = catalogue::load(2) + ROUTE;
    text += &catalogue::webhook(&sink.url());
    text +=
        &(catalogue::rule("rendah-0", &format!("{first}/do")) + &catalogue::rule("rendah-1", &format!("{second}/do")));
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &[("uji.toml", text)])?;
    bakau.start().await?;
    let external = Publisher::at(&broker);
    let embedded = bakau.device()?;
    let devices = [
        Device { source: "mosquitto", station: first, publisher: external },
        Device { source: "broker", station: second, publisher: embedded },
    ];
    let connected = async || {
        let answer = bakau.json("/api/v1/sources").await?;
        let all = answer["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok((all.len() == 2 && all.iter().all(|source| source["state"] == "connected")).then_some(()))
    };
    wait::until("both sources", PATIENCE, connected).await?;
    Ok((broker, bakau, devices))
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_1970_and_2099_are_listed_in_words_and_neither_alarm_nor_stop_anything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sink = Sink::start(0).await?;
    let (_broker, mut bakau, devices) = open(folder.path(), &sink).await?;
    let now = SystemClock.now();
    for device in &devices {
        device.confuse(now).await?;
    }
    wait_settled(&bakau, 4).await?;
    for device in &devices {
        device.check(&bakau).await?;
    }
    assert_eq!(bakau.json("/api/v1/alerts").await?["alerts"], Value::Array(Vec::new()), "a wrong clock alarmed");
    // A limit that is crossed now is told, although the device claimed to have been in 2099 already.
    for device in &devices {
        device.publish("bakau/{station}/data", r#"{"do":0.42}"#).await?;
    }
    let told = async || Ok((2 <= sink.deliveries().len()).then_some(()));
    wait::until("both alerts", PATIENCE, told).await.with_context(|| bakau.log_tail())?;
    wait_settled(&bakau, 6).await?;
    checker::check_ledger(&bakau.json("/api/v1/ledger").await?)?;
    bakau.stop()
}
