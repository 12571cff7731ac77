//! One pass through a JSON document that fills the mapped places.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use super::{
    DecodeError, Decoded, RawValue, ReadingSet,
    scan::{Scalar, Scanner},
    slot::{Slot, Values},
    time::{self, RawTime, TimeSpec},
    tree::{FramePart, Node, Target},
};

/// Longest device id that is looked up, in bytes; catalogues have none longer.
const MAX_DEVICE_BYTES: usize = 256;

/// Values read from one document, or from one element of its array of sets.
#[derive(Debug)]
pub(super) struct Walk<'d, 'a> {
    /// How values are written.
    pub(super) values: Values<'d>,
    /// The value of each slot.
    pub(super) found: &'d mut [Option<RawValue>],
    pub(super) times: Vec<RawTime<'a>>,
    pub(super) devices: Vec<Option<Box<str>>>,
    /// Whether the object with the decoded values is there.
    pub(super) body: bool,
    pub(super) simulated: bool,
    pub(super) frame: Frame,
    /// Where the sets of an array inside the document go; an element of such an array has none.
    pub(super) sets: Option<Sets<'d>>,
}

/// Id of the radio frame that brought a document, as far as it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) counter: Option<u64>,
    pub(super) session: Option<u64>,
    pub(super) content: Option<u64>,
}

impl Frame {
    fn put(&mut self, part: FramePart, written: Option<&str>) {
        let hashed = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        match part {
            FramePart::Counter => self.counter = written.and_then(|written| written.parse().ok()),
            FramePart::Session => self.session = written.map(hashed),
            FramePart::Content => self.content = written.map(hashed),
        }
    }
}

/// The array inside a document whose elements are sets of readings.
#[derive(Debug)]
pub(super) struct Sets<'d> {
    pub(super) element: &'d Node,
    pub(super) times: &'d [TimeSpec],
    pub(super) out: &'d mut Decoded,
    /// How many sets and readings there were before this document.
    pub(super) before: (usize, usize),
    pub(super) seen: bool,
}

