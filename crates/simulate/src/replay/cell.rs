//! One cell of a measured file as a JSON value: the digits stay as they are written.

use bakau_model::{Missing, decimal_end, trim};

/// Content of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value: empty, one of the map's codes and words for it, or only flags.
    Empty,
    /// A number, as JSON text.
    Number(String),
}

/// Reads a cell: an optional sign, a decimal number, and behind it flags such as `<-3> [GSM] (CWD)`, which are left out.
///
/// The number is not converted: `7.20` stays `7.20`. Only what JSON does not allow is rewritten (`.5`, `+1`, `5.`, `007`).
///
/// # Errors
/// When the cell is neither empty nor a finite decimal number with or without flags.
pub fn read(cell: &str, missing: &Missing) -> Result<Cell, &'static str> {
    let text = trim(cell);
    if text.is_empty() || missing.has_word(text) {
        return Ok(Cell::Empty);
    }
    let end = decimal_end(text);
    let (number, rest) = text.split_at(end);
    let flags = rest.trim_start();
    if !flags.is_empty() && !flags.starts_with(['<', '[', '(']) {
        return Err("is not a number");
    }
    if number.is_empty() {
        return Ok(Cell::Empty);
    }
    match number.parse::<f64>() {
        Ok(value) if missing.has_number(value) => Ok(Cell::Empty),
        Ok(value) if value.is_finite() => Ok(Cell::Number(to_json(number))),
        Ok(_) | Err(_) => Err("is not a finite number"),
    }
}

/// The same digits in the grammar of JSON (RFC 8259, section 6).
fn to_json(number: &str) -> String {
    let (minus, unsigned) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let mantissa_end = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(mantissa_end);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{minus}{whole}{point}{fraction}{exponent}")
}

#[cfg(test)]
mod tests {
    use bakau_model::DeclaredCode;
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> String {
        match read(text, &Missing::default()) {
            Ok(Cell::Number(number)) => number,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn digits_stay_as_they_are_written() {
        for text in ["7.20", "0", "-0.0", "1e5", "12.6586", "0.1000000000000000055511151231257827", "-3E-7"] {
            assert_eq!(number(text), text);
        }
    }

    #[test]
    fn numbers_that_json_does_not_know_are_rewritten() {
        for (text, json) in [
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("+1", "1"),
            ("5.", "5"),
            ("007", "7"),
            ("-00.10", "-0.10"),
            ("1.e3", "1e3"),
        ] {
            assert_eq!(number(text), json);
            serde_json::from_str::<f64>(json).unwrap();
        }
    }

    #[test]
    fn flags_behind_a_number_are_left_out() {
        for text in ["7.2 <-3> [GSM] (CWD)", "7.2<0>", "7.2 [SPC] (CSM)", " 7.2 (CTS)"] {
            assert_eq!(number(text), "7.2");
        }
    }

    #[test]
    fn empty_cells_codes_and_words_and_flags_alone_are_no_value() {
        let codes = [DeclaredCode::Word("NA".to_owned()), DeclaredCode::Number(-99.0)];
        let missing = Missing::of(codes.iter());
        for text in ["", "  ", "NA", " na ", "-99", "-99.00", "-99 <-3> [GSM]", "<-2> [GMC]", "(CWD)"] {
            assert_eq!(read(text, &missing), Ok(Cell::Empty), "{text}");
        }
        assert_eq!(read("-99", &Missing::default()), Ok(Cell::Number("-99".to_owned())));
        assert_eq!(read("99", &missing), Ok(Cell::Number("99".to_owned())));
    }

    #[test]
    fn other_texts_are_errors() {
        for text in ["NA", "1,5", "1.2.3", "--1", "1 2", "nan", "inf", "1e999", "0x10", "e5", ".", "-", "1e", "５"] {
            assert!(read(text, &Missing::default()).is_err(), "{text} was accepted");
        }
    }

    proptest! {
        #[test]
        fn every_float_written_in_any_way_reads_back_as_itself(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:+}"), format!("{value} <0> (X)")] {
                let json = number(&text);
                prop_assert_eq!(json.parse::<f64>().unwrap().to_bits(), value.to_bits());
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap().is_number());
            }
        }

        #[test]
        fn any_text_is_a_json_number_nothing_or_an_error(text in "[-+.0-9eE<>\\[\\]() ,a]{0,12}|.{0,12}") {
            if let Ok(Cell::Number(json)) = read(&text, &Missing::default()) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap().is_number(), "{text} gave {json}");
            }
        }
    }
}
