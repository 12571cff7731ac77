//! Codes and words by which instruments say that they have no value, and how decimal numbers are written in texts.

use serde::{Deserialize, Serialize};

/// Most codes and words of one list.
const MAX_CODES: usize = 32;

/// Longest word, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// One code or word for "no value", as written in configuration: `-9999` or `"---"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number or a text, such as -9999 or \"---\"")]
pub enum DeclaredCode {
    /// A number, in the unit the device sends.
    Number(f64),
    /// A text; one that is a number stands for that number.
    Word(String),
}

/// Why a list of codes cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMissing {
    /// Too many entries.
    #[error("at most {MAX_CODES} codes and words")]
    TooMany,
    /// NaN or an infinity as a number.
    #[error("a code must be a finite number: write a word as text, such as \"inf\"")]
    NotFinite,
    /// A word that is too long or has control characters.
    #[error("a word has at most {MAX_WORD_BYTES} bytes and no line breaks")]
    Word,
}

/// Codes and words for "no value", ready for comparing.
///
/// Numbers are compared as numbers (`-9999` is `-9999.00`), words without white space around them and without regard to
/// ASCII case.
///
/// ```
/// use bakau_model::{Missing, DeclaredCode};
/// let missing = Missing::of([DeclaredCode::Number(-9999.0), DeclaredCode::Word("N/A".to_owned())].iter());
/// assert!(missing.has_number(-9999.0) && missing.has_word("n/a"));
/// assert!(!missing.has_number(9999.0) && !missing.has_word(""));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Missing {
    numbers: Vec<f64>,
    words: Vec<Box<str>>,
}

impl Missing {
    /// Compiles lists of codes, such as those of a value and of its route.
    #[must_use]
    pub fn of<'a>(codes: impl Iterator<Item = &'a DeclaredCode>) -> Self {
        let mut missing = Self::default();
        missing.extend(codes);
        missing
    }

    /// Adds the codes of another list.
    pub fn extend<'a>(&mut self, codes: impl Iterator<Item = &'a DeclaredCode>) {
        for code in codes {
            match code {
                DeclaredCode::Number(number) => self.numbers.push(*number),
                DeclaredCode::Word(word) => match decimal(trim(word)) {
                    Some(number) => self.numbers.push(number),
                    None => self.words.push(trim(word).into()),
                },
            }
        }
    }

    /// Checks a list as it is written.
    ///
    /// # Errors
    /// When it is too long, or one of its entries can be compared with nothing.
    pub fn check(codes: &[DeclaredCode]) -> Result<(), InvalidMissing> {
        if MAX_CODES < codes.len() {
            return Err(InvalidMissing::TooMany);
        }
        codes.iter().try_for_each(|code| match code {
            DeclaredCode::Number(number) if number.is_finite() => Ok(()),
            DeclaredCode::Number(_) => Err(InvalidMissing::NotFinite),
            DeclaredCode::Word(word) if MAX_WORD_BYTES < word.len() || word.chars().any(char::is_control) => {
                Err(InvalidMissing::Word)
            }
            DeclaredCode::Word(_) => Ok(()),
        })
    }

    /// Whether a number, in the unit of the device, means "no value".
    #[must_use]
    pub fn has_number(&self, number: f64) -> bool {
        self.numbers.contains(&number)
    }

    /// Whether a text without white space around it means "no value".
    #[must_use]
    pub fn has_word(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.eq_ignore_ascii_case(text))
    }
}

/// A text without what surrounds values in buffers of fixed size and in files cut into lines: white space, NUL and byte
/// order marks.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}