impl<'a> Walk<'_, 'a> {
    /// Reads the value that is next. It goes into itself only where the mapping does; the catalogue bounds how deep that is.
    pub(super) fn value(&mut self, scanner: &mut Scanner<'a>, node: &Node) -> Result<(), DecodeError> {
        match scanner.peek_token() {
            Some(b'{') => {
                self.other(node, "an object");
                self.body |= node.targets.contains(&Target::Body);
                scanner.members(|scanner, key| match node.child(&key) {
                    Some(child) => {
                        self.forget(child, false);
                        self.value(scanner, child)
                    }
                    None => scanner.skip(),
                })
            }
            Some(b'[') if self.sets.is_some() && node.targets.contains(&Target::Sets) => self.elements(scanner),
            Some(b'[') => {
                self.other(node, "an array");
                scanner.elements(|scanner, index| match node.element(index) {
                    Some(child) => self.value(scanner, child),
                    None => scanner.skip(),
                })
            }
            Some(b'"') => {
                let text = scanner.string()?;
                self.text(node, &text);
                Ok(())
            }
            Some(_) | None => {
                match scanner.bare()? {
                    Scalar::Number(written) => self.number(node, written),
                    Scalar::Word("null") => self.null(node),
                    Scalar::Word(word) | Scalar::Nested(word) => self.other(node, word),
                    Scalar::Bare(written) => self.bare(node, written),
                    Scalar::Text(text) => self.text(node, &text),
                }
                Ok(())
            }
        }
    }

    /// Reads each element of the array as a set of its own.
    fn elements(&mut self, scanner: &mut Scanner<'a>) -> Result<(), DecodeError> {
        let Some(sets) = &mut self.sets else { return scanner.skip() };
        sets.seen = true;
        let (values, found) = (self.values, &mut *self.found);
        scanner.elements(|scanner, index| {
            if scanner.peek_token() != Some(b'{') {
                sets.out.add_broken(format!("/{index}"), "the element is no object")?;
                return scanner.skip();
            }
            found.fill(None);
            let times = vec![RawTime::Absent; sets.times.len()];
            let (body, simulated, frame) = (false, false, Frame::default());
            let mut walk = Walk { values, found, times, devices: Vec::new(), body, simulated, frame, sets: None };
            walk.value(scanner, sets.element)?;
            let time = time::choose(sets.times, &walk.times);
            push_set(found, time, sets.out)
        })?;
        self.found.fill(None);
        Ok(())
    }

    /// Of a repeated key the last one counts, so what an earlier one left below it goes; what the first element of an
    /// array said only goes with the whole array.
    fn forget(&mut self, node: &Node, whole_array: bool) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, None),
                Target::FirstTime(_) if !whole_array => {}
                Target::Time(rank) | Target::FirstTime(rank) => self.put_time(*rank, RawTime::Absent),
                Target::Device(rank) => self.put_device(*rank, None),
                Target::Sets => {
                    if let Some(Sets { out, before, seen, .. }) = &mut self.sets {
                        out.sets.truncate(before.0);
                        out.readings.truncate(before.1);
                        *seen = false;
                    }
                }
                Target::Body => self.body = false,
                Target::Simulated => self.simulated = false,
                Target::Frame(part) => self.frame.put(*part, None),
            }
        }
        for (_, child) in &node.children {
            self.forget(child, whole_array);
        }
        if let Some(each) = &node.each {
            self.forget(each, true);
        }
    }

    fn put(&mut self, slot: usize, value: Option<RawValue>) {
        if let Some(place) = self.found.get_mut(slot) {
            *place = value;
        }
    }

    fn read(&mut self, slot: usize, read: impl FnOnce(Values<'_>, &Slot) -> RawValue) {
        let value = self.values.slots.get(slot).map(|slot| read(self.values, slot));
        self.put(slot, value);
    }

    fn put_time(&mut self, rank: usize, time: RawTime<'a>) {
        if let Some(place) = self.times.get_mut(rank) {
            *place = time;
        }
    }

    fn put_device(&mut self, rank: usize, device: Option<&str>) {
        if let Some(place) = self.devices.get_mut(rank) {
            *place = device.map(|device| quoted(device).into());
        }
    }

    fn number(&mut self, node: &Node, written: &'a str) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.read(*slot, |values, slot| values.number(slot, written)),
                Target::Time(rank) => self.put_time(*rank, RawTime::Number(written)),
                Target::Device(rank) => self.put_device(*rank, Some(written)),
                Target::Frame(part) => self.frame.put(*part, Some(written)),
                Target::FirstTime(_) | Target::Sets | Target::Body | Target::Simulated => {}
            }
        }
    }

    #[expect(clippy::ptr_arg, reason = "a text borrowed from the payload stays borrowed when it is kept as the time")]
    fn text(&mut self, node: &Node, text: &Cow<'a, str>) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.read(*slot, |values, slot| values.text(slot, text)),
                Target::Time(rank) => self.put_time(*rank, RawTime::text(text.clone())),
                Target::FirstTime(rank) if matches!(self.times.get(*rank), Some(RawTime::Absent)) => {
                    self.put_time(*rank, RawTime::text(text.clone()));
                }
                Target::Device(rank) => self.put_device(*rank, Some(text)),
                Target::Frame(part) => self.frame.put(*part, Some(text)),
                Target::FirstTime(_) | Target::Sets | Target::Body | Target::Simulated => {}
            }
        }
    }

    /// Something that is no JSON: a text without quotes where it is not a value.
    fn bare(&mut self, node: &Node, written: &'a str) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.read(*slot, |values, slot| values.bare(slot, written)),
                Target::Time(rank) => self.put_time(*rank, RawTime::text(Cow::Borrowed(written))),
                Target::Device(rank) => self.put_device(*rank, Some(written)),
                Target::FirstTime(_) | Target::Sets | Target::Body | Target::Simulated | Target::Frame(_) => {}
            }
        }
    }

    fn null(&mut self, node: &Node) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.put(*slot, Some(RawValue::Null)),
                Target::Time(rank) => self.put_time(*rank, RawTime::Absent),
                Target::Device(rank) => self.put_device(*rank, None),
                Target::Frame(part) => self.frame.put(*part, None),
                Target::FirstTime(_) | Target::Sets | Target::Body | Target::Simulated => {}
            }
        }
    }

    fn other(&mut self, node: &Node, what: &'static str) {
        for target in &node.targets {
            match target {
                Target::Value(slot) => self.read(*slot, |values, slot| values.other(slot, what)),
                Target::Time(rank) => self.put_time(*rank, RawTime::Other(what)),
                Target::Device(rank) => self.put_device(*rank, Some(what)),
                Target::Simulated => self.simulated = what == "true",
                Target::FirstTime(_) | Target::Sets | Target::Body | Target::Frame(_) => {}
            }
        }
    }
}

/// Moves what was found into `out` as one set.
pub(super) fn push_set(
    found: &mut [Option<RawValue>],
    time: super::PayloadTime,
    out: &mut Decoded,
) -> Result<(), DecodeError> {
    let first = out.readings.len();
    for (slot, found) in found.iter_mut().enumerate() {
        if let Some(value) = found.take() {
            out.add_reading(slot, value)?;
        }
    }
    out.add_set(ReadingSet { time, devices: Arc::default(), first, count: out.readings.len() - first })
}

/// At most [`MAX_DEVICE_BYTES`] of a device id; one that is cut is in no catalogue.
pub(super) fn quoted(device: &str) -> &str {
    let end = (0..=MAX_DEVICE_BYTES + 1).rev().find(|end| device.is_char_boundary(*end)).unwrap_or(0);
    device.get(..end.min(device.len())).unwrap_or(device)
}
