//! What earlier versions left behind is read as it was meant.

use bakau_model::Level;
use rusqlite::Connection;

use super::{Db, schema::ALERTS};
use crate::AlertId;

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
        let detail = db.detail(&AlertId::from_bytes(&id).unwrap()).await.unwrap().unwrap();
        let latest = detail.alert.acknowledged.as_ref().map(|taken| taken.level);
        let all: Vec<_> = detail.acknowledgements.iter().map(|taken| (taken.by.clone(), taken.level)).collect();
        found.push((latest, detail.alert.is_in_hand(), all));
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
    assert_eq!((mark("application_id"), mark("user_version")), (ALERTS.application_id, 6));
}
