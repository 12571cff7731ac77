//! What every format makes of the payloads in `ingest/fixtures`, and that no bytes make any of them panic.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use bakau_model::{DeclaredCode, Parameter, Unit};
use bakau_registry::{DeviceMapping, JsonMapping, JsonValue, StatusMapping, TimeFormat, ValueMapping};
use proptest::prelude::*;

use super::*;

fn values(values: &[(&str, &str, &str)]) -> Vec<JsonValue> {
    let value = |&(path, parameter, unit): &(&str, &str, &str)| JsonValue {
        path: path.to_owned(),
        parameter: Parameter::new(parameter).unwrap(),
        qualifier: None,
        unit: Unit::new(unit),
        gas: None,
        missing: vec![DeclaredCode::Number(-9999.0), DeclaredCode::Word("---".to_owned())],
        decimal_comma: None,
        unit_texts: Vec::new(),
    };
    values.iter().map(value).collect()
}

/// Every format, under the folder its fixtures are in.
fn formats() -> Vec<(&'static str, Format)> {
    let water = || values(&[("/water/do", "do", "mg/L"), ("/water/temp", "water_temperature", "Cel")]);
    let device = || DeviceMapping {
        time: Some("/measured".to_owned()),
        time_format: TimeFormat::EpochS,
        values: values(&[
            ("/water_temp", "water_temperature", "Cel"),
            ("/ec", "conductivity", "mS/cm"),
            ("/battery/mv", "battery", "mV"),
        ]),
    };
    let json = JsonMapping {
        readings: None,
        station: Some("/id".to_owned()),
        time: Some("/time".to_owned()),
        time_format: TimeFormat::Rfc3339,
        values: water(),
    };
    let json_readings = JsonMapping {
        readings: Some("/data/readings".to_owned()),
        station: Some("/station".to_owned()),
        time: Some("/at".to_owned()),
        time_format: TimeFormat::EpochMs,
        values: values(&[("/do", "do", "mg/L"), ("/temp", "water_temperature", "Cel")]),
    };
    let senml = values(&[
        ("do", "do", "mg/L"),
        ("temp", "water_temperature", "Cel"),
        ("flow", "flow", "m3/s"),
        ("flow#sum", "depth", "m"),
        ("urn:dev:ow:10e2073a01080063:ph", "ph", "[pH]"),
    ]);
    let tasmota = values(&[
        ("/BME280/Temperature", "air_temperature", "Cel"),
        ("/BME280/Humidity", "humidity", "%"),
        ("/BME280/Pressure", "pressure", "hPa"),
        ("/PMS5003/PM2.5", "pm25", "ug/m3"),
    ]);
    let airgradient = values(&[
        ("/pm02Compensated", "pm25", "ug/m3"),
        ("/atmp", "air_temperature", "Cel"),
        ("/rco2", "co2", "[ppm]"),
        ("/wifi", "rssi", "{dBm}"),
    ]);
    let status = StatusMapping { path: None, online: vec!["on".to_owned()], offline: vec!["off".to_owned()] };
    vec![
        ("json", Format::Json { json }),
        ("json_readings", Format::Json { json: json_readings }),
        ("chirpstack", Format::Chirpstack { chirpstack: device() }),
        ("tts", Format::Tts { tts: device() }),
        ("senml", Format::Senml { senml: ValueMapping { values: senml } }),
        ("tasmota", Format::Tasmota { tasmota: ValueMapping { values: tasmota } }),
        ("airgradient", Format::Airgradient { airgradient: ValueMapping { values: airgradient } }),
        ("status", Format::Status { status }),
    ]
}

fn render(format: &Format, payload: &[u8]) -> String {
    let mut decoder = Decoder::compile(format);
    let mut decoded = Decoded::default();
    if let Err(error) = decoder.decode(payload, &Missing::default(), &mut decoded) {
        return format!("  refused, {}: {error}\n", error.reason.key());
    }
    let mut text = String::new();
    for set in &decoded.sets {
        let time = match &set.time {
            PayloadTime::Device(at) => format!("device {at}"),
            PayloadTime::Network(at) => format!("network {at}"),
            other => format!("{other:?}"),
        };
        writeln!(text, "  at {time} of {:?}", set.devices).unwrap();
        for reading in decoded.readings_of(set) {
            writeln!(text, "    {} = {:?}", decoder.slots()[reading.slot].path, reading.value).unwrap();
        }
    }
    for (place, detail) in &decoded.broken {
        writeln!(text, "  broken {place}: {detail}").unwrap();
    }
    text
}

