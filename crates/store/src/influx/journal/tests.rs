use super::*;
use crate::StoreErrorKind;

#[test]
fn a_journal_of_a_newer_version_is_refused_in_words_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NewerFormat);
    let said = error.to_string();
    assert!(said.contains("newer version of Bakau") && said.contains("format 99"), "{said}");
    let left: i64 =
        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(left, 99);
}
