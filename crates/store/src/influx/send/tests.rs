use super::*;

#[test]
fn lines_that_an_answer_names_are_found_again() {
    let text = r#"{"code":"invalid","message":"unable to parse 'b x': invalid field format\nunable to parse 'd v=y 2': invalid number"}"#;
    let found = named(text, &["a v=1 1", "b x", "c v=1 1", "d v=y 2"]).unwrap();
    assert_eq!(found, BTreeMap::from([(1, "invalid field format".to_owned()), (3, "invalid number".to_owned())]));
}

#[test]
fn an_answer_that_names_what_was_not_sent_is_not_believed() {
    let text = r#"{"message":"unable to parse 'z': nonsense"}"#;
    assert_eq!(named(text, &["a v=1 1"]), None);
    assert_eq!(named("no json at all", &["a v=1 1"]), None);
}

#[test]
fn a_piece_is_halved_from_the_left() {
    let mut pieces = Vec::new();
    halve(&["a", "b", "c"], &mut pieces);
    assert_eq!(pieces, [vec!["b", "c"], vec!["a"]]);
}
