//! Any bytes through every format: no panic, no hang, bounded output, finite numbers.
#![no_main]

use bakau_ingest::decode::{Decoded, Decoder, MAX_READINGS, RawValue};
use bakau_model::{Parameter, Unit};
use bakau_registry::{Format, JsonMapping, JsonValue, TimeFormat};
use libfuzzer_sys::fuzz_target;

/// One entry per format and per shape of mapping that takes another way through the decoder.
fn formats() -> Vec<Format> {
    let json = |time_format, time: Option<&str>, paths: &[&str]| Format::Json {
        json: JsonMapping {
            readings: None,
            station: None,
            time: time.map(str::to_owned),
            time_format,
            values: paths
                .iter()
                .map(|path| JsonValue {
                    path: (*path).to_owned(),
                    parameter: Parameter::new("do").expect("a valid code"),
                    qualifier: None,
                    unit: Unit::new("mg/L"),
                })
                .collect(),
        },
    };
    vec![
        json(TimeFormat::Rfc3339, Some("/time"), &["/do", "/water/temp", "/sensors/1/value"]),
        json(TimeFormat::EpochS, Some("/t"), &["/0/value", "/1/value"]),
        json(TimeFormat::EpochMs, Some("/t"), &["", "/do"]),
        json(TimeFormat::Rfc3339, None, &["/do", "/do/deeper"]),
    ]
}

fuzz_target!(|payload: &[u8]| {
    let mut decoded = Decoded::default();
    for format in formats() {
        let mut decoder = Decoder::compile(&format);
        if decoder.decode(payload, &mut decoded).is_err() {
            assert!(decoded.sets.is_empty() && decoded.readings.is_empty());
            continue;
        }
        assert!(decoded.readings.len() <= MAX_READINGS);
        for reading in &decoded.readings {
            assert!(reading.slot < decoder.slots().len());
            if let RawValue::Number(number) = reading.value {
                assert!(number.is_finite());
            }
        }
    }
});
