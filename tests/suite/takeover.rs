//! Somebody with an account of his own at mosquitto connects with Bakau's client id: what that costs and who is told, with
//! the shipped configuration and with mosquitto's default.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    kill::{wait_connected, wait_settled},
    listen::Listener,
    mosquitto::{Mosquitto, PASSWORD, PASSWORD_ENV},
    publish::{Answer, Publisher},
    wait,
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet};
use serde_json::Value;

const STATION: &str = "beban-000000";
/// The id Bakau says, and its user name, which is its id where that setting is on.
const IDS: [&str; 2] = ["bakau-mosquitto", "bakau"];
const PATIENCE: Duration = Duration::from_secs(60);
/// Enough to see whether the broker's counters are about Bakau alone.
const BEFORE: u64 = 120;
const QUEUED: u64 = 30;
const AFTER: u64 = 3;

struct Rig {
    broker: Mosquitto,
    bakau: Bakau,
    sent: u64,
}

impl Rig {
    async fn start(folder: &Path, broker: Mosquitto) -> Result<Self> {
        let configuration = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\n\
             host = \"127.0.0.1\"\nport = {}\nusername = \"bakau\"\npassword_env = \"{PASSWORD_ENV}\"\n\
             topics = [\"bakau/#\"]\naccept_past_days = 20000\n",
            broker.port()
        );
        let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &[("uji.toml", catalogue::load(1))])?;
        bakau.start().await?;
        wait_connected(&bakau).await.with_context(|| bakau.log_tail())?;
        Ok(Self { broker, bakau, sent: 0 })
    }

    fn user(&self, username: &str) -> Publisher {
        let broker = ([127, 0, 0, 1], self.broker.port()).into();
        Publisher { broker, username: username.to_owned(), password: PASSWORD.to_owned() }
    }

    /// Messages of two values each that the device sees acknowledged.
    async fn publish(&mut self, messages: u64) -> Result<()> {
        let device = self.user(STATION);
        for _ in 0..messages {
            let time = UtcMillis::new(1_767_225_600_000 + self.sent.cast_signed() * 1_000);
            let payload = format!("{{\"time\":\"{time}\",\"do\":5.5,\"ph\":7.1}}");
            let answer = device.publish(&format!("bakau/{STATION}/data"), payload.as_bytes()).await?;
            ensure!(answer == Answer::Acknowledged, "{answer:?}");
            self.sent += 1;
        }
        Ok(())
    }

    /// The device's account connects as a client of this id, and with a clean session where it is to delete one.
    async fn intrude(&self, id: &str, clean: bool) -> Result<(AsyncClient, EventLoop)> {
        let mut options = MqttOptions::new(id, "127.0.0.1", self.broker.port());
        options.set_credentials(STATION, PASSWORD).set_clean_session(clean);
        let (client, mut events) = AsyncClient::new(options, 10);
        while !matches!(events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
        Ok((client, events))
    }

    /// The attack: what is queued for a Bakau that is away is deleted, if that is possible.
    async fn clean_while_away(&mut self) -> Result<()> {
        self.bakau.stop()?;
        self.publish(QUEUED).await?;
        for id in IDS {
            let (client, mut events) = self.intrude(id, true).await?;
            client.disconnect().await?;
            while events.poll().await.is_ok() {}
        }
        self.publish(AFTER).await?;
        self.bakau.start().await?;
        wait_connected(&self.bakau).await.with_context(|| self.bakau.log_tail())
    }

    async fn external(&self) -> Result<Value> {
        let answer = self.bakau.json("/api/v1/sources").await?;
        let found =
            answer["sources"].as_array().and_then(|all| all.iter().find(|source| source["name"] == "mosquitto"));
        Ok(found.with_context(|| format!("no source in {answer}"))?["external"].clone())
    }

    async fn wait_external(&self, field: &str, count: u64) -> Result<()> {
        let counted = async || Ok((self.external().await?[field] == count).then_some(()));
        let waited = wait::until(&format!("{field} to be {count}"), PATIENCE, counted).await;
        waited.with_context(|| self.bakau.log_tail())
    }

    async fn text(&self, path: &str) -> Result<String> {
        let client = reqwest::Client::new();
        Ok(client.get(self.bakau.url(path)?).send().await?.error_for_status()?.text().await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_cleans_our_session_is_told_with_the_number_of_messages_it_cost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::with_any_client_id(&folder.path().join("mosquitto"), &["bakau", STATION]).await?;
    let mut rig = Rig::start(folder.path(), broker).await?;
    let mut ticks = Listener::open(&rig.user("bakau"), &["$SYS/broker/uptime"]).await?;
    // The first is the retained one; both counters must have been told while everything is here.
    for _ in 0..4 {
        ticks.next().await?;
    }
    rig.publish(BEFORE).await?;
    wait_settled(&rig.bakau, 2 * BEFORE).await?;
    for _ in 0..4 {
        ticks.next().await?;
    }
    drop(ticks);
    rig.clean_while_away().await?;
    rig.wait_external("sessions_lost", 1).await?;
    rig.wait_external("lost_in_broker", QUEUED + AFTER).await?;
    assert_eq!(rig.external().await?["uncounted_losses"], 0);

    let in_ledger = async || {
        let ledger = rig.bakau.json("/api/v1/ledger").await?;
        ensure!(ledger["balanced"] == true, "{ledger}");
        Ok((ledger["messages"]["lost_in_broker"] == QUEUED + AFTER).then_some(()))
    };
    wait::until("the ledger to count them", PATIENCE, in_ledger).await?;
    let page = rig.text("/status").await?;
    assert!(page.contains(&format!("{} pesan, terakhir", QUEUED + AFTER)), "{page}");
    let metrics = rig.text("/metrics").await?;
    for line in ["lost_in_broker_total{source=\"mosquitto\"} 33", "sessions_lost_total{source=\"mosquitto\"} 1"] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }

    let mut status = rig.bakau.command(&["status", "--url", &rig.bakau.url("")?].map(str::to_owned))?;
    let told = status.env("BAKAU_TOKEN", rig.bakau.admin_token()?).output()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("hilang di broker: 33 pesan") && told.contains("sesi hilang: 1, diambil alih: 0"), "{told}");
    rig.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_shipped_configuration_the_same_stranger_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::shipped(&folder.path().join("mosquitto"), &["bakau", STATION], None).await?;
    let mut rig = Rig::start(folder.path(), broker).await?;
    rig.publish(BEFORE).await?;
    wait_settled(&rig.bakau, 2 * BEFORE).await?;
    rig.clean_while_away().await?;
    for id in IDS {
        rig.intrude(id, false).await?;
    }
    rig.publish(AFTER).await?;
    wait_settled(&rig.bakau, 2 * (BEFORE + QUEUED + 2 * AFTER)).await?;
    let external = rig.external().await?;
    for field in ["sessions_lost", "takeovers", "lost_in_broker", "uncounted_losses"] {
        assert_eq!(external[field], 0, "{field}: {external}");
    }
    rig.bakau.stop()
}
