//! Pages as people use them, in a real Chromium, on the running demo.

use std::time::Duration;

use anyhow::Result;
use bakau_tests::{bakau::Bakau, browser, wait};
use tempfile::TempDir;

/// The demo on free ports, once it has an alert that nobody has taken.
async fn demo() -> Result<(TempDir, Bakau)> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[])?;
    let arguments = ["demo", "--data", "data", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "2d"];
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    let alerted = async || {
        let answer = bakau.json("/api/v1/alerts?active=true").await?;
        Ok(answer["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()).then_some(()))
    };
    wait::until("the demo's first alert", Duration::from_secs(60), alerted).await?;
    Ok((folder, bakau))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_does_its_task_is_accessible_and_lives() -> Result<()> {
    let (_folder, mut bakau) = demo().await?;
    for script in ["tasks.test.mjs", "overview.test.mjs", "live.test.mjs", "alarm.test.mjs", "accessibility.test.mjs"] {
        println!("{}", browser::run(script, &bakau)?);
    }
    bakau.stop()
}
