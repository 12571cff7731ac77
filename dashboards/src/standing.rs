//! How sure a figure is, as the catalogue marks it in the text that says where figures come from.
//!
//! `[S6]`, `[S1, S2]`, `[S6: three transcriptions]`: taken from a written source of the list that the mark names. `[M-high]`,
//! `[M-med]`, `[M-low]`, also as `[both M-med]` or bare as `M-low`: written from memory, with that confidence. The
//! catalogue keeps the marks; pages show a plain word in their place, and the text as it is behind that.

/// How sure a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nobody has compared it with a source.
    Unverified,
    /// It was compared with a written source.
    Verified,
}

/// A piece of such a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// As it is written.
    Plain(&'t str),
    /// A mark: what it says, and its letters without brackets.
    Mark(Standing, &'t str),
}

/// The pieces of a text, in order; put together, with brackets around those marks that had them, they are the text.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, standing, mark, behind)) = next_mark(rest) {
        if !before.is_empty() {
            pieces.push(Piece::Plain(before));
        }
        pieces.push(Piece::Mark(standing, mark));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// How sure the whole is: as sure as its least sure figure. A text without a mark names no source that was compared.
pub(crate) fn of(text: &str) -> Standing {
    let marks = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Plain(_) => None,
        Piece::Mark(standing, _) => Some(standing),
    });
    marks.min().unwrap_or(Standing::Unverified)
}

/// What stands before the first mark, the mark, and what stands behind it.
fn next_mark(text: &str) -> Option<(&str, Standing, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(['[', 'M'])?;
        let (before, here) = text.split_at(at);
        if let Some((inside, behind)) = here.strip_prefix('[').and_then(|inside| inside.split_once(']'))
            && let Some(standing) = standing_of(inside)
        {
            return Some((before, standing, inside, behind));
        }
        let alone = before.chars().next_back().is_none_or(|letter| !letter.is_alphanumeric());
        if let Some(mark) = memory(here).filter(|_| alone) {
            return Some((before, Standing::Unverified, mark, &here[mark.len()..]));
        }
        from = at + 1;
    }
}

/// What the inside of brackets says; `None` where it is no mark.
fn standing_of(inside: &str) -> Option<Standing> {
    let words = || inside.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    if words().any(|word| memory(word) == Some(word)) {
        return Some(Standing::Unverified);
    }
    let source = |word: &str| word.strip_prefix('S').is_some_and(is_number);
    words().next().is_some_and(source).then_some(Standing::Verified)
}

/// The number of a source, such as `6` or `9b`.
fn is_number(text: &str) -> bool {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    !digits.is_empty() && text.len() - digits.len() < 2 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The mark of memory that a text begins with.
fn memory(text: &str) -> Option<&str> {
    let mark = ["M-high", "M-med", "M-low"].into_iter().find(|mark| text.starts_with(mark))?;
    let ends = text[mark.len()..].chars().next().is_none_or(|letter| !letter.is_alphanumeric());
    ends.then(|| &text[..mark.len()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Piece::{Mark, Plain},
        Standing::{Unverified, Verified},
        *,
    };

    #[test]
    fn marks_in_brackets_and_bare_ones_are_found() {
        let text = "55 µg/m³ [S6: tiga transkripsi]; 350 [S1, S2]; 35 [keduanya M-med]; awas: pilihan sendiri, M-low.";
        let expected = [
            Plain("55 µg/m³ "),
            Mark(Verified, "S6: tiga transkripsi"),
            Plain("; 350 "),
            Mark(Verified, "S1, S2"),
            Plain("; 35 "),
            Mark(Unverified, "keduanya M-med"),
            Plain("; awas: pilihan sendiri, "),
            Mark(Unverified, "M-low"),
            Plain("."),
        ];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn what_only_looks_like_a_mark_stays_as_it_is() {
        for text in
            ["Permen LHK P.14/MENLHK/SETJEN", "[lihat lampiran]", "[S]", "[Sx6]", "SM-low", "M-lower", "[S6", "M", ""]
        {
            let expected: Vec<Piece<'_>> = (!text.is_empty()).then_some(Plain(text)).into_iter().collect();
            assert_eq!(pieces(text), expected, "{text}");
            assert_eq!(of(text), Unverified, "{text}");
        }
    }

    #[test]
    fn the_least_sure_figure_decides() {
        assert_eq!(of("a [S6]; b [S9b]"), Verified);
        assert_eq!(of("a [S6]; b [M-high untuk 2 mg/L, lainnya M-med]"), Unverified);
        assert_eq!(of("a [S6]; b M-low"), Unverified);
    }

    proptest! {
        #[test]
        fn nothing_of_a_text_is_lost(text in "(a|é| |\\[|\\]|S6|, |M-med|M-lo|w|: ){0,12}") {
            let mut rest = text.as_str();
            for piece in pieces(&text) {
                rest = match piece {
                    Plain(plain) => rest.strip_prefix(plain).unwrap(),
                    Mark(_, mark) => match rest.strip_prefix('[').and_then(|inside| inside.strip_prefix(mark)) {
                        Some(behind) => behind.strip_prefix(']').unwrap(),
                        None => rest.strip_prefix(mark).unwrap(),
                    },
                };
            }
            prop_assert_eq!(rest, "");
        }
    }
}
