//! Observations as rows of an answer, written by hand: a year of one-minute values must not cost an allocation each.
//!
//! CSV is RFC 4180 with decimal points and an empty cell for a missing value; there are no comment lines.

use std::io::Write as _;

use bakau_model::{Observation, QualityTest, TestResults};
use bakau_registry::Datastream;
use bakau_store::StoredObservation;
use jiff::tz::TimeZone;

use crate::http::{csv::harmless, times::Times};

/// The header line of CSV answers.
const CSV_HEADER: &[u8] =
    b"datastream,observed_at,observed_at_local,value,unit,flag,tests,time_source,received_at,revision\n";
/// Header line for a counter: `value` is the reading, `increment` what was counted since the one before.
const COUNTER_CSV_HEADER: &[u8] =
    b"datastream,observed_at,observed_at_local,value,increment,unit,flag,tests,time_source,received_at,revision\n";
/// About the bytes of a row.
const ROW_BYTES: usize = 160;

/// Appends rows of one datastream to an answer.
#[derive(Debug)]
pub(crate) struct RowWriter {
    utc: Times,
    received: Times,
    local: Times,
    /// Cells that are the same in each row.
    name: Vec<u8>,
    unit: Vec<u8>,
    /// Whether values are readings of a counter.
    counted: bool,
}

impl RowWriter {
    /// Rows of `datastream`, with local times in `zone`.
    pub(crate) fn new(datastream: &Datastream, zone: TimeZone) -> Self {
        Self {
            utc: Times::utc(),
            received: Times::utc(),
            local: Times::local(zone),
            name: cell(datastream.name.as_str()),
            unit: cell(datastream.unit.as_str()),
            counted: datastream.counter().is_some(),
        }
    }

    /// The header line of CSV answers.
    pub(crate) const fn csv_header(&self) -> &'static [u8] {
        if self.counted { COUNTER_CSV_HEADER } else { CSV_HEADER }
    }

    /// JSON objects with commas between them; local times where wanted.
    pub(crate) fn json(&mut self, out: &mut Vec<u8>, rows: &[StoredObservation], local: bool) {
        out.reserve(rows.len() * ROW_BYTES);
        for (n, StoredObservation { observation, revision, tests, increment }) in rows.iter().enumerate() {
            out.extend_from_slice(if n == 0 { b"{\"observed_at\":\"" } else { b",{\"observed_at\":\"" });
            self.utc.append(out, observation.observed_at);
            if local {
                out.extend_from_slice(b"\",\"observed_at_local\":\"");
                self.local.append(out, observation.observed_at);
            }
            out.extend_from_slice(b"\",");
            append_tested(out, observation, *tests, self.counted.then_some(*increment), &mut self.received);
            let _ = write!(out, ",\"revision\":{revision}}}");
        }
    }

    /// Lines below [`Self::csv_header`].
    pub(crate) fn csv(&mut self, out: &mut Vec<u8>, rows: &[StoredObservation]) {
        out.reserve(rows.len() * ROW_BYTES);
        for StoredObservation { observation, revision, tests, increment } in rows {
            out.extend_from_slice(&self.name);
            out.push(b',');
            self.utc.append(out, observation.observed_at);
            out.push(b',');
            self.local.append(out, observation.observed_at);
            out.push(b',');
            if let Some(value) = observation.value {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{value}");
            }
            out.push(b',');
            if self.counted {
                if let Some(increment) = increment {
                    let _ = write!(out, "{increment}");
                }
                out.push(b',');
            }
            out.extend_from_slice(&self.unit);
            out.push(b',');
            out.push(b'0' + observation.flag.code() % 10);
            out.push(b',');
            append_tests(out, *tests);
            out.push(b',');
            out.extend_from_slice(observation.time_source.key().as_bytes());
            out.push(b',');
            self.received.append(out, observation.received_at);
            let _ = writeln!(out, ",{revision}");
        }
    }
}

