//! Formats that are JSON documents with values at known places: generic JSON by mapping, the network servers of
//! LoRaWAN, Tasmota and AirGradient.
//!
//! One object is one set of readings; for generic JSON a top-level array of objects is several, unless the mapping
//! itself points into the array (`/0/value`), and so is an array inside the document where the mapping names one. A
//! value may be a number or a text with a number in it (several national networks send those); `null` and the codes and
//! words of the catalogue are missing values, an absent key is no reading, and of a repeated key the last one counts.

use std::sync::Arc;

use bakau_model::Missing;
use bakau_registry::{DeviceMapping, JsonMapping, JsonValue, TimeFormat};

use super::{
    DecodeError, Decoded, FrameId, RawValue, Slot,
    scan::{Scanner, text_of},
    slot::Values,
    time::{self, Clock, RawTime, TimeSpec},
    tree::{FramePart, Node, Step, Target, pointer},
    walk::{Frame, Sets, Walk, push_set},
};

/// The times of network servers.
const SERVER: TimeSpec = TimeSpec::of(Clock::Server, TimeFormat::Rfc3339);

/// The compiled mapping of a route.
#[derive(Debug, Clone)]
pub struct DocumentDecoder {
    slots: Vec<Slot>,
    /// Places in the document.
    root: Node,
    /// Places in each element of the array of sets, where the mapping names one.
    element: Option<Element>,
    /// The times of the document, in order of preference.
    times: Vec<TimeSpec>,
    /// How many places may name the device.
    devices: usize,
    /// Whether a top-level array of documents is accepted.
    many: bool,
    /// Error text where the object with the decoded values is missing.
    body: Option<&'static str>,
    /// Where documents are radio frames: the counter of one that names none.
    frames: Option<MissingCounter>,
    /// The set being read; reused from message to message.
    found: Vec<Option<RawValue>>,
}

/// Meaning of a missing frame counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MissingCounter {
    /// It is 0 where the session is named: the network leaves out zeros, but no session.
    Zero,
    /// The frame cannot be told from others.
    Unknown,
}

#[derive(Debug, Clone)]
struct Element {
    /// Where the array is, as written in the catalogue.
    path: String,
    node: Node,
    times: Vec<TimeSpec>,
}

impl DocumentDecoder {
    fn new(values: &[JsonValue]) -> Self {
        Self {
            slots: values.iter().map(Slot::of).collect(),
            root: Node::default(),
            element: None,
            times: Vec::new(),
            devices: 0,
            many: false,
            body: None,
            frames: None,
            found: vec![None; values.len()],
        }
    }

    /// Generic JSON.
    #[must_use]
    pub fn json(mapping: &JsonMapping) -> Self {
        let mut decoder = Self { many: true, ..Self::new(&mapping.values) };
        let own_time = TimeSpec { clock: Clock::Device, format: mapping.time_format, is_declared: true };
        let mut node = Node::default();
        add_values(&mut node, &[], &mapping.values);
        let mut times = Vec::new();
        if let Some(path) = &mapping.time {
            node.insert(&pointer(path), Target::Time(0));
            times.push(own_time);
        }
        match &mapping.readings {
            Some(path) => {
                decoder.root.insert(&pointer(path), Target::Sets);
                decoder.element = Some(Element { path: path.clone(), node, times });
            }
            None => (decoder.root, decoder.times) = (node, times),
        }
        if let Some(path) = &mapping.station {
            decoder.add_device(&pointer(path));
        }
        decoder
    }

    /// Uplink events of ChirpStack v4.
    #[must_use]
    pub fn chirpstack(mapping: &DeviceMapping) -> Self {
        let missing = "there is no 'object': no codec of the device profile decodes this payload, or it is no uplink";
        let frames = Some(MissingCounter::Unknown);
        let mut decoder = Self { body: Some(missing), frames, ..Self::new(&mapping.values) };
        decoder.add_body(&keys(&["object"]), mapping);
        decoder.root.insert(&keys(&["fCnt"]), Target::Frame(FramePart::Counter));
        decoder.root.insert(&keys(&["devAddr"]), Target::Frame(FramePart::Session));
        decoder.root.insert(&keys(&["data"]), Target::Frame(FramePart::Content));
        decoder.add_time(&keys(&["time"]), SERVER);
        decoder.add_device(&keys(&["deviceInfo", "devEui"]));
        decoder.add_device(&keys(&["deviceInfo", "deviceName"]));
        decoder
    }

