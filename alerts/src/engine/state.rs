//! What the engine keeps per (rule, subject), and its stored form; older forms are read by [`old`].
//!
//! A stored state is `format u8, codec u8, registry revision u64 LE, CRC-32C u32 LE of everything else`, then postcard.

mod old;

use std::sync::Arc;

use bakau_model::{Flag, Level, RuleId, UtcMillis};
use bakau_registry::{Figures, Rule};
use serde::{Deserialize, Serialize};

use super::{After, Limits, Machine, NoData, Subject};
use crate::AlertId;

const FORMAT: u8 = 6;
const CODEC_POSTCARD: u8 = 0;
const HEADER_BYTES: usize = 14;

/// What a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SlotKey {
    /// What is watched.
    pub(crate) subject: Subject,
    /// The rule.
    pub(crate) rule: RuleId,
}

/// The last observation a rule evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluated {
    /// When the environment had the value.
    pub(crate) observed_at: UtcMillis,
    /// The value.
    pub(crate) value: f64,
    /// Its quality.
    pub(crate) flag: Flag,
}

/// How far a rule has looked. Two clocks may stamp values of one datastream; a value was measured by the time it says, and by
/// the time it was received at the latest, so one from a clock that is ahead reaches no further than its arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// The earlier one of `observed_at` and `received_at`.
    measured_by: UtcMillis,
    /// Tells values of one message apart that are all ahead.
    observed_at: UtcMillis,
}

impl Reach {
    /// How far a value reaches.
    #[must_use]
    pub(crate) fn of(observed_at: UtcMillis, received_at: UtcMillis) -> Self {
        Self { measured_by: observed_at.min(received_at), observed_at }
    }
}

/// The alert that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenAlert {
    /// Its identity.
    pub(crate) id: AlertId,
    /// Transitions so far.
    pub(crate) sequence: u32,
    /// The highest level at which somebody has acknowledged it.
    pub(crate) acknowledged: Option<Level>,
    /// Whether people have been told, since the level last changed, that it cannot be confirmed.
    pub(crate) told_unconfirmed: bool,
    /// When people were last told of it: the last transition, or the last reminder.
    pub(crate) told_at: UtcMillis,
    /// Reminders since the last transition.
    pub(crate) reminders: u32,
    /// The rule as it was last seen, so that the alert can be closed and told of when the rule is gone.
    #[serde(with = "as_json")]
    pub(crate) rule: Arc<Rule>,
}

/// What decides the level of a slot.
#[expect(clippy::large_enum_variant, reason = "nearly all rules are about values")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Judge {
    /// Values.
    Threshold {
        /// The limits the machine has been run with.
        limits: Limits,
        /// The level machine.
        machine: Machine,
        /// The last observation evaluated.
        last: Option<Evaluated>,
        /// How far it has looked; survives rule changes, so that no observation counts twice.
        looked: Option<Reach>,
    },
    /// Time without a sign of life.
    NoData(NoData),
}

impl Judge {
    /// A judge that has seen nothing, for a rule that holds from `now` on; values are expected every `interval_ms`.
    #[must_use]
    pub(crate) fn of(rule: &Rule, interval_ms: i64, now: UtcMillis) -> Self {
        match rule.condition.figures() {
            Figures::Bands { .. } => Self::Threshold {
                limits: Limits::of(rule, interval_ms),
                machine: Machine::default(),
                last: None,
                looked: None,
            },
            Figures::After(_) => Self::NoData(NoData::new(After::of(rule), now)),
        }
    }

    /// The level now.
    #[must_use]
    pub(crate) const fn level(&self) -> Level {
        match self {
            Self::Threshold { machine, .. } => machine.level(),
            Self::NoData(no_data) => no_data.level,
        }
    }

    /// Whether it goes by the figures of a rule.
    #[must_use]
    pub(crate) fn fits(&self, rule: &Rule) -> bool {
        match (self, rule.condition.figures()) {
            (Self::Threshold { limits, .. }, Figures::Bands { .. }) => limits.has_figures_of(rule),
            (Self::NoData(no_data), Figures::After(_)) => no_data.after == After::of(rule),
            (Self::Threshold { .. }, Figures::After(_)) | (Self::NoData(_), Figures::Bands { .. }) => false,
        }
    }

    /// Nothing reaches beyond now: a value from the future that was evaluated before such values waited does not blind the
    /// rule until then. Whether that changed anything.
    pub(super) fn look_no_further_than(&mut self, now: UtcMillis) -> bool {
        let Self::Threshold { looked: Some(looked), .. } = self else { return false };
        let beyond = now < looked.measured_by;
        looked.measured_by = looked.measured_by.min(now);
        beyond
    }

    /// Goes on with another interval between observations; whether it is one.
    pub(super) const fn set_interval(&mut self, interval_ms: i64) -> bool {
        match self {
            Self::Threshold { limits, .. } => limits.set_interval(interval_ms),
            Self::NoData(_) => false,
        }
    }

    /// The same judge at rest, which only knows how far it had looked.
    #[must_use]
    pub(crate) fn at_rest(&self) -> Self {
        match self {
            Self::Threshold { limits, last, looked, .. } => {
                Self::Threshold { limits: *limits, machine: Machine::default(), last: *last, looked: *looked }
            }
            // Without deadlines it fits no rule, so that one that returns begins to expect at its return.
            Self::NoData(no_data) => Self::NoData(NoData { after: After::default(), level: Level::Normal, ..*no_data }),
        }
    }

    /// A judge by the figures of a rule that neither evaluates anything again nor names anything again.
    #[must_use]
    pub(crate) fn renewed(&self, rule: &Rule, interval_ms: i64, now: UtcMillis) -> Self {
        match (Self::of(rule, interval_ms, now), self) {
            (Self::Threshold { limits, machine, .. }, Self::Threshold { last, looked, .. }) => {
                Self::Threshold { limits, machine, last: *last, looked: *looked }
            }
            (Self::NoData(new), Self::NoData(old)) => Self::NoData(NoData { onset: old.onset, ..new }),
            (new @ (Self::Threshold { .. } | Self::NoData(_)), _) => new,
        }
    }
}

/// Everything kept of one rule on one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SlotState {
    /// What decides its level.
    pub(crate) judge: Judge,
    /// The open alert; present exactly while the level is above *normal*.
    pub(crate) alert: Option<OpenAlert>,
}

/// A stored state that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StateError {
    /// Bytes are missing or changed.
    #[error("it is damaged")]
    Damaged,
    /// Written by a newer version.
    #[error("it has format {0}, which only a newer version of Bakau reads")]
    Newer(u8),
}

impl SlotState {
    /// The open alert, where nobody has acknowledged it at the level that it has now.
    #[must_use]
    pub(crate) fn unattended(&self) -> Option<&OpenAlert> {
        self.alert.as_ref().filter(|open| open.acknowledged < Some(self.judge.level()))
    }

    /// The stored form.
    #[must_use]
    pub(crate) fn encode(&self, revision: u64) -> Vec<u8> {
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
    pub(crate) fn decode(blob: &[u8]) -> Result<Self, StateError> {
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
        let body = &blob[HEADER_BYTES..];
        let state = if blob[0] < FORMAT { old::decode(blob[0], body) } else { postcard::from_bytes(body).ok() };
        state.ok_or(StateError::Damaged)
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
