//! Rules: which condition of what raises alerts.

use bakau_model::{
    AlertKind, ChannelId, DatastreamName, Level, Parameter, PerLevel, RuleId, SourceName, StationId, StationKind, Text,
};
use serde::{Deserialize, Serialize};

pub use bakau_model::{Direction, Threshold};

/// The thresholds of one level: the high one for *above*, the low one for *below*, both for *outside*.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// At or below its raise value the level holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Threshold>,
    /// At or above its raise value the level holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<Threshold>,
}

impl Band {
    /// The band of a one-sided rule; for *outside* there is none.
    #[must_use]
    pub const fn one_sided(direction: Direction, threshold: Threshold) -> Option<Self> {
        match direction {
            Direction::Above => Some(Self { low: None, high: Some(threshold) }),
            Direction::Below => Some(Self { low: Some(threshold), high: None }),
            Direction::Outside => None,
        }
    }

    /// Its thresholds, the low one first.
    pub fn thresholds(&self) -> impl Iterator<Item = Threshold> + use<> {
        [self.low, self.high].into_iter().flatten()
    }
}

/// What a rule watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleTarget {
    /// One datastream.
    Datastream(DatastreamName),
    /// Every datastream of a parameter, each by itself.
    Parameter {
        /// The parameter.
        parameter: Parameter,
        /// Only at stations of this kind, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<StationKind>,
    },
    /// Every station, each by itself.
    Stations {
        /// Only those of this kind, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<StationKind>,
    },
    /// One station.
    Station(StationId),
    /// One source of messages, or each by itself.
    Sources(Option<SourceName>),
}

/// When a level holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A value is beyond a threshold.
    Threshold {
        /// Which way is bad.
        direction: Direction,
        /// Its levels.
        #[serde(flatten)]
        bands: PerLevel<Band>,
    },
    /// A station has sent no values for so many seconds, or never.
    Silence(PerLevel<u32>),
    /// A source of messages has been disconnected or blocked for so many seconds.
    SourceDown(PerLevel<u32>),
}

impl Condition {
    /// What alerts of it are about.
    #[must_use]
    pub const fn kind(&self) -> AlertKind {
        match self {
            Self::Threshold { .. } => AlertKind::Threshold,
            Self::Silence(_) => AlertKind::Silence,
            Self::SourceDown(_) => AlertKind::SourceDown,
        }
    }

    /// The thresholds of a level; none for *normal* and for conditions without thresholds.
    #[must_use]
    pub fn band(&self, level: Level) -> Option<Band> {
        match self {
            Self::Threshold { bands, .. } => bands.get(level).copied(),
            Self::Silence(_) | Self::SourceDown(_) => None,
        }
    }

    /// The seconds without anything after which levels hold; none for thresholds.
    #[must_use]
    pub const fn after_s(&self) -> Option<&PerLevel<u32>> {
        match self {
            Self::Threshold { .. } => None,
            Self::Silence(after_s) | Self::SourceDown(after_s) => Some(after_s),
        }
    }

    /// Which way is bad; none for conditions without thresholds.
    #[must_use]
    pub const fn direction(&self) -> Option<Direction> {
        match self {
            Self::Threshold { direction, .. } => Some(*direction),
            Self::Silence(_) | Self::SourceDown(_) => None,
        }
    }
}

/// A condition with up to three levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Text id.
    pub id: RuleId,
    /// Name shown to people.
    pub name: Text,
    /// What it watches.
    pub target: RuleTarget,
    /// When a level holds.
    pub condition: Condition,
    /// Seconds of event time a level must be crossed without a break before it is raised.
    #[serde(default)]
    pub hold_s: u32,
    /// Every so many seconds people are reminded of an open alert that nobody acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_s: Option<u32>,
    /// Where the figures come from and how sure they are.
    pub source: Text,
    /// The webhooks that are told directly; people are told by notifications.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

impl Rule {
    /// The one datastream it watches; none for rules about more than one.
    #[must_use]
    pub const fn datastream(&self) -> Option<&DatastreamName> {
        match &self.target {
            RuleTarget::Datastream(name) => Some(name),
            RuleTarget::Parameter { .. }
            | RuleTarget::Stations { .. }
            | RuleTarget::Station(_)
            | RuleTarget::Sources(_) => None,
        }
    }

    /// The thresholds of a level; *normal* has none.
    #[must_use]
    pub fn band(&self, level: Level) -> Option<Band> {
        self.condition.band(level)
    }
}
