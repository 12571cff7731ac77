//! Any names and numbers become one line that reads back, or are refused; any answer to a write is understood or not, but
//! names no line that was not sent.

use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, QualityTest, TestResults, TimeSource, UtcMillis};
use bakau_store::{
    StoredObservation,
    influx::{Answered, MISSING, decide, encode, series_key},
};

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes.iter().skip(at)).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(eight)
}

fn row(bytes: &[u8]) -> StoredObservation {
    let value = f64::from_bits(number(bytes, 8));
    let nibbles =
        QualityTest::ALL.into_iter().zip((0..).step_by(4)).map(|(test, at)| (test, number(bytes, 0) >> at & 3));
    let flags = [Flag::NotEvaluated, Flag::Good, Flag::Suspect, Flag::Fail];
    let tests = nibbles.fold(TestResults::NONE, |all, (test, flag)| all.with(test, flags[flag as usize]));
    let observation = Observation {
        datastream: DatastreamId::new(1),
        observed_at: UtcMillis::new(number(bytes, 0).cast_signed()),
        value: (number(bytes, 24) & 1 == 0).then_some(value),
        deployment: DeploymentId::new(number(bytes, 28) as u32),
        time_source: TimeSource::Device,
        received_at: UtcMillis::new(number(bytes, 16).cast_signed()),
        flag: if number(bytes, 24) & 1 == 0 { Flag::Good } else { Flag::Missing },
    };
    let increment = (number(bytes, 26) & 1 == 0).then(|| f64::from_bits(number(bytes, 8)));
    StoredObservation { observation, revision: number(bytes, 25) as u32 & 0x3FFF, tests, increment }
}

/// The parts of a text at a separator that no backslash stands right before: as influxd reads, for which two of them are no
/// pair.
fn parts(text: &str, separator: char) -> Vec<String> {
    let (mut found, mut before) = (vec![String::new()], ' ');
    for c in text.chars() {
        match found.last_mut() {
            Some(last) if c != separator || before == '\\' => last.push(c),
            Some(_) | None => found.push(String::new()),
        }
        before = c;
    }
    found
}

/// A tag's value as influxd keeps it.
fn unescaped(text: &str) -> String {
    [("\\,", ","), ("\\ ", " "), ("\\=", "=")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn encoding(station: &str, parameter: &str, row: &StoredObservation) {
    let Ok(key) = series_key(station, parameter) else { return };
    let mut line = String::new();
    if encode(&key, row, row.increment.is_some(), &mut line).is_err() {
        assert!(line.is_empty());
        return;
    }
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.ends_with('\n'));
    let (rest, at) = line.trim_end_matches('\n').rsplit_once(' ').expect("a stamp");
    assert_eq!(at.parse(), Ok(row.observation.observed_at.get()));
    let (tags, fields) = rest.rsplit_once(' ').expect("fields");
    assert_eq!(tags, key);
    assert_eq!(parts(&key, ' ').len(), 1, "a space of a name would end the tags");
    let tags = parts(&key, ',');
    assert_eq!(tags.len(), 3);
    for (tag, (name, value)) in tags[1..].iter().zip([("parameter", parameter), ("station", station)]) {
        assert_eq!(parts(tag, '=').len(), 2);
        assert_eq!(tag.split_once('=').map(|(name, kept)| (name, unescaped(kept))), Some((name, value.to_owned())));
    }
    let value = fields.strip_prefix("value=").and_then(|rest| rest.split(',').next()).expect("a value");
    let expected = row.observation.value.unwrap_or(MISSING);
    assert_eq!(value.parse::<f64>().map(f64::to_bits), Ok(expected.to_bits()));
    assert!(expected.is_finite());
    let whole = |name: &str| {
        let found = fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_suffix('i'));
        found.and_then(|digits| digits.parse::<u64>().ok()).expect("a whole number")
    };
    // The results of the first four tests are in one field, those of all others in another.
    assert_eq!(whole("tests=") << 16 | whole("meta=") & 0xFFFF, row.tests.code());
    for name in [station, parameter] {
        assert!(!name.is_empty() && !name.contains('\n') && !name.ends_with('\\') && !name.starts_with('#'));
    }
}

/// Panics where something does not hold.
pub(crate) fn any_bytes(bytes: &[u8]) {
    let (numbers, texts) = bytes.split_at(bytes.len().min(36));
    let texts = String::from_utf8_lossy(texts);
    let mut texts = texts.splitn(4, '\0');
    let mut next = || texts.next().unwrap_or_default();
    let (station, parameter, sent, text) = (next(), next(), next(), next());
    encoding(station, parameter, &row(numbers));
    let answered = Answered {
        status: number(numbers, 0) as u16,
        retry_after: Some(station.to_owned()),
        date: Some(parameter.to_owned()),
        text: text.to_owned(),
    };
    let _ = (decide(answered.status), answered.wait());
    if let Some(named) = answered.named(sent) {
        let lines = sent.lines().count();
        assert!(!named.is_empty() && named.keys().all(|place| *place < lines));
    }
}
