//! Decides alerts: pure, without I/O and without a clock.
//!
//! Everything that happens comes in as an [`Input`] with the present time, everything decided goes out as an
//! [`Effect`]; the same inputs with the same times always give the same effects. State is kept per (rule, subject) and
//! can be taken out and put back at any moment between two inputs.

mod machine;
mod rules;
mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use bakau_model::{DatastreamId, Flag, Level, PersonId, RuleId, UtcMillis};
use bakau_registry::Rule;
use serde::{Deserialize, Serialize};

use crate::AlertId;

pub use machine::{Change, Excursion, Limits, Machine};
pub use rules::{RuleSet, WatchedRule};
pub use state::{Evaluated, OpenAlert, SlotKey, SlotState, StateError, Subject, UnknownSubject};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A value arrived.
    Observation(Measured),
    /// Time has passed.
    Tick,
    /// A person takes an alert in hand.
    Acknowledge {
        /// The alert.
        alert: AlertId,
        /// Who.
        by: Requester,
        /// What they wrote.
        note: Option<String>,
    },
    /// Notices of a rule are held back until an instant.
    Mute(Mute),
    /// These rules hold from now on.
    RuleChange(RuleSet),
}

/// Who asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Their name.
    pub name: String,
    /// Their id, where they are a person of the registry.
    pub person: Option<PersonId>,
}

/// What the engine needs of an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The datastream.
    pub datastream: DatastreamId,
    /// When the environment had the value.
    pub observed_at: UtcMillis,
    /// The value in the canonical unit.
    pub value: Option<f64>,
    /// Its quality; failed and missing values neither raise nor clear.
    pub flag: Flag,
}

/// Notices held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// Of this rule.
    pub rule: RuleId,
    /// Until then.
    pub until: UtcMillis,
    /// Name of the person.
    pub by: String,
}

/// Something decided, for the shell to record and carry out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// An alert changed its level.
    Transition(Box<Transition>),
    /// An alert was taken in hand.
    Acknowledged {
        /// The alert.
        alert: AlertId,
        /// Who.
        by: Requester,
        /// What they wrote.
        note: Option<String>,
        /// When.
        decided_at: UtcMillis,
    },
    /// A mute began.
    Muted(Mute),
    /// A mute ran out.
    MuteEnded(RuleId),
    /// A person's request was not carried out.
    Refused(Refusal),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such alert is open.
    NotOpen,
    /// It has been acknowledged.
    AlreadyAcknowledged,
    /// No such rule is in force.
    UnknownRule,
}

/// Why a level changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// An observation crossed a threshold of the rule.
    Threshold,
    /// Nothing has ever been received, although it has been expected for too long.
    NeverReported,
    /// Nothing has been received for too long.
    Stale,
    /// The station said that it is offline, or its broker said it in its name.
    Offline,
    /// The source has been without connection, or has taken no messages, for too long.
    SourceDown,
    /// What was silent or down is back.
    Returned,
    /// The rule's figures or what it watches changed.
    RuleChanged,
    /// The rule is no longer registered.
    RuleRemoved,
    /// The engine's memory of the alert was damaged on disk; the rule starts anew.
    StateLost,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Threshold,
        Self::NeverReported,
        Self::Stale,
        Self::Offline,
        Self::SourceDown,
        Self::Returned,
        Self::RuleChanged,
        Self::RuleRemoved,
        Self::StateLost,
    ];

    /// The stable key used in the database, the API and message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::NeverReported => "never_reported",
            Self::Stale => "stale",
            Self::Offline => "offline",
            Self::SourceDown => "source_down",
            Self::Returned => "returned",
            Self::RuleChanged => "rule_changed",
            Self::RuleRemoved => "rule_removed",
            Self::StateLost => "state_lost",
        }
    }

    /// The reason of a stored key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.key() == key)
    }
}