    /// Uplink messages of The Things Stack v3, which leaves out fields that are empty, zero or false.
    #[must_use]
    pub fn tts(mapping: &DeviceMapping) -> Self {
        let missing =
            "there is no 'uplink_message.decoded_payload': no payload formatter decodes it, or it is no uplink";
        let frames = Some(MissingCounter::Zero);
        let mut decoder = Self { body: Some(missing), frames, ..Self::new(&mapping.values) };
        decoder.add_body(&keys(&["uplink_message", "decoded_payload"]), mapping);
        let uplink = |key: &'static str| keys(&["uplink_message", key]);
        decoder.root.insert(&uplink("f_cnt"), Target::Frame(FramePart::Counter));
        decoder.root.insert(&uplink("session_key_id"), Target::Frame(FramePart::Session));
        decoder.root.insert(&uplink("frm_payload"), Target::Frame(FramePart::Content));
        let mut gateway = keys(&["uplink_message", "rx_metadata"]);
        gateway.extend([Step::Each, Step::Key("time".into())]);
        decoder.root.insert(&gateway, Target::FirstTime(decoder.times.len()));
        decoder.times.push(TimeSpec::of(Clock::Gateway, TimeFormat::Rfc3339));
        decoder.add_time(&keys(&["uplink_message", "received_at"]), SERVER);
        decoder.add_time(&keys(&["received_at"]), SERVER);
        decoder.add_device(&keys(&["end_device_ids", "device_id"]));
        decoder.add_device(&keys(&["end_device_ids", "dev_eui"]));
        decoder.root.insert(&keys(&["simulated"]), Target::Simulated);
        decoder
    }

    /// Telemetry of Tasmota, whose time is local.
    #[must_use]
    pub fn tasmota(values: &[JsonValue]) -> Self {
        let mut decoder = Self::new(values);
        add_values(&mut decoder.root, &[], values);
        decoder.add_time(&keys(&["Time"]), TimeSpec::of(Clock::Device, TimeFormat::Local));
        decoder
    }

    /// Readings of AirGradient monitors, which have no time.
    #[must_use]
    pub fn airgradient(values: &[JsonValue]) -> Self {
        let mut decoder = Self::new(values);
        add_values(&mut decoder.root, &[], values);
        decoder.add_device(&keys(&["serialno"]));
        decoder
    }

    /// The text at one place, as the device id; for availability messages.
    pub(super) fn text_at(path: &str) -> Self {
        let mut decoder = Self::new(&[]);
        decoder.add_device(&pointer(path));
        decoder
    }

