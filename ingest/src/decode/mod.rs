//! Payload bytes to readings, one module per format.
//!
//! Pure: no clock, no registry lookups. Decoding works on the *slots* of a route (one per mapped value), so that the
//! datastream behind a slot is looked up once per topic and not once per reading.

mod document;
mod scan;
mod senml;
mod status;
mod time;
mod tree;
mod walk;

use bakau_model::{GasReference, Parameter, QuarantineReason, Unit, UtcMillis};
use bakau_registry::{Format, JsonValue};
use jiff::civil::DateTime;

pub use document::DocumentDecoder;
pub use senml::SenmlDecoder;
pub use status::StatusDecoder;

/// Readings in one message, over all its sets; more and the whole message goes to quarantine.
pub const MAX_READINGS: usize = 10_000;

/// One mapped value of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Where in the payload it is, as written in the catalogue.
    pub path: String,
    /// The parameter.
    pub parameter: Parameter,
    /// Tells several datastreams of one parameter apart.
    pub qualifier: Option<String>,
    /// Unit the device uses.
    pub unit: Unit,
    /// The state of the air for which the share of a gas becomes a mass.
    pub gas: Option<GasReference>,
}

impl Slot {
    fn of(value: &JsonValue) -> Self {
        Self {
            path: value.path.clone(),
            parameter: value.parameter.clone(),
            qualifier: value.qualifier.clone(),
            unit: value.unit.clone(),
            gas: value.gas,
        }
    }
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
    /// A number in a unit that cannot be converted to that of the mapping; the text says which.
    OtherUnit(String),
}

/// One value found in a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct RawReading {
    /// Which slot of the route.
    pub slot: usize,
    /// What stands there.
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
    /// Something is there but it is no time; the text says what.
    Invalid(String),
}

impl PayloadTime {
    /// Whether only the arrival tells when it was.
    #[must_use]
    pub const fn depends_on_arrival(&self) -> bool {
        match self {
            Self::Absent | Self::Relative(_) => true,
            Self::Device(_) | Self::Network(_) | Self::Local(_) | Self::Invalid(_) => false,
        }
    }
}

/// Readings that share time and device: one object of the payload.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingSet {
    /// Their time.
    pub time: PayloadTime,
    /// Ids by which the payload names its device, the most specific first; none where it names none.
    pub devices: Vec<Box<str>>,
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
    /// What an availability message says: whether the device is there.
    pub online: Option<bool>,
    /// Parts of the payload that are not understood while others are: which, and why.
    pub broken: Vec<(String, String)>,
}

impl Decoded {
    /// Forgets the last message.
    pub fn clear(&mut self) {
        self.sets.clear();
        self.readings.clear();
        self.online = None;
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

fn too_many(detail: String) -> DecodeError {
    DecodeError { reason: QuarantineReason::TooManyReadings, detail }
}

/// The decoder of one route.
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
    pub fn has_local_times(&self) -> bool {
        match self {
            Self::Document(document) => document.has_local_times(),
            Self::Senml(_) | Self::Status(_) => false,
        }
    }

    /// Reads a payload into `out`, which is cleared first.
    ///
    /// # Errors
    /// When nothing of the payload can be used; `out` is then empty.
    pub fn decode(&mut self, payload: &[u8], out: &mut Decoded) -> Result<(), DecodeError> {
        out.clear();
        let result = match self {
            Self::Document(document) => document.decode(payload, out),
            Self::Senml(senml) => senml.decode(payload, out),
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
