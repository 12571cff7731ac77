//! The API as other programs read it: through clients made from its document.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, anyhow};
use bakau_tests::{bakau::Bakau, clients, wait};

/// Every call that a client must have made.
const CALLS: [&str; 12] = [
    "stations",
    "station ",
    "datastreams",
    "latest",
    "observations ",
    "aggregates ",
    "alerts",
    "alert ",
    "rules",
    "rule ",
    "status",
    "sources",
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_made_from_the_document_read_what_it_says_and_nothing_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau = Bakau::prepare(folder.path(), "", &[])?;
    let arguments = ["demo", "--data", "data", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "2d"];
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    let filled = async || {
        let (alerts, latest) = (bakau.json("/api/v1/alerts").await?, bakau.json("/api/v1/latest").await?);
        let some = |list: &serde_json::Value| list.as_array().is_some_and(|list| !list.is_empty());
        Ok((some(&alerts["alerts"]) && some(&latest["latest"])).then_some(()))
    };
    wait::until("the demo's first alert and values", Duration::from_secs(60), filled).await?;
    let document = folder.path().join("openapi.json");
    fs::write(&document, bakau.json("/api/v1/openapi.json").await?.to_string())?;
    let (python, go) = thread::scope(|scope| {
        let python = scope.spawn(|| clients::python(&document, folder.path(), &bakau));
        (python.join(), clients::go(&document, folder.path(), &bakau))
    });
    let python = python.map_err(|_| anyhow!("the Python reader panicked"))?;
    for (language, calls) in [("Python", python), ("Go", go)] {
        let calls = calls.with_context(|| format!("a client in {language}"))?;
        for wanted in CALLS {
            assert!(calls.lines().any(|line| line.starts_with(wanted)), "{language} never called {wanted}:\n{calls}");
        }
    }
    bakau.stop()
}
