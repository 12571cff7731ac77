//! Files of the first format, of a newer version, and of somebody else.

use std::path::Path;

use bakau_model::{DatastreamId, DeploymentId, Language};
use bakau_registry::{Registry, RegistryError};
use bakau_sqlite::Error;
use rusqlite::Connection;

use crate::{PH, apply, name, open, plan};

#[tokio::test]
async fn a_newer_file_and_a_foreign_file_are_refused_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("registry.db");
    drop(Registry::open(&path).await.unwrap());
    let set = |path: &Path, sql| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    set(&path, "PRAGMA user_version = 99");
    let refused = Registry::open(&path).await.unwrap_err();
    assert!(matches!(refused, RegistryError::File(Error::NewerFormat { found: 99, .. })), "{refused}");
    assert!(refused.to_string().contains("was written by a newer version of Bakau (format 99"), "{refused}");

    let foreign = directory.path().join("foreign.db");
    set(&foreign, "CREATE TABLE songs (title TEXT)");
    let refused = Registry::open(&foreign).await.unwrap_err();
    assert!(matches!(refused, RegistryError::File(Error::Foreign { .. })), "{refused}");
}

#[tokio::test]
async fn a_registry_of_the_first_format_is_read_as_it_was_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let old = Connection::open(directory.path().join("registry.db")).unwrap();
    old.execute_batch(include_str!("../old/registry-1.sql")).unwrap();
    drop(old);
    let registry = open(directory.path()).await;
    let snapshot = registry.snapshot();
    let oxygen = snapshot.datastream(&name("mlg-01/do")).unwrap();
    assert_eq!(
        (snapshot.revision, oxygen.number, oxygen.name.to_string()),
        (4, DatastreamId::new(1), "mlg-01/do@50cm".to_owned())
    );
    assert_eq!((oxygen.unit.as_str(), oxygen.interval_ms), ("mg/L", 30_000));
    assert_eq!(snapshot.deployments[&oxygen.number][0].number, DeploymentId::new(1));
    assert_eq!(snapshot.rules["oxygen"].datastream(), Some(&oxygen.name));
    assert!(registry.admin_token_hash().await.unwrap().is_some());
    let audit = registry.audit(10).await.unwrap();
    assert_eq!(audit.iter().map(|row| row.revision).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert_eq!(audit[2].difference, "~ rule oxygen: siaga.low.raise 2.1 -> 1.8");
    apply(&registry, PH, false).await;
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.datastream(&name("mlg-01/ph")).unwrap().number, DatastreamId::new(2));
    assert_eq!(snapshot.revision, 5);
}

/// Rules as the first format kept them: id, target, condition.
const FIRST_RULES: [(&str, &str, &str); 7] = [
    (
        "parameter",
        r#"{"parameter":{"parameter":"ph","kind":"water"}}"#,
        r#"{"threshold":{"direction":"above","siaga":{"high":{"raise":9.0,"clear":8.5}}}}"#,
    ),
    ("stations", r#"{"stations":{}}"#, r#"{"silence":{"waspada":900}}"#),
    ("stations-of-kind", r#"{"stations":{"kind":"water"}}"#, r#"{"silence":{"waspada":900}}"#),
    ("station", r#"{"station":"mlg-01"}"#, r#"{"silence":{"waspada":900,"awas":3600}}"#),
    ("sources", r#"{"sources":null}"#, r#"{"source_down":{"waspada":900}}"#),
    ("source", r#"{"sources":"kota"}"#, r#"{"source_down":{"waspada":900}}"#),
    ("store", r#"{"sources":"store"}"#, r#"{"source_down":{"waspada":900}}"#),
];

#[tokio::test]
async fn a_rule_of_the_first_format_keeps_its_condition_and_what_it_watches() {
    let directory = tempfile::tempdir().unwrap();
    let old = Connection::open(directory.path().join("registry.db")).unwrap();
    old.execute_batch(include_str!("../old/registry-1.sql")).unwrap();
    for (id, target, condition) in FIRST_RULES {
        let text = r#"{"id":"x","en":"x"}"#;
        let hold_s = if condition.contains("threshold") { 60 } else { 0 };
        let json = format!(
            r#"{{"id":"{id}","name":{text},"target":{target},"condition":{condition},"hold_s":{hold_s},"source":{text},"channels":[]}}"#
        );
        old.execute("INSERT INTO item VALUES ('rule', ?1, 0, ?2, 4)", [id, &json]).unwrap();
    }
    drop(old);
    let registry = open(directory.path()).await;
    let written = |id: &str, condition: &str, levels: &str| {
        let condition = if condition.is_empty() { String::new() } else { format!("condition = \"{condition}\"\n") };
        format!("[[rule]]\nid = \"{id}\"\nname = \"x\"\nsource = \"x\"\n{condition}{levels}\n")
    };
    let after = "waspada = { after_s = 900 }";
    let catalogue = [
        written(
            "parameter",
            "",
            "parameter = \"ph\"\nkind = \"water\"\ndirection = \"above\"\nhold_s = 60\nsiaga = { raise = 9.0, clear = 8.5 }",
        ),
        written("stations", "no_data", after),
        written("stations-of-kind", "no_data", &format!("kind = \"water\"\n{after}")),
        written("station", "no_data", &format!("station = \"mlg-01\"\n{after}\nawas = {{ after_s = 3600 }}")),
        written("sources", "source_down", after),
        written("source", "source_down", &format!("mqtt_source = \"kota\"\n{after}")),
        written("store", "store_down", after),
    ];
    let plan = plan(&registry, &catalogue.concat(), false).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.render(Language::En));
    let oxygen = &registry.snapshot().rules["oxygen"];
    assert_eq!(oxygen.datastream(), Some(&name("mlg-01/do@50cm")));
}
