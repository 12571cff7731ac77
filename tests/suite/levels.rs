//! An acknowledgement holds for the level it was given at: what rises after it is told as if nobody had acknowledged it.

use std::time::Duration;

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::UtcMillis;
use bakau_tests::{
    house::{House, PUBLIC_URL},
    smtp::Security,
    wait,
};
use reqwest::{StatusCode, redirect::Policy};
use serde_json::json;

/// A reminder comes after a minute at the earliest.
const PATIENCE: Duration = Duration::from_secs(120);

const RULE: &str = r#"
[[rule]]
id = "do-rendah"
name = { id = "Oksigen rendah", en = "Low oxygen" }
datastream = "beban-000000/do"
direction = "below"
repeat_s = 60
source = "PP 22/2021 Lampiran VIII"
[rule.waspada]
raise = 4.0
clear = 4.5
[rule.awas]
raise = 0.5
clear = 1.0
"#;

fn ago(minutes: i64) -> UtcMillis {
    SystemClock.now().saturating_add(-minutes * 60_000)
}

/// The acknowledge link in a message, as a path of the server under test.
fn link(text: &str) -> Result<String> {
    let start = text.find(&format!("{PUBLIC_URL}/a/")).context("the message has a link")? + PUBLIC_URL.len();
    Ok(text[start..].chars().take_while(|c| !c.is_whitespace() && !matches!(c, '"' | '<')).collect())
}

/// Presses the button of the page behind a link, as a browser would.
async fn acknowledge(house: &House, path: &str, shown: &str) -> Result<()> {
    let page = reqwest::get(house.bakau.url(path)?).await?.text().await?;
    let field = format!("name=\"level\" value=\"{shown}\"");
    assert!(page.contains("method=\"post\"") && page.contains(&field), "the button is there for {shown}: {page}");
    let client = reqwest::Client::builder().redirect(Policy::none()).build()?;
    let kind = "application/x-www-form-urlencoded";
    let post = client.post(house.bakau.url(path)?).header("content-type", kind).body(format!("note=&level={shown}"));
    assert_eq!(post.send().await?.status(), StatusCode::SEE_OTHER);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rises_after_an_acknowledgement_has_a_link_is_passed_on_and_reminded_of_and_can_be_acknowledged()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path(), Security::Starttls, 1, "[\"surel\"]", RULE).await?;
    house.oxygen(0, ago(60), 5.0).await?;
    house.oxygen(0, ago(40), 3.0).await?;
    let mails = house.mails(1).await?;
    acknowledge(&house, &link(&mails[0].text)?, "waspada").await?;
    let alert = house.alert().await?;
    assert_eq!((&alert["acknowledged"], &alert["acknowledged_level"]), (&json!(true), &json!("waspada")));

    house.smtp.answer("550 5.1.1 no such user").await?;
    house.oxygen(0, ago(20), 0.42).await?;
    let called = async || Ok(house.telegram.calls().first().cloned());
    let call = wait::until("what mail did not bring, by Telegram", PATIENCE, called).await;
    let text = call.with_context(|| house.bakau.log_tail())?.body["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("<b>AWAS</b>") && text.contains("Diteruskan kepada Anda"), "{text}");
    assert!(text.contains("Ditangani oleh: Sari Dewi untuk WASPADA"), "{text}");
    link(&text)?;
    let alert = house.alert().await?;
    assert_eq!((&alert["acknowledged"], &alert["acknowledged_level"]), (&json!(false), &json!("waspada")));

    house.smtp.answer("").await?;
    let reminded =
        async || Ok(house.smtp.mails().into_iter().find(|mail| mail.header("subject").contains("Belum ditangani")));
    let reminder =
        wait::until("a reminder of awas", PATIENCE, reminded).await.with_context(|| house.bakau.log_tail())?;
    assert!(reminder.text.contains("Sari Dewi menanganinya untuk WASPADA, AWAS belum ditangani"), "{}", reminder.text);
    acknowledge(&house, &link(&reminder.text)?, "awas").await?;
    let alert = house.alert().await?;
    assert_eq!((&alert["acknowledged"], &alert["acknowledged_level"]), (&json!(true), &json!("awas")));
    let levels: Vec<_> = alert["acknowledgements"].as_array().into_iter().flatten().map(|one| &one["level"]).collect();
    assert_eq!(levels, ["waspada", "awas"]);

    house.oxygen(0, ago(10), 3.0).await?;
    house.oxygen(0, ago(0), 0.3).await?;
    let again = async || Ok(house.smtp.mails().into_iter().rfind(|mail| mail.header("subject").contains(" 0,30 mg/L")));
    let mail = wait::until("awas once more", PATIENCE, again).await.with_context(|| house.bakau.log_tail())?;
    assert!(link(&mail.text).is_err(), "back at a level that was acknowledged: {}", mail.text);
    assert_eq!(house.alert().await?["acknowledged"], true);
    house.bakau.stop()
}
