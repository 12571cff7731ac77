//! What comes into the engine and what goes out of it.

use std::sync::Arc;

use bakau_model::{DatastreamId, Flag, Level, PersonId, RuleId, SourceName, StationId, UtcMillis};
use bakau_registry::Rule;
use serde::{Deserialize, Serialize};

use super::{Reason, RuleSet, Subject};
use crate::AlertId;

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// A value arrived.
    Observation(Measured),
    /// A station, or its broker in its name, said whether it is online.
    Status {
        /// The station.
        station: StationId,
        /// Whether it is online.
        online: bool,
        /// Whether the broker had kept that, so that it may be old news.
        kept: bool,
        /// When that was received.
        at: UtcMillis,
    },
    /// The state of every source and of the store.
    Endpoints(Vec<EndpointView>),
    /// Time has passed, and everything that arrived before has been handed in. Deadlines for data are looked at here
    /// and nowhere else, so an engine that is behind misses no data that has arrived.
    Tick,
    /// A person acknowledges an alert.
    Acknowledge {
        /// The alert.
        alert: AlertId,
        /// Who.
        by: Requester,
        /// The level they had before their eyes; that of the moment where it is not known.
        seen: Option<Level>,
        /// What they wrote.
        note: Option<String>,
    },
    /// Notifications of a rule are held back until an instant.
    Mute(Mute),
    /// These rules hold from now on.
    RuleChange(RuleSet),
}

/// Who asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requester {
    /// Their name.
    pub(crate) name: String,
    /// Their id, where they are a person of the registry.
    pub(crate) person: Option<PersonId>,
}

/// What the engine needs of an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// The datastream.
    pub(crate) datastream: DatastreamId,
    /// When the environment had the value.
    pub(crate) observed_at: UtcMillis,
    /// When Bakau received it.
    pub(crate) received_at: UtcMillis,
    /// The value in the canonical unit.
    pub(crate) value: Option<f64>,
    /// Its quality; failed and missing values neither raise nor clear.
    pub(crate) flag: Flag,
    /// Whether it was from the future when it came, and has waited for its time ([`Ahead`](super::Ahead)).
    pub(crate) waited: bool,
    /// The source it came through, where that matters ([`Engine::origin`](super::Engine::origin)).
    pub(crate) origin: Option<Origin>,
}

/// A source, as an engine numbers those it has heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin(pub(super) u16);

/// What messages come from or go to, and what can be down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A source of messages.
    Source(SourceName),
    /// The store.
    Store,
}

impl From<Endpoint> for Subject {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Source(name) => Self::Source(name),
            Endpoint::Store => Self::Store,
        }
    }
}

/// Whether a source brings messages, or the store takes them, as whoever runs them sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointView {
    /// The source, or the store.
    pub endpoint: Endpoint,
    /// Whether messages pass; a source that is connected and blocked lets none pass.
    pub up: bool,
    /// Since when.
    pub since: UtcMillis,
}

/// Notifications held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mute {
    /// Of this rule.
    pub(crate) rule: RuleId,
    /// Until then.
    pub(crate) until: UtcMillis,
    /// Name of the person.
    pub(crate) by: String,
}

/// Something decided, for the shell to record and carry out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// An alert changed its level.
    Transition(Box<Transition>),
    /// Those who were told of an alert are to be reminded of it.
    Reminder(Reminder),
    /// An alert was acknowledged.
    Acknowledged(Acknowledged),
    /// A mute began.
    Muted(Mute),
    /// A mute ran out.
    MuteEnded(RuleId),
    /// A person's request was not carried out.
    Refused(Refusal),
}

bakau_model::words! {
    /// Why a request was not carried out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) serde enum Refusal {
        /// No such alert is open.
        NotOpen => "not_open",
        /// It has been acknowledged at that level or a higher one.
        AlreadyAcknowledged => "already_acknowledged",
        /// No such rule is in force.
        UnknownRule => "unknown_rule",
    }
}

/// A change of level, whatever decided it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told {
    /// Level before.
    pub(crate) from: Level,
    /// Level after.
    pub(crate) to: Level,
    /// The worst level of the alert so far.
    pub(crate) peak: Level,
    /// `observed_at` of the first observation of the crossing; of no data, since when.
    pub(crate) onset: UtcMillis,
    /// Whether the crossing may have begun before that, where nobody looked.
    pub(crate) onset_at_latest: bool,
    /// When the environment had the deciding value, the last one evaluated where a rule change decided; of no data,
    /// when it was decided.
    pub(crate) observed_at: UtcMillis,
    /// That value with its quality; of thresholds only. A suspect value alarms, marked for verification.
    pub(crate) value: Option<(f64, Flag)>,
    /// The worst value of the episode so far, and when the environment first had it; of thresholds only.
    pub(crate) worst: Option<(f64, UtcMillis)>,
    /// When anything of the subject was last received, where it is about no data.
    pub(crate) heard: Option<UtcMillis>,
}

/// One change of an alert's level, or of what is known about it; then the level is the same before and after.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transition {
    /// The alert.
    pub(crate) alert: AlertId,
    /// Position within the alert, 1 for the first.
    pub(crate) sequence: u32,
    /// The rule as it was when this was decided.
    pub(crate) rule: Arc<Rule>,
    /// Registry revision of the rules in force.
    pub(crate) rule_revision: u64,
    /// What it is about.
    pub(crate) subject: Subject,
    /// What has changed.
    pub(crate) told: Told,
    /// Why.
    pub(crate) reason: Reason,
    /// When this was decided.
    pub(crate) decided_at: UtcMillis,
    /// Notifications are held back until then.
    pub(crate) muted_until: Option<UtcMillis>,
    /// Whether people hear of it; otherwise it is recorded only.
    pub(crate) tells: bool,
}

/// An alert that somebody has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The alert.
    pub(crate) alert: AlertId,
    /// Up to which level.
    pub(crate) level: Level,
    /// Who.
    pub(crate) by: Requester,
    /// What they wrote.
    pub(crate) note: Option<String>,
    /// When.
    pub(crate) decided_at: UtcMillis,
}

/// An alert that is open at a level that nobody has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reminder {
    /// The alert.
    pub(crate) alert: AlertId,
    /// Its last transition; the reminder repeats it.
    pub(crate) sequence: u32,
    /// 1 for the first reminder since that transition.
    pub(crate) number: u32,
    /// When this was decided.
    pub(crate) decided_at: UtcMillis,
    /// Notifications are held back until then.
    pub(crate) muted_until: Option<UtcMillis>,
}
