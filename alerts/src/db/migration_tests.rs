//! What earlier versions left behind is read as it was meant.

use std::path::Path;

use bakau_model::Level;
use rusqlite::Connection;

use super::{Db, schema::ALERTS};
use crate::{
    AlertId, AlertQuery, ConditionKind,
    engine::{Reason, Subject},
    message::facts::SubjectFacts,
    testing,
};

/// A database as the first version left it: an alert acknowledged at waspada that is at awas by now, and a closed one.
const BEFORE_LEVELS: &str = "
INSERT INTO alerts (id, rule, rule_name, kind, datastream, level, peak, onset, updated, decided_at, opened_at, closed_at,
                    ack_by, ack_at, ack_note)
VALUES (x'00000000000000000000000000000001', 'r', '{\"id\":\"r\",\"en\":\"r\"}', 'threshold', 'a/do', 3, 3, 0, 0, 0, 0, NULL,
        'Sari', 15, 'menuju lokasi'),
       (x'00000000000000000000000000000002', 'r', '{\"id\":\"r\",\"en\":\"r\"}', 'threshold', 'a/do', 0, 2, 0, 0, 0, 0, 30,
        'Budi', 30, NULL),
       (x'00000000000000000000000000000003', 'r', '{\"id\":\"r\",\"en\":\"r\"}', 'threshold', 'a/do', 1, 1, 0, 0, 0, 0, NULL,
        NULL, NULL, NULL);
INSERT INTO transitions (alert, sequence, from_level, to_level, reason, observed_at, decided_at, rule_revision, facts)
VALUES (x'00000000000000000000000000000001', 1, 0, 1, 'threshold', 10, 10, 1, ''),
       (x'00000000000000000000000000000001', 2, 1, 3, 'threshold', 20, 20, 1, ''),
       (x'00000000000000000000000000000002', 1, 0, 2, 'threshold', 10, 10, 1, ''),
       (x'00000000000000000000000000000002', 2, 2, 0, 'threshold', 30, 30, 1, '');
PRAGMA user_version = 1;
";

#[tokio::test]
async fn acknowledgements_from_before_they_had_levels_get_the_level_of_their_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(ALERTS.migrations[0]).unwrap();
    old.execute_batch(BEFORE_LEVELS).unwrap();
    drop(old);

    let db = Db::open(&path).unwrap();
    let mut found = Vec::new();
    for number in 1..=3 {
        let mut id = [0; 16];
        id[15] = number;
        let detail = db.detail(AlertId::from_bytes(&id).unwrap()).await.unwrap().unwrap();
        let latest = detail.alert.acknowledged.as_ref().map(|taken| taken.level);
        let all: Vec<_> = detail.acknowledgements.iter().map(|taken| (taken.by.clone(), taken.level)).collect();
        found.push((latest, detail.alert.is_acknowledged(), all));
    }
    let expected = [
        (Some(Level::Waspada), false, vec![("Sari".to_owned(), Level::Waspada)]),
        (Some(Level::Siaga), true, vec![("Budi".to_owned(), Level::Siaga)]),
        (None, false, vec![]),
    ];
    assert_eq!(found, expected, "nobody has taken the awas that followed");
    db.close().await;
}

#[tokio::test]
async fn a_file_from_before_files_had_a_mark_keeps_what_it_holds_and_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.db");
    let old = Connection::open(&path).unwrap();
    for migration in &ALERTS.migrations[..5] {
        old.execute_batch(migration).unwrap();
    }
    let rows = "INSERT INTO mutes VALUES ('r', 1000, 'Sari'); UPDATE cursor SET seq = 7; PRAGMA user_version = 5;
                INSERT INTO link_key VALUES (1, zeroblob(32));";
    old.execute_batch(rows).unwrap();
    drop(old);

    let db = Db::open(&path).unwrap();
    let loaded = db.load().await.unwrap();
    assert_eq!((loaded.cursor.get(), loaded.engine.mutes[0].by.as_str()), (7, "Sari"));
    assert_eq!(db.link_key().await.unwrap().bytes(), &[0; 32], "links that were sent stay valid");
    db.close().await;
    let marks = Connection::open(&path).unwrap();
    let mark = |name: &str| marks.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0)).unwrap();
    assert_eq!(
        (mark("application_id"), mark("user_version")),
        (ALERTS.application_id, i32::try_from(ALERTS.migrations.len()).unwrap())
    );
}

