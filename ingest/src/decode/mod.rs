//! Payload bytes to readings, one module per format.
//!
//! Pure: no clock, no registry lookups. Decoding works on the *slots* of a route (one per mapped value), so that the
//! datastream behind a slot is looked up once per topic and not once per reading.

mod document;
mod scan;
mod senml;
mod slot;
mod status;
mod time;
mod tree;
mod walk;

use std::sync::Arc;

use bakau_model::{Missing, QuarantineReason, UtcMillis};
use bakau_registry::{Format, Route};
use jiff::civil::DateTime;

pub use document::DocumentDecoder;
pub use senml::SenmlDecoder;
pub use slot::Slot;
pub use status::StatusDecoder;

/// Readings in one message, over all its sets; more and the whole message goes to quarantine. Also the most sets, and the
/// most parts that are not understood.
pub const MAX_READINGS: usize = 100_000;

/// Memory that all of a decoded message may take, texts included; more and the whole message goes to quarantine.
pub(crate) const MAX_DECODED_BYTES: usize = 32 << 20;

/// The value of one slot as the payload has it.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// A finite number.
    Number(f64),
    /// The device says that it has no value.
    Null,
    /// Not a number; the text says what it is.
    NotANumber(String),
    /// A number in a unit that cannot be converted to that of the mapping; the text says which.
    OtherUnit(String),
}

/// One decoded value as the device said it, not yet identified or converted.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Index of the slot in the route.
    pub slot: usize,
    /// The value found there.
    pub value: RawValue,
}

/// When a set of readings was measured, as far as the payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadTime {
    /// The payload has none, or null.
    Absent,
    /// The device's own time.
    Device(UtcMillis),
    /// The time of a gateway or network server.
    Network(UtcMillis),
    /// The device's own time without an offset.
    Local(DateTime),
    /// So many milliseconds after arrival; before it where negative.
    Relative(i64),
    /// Not a time; the text says what it is.
    Invalid(String),
}

impl PayloadTime {
    /// Whether the time depends on the arrival.
    #[must_use]
    pub(crate) const fn depends_on_arrival(&self) -> bool {
        match self {
            Self::Absent | Self::Relative(_) => true,
            Self::Device(_) | Self::Network(_) | Self::Local(_) | Self::Invalid(_) => false,
        }
    }
}

/// Readings that share time and device: one object of the payload.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingSet {
    /// Time of all readings in the set.
    pub time: PayloadTime,
    /// Ids by which the payload names its device, the most specific first; none where it names none.
    pub devices: Arc<[Box<str>]>,
    /// Index of their first reading in [`Decoded::readings`].
    pub first: usize,
    /// Number of readings.
    pub count: usize,
}

/// The radio frame that brought a payload, as its network server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameId {
    /// The device's counter of its frames.
    pub counter: u64,
    /// Id of the device's session, where the network server names it.
    pub session: u64,
    /// Hash of what the device sent, where the network server passes it on.
    pub content: Option<u64>,
}

/// Content of a payload; reused from message to message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The sets, in order.
    pub sets: Vec<ReadingSet>,
    /// All readings, set by set.
    pub readings: Vec<Reading>,
    /// Whether the device is online, from an availability message.
    pub online: Option<bool>,
    /// The radio frame that brought it, where it came by radio.
    pub frame: Option<FrameId>,
    /// Parts of the payload that are not understood while others are: place and reason.
    pub broken: Vec<(String, String)>,
    /// Memory used by all of this.
    bytes: usize,
}

impl Decoded {
    /// Removes the content of the last message.
    pub fn clear(&mut self) {
        self.sets.clear();
        self.readings.clear();
        self.online = None;
        self.frame = None;
        self.broken.clear();
        self.bytes = 0;
    }

    fn add_reading(&mut self, slot: usize, value: RawValue) -> Result<(), DecodeError> {
        let text = match &value {
            RawValue::Number(_) | RawValue::Null => 0,
            RawValue::NotANumber(text) | RawValue::OtherUnit(text) => text.capacity(),
        };
        self.readings.push(Reading { slot, value });
        self.grown(self.readings.len(), "readings", size_of::<Reading>() + text)
    }

    /// Adds a set; its readings are there.
    fn add_set(&mut self, set: ReadingSet) -> Result<(), DecodeError> {
        self.sets.push(set);
        self.grown(self.sets.len(), "sets of readings", size_of::<ReadingSet>())
    }

    fn add_broken(&mut self, place: String, detail: &str) -> Result<(), DecodeError> {
        let bytes = size_of::<(String, String)>() + place.capacity() + detail.len();
        self.broken.push((place, detail.to_owned()));
        self.grown(self.broken.len(), "parts that are no readings", bytes)
    }

    /// Counts ids that sets share.
    fn add_devices(&mut self, devices: &[Box<str>]) -> Result<(), DecodeError> {
        self.grown(0, "", devices.iter().map(|device| size_of::<Box<str>>() + device.len()).sum())
    }

    fn grown(&mut self, count: usize, what: &str, bytes: usize) -> Result<(), DecodeError> {
        self.bytes += bytes;
        if MAX_READINGS < count {
            return Err(too_many(format!("more than {MAX_READINGS} {what} in one message: send it in several")));
        }
        if MAX_DECODED_BYTES < self.bytes {
            let mib = MAX_DECODED_BYTES >> 20;
            return Err(too_many(format!("what the message holds takes more than {mib} MiB: send it in several")));
        }
        Ok(())
    }

