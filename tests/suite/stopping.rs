//! Bakau is told to stop while devices with a last will are connected: that must raise no alert about any of them.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_tests::{bakau::Bakau, catalogue, device::Device, kill::Way, wait};
use rusqlite::Connection;

const PATIENCE: Duration = Duration::from_secs(60);

/// Said at once when a station says that it is offline, and not before a day otherwise.
const RULES: &str = r#"
[[rule]]
id = "diam"
name = { id = "Stasiun tanpa data", en = "Station without data" }
condition = "no_data"
waspada = { after_s = 86400 }
source = "test"
"#;

/// Of the stations that were ever heard of: how many there are, and which are known to be offline.
fn heard(alerts: &Path) -> Result<(usize, Vec<String>)> {
    let file = Connection::open(alerts)?;
    let mut select = file.prepare("SELECT subject, offline_since FROM heard WHERE subject LIKE 'station %'")?;
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?)))?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let offline = rows.iter().filter(|(_, since)| since.is_some()).map(|(subject, _)| subject.clone());
    Ok((rows.len(), offline.collect()))
}

/// Alerts that say that a station is offline.
fn offline_alerts(alerts: &Path) -> Result<u64> {
    let file = Connection::open(alerts)?;
    Ok(file.query_row("SELECT count(*) FROM transitions WHERE reason = 'offline'", [], |row| row.get(0))?)
}

async fn wait_connections(bakau: &Bakau, wanted: u64) -> Result<()> {
    let there = async || {
        let sources = bakau.json("/api/v1/sources").await?;
        Ok(sources["sources"][0]["connections"].as_u64().filter(|count| wanted <= *count).map(drop))
    };
    wait::until("every device to be connected", PATIENCE, there).await.with_context(|| bakau.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_stops_without_an_alert_about_any_of_its_stations() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[])?;
    let data = folder.path().join("demo");
    let path = data.display().to_string();
    let arguments = ["demo", "--data", &path, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "1h"];
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    let stations = bakau.json("/api/v1/stations").await?["stations"].as_array().map_or(0, Vec::len);
    // Each was connected once for its history.
    wait_connections(&bakau, 2 * u64::try_from(stations)?).await?;
    bakau.stop()?;
    assert_eq!(heard(&data.join("alerts.db"))?, (stations, Vec::new()));
    assert_eq!(offline_alerts(&data.join("alerts.db"))?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_last_will_is_not_missed_because_the_broker_stops_and_is_when_it_breaks_off() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [("uji.toml", catalogue::load(1) + catalogue::STATUS_ROUTE + RULES)];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    let (station, alerts) = (catalogue::station(0), bakau.data("alerts.db"));
    for breaks_off in [false, true] {
        bakau.start().await?;
        let who = bakau.device()?;
        let device = Device::start(&who, &format!("bakau/{station}/status"));
        device.publish(&format!("bakau/{station}/status"), "online")?;
        device.publish(&format!("bakau/{station}/data"), r#"{"do":5.5}"#)?;
        let said = async || Ok(bakau.json("/api/v1/ledger").await?.to_string().contains("\"stored\":1").then_some(()));
        wait::until("its value", PATIENCE, said).await.with_context(|| bakau.log_tail())?;
        if breaks_off {
            drop(device);
            let told = async || {
                let alerts = bakau.json("/api/v1/alerts").await?;
                Ok(alerts["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()).then_some(()))
            };
            wait::until("the alert of its last will", PATIENCE, told).await.with_context(|| bakau.log_tail())?;
        }
        bakau.stop()?;
        let offline = if breaks_off { vec![format!("station {station}")] } else { Vec::new() };
        assert_eq!(heard(&alerts)?, (1, offline));
        assert_eq!(offline_alerts(&alerts)?, u64::from(breaks_off));
    }
    Ok(())
}
