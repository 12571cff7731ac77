//! Generic JSON by mapping: JSON Pointers (RFC 6901) to values and to the time.
//!
//! One object is one set of readings; a top-level array of objects is several, unless the mapping itself points into
//! the array (`/0/value`). A value may be a number or a string with a JSON number in it (several national networks
//! send those); `null` is a missing value, an absent key is no reading, and of a repeated key the last one counts.

use std::borrow::Cow;

use bakau_model::{QuarantineReason, UtcMillis};
use bakau_registry::{JsonMapping, TimeFormat};

use super::{
    DecodeError, Decoded, DeviceTime, MAX_READINGS, RawReading, RawValue, ReadingSet, Slot,
    scan::{Scanner, plain_number, quote},
};

/// Objects in a top-level array; more and the whole message goes to quarantine.
pub(crate) const MAX_SETS: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Value(usize),
    Time,
}

/// One step of the mapped paths.
#[derive(Debug, Clone, Default)]
struct Node {
    /// Steps below, by key.
    children: Vec<(Box<str>, Node)>,
    /// What is mapped here.
    targets: Vec<Target>,
}

impl Node {
    fn insert(&mut self, path: &[Cow<'_, str>], target: Target) {
        let Some((key, rest)) = path.split_first() else {
            self.targets.push(target);
            return;
        };
        let index = match self.position(key) {
            Ok(index) => index,
            Err(index) => {
                self.children.insert(index, (key.as_ref().into(), Self::default()));
                index
            }
        };
        if let Some((_, child)) = self.children.get_mut(index) {
            child.insert(rest, target);
        }
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.children.binary_search_by(|(own, _)| (**own).cmp(key))
    }

    fn child(&self, key: &str) -> Option<&Self> {
        self.position(key).ok().and_then(|index| self.children.get(index)).map(|(_, child)| child)
    }
}

/// What stands at the time's path, not yet read as a time.
#[derive(Debug, Clone, Default)]
enum RawTime<'a> {
    #[default]
    Absent,
    Number(&'a str),
    Text(Cow<'a, str>),
    Other(&'static str),
}

/// The compiled mapping of a route.
#[derive(Debug, Clone)]
pub struct JsonDecoder {
    slots: Vec<Slot>,
    time_format: TimeFormat,
    root: Node,
    /// Whether the mapping points into a top-level array instead of into its elements.
    root_is_array: bool,
    /// The set being read; reused from message to message.
    found: Vec<Option<RawValue>>,
}

impl JsonDecoder {
    /// Compiles a mapping.
    #[must_use]
    pub fn compile(mapping: &JsonMapping) -> Self {
        let mut root = Node::default();
        for (slot, value) in mapping.values.iter().enumerate() {
            root.insert(&pointer(&value.path), Target::Value(slot));
        }
        if let Some(time) = &mapping.time {
            root.insert(&pointer(time), Target::Time);
        }
        let slot = |value: &bakau_registry::JsonValue| Slot {
            path: value.path.clone(),
            parameter: value.parameter.clone(),
            qualifier: value.qualifier.clone(),
            unit: value.unit.clone(),
        };
        let is_index = |(key, _): &(Box<str>, Node)| array_index(key).is_some();
        Self {
            slots: mapping.values.iter().map(slot).collect(),
            time_format: mapping.time_format,
            root_is_array: root.children.iter().any(is_index),
            root,
            found: vec![None; mapping.values.len()],
        }
    }

    /// The mapped values, by slot.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Reads a payload; `out` must be empty.
    ///
    /// # Errors
    /// When the payload is no JSON, too deep, of the wrong shape, or has too many sets or readings.
    pub fn decode(&mut self, payload: &[u8], out: &mut Decoded) -> Result<(), DecodeError> {
        let mut scanner = Scanner::new(payload)?;
        match scanner.peek_token() {
            None => return Err(DecodeError::undecodable("the payload is empty")),
            Some(b'[') if !self.root_is_array && self.root.targets.is_empty() => {
                scanner.elements(0, |scanner, index, depth| {
                    if MAX_SETS <= index {
                        return Err(too_many(format!("more than {MAX_SETS} objects in one message")));
                    }
                    if scanner.peek_token() != Some(b'{') {
                        out.broken.push((format!("/{index}"), "the element is no object".to_owned()));
                        return scanner.skip(depth);
                    }
                    self.set(scanner, depth, out)
                })?;
            }
            Some(b'{') => self.set(&mut scanner, 0, out)?,
            Some(_) if self.root_is_array || !self.root.targets.is_empty() => self.set(&mut scanner, 0, out)?,
            Some(_) => {
                scanner.skip(0)?;
                return Err(DecodeError::undecodable("the payload is neither an object nor an array of objects"));
            }
        }
        scanner.end()
    }

    /// Reads one document at any depth into one set.
    fn set(&mut self, scanner: &mut Scanner<'_>, depth: usize, out: &mut Decoded) -> Result<(), DecodeError> {
        self.found.fill(None);
        let mut walk = Walk { found: &mut self.found, time: RawTime::Absent };
        walk.value(scanner, &self.root, depth)?;
        let time = device_time(&walk.time, self.time_format);
        let first = out.readings.len();
        let present = self.found.iter_mut().enumerate();
        out.readings.extend(present.filter_map(|(slot, found)| found.take().map(|value| RawReading { slot, value })));
        if MAX_READINGS < out.readings.len() {
            return Err(too_many(format!("more than {MAX_READINGS} readings in one message")));
        }
        out.sets.push(ReadingSet { time, first, count: out.readings.len() - first });
        Ok(())
    }
}

/// Fills the slots of one set on the way through its document.
struct Walk<'f, 'a> {
    found: &'f mut [Option<RawValue>],
    time: RawTime<'a>,
}

impl<'a> Walk<'_, 'a> {
    fn value(&mut self, scanner: &mut Scanner<'a>, node: &Node, depth: usize) -> Result<(), DecodeError> {
        match scanner.peek_token() {
            Some(b'{') => {
                self.other(node, "an object");
                scanner.members(depth, |scanner, key, depth| match node.child(&key) {
                    Some(child) => {
                        self.forget(child);
                        self.value(scanner, child, depth)
                    }
                    None => scanner.skip(depth),
                })
            }
            Some(b'[') => {
                self.other(node, "an array");
                scanner.elements(depth, |scanner, index, depth| {
                    let is_this = |(key, _): &&(Box<str>, Node)| array_index(key) == Some(index);
                    match node.children.iter().find(is_this) {
                        Some((_, child)) => self.value(scanner, child, depth),
                        None => scanner.skip(depth),
                    }
                })
            }
            Some(b'"') => {
                let text = scanner.string()?;
                self.text(node, &text);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let written = scanner.number()?;
                self.number(node, written);
                Ok(())
            }
            Some(_) | None => {
                match scanner.word()? {
                    "null" => self.null(node),
                    word => self.other(node, word),
                }
                Ok(())
            }
        }
    }

    /// Of a repeated key the last one counts, so what an earlier one left below it goes.
    fn forget(&mut self, node: &Node) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, None),
                Target::Time => self.time = RawTime::Absent,
            }
        }
        for (_, child) in &node.children {
            self.forget(child);
        }
    }

    fn put(&mut self, slot: usize, value: Option<RawValue>) {
        if let Some(place) = self.found.get_mut(slot) {
            *place = value;
        }
    }

    fn number(&mut self, node: &Node, written: &'a str) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, Some(finite(plain_number(written), written))),
                Target::Time => self.time = RawTime::Number(written),
            }
        }
    }

    #[expect(clippy::ptr_arg, reason = "a text borrowed from the payload stays borrowed when it is kept as the time")]
    fn text(&mut self, node: &Node, text: &Cow<'a, str>) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, Some(finite(plain_number(text), text))),
                Target::Time => self.time = RawTime::Text(text.clone()),
            }
        }
    }

    fn null(&mut self, node: &Node) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, Some(RawValue::Null)),
                Target::Time => self.time = RawTime::Absent,
            }
        }
    }

    fn other(&mut self, node: &Node, what: &'static str) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, Some(RawValue::NotANumber(format!("{what} is no number")))),
                Target::Time => self.time = RawTime::Other(what),
            }
        }
    }
}