/// The facts of a transition as they were stored while the store was a source, and of what else there was.
fn old_facts(kind: &str, subject: serde_json::Value, reason: &str) -> String {
    let facts = testing::facts(Level::Normal, Level::Siaga, Reason::NoData, 1.0, None);
    let mut old = serde_json::to_value(facts).unwrap();
    (old["kind"], old["subject"], old["reason"]) = (kind.into(), subject, reason.into());
    old["rule"]["condition"] = serde_json::json!({ kind: { "siaga": 60 } });
    old.to_string()
}

/// A file of format 6.
fn format_6(path: &Path) -> Connection {
    let old = Connection::open(path).unwrap();
    for migration in &ALERTS.migrations[..6] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "application_id", ALERTS.application_id).unwrap();
    old.pragma_update(None, "user_version", 6).unwrap();
    old
}

/// An alert of a kind by its old words, with its first transition.
fn put_old(old: &Connection, number: u8, kind: &str, source: Option<&str>, subject: serde_json::Value, reason: &str) {
    let id = [number; 16];
    let alert =
        "INSERT INTO alerts (id, rule, rule_name, kind, source, level, peak, onset, updated, decided_at, opened_at)
                 VALUES (?1, 'r', '{\"id\":\"r\",\"en\":\"r\"}', ?2, ?3, 2, 2, 0, 0, 0, 0)";
    old.execute(alert, (id, kind, source)).unwrap();
    let facts = old_facts(kind, subject, reason);
    let transition = "INSERT INTO transitions (alert, sequence, from_level, to_level, reason, observed_at, decided_at,
                      rule_revision, facts) VALUES (?1, 1, 0, 2, ?2, 0, 0, 1, ?3)";
    old.execute(transition, (id, reason, facts)).unwrap();
}

#[tokio::test]
async fn the_store_was_a_source_and_no_data_was_called_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.db");
    let old = format_6(&path);
    let station = SubjectFacts::Station(
        testing::facts(Level::Normal, Level::Siaga, Reason::NoData, 1.0, None).station().unwrap().clone(),
    );
    let source = |name: &str| serde_json::json!({ "source": name });
    let alerts = [
        ("source_down", Some("store"), source("store"), "source_down"),
        ("source_down", Some("kota"), source("kota"), "source_down"),
        ("source_down", Some("store"), source("store"), "returned"),
        ("silence", None, serde_json::to_value(&station).unwrap(), "stale"),
    ];
    for (number, (kind, source, subject, reason)) in (1u8..).zip(alerts) {
        put_old(&old, number, kind, source, subject, reason);
    }
    old.execute_batch("INSERT INTO heard (subject, last) VALUES ('source store', 5), ('source kota', 6)").unwrap();
    drop(old);

    let db = Db::open(&path).unwrap();
    let mut alerts = db.list(&AlertQuery::default()).await.unwrap();
    alerts.sort_by_key(|alert| alert.id);
    let kinds: Vec<_> =
        alerts.iter().map(|alert| (alert.kind, alert.source.as_ref().map(ToString::to_string))).collect();
    let kota = (ConditionKind::SourceDown, Some("kota".to_owned()));
    assert_eq!(
        kinds,
        [(ConditionKind::StoreDown, None), kota, (ConditionKind::StoreDown, None), (ConditionKind::NoData, None)]
    );
    let mut told = Vec::new();
    for alert in &alerts {
        let facts = db.last_facts(alert.id).await.unwrap().unwrap();
        let logged = db.detail(alert.id).await.unwrap().unwrap().transitions[0].reason;
        told.push((facts.kind, facts.subject, facts.reason, logged));
    }
    let (store, kota) = (SubjectFacts::Store, SubjectFacts::Source("kota".parse().unwrap()));
    let expected = [
        (ConditionKind::StoreDown, store.clone(), Reason::StoreDown, Reason::StoreDown),
        (ConditionKind::SourceDown, kota, Reason::SourceDown, Reason::SourceDown),
        (ConditionKind::StoreDown, store, Reason::Returned, Reason::Returned),
        (ConditionKind::NoData, station, Reason::NoData, Reason::NoData),
    ];
    assert_eq!(told, expected);
    let heard: Vec<_> = db.load().await.unwrap().engine.heard.into_iter().map(|(subject, _)| subject).collect();
    assert!(heard.contains(&Subject::Store) && heard.len() == 2, "{heard:?}");
    db.close().await;
    let log = Connection::open(&path).unwrap();
    assert!(log.execute("UPDATE transitions SET reason = 'x'", []).is_err(), "the decision log stays append-only");
}
