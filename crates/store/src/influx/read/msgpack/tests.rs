use proptest::prelude::*;

use super::{super::super::point::Wanted, *};
use crate::StoredObservation;

/// What InfluxDB 2.7.12 sends for some points, the first of which has no `lag` and the second no `tests`.
fn chunk(partial: bool, rows: u8) -> Vec<u8> {
    let text = |text: &str| [&[0xA0 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut out = [&[0x81][..], &text("results"), &[0x91, if partial { 0x83 } else { 0x82 }]].concat();
    out.extend([text("statement_id"), vec![0], text("series")].concat());
    if rows == 0 {
        out.push(0x90);
        return out;
    }
    out.extend([&[0x91, if partial { 0x84 } else { 0x83 }][..], &text("name"), &text("observation")].concat());
    out.extend([&text("columns")[..], &[0x97]].concat());
    ["time", "value", "flag", "lag", "meta", "tests", "increment"].iter().for_each(|column| out.extend(text(column)));
    out.extend([&text("values")[..], &[0x90 | rows]].concat());
    for n in 0..rows {
        out.extend([0x97, 0xD3, 0, 0, 1, 0x9C, 0, 0, 0, n, 0xCB, 0xC0, 0xC3, 0x87, 0x80, 0, 0, 0, 0, 9]);
        out.extend(if n == 0 { vec![0xC0] } else { vec![0xD1, 0x07, 0xD0] });
        out.extend([0xD3, 0, 4, 0, 0, 0, 12, 0, 5]);
        out.push(if n == 1 { 0xC0 } else { n });
        out.extend(if n == 2 { vec![0xCB, 0x3F, 0xD0, 0, 0, 0, 0, 0, 0] } else { vec![0xC0] });
    }
    if partial {
        out.extend([text("partial"), vec![0xC3]].concat());
        out.extend([text("partial"), vec![0xC3]].concat());
    }
    out
}

fn read(pieces: &[&[u8]]) -> Result<Vec<Row>, Broken> {
    let (mut answer, mut rows) = (Answer::new(StoredObservation::FIELDS), Vec::new());
    pieces.iter().try_for_each(|piece| answer.push(piece, &mut rows))?;
    answer.finish().map(|()| rows)
}

fn expected(n: i64) -> Row {
    let at = UtcMillis::new((412 << 32) + n);
    let tests = if n == 1 { 0 } else { n };
    let (meta, increment) = ((4 << 48) + (12 << 16) + 5, (n == 2).then_some(0.25));
    let point = RawPoint { at, value: -9_999.0, flag: 9, lag: 2_000, meta, tests, increment };
    if n == 0 { Row::Torn(at) } else { Row::Whole(point) }
}

#[test]
fn chunks_are_read_and_torn_points_told_apart() {
    let whole = [chunk(true, 2), chunk(false, 3)].concat();
    let rows = read(&[&whole]).unwrap();
    assert_eq!(rows, [expected(0), expected(1), expected(0), expected(1), expected(2)]);
    assert_eq!(read(&[&chunk(false, 0)]), Ok(Vec::new()));
}

#[test]
fn an_answer_cut_anywhere_is_an_error_and_never_a_short_answer() {
    let whole = [chunk(true, 2), chunk(false, 3)].concat();
    for length in 0..whole.len() {
        assert_eq!(read(&[&whole[..length]]), Err(Broken::Early), "cut at {length}");
    }
    // The end of a chunk is the end of the answer only when it says so.
    assert_eq!(read(&[&chunk(true, 2)]), Err(Broken::Early));
}

#[test]
fn errors_are_errors_wherever_they_stand() {
    let said = [&[0x81, 0xA7][..], b"results", &[0x91, 0x81, 0xA5], b"error", &[0xA4], b"gone"].concat();
    let early = [&[0x81, 0xA5][..], b"error", &[0xA4], b"gone"].concat();
    for bytes in [said.clone(), early, [chunk(true, 2), said].concat()] {
        assert_eq!(read(&[&bytes]), Err(Broken::Said("gone".to_owned())));
    }
    for bytes in [b"{\"results\":[]}".to_vec(), [chunk(false, 1), chunk(false, 1)].concat(), vec![0xC1], vec![0x81, 5]]
    {
        assert_eq!(read(&[&bytes]), Err(Broken::Nonsense));
    }
    assert_eq!(read(&[&[0xDB, 0xFF, 0xFF, 0xFF, 0xFF]]), Err(Broken::Nonsense), "a text of 4 GB");
}

proptest! {
    #[test]
    fn the_pieces_of_the_network_do_not_matter(cuts in prop::collection::vec(0_usize..400, 0..12)) {
        let whole = [chunk(true, 4), chunk(true, 2), chunk(false, 3)].concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % whole.len()).chain([0, whole.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&pieces).unwrap().len(), 9);
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300) {
        let _ = read(&[&bytes]);
        // And nearly right ones.
        let mut near = chunk(true, 3);
        near.truncate(at);
        near.append(&mut bytes);
        let _ = read(&[&near]);
    }
}
