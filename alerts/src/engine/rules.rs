//! The rules in force, and what happens to alerts when they change.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use bakau_model::{DatastreamId, Level, RuleId, UtcMillis};
use bakau_registry::{Direction, Rule, Snapshot};

use super::{Change, Decided, Effect, Engine, Limits, Machine, Reason, Slot, SlotKey, SlotState, Subject};

/// A rule and one subject it watches.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedRule {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What it watches.
    pub subject: Subject,
}

/// All rules at one registry revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    /// Registry revision.
    pub revision: u64,
    /// The rules.
    pub rules: Vec<WatchedRule>,
}

impl RuleSet {
    /// The rules of a snapshot whose datastream is registered.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let watched = |rule: &Arc<Rule>| {
            let datastream = snapshot.datastream(rule.datastream()?)?.number;
            let one_sided = matches!(rule.condition.direction(), Some(Direction::Above | Direction::Below));
            one_sided.then(|| WatchedRule { rule: Arc::clone(rule), subject: Subject::Datastream(datastream) })
        };
        Self { revision: snapshot.revision, rules: snapshot.rules.values().filter_map(watched).collect() }
    }
}

/// Numbers up to here are found by array access; the registry counts up from 1, so only a damaged one exceeds it.
const DENSE_NUMBERS: u32 = 1 << 20;

/// From datastream number to its slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    dense: Vec<(u32, u32)>,
    sparse: BTreeMap<DatastreamId, (u32, u32)>,
}

impl Index {
    pub(super) fn slots_of(&self, datastream: DatastreamId) -> Range<u32> {
        let found = match self.dense.get(datastream.get() as usize) {
            Some(found) => *found,
            None if datastream.get() < DENSE_NUMBERS => (0, 0),
            None => self.sparse.get(&datastream).copied().unwrap_or((0, 0)),
        };
        found.0..found.1
    }

    /// `slots` are sorted, datastreams first.
    fn of(slots: &[Slot]) -> Self {
        let mut index = Self::default();
        for (slot, number) in slots.iter().zip(0u32..) {
            let Some(datastream) = slot.key.subject.datastream() else { break };
            let range = if datastream.get() < DENSE_NUMBERS {
                let place = datastream.get() as usize;
                if index.dense.len() <= place {
                    index.dense.resize(place + 1, (0, 0));
                }
                &mut index.dense[place]
            } else {
                index.sparse.entry(datastream).or_insert((0, 0))
            };
            if range.0 == range.1 {
                range.0 = number;
            }
            range.1 = number + 1;
        }
        index
    }
}

impl Engine {
    pub(super) fn change_rules(&mut self, now: UtcMillis, rules: &RuleSet) -> Vec<Effect> {
        let mut unsaved: BTreeSet<SlotKey> = std::mem::take(&mut self.retired_dirty).into_iter().collect();
        unsaved.extend(self.slots.iter().filter(|slot| slot.dirty).map(|slot| slot.key.clone()));
        self.dirty.clear();
        let mut known = std::mem::take(&mut self.retired);
        known.extend(std::mem::take(&mut self.slots).into_iter().map(|slot| (slot.key, slot.state)));
        self.revision = rules.revision;
        let mut effects = Vec::new();
        let mut in_force: BTreeSet<RuleId> = BTreeSet::new();
        for WatchedRule { rule, subject } in &rules.rules {
            in_force.insert(rule.id.clone());
            let key = SlotKey { subject: subject.clone(), rule: rule.id.clone() };
            let state = known.remove(&key);
            let dirty = unsaved.contains(&key);
            let slot = self.take_up(now, rule, key, state, dirty, &mut effects);
            self.slots.push(slot);
        }
        for (key, state) in known {
            let reason = if in_force.contains(&key.rule) { Reason::RuleChanged } else { Reason::RuleRemoved };
            let retired = self.retire(now, &key, &state, reason, &mut effects);
            if retired != state || unsaved.contains(&key) {
                self.retired_dirty.push(key.clone());
            }
            self.retired.insert(key, retired);
        }
        self.slots.sort_by(|a, b| a.key.cmp(&b.key));
        self.index = Index::of(&self.slots);
        let changed = self.slots.iter().zip(0u32..).filter(|(slot, _)| slot.dirty).map(|(_, number)| number);
        self.dirty.extend(changed);
        effects
    }

    /// Gives a rule its state back; an alert raised by other figures is closed first.
    fn take_up(
        &self,
        now: UtcMillis,
        rule: &Arc<Rule>,
        key: SlotKey,
        state: Option<SlotState>,
        dirty: bool,
        effects: &mut Vec<Effect>,
    ) -> Slot {
        let limits = Limits::of(rule);
        let fresh = || SlotState::new(limits, Machine::default(), None);
        let mut slot = Slot { key, rule: Arc::clone(rule), state: state.unwrap_or_else(fresh), dirty };
        if slot.state.limits != limits {
            effects.extend(self.close(now, &mut slot, Reason::RuleChanged));
            slot.state = SlotState::new(limits, Machine::default(), slot.state.last);
            slot.dirty = true;
        }
        if let Some(open) = &mut slot.state.alert
            && open.rule != *rule
        {
            open.rule = Arc::clone(rule);
            slot.dirty = true;
        }
        slot
    }

    /// What remains of a state whose rule is gone: how far it had looked.
    fn retire(
        &self,
        now: UtcMillis,
        key: &SlotKey,
        state: &SlotState,
        reason: Reason,
        effects: &mut Vec<Effect>,
    ) -> SlotState {
        if let Some(open) = &state.alert {
            let rule = Arc::clone(&open.rule);
            let mut slot = Slot { key: key.clone(), rule, state: state.clone(), dirty: true };
            effects.extend(self.close(now, &mut slot, reason));
        }
        SlotState::new(state.limits, Machine::default(), state.last)
    }

    fn close(&self, now: UtcMillis, slot: &mut Slot, reason: Reason) -> Option<Effect> {
        slot.state.alert.as_ref()?;
        let (last, excursion) = (slot.state.last?, slot.state.machine.excursion()?);
        let change = Change { from: slot.state.machine.level(), to: Level::Normal, excursion };
        let decided = Decided { now, revision: self.revision, reason };
        Some(slot.transition(&change, last, decided, &self.mutes))
    }
}
