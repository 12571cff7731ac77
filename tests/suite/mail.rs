//! People are told: by mail from a real server with TLS and a login, by Telegram from a stand-in, and by each other's
//! way where one fails; and what they answer from the link in a message counts.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    house::{CHAT, House, PUBLIC_URL, RULE},
    smtp::{Mail, PASSWORD, Security},
    telegram::TOKEN,
    wait,
};
use reqwest::{StatusCode, redirect::Policy};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);

async fn open(folder: &Path, security: Security, channels: &str) -> Result<House> {
    House::open(folder, security, 1, channels, RULE).await
}

fn ago(minutes: i64) -> UtcMillis {
    SystemClock.now().saturating_add(-minutes * 60_000)
}

/// The acknowledge link in a mail, as a path of the server under test.
fn link(mail: &Mail) -> Result<String> {
    let address = mail.text.lines().find_map(|line| line.strip_prefix(PUBLIC_URL)).context("the mail has a link")?;
    assert!(address.starts_with("/a/"), "the first link acknowledges: {address}");
    assert!(mail.html.contains(address), "the page has the same link");
    Ok(address.to_owned())
}

async fn page(house: &House, path: &str) -> Result<(StatusCode, String)> {
    let response = reqwest::get(house.bakau.url(path)?).await?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(header("x-robots-tag").contains("noindex"));
    Ok((response.status(), response.text().await?))
}

fn check_mail(mail: &Mail) {
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("bakau@kota.example", &["sari@dlh.example".to_owned()][..]));
    let subject = mail.header("subject");
    assert!(subject.starts_with("[AWAS] ") && subject.contains(" 0,42 mg/L · Beban 0"), "{subject}");
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    assert!(mail.text.contains("PP 22/2021 Lampiran VIII") && mail.text.contains("bukan peringatan dini"));
    assert!(mail.html.contains("cid:") && mail.pictures.iter().all(|bytes| 1_000 < *bytes), "{:?}", mail.pictures);
    assert_eq!(mail.pictures.len(), 1, "one chart");
}

