//! Rules: which condition of what raises alerts.

use bakau_model::{
    ChannelId, ConditionKind, DatastreamName, Level, Parameter, PerLevel, RuleId, SourceName, StationId, StationKind,
    Text,
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

/// The datastreams that a rule watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatastreamTarget {
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
}

/// The stations that a rule watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StationTarget {
    /// One station.
    Station(StationId),
    /// Every station, each by itself.
    Stations {
        /// Only those of this kind, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<StationKind>,
    },
}

/// Where data can be missing from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NoDataTarget {
    /// Whole stations.
    Stations(StationTarget),
    /// Datastreams, each by itself.
    Datastreams(DatastreamTarget),
}

/// What a rule watches, whatever its condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RuleTarget<'r> {
    /// Datastreams.
    Datastreams(&'r DatastreamTarget),
    /// Stations.
    Stations(&'r StationTarget),
    /// One source of messages, or each by itself.
    Sources(Option<&'r SourceName>),
    /// The store.
    Store,
}

/// What the levels of a condition are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figures<'r> {
    /// Thresholds of values.
    Bands {
        /// Which way is bad.
        direction: Direction,
        /// Seconds of event time a level must be crossed without a break before it is raised.
        hold_s: u32,
        /// By level.
        bands: &'r PerLevel<Band>,
    },
    /// Seconds without anything.
    After(&'r PerLevel<u32>),
}

/// When a level holds, and of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A value is beyond a threshold.
    Threshold {
        /// Whose values.
        target: DatastreamTarget,
        /// Which way is bad.
        direction: Direction,
        /// Seconds of event time a level must be crossed without a break before it is raised.
        hold_s: u32,
        /// Its levels.
        #[serde(flatten)]
        bands: PerLevel<Band>,
    },
    /// No data for this many seconds, or ever.
    NoData {
        /// From what.
        target: NoDataTarget,
        /// Its levels.
        #[serde(flatten)]
        after_s: PerLevel<u32>,
    },
    /// A source of messages has been disconnected or blocked for this many seconds.
    SourceDown {
        /// Which one; each by itself where none is given.
        #[serde(rename = "mqtt_source", default, skip_serializing_if = "Option::is_none")]
        source: Option<SourceName>,
        /// Its levels.
        #[serde(flatten)]
        after_s: PerLevel<u32>,
    },
    /// The store has taken no data for this many seconds.
    StoreDown {
        /// Its levels.
        #[serde(flatten)]
        after_s: PerLevel<u32>,
    },
}

impl Condition {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ConditionKind {
        match self {
            Self::Threshold { .. } => ConditionKind::Threshold,
            Self::NoData { .. } => ConditionKind::NoData,
            Self::SourceDown { .. } => ConditionKind::SourceDown,
            Self::StoreDown { .. } => ConditionKind::StoreDown,
        }
    }

    /// What it is about.
    #[must_use]
    pub const fn target(&self) -> RuleTarget<'_> {
        match self {
            Self::Threshold { target, .. } | Self::NoData { target: NoDataTarget::Datastreams(target), .. } => {
                RuleTarget::Datastreams(target)
            }
            Self::NoData { target: NoDataTarget::Stations(target), .. } => RuleTarget::Stations(target),
            Self::SourceDown { source, .. } => RuleTarget::Sources(source.as_ref()),
            Self::StoreDown { .. } => RuleTarget::Store,
        }
    }

    /// What its levels are.
    #[must_use]
    pub const fn figures(&self) -> Figures<'_> {
        match self {
            Self::Threshold { direction, hold_s, bands, .. } => {
                Figures::Bands { direction: *direction, hold_s: *hold_s, bands }
            }
            Self::NoData { after_s, .. } | Self::SourceDown { after_s, .. } | Self::StoreDown { after_s } => {
                Figures::After(after_s)
            }
        }
    }

    /// The seconds without anything after which levels hold; none for thresholds.
    #[must_use]
    pub const fn after_s(&self) -> Option<&PerLevel<u32>> {
        match self.figures() {
            Figures::Bands { .. } => None,
            Figures::After(after_s) => Some(after_s),
        }
    }

    /// Seconds a level must be crossed before it is raised; none for conditions without thresholds.
    #[must_use]
    pub const fn hold_s(&self) -> Option<u32> {
        match self.figures() {
            Figures::Bands { hold_s, .. } => Some(hold_s),
            Figures::After(_) => None,
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
    /// What it watches, and when a level holds.
    pub condition: Condition,
    /// Seconds between reminders of an open alert that nobody acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_s: Option<u32>,
    /// Where the figures come from and how sure they are.
    pub source: Text,
    /// The webhooks that are notified directly; people are notified by notification routes.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

impl Rule {
    /// The one datastream it watches; none for rules about more than one.
    #[must_use]
    pub const fn datastream(&self) -> Option<&DatastreamName> {
        match self.condition.target() {
            RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => Some(name),
            RuleTarget::Datastreams(DatastreamTarget::Parameter { .. })
            | RuleTarget::Stations(_)
            | RuleTarget::Sources(_)
            | RuleTarget::Store => None,
        }
    }

    /// The same, to be renamed.
    pub(crate) const fn datastream_mut(&mut self) -> Option<&mut DatastreamName> {
        match &mut self.condition {
            Condition::Threshold { target, .. }
            | Condition::NoData { target: NoDataTarget::Datastreams(target), .. } => match target {
                DatastreamTarget::Datastream(name) => Some(name),
                DatastreamTarget::Parameter { .. } => None,
            },
            Condition::NoData { target: NoDataTarget::Stations(_), .. }
            | Condition::SourceDown { .. }
            | Condition::StoreDown { .. } => None,
        }
    }

    /// The thresholds of a level; none for *normal* and for conditions without thresholds.
    #[must_use]
    pub fn band(&self, level: Level) -> Option<Band> {
        match self.condition.figures() {
            Figures::Bands { bands, .. } => bands.get(level).copied(),
            Figures::After(_) => None,
        }
    }
}
