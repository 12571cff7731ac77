//! Sensor Measurement Lists (RFC 8428) in JSON.
//!
//! Base fields hold from their record on. A record's name is base name and name; its time is base time and time, and
//! below 2^28 s it is relative to now, which is the arrival. A mapped path is the name of a record or its whole name
//! with the base name; `name#sum` maps its sum. A unit in the payload must be convertible to that of the mapping.
//! `null` is no value, which RFC 8428 does not provide for and devices send; a text is a number where it is one. Records
//! of mapped names with another text, a boolean or data are not numbers; records of other names are left alone.

use std::{borrow::Cow, sync::Arc};

use bakau_model::{Conversion, Missing, Unit, decimal, trim};
use bakau_registry::ValueMapping;

use super::{
    DecodeError, Decoded, MAX_READINGS, PayloadTime, RawValue, ReadingSet, Slot,
    scan::{Scalar, Scanner, quote, text_of},
    slot::{Values, says_nothing},
    time::{looks_like, showable},
    too_many,
    walk::quoted,
};

/// Times below this many seconds are relative to now.
const RELATIVE_BELOW_S: f64 = 268_435_456.0;
/// The version this decoder understands; a higher one must not be used.
const VERSION: f64 = 10.0;
/// Ends the path of a sum.
const SUM: &str = "#sum";
/// Longest resolved name, in bytes; longer ones cannot be mapped.
const MAX_NAME_BYTES: usize = 1_024;

/// SenML's names of units where they differ from UCUM's.
const UNITS: &[(&str, &str)] = &[
    ("%RH", "%"),
    ("%EL", "%"),
    ("/100", "%"),
    ("/", "1"),
    ("pH", "[pH]"),
    ("mg/l", "mg/L"),
    ("ug/l", "ug/L"),
    ("l", "L"),
    ("l/s", "L/s"),
    ("dBm", "{dBm}"),
    ("ppm", "[ppm]"),
    ("ppb", "[ppb]"),
    ("ppt", "[ppth]"),
    ("NTU", "[NTU]"),
    ("deg", "deg"),
];

/// The compiled mapping of a route.
#[derive(Debug, Clone)]
pub struct SenmlDecoder {
    slots: Vec<Slot>,
    paths: Vec<MappedPath>,
}

#[derive(Debug, Clone)]
struct MappedPath {
    name: Box<str>,
    is_sum: bool,
}

/// Base fields so far.
#[derive(Debug, Default)]
struct Base<'a> {
    name: Cow<'a, str>,
    /// The device ids in it.
    devices: Arc<[Box<str>]>,
    time: f64,
    unit: Option<Cow<'a, str>>,
    value: f64,
    sum: f64,
}

/// The fields of one record.
#[derive(Debug, Default)]
struct Record<'a> {
    name: Option<Cow<'a, str>>,
    unit: Option<Cow<'a, str>>,
    time: Option<f64>,
    value: Option<Measured<'a>>,
    sum: Option<Measured<'a>>,
    /// Error of the record.
    fault: Option<&'static str>,
    /// Whether it has a base name.
    renames: bool,
}

