//! Pages as browsers, mail scanners and strangers ask for them.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock as _, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{bakau::Bakau, catalogue, kill::Way, wait};

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

/// Oxygen of the one station of [`catalogue::load`]; far enough apart in time, any change is believed.
async fn measure(bakau: &Bakau, minutes_ago: i64, oxygen: f64) -> Result<()> {
    let at = SystemClock.now().saturating_add(-minutes_ago * 60_000);
    bakau.put("bakau/beban-000000/data", catalogue::oxygen(at, oxygen)).await
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
    measure(&bakau, 0, 3.5).await?;
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

/// A page with the admin token, as programs and browsers at a closed installation send it.
async fn page_as_admin(bakau: &Bakau, path: &str) -> Result<String> {
    let request = reqwest::Client::new().get(bakau.url(path)?).bearer_auth(bakau.admin_token()?);
    Ok(request.send().await?.error_for_status()?.text().await?)
}

/// The clock of a moment at the station, as Bahasa Indonesia writes it.
fn clock(at: &str) -> Result<String> {
    let minutes = UtcMillis::parse(at)?.get() / 60_000 + 7 * 60;
    Ok(format!("{:02}.{:02}", minutes / 60 % 24, minutes % 60))
}

/// What a reader sees: without tags, and without what is hidden.
fn seen(page: &str) -> String {
    let content = page.split_once("<main").map_or(page, |(_, content)| content);
    let mut text = String::new();
    let mut hidden = false;
    for part in content.split('<') {
        let (tag, words) = part.split_once('>').unwrap_or(("", part));
        hidden = (hidden || tag.starts_with("p class=\"hand\"") && tag.ends_with(" hidden")) && tag != "/p";
        if !hidden {
            text.push_str(words);
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_first_value_is_beyond_a_limit_says_that_it_may_have_begun_before() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [("uji.toml", catalogue::load(1) + &rule())];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    bakau.start().await?;
    let (_, status) = page(&bakau, "/status").await?;
    assert!(seen(&status).contains("Tidak ada yang diberi tahu"), "its rule names no channel: {status}");
    for (values, unseen) in [([3.5].as_slice(), true), (&[6.0, 3.5], false)] {
        for (minutes_ago, oxygen) in (0..60).rev().step_by(20).skip(if unseen { 0 } else { 1 }).zip(values) {
            measure(&bakau, minutes_ago, *oxygen).await?;
        }
        let said = async || {
            let alert = alert_at(&bakau, "waspada").await?;
            Ok((alert["onset_at_latest"] == unseen).then_some(alert))
        };
        let alert = wait::until("the alert", PATIENCE, said).await?;
        let id = alert["id"].as_str().context("an id")?;
        for (lang, words) in [("id", "paling lambat sejak"), ("en", "at the latest since")] {
            for path in [format!("/alerts/{id}"), "/alerts".to_owned(), "/stations/beban-000000".to_owned()] {
                let text = seen(&page(&bakau, &format!("{path}?active=true&lang={lang}")).await?.1);
                // The station also lists the first alert, which is over by then.
                let expected = unseen || path.starts_with("/stations");
                assert_eq!(text.contains(words), expected, "{path}: {text}");
            }
        }
    }
    bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_on_every_page_with_its_time_and_for_its_level_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [("uji.toml", catalogue::load(1) + &rule())];
    let mut bakau = Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &files)?;
    bakau.start().await?;
    measure(&bakau, 60, 3.5).await?;
    let alert = alert_at(&bakau, "waspada").await?;
    let id = alert["id"].as_str().context("an id")?.to_owned();
    let pages = |lang: &str| {
        ["/".to_owned(), "/alerts".to_owned(), format!("/alerts/{id}"), "/stations/beban-000000".to_owned()]
            .map(|path| format!("{path}?lang={lang}"))
    };
    for path in pages("id").into_iter().chain(pages("en")) {
        let text = seen(&page(&bakau, &path).await?.1).to_lowercase();
        assert!(!text.contains("tingkat ini ditangani") && !text.contains("acknowledged 2"), "{path}: {text}");
    }
    let path = bakau.url(&format!("/api/v1/alerts/{id}/acknowledge"))?;
    let body = serde_json::json!({"name": "Sari Dewi", "note": "menuju lokasi"});
    let answer = reqwest::Client::new().post(&path).bearer_auth(bakau.admin_token()?).json(&body).send().await?;
    let taken: serde_json::Value = serde_json::from_str(&answer.error_for_status()?.text().await?)?;
    let time = clock(taken["acknowledged_at"].as_str().context("a time")?)?;

    for (lang, words) in [("id", "ditangani"), ("en", "acknowledged")] {
        for path in pages(lang) {
            let text = seen(&page(&bakau, &path).await?.1);
            let time = if lang == "en" { time.replace('.', ":") } else { time.clone() };
            assert!(text.to_lowercase().contains(words) && text.contains(&time), "{path} at {time}: {text}");
            assert!(!text.contains("Sari Dewi") && !text.contains("menuju lokasi"), "{path} names people: {text}");
            assert!(!text.contains("Belum ditangani") && !text.contains("Not acknowledged"), "{path}: {text}");
        }
        for path in &pages(lang)[1..] {
            assert!(seen(&page_as_admin(&bakau, path).await?).contains("Sari Dewi"), "{path} with the token");
        }
    }
    assert!(seen(&page_as_admin(&bakau, &pages("id")[2]).await?).contains("menuju lokasi"));

    // A rise is nobody's yet, and the pages say both.
    measure(&bakau, 30, 1.5).await?;
    let risen = alert_at(&bakau, "siaga").await?;
    assert_eq!((&risen["acknowledged"], &risen["acknowledged_level"]), (&false.into(), &"waspada".into()));
    for path in &pages("id")[1..] {
        let text = seen(&page(&bakau, path).await?.1);
        assert!(text.contains("Waspada ditangani") && text.contains(&time), "{path}: {text}");
        assert!(text.contains("Siaga belum ditangani"), "{path}: {text}");
    }
    let overview = seen(&page(&bakau, "/?lang=id").await?.1);
    assert!(!overview.contains("ditangani"), "{overview}");
    assert!(page(&bakau, &pages("id")[2]).await?.1.contains("<form class=\"ack\""), "it can be taken again");
    bakau.stop()
}
