use super::*;

fn decoded(payload: &str) -> Result<Decoded, DecodeError> {
    let value = bakau_registry::JsonValue {
        path: "do".to_owned(),
        parameter: bakau_model::Parameter::new("do").unwrap(),
        qualifier: None,
        unit: Unit::new("mg/L"),
        gas: None,
        missing: vec![bakau_model::DeclaredCode::Number(-9999.0)],
        decimal_comma: None,
        unit_texts: Vec::new(),
    };
    let mut out = Decoded::default();
    let decoder = SenmlDecoder::compile(&ValueMapping { values: vec![value] });
    decoder.decode(payload.as_bytes(), &Missing::default(), &mut out).map(|()| out)
}

fn times(payload: &str) -> Vec<PayloadTime> {
    decoded(payload).unwrap().sets.into_iter().map(|set| set.time).collect()
}

#[test]
fn times_below_two_to_the_28_are_relative_to_the_arrival() {
    let at = |text: &str| PayloadTime::Device(bakau_model::UtcMillis::parse(text).unwrap());
    assert_eq!(times(r#"[{"n":"do","v":1}]"#), [PayloadTime::Absent]);
    assert_eq!(times(r#"[{"n":"do","v":1,"t":0}]"#), [PayloadTime::Absent]);
    assert_eq!(times(r#"[{"n":"do","v":1,"t":-0.25}]"#), [PayloadTime::Relative(-250)]);
    assert_eq!(times(r#"[{"n":"do","v":1,"t":268435455}]"#), [PayloadTime::Relative(268_435_455_000)]);
    assert_eq!(times(r#"[{"n":"do","v":1,"t":268435456}]"#), [at("1978-07-04T21:24:16Z")]);
    assert_eq!(times(r#"[{"bt":1773100800.001,"n":"do","v":1,"t":-60}]"#), [at("2026-03-09T23:59:00.001Z")]);
    assert!(matches!(times(r#"[{"n":"do","v":1,"t":1e300}]"#)[0], PayloadTime::Invalid(_)));
}

#[test]
fn records_of_one_time_and_device_are_one_set() {
    let decoded = decoded(r#"[{"bt":1773100800,"n":"do","v":1},{"n":"do","v":2},{"n":"do","v":3,"t":1}]"#).unwrap();
    assert_eq!(decoded.sets.iter().map(|set| (set.first, set.count)).collect::<Vec<_>>(), [(0, 2), (2, 1)]);
}

#[test]
fn base_fields_hold_from_their_record_on_wherever_they_stand_in_it() {
    let decoded = decoded(r#"[{"v":1,"n":"do"},{"v":1,"n":"do","bv":4},{"v":2,"n":"do"}]"#).unwrap();
    let values: Vec<_> = decoded.readings.into_iter().map(|reading| reading.value).collect();
    assert_eq!(values, [1.0, 5.0, 6.0].map(RawValue::Number));
}

#[test]
fn a_base_name_gives_the_device_without_its_separator_and_its_last_part() {
    assert_eq!(
        devices("urn:dev:mac:70b3d57ed0000001:"),
        ["urn:dev:mac:70b3d57ed0000001".into(), "70b3d57ed0000001".into()]
    );
    assert_eq!(devices("mgv-01/"), ["mgv-01".into()]);
    assert_eq!(devices(""), Vec::<Box<str>>::new());
    assert_eq!(devices(":"), Vec::<Box<str>>::new());
}

#[test]
fn more_records_than_the_limit_put_the_whole_message_aside() {
    let payload = |records: usize| format!("[{}]", vec![r#"{"n":"do","v":1}"#; records].join(","));
    assert_eq!(decoded(&payload(MAX_READINGS)).unwrap().readings.len(), MAX_READINGS);
    let error = decoded(&payload(MAX_READINGS + 1)).unwrap_err();
    assert_eq!(error.reason, bakau_model::QuarantineReason::TooManyReadings);
}

#[test]
fn a_name_of_endless_length_is_no_reading() {
    let name = "do".repeat(MAX_NAME_BYTES);
    let decoded = decoded(&format!(r#"[{{"bn":"{name}","n":"do","v":1}}]"#)).unwrap();
    assert!(decoded.readings.is_empty() && decoded.sets.is_empty() && decoded.broken.is_empty());
}

#[test]
fn a_code_for_no_value_is_compared_before_base_value_and_unit() {
    let pack = r#"[{"bv":1,"n":"do","v":-9999},{"n":"do","u":"ug/l","v":-9999},{"n":"do","v":-10000},{"n":"do","vs":"-9999.0"}]"#;
    let values: Vec<_> = decoded(pack).unwrap().readings.into_iter().map(|reading| reading.value).collect();
    assert_eq!(values, [RawValue::Null, RawValue::Null, RawValue::Number(-9999.0), RawValue::Null]);
}

#[test]
fn a_time_that_says_nothing_is_none_and_one_in_milliseconds_is_told() {
    for nothing in ["null", "nan", r#""""#, r#"" ""#] {
        let pack =
            format!(r#"[{{"bt":1773100800}},{{"n":"do","t":{nothing},"v":1}},{{"bt":{nothing},"n":"do","v":2}}]"#);
        let decoded = decoded(&pack).unwrap();
        assert_eq!((decoded.sets.len(), decoded.readings.len(), decoded.broken.len()), (1, 2, 0), "{nothing}");
    }
    let decoded = decoded(r#"[{"n":"do","t":1773100800000,"v":1}]"#).unwrap();
    let told = "1773100800000 seconds since 1970 lie outside the years -9999 to 9999; it looks like milliseconds \
                (2026-03-10T00:00:00Z), and SenML has seconds";
    assert_eq!(decoded.sets[0].time, PayloadTime::Invalid(told.to_owned()));
}
