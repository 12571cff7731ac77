//! Devices of every kind that agencies buy, through a real broker: what they send becomes values with the right time.

use std::time::Duration;

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::wait_connected,
    mosquitto::{self, Mosquitto},
    publish::Publisher,
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// One station per format, a rule about no data, and a route for availability.
const CATALOGUE: &str = r#"
[[route]]
id = "json"
topic = "lain/+"
format = "json"
devices = { "Logger 7" = "uji-json" }
[route.json]
station = "/who"
readings = "/rows"
time = "/t"
time_format = "epoch_ms"
values = [{ path = "/temp", parameter = "air_temperature", unit = "[degF]" }]

[[route]]
id = "chirpstack"
topic = "application/+/device/{device}/event/up"
format = "chirpstack"
devices = { "70B3D57ED0000001" = "uji-chirpstack" }
chirpstack = { values = [{ path = "/temp", parameter = "air_temperature", unit = "Cel" }] }

[[route]]
id = "tts"
topic = "v3/+/devices/+/up"
format = "tts"
devices = { mgv-01 = "uji-tts" }
tts = { values = [{ path = "/temp", parameter = "air_temperature", unit = "Cel" }] }

[[route]]
id = "senml"
topic = "senml"
format = "senml"
devices = { "urn:dev:mac:01" = "uji-senml" }
senml = { values = [{ path = "temp", parameter = "air_temperature", unit = "Cel" }] }

[[route]]
id = "tasmota"
topic = "tele/{device}/SENSOR"
format = "tasmota"
time_zone = "Asia/Jayapura"
devices = { tasmota_1 = "uji-tasmota" }
tasmota = { values = [{ path = "/BME280/Temperature", parameter = "air_temperature", unit = "Cel" }] }

[[route]]
id = "tasmota-lwt"
topic = "tele/{device}/LWT"
format = "status"
devices = { tasmota_1 = "uji-tasmota" }
status = { online = ["Online"], offline = ["Offline"] }

[[route]]
id = "airgradient"
topic = "airgradient/readings/{device}"
format = "airgradient"
devices = { ecda3b1eaaaf = "uji-airgradient" }
airgradient = { values = [{ path = "/atmpCompensated", parameter = "air_temperature", unit = "Cel" }] }

[[rule]]
id = "diam"
name = { id = "Stasiun tanpa data", en = "Station without data" }
condition = "no_data"
station = "uji-tasmota"
waspada = { after_s = 86400 }
source = "test"
"#;

const STATIONS: [&str; 6] = ["json", "chirpstack", "tts", "senml", "tasmota", "airgradient"];

fn files() -> [(&'static str, String); 1] {
    let station = |format: &str| {
        let id = format!("uji-{format}");
        catalogue::place(&id, &format!("Uji {format}"), "air")
            + &catalogue::datastream(&format!("{id}/air_temperature"), 60)
    };
    [("uji.toml", catalogue::AGENCY.to_owned() + CATALOGUE + &STATIONS.map(station).concat())]
}

fn configuration(port: u16) -> String {
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\n\
         host = \"127.0.0.1\"\nport = {port}\nusername = \"{}\"\npassword_env = \"{}\"\ntopics = [\"#\"]\n",
        mosquitto::USERNAME,
        mosquitto::PASSWORD_ENV,
    )
}

/// Topic and payload of each format for a measurement at `at`, in the order of [`STATIONS`].
fn messages(at: UtcMillis) -> [(&'static str, String); 6] {
    // Jayapura is nine hours ahead all year.
    let local = at.saturating_add(9 * 3_600_000).to_string();
    let local = local.trim_end_matches('Z');
    let (millis, seconds) = (at.get(), at.get() / 1000);
    [
        ("lain/x", format!(r#"{{"who":"logger 7","rows":[{{"t":{millis},"temp":"84.2"}}]}}"#)),
        (
            "application/a/device/70b3d57ed0000001/event/up",
            format!(r#"{{"time":"{at}","deviceInfo":{{"devEui":"70b3d57ed0000001"}},"object":{{"temp":29}}}}"#),
        ),
        (
            "v3/env@ttn/devices/mgv-01/up",
            format!(
                r#"{{"end_device_ids":{{"device_id":"mgv-01"}},"uplink_message":{{"decoded_payload":{{"temp":29}},"received_at":"{at}"}}}}"#
            ),
        ),
        ("senml", format!(r#"[{{"bn":"urn:dev:mac:01:","bt":{seconds},"n":"temp","u":"K","v":302.15}}]"#)),
        ("tele/tasmota_1/SENSOR", format!(r#"{{"Time":"{local}","BME280":{{"Temperature":29.0}}}}"#)),
        (
            "airgradient/readings/ecda3b1eaaaf",
            r#"{"serialno":"ecda3b1eaaaf","atmp":29.9,"atmpCompensated":29.0}"#.to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_every_format_become_values_with_their_own_time_and_a_last_will_an_alert() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(&folder.path().join("mosquitto")).await?;
    let mut bakau = Bakau::prepare(&folder.path().join("bakau"), &configuration(broker.port()), &files())?;
    bakau.start().await?;
    wait_connected(&bakau).await?;
    let publisher = Publisher::at(&broker);
    // Two minutes ago, in whole seconds, so that an arrival cannot be taken for it.
    let at = UtcMillis::new((SystemClock.now().get() / 1000 - 120) * 1000);
    for (topic, payload) in messages(at) {
        publisher.put(topic, payload.as_bytes()).await?;
    }
    let time_sources = ["device", "network", "network", "device", "device", "server"];
    for (format, time_source) in STATIONS.into_iter().zip(time_sources) {
        let query = format!("datastream=uji-{format}/air_temperature");
        let one = async || Ok(bakau.observations(&query).await?.first().cloned());
        let row =
            wait::until("an observation", PATIENCE, one).await.with_context(|| format!("no value by {format}"))?;
        let value = row["value"].as_f64().context("a value")?;
        assert!((value - 29.0).abs() < 1e-9, "{format} gave {row}");
        assert_eq!(row["time_source"], time_source, "{format}");
        if time_source != "server" {
            assert_eq!(row["observed_at"], at.to_string(), "{format}");
        }
    }
    // The rule would wait for a day; the last will says it at once.
    publisher.put("tele/tasmota_1/LWT", b"Offline").await?;
    let alert = async || Ok(Some(bakau.alerts().await?).filter(|alerts| !alerts.is_empty()));
    let alerts = wait::until("an alert about no data", PATIENCE, alert).await.with_context(|| bakau.log_tail())?;
    assert_eq!((&alerts[0]["rule"], &alerts[0]["level"]), (&"diam".into(), &"waspada".into()), "{}", alerts[0]);
    bakau.stop()
}
