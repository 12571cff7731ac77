//! Rules: what they watch, their limits, how long these must be crossed, and where the figures come from.

use bakau_model::{ConditionKind, Level, RuleId, StationKind, Text, Unit};

use super::{Frame, LimitLine, Side};

/// A limit, and where what it raised ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Where the level is raised.
    pub line: LimitLine,
    /// Beyond this value, on the good side, the level ends.
    pub clear: f64,
}

/// When the levels of a rule hold.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleFigures {
    /// Values beyond limits.
    Limits {
        /// Seconds that a limit must be crossed without a break before its level is raised.
        hold_s: u32,
        /// The limits, the mildest first.
        limits: Vec<Limit>,
    },
    /// Seconds without anything, by level.
    After(Vec<(Level, u32)>),
}

/// What a page says of a rule beside what it raised.
#[derive(Debug, Clone)]
pub struct RuleFacts {
    /// Text id.
    pub id: RuleId,
    /// Name shown to people.
    pub name: Text,
    /// Where the figures come from, with the marks of the catalogue.
    pub source: Text,
    /// When its levels hold.
    pub figures: RuleFigures,
}

impl RuleFacts {
    /// Seconds that a limit must be crossed; `None` where there are no limits.
    pub(crate) const fn hold_s(&self) -> Option<u32> {
        match self.figures {
            RuleFigures::Limits { hold_s, .. } => Some(hold_s),
            RuleFigures::After(_) => None,
        }
    }

    /// Its limits; none where it has none.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        match &self.figures {
            RuleFigures::Limits { limits, .. } => limits,
            RuleFigures::After(_) => &[],
        }
    }

    /// Seconds without anything, by level; none where it has limits.
    pub(crate) fn after(&self) -> &[(Level, u32)] {
        match &self.figures {
            RuleFigures::Limits { .. } => &[],
            RuleFigures::After(levels) => levels,
        }
    }

    /// The limits beyond which everything it raised has ended: on each side the mildest.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &Limit> {
        let mildest = |side| {
            self.limits().iter().filter(move |limit| limit.line.side == side).min_by_key(|limit| limit.line.level)
        };
        [Side::Low, Side::High].into_iter().filter_map(mildest)
    }
}

/// What a rule watches.
#[derive(Debug, Clone)]
pub enum Watched {
    /// One datastream, or one station: its name.
    One(Text),
    /// Every datastream of a parameter.
    Parameter(Text, Option<StationKind>),
    /// Every station.
    Stations(Option<StationKind>),
    /// One source of messages, or each by itself.
    Source(Option<String>),
    /// The store.
    Store,
}

/// A rule on the page of rules.
#[derive(Debug, Clone)]
pub struct RuleRow {
    /// Its figures and where they come from.
    pub facts: RuleFacts,
    /// Kind of its condition.
    pub kind: ConditionKind,
    /// What it watches.
    pub watched: Watched,
    /// Unit of its limits.
    pub unit: Unit,
    /// Seconds between reminders of what nobody acknowledged.
    pub repeat_s: Option<u32>,
}

/// The page of rules (`/rules`).
#[derive(Debug, Clone)]
pub struct RulesView {
    /// Around the content.
    pub frame: Frame,
    /// The rules, in the order of their names.
    pub rules: Vec<RuleRow>,
}