#[test]
fn every_fixture_is_read_as_approved() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut report = String::new();
    for (folder, format) in formats().into_iter().filter(|(folder, _)| *folder != "status") {
        let mut files: Vec<_> =
            std::fs::read_dir(fixtures.join(folder)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{folder} has no fixture");
        for file in files {
            writeln!(report, "{folder}/{}", file.file_name().unwrap().to_string_lossy()).unwrap();
            report.push_str(&render(&format, &std::fs::read(&file).unwrap()));
        }
    }
    insta::assert_snapshot!(report);
}

#[test]
fn every_format_is_among_those_tested() {
    let tested: BTreeSet<_> = formats().iter().map(|(_, format)| format.name()).collect();
    assert_eq!(tested, BTreeSet::from(Format::NAMES));
}

/// Whether what a decoder gives keeps its bounds.
fn check(format: &Format, payload: &[u8]) {
    let mut decoder = Decoder::compile(format);
    let mut decoded = Decoded::default();
    if decoder.decode(payload, &Missing::default(), &mut decoded).is_err() {
        assert_eq!(decoded, Decoded::default());
        return;
    }
    assert!(decoded.readings.len() <= MAX_READINGS && decoded.bytes <= MAX_DECODED_BYTES);
    assert_eq!(decoded.sets.iter().map(|set| set.count).sum::<usize>(), decoded.readings.len());
    for reading in &decoded.readings {
        assert!(reading.slot < decoder.slots().len());
        assert!(!matches!(reading.value, RawValue::Number(number) if !number.is_finite()));
    }
}

/// Payloads of all formats, with which cuts and splices start.
fn real_payloads() -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders = std::fs::read_dir(fixtures).unwrap().map(|folder| folder.unwrap().path());
    let mut files: Vec<_> =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_in_any_format(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        formats().iter().for_each(|(_, format)| check(format, &payload));
    }

    #[test]
    fn changed_payloads_of_any_format_never_panic_in_any_format(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        noise in r#"[\[\]{}:,"\\0-9eE.+\- ntv_]{0,6}"#,
    ) {
        let mut payload = real_payloads()[file.index(real_payloads().len())].clone();
        let from = at.index(payload.len());
        let to = (from + cut).min(payload.len());
        payload.splice(from..to, noise.bytes());
        formats().iter().for_each(|(_, format)| check(format, &payload));
    }

    #[test]
    fn good_siblings_survive_anything_that_keeps_to_its_place(
        bare in r#"[^,:\[\]{}"\x00-\x1f]{0,16}"#,
        text in proptest::collection::vec(any::<u8>().prop_filter("ends the text", |byte| !matches!(byte, b'"' | b'\\')), 0..24),
        (at, quoted, mapped) in (0_usize..3, any::<bool>(), any::<bool>()),
    ) {
        let key: &[u8] = if mapped { b"\"water\":{\"do\":" } else { b"\"note\":{\"x\":" };
        let quote: &[u8] = if quoted { b"\"" } else { b"" };
        let bad = [key, quote, if quoted { &text } else { bare.as_bytes() }, quote, b"}"].concat();
        let mut members: Vec<&[u8]> = vec![b"\"id\":\"s1\"", b"\"sea\":{\"temp\":28.4,\"ph\":\"7.3\"}"];
        members.insert(at, &bad);
        let payload = [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat();
        let paths = values(&[("/water/do", "do", "mg/L"), ("/sea/temp", "water_temperature", "Cel"), ("/sea/ph", "ph", "[pH]")]);
        let json = JsonMapping { readings: None, station: Some("/id".to_owned()), time: None, time_format: TimeFormat::Rfc3339, values: paths };
        let mut decoded = Decoded::default();
        Decoder::compile(&Format::Json { json }).decode(&payload, &Missing::default(), &mut decoded).unwrap();
        let good: Vec<_> = decoded.readings.iter().filter(|reading| reading.slot != 0).map(|reading| reading.value.clone()).collect();
        prop_assert_eq!(good, [RawValue::Number(28.4), RawValue::Number(7.3)]);
        prop_assert_eq!(decoded.readings.len(), 2 + usize::from(mapped));
    }
}
