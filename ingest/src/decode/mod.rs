//! Payload bytes to readings, one module per format.
//!
//! Pure: no clock, no registry lookups. Decoding works on the *slots* of a route (one per mapped value), so that the
//! datastream behind a slot is looked up once per topic and not once per reading.

mod json;
mod scan;

use bakau_model::{Parameter, QuarantineReason, Unit, UtcMillis};
use bakau_registry::Format;

pub use json::JsonDecoder;

/// Readings in one message, over all its sets; more and the whole message goes to quarantine.
pub const MAX_READINGS: usize = 10_000;

/// One mapped value of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Where in the payload it is, as written in the catalogue.
    pub path: String,
    /// The parameter.
    pub parameter: Parameter,
    /// Tells several datastreams of one parameter apart.
    pub qualifier: Option<String>,
    /// Unit the device uses.
    pub unit: Unit,
}

/// What stands in the payload for one slot.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// A finite number.
    Number(f64),
    /// The device says that it has no value.
    Null,
    /// Something else; the text says what.
    NotANumber(String),
}

/// One value found in a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct RawReading {
    /// Which slot of the route.
    pub slot: usize,
    /// What stands there.
    pub value: RawValue,
}

/// The device's own time of a set of readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceTime {
    /// The payload has none, or null.
    Absent,
    /// The time.
    At(UtcMillis),
    /// Something is there but it is no time; the text says what.
    Invalid(String),
}

/// Readings that share one time: one object of the payload.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingSet {
    /// Their time.
    pub time: DeviceTime,
    /// Index of their first reading in [`Decoded::readings`].
    pub first: usize,
    /// How many readings.
    pub count: usize,
}

/// What a payload says. Reused from message to message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The sets, in order.
    pub sets: Vec<ReadingSet>,
    /// All readings, set by set.
    pub readings: Vec<RawReading>,
    /// Parts of the payload that are not understood while others are: which, and why.
    pub broken: Vec<(String, String)>,
}

impl Decoded {
    /// Forgets the last message.
    pub fn clear(&mut self) {
        self.sets.clear();
        self.readings.clear();
        self.broken.clear();
    }

    /// The readings of one set.
    #[must_use]
    pub fn readings_of(&self, set: &ReadingSet) -> &[RawReading] {
        self.readings.get(set.first..set.first + set.count).unwrap_or(&[])
    }
}

/// A payload that is not understood at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct DecodeError {
    /// The reason for the quarantine list.
    pub reason: QuarantineReason,
    /// What exactly, for whoever repairs the device.
    pub detail: String,
}

impl DecodeError {
    fn undecodable(detail: impl Into<String>) -> Self {
        Self { reason: QuarantineReason::Undecodable, detail: detail.into() }
    }
}

/// The decoder of one route.
#[derive(Debug, Clone)]
pub enum Decoder {
    /// Generic JSON by mapping.
    Json(JsonDecoder),
    /// A format without a decoder in this version.
    Unread(&'static str),
}

impl Decoder {
    /// Compiles the format of a route.
    #[must_use]
    pub fn compile(format: &Format) -> Self {
        match format {
            Format::Json { json } => Self::Json(JsonDecoder::compile(json)),
            Format::Chirpstack { .. }
            | Format::Tts { .. }
            | Format::Senml { .. }
            | Format::Tasmota { .. }
            | Format::Airgradient { .. }
            | Format::Status { .. } => Self::Unread(format.name()),
        }
    }

    /// The mapped values, by slot.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        match self {
            Self::Json(json) => json.slots(),
            Self::Unread(_) => &[],
        }
    }

    /// Reads a payload into `out`, which is cleared first.
    ///
    /// # Errors
    /// When nothing of the payload can be used; `out` is then empty.
    pub fn decode(&mut self, payload: &[u8], out: &mut Decoded) -> Result<(), DecodeError> {
        out.clear();
        let result = match self {
            Self::Json(json) => json.decode(payload, out),
            Self::Unread(name) => Err(DecodeError::undecodable(format!("no decoder for {name}"))),
        };
        if result.is_err() {
            out.clear();
        }
        result
    }
}
