//! Pages as browsers, mail scanners and strangers ask for them.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, Result};
use bakau_tests::{bakau::Bakau, catalogue, kill::Way, publish::Publisher, wait};

const PATIENCE: Duration = Duration::from_secs(60);

/// Stations where a map is hardest to lay out, in cities whose names are as long as people make them.
fn long_names() -> String {
    let mut text = String::new();
    let places = [(-7.9, 112.6), (-7.9, 112.6), (90.0, 0.0), (-90.0, 180.0), (0.0, -180.0)];
    for (index, (latitude, longitude)) in places.into_iter().enumerate() {
        let city = "Kabupaten Administrasi Kepulauan Mangrove Lestari Timur".repeat(index.min(3) + 1);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[city]]\nid = \"kota-{index}\"\nname = \"{city}\"\ncode = \"35.{index:02}\"\n\
             [[agency]]\nid = \"dinas-{index}\"\nname = \"Dinas {index}\"\ncity = \"kota-{index}\"\n\
             [[station]]\nid = \"stasiun-{index}\"\nname = \"{city}\"\nagency = \"dinas-{index}\"\nkind = \"water\"\n\
             latitude = {latitude:?}\nlongitude = {longitude:?}\n"
        );
    }
    text
}

async fn page(bakau: &Bakau, path: &str) -> Result<(u16, String)> {
    let response = reqwest::get(bakau.url(path)?).await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_with_a_name_of_55_letters_and_more_is_on_the_map() -> Result<()> {
    assert_eq!("Kabupaten Administrasi Kepulauan Mangrove Lestari Timur".len(), 55);
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("kota.toml", long_names())])?;
    bakau.start().await?;
    let mut paths = vec!["/".to_owned(), "/?lang=en".to_owned()];
    for index in 0..5 {
        paths.push(format!("/?city=kota-{index}"));
        paths.push(format!("/stations/stasiun-{index}"));
    }
    for path in paths {
        let (status, text) = page(&bakau, &path).await?;
        assert_eq!(status, 200, "{path}");
        assert!(text.contains("Kabupaten Administrasi"), "{path}");
    }
    bakau.stop()
}

/// A rule whose alert stays open.
fn rule() -> String {
    catalogue::rule("do-rendah", "beban-000000/do").replace("channels = [\"sink\"]", "channels = []")
}

/// Values of the one station of [`catalogue::load`] with that much oxygen, measured now.
async fn measure(publisher: &Publisher, oxygen: f64) -> Result<()> {
    use bakau_clock::Clock as _;
    let now = bakau_clock::SystemClock.now();
    let payload = format!("{{\"time\":\"{now}\",\"do\":{oxygen},\"ph\":7.0}}");
    publisher.publish("bakau/beban-000000/data", payload.as_bytes()).await?;
    Ok(())
}

/// The one alert that is open, once it has this level.
async fn alert_at(bakau: &Bakau, level: &str) -> Result<serde_json::Value> {
    let raised = async || {
        let answer = bakau.json("/api/v1/alerts?active=true").await?;
        Ok(answer["alerts"].as_array().and_then(|all| all.iter().find(|alert| alert["level"] == level)).cloned())
    };
    wait::until("the alert", PATIENCE, raised).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mail_scanners_hang_on_an_address_breaks_no_page_picture_or_link() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [("uji.toml", catalogue::load(1) + &rule())];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    bakau.start().await?;
    let publisher = Publisher {
        broker: bakau.mqtt()?,
        username: catalogue::DEVICE.to_owned(),
        password: catalogue::TOKEN.to_owned(),
    };
    measure(&publisher, 3.5).await?;
    let alert = alert_at(&bakau, "waspada").await?;
    let alert = format!("/alerts/{}", alert["id"].as_str().context("an id")?);
    let hung_on = "utm_source=surat&fbclid=%F0%9F%8C%B1%FF&mc_eid&=&lang=fr&lang=en";
    let own = ["/?group=city", "/stations/beban-000000?range=week", "/alerts?all=true", &alert, "/status", "/api"];
    for path in own.into_iter().chain(["/charts/beban-000000/do.png?range=week", "/readyz", "/healthz"]) {
        let join = if path.contains('?') { '&' } else { '?' };
        let (status, text) = page(&bakau, &format!("{path}{join}{hung_on}")).await?;
        assert_eq!(status, 200, "{path}: {text}");
    }
    // The parameters of the page itself still count, and programs are still told what they misspelled.
    let (_, week) = page(&bakau, "/stations/beban-000000?utm_source=surat&range=week").await?;
    assert!(week.contains("do.svg?range=week"));
    let (status, text) = page(&bakau, "/api/v1/latest?statoin=beban-000000").await?;
    assert!(status == 400 && text.contains("statoin"), "{text}");
    // A link that was not made here says so, whatever hangs on it; see mail.rs for one that was.
    assert_eq!(page(&bakau, &format!("/a/tidak-ada?{hung_on}")).await?.0, 404);
    bakau.stop()
}
