//! What earlier versions left behind is read as it was meant.

use bakau_model::Level;

use super::{Db, schema};
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
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(schema::MIGRATIONS[0]).execute(&pool).await.unwrap();
    sqlx::raw_sql(BEFORE_LEVELS).execute(&pool).await.unwrap();
    pool.close().await;

    let db = Db::open(&path).await.unwrap();
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
