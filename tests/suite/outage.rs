//! A broker with stations behind it goes away: whom that wakes, and for what.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    device::Device,
    kill::wait_connected,
    mosquitto::{Mosquitto, PASSWORD, PASSWORD_ENV},
    publish::Publisher,
    sink::Sink,
    smtp::{Security, Smtp},
    wait,
};
use serde_json::Value;

/// Behind a source that was down a deadline is looked at once a minute.
const PATIENCE: Duration = Duration::from_secs(120);
const STATIONS: usize = 4;

/// The second level of the source comes after the deadline of every station behind it.
const RULES: &str = r#"
[[rule]]
id = "diam"
name = { id = "Stasiun tanpa data", en = "Station without data" }
condition = "no_data"
waspada = { after_s = 10 }
source = "test"
channels = ["sink"]

[[rule]]
id = "putus"
name = { id = "Sumber terputus", en = "Source down" }
condition = "source_down"
waspada = { after_s = 2 }
siaga = { after_s = 14 }
source = "test"
channels = ["sink"]
"#;

struct Rig {
    sink: Sink,
    broker: Mosquitto,
    bakau: Bakau,
    devices: Vec<Device>,
}

/// The same rules without programs: Sari is told by mail, chosen by agency and kind of station.
fn by_agency(rules: &str, smtp: &Smtp, agency: &str, min_level: &str) -> String {
    let sari = format!(
        r#"
[[agency]]
id = "lain"
name = "Lain"
city = "uji"

[[person]]
id = "sari"
name = "Sari"
email = "sari@dlh.example"

[[notification]]
id = "piket"
agencies = ["{agency}"]
kinds = ["water"]
min_level = "{min_level}"
people = ["sari"]
channels = ["surel"]
"#
    );
    rules.replace("channels = [\"sink\"]\n", "") + &smtp.channel("surel") + &sari
}

/// What Sari was told, in the order of its arrival.
fn subjects(smtp: &Smtp) -> Vec<String> {
    smtp.mails().iter().map(|mail| mail.header("subject").to_owned()).collect()
}

