use proptest::prelude::*;

use super::*;

fn answered(status: u16) -> Answered {
    Answered { status, retry_after: None, date: None, text: r#"{"message":"no"}"#.to_owned() }
}

/// Halves until single lines are left.
fn singles(body: &str) -> Vec<String> {
    let (mut pieces, mut refused) = (vec![Bytes::from(body.to_owned())], Vec::new());
    while let Some(piece) = pieces.pop() {
        halve(&piece, &answered(422), &mut pieces, &mut refused);
    }
    refused.into_iter().map(|refused| refused.line).collect()
}

#[test]
fn a_piece_is_halved_from_the_left() {
    let (mut pieces, mut refused) = (Vec::new(), Vec::new());
    halve(&Bytes::from("a\nb\nc\n"), &answered(413), &mut pieces, &mut refused);
    assert_eq!(pieces, ["c\n", "a\nb\n"]);
    assert_eq!(refused, []);
}

proptest! {
    #[test]
    fn halving_ends_with_every_line_once_and_in_order(lines in prop::collection::vec("[a-z]{1,40}", 1..40)) {
        let body = lines.join("\n") + "\n";
        prop_assert_eq!(singles(&body), lines);
    }

    #[test]
    fn cutting_loses_nothing_and_cuts_no_line(lines in prop::collection::vec("[a-z]{0,40}", 0..40), length in 1..60_usize) {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let pieces = cut(Bytes::from(body.clone()), length);
        prop_assert!(pieces.iter().all(|piece| piece.ends_with(b"\n") && piece.len() <= length + 42));
        prop_assert_eq!(pieces.concat(), body.into_bytes());
    }
}
