//! The API as other programs read it: through clients made from its document.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, anyhow};
use bakau_tests::{bakau::Bakau, catalogue, clients, wait};

/// Every call that a client must have made.
const CALLS: [&str; 16] = [
    "stations",
    "station ",
    "datastreams",
    "latest",
    "observations ",
    "aggregates ",
    "alerts",
    "alert ",
    "acknowledge ",
    "rules",
    "rule ",
    "status",
    "sources",
    "quarantine",
    "quarantine_row ",
    "problem ",
];

/// Something to acknowledge at every station that measures pH.
const RULE: &str = r#"
[[rule]]
id = "selalu"
name = "Selalu"
parameter = "ph"
direction = "above"
source = "test"
waspada = { raise = 1.0, clear = 0.5 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn clients_made_from_the_document_read_what_it_says_and_nothing_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let device = catalogue::device(catalogue::DEVICE, catalogue::TOKEN, "#");
    let mut bakau = Bakau::prepare(folder.path(), "", &[("uji.toml", device + RULE)])?;
    let arguments = ["demo", "--data", "data", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--history", "2d"];
    bakau.start_with(&arguments.map(str::to_owned)).await?;
    bakau.put("bakau/prb-bjbr-01/data", "rusak").await?;
    let filled = async || {
        let (open, latest) = (bakau.json("/api/v1/alerts?active=true").await?, bakau.json("/api/v1/latest").await?);
        let quarantine = bakau.json("/api/v1/quarantine").await?;
        let some = |list: &serde_json::Value, least: usize| list.as_array().is_some_and(|list| least <= list.len());
        let there = some(&open["alerts"], 2) && some(&latest["latest"], 1) && some(&quarantine["quarantine"], 1);
        Ok(there.then_some(()))
    };
    wait::until("two alerts, values and a row of the quarantine of the demo", Duration::from_secs(60), filled).await?;
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
