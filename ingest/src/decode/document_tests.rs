use std::collections::BTreeMap;

use proptest::prelude::*;

use bakau_model::{QuarantineReason, UtcMillis};

use super::*;
use crate::decode::{PayloadTime, RawReading};
use crate::process::testing::mapping;

fn decode_with(mapping: &JsonMapping, payload: &str) -> Result<Decoded, DecodeError> {
    let mut out = Decoded::default();
    DocumentDecoder::json(mapping).decode(payload.as_bytes(), &mut out).map(|()| out)
}

fn three() -> JsonMapping {
    mapping(Some("/t"), &[("/do", "do", "mg/L"), ("/water/temp", "temperature", "Cel"), ("/s/1/v", "ph", "[pH]")])
}

/// The values of the only set, by slot.
fn values(payload: &str) -> BTreeMap<usize, RawValue> {
    let decoded = decode_with(&three(), payload).unwrap();
    assert_eq!(decoded.sets.len(), 1);
    decoded.readings.into_iter().map(|reading| (reading.slot, reading.value)).collect()
}

fn time(format: TimeFormat, written: &str) -> PayloadTime {
    let mapping = JsonMapping { time_format: format, ..three() };
    decode_with(&mapping, &format!(r#"{{"t":{written}}}"#)).unwrap().sets[0].time.clone()
}

fn detail(payload: &str) -> String {
    decode_with(&three(), payload).unwrap_err().detail
}

#[test]
fn values_are_found_at_any_depth_and_in_arrays() {
    let found = values(r#" {"x":[1,{"do":9}], "water":{"depth":3,"temp":-1.5e1}, "s":[{"v":1},{"v":7.2}], "do":0} "#);
    let expected = [(0, RawValue::Number(0.0)), (1, RawValue::Number(-15.0)), (2, RawValue::Number(7.2))];
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn null_is_a_missing_value_and_an_absent_key_is_no_reading() {
    assert_eq!(values(r#"{"do":null}"#), BTreeMap::from([(0, RawValue::Null)]));
    assert_eq!(values("{}"), BTreeMap::new());
}

#[test]
fn a_string_with_a_plain_number_is_a_number_and_other_things_are_not() {
    assert_eq!(values(r#"{"do":"6.30"}"#), BTreeMap::from([(0, RawValue::Number(6.3))]));
    for bad in [
        r#""6,3""#,
        r#""""#,
        r#"" 6""#,
        r#""NaN""#,
        r#""+6""#,
        r#""0x1F""#,
        r#""007""#,
        "true",
        "[6]",
        "{}",
        "1e999",
        r#""1e999""#,
    ] {
        let found = values(&format!(r#"{{"do":{bad}}}"#));
        assert!(matches!(found.get(&0), Some(RawValue::NotANumber(_))), "{bad} gave {found:?}");
    }
}

#[test]
fn of_a_repeated_key_the_last_one_counts() {
    assert_eq!(values(r#"{"do":1,"do":2}"#), BTreeMap::from([(0, RawValue::Number(2.0))]));
    assert_eq!(values(r#"{"water":{"temp":1},"water":5}"#), BTreeMap::new());
}

#[test]
fn keys_may_be_escaped_in_payload_and_pointer() {
    assert_eq!(values(r#"{"\u0064o":1}"#), BTreeMap::from([(0, RawValue::Number(1.0))]));
    let slashed = mapping(None, &[("/a~1b/c~0d", "do", "mg/L")]);
    assert_eq!(decode_with(&slashed, r#"{"a/b":{"c~d":4}}"#).unwrap().readings.len(), 1);
}

#[test]
fn a_payload_that_is_one_number_can_be_mapped() {
    let whole = mapping(None, &[("", "do", "mg/L")]);
    assert_eq!(decode_with(&whole, "6.5").unwrap().readings[0].value, RawValue::Number(6.5));
    assert!(detail("6.5").contains("neither an object nor an array"));
}

#[test]
fn an_array_of_objects_is_several_sets() {
    let decoded = decode_with(&three(), r#"[{"do":1,"t":"2026-01-01T00:00:00Z"},{},{"do":3}]"#).unwrap();
    let shape: Vec<_> = decoded.sets.iter().map(|set| (set.first, set.count)).collect();
    assert_eq!(shape, [(0, 1), (1, 0), (1, 1)]);
    assert_ne!(decoded.sets[0].time, PayloadTime::Absent);
    assert_eq!(decoded.sets[2].time, PayloadTime::Absent);
}

#[test]
fn a_mapping_into_a_top_level_array_reads_it_as_one_set() {
    let into = mapping(None, &[("/1/value", "do", "mg/L")]);
    let decoded = decode_with(&into, r#"[{"value":1},{"value":2}]"#).unwrap();
    assert_eq!(decoded.readings, [RawReading { slot: 0, value: RawValue::Number(2.0) }]);
}

#[test]
fn too_many_objects_put_the_whole_message_aside() {
    let payload = |objects: usize| format!("[{}]", vec![r#"{"do":1}"#; objects].join(","));
    assert_eq!(decode_with(&three(), &payload(MAX_SETS)).unwrap().sets.len(), MAX_SETS);
    assert_eq!(decode_with(&three(), &payload(MAX_SETS + 1)).unwrap_err().reason, QuarantineReason::TooManyReadings);
}

#[test]
fn what_is_no_json_says_where_and_what_was_expected() {
    assert_eq!(detail(""), "the payload is empty");
    assert_eq!(detail(r#"{"do":NaN}"#), "NaN at byte 6 is no JSON: send null for a missing value");
    assert_eq!(detail(r#"{"do":-Infinity}"#), "-Infinity at byte 6 is no JSON: send null for a missing value");
    assert_eq!(detail(r#"{"do":1"#), "the payload ends at byte 7 where ',' or '}' should be");
    assert_eq!(detail("{'do':1}"), "no JSON at byte 1: expected a string, found \"'do':1}\"");
    for bad in [
        r#"{"do":1,}"#,
        r#"{"do":01}"#,
        r#"{"do":1.}"#,
        r#"{"do":.5}"#,
        r#"{"do":1}x"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\x"}"#,
        "[1,]",
    ] {
        assert!(decode_with(&three(), bad).is_err(), "{bad}");
    }
    assert!(DocumentDecoder::json(&three()).decode(b"{\"do\":\xff}", &mut Decoded::default()).is_err());
}

#[test]
fn sixty_four_levels_are_read_and_sixty_five_are_refused() {
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(decode_with(&three(), &nested(64)).is_ok());
    assert!(detail(&nested(65)).starts_with("more than 64 objects and arrays"));
    assert!(detail(&"[".repeat(1_000_000)).starts_with("more than 64"));
}

#[test]
fn times_are_read_in_the_format_of_the_route() {
    let at = |text: &str| PayloadTime::Device(UtcMillis::parse(text).unwrap());
    assert_eq!(time(TimeFormat::Rfc3339, r#""2026-03-10T07:00:00+07:00""#), at("2026-03-10T00:00:00Z"));
    assert_eq!(time(TimeFormat::EpochS, "1773100800.5"), at("2026-03-10T00:00:00.5Z"));
    assert_eq!(time(TimeFormat::EpochMs, r#""1773100800500""#), at("2026-03-10T00:00:00.5Z"));
    assert_eq!(time(TimeFormat::Rfc3339, "null"), PayloadTime::Absent);
    for bad in [r#""soon""#, "5", "true", "{}", r#""2026-03-10T07:00:00""#] {
        assert!(matches!(time(TimeFormat::Rfc3339, bad), PayloadTime::Invalid(_)), "{bad}");
    }
    for bad in [r#""2026-03-10T07:00:00Z""#, "1e300", "-1e20", "[]"] {
        assert!(matches!(time(TimeFormat::EpochMs, bad), PayloadTime::Invalid(_)), "{bad}");
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let key = prop_oneof![Just("do".to_owned()), Just("water".to_owned()), Just("temp".to_owned()), ".{0,6}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::btree_map(key, inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = DocumentDecoder::json(&three()).decode(&payload, &mut Decoded::default());
    }

    #[test]
    fn almost_json_never_panics(payload in r#"[\[\]{}:,"\\u0-9a-fEe.+\- doNt]{0,80}"#) {
        let ours = decode_with(&mapping(None, &[("", "do", "mg/L"), ("/do", "do", "mg/L")]), &payload);
        let theirs = serde_json::from_str::<serde_json::Value>(&payload);
        // The reference refuses numbers beyond a double and lone surrogates; ours reads on and judges only what is mapped.
        prop_assert!(ours.is_ok() || theirs.is_err(), "{payload}: {ours:?}");
    }

    #[test]
    fn every_mapped_value_is_found_bit_by_bit(document in any_json(), pretty in any::<bool>()) {
        let payload = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let mapping = mapping(None, &[("", "do", "mg/L"), ("/do", "do", "mg/L"), ("/water/temp", "do", "mg/L"), ("/0/do", "do", "mg/L")]);
        let decoded = decode_with(&mapping, &payload).unwrap();
        let found: BTreeMap<_, _> = decoded.readings.iter().map(|reading| (reading.slot, &reading.value)).collect();
        for (slot, value) in mapping.values.iter().enumerate() {
            let expected = document.pointer(&value.path);
            match (expected, found.get(&slot)) {
                (None, None) => {}
                (Some(serde_json::Value::Null), Some(RawValue::Null)) => {}
                (Some(serde_json::Value::Number(number)), Some(RawValue::Number(ours))) => {
                    // The text is what the device sent; the standard library reads it exactly.
                    prop_assert_eq!(ours.to_bits(), number.to_string().parse::<f64>().unwrap().to_bits());
                }
                (Some(serde_json::Value::String(text)), Some(RawValue::Number(ours))) => {
                    prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), ours.to_bits());
                }
                (Some(_), Some(RawValue::NotANumber(_))) => {}
                (expected, found) => prop_assert!(false, "{expected:?} was read as {found:?} in {payload}"),
            }
        }
    }
}