/// The members of [`bakau_answers::TestedValue`]; an increment only of a counter.
pub(crate) fn append_tested(
    out: &mut Vec<u8>,
    observation: &Observation,
    tests: TestResults,
    increment: Option<Option<f64>>,
    received: &mut Times,
) {
    out.extend_from_slice(b"\"value\":");
    // Writing to a Vec cannot fail; a number that is not finite becomes null.
    let _ = serde_json::to_writer(&mut *out, &observation.value);
    if let Some(increment) = increment {
        out.extend_from_slice(b",\"increment\":");
        let _ = serde_json::to_writer(&mut *out, &increment);
    }
    out.extend_from_slice(b",\"flag\":");
    out.push(b'0' + observation.flag.code() % 10);
    out.extend_from_slice(b",\"tests\":\"");
    append_tests(out, tests);
    out.push(b'"');
    append_reasons(out, tests);
    out.extend_from_slice(b",\"time_source\":\"");
    out.extend_from_slice(observation.time_source.key().as_bytes());
    out.extend_from_slice(b"\",\"received_at\":\"");
    received.append(out, observation.received_at);
    out.push(b'"');
}

/// One digit per test, the flag that it gave, in the order of [`QualityTest::ALL`]: `131122` is a spike.
fn append_tests(out: &mut Vec<u8>, tests: TestResults) {
    out.extend(QualityTest::ALL.into_iter().map(|test| b'0' + tests.get(test).code() % 10));
}

/// Why the value is doubted, as a member behind others; nothing for one that is not, which nearly all are.
fn append_reasons(out: &mut Vec<u8>, tests: TestResults) {
    for (n, reason) in tests.reasons().enumerate() {
        out.extend_from_slice(if n == 0 { b",\"reasons\":[\"" } else { b"\",\"" });
        out.extend_from_slice(reason.key().as_bytes());
    }
    if tests.reasons().next().is_some() {
        out.extend_from_slice(b"\"]");
    }
}