/// One change of an alert's level.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The alert.
    pub alert: AlertId,
    /// Position within the alert, 1 for the first.
    pub sequence: u32,
    /// The rule as it was when this was decided.
    pub rule: Arc<Rule>,
    /// Registry revision of the rules in force.
    pub rule_revision: u64,
    /// What it is about.
    pub subject: Subject,
    /// Level before.
    pub from: Level,
    /// Level after.
    pub to: Level,
    /// The worst level of the alert so far.
    pub peak: Level,
    /// Why.
    pub reason: Reason,
    /// `observed_at` of the first observation of the crossing; when a silence began.
    pub onset: UtcMillis,
    /// When the environment had the deciding value, the last one evaluated where a rule change decided; of a silence,
    /// when it was decided.
    pub observed_at: UtcMillis,
    /// That value with its quality; none of a silence. A suspect value alarms, marked for verification.
    pub value: Option<(f64, Flag)>,
    /// When anything of the subject was last received, where it is about silence.
    pub heard: Option<UtcMillis>,
    /// When this was decided.
    pub decided_at: UtcMillis,
    /// Notices are held back until then.
    pub muted_until: Option<UtcMillis>,
}

/// The state that survives a restart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EngineSnapshot {
    /// States per (rule, subject).
    pub slots: Vec<(SlotKey, SlotState)>,
    /// Mutes in force.
    pub mutes: Vec<Mute>,
}

#[derive(Debug, Clone)]
struct Slot {
    key: SlotKey,
    rule: Arc<Rule>,
    state: SlotState,
    dirty: bool,
}

/// The alert engine. Give it the rules first ([`Input::RuleChange`]); without them it evaluates nothing.
#[derive(Debug, Clone)]
pub struct Engine {
    lateness_ms: i64,
    revision: u64,
    /// Sorted by key, so by datastream first.
    slots: Vec<Slot>,
    index: rules::Index,
    /// Slots changed since the last [`Engine::take_dirty`].
    dirty: Vec<u32>,
    /// States whose rule is not in force now; kept so that a rule that returns counts no observation twice.
    retired: BTreeMap<SlotKey, SlotState>,
    retired_dirty: Vec<SlotKey>,
    mutes: BTreeMap<RuleId, Mute>,
}

impl Engine {
    /// An engine with the state a snapshot holds; observations older than `lateness_ms` do not drive it.
    #[must_use]
    pub fn restore(lateness_ms: i64, snapshot: EngineSnapshot) -> Self {
        Self {
            lateness_ms,
            revision: 0,
            slots: Vec::new(),
            index: rules::Index::default(),
            dirty: Vec::new(),
            retired: snapshot.slots.into_iter().collect(),
            retired_dirty: Vec::new(),
            mutes: snapshot.mutes.into_iter().map(|mute| (mute.rule.clone(), mute)).collect(),
        }
    }

    /// Takes one input at the present time.
    pub fn step(&mut self, now: UtcMillis, input: Input) -> Vec<Effect> {
        match input {
            Input::Observation(measured) => self.observe(now, &measured),
            Input::Tick => self.tick(now),
            Input::Acknowledge { alert, by, note } => vec![self.acknowledge(now, alert, by, note)],
            Input::Mute(mute) => vec![self.mute(mute)],
            Input::RuleChange(rules) => self.change_rules(now, &rules),
        }
    }

    /// Everything that must survive a restart.
    #[must_use]
    pub fn snapshot(&self) -> EngineSnapshot {
        let live = self.slots.iter().map(|slot| (slot.key.clone(), slot.state.clone()));
        let retired = self.retired.iter().map(|(key, state)| (key.clone(), state.clone()));
        let mut slots: Vec<_> = live.chain(retired).collect();
        slots.sort_by(|a, b| a.0.cmp(&b.0));
        EngineSnapshot { slots, mutes: self.mutes.values().cloned().collect() }
    }

    /// The states changed since the last call, in stored form.
    pub fn take_dirty(&mut self) -> Vec<(SlotKey, Vec<u8>)> {
        let mut changed = Vec::with_capacity(self.dirty.len() + self.retired_dirty.len());
        for number in self.dirty.drain(..) {
            let slot = &mut self.slots[number as usize];
            slot.dirty = false;
            changed.push((slot.key.clone(), slot.state.encode(self.revision)));
        }
        for key in self.retired_dirty.drain(..) {
            if let Some(state) = self.retired.get(&key) {
                let blob = state.encode(self.revision);
                changed.push((key, blob));
            }
        }
        changed
    }

    /// Whether any rule watches a datastream; costs one array access.
    #[must_use]
    pub fn watches(&self, datastream: DatastreamId) -> bool {
        !self.index.slots_of(datastream).is_empty()
    }