async fn acknowledge_from_the_link(house: &House, path: &str) -> Result<()> {
    // A scanner opens the link before its reader does, and hangs something on that is none of ours.
    for hung_on in ["?utm_source=surat&fbclid=x&lang=fr", ""] {
        let (status, text) = page(house, &format!("{path}{hung_on}")).await?;
        assert!(status.is_success() && text.contains("Sari Dewi") && text.contains("method=\"post\""), "{text}");
    }
    assert_eq!(house.alert().await?["acknowledged"], false, "looking changes nothing");
    let (status, _) = page(house, &format!("{path}x")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
    let form = "note=menuju+lokasi";
    let kind = "application/x-www-form-urlencoded";
    let forged = client.post(house.bakau.url(&format!("{path}x"))?).header("content-type", kind).body(form);
    assert_eq!(forged.send().await?.status(), StatusCode::NOT_FOUND);
    let post =
        client.post(house.bakau.url(&format!("{path}?utm_source=surat"))?).header("content-type", kind).body(form);
    assert_eq!(post.send().await?.status(), StatusCode::SEE_OTHER);
    let alert = house.alert().await?;
    assert_eq!((&alert["acknowledged"], &alert["acknowledged_by"]), (&json!(true), &json!("Sari Dewi")));
    assert_eq!(alert["note"], "menuju lokasi");
    let (_, text) = page(house, path).await?;
    assert!(text.contains("Sari Dewi") && text.contains("menuju lokasi") && !text.contains("<form"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_awas_arrives_by_mail_with_chart_and_link_and_is_acknowledged_from_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = open(folder.path(), Security::Starttls, "[\"surel\"]").await?;
    // Slow enough to be believed: a faster fall is marked for verification.
    house.oxygen(0, ago(60), 5.0).await?;
    house.oxygen(0, ago(30), 0.42).await?;
    let mails = house.mails(1).await?;
    check_mail(&mails[0]);
    let path = link(&mails[0])?;
    acknowledge_from_the_link(&house, &path).await?;
    house.oxygen(0, SystemClock.now(), 5.0).await?;
    let mails = house.mails(2).await?;
    assert!(mails[1].header("subject").starts_with("[NORMAL] "), "{}", mails[1].header("subject"));
    assert!(mails[1].text.contains("Nilai terburuk: 0,42 mg/L") && mails[1].text.contains("Ditangani oleh: Sari Dewi"));
    assert_eq!(mails[0].header("references"), mails[1].header("references"), "one thread");
    assert_ne!(mails[0].header("message-id"), mails[1].header("message-id"));
    let token = path.trim_start_matches("/a/");
    let log = house.log()?;
    assert!(!log.contains(token) && !log.contains(PASSWORD), "a secret is in the log");
    house.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_was_refused_or_met_nobody_arrives_when_the_server_is_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = open(folder.path(), Security::Tls, "[\"surel\", \"telegram\"]").await?;
    house.telegram.refuse(429, "Too Many Requests: retry after 1", json!({"retry_after": 1}));
    house.smtp.away().await?;
    house.oxygen(0, SystemClock.now(), 0.42).await?;
    let called = async || Ok(house.telegram.calls().first().cloned());
    let call = wait::until("a Telegram message", PATIENCE, called).await.with_context(|| house.bakau.log_tail())?;
    assert_eq!((call.method.as_str(), &call.body["chat_id"]), ("sendMessage", &json!(CHAT)));
    let text = call.body["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("<b>AWAS</b>") && text.contains("/a/"), "{text}");
    let pictured = async || Ok(house.telegram.calls().get(1).cloned());
    let picture = wait::until("the chart after it", PATIENCE, pictured).await?;
    assert!(picture.method == "sendPhoto" && 1_000 < picture.bytes, "{picture:?}");
    let waiting = house.notification("surel", "a failed attempt", |notification| notification["attempts"] != 0).await?;
    assert_eq!(waiting["state"], "pending", "{waiting}");
    house.smtp.answer("451 4.3.0 sebentar").await?;
    house.smtp.back().await?;
    let refused = |notification: &Value| notification["last_result"].as_str().is_some_and(|text| text.contains("451"));
    house.notification("surel", "a refusal for the moment", refused).await?;
    house.smtp.answer("").await?;
    house.mails(1).await?;
    house.notification("surel", "the delivery", |notification| notification["state"] == "sent").await?;
    assert_eq!(house.smtp.mails().len(), 1, "once");
    assert!(!house.log()?.contains(TOKEN), "the bot's token is in the log");
    house.bakau.stop()
}

/// The server has taken the mail, and Bakau dies before it hears so.
#[tokio::test(flavor = "multi_thread")]
async fn mail_on_its_way_at_a_kill_is_sent_again_under_the_same_id() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = open(folder.path(), Security::Starttls, "[\"surel\"]").await?;
    house.smtp.slow(30).await?;
    house.oxygen(0, SystemClock.now(), 0.42).await?;
    house.mails(1).await?;
    house.bakau.kill()?;
    house.smtp.slow(0).await?;
    house.bakau.start().await?;
    let mails = house.mails(2).await?;
    assert_eq!(mails[0].header("message-id"), mails[1].header("message-id"), "mail programs show it once");
    house.notification("surel", "the delivery", |notification| notification["state"] == "sent").await?;
    assert_eq!(house.smtp.mails().len(), 2);
    house.bakau.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_by_mail_is_told_by_telegram() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = open(folder.path(), Security::Starttls, "[\"surel\"]").await?;
    house.smtp.answer("550 5.1.1 no such user").await?;
    house.oxygen(0, SystemClock.now(), 0.42).await?;
    let called = async || Ok(house.telegram.calls().first().cloned());
    let call = wait::until("a Telegram message", PATIENCE, called).await.with_context(|| house.bakau.log_tail())?;
    assert!(call.body["text"].as_str().is_some_and(|text| text.contains("Diteruskan kepada Anda")), "{call:?}");
    let failed = house.notification("surel", "the failure", |notification| notification["state"] == "failed").await?;
    assert!(failed["last_result"].as_str().is_some_and(|text| text.contains("no such user")), "{failed}");
    house.notification("telegram", "the delivery", |notification| notification["state"] == "sent").await?;
    let metrics = reqwest::get(house.bakau.url("/metrics")?).await?.text().await?;
    for line in ["bakau_alerts_escalations_total 1", "bakau_alerts_channel_oldest_seconds{channel=\"surel\"} 0"] {
        assert!(metrics.contains(line), "{line}");
    }
    house.bakau.stop()
}