fn finite(number: Option<f64>, written: &str) -> RawValue {
    match number {
        Some(number) if number.is_finite() => RawValue::Number(number),
        Some(_) => RawValue::NotANumber(format!("{} is too large", quote(written))),
        None => RawValue::NotANumber(format!("\"{}\" is no number", quote(written))),
    }
}

fn too_many(detail: String) -> DecodeError {
    DecodeError { reason: QuarantineReason::TooManyReadings, detail }
}

/// The keys of a JSON Pointer; a leading slash may be missing, because people forget it.
fn pointer(path: &str) -> Vec<Cow<'_, str>> {
    if path.is_empty() {
        return Vec::new();
    }
    let unescaped = |key: &'_ str| key.replace("~1", "/").replace("~0", "~");
    path.strip_prefix('/').unwrap_or(path).split('/').map(|key| Cow::Owned(unescaped(key))).collect()
}

/// The array index a key stands for (RFC 6901: digits without leading zeros).
fn array_index(key: &str) -> Option<usize> {
    let canonical = key == "0" || (!key.starts_with('0') && !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()));
    if canonical { key.parse().ok() } else { None }
}

/// Milliseconds since 1970 of the first and the last instant that can be shown with a calendar date.
const SHOWABLE_MS: std::ops::RangeInclusive<f64> = -377_705_023_201_000.0..=253_402_207_200_000.0;

