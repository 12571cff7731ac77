//! A rule on one subject, and which other alerts inhibit its own.

use std::{collections::BTreeMap, sync::Arc};

use bakau_model::{Level, SourceName};
use bakau_registry::Rule;

use super::{Limits, Subject};

/// A rule and one subject it watches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WatchedRule {
    /// The rule.
    pub(crate) rule: Arc<Rule>,
    /// What it watches.
    pub(crate) subject: Subject,
    /// Expected milliseconds between observations of a datastream; [`Limits::ANY_INTERVAL`] where none is known.
    pub(crate) interval_ms: i64,
    /// Which other alerts do not inhibit its own.
    pub(crate) not_inhibited: NotInhibited,
}

impl WatchedRule {
    /// A rule on a subject of which no interval is known, whose alerts those of its source and of its station inhibit.
    #[must_use]
    pub(crate) fn new(rule: Arc<Rule>, subject: Subject) -> Self {
        Self { rule, subject, interval_ms: Limits::ANY_INTERVAL, not_inhibited: NotInhibited::default() }
    }
}

/// Where another alert does not reach somebody who would be told of this one; empty where they inhibit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NotInhibited {
    /// Sources, with the lowest level of this alert that the alert of the source does not inhibit.
    pub(crate) by_source: BTreeMap<SourceName, Level>,
    /// The same of the alert about the whole station, for one about a datastream.
    pub(crate) by_station: Option<Level>,
}
