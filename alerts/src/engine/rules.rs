//! What happens to alerts when the rules change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bakau_model::{DatastreamId, Level, RuleId, StationId, UtcMillis};
use bakau_registry::Rule;

use super::{
    Change, Decided, Effect, Engine, Judge, News, NotInhibited, Reason, RuleSet, Slot, SlotKey, SlotState, Subject,
    WatchedRule, index::Index,
};

impl Engine {
    pub(super) fn change_rules(&mut self, now: UtcMillis, rules: &RuleSet) -> Vec<Effect> {
        let mut unsaved: BTreeSet<SlotKey> = std::mem::take(&mut self.retired_dirty).into_iter().collect();
        let behind = |slot: &&Slot| slot.dirty || slot.behind_since.is_some();
        unsaved.extend(self.slots.iter().filter(behind).map(|slot| slot.key.clone()));
        self.dirty.clear();
        self.pending_changed = true;
        self.life.started.get_or_insert(now);
        let mut known = std::mem::take(&mut self.retired);
        known.extend(std::mem::take(&mut self.slots).into_iter().map(|slot| (slot.key, slot.state)));
        self.revision = rules.revision;
        let mut effects = Vec::new();
        let mut in_force: BTreeSet<RuleId> = BTreeSet::new();
        for watched in &rules.rules {
            let WatchedRule { rule, subject, .. } = watched;
            in_force.insert(rule.id.clone());
            let key = SlotKey { subject: subject.clone(), rule: rule.id.clone() };
            let state = known.remove(&key);
            let dirty = unsaved.contains(&key);
            let slot = self.take_up(now, watched, key, state, dirty, &mut effects);
            self.slots.push(Slot { not_inhibited: watched.not_inhibited.clone(), ..slot });
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
        let changed = self.slots.iter().zip(0u32..).filter(|(slot, _)| slot.dirty).map(|(_, number)| number);
        self.dirty.extend(changed);
        self.connect(&rules.stations);
        effects
    }

    /// Makes the way from what arrives to the slots, and sets up their deadlines.
    fn connect(&mut self, stations: &[(DatastreamId, StationId)]) {
        let (mut heard, unsaved) = self.life.take();
        self.index = Index::default();
        let mut first = 0;
        for group in self.slots.chunk_by(|a, b| a.key.subject == b.key.subject) {
            let subject = &group[0].key.subject;
            let next = first + u32::try_from(group.len()).unwrap_or(u32::MAX);
            if let Subject::Datastream(datastream) = subject {
                (first..next).for_each(|number| self.index.add_slot(*datastream, number));
            }
            let no_data = |slot: &&Slot| matches!(slot.state.judge, Judge::NoData(_));
            if group.iter().any(|slot| no_data(&slot)) {
                let without_data = group.iter().filter(no_data).filter(|slot| slot.state.alert.is_some()).count();
                let without_data = u32::try_from(without_data).unwrap_or(u32::MAX);
                self.life.watch(subject, heard.remove(subject).unwrap_or_default(), first..next, without_data);
                if let Subject::Datastream(datastream) = subject {
                    self.index.set_own(*datastream, self.life.place(subject).unwrap_or_default());
                }
            }
            first = next;
        }
        let mut places: BTreeMap<&StationId, Option<u32>> = BTreeMap::new();
        for (datastream, station) in stations {
            let place = places.entry(station).or_insert_with(|| self.life.place(&Subject::Station(station.clone())));
            if let Some(place) = *place {
                self.index.set_station(*datastream, place);
            }
        }
        let places: Vec<u32> = unsaved.iter().filter_map(|subject| self.life.place(subject)).collect();
        places.into_iter().for_each(|place| self.life.touch(place));
        self.life.set_others(heard);
        (0..first).for_each(|number| self.await_everything(number));
    }

    /// Gives a rule its state back; an alert raised by other figures is closed first.
    fn take_up(
        &self,
        now: UtcMillis,
        WatchedRule { rule, interval_ms, .. }: &WatchedRule,
        key: SlotKey,
        state: Option<SlotState>,
        dirty: bool,
        effects: &mut Vec<Effect>,
    ) -> Slot {
        // Since when data is expected is remembered from the beginning.
        let fresh = || SlotState { judge: Judge::of(rule, *interval_ms, now), alert: None };
        let is_new = state.is_none() && matches!(fresh().judge, Judge::NoData(_));
        let mut slot = Slot::new(key, Arc::clone(rule), state.unwrap_or_else(fresh));
        slot.dirty = dirty || is_new;
        if !slot.state.judge.fits(rule) {
            effects.extend(self.close(now, &mut slot, Reason::RuleChanged));
            slot.state = SlotState { judge: slot.state.judge.renewed(rule, *interval_ms, now), alert: None };
            slot.dirty = true;
        }
        slot.dirty |= slot.state.judge.set_interval(*interval_ms);
        slot.dirty |= slot.state.judge.look_no_further_than(now);
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
            let mut slot = Slot::new(key.clone(), Arc::clone(&open.rule), state.clone());
            effects.extend(self.close(now, &mut slot, reason));
        }
        SlotState { judge: state.judge.at_rest(), alert: None }
    }

    fn close(&self, now: UtcMillis, slot: &mut Slot, reason: Reason) -> Option<Effect> {
        slot.state.alert.as_ref()?;
        let decided = Decided { now, revision: self.revision, reason };
        match &mut slot.state.judge {
            Judge::Threshold { machine, last, .. } => {
                let (last, excursion) = ((*last)?, machine.excursion()?);
                let change = Change { news: News::Level, from: machine.level(), to: Level::Normal, excursion };
                Some(slot.tell_crossing(&change, last, &decided, &self.mutes))
            }
            Judge::NoData(no_data) => {
                let from = no_data.end();
                let heard = self.life.heard_of(&slot.key.subject);
                slot.tell_no_data(from, &decided, heard.last, &self.mutes)
            }
        }
    }
}

impl Slot {
    fn new(key: SlotKey, rule: Arc<Rule>, state: SlotState) -> Self {
        Self {
            key,
            rule,
            state,
            dirty: false,
            behind_since: None,
            awaits_no_data: None,
            awaits_reminder: false,
            waits_for_station: false,
            not_before: None,
            not_inhibited: NotInhibited::default(),
        }
    }
}