    /// The rule in force on a subject.
    #[must_use]
    pub fn rule(&self, key: &SlotKey) -> Option<&Arc<Rule>> {
        self.slots.binary_search_by(|slot| slot.key.cmp(key)).ok().map(|number| &self.slots[number].rule)
    }

    /// Whether an alert is open.
    #[must_use]
    pub fn is_open(&self, alert: AlertId) -> bool {
        self.slots.iter().any(|slot| slot.state.alert.as_ref().is_some_and(|open| open.id == alert))
    }

    fn observe(&mut self, now: UtcMillis, measured: &Measured) -> Vec<Effect> {
        let mut effects = Vec::new();
        let slots = self.index.slots_of(measured.datastream);
        let Some(value) = measured.value.filter(|value| value.is_finite() && measured.flag.is_usable()) else {
            return effects;
        };
        if self.lateness_ms < now.since(measured.observed_at) {
            return effects;
        }
        let evaluated = Evaluated { observed_at: measured.observed_at, value, flag: measured.flag };
        for number in slots {
            let slot = &mut self.slots[number as usize];
            if slot.state.last.is_some_and(|last| measured.observed_at <= last.observed_at) {
                continue;
            }
            slot.state.last = Some(evaluated);
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(number);
            }
            if let Some(change) = slot.state.machine.observe(&slot.state.limits, measured.observed_at, value) {
                let decided = Decided { now, revision: self.revision, reason: Reason::Threshold };
                effects.push(slot.transition(&change, evaluated, decided, &self.mutes));
            }
        }
        effects
    }

    fn tick(&mut self, now: UtcMillis) -> Vec<Effect> {
        let over: Vec<RuleId> =
            self.mutes.values().filter(|mute| mute.until <= now).map(|mute| mute.rule.clone()).collect();
        for rule in &over {
            self.mutes.remove(rule);
        }
        over.into_iter().map(Effect::MuteEnded).collect()
    }

    fn acknowledge(&mut self, now: UtcMillis, alert: AlertId, by: Requester, note: Option<String>) -> Effect {
        let is_it = |slot: &Slot| slot.state.alert.as_ref().is_some_and(|open| open.id == alert);
        let Some(number) = self.slots.iter().position(is_it) else { return Effect::Refused(Refusal::NotOpen) };
        let Some(open) = &mut self.slots[number].state.alert else { return Effect::Refused(Refusal::NotOpen) };
        if open.acknowledged {
            return Effect::Refused(Refusal::AlreadyAcknowledged);
        }
        open.acknowledged = true;
        self.mark_dirty(number);
        Effect::Acknowledged { alert, by, note, decided_at: now }
    }

    fn mute(&mut self, mute: Mute) -> Effect {
        if !self.slots.iter().any(|slot| slot.key.rule == mute.rule) {
            return Effect::Refused(Refusal::UnknownRule);
        }
        self.mutes.insert(mute.rule.clone(), mute.clone());
        Effect::Muted(mute)
    }

    fn mark_dirty(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.extend(u32::try_from(number));
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Decided {
    now: UtcMillis,
    revision: u64,
    reason: Reason,
}

impl Slot {
    /// Keeps the record of the open alert in step with its level, and tells the change.
    fn transition(
        &mut self,
        change: &Change,
        evaluated: Evaluated,
        decided: Decided,
        mutes: &BTreeMap<RuleId, Mute>,
    ) -> Effect {
        let onset = change.excursion.onset;
        let open = self.state.alert.get_or_insert_with(|| OpenAlert {
            id: AlertId::of(&self.key.rule, &self.key.subject, onset),
            sequence: 0,
            acknowledged: false,
            rule: Arc::clone(&self.rule),
        });
        open.sequence = open.sequence.saturating_add(1);
        let muted = mutes.get(&self.key.rule).filter(|mute| decided.now < mute.until);
        let transition = Transition {
            alert: open.id,
            sequence: open.sequence,
            rule: Arc::clone(&open.rule),
            rule_revision: decided.revision,
            subject: self.key.subject.clone(),
            from: change.from,
            to: change.to,
            peak: change.excursion.peak,
            reason: decided.reason,
            onset,
            observed_at: evaluated.observed_at,
            value: Some((evaluated.value, evaluated.flag)),
            heard: None,
            decided_at: decided.now,
            muted_until: muted.map(|mute| mute.until),
        };
        if change.to == Level::Normal {
            self.state.alert = None;
        }
        Effect::Transition(Box::new(transition))
    }
}
