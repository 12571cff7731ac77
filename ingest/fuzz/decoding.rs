//! Any bytes through every format: no panic, no hang, bounded output, finite numbers.

use bakau_ingest::decode::{Decoded, Decoder, MAX_READINGS, RawValue};
use bakau_model::{DeclaredCode, Missing, Parameter, Unit};
use bakau_registry::{DeviceMapping, Format, JsonMapping, JsonValue, StatusMapping, TimeFormat, ValueMapping};

fn values(paths: &[&str]) -> Vec<JsonValue> {
    let value = |path: &&str| JsonValue {
        path: (*path).to_owned(),
        parameter: Parameter::new("do").expect("a valid code"),
        qualifier: None,
        unit: Unit::new("mg/L"),
        gas: None,
        missing: vec![DeclaredCode::Number(-9999.0), DeclaredCode::Word("---".to_owned())],
        decimal_comma: Some(true),
        unit_texts: vec!["NTU".to_owned()],
    };
    paths.iter().map(value).collect()
}

fn json(time_format: TimeFormat, time: Option<&str>, paths: &[&str]) -> JsonMapping {
    JsonMapping { readings: None, station: None, time: time.map(str::to_owned), time_format, values: values(paths) }
}

/// One entry per format and per shape of mapping that takes another way through the decoder.
pub(crate) fn formats() -> Vec<Format> {
    let in_array = JsonMapping {
        readings: Some("/data/readings".to_owned()),
        station: Some("/station".to_owned()),
        ..json(TimeFormat::EpochMs, Some("/at"), &["/do", "/temp"])
    };
    let device = || DeviceMapping {
        time: Some("/measured".to_owned()),
        time_format: TimeFormat::EpochS,
        values: values(&["/water_temp", "/ec", "/battery/mv"]),
    };
    let plain = |paths: &[&str]| ValueMapping { values: values(paths) };
    let status = |path: Option<&str>| StatusMapping {
        path: path.map(str::to_owned),
        online: vec!["online".to_owned()],
        offline: vec!["offline".to_owned()],
    };
    vec![
        Format::Json { json: json(TimeFormat::Rfc3339, Some("/time"), &["/do", "/water/temp", "/sensors/1/value"]) },
        Format::Json { json: json(TimeFormat::EpochS, Some("/t"), &["/0/value", "/1/value"]) },
        Format::Json { json: json(TimeFormat::EpochMs, Some("/t"), &["", "/do"]) },
        Format::Json { json: json(TimeFormat::Local, Some("/t"), &["/do", "/do/deeper"]) },
        Format::Json { json: in_array },
        Format::Chirpstack { chirpstack: device() },
        Format::Tts { tts: device() },
        Format::Senml { senml: plain(&["do", "temp", "flow#sum"]) },
        Format::Tasmota { tasmota: plain(&["/BME280/Temperature", "/PMS5003/PM2.5"]) },
        Format::Airgradient { airgradient: plain(&["/pm02Compensated", "/wifi"]) },
        Format::Status { status: status(None) },
        Format::Status { status: status(Some("/state")) },
    ]
}

/// Panics where something does not hold.
pub(crate) fn any_payload(payload: &[u8]) {
    let mut decoded = Decoded::default();
    let of_source = Missing::of([DeclaredCode::Word("N/A".to_owned())].iter());
    for format in formats() {
        let mut decoder = Decoder::compile(&format);
        if decoder.decode(payload, &of_source, &mut decoded).is_err() {
            assert_eq!(decoded, Decoded::default());
            continue;
        }
        assert!(decoded.readings.len() <= MAX_READINGS);
        assert_eq!(decoded.sets.iter().map(|set| set.count).sum::<usize>(), decoded.readings.len());
        for reading in &decoded.readings {
            assert!(reading.slot < decoder.slots().len());
            if let RawValue::Number(number) = reading.value {
                assert!(number.is_finite());
            }
        }
    }
}
