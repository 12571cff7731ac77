//! What the engine keeps per (rule, datastream), and its stored form.
//!
//! A stored state is `format u8, codec u8, registry revision u64 LE, CRC-32C u32 LE of everything else`, then postcard.

use std::{fmt, str::FromStr, sync::Arc};

use bakau_model::{DatastreamId, Flag, RuleId, SourceName, StationId, UtcMillis};
use bakau_registry::Rule;
use serde::{Deserialize, Serialize};

use super::{Limits, Machine};
use crate::AlertId;

const FORMAT: u8 = 1;
const CODEC_POSTCARD: u8 = 0;
const HEADER_BYTES: usize = 14;

/// What a rule watches. Datastreams come first in order, so that their slots are found by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One datastream.
    Datastream(DatastreamId),
    /// A whole station.
    Station(StationId),
    /// A source of messages.
    Source(SourceName),
}

impl Subject {
    /// The datastream, where it is one.
    #[must_use]
    pub const fn datastream(&self) -> Option<DatastreamId> {
        match self {
            Self::Datastream(number) => Some(*number),
            Self::Station(_) | Self::Source(_) => None,
        }
    }
}

/// As stored: `7`, `station prb-bjbr-01`, `source demo`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datastream(number) => write!(f, "{}", number.get()),
            Self::Station(station) => write!(f, "station {station}"),
            Self::Source(source) => write!(f, "source {source}"),
        }
    }
}

/// A stored subject that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names nothing that a rule can watch")]
pub struct UnknownSubject;

impl FromStr for Subject {
    type Err = UnknownSubject;
    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        let subject = match text.split_once(' ') {
            None => text.parse().ok().map(|number| Self::Datastream(DatastreamId::new(number))),
            Some(("station", id)) => id.parse().ok().map(Self::Station),
            Some(("source", name)) => name.parse().ok().map(Self::Source),
            Some(_) => None,
        };
        subject.ok_or(UnknownSubject)
    }
}

/// What a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey {
    /// What is watched.
    pub subject: Subject,
    /// The rule.
    pub rule: RuleId,
}

/// The last observation a rule evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// When the environment had the value.
    pub observed_at: UtcMillis,
    /// The value.
    pub value: f64,
    /// Its quality.
    pub flag: Flag,
}

/// The alert that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenAlert {
    /// Its identity.
    pub id: AlertId,
    /// Transitions so far.
    pub sequence: u32,
    /// Whether somebody has taken it in hand.
    pub acknowledged: bool,
    /// The rule as it was last seen, so that the alert can be closed and told of when the rule is gone.
    #[serde(with = "as_json")]
    pub rule: Arc<Rule>,
}

/// Everything kept of one rule on one datastream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotState {
    /// The limits the machine has been run with.
    pub limits: Limits,
    /// The level machine.
    pub machine: Machine,
    /// The last observation evaluated; survives rule changes, so that no observation counts twice.
    pub last: Option<Evaluated>,
    /// The open alert; present exactly while the level is above *normal*.
    pub alert: Option<OpenAlert>,
}

/// A stored state that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Bytes are missing or changed.
    #[error("it is damaged")]
    Damaged,
    /// Written by a newer version.
    #[error("it has format {0}, which only a newer version of Bakau reads")]
    Newer(u8),
}

impl SlotState {
    /// A state that has seen nothing.
    #[must_use]
    pub const fn new(limits: Limits, machine: Machine, last: Option<Evaluated>) -> Self {
        Self { limits, machine, last, alert: None }
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self, revision: u64) -> Vec<u8> {
        let mut blob = Vec::with_capacity(160);
        blob.extend_from_slice(&[FORMAT, CODEC_POSTCARD]);
        blob.extend_from_slice(&revision.to_le_bytes());
        blob.extend_from_slice(&[0; 4]);
        #[expect(clippy::expect_used, reason = "writing plain values to memory cannot fail")]
        let mut blob = postcard::to_extend(self, blob).expect("encoding an engine state");
        let sum = checksum(&blob);
        blob[10..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        blob
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it is damaged or newer.
    pub fn decode(blob: &[u8]) -> Result<Self, StateError> {
        if blob.len() < HEADER_BYTES {
            return Err(StateError::Damaged);
        }
        if FORMAT < blob[0] || CODEC_POSTCARD < blob[1] {
            return Err(StateError::Newer(blob[0]));
        }
        let mut stored = [0; 4];
        stored.copy_from_slice(&blob[10..HEADER_BYTES]);
        if checksum(blob) != u32::from_le_bytes(stored) {
            return Err(StateError::Damaged);
        }
        postcard::from_bytes(&blob[HEADER_BYTES..]).map_err(|_| StateError::Damaged)
    }
}

fn checksum(blob: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&blob[..10]), &blob[HEADER_BYTES..])
}

/// Rules hold texts that only self-describing formats can read.
mod as_json {
    use super::{Arc, Deserialize, Rule};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(rule: &Arc<Rule>, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(rule).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Rule>, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Arc::new).map_err(serde::de::Error::custom)
    }
}
