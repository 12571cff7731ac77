//! Formats that are JSON documents with values at known places: generic JSON by mapping, the network servers of
//! LoRaWAN, Tasmota and AirGradient.
//!
//! One object is one set of readings; for generic JSON a top-level array of objects is several, unless the mapping
//! itself points into the array (`/0/value`), and so is an array inside the document where the mapping names one. A
//! value may be a number or a string with a JSON number in it (several national networks send those); `null` is a
//! missing value, an absent key is no reading, and of a repeated key the last one counts.

use bakau_registry::{DeviceMapping, JsonMapping, JsonValue, TimeFormat};

use super::{
    DecodeError, Decoded, RawValue, Slot,
    scan::Scanner,
    time::{self, Clock, RawTime, TimeSpec},
    too_many,
    tree::{Node, Step, Target, pointer},
    walk::{MAX_SETS, Sets, Walk, push_set},
};

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
    /// What to say where the object with the decoded values is missing.
    body: Option<&'static str>,
    /// The set being read; reused from message to message.
    found: Vec<Option<RawValue>>,
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
            found: vec![None; values.len()],
        }
    }

    /// Generic JSON.
    #[must_use]
    pub fn json(mapping: &JsonMapping) -> Self {
        let mut decoder = Self { many: true, ..Self::new(&mapping.values) };
        let own_time = TimeSpec { clock: Clock::Device, format: mapping.time_format };
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
        let mut decoder = Self { body: Some(missing), ..Self::new(&mapping.values) };
        decoder.add_body(&keys(&["object"]), mapping);
        decoder.add_time(&keys(&["time"]), Clock::Server, TimeFormat::Rfc3339);
        decoder.add_device(&keys(&["deviceInfo", "devEui"]));
        decoder.add_device(&keys(&["deviceInfo", "deviceName"]));
        decoder
    }

    /// Uplink messages of The Things Stack v3, which leaves out fields that are empty, zero or false.
    #[must_use]
    pub fn tts(mapping: &DeviceMapping) -> Self {
        let missing =
            "there is no 'uplink_message.decoded_payload': no payload formatter decodes it, or it is no uplink";
        let mut decoder = Self { body: Some(missing), ..Self::new(&mapping.values) };
        decoder.add_body(&keys(&["uplink_message", "decoded_payload"]), mapping);
        let mut gateway = keys(&["uplink_message", "rx_metadata"]);
        gateway.extend([Step::Each, Step::Key("time".into())]);
        decoder.root.insert(&gateway, Target::FirstTime(decoder.times.len()));
        decoder.times.push(TimeSpec { clock: Clock::Gateway, format: TimeFormat::Rfc3339 });
        decoder.add_time(&keys(&["uplink_message", "received_at"]), Clock::Server, TimeFormat::Rfc3339);
        decoder.add_time(&keys(&["received_at"]), Clock::Server, TimeFormat::Rfc3339);
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
        decoder.add_time(&keys(&["Time"]), Clock::Device, TimeFormat::Local);
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
            self.add_time(&under(body, time), Clock::Device, mapping.time_format);
        }
    }

    fn add_time(&mut self, path: &[Step<'_>], clock: Clock, format: TimeFormat) {
        self.root.insert(path, Target::Time(self.times.len()));
        self.times.push(TimeSpec { clock, format });
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

    /// Whether times may be without an offset.
    pub(super) fn has_local_times(&self) -> bool {
        let of_elements = self.element.as_ref().map_or(&[][..], |element| &element.times);
        self.times.iter().chain(of_elements).any(|spec| spec.format == TimeFormat::Local)
    }

    /// Reads a payload; `out` must be empty.
    ///
    /// # Errors
    /// When the payload is no JSON, too deep, of the wrong shape, or has too many sets or readings.
    pub fn decode(&mut self, payload: &[u8], out: &mut Decoded) -> Result<(), DecodeError> {
        let mut scanner = Scanner::new(payload)?;
        let into_array = self.root.is_array() || !self.root.targets.is_empty();
        match scanner.peek_token() {
            None => return Err(DecodeError::undecodable("the payload is empty")),
            Some(b'[') if self.many && !into_array => {
                scanner.elements(0, |scanner, index, depth| {
                    if MAX_SETS <= index {
                        return Err(too_many(format!("more than {MAX_SETS} objects in one message")));
                    }
                    if scanner.peek_token() != Some(b'{') {
                        out.broken.push((format!("/{index}"), "the element is no object".to_owned()));
                        return scanner.skip(depth);
                    }
                    self.document(scanner, depth, out)
                })?;
            }
            Some(b'{') => self.document(&mut scanner, 0, out)?,
            Some(_) if into_array => self.document(&mut scanner, 0, out)?,
            Some(_) => {
                scanner.skip(0)?;
                let or_array = if self.many { "neither an object nor an array of objects" } else { "no object" };
                return Err(DecodeError::undecodable(format!("the payload is {or_array}")));
            }
        }
        scanner.end()
    }

    /// Reads one document at any depth into one set, or into those of its array.
    fn document(&mut self, scanner: &mut Scanner<'_>, depth: usize, out: &mut Decoded) -> Result<(), DecodeError> {
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
            found: &mut self.found,
            times: vec![RawTime::Absent; self.times.len()],
            devices: vec![None; self.devices],
            body: false,
            simulated: false,
            sets,
        };
        walk.value(scanner, &self.root, depth)?;
        if let Some(missing) = self.body.filter(|_| !walk.body) {
            return Err(DecodeError::undecodable(missing));
        }
        if walk.simulated {
            return Err(DecodeError::undecodable("the network server only simulated this uplink"));
        }
        let seen = walk.sets.as_ref().is_some_and(|sets| sets.seen);
        let (time, devices) = (time::choose(&self.times, &walk.times), walk.devices);
        match &self.element {
            Some(element) if !seen => out.broken.push((element.path.clone(), "there is no array".to_owned())),
            Some(_) => {}
            None => push_set(&mut self.found, time, out)?,
        }
        let devices: Vec<Box<str>> = devices.into_iter().flatten().collect();
        if !devices.is_empty() {
            out.sets.iter_mut().skip(before.0).for_each(|set| set.devices.clone_from(&devices));
        }
        Ok(())
    }
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