    fn add_body(&mut self, body: &[Step<'_>], mapping: &DeviceMapping) {
        self.root.insert(body, Target::Body);
        add_values(&mut self.root, body, &mapping.values);
        if let Some(time) = &mapping.time {
            let spec = TimeSpec { clock: Clock::Device, format: mapping.time_format, is_declared: true };
            self.add_time(&under(body, time), spec);
        }
    }

    fn add_time(&mut self, path: &[Step<'_>], spec: TimeSpec) {
        self.root.insert(path, Target::Time(self.times.len()));
        self.times.push(spec);
    }

    fn add_device(&mut self, path: &[Step<'_>]) {
        self.root.insert(path, Target::Device(self.devices));
        self.devices += 1;
    }

    /// The mapped values, by slot.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    /// Whether documents are radio frames.
    pub(super) const fn has_frames(&self) -> bool {
        self.frames.is_some()
    }

    /// Whether times may be without an offset.
    pub(super) fn has_local_times(&self) -> bool {
        let of_elements = self.element.as_ref().map_or(&[][..], |element| &element.times);
        self.times.iter().chain(of_elements).any(|spec| spec.format == TimeFormat::Local)
    }

    /// Reads a payload; `out` must be empty.
    ///
    /// # Errors
    /// When the payload is no JSON, of the wrong shape, or has too many sets or readings.
    pub fn decode(&mut self, payload: &[u8], of_source: &Missing, out: &mut Decoded) -> Result<(), DecodeError> {
        let text = text_of(payload)?;
        let mut scanner = Scanner::new(&text);
        let into_array = self.root.is_array() || !self.root.targets.is_empty();
        match scanner.peek_token() {
            None | Some(0) => return Err(DecodeError::undecodable("the payload is empty")),
            Some(b'[') if self.many && !into_array => {
                scanner.elements(|scanner, index| {
                    if scanner.peek_token() != Some(b'{') {
                        out.add_broken(format!("/{index}"), "the element is no object")?;
                        return scanner.skip();
                    }
                    self.document(scanner, of_source, out)
                })?;
            }
            Some(b'{') => self.document(&mut scanner, of_source, out)?,
            Some(_) if into_array => self.document(&mut scanner, of_source, out)?,
            Some(_) => {
                scanner.skip()?;
                let or_array = if self.many { "neither an object nor an array of objects" } else { "no object" };
                return Err(DecodeError::undecodable(format!("the payload is {or_array}")));
            }
        }
        scanner.end()
    }

    /// Reads one document into one set, or into those of its array.
    fn document(
        &mut self,
        scanner: &mut Scanner<'_>,
        of_source: &Missing,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        self.found.fill(None);
        let before = (out.sets.len(), out.readings.len());
        let sets = self.element.as_ref().map(|element| Sets {
            element: &element.node,
            times: &element.times,
            out: &mut *out,
            before,
            seen: false,
        });
        let mut walk = Walk {
            values: Values { slots: &self.slots, of_source },
            found: &mut self.found,
            times: vec![RawTime::Absent; self.times.len()],
            devices: vec![None; self.devices],
            body: false,
            simulated: false,
            frame: Frame::default(),
            sets,
        };
        walk.value(scanner, &self.root)?;
        if let Some(missing) = self.body.filter(|_| !walk.body) {
            return Err(DecodeError::undecodable(missing));
        }
        if walk.simulated {
            return Err(DecodeError::undecodable("the network server only simulated this uplink"));
        }
        let seen = walk.sets.as_ref().is_some_and(|sets| sets.seen);
        let (time, devices, frame) = (time::choose(&self.times, &walk.times), walk.devices, walk.frame);
        out.frame = self.frames.and_then(|missing| frame_id(frame, missing));
        match &self.element {
            Some(element) if !seen => out.add_broken(element.path.clone(), "there is no array")?,
            Some(_) => {}
            None => push_set(&mut self.found, time, out)?,
        }
        let devices: Vec<Box<str>> = devices.into_iter().flatten().collect();
        if !devices.is_empty() {
            out.add_devices(&devices)?;
            let devices: Arc<[Box<str>]> = devices.into();
            out.sets.iter_mut().skip(before.0).for_each(|set| set.devices = Arc::clone(&devices));
        }
        Ok(())
    }
}

fn frame_id(frame: Frame, missing: MissingCounter) -> Option<FrameId> {
    let counter = match (frame.counter, missing) {
        (Some(counter), _) => counter,
        (None, MissingCounter::Zero) if frame.session.is_some() => 0,
        (None, MissingCounter::Zero | MissingCounter::Unknown) => return None,
    };
    Some(FrameId { counter, session: frame.session.unwrap_or(0), content: frame.content })
}

fn add_values(node: &mut Node, body: &[Step<'_>], values: &[JsonValue]) {
    for (slot, value) in values.iter().enumerate() {
        node.insert(&under(body, &value.path), Target::Value(slot));
    }
}

fn under<'a>(body: &[Step<'a>], path: &'a str) -> Vec<Step<'a>> {
    body.iter().cloned().chain(pointer(path)).collect()
}

fn keys(path: &[&'static str]) -> Vec<Step<'static>> {
    path.iter().map(|key| Step::Key((*key).into())).collect()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
