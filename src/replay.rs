//! `bakau replay`: a measured CSV file as MQTT messages.

use anyhow::{Context, Result};
use bakau_model::{Secret, UtcMillis};
use bakau_simulate::replay::{ReplayMap, ReplayOptions, Shuffle, replay};

use crate::ReplayArguments;

pub(crate) async fn run(arguments: &ReplayArguments) -> Result<()> {
    let text = std::fs::read_to_string(&arguments.map);
    let text = text.with_context(|| say!("cannot_read", path = arguments.map.display()))?;
    let map = ReplayMap::parse(&text).with_context(|| arguments.map.display().to_string())?;
    let password = match &arguments.password_env {
        Some(name) => {
            let password = std::env::var(name).with_context(|| say!("variable_unset", name = name))?;
            Some(Secret::new(password))
        }
        None => None,
    };
    let time = |text: &Option<String>| text.as_deref().map(UtcMillis::parse).transpose();
    let lateness_ms = i64::try_from(arguments.lateness.0.as_millis()).with_context(|| say!("span_too_long"))?;
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
        "{}",
        say!("replayed", rows = report.rows, messages = report.messages, values = report.values, empty = report.empty,)
    );
    Ok(())
}