/// Whether a text behind a number can be its unit, and no part of a number that is cut, damaged or written another way:
/// with `x10` as a unit `0x10` would be 0, with `e` a number that lost its exponent would be another one.
///
/// ```
/// use bakau_model::is_unit_text;
/// assert!(["NTU", "mg/L", "\u{b0}C", "%", "each", "xyz"].into_iter().all(is_unit_text));
/// assert!(!["", " NTU", "x10", "_000", "/2", "e", "E+", "5", ",2", "\u{fffd}C"].into_iter().any(is_unit_text));
/// ```
#[must_use]
pub fn is_unit_text(text: &str) -> bool {
    let mut rest = text.chars();
    let (first, second) = (rest.next(), rest.next());
    let in_number = |c: char| c.is_numeric() || matches!(c, '+' | '-' | '.' | ',' | '_' | '/' | '\'');
    let of_number = match first {
        None => true,
        Some('e' | 'E') => second.is_none_or(in_number),
        Some('x' | 'X') => second.is_none_or(|c| c.is_ascii_hexdigit()),
        Some(c) => in_number(c),
    };
    !of_number && trim(text) == text && !text.contains(|c: char| c.is_control() || c == '\u{fffd}')
}

/// How many bytes at the start of a text are a decimal number: an optional sign, digits that may be missing on one side
/// of the point, and an optional exponent.
///
/// ```
/// use bakau_model::decimal_end;
/// assert_eq!(["+7.3", ".5", "05.12", "5.", "1e3", "12.1 NTU", "-", ""].map(decimal_end), [4, 2, 5, 2, 3, 4, 0, 0]);
/// ```
#[must_use]
pub fn decimal_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(bytes.first().is_some_and(|byte| matches!(byte, b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0;
    }
    if bytes.get(end).is_some_and(|byte| matches!(byte, b'e' | b'E')) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|byte| matches!(byte, b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent != 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// The number a text is, if it is one decimal number and nothing else; infinite when it is too large for a double.
#[must_use]
pub fn decimal(text: &str) -> Option<f64> {
    if text.is_empty() || decimal_end(text) != text.len() { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn missing(codes: &[DeclaredCode]) -> Missing {
        Missing::check(codes).unwrap();
        Missing::of(codes.iter())
    }

    fn word(text: &str) -> DeclaredCode {
        DeclaredCode::Word(text.to_owned())
    }

    #[test]
    fn a_word_that_is_a_number_stands_for_the_number_however_it_is_written() {
        let missing = missing(&[word(" -9999.00 "), word("NAN"), word("")]);
        assert!(missing.has_number(-9999.0));
        assert!(missing.has_word("nan") && missing.has_word(""));
        assert!(!missing.has_word("-9999.00") && !missing.has_word("nan "));
    }

    #[test]
    fn what_can_be_compared_with_nothing_is_refused() {
        assert_eq!(Missing::check(&[DeclaredCode::Number(f64::NAN)]), Err(InvalidMissing::NotFinite));
        assert_eq!(Missing::check(&[word("a\nb")]), Err(InvalidMissing::Word));
        assert_eq!(Missing::check(&[word(&"x".repeat(65))]), Err(InvalidMissing::Word));
        assert_eq!(Missing::check(&vec![DeclaredCode::Number(1.0); 33]), Err(InvalidMissing::TooMany));
        assert_eq!(Missing::check(&vec![DeclaredCode::Number(1.0); 32]), Ok(()));
    }

    #[test]
    fn numbers_and_texts_are_read_from_toml_and_others_refused_in_words() {
        #[derive(Debug, Deserialize)]
        struct Table {
            missing: Vec<DeclaredCode>,
        }
        let table: Table = toml::from_str("missing = [-9999, 327.67, '---']").unwrap();
        assert_eq!(table.missing, [DeclaredCode::Number(-9999.0), DeclaredCode::Number(327.67), word("---")]);
        let error = toml::from_str::<Table>("missing = [true]").unwrap_err().to_string();
        assert!(error.contains("a number or a text, such as -9999"), "{error}");
    }

    proptest! {
        #[test]
        fn a_decimal_number_is_what_the_standard_library_reads_without_words(text in "[-+.0-9eE]{0,12}|.{0,12}") {
            let theirs = text.parse::<f64>().ok().filter(|_| text.bytes().all(|byte| !byte.is_ascii_alphabetic() || byte.eq_ignore_ascii_case(&b'e')));
            prop_assert_eq!(decimal(&text).map(f64::to_bits), theirs.map(f64::to_bits), "{}", text);
            prop_assert!(decimal_end(&text) <= text.len());
        }
    }
}
