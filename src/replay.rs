//! `bakau replay`: a measured CSV file as MQTT messages.

use anyhow::{Context, Result};
use bakau_model::{Secret, UtcMillis};
use bakau_simulate::replay::{ReplayMap, ReplayOptions, Shuffle, replay};

use crate::ReplayArguments;

pub(crate) async fn run(arguments: &ReplayArguments) -> Result<()> {
    let text = std::fs::read_to_string(&arguments.map);
    let text = text.with_context(|| format!("cannot read {}", arguments.map.display()))?;
    let map = ReplayMap::parse(&text).with_context(|| arguments.map.display().to_string())?;
    let password = match &arguments.password_env {
        Some(name) => {
            let password = std::env::var(name).with_context(|| format!("environment variable {name} is not set"))?;
            Some(Secret::new(password))
        }
        None => None,
    };
    let time = |text: &Option<String>| text.as_deref().map(UtcMillis::parse).transpose();
    let lateness_ms = i64::try_from(arguments.lateness.0.as_millis()).context("the lateness is too long")?;
    let shuffle = arguments.shuffle.map(|seed| Shuffle { seed, lateness_ms });
    let options = ReplayOptions {
        broker: arguments.broker,
        username: arguments.username.clone(),
        password,
        speed: arguments.speed,
        from: time(&arguments.from)?,
        to: time(&arguments.to)?,
        shuffle,
    };
    let report = replay(&arguments.file, &map, &options).await?;
    println!(
        "rows {}, messages acknowledged {}, values {}, empty cells {}",
        report.rows, report.messages, report.values, report.empty
    );
    Ok(())
}