fn device_time(raw: &RawTime<'_>, format: TimeFormat) -> DeviceTime {
    match (raw, format) {
        (RawTime::Absent, _) => DeviceTime::Absent,
        (RawTime::Text(text), TimeFormat::Rfc3339) => match UtcMillis::parse(text) {
            Ok(at) => DeviceTime::At(at),
            Err(error) => DeviceTime::Invalid(error.to_string()),
        },
        (RawTime::Number(written), TimeFormat::Rfc3339) => {
            DeviceTime::Invalid(format!("{} is a number; the route expects RFC 3339 text", quote(written)))
        }
        (RawTime::Number(written), TimeFormat::EpochS) => epoch(written, 1_000.0),
        (RawTime::Number(written), TimeFormat::EpochMs) => epoch(written, 1.0),
        (RawTime::Text(text), TimeFormat::EpochS) => epoch(text, 1_000.0),
        (RawTime::Text(text), TimeFormat::EpochMs) => epoch(text, 1.0),
        (RawTime::Number(written) | RawTime::Text(Cow::Borrowed(written)), TimeFormat::Local) => {
            DeviceTime::Invalid(format!("{} is a local time", quote(written)))
        }
        (RawTime::Text(text), TimeFormat::Local) => DeviceTime::Invalid(format!("{} is a local time", quote(text))),
        (RawTime::Other(what), _) => DeviceTime::Invalid(format!("{what} is no time")),
    }
}

fn epoch(written: &str, millis_per_unit: f64) -> DeviceTime {
    let Some(number) = plain_number(written) else {
        return DeviceTime::Invalid(format!("\"{}\" is no number of seconds or milliseconds", quote(written)));
    };
    let millis = (number * millis_per_unit).round();
    if SHOWABLE_MS.contains(&millis) {
        return DeviceTime::At(UtcMillis::new(millis as i64));
    }
    DeviceTime::Invalid(format!("{} lies outside the years -9999 to 9999", quote(written)))
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