#[derive(Debug)]
enum Measured<'a> {
    Number(&'a str),
    Text(Cow<'a, str>),
    /// No JSON.
    Bare(&'a str),
    Other(&'static str),
}

impl SenmlDecoder {
    /// Compiles a mapping.
    #[must_use]
    pub fn compile(mapping: &ValueMapping) -> Self {
        let path = |value: &bakau_registry::JsonValue| match value.path.strip_suffix(SUM) {
            Some(name) => MappedPath { name: name.into(), is_sum: true },
            None => MappedPath { name: value.path.as_str().into(), is_sum: false },
        };
        Self { slots: mapping.values.iter().map(Slot::of).collect(), paths: mapping.values.iter().map(path).collect() }
    }

    /// The mapped values, by slot.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    /// Reads a pack; `out` must be empty.
    ///
    /// # Errors
    /// When the payload is no JSON array, a base field cannot be read, a must-understand field is unknown, or there
    /// are too many readings.
    pub fn decode(&self, payload: &[u8], of_source: &Missing, out: &mut Decoded) -> Result<(), DecodeError> {
        let text = text_of(payload)?;
        let mut scanner = Scanner::new(&text);
        match scanner.peek_token() {
            None | Some(0) => return Err(DecodeError::undecodable("the payload is empty")),
            Some(b'[') => {}
            Some(_) => {
                scanner.skip()?;
                return Err(DecodeError::undecodable("the payload is no SenML pack: an array of records"));
            }
        }
        let mut base = Base::default();
        scanner.elements(|scanner, index| {
            if MAX_READINGS <= index {
                return Err(too_many(format!("more than {MAX_READINGS} records in one message: send it in several")));
            }
            if scanner.peek_token() != Some(b'{') {
                out.add_broken(format!("/{index}"), "the record is no object")?;
                return scanner.skip();
            }
            let record = record(scanner, &mut base)?;
            if record.renames {
                base.devices = devices(&base.name).into();
                out.add_devices(&base.devices)?;
            }
            match &record.fault {
                Some(fault) => out.add_broken(format!("/{index}"), fault)?,
                None => self.resolve(&base, &record, of_source, out)?,
            }
            Ok(())
        })?;
        scanner.end()
    }

    /// Adds what is mapped of one record.
    fn resolve(
        &self,
        base: &Base<'_>,
        record: &Record<'_>,
        of_source: &Missing,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let values = Values { slots: &self.slots, of_source };
        let own = record.name.as_deref().unwrap_or_default();
        if MAX_NAME_BYTES < base.name.len() + own.len() {
            return Ok(());
        }
        let whole = format!("{}{own}", base.name);
        for (slot, path) in self.paths.iter().enumerate() {
            let is_mapped = *path.name == *whole || (!own.is_empty() && *path.name == *own);
            let (measured, offset) = if path.is_sum { (&record.sum, base.sum) } else { (&record.value, base.value) };
            let Some(measured) = measured.as_ref().filter(|_| is_mapped) else { continue };
            let unit = record.unit.as_deref().or(base.unit.as_deref());
            let Some(place) = self.slots.get(slot) else { continue };
            let read = match measured {
                Measured::Number(written) => values.number(place, written),
                Measured::Text(text) => values.text(place, text),
                Measured::Bare(written) => values.bare(place, written),
                Measured::Other(what) => values.other(place, what),
            };
            let value = converted(read, offset, if path.is_sum { None } else { unit }, &place.unit);
            add(time(base.time + record.time.unwrap_or(0.0)), &base.devices, (slot, value), out)?;
        }
        Ok(())
    }
}

/// Reads one record; its base fields take effect at once, wherever in the record they stand.
fn record<'a>(scanner: &mut Scanner<'a>, base: &mut Base<'a>) -> Result<Record<'a>, DecodeError> {
    let mut record = Record::default();
    scanner.members(|scanner, key| {
        let scalar = scanner.scalar()?;
        match &*key {
            "bn" => {
                base.name = text(scalar).ok_or_else(|| bad_base("bn", "a text"))?;
                record.renames = true;
            }
            // A time that says nothing is none.
            "t" | "bt" if is_nothing(&scalar) => {}
            "bt" => base.time = number(&scalar).ok_or_else(|| bad_base("bt", "a number"))?,
            "bu" => base.unit = Some(text(scalar).ok_or_else(|| bad_base("bu", "a text"))?),
            "bv" => base.value = number(&scalar).ok_or_else(|| bad_base("bv", "a number"))?,
            "bs" => base.sum = number(&scalar).ok_or_else(|| bad_base("bs", "a number"))?,
            "bver" => {
                let version = number(&scalar).ok_or_else(|| bad_base("bver", "a number"))?;
                if VERSION < version {
                    let detail = format!("the pack is of SenML version {version}; this decoder reads up to {VERSION}");
                    return Err(DecodeError::undecodable(detail));
                }
            }
            "n" => match text(scalar) {
                Some(name) => record.name = Some(name),
                None => record.fault = Some("n is no text"),
            },
            "u" => match text(scalar) {
                Some(unit) => record.unit = Some(unit),
                None => record.fault = Some("u is no text"),
            },
            "t" => match number(&scalar) {
                Some(time) => record.time = Some(time),
                None => record.fault = Some("t is no number"),
            },
            "v" | "vs" => record.value = Some(measured(scalar)),
            "s" => record.sum = Some(measured(scalar)),
            "vb" => record.value = Some(Measured::Other("a boolean")),
            "vd" => record.value = Some(Measured::Other("binary data")),
            unknown if unknown.ends_with('_') => {
                let detail = format!("the pack asks to be refused by whoever does not know '{}'", quote(unknown));
                return Err(DecodeError::undecodable(detail));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(record)
}

fn bad_base(field: &str, what: &str) -> DecodeError {
    DecodeError::undecodable(format!("{field} is not {what}, and every record after it depends on it"))
}

fn text(scalar: Scalar<'_>) -> Option<Cow<'_, str>> {
    match scalar {
        Scalar::Text(text) => Some(text),
        Scalar::Number(_) | Scalar::Word(_) | Scalar::Bare(_) | Scalar::Nested(_) => None,
    }
}

fn number(scalar: &Scalar<'_>) -> Option<f64> {
    match scalar {
        Scalar::Number(written) => decimal(written).filter(|number| number.is_finite()),
        Scalar::Text(_) | Scalar::Word(_) | Scalar::Bare(_) | Scalar::Nested(_) => None,
    }
}

fn is_nothing(scalar: &Scalar<'_>) -> bool {
    match scalar {
        Scalar::Text(text) => says_nothing(trim(text)),
        Scalar::Bare(written) => says_nothing(written),
        Scalar::Word(word) => *word == "null",
        Scalar::Number(_) | Scalar::Nested(_) => false,
    }
}

fn measured(scalar: Scalar<'_>) -> Measured<'_> {
    match scalar {
        Scalar::Number(written) => Measured::Number(written),
        Scalar::Text(text) => Measured::Text(text),
        Scalar::Bare(written) | Scalar::Word(written @ "null") => Measured::Bare(written),
        Scalar::Word(word) | Scalar::Nested(word) => Measured::Other(word),
    }
}

/// A number with the base value added, in the unit of the mapping.
fn converted(read: RawValue, offset: f64, given: Option<&str>, mapped: &Unit) -> RawValue {
    let RawValue::Number(number) = read else { return read };
    let conversion = match given.map(|given| (given, unit(given).conversion_to(mapped))) {
        None => Conversion::NONE,
        Some((_, Ok(conversion))) => conversion,
        Some((given, Err(_))) => {
            let detail = format!("the payload says '{}' where the mapping says '{mapped}'", quote(given));
            return RawValue::OtherUnit(detail);
        }
    };
    let converted = conversion.apply_to_sum(offset, number);
    if converted.is_finite() {
        RawValue::Number(converted)
    } else {
        RawValue::NotANumber(format!("{number} is too large with its base value and unit"))
    }
}

fn unit(given: &str) -> Unit {
    let known = UNITS.iter().find(|(senml, _)| *senml == given);
    Unit::new(known.map_or(given, |(_, ucum)| ucum))
}

fn time(seconds: f64) -> PayloadTime {
    let millis = seconds * 1_000.0;
    if RELATIVE_BELOW_S <= seconds {
        let looks = looks_like(seconds)
            .map_or_else(String::new, |(unit, at)| format!("; it looks like {unit} ({at}), and SenML has seconds"));
        let invalid =
            || PayloadTime::Invalid(format!("{seconds} seconds since 1970 lie outside the years -9999 to 9999{looks}"));
        return showable(millis).map_or_else(invalid, PayloadTime::Device);
    }
    match millis.round() {
        0.0 => PayloadTime::Absent,
        millis => PayloadTime::Relative(millis as i64),
    }
}

/// Adds a reading to the last set if it has the same time and device, else to a new one.
fn add(
    time: PayloadTime,
    devices: &Arc<[Box<str>]>,
    (slot, value): (usize, RawValue),
    out: &mut Decoded,
) -> Result<(), DecodeError> {
    let first = out.readings.len();
    out.add_reading(slot, value)?;
    match out.sets.last_mut() {
        Some(set) if set.time == time && set.devices == *devices => {
            set.count += 1;
            Ok(())
        }
        Some(_) | None => out.add_set(ReadingSet { time, devices: Arc::clone(devices), first, count: 1 }),
    }
}

/// The ids that a base name may be in the catalogue: itself without its separator, and its last part.
fn devices(base_name: &str) -> Vec<Box<str>> {
    let whole = base_name.trim_end_matches([':', '/', '.', '-', '_']);
    let last = whole.rsplit([':', '/']).next().unwrap_or_default();
    let both = if last == whole { [whole, ""] } else { [whole, last] };
    both.into_iter().filter(|id| !id.is_empty()).map(|id| quoted(id).into()).collect()
}

#[cfg(test)]
#[path = "senml_tests.rs"]
mod tests;
