use bakau_model::DeclaredCode;
use proptest::prelude::*;

use super::*;

fn slot() -> Slot {
    Slot {
        path: "/x".to_owned(),
        parameter: Parameter::new("do").unwrap(),
        qualifier: None,
        unit: Unit::new("mg/L"),
        gas: None,
        missing: Missing::default(),
        decimal_comma: None,
        unit_texts: Vec::new(),
    }
}

fn words(words: &[&str]) -> Missing {
    let codes: Vec<_> = words.iter().map(|word| DeclaredCode::Word((*word).to_owned())).collect();
    Missing::of(codes.iter())
}

fn text_of(slot: &Slot, text: &str) -> RawValue {
    Values { slots: &[], of_source: &Missing::default() }.text(slot, text)
}

fn bare_of(slot: &Slot, text: &str) -> RawValue {
    Values { slots: &[], of_source: &Missing::default() }.bare(slot, text)
}

fn detail(value: RawValue) -> String {
    match value {
        RawValue::NotANumber(detail) => detail,
        other => panic!("{other:?} is a value"),
    }
}

#[test]
fn numbers_in_texts_are_read_as_people_write_them() {
    for (text, number) in [
        ("05.12", 5.12),
        ("+7.3", 7.3),
        (".5", 0.5),
        ("5.", 5.0),
        (" 512 ", 512.0),
        ("\t-1.5e-3\r\n", -0.0015),
        ("7.2\0\0", 7.2),
    ] {
        assert_eq!(text_of(&slot(), text), RawValue::Number(number), "{text:?}");
    }
}

#[test]
fn a_comma_is_the_decimal_sign_only_where_that_is_declared() {
    let comma = Slot { decimal_comma: Some(true), ..slot() };
    for (text, number) in [("5,12", 5.12), ("-7,3", -7.3), (",5", 0.5), ("1,234", 1.234), ("28,4e1", 284.0)] {
        assert_eq!(text_of(&comma, text), RawValue::Number(number), "{text}");
        assert!(detail(text_of(&slot(), text)).contains(text), "{text}");
    }
    assert_eq!(
        detail(text_of(&slot(), "5,12")),
        "\"5,12\" has a comma: write decimal_comma = true at its value or route if it is the decimal sign"
    );
    for (text, number) in [("05.12", 5.12), ("0.123", 0.123), ("12.5", 12.5), ("1234.567", 1234.567), ("512", 512.0)] {
        assert_eq!(text_of(&comma, text), RawValue::Number(number), "{text}");
    }
    for text in ["1.234", "-12.345", "1.234,5", "1,234,567", "5,1,2", "1 234,5"] {
        assert!(detail(text_of(&comma, text)).contains("thousands grouped"), "{text}");
    }
    assert!(detail(text_of(&slot(), "1,234.5")).contains("thousands grouped"));
}

#[test]
fn a_unit_behind_the_number_is_read_only_where_it_is_declared() {
    let named = Slot { unit_texts: vec!["NTU".into(), "°C".into()], decimal_comma: Some(true), ..slot() };
    for (text, number) in [("12.1 NTU", 12.1), ("12.1NTU", 12.1), ("12,1 °C", 12.1), ("12.1", 12.1)] {
        assert_eq!(text_of(&named, text), RawValue::Number(number), "{text}");
    }
    assert_eq!(
        detail(text_of(&slot(), "12.1 NTU")),
        "\"12.1 NTU\" has \"NTU\" behind its number: add that to unit_texts of this value if it is its unit"
    );
    for text in ["12.1 mNTU", "12.1 ntu", "NTU", "12.1 NTU NTU"] {
        detail(text_of(&named, text));
    }
    // Following such advice would make another number of a damaged one.
    for text in ["0x10", "1_000", "1/2", "7.2e", "7.3\u{fffd}", "5'000"] {
        assert!(!detail(text_of(&slot(), text)).contains("unit_texts"), "{text}");
    }
    let no_comma = Slot { decimal_comma: None, ..named };
    assert!(detail(text_of(&no_comma, "5,12 NTU")).contains("decimal_comma = true"));
}

#[test]
fn codes_and_words_of_value_and_source_mean_no_value_however_they_are_written() {
    let slot = Slot { missing: words(&["---", "-9999", ""]), ..slot() };
    let of_source = words(&["unavailable", "327.67"]);
    let values = Values { slots: &[], of_source: &of_source };
    for text in ["---", " --- ", "-9999.00", "", "Unavailable", "327.670"] {
        assert_eq!(values.text(&slot, text), RawValue::Null, "{text:?}");
        assert_eq!(values.bare(&slot, text), RawValue::Null, "{text:?}");
    }
    assert_eq!(values.number(&slot, "-9.999e3"), RawValue::Null);
    assert_eq!(values.number(&slot, "-9998"), RawValue::Number(-9998.0));
    assert_eq!(values.other(&Slot { missing: words(&["false"]), ..slot }, "false"), RawValue::Null);
    let unknown = detail(values.text(&self::slot(), "---"));
    assert_eq!(
        unknown,
        "\"---\" is no number: add it to missing of this value, its route or source if it means \"no value\""
    );
}

#[test]
fn words_of_printers_without_quotes_mean_no_value_and_infinities_are_no_numbers() {
    for word in ["nan", "NaN", "-nan", "nan(ind)", "-nan(0x8000)", "1.#QNAN", "-1.#IND00", "None", "NULL", "undefined"]
    {
        assert_eq!(bare_of(&slot(), word), RawValue::Null, "{word}");
        detail(text_of(&slot(), word));
    }
    for word in ["inf", "-inf", "Infinity", "-INFINITY", "+inf", "1.#INF"] {
        assert_eq!(detail(bare_of(&slot(), word)), format!("\"{word}\" is no finite number"));
        let declared = Slot { missing: words(&[word]), ..slot() };
        assert_eq!(bare_of(&declared, word), RawValue::Null, "{word}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_finite_number_nothing_or_told_in_words(text in ".{0,80}|[-+0-9.,eE NTU]{0,20}", comma in any::<bool>()) {
        let slot = Slot { decimal_comma: Some(comma), unit_texts: vec!["NTU".into()], missing: words(&["-9"]), ..slot() };
        for value in [text_of(&slot, &text), bare_of(&slot, &text)] {
            match value {
                RawValue::Number(number) => prop_assert!(number.is_finite()),
                RawValue::Null => {}
                RawValue::NotANumber(detail) => prop_assert!(!detail.is_empty() && detail.len() <= 1_024),
                RawValue::OtherUnit(_) => prop_assert!(false),
            }
        }
    }

    #[test]
    fn any_number_printed_with_point_comma_or_unit_is_read_to_the_last_bit(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
        let comma = Slot { decimal_comma: Some(true), unit_texts: vec!["NTU".into()], ..slot() };
        let printed = format!("{number:e}");
        for text in [printed.clone(), format!(" {number} "), format!("{number:+e}")] {
            prop_assert_eq!(text_of(&slot(), &text), RawValue::Number(number));
        }
        let with_comma = if printed.contains('.') { printed.replace('.', ",") } else { printed.replace('e', ",0e") };
        prop_assert_eq!(text_of(&comma, &format!("{with_comma} NTU")), RawValue::Number(number));
    }
}