/// A text as a cell.
fn cell(text: &str) -> Vec<u8> {
    let text = harmless(text);
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
    } else {
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use bakau_answers::{self as answers, TestedValue};
    use bakau_model::{
        DatastreamId, DeploymentId, Flag, Observation, Parameter, QualityLimits, Reason, StationId, TimeSource, Unit,
        UtcMillis,
    };
    use proptest::prelude::*;

    use super::*;

    fn writer(name: &str, unit: &str) -> RowWriter {
        writer_of(name, unit, QualityLimits::default())
    }

    fn writer_of(name: &str, unit: &str, limits: QualityLimits) -> RowWriter {
        let datastream = Datastream {
            number: DatastreamId::new(1),
            name: name.parse().unwrap(),
            station: StationId::new("s").unwrap(),
            parameter: Parameter::new("do").unwrap(),
            unit: Unit::new(unit),
            interval_ms: 60_000,
            vertical_datum: None,
            limits,
        };
        RowWriter::new(&datastream, TimeZone::get("Asia/Jakarta").unwrap())
    }

    fn stored(value: Option<f64>) -> StoredObservation {
        let at = UtcMillis::parse("2026-03-10T00:00:00Z").unwrap();
        let observation = Observation {
            datastream: DatastreamId::new(1),
            observed_at: at,
            value,
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at: at.saturating_add(1500),
            flag: if value.is_some() { Flag::NotEvaluated } else { Flag::Missing },
        };
        let tests = TestResults::NONE.with(QualityTest::Spike, Flag::Suspect);
        StoredObservation { observation, revision: 1, tests, increment: None }
    }

    fn csv(name: &str, unit: &str, rows: &[StoredObservation]) -> String {
        let mut out = Vec::new();
        writer(name, unit).csv(&mut out, rows);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_missing_value_is_an_empty_cell_and_a_negative_one_stays_a_number() {
        let start = "a/do,2026-03-10T00:00:00Z,2026-03-10T07:00:00+07:00";
        assert_eq!(
            csv("a/do", "mg/L", &[stored(None), stored(Some(-1.5))]),
            format!(
                "{start},,mg/L,9,232222,device,2026-03-10T00:00:01.5Z,1\n{start},-1.5,mg/L,2,232222,device,2026-03-10T00:00:01.5Z,1\n"
            )
        );
    }

    #[test]
    fn a_counter_says_its_reading_and_beside_it_what_was_counted() {
        let counter = Some(bakau_model::Counter { max: None, interval_ms: 60_000 });
        let mut writer = writer_of("a/rain", "mm", QualityLimits { counter, ..QualityLimits::default() });
        let rows = [Some(0.2), None].map(|increment| StoredObservation { increment, ..stored(Some(10.4)) });
        let mut csv = writer.csv_header().to_vec();
        writer.csv(&mut csv, &rows);
        let csv = String::from_utf8(csv).unwrap();
        let columns = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>()[3..6].to_vec();
        let lines: Vec<_> = csv.lines().map(columns).collect();
        assert_eq!(lines, [["value", "increment", "unit"], ["10.4", "0.2", "mm"], ["10.4", "", "mm"]]);
        let rows = read(&mut writer, &rows, false);
        assert_eq!((rows[0].tested.measured.value, rows[0].tested.measured.increment), (Some(10.4), Some(Some(0.2))));
        assert_eq!(rows[1].tested.measured.increment, Some(None));
    }

    #[test]
    fn no_cell_starts_a_formula_and_a_comma_stays_inside_its_cell() {
        let text = csv("-a/do", "=1,\"1", &[stored(Some(1.0))]);
        assert!(text.starts_with("'-a/do,2026-03-10T00:00:00Z,"), "{text}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!((record.len(), &record[4]), (CSV_HEADER.split(|byte| *byte == b',').count(), "'=1,\"1"));
    }

    /// What is written, read as what it is and written again.
    fn read(writer: &mut RowWriter, rows: &[StoredObservation], local: bool) -> Vec<answers::Observation> {
        let mut out = b"[".to_vec();
        writer.json(&mut out, rows, local);
        out.push(b']');
        let read: Vec<answers::Observation> = serde_json::from_slice(&out).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), String::from_utf8(out).unwrap());
        read
    }

    #[test]
    fn what_is_written_by_hand_is_read_as_its_type() {
        let odd = [stored(Some(0.1)), stored(None), stored(Some(f64::NAN)), stored(Some(-1.0e-7))];
        for local in [false, true] {
            let rows = read(&mut writer("a/do", "mg/L"), &odd, local);
            let values: Vec<_> = rows.iter().map(|row| row.tested.measured.value).collect();
            assert_eq!(values, [Some(0.1), None, None, Some(-1.0e-7)]);
            assert!(
                rows.iter()
                    .all(|row| row.observed_at_local.is_some() == local && row.tested.measured.increment.is_none())
            );
            let TestedValue { measured, reasons, .. } = &rows[1].tested;
            assert_eq!((measured.flag.0, &reasons[..]), (Flag::Missing, &[Reason::Spike][..]));
        }
    }

    proptest! {
        #[test]
        fn any_row_is_read_as_its_type(
            // Eighths: serde_json reads other numbers as their neighbours now and then.
            (value, increment) in (prop::option::of(any::<i32>()), prop::option::of(0_i32..1_000_000)),
            at in -4_000_000_000_000_i64..9_000_000_000_000,
            (flag, source, test) in (0..Flag::ALL.len(), 0..TimeSource::ALL.len(), 0..QualityTest::ALL.len()),
            (revision, counted, local) in (1_u32.., any::<bool>(), any::<bool>()),
        ) {
            let [value, increment] = [value, increment].map(|number| number.map(|eighths| f64::from(eighths) / 8.0));
            let mut row = stored(value);
            row.observation.observed_at = UtcMillis::new(at);
            (row.observation.flag, row.observation.time_source) = (Flag::ALL[flag], TimeSource::ALL[source]);
            row.tests = TestResults::NONE.with(QualityTest::ALL[test], Flag::ALL[flag]);
            (row.revision, row.increment) = (revision, increment);
            let counter = counted.then_some(bakau_model::Counter { max: None, interval_ms: 60_000 });
            let mut writer = writer_of("a/rain", "mm", QualityLimits { counter, ..QualityLimits::default() });
            let read = read(&mut writer, &[row], local);
            let measured = read[0].tested.measured;
            prop_assert_eq!((measured.value, read[0].observed_at.0, read[0].revision), (value, UtcMillis::new(at), revision));
            prop_assert_eq!(measured.increment, counted.then_some(increment));
        }
    }
}
