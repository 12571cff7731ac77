//! The files of `deploy/mosquitto` as they are shipped, in a real mosquitto: only ports and paths are filled in.

use std::path::Path;

use anyhow::{Context, Result};
use bakau_model::UtcMillis;
use bakau_tests::{
    bakau::Bakau,
    catalogue,
    certificates::Certificates,
    kill::{wait_connected, wait_settled},
    listen::Listener,
    mosquitto::{Mosquitto, PASSWORD, PASSWORD_ENV},
    publish::{Answer, Publisher},
};

const STATION: &str = "beban-000000";
const MIB: usize = 1 << 20;
/// More than the 1,000 messages that mosquitto keeps for somebody who is away unless it is told otherwise.
const WAITING: i64 = 1_500;

fn user(broker: &Mosquitto, username: &str) -> Publisher {
    let broker = ([127, 0, 0, 1], broker.port()).into();
    Publisher { broker, username: username.to_owned(), password: PASSWORD.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_writes_under_its_own_name_and_reads_only_what_is_meant_for_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::shipped(folder.path(), &["bakau", "alat-a", "alat-b"], None).await?;
    let (bakau, a, b) = (user(&broker, "bakau"), user(&broker, "alat-a"), user(&broker, "alat-b"));
    let mut of_bakau = Listener::open(&bakau, &["bakau/#"]).await?;
    let counter = "$SYS/broker/publish/messages/dropped";
    let mut of_b = Listener::open(&b, &["#", "$SYS/#", "bakau/alat-a/#"]).await?;

    // Which answer is not asked: rumqttc takes mosquitto's shortest PUBACK with a reason for a broken packet.
    for foreign in ["bakau/alat-b/data", "bakau/alat-b/perintah/mulai", "$SYS/broker/version", "lain"] {
        assert_ne!(a.publish_v5(foreign, b"{}").await?, Answer::Acknowledged, "{foreign}");
    }
    assert_eq!(a.publish_v5("bakau/alat-a/data", b"{}").await?, Answer::Acknowledged);
    of_b.say("bakau/alat-b/perintah/mulai").await?;
    assert_eq!(of_b.next().await?, "bakau/alat-b/perintah/mulai");
    // What was refused would have come first.
    assert_eq!(of_bakau.next().await?, "bakau/alat-a/data");
    assert_eq!(of_bakau.next().await?, "bakau/alat-b/perintah/mulai");

    let mut counters = Listener::open(&bakau, &[counter]).await?;
    assert_eq!(counters.next().await?, counter);
    let ended = of_bakau.next().await.unwrap_err().to_string();
    assert!(
        !ended.contains("nothing to read"),
        "one user is one client: its second connection ends the first; {ended}"
    );
    for (username, password) in [("", ""), ("alat-a", "salah"), ("siapa", PASSWORD)] {
        let stranger = Publisher { username: username.to_owned(), password: password.to_owned(), ..a.clone() };
        assert_eq!(stranger.publish("bakau/alat-a/data", b"{}").await?, Answer::NotConnected, "'{username}'");
    }
    Ok(())
}

/// Bakau behind the shipped listener with TLS, under the shipped rights.
async fn behind_tls(folder: &Path) -> Result<(Mosquitto, Bakau)> {
    let certificates = Certificates::make(&folder.join("certificates"))?;
    let broker = Mosquitto::shipped(&folder.join("mosquitto"), &["bakau", STATION], Some(&certificates)).await?;
    let configuration = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\n\
         host = \"localhost\"\nport = {}\ntls = true\nca_file = \"{}\"\nusername = \"bakau\"\n\
         password_env = \"{PASSWORD_ENV}\"\ntopics = [\"bakau/#\"]\naccept_past_days = 20000\n",
        broker.tls_port().context("it listens with TLS")?,
        certificates.authority.display(),
    );
    let files = [("uji.toml", catalogue::load(1))];
    let mut bakau = Bakau::prepare(&folder.join("bakau"), &configuration, &files)?;
    bakau.start().await?;
    wait_connected(&bakau).await.with_context(|| bakau.log_tail())?;
    Ok((broker, bakau))
}

/// A payload with two values, filled up to `size` bytes.
fn payload(number: i64, size: usize) -> Vec<u8> {
    let time = UtcMillis::new(1_767_225_600_000 + number * 1_000);
    let mut payload = format!("{{\"time\":\"{time}\",\"do\":5.5,\"ph\":7.1,\"isi\":\"").into_bytes();
    payload.resize(size.max(payload.len() + 2) - 2, b'x');
    payload.extend_from_slice(b"\"}");
    payload
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_bakau_is_not_cut_at_a_thousand_and_outlasts_a_restart_of_the_broker() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut broker, mut bakau) = behind_tls(folder.path()).await?;
    bakau.stop()?;
    let device = user(&broker, STATION);
    let topic = format!("bakau/{STATION}/data");
    for number in 0..WAITING {
        assert_eq!(device.publish(&topic, &payload(number, 0)).await?, Answer::Acknowledged);
    }
    broker.stop()?;
    broker.resume().await?;
    bakau.start().await?;
    wait_settled(&bakau, 2 * WAITING.cast_unsigned()).await?;
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_above_the_limit_is_never_acknowledged_and_a_large_payload_is_listed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (broker, mut bakau) = behind_tls(folder.path()).await?;
    let device = user(&broker, STATION);
    let topic = format!("bakau/{STATION}/data");
    assert_eq!(device.publish(&topic, &payload(0, MIB)).await?, Answer::Acknowledged);
    assert_eq!(device.publish(&topic, &payload(1, MIB + 1)).await?, Answer::Acknowledged);
    assert_eq!(device.publish(&topic, &payload(2, 2 * MIB)).await?, Answer::Closed);
    assert_eq!(device.publish_v5(&topic, &payload(3, 2 * MIB)).await?, Answer::Closed);
    assert_eq!(device.publish(&topic, &payload(4, 0)).await?, Answer::Acknowledged);
    wait_settled(&bakau, 4).await?;
    let listed = bakau.json("/api/v1/quarantine").await?;
    let rows = listed["quarantine"].as_array().context("a list")?;
    assert_eq!(rows.len(), 1, "{listed}");
    assert!(rows[0]["detail"].as_str().is_some_and(|words| words.contains("1048577")), "{}", rows[0]["detail"]);
    bakau.stop()
}
