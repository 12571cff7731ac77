use std::collections::BTreeMap;

use proptest::prelude::*;

use bakau_model::{QuarantineReason, UtcMillis};

use super::*;
use crate::decode::{MAX_READINGS, PayloadTime, Reading};
use crate::process::testing::mapping;

fn decode_with(mapping: &JsonMapping, payload: &str) -> Result<Decoded, DecodeError> {
    let mut out = Decoded::default();
    DocumentDecoder::json(mapping).decode(payload.as_bytes(), &Missing::default(), &mut out).map(|()| out)
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
    for bad in [r#""6,3""#, r#""""#, r#""NaN""#, r#""0x1F""#, "true", "[6]", "{}", "1e999", r#""1e999""#] {
        let found = values(&format!(r#"{{"do":{bad}}}"#));
        assert!(matches!(found.get(&0), Some(RawValue::NotANumber(_))), "{bad} gave {found:?}");
    }
}

#[test]
fn one_value_that_is_no_json_costs_one_reading() {
    for (written, value) in [
        ("nan", Some(RawValue::Null)),
        ("-NaN", Some(RawValue::Null)),
        ("None", Some(RawValue::Null)),
        ("+7.3", Some(RawValue::Number(7.3))),
        (".5", Some(RawValue::Number(0.5))),
        ("05.12", Some(RawValue::Number(5.12))),
        ("5.", Some(RawValue::Number(5.0))),
        ("-inf", None),
        ("-Infinity", None),
        ("5,12", None),
        ("12.1 NTU", None),
        ("N/A", None),
        ("---", None),
        ("'5.1'", None),
        ("2026-11-28T10:30:00Z", None),
        ("", None),
        ("5.1\u{fffd}", None),
        ("\"5.1\u{1}C\"", None),
        ("\"5.1\\xb0\"", None),
    ] {
        for (before, after) in [("", ""), (" ", " "), ("\n", "\n")] {
            let payload = format!(
                r#"{{"t":"2026-11-28T10:30:00Z","do":{before}{written}{after},"water":{{"temp":28.4}},"s":[1,{{"v":7.3}}]}}"#
            );
            let found = values(&payload);
            assert_eq!(found.get(&1), Some(&RawValue::Number(28.4)), "{payload}");
            assert_eq!(found.get(&2), Some(&RawValue::Number(7.3)), "{payload}");
            match &value {
                Some(value) => assert_eq!(found.get(&0), Some(value), "{payload}"),
                None => assert!(matches!(found.get(&0), Some(RawValue::NotANumber(_))), "{payload} gave {found:?}"),
            }
            let unmapped = values(&payload.replace("\"do\"", "\"other\""));
            assert_eq!((unmapped.get(&0), unmapped.len()), (None, 2), "{payload}");
        }
    }
}

#[test]
fn what_stands_around_and_between_values_costs_nothing() {
    let whole = BTreeMap::from([(0, RawValue::Number(5.1)), (1, RawValue::Number(28.4))]);
    for payload in [
        "\u{feff}{\"do\":5.1,\"water\":{\"temp\":28.4}}",
        "{\"do\":5.1,\"water\":{\"temp\":28.4}}\0",
        "{\"do\":5.1,\"water\":{\"temp\":28.4}}\r\n\0\0what was in the buffer before}",
        r#"{"do":5.1,"water":{"temp":28.4,},}"#,
        r#"{,"do":5.1,,"water":{"temp":28.4}}"#,
        r#"{"do":5.1,"x":[1,,2,],"water":{"temp":28.4}}"#,
        "{\"do\":5.1,\"note\":\"two\nlines\t\u{0}\",\"water\":{\"temp\":28.4}}",
        r#"{"do":5.1,"path":"C:\temp\u12","bad":"\x\u12zz","water":{"temp":28.4}}"#,
        r#"{"do":5.1,"x":nan,"y":[inf,-nan,],"z":{"q":N/A},"water":{"temp":28.4}}"#,
    ] {
        assert_eq!(values(payload), whole, "{payload:?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_cost_only_what_they_stand_in() {
    let read = |payload: &[u8]| {
        let mut out = Decoded::default();
        DocumentDecoder::json(&three()).decode(payload, &Missing::default(), &mut out).unwrap();
        out.readings.into_iter().map(|reading| (reading.slot, reading.value)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(read(b"{\"do\":28.1,\"unit\":\"\xb0C\"}"), BTreeMap::from([(0, RawValue::Number(28.1))]));
    assert_eq!(read(b"{\"\xb5S\":\"\xe2\x82\",\"do\":28.1}"), BTreeMap::from([(0, RawValue::Number(28.1))]));
    let mapped = read(b"{\"do\":\"28.1 \xb0C\",\"water\":{\"temp\":28.4}}");
    assert_eq!(mapped.get(&1), Some(&RawValue::Number(28.4)));
    assert!(matches!(mapped.get(&0), Some(RawValue::NotANumber(_))), "{mapped:?}");
    let mut out = Decoded::default();
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = DocumentDecoder::json(&three()).decode(&utf16, &Missing::default(), &mut out).unwrap_err();
    assert_eq!(error.detail, "the payload is UTF-16 text: send UTF-8");
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
    assert_eq!(decoded.readings, [Reading { slot: 0, value: RawValue::Number(2.0) }]);
}

#[test]
fn a_message_of_a_mebibyte_is_read_whole_and_too_many_readings_put_it_aside() {
    let payload = |objects: usize| format!("[{}]", vec![r#"{"do":1}"#; objects].join(","));
    let mebibyte = payload((1 << 20) / 9 - 1);
    assert!(mebibyte.len() <= 1 << 20 && (1 << 20) - 16 < mebibyte.len());
    let error = decode_with(&three(), &mebibyte).unwrap_err();
    assert_eq!(error.reason, QuarantineReason::TooManyReadings);
    assert_eq!(error.detail, "more than 100000 readings in one message: send it in several");
    let decoded = decode_with(&three(), &payload(MAX_READINGS)).unwrap();
    assert_eq!((decoded.sets.len(), decoded.readings.len()), (MAX_READINGS, MAX_READINGS));
    let empty = format!("[{}]", vec!["{}"; MAX_READINGS + 1].join(","));
    assert!(decode_with(&three(), &empty).unwrap_err().detail.starts_with("more than 100000 sets of readings"));
    let broken = format!("[{}]", vec!["1"; MAX_READINGS + 1].join(","));
    assert!(decode_with(&three(), &broken).unwrap_err().detail.starts_with("more than 100000 parts"));
}

#[test]
fn the_memory_of_a_decoded_message_is_bounded_and_counted() {
    // Each of these takes three values with an explanation in words of some 200 bytes.
    let bad = format!(r#"{{"do":"{0}","water":{{"temp":"{0}"}},"s":[0,{{"v":"{0}"}}]}}"#, "\u{1F4A7}".repeat(60));
    let sets = vec![bad.as_str(); 33_000].join(",");
    let error = decode_with(&three(), &format!("[{sets}]")).unwrap_err();
    assert_eq!(error.reason, QuarantineReason::TooManyReadings);
    assert_eq!(error.detail, "what the message holds takes more than 32 MiB: send it in several");
    let (few, mut out) = (format!("[{}]", vec![bad.as_str(); 100].join(",")), Decoded::default());
    let mut decoder = DocumentDecoder::json(&three());
    for _ in 0..2 {
        out.clear();
        decoder.decode(few.as_bytes(), &Missing::default(), &mut out).unwrap();
        let texts: usize = out
            .readings
            .iter()
            .map(|reading| match &reading.value {
                RawValue::NotANumber(text) => text.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert!(
            texts + 300 * size_of::<Reading>() <= out.bytes && out.bytes <= 2 * texts + 100_000,
            "{} {texts}",
            out.bytes
        );
    }
}

#[test]
fn what_is_no_json_says_where_and_what_was_expected() {
    assert_eq!(detail(""), "the payload is empty");
    assert_eq!(detail(r#"{"do":1"#), "the payload ends at byte 7 where ',' or '}' should be");
    assert_eq!(detail("{'do':1}"), "no JSON at byte 1: expected a string, found \"'do':1}\"");
    for bad in [
        r#"{"do":1}x"#,
        r#"{"do":1}{"do":2}"#,
        r#"{"do":1 "t":2}"#,
        r#"{"do":nan"#,
        r#"{"do":5,12"#,
        r#"{"do" 1}"#,
        r#"{do:1}"#,
        r#"{"do":"1}"#,
        r#"{"do":x:"y"}"#,
        r#"["do":1]"#,
        "[1",
        "nan",
        "\0",
    ] {
        assert!(decode_with(&three(), bad).is_err(), "{bad}");
    }
}

#[test]
fn what_no_mapping_reads_may_lie_as_deep_as_a_message_is_long() {
    let half = (1 << 19) - 100;
    for (open, close) in [("[", "]"), (r#"{"a":["#, "]}"), (r#"{"do":"#, "}"), ("[[],[{}],", "]")] {
        let levels = half / open.len().max(close.len());
        let inside = if open.ends_with(':') { "1" } else { "" };
        let deep = format!("{}{inside}{}", open.repeat(levels), close.repeat(levels));
        let found = values(&format!(r#"{{"do":5.1,"x":{deep},"s":[{deep},{{"v":7.3}}]}}"#));
        assert_eq!(found, BTreeMap::from([(0, RawValue::Number(5.1)), (2, RawValue::Number(7.3))]), "{open}");
        let mapped = values(&format!(r#"{{"do":{deep},"water":{{"temp":28.4}}}}"#));
        assert_eq!(mapped.get(&1), Some(&RawValue::Number(28.4)), "{open}");
        assert!(matches!(mapped.get(&0), Some(RawValue::NotANumber(_))), "{open}");
    }
    assert_eq!(detail(&"[".repeat(1_000_000)), "the payload ends at byte 1000000 where ',' or ']' should be");
    assert!(
        detail(&format!(r#"{{"x":{}}}}}"#, "[".repeat(100))).starts_with("no JSON at byte 105: expected ',' or ']'")
    );
}

#[test]
fn a_mapped_value_is_read_where_its_path_leads() {
    let path = "/a".repeat(64);
    let payload = format!("[{}5.1{}]", r#"{"a":"#.repeat(64), "}".repeat(64));
    let decoded = decode_with(&mapping(None, &[(&path, "do", "mg/L")]), &payload).unwrap();
    assert_eq!(decoded.readings, [Reading { slot: 0, value: RawValue::Number(5.1) }]);
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
    fn arbitrary_bytes_are_refused_or_give_finite_numbers_of_known_slots(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut out = Decoded::default();
        if DocumentDecoder::json(&three()).decode(&payload, &Missing::default(), &mut out).is_ok() {
            let is_sound = |reading: &Reading| {
                reading.slot < 3 && !matches!(reading.value, RawValue::Number(number) if !number.is_finite())
            };
            prop_assert!(out.readings.iter().all(is_sound), "{out:?}");
            prop_assert_eq!(out.sets.iter().map(|set| set.count).sum::<usize>(), out.readings.len());
        }
    }

    #[test]
    fn almost_json_never_panics(payload in r#"[\[\]{}:,"\\u0-9a-fEe.+\- doNt]{0,80}"#) {
        let ours = decode_with(&mapping(None, &[("", "do", "mg/L"), ("/do", "do", "mg/L")]), &payload);
        let theirs = serde_json::from_str::<serde_json::Value>(&payload);
        // The reference refuses numbers beyond a double and lone surrogates; ours reads on and judges only what is mapped.
        prop_assert!(ours.is_ok() || theirs.is_err(), "{payload}: {ours:?}");
    }

    #[test]
    fn brackets_of_any_depth_are_matched_as_they_were_opened(
        kinds in proptest::collection::vec(any::<bool>(), 0..600),
        spaced in any::<bool>(),
        wrong in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let space = if spaced { " \n" } else { "" };
        let open: String = kinds.iter().map(|is_object| if *is_object { "{\"do\":" } else { "[" }).collect();
        let mut close: Vec<char> = kinds.iter().rev().map(|is_object| if *is_object { '}' } else { ']' }).collect();
        let wrong = wrong.filter(|_| !close.is_empty()).map(|wrong| wrong.index(close.len()));
        if let Some(place) = wrong.and_then(|at| close.get_mut(at)) {
            *place = if *place == '}' { ']' } else { '}' };
        }
        let close: String = close.into_iter().map(|bracket| format!("{space}{bracket}")).collect();
        let decoded = decode_with(&three(), &format!(r#"{{"x":{open}1{close},"do":5.1}}"#));
        match wrong {
            Some(_) => prop_assert!(decoded.is_err(), "{open}1{close}"),
            None => prop_assert_eq!(decoded.unwrap().readings, [Reading { slot: 0, value: RawValue::Number(5.1) }]),
        }
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
                    prop_assert_eq!(bakau_model::trim(text).parse::<f64>().unwrap().to_bits(), ours.to_bits());
                }
                (Some(_), Some(RawValue::NotANumber(_))) => {}
                (expected, found) => prop_assert!(false, "{expected:?} was read as {found:?} in {payload}"),
            }
        }
    }
}
