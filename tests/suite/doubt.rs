//! Suspect values end no alert: people are told that it cannot be confirmed, until a good value says how it is.

use std::time::Duration;

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_tests::{
    house::{House, RULE},
    smtp::Security,
    wait,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Publishes values so many minutes old, one after the other.
async fn publish(house: &House, values: &[(i64, f64)]) -> Result<()> {
    for (minutes, value) in values {
        let time = SystemClock.now().saturating_add(-minutes * 60_000);
        house.oxygen(0, time, *value).await?;
    }
    Ok(())
}

async fn reasons(house: &House, count: usize) -> Result<(Vec<String>, Value)> {
    let enough = async || {
        let alert = house.alert().await?;
        let transitions = alert["transitions"].as_array().cloned().unwrap_or_default();
        let reasons: Vec<_> = transitions.iter().map(|one| one["reason"].as_str().unwrap_or("").to_owned()).collect();
        Ok((count <= reasons.len()).then_some((reasons, alert)))
    };
    wait::until("the decisions", PATIENCE, enough).await.with_context(|| house.bakau.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_suspect_values_speak_against_stands_and_is_said_not_to_be_confirmed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut house = House::open(folder.path(), Security::Starttls, 1, "[\"surel\"]", RULE).await?;
    // Above 15 mg/L a value is suspect; it comes from a sensor out of the water.
    publish(&house, &[(90, 5.0), (85, 0.42), (80, 16.0), (75, 16.5), (70, 17.0)]).await?;
    let mails = house.mails(2).await?;
    let subjects = [0, 1].map(|place: usize| mails[place].header("subject").to_owned());
    assert!(
        subjects[0].starts_with("[AWAS] ") && subjects[1].starts_with("[AWAS, tidak dapat dipastikan] "),
        "{subjects:?}"
    );
    assert!(mails[1].text.contains("Alarm tetap berlaku sampai ada nilai yang valid"), "{}", mails[1].text);
    assert!(mails[1].text.contains("/a/"), "it can be acknowledged: {}", mails[1].text);
    let (told, alert) = reasons(&house, 2).await?;
    assert_eq!(told, ["threshold", "unconfirmed"]);
    assert!(alert["level"] == "awas" && alert["unconfirmed_since"].is_string(), "{alert}");
    let id = alert["id"].as_str().context("an id")?;
    for (language, words) in [("id", "Tidak dapat dipastikan sejak"), ("en", "Cannot be confirmed since")] {
        let page = reqwest::get(house.bakau.url(&format!("/alerts/{id}?lang={language}"))?).await?.text().await?;
        assert!(page.contains(words), "{page}");
    }

    publish(&house, &[(40, 0.45)]).await?;
    let (told, alert) = reasons(&house, 3).await?;
    assert_eq!(
        (told[2].as_str(), &alert["level"], &alert["unconfirmed_since"]),
        ("confirmed", &json!("awas"), &Value::Null)
    );
    publish(&house, &[(30, 5.0)]).await?;
    let mails = house.mails(3).await?;
    assert!(mails[2].header("subject").starts_with("[NORMAL] "), "{}", mails[2].header("subject"));
    let (told, _) = reasons(&house, 4).await?;
    assert_eq!((told.len(), house.smtp.mails().len()), (4, 3), "nobody is written to because it was confirmed");
    house.bakau.stop()
}