    /// The readings of one set.
    #[must_use]
    pub(crate) fn readings_of(&self, set: &ReadingSet) -> &[Reading] {
        self.readings.get(set.first..set.first + set.count).unwrap_or(&[])
    }
}

/// A payload that is not understood at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct DecodeError {
    /// The reason for the quarantine list.
    pub reason: QuarantineReason,
    /// Details for whoever repairs the device.
    pub detail: String,
}

impl DecodeError {
    fn undecodable(detail: impl Into<String>) -> Self {
        Self { reason: QuarantineReason::Undecodable, detail: detail.into() }
    }
}

fn too_many(detail: String) -> DecodeError {
    DecodeError { reason: QuarantineReason::TooManyReadings, detail }
}

/// The decoder of one route.
///
/// ```
/// use bakau_ingest::decode::{Decoded, Decoder, RawValue};
/// use bakau_model::{Missing, Parameter, Unit};
/// use bakau_registry::{Format, JsonMapping, JsonValue, TimeFormat};
///
/// let oxygen = JsonValue {
///     path: "/water/do".to_owned(),
///     parameter: Parameter::new("do")?,
///     unit: Unit::new("mg/L"),
///     # qualifier: None, gas: None, missing: vec![], decimal_comma: None, unit_texts: vec![],
///     // ...
/// };
/// let time = Some("/time".to_owned());
/// let (readings, station, time_format) = (None, None, TimeFormat::Rfc3339);
/// let json = JsonMapping { readings, station, time, time_format, values: vec![oxygen] };
///
/// let (mut decoder, mut decoded) = (Decoder::compile(&Format::Json { json }), Decoded::default());
/// let payload = br#"{"time": "2026-03-10T02:13:00Z", "water": {"do": 0.42, "turbidity": 12}}"#;
/// decoder.decode(payload, &Missing::default(), &mut decoded)?;
/// assert_eq!(decoded.readings[0].value, RawValue::Number(0.42));
/// assert_eq!((decoded.sets.len(), decoded.readings.len()), (1, 1), "what no mapping names is left out");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub enum Decoder {
    /// A JSON document with values at known places.
    Document(DocumentDecoder),
    /// Sensor Measurement Lists.
    Senml(SenmlDecoder),
    /// Availability messages.
    Status(StatusDecoder),
}

impl Decoder {
    /// Compiles the format of a route.
    #[must_use]
    pub fn compile(format: &Format) -> Self {
        match format {
            Format::Json { json } => Self::Document(DocumentDecoder::json(json)),
            Format::Chirpstack { chirpstack } => Self::Document(DocumentDecoder::chirpstack(chirpstack)),
            Format::Tts { tts } => Self::Document(DocumentDecoder::tts(tts)),
            Format::Senml { senml } => Self::Senml(SenmlDecoder::compile(senml)),
            Format::Tasmota { tasmota } => Self::Document(DocumentDecoder::tasmota(&tasmota.values)),
            Format::Airgradient { airgradient } => Self::Document(DocumentDecoder::airgradient(&airgradient.values)),
            Format::Status { status } => Self::Status(StatusDecoder::compile(status)),
        }
    }

    /// Whether its messages are radio frames, which may come more than once.
    #[must_use]
    pub(crate) fn has_frames(&self) -> bool {
        match self {
            Self::Document(document) => document.has_frames(),
            Self::Senml(_) | Self::Status(_) => false,
        }
    }

    /// Compiles a route: its format, and its settings for all values.
    #[must_use]
    pub fn of(route: &Route) -> Self {
        let mut decoder = Self::compile(&route.format);
        let slots = match &mut decoder {
            Self::Document(document) => document.slots_mut(),
            Self::Senml(senml) => senml.slots_mut(),
            Self::Status(_) => &mut [],
        };
        slots.iter_mut().for_each(|slot| slot.inherit(route));
        decoder
    }

    /// The mapped values, by slot.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        match self {
            Self::Document(document) => document.slots(),
            Self::Senml(senml) => senml.slots(),
            Self::Status(_) => &[],
        }
    }

    /// Whether its times may be without an offset, so that the time zone of the route or source matters.
    #[must_use]
    pub(crate) fn has_local_times(&self) -> bool {
        match self {
            Self::Document(document) => document.has_local_times(),
            Self::Senml(_) | Self::Status(_) => false,
        }
    }

    /// Reads a payload into `out`, which is cleared first; `of_source` means "no value" in everything of its source.
    ///
    /// # Errors
    /// When nothing of the payload can be used; `out` is then empty.
    pub fn decode(&mut self, payload: &[u8], of_source: &Missing, out: &mut Decoded) -> Result<(), DecodeError> {
        out.clear();
        let result = match self {
            Self::Document(document) => document.decode(payload, of_source, out),
            Self::Senml(senml) => senml.decode(payload, of_source, out),
            Self::Status(status) => status.decode(payload, out),
        };
        if result.is_err() {
            out.clear();
        }
        result
    }
}

#[cfg(test)]
#[path = "fixture_tests.rs"]
mod tests;