impl Rig {
    async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, RULES).await
    }

    async fn start_with(folder: &Path, rules: &str) -> Result<Self> {
        let sink = Sink::start(0).await?;
        let stations: Vec<_> = (0..STATIONS).map(catalogue::station).collect();
        let mut users: Vec<&str> = stations.iter().map(String::as_str).collect();
        users.push("bakau");
        let broker = Mosquitto::shipped(&folder.join("mosquitto"), &users, None).await?;
        let configuration = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\n\
             host = \"127.0.0.1\"\nport = {}\nusername = \"bakau\"\npassword_env = \"{PASSWORD_ENV}\"\n\
             topics = [\"bakau/#\"]\n",
            broker.port()
        );
        let files = [(
            "uji.toml",
            catalogue::load(STATIONS) + catalogue::STATUS_ROUTE + &catalogue::webhook(&sink.url()) + rules,
        )];
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &files)?;
        bakau.start().await?;
        wait_connected(&bakau).await?;
        let connect = |station: &String| {
            let broker = ([127, 0, 0, 1], broker.port()).into();
            let who = Publisher { broker, username: station.clone(), password: PASSWORD.to_owned() };
            Device::start(&who, &format!("bakau/{station}/status"))
        };
        let devices = stations.iter().map(connect).collect();
        Ok(Self { sink, broker, bakau, devices })
    }

    /// Every device that is left says that it is there, and a value.
    fn report(&self) -> Result<()> {
        for (number, device) in self.devices.iter().enumerate() {
            let station = catalogue::station(number);
            device.publish(&format!("bakau/{station}/status"), "online")?;
            device.publish(&format!("bakau/{station}/data"), r#"{"do":5.5}"#)?;
        }
        Ok(())
    }

    /// What people were told, in a word or two each.
    fn told(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let deliveries = self.sink.deliveries();
        let words = deliveries.iter().map(|delivery| {
            let body = &delivery.body;
            let about = [&body["source"], &body["station"]["id"]].map(text).concat();
            format!("{about} {}", text(&body["level"]))
        });
        words.collect()
    }

    /// Waits until the last thing told is `last`, while the devices go on reporting as long as they are connected.
    async fn wait_told(&self, last: &str, reporting: bool) -> Result<()> {
        let mut reported = std::time::Instant::now();
        let told = async || {
            if reporting && Duration::from_secs(1) < reported.elapsed() {
                reported = std::time::Instant::now();
                self.report()?;
            }
            Ok(self.told().last().is_some_and(|told| told == last).then_some(()))
        };
        let waited = wait::until(&format!("'{last}'"), PATIENCE, told).await;
        waited.with_context(|| format!("told so far: {:?}\n{}", self.told(), self.bakau.log_tail()))
    }

    /// Lets every device report until all of their values are there.
    async fn hear_everybody(&self) -> Result<()> {
        let heard = async || {
            self.report()?;
            let latest = self.bakau.json("/api/v1/latest").await?.to_string();
            let is_there = |number| latest.contains(&format!("{}/do", catalogue::station(number)));
            Ok((0..STATIONS).all(is_there).then_some(()))
        };
        wait::until("a value of every station", PATIENCE, heard).await.with_context(|| self.bakau.log_tail())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_woken_for_a_broker_that_is_stopped_is_not_woken_for_each_station_behind_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut rig = Rig::start(folder.path()).await?;
    rig.hear_everybody().await?;

    rig.broker.stop()?;
    rig.wait_told("mosquitto siaga", false).await?;
    assert_eq!(rig.told(), ["mosquitto waspada", "mosquitto siaga"], "{}", rig.bakau.log_tail());

    rig.devices.pop();
    rig.broker.resume().await?;
    rig.wait_told("mosquitto normal", false).await?;
    let back = async || {
        let connected = rig.devices.iter().all(|device| device.connections() == 2);
        ensure!(connected, "devices are not connected again");
        Ok(Some(()))
    };
    wait::until("the devices to come back", PATIENCE, back).await?;
    // One of them never does: of it alone people are told, and of none before its time.
    let gone = format!("{} waspada", catalogue::station(STATIONS - 1));
    rig.wait_told(&gone, true).await?;
    assert_eq!(rig.told(), ["mosquitto waspada", "mosquitto siaga", "mosquitto normal", &gone]);
    rig.bakau.stop()
}

/// Waits until the source's alert is over.
async fn is_over(rig: &Rig) -> Result<()> {
    let over = async || {
        let alerts = rig.bakau.json("/api/v1/alerts?kind=source_down").await?;
        let alerts = alerts["alerts"].as_array().cloned().unwrap_or_default();
        let closed = |alert: &Value| alert["closed_at"].is_string() && alert["peak"] == "siaga";
        Ok((!alerts.is_empty() && alerts.iter().all(closed)).then_some(()))
    };
    wait::until("the end of the source's alert", PATIENCE, over).await.with_context(|| rig.bakau.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_agency_are_told_of_the_broker_in_front_of_their_stations_and_of_no_other_agency() -> Result<()> {
    let told = [
        "[Sumber terputus, WASPADA] sumber mosquitto",
        "[Sumber terputus, SIAGA] sumber mosquitto",
        "[Sumber tersambung lagi] sumber mosquitto",
    ];
    for (agency, expected) in [("dlh-uji", &told[..]), ("lain", &[])] {
        let folder = tempfile::tempdir()?;
        let smtp = Smtp::start(&folder.path().join("smtp"), Security::Starttls).await?;
        let rules = by_agency(RULES, &smtp, agency, "waspada");
        let mut rig = Rig::start_with(folder.path(), &rules).await?;
        rig.hear_everybody().await?;
        rig.broker.stop()?;
        let raised = async || {
            let alerts = rig.bakau.json("/api/v1/alerts?kind=source_down&level=siaga").await?;
            Ok(alerts["alerts"].as_array().filter(|alerts| !alerts.is_empty()).map(drop))
        };
        wait::until("siaga of the source", PATIENCE, raised).await.with_context(|| rig.bakau.log_tail())?;
        rig.broker.resume().await?;
        is_over(&rig).await?;
        let all = async || Ok((expected.len() <= subjects(&smtp).len()).then_some(()));
        wait::until("the mails", PATIENCE, all).await.with_context(|| format!("{:?}", subjects(&smtp)))?;
        assert_eq!(subjects(&smtp), expected, "{agency}: {}", rig.bakau.log_tail());
        rig.bakau.stop()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn stations_are_told_of_while_their_broker_is_away_where_the_rule_about_it_reaches_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let smtp = Smtp::start(&folder.path().join("smtp"), Security::Starttls).await?;
    // Whoever waits for siaga hears of the stations after 10 s; the rule about the source never gets there.
    let rules = RULES.replace("waspada = { after_s = 10 }", "siaga = { after_s = 10 }");
    let rules = rules.replace("siaga = { after_s = 14 }\n", "");
    let mut rig = Rig::start_with(folder.path(), &by_agency(&rules, &smtp, "dlh-uji", "siaga")).await?;
    rig.hear_everybody().await?;
    rig.broker.stop()?;
    let all = async || Ok((STATIONS <= subjects(&smtp).len()).then_some(()));
    let waited = wait::until("a mail about every station", PATIENCE, all).await;
    waited.with_context(|| format!("told so far: {:?}\n{}", subjects(&smtp), rig.bakau.log_tail()))?;
    let mut told = subjects(&smtp);
    told.sort();
    let expected: Vec<_> = (0..STATIONS).map(|number| format!("[Data terputus, SIAGA] Beban {number}")).collect();
    assert_eq!(told, expected);
    rig.bakau.stop()
}
