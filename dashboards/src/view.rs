//! What pages show, as plain values: filled by the caller, formatted here.
//!
//! Texts that people wrote (names, notes, error details) are shown as they are, escaped; nothing in a view may be
//! markup.

use bakau_model::{DAY_MS, DatastreamName, Flag, Language, Level, State, TestResults, Text, Unit, UtcMillis};
use jiff::tz::TimeZone;

pub use alerts::{
    AcknowledgeForm, AcknowledgementRow, AlertFilter, AlertPageView, AlertRow, AlertsView, DeliveryRow, DeliveryState,
    Doubt, TakeAnswer, TakeForm, TransitionRow,
};
pub use overview::{
    Bounds, Grouping, ListForm, Named, OverviewFilter, OverviewView, SearchWords, Sort, SortBy, StateFilter,
    StationCard,
};
pub use reference::{ReferenceExample, ReferenceGroup, ReferenceRoute, ReferenceView};
pub use rules::{Limit, RuleFacts, RuleFigures, RuleRow, RulesView, Watched};
pub use station::{DeploymentRow, EpisodeRow, OtherStation, ParameterPanel, SettledView, StationClass, StationView};
pub use status::StatusView;

pub use crate::chart::{LimitLine, Side};
use crate::fragment::Held;

mod alerts;
mod overview;
mod reference;
mod rules;
mod station;
mod status;

/// What every page needs around its content.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Language of the page.
    pub language: Language,
    /// When the values were taken; every age on the page is counted from here.
    pub generated_at: UtcMillis,
    /// Zone of the times on the page; of the station on pages about one, of the platform elsewhere.
    pub time_zone: TimeZone,
    /// Path and query of this page, without `lang`, such as `/stations/prb-bjbr-01?range=week`; the language switch
    /// adds `lang` to it.
    pub path: String,
    /// Active alerts of the whole platform, shown in the navigation.
    pub active_alerts: u32,
    /// Active alerts at *siaga* and above that nobody has acknowledged at their level.
    pub alarms: Vec<Alarm>,
    /// Address of the platform as people reach it, without a slash at its end, where that is known.
    pub site: Option<String>,
    /// Up to where the page shows what happened; empty where that is not known.
    pub position: String,
    /// Fragments that whoever asks holds already.
    pub held: Held,
}

/// An alert that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Id of the alert.
    pub id: String,
    /// Its present level.
    pub level: Level,
}

impl Frame {
    /// The same in another zone, where one is given.
    #[must_use]
    pub fn in_zone(self, zone: Option<TimeZone>) -> Self {
        Self { time_zone: zone.unwrap_or(self.time_zone), ..self }
    }
}

/// Whether a station or datastream still reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Reports as often as it should.
    Live {
        /// Milliseconds since the newest observation.
        age_ms: i64,
    },
    /// Reported once, but not lately.
    Stale {
        /// Milliseconds since the newest observation.
        age_ms: i64,
    },
    /// Its device said that it was leaving, or its connection was lost, whatever the age of its values.
    Offline {
        /// Milliseconds since the newest observation.
        age_ms: i64,
    },
    /// Has never reported.
    NeverReported,
}

impl Freshness {
    /// As the style sheet knows it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Live { .. } => "live",
            Self::Stale { .. } => "stale",
            Self::Offline { .. } => "offline",
            Self::NeverReported => "never",
        }
    }

    /// Milliseconds since the newest observation; `None` where there has never been one.
    pub(crate) const fn age_ms(self) -> Option<i64> {
        match self {
            Self::Live { age_ms } | Self::Stale { age_ms } | Self::Offline { age_ms } => Some(age_ms),
            Self::NeverReported => None,
        }
    }

    /// Whether it reports as often as it should.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Live { .. })
    }
}

/// The newest value of a datastream.
#[derive(Debug, Clone)]
pub struct ValueCell {
    /// The datastream.
    pub datastream: DatastreamName,
    /// Name of the parameter, with qualifier where the station has several.
    pub label: Text,
    /// The value in `unit`; `None` where the device reported that it has none, or never reported. Of a counter what it
    /// counted since the reading before.
    pub value: Option<f64>,
    /// Of a counter its reading, in `unit`.
    pub reading: Option<f64>,
    /// Canonical unit.
    pub unit: Unit,
    /// Decimal places to show.
    pub decimals: u8,
    /// When the environment had the value; `None` when there has never been one.
    pub observed_at: Option<UtcMillis>,
    /// What is said of it in one word.
    pub state: State,
    /// A level that waits for its hold time.
    pub pending: Option<Pending>,
    /// Worst active alert of the datastream.
    pub level: Level,
    /// Quality of the value.
    pub flag: Flag,
    /// Results of the tests behind the flag.
    pub tests: TestResults,
    /// Whether the value is older than the datastream's interval allows.
    pub stale: bool,
    /// How many milliseconds old it may be before it is.
    pub stale_after_ms: i64,
}

impl ValueCell {
    /// Until when the value is current; `None` when there has never been one.
    #[must_use]
    pub fn current_until(&self) -> Option<UtcMillis> {
        self.observed_at.map(|at| at.saturating_add(self.stale_after_ms))
    }
}

/// A level whose limit is crossed and which waits for the hold time of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The level.
    pub level: Level,
    /// When the environment had the first value beyond the limit.
    pub since: UtcMillis,
    /// A value of this instant or later opens the alert, if no value before is back.
    pub until: UtcMillis,
}

/// A device's clock that is ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockAhead {
    /// By how many milliseconds.
    pub ahead_ms: i64,
    /// Since when.
    pub since: UtcMillis,
    /// Whether it is so far ahead that every reading is refused.
    pub refused: bool,
}

bakau_model::words! {
    /// How much time the charts of a station page cover, ending now.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Window {
        /// 24 hours.
        #[default]
        Day => "day",
        /// 7 days.
        Week => "week",
        /// 30 days.
        Month => "month",
        /// 365 days.
        Year => "year",
    }
}

impl Window {
    /// Length in milliseconds.
    pub(crate) const fn millis(self) -> i64 {
        match self {
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
            Self::Year => 365 * DAY_MS,
        }
    }
}

/// A page instead of the one that was asked for.
#[derive(Debug, Clone)]
pub struct ProblemView {
    /// Around the content.
    pub frame: Frame,
    /// HTTP status.
    pub status: u16,
    /// What is wrong, in the page's language.
    pub title: String,
    /// What can be done, in the page's language.
    pub detail: String,
}
