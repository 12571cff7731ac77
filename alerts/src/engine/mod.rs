//! Decides alerts: pure, without I/O and without a clock.
//!
//! Everything that happens comes in as an [`Input`] with the present time, everything decided goes out as an
//! [`Effect`]; the same inputs with the same times always give the same effects. State is kept per (rule, subject) and
//! can be taken out and put back at any moment between two inputs.

mod ahead;
pub(crate) mod id;
mod index;
mod inhibition;
mod inhibitors;
mod life;
mod machine;
mod no_data;
mod rule_set;
mod rules;
mod state;
mod subject;
#[cfg(test)]
mod tests;
mod types;
mod watched;

use std::{collections::BTreeMap, sync::Arc};

use bakau_model::{DatastreamId, Level, RuleId, SourceName, UtcMillis};
use bakau_registry::Rule;

use crate::AlertId;

pub(crate) use ahead::{Ahead, WaitingKey};
pub use bakau_model::TransitionReason as Reason;
pub(crate) use life::Remembered;
pub(crate) use machine::{Change, Excursion, Limits, Machine, News, Pending};
pub(crate) use no_data::{After, Heard, NoData};
pub(crate) use rule_set::RuleSet;
pub(crate) use state::{Evaluated, Judge, OpenAlert, Reach, SlotKey, SlotState, StateError};
pub(crate) use subject::Subject;
pub(crate) use types::{
    Acknowledged, Effect, Input, Measured, Mute, Origin, Refusal, Reminder, Requester, Told, Transition,
};
pub use types::{Endpoint, EndpointView};
pub(crate) use watched::{NotInhibited, WatchedRule};

/// How far a rule at rest has looked is written this often. After a kill a value that is repeated, or late, by less than
/// that may be evaluated once more; at rest that matters only if it is beyond a limit, and then the next value ends it.
const SAVED_AT_REST_EVERY_MS: i64 = 10_000;

/// The state that survives a restart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EngineSnapshot {
    /// States per (rule, subject).
    pub(crate) slots: Vec<(SlotKey, SlotState)>,
    /// Signs of life.
    pub(crate) heard: Vec<(Subject, Remembered)>,
    /// Mutes in force.
    pub(crate) mutes: Vec<Mute>,
}

#[derive(Debug, Clone)]
struct Slot {
    key: SlotKey,
    rule: Arc<Rule>,
    state: SlotState,
    dirty: bool,
    /// When it was last marked to be written, where it has looked further since.
    behind_since: Option<UtcMillis>,
    /// The deadline for data that is waited for.
    awaits_no_data: Option<UtcMillis>,
    awaits_reminder: bool,
    /// The whole station has no data, which is told of instead.
    waits_for_station: bool,
    /// Deadlines count from here at the earliest.
    not_before: Option<UtcMillis>,
    not_inhibited: NotInhibited,
}

/// The alert engine. Give it the rules first ([`Input::RuleChange`]); without them it evaluates nothing.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    lateness_ms: i64,
    revision: u64,
    /// Sorted by key, so by subject first.
    slots: Vec<Slot>,
    index: index::Index,
    life: life::Life,
    /// Slots changed since the last [`Engine::take_dirty`].
    dirty: Vec<u32>,
    /// States whose rule is not in force now; kept so that a rule that returns counts no observation twice.
    retired: BTreeMap<SlotKey, SlotState>,
    retired_dirty: Vec<SlotKey>,
    mutes: BTreeMap<RuleId, Mute>,
    /// Whether what is pending is other than at the last [`Engine::take_pending`].
    pending_changed: bool,
}

impl Engine {
    /// An engine with the state a snapshot holds; observations older than `lateness_ms` do not drive it.
    #[must_use]
    pub(crate) fn restore(lateness_ms: i64, snapshot: EngineSnapshot) -> Self {
        let life = life::Life::remembering(snapshot.heard);
        Self {
            lateness_ms,
            revision: 0,
            slots: Vec::new(),
            index: index::Index::default(),
            life,
            dirty: Vec::new(),
            retired: snapshot.slots.into_iter().collect(),
            retired_dirty: Vec::new(),
            mutes: snapshot.mutes.into_iter().map(|mute| (mute.rule.clone(), mute)).collect(),
            pending_changed: true,
        }
    }

    /// Takes one input at the present time.
    pub(crate) fn step(&mut self, now: UtcMillis, input: Input) -> Vec<Effect> {
        match input {
            Input::Observation(measured) => self.observe(now, &measured),
            Input::Status { station, online, kept, at } => self.note_status(now, &station, (online, kept), at),
            Input::Endpoints(endpoints) => self.note_endpoints(now, &endpoints),
            Input::Tick => self.tick(now),
            Input::Acknowledge { alert, by, seen, note } => vec![self.acknowledge(now, alert, by, (seen, note))],
            Input::Mute(mute) => vec![self.mute(mute)],
            Input::RuleChange(rules) => self.change_rules(now, &rules),
        }
    }

    /// Everything that must survive a restart.
    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> EngineSnapshot {
        let live = self.slots.iter().map(|slot| (slot.key.clone(), slot.state.clone()));
        let retired = self.retired.iter().map(|(key, state)| (key.clone(), state.clone()));
        let mut slots: Vec<_> = live.chain(retired).collect();
        slots.sort_by(|a, b| a.0.cmp(&b.0));
        let mut heard: Vec<_> = self.life.all().collect();
        heard.sort_by(|a, b| a.0.cmp(&b.0));
        EngineSnapshot { slots, heard, mutes: self.mutes.values().cloned().collect() }
    }

    /// The states changed since the last call, in stored form.
    pub(crate) fn take_dirty(&mut self) -> Vec<(SlotKey, Vec<u8>)> {
        let mut changed = Vec::with_capacity(self.dirty.len() + self.retired_dirty.len());
        for number in self.dirty.drain(..) {
            let slot = &mut self.slots[number as usize];
            slot.dirty = false;
            slot.behind_since = None;
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

    /// Marks everything that is not written yet, before an orderly stop.
    pub(crate) fn mark_unsaved(&mut self) {
        for number in 0..self.slots.len() {
            if self.slots[number].behind_since.is_some() {
                self.mark_dirty(number);
            }
        }
    }

    /// Levels that are crossed and wait for their hold time, by rule and datastream; `None` where they are the same as at
    /// the last call.
    pub(crate) fn take_pending(&mut self) -> Option<Vec<(RuleId, DatastreamId, Pending)>> {
        let pending = |slot: &Slot| match (&slot.state.judge, &slot.key.subject) {
            (Judge::Threshold { limits, machine, .. }, Subject::Datastream(datastream)) => {
                Some((slot.key.rule.clone(), *datastream, machine.pending(limits)?))
            }
            _ => None,
        };
        std::mem::take(&mut self.pending_changed).then(|| self.slots.iter().filter_map(pending).collect())
    }

    /// Whether it matters for signs of life if a value of a datastream fails, though no threshold is about it.
    #[must_use]
    pub(crate) fn doubts_life(&self, datastream: DatastreamId) -> bool {
        let (own, station) = self.index.entry(datastream).watched();
        own.is_some() || station.is_some_and(|place| self.life.is_without_data(place))
    }

    /// The signs of life to be written since the last call.
    pub(crate) fn take_heard(&mut self) -> Vec<(Subject, Remembered)> {
        self.life.take_dirty()
    }

    /// The number of a source, for [`Measured::origin`].
    pub(crate) fn origin(&mut self, source: &SourceName) -> Option<Origin> {
        self.life.inhibitors.origin(source)
    }

    /// The source with a number.
    #[must_use]
    pub(crate) fn source(&self, origin: Origin) -> Option<&SourceName> {
        self.life.inhibitors.name(origin)
    }

    /// The source that the last sign of life of a subject came through, where a rule about no data watches or watched it.
    #[must_use]
    pub(crate) fn heard_through(&self, subject: &Subject) -> Option<&SourceName> {
        self.life.origin_of(subject).and_then(|origin| self.source(origin))
    }

    /// Whether any rule is touched by a value of a datastream; costs one array access.
    #[must_use]
    pub(crate) fn watches(&self, datastream: DatastreamId) -> bool {
        !self.index.entry(datastream).is_idle()
    }

    /// Whether any rule about thresholds watches a datastream.
    #[must_use]
    pub(crate) fn measures(&self, datastream: DatastreamId) -> bool {
        !self.index.entry(datastream).slots().is_empty()
    }

    /// The rule in force on a subject.
    #[must_use]
    pub(crate) fn rule(&self, key: &SlotKey) -> Option<&Arc<Rule>> {
        self.slots.binary_search_by(|slot| slot.key.cmp(key)).ok().map(|number| &self.slots[number].rule)
    }

    /// Whether an alert is open.
    #[must_use]
    pub(crate) fn is_open(&self, alert: AlertId) -> bool {
        self.slots.iter().any(|slot| slot.state.alert.as_ref().is_some_and(|open| open.id == alert))
    }

    fn observe(&mut self, now: UtcMillis, measured: &Measured) -> Vec<Effect> {
        let mut effects = Vec::new();
        // One that has waited was a sign of life when it came.
        if !measured.waited {
            self.note_life(now, measured, &mut effects);
        }
        // Nothing is true of a time that has not come; whoever hands values in keeps it until then ([`Ahead`]).
        if now < measured.observed_at {
            return effects;
        }
        let Some(value) = measured.value.filter(|value| value.is_finite() && measured.flag.is_usable()) else {
            return effects;
        };
        let evaluated = Evaluated { observed_at: measured.observed_at, value, flag: measured.flag };
        if self.lateness_ms < now.since(measured.observed_at) {
            self.pass_over(measured.datastream, evaluated);
            return effects;
        }
        let reach = Reach::of(measured.observed_at, measured.received_at);
        for number in self.index.entry(measured.datastream).slots() {
            let slot = &mut self.slots[number as usize];
            let Judge::Threshold { limits, machine, last, looked } = &mut slot.state.judge else { continue };
            if !measured.waited && Some(reach) <= *looked {
                continue;
            }
            *looked = Some(reach).max(*looked);
            *last = Some(evaluated);
            let (rested, pending) = (machine.is_at_rest(), machine.pending(limits));
            let change = machine.observe(limits, measured.observed_at, value, measured.flag);
            self.pending_changed |= pending != machine.pending(limits);
            // How far a rule at rest has looked is all that is new; most values of most rules change no more than that.
            let only_looked = rested && machine.is_at_rest();
            let since = *slot.behind_since.get_or_insert(now);
            if !slot.dirty && (!only_looked || SAVED_AT_REST_EVERY_MS <= now.since(since)) {
                slot.dirty = true;
                self.dirty.push(number);
            }
            if let Some(change) = change {
                let reason = match change.news {
                    News::Level => Reason::Threshold,
                    News::Unconfirmed => Reason::Unconfirmed,
                    News::Confirmed => Reason::Confirmed,
                };
                let decided = Decided { now, revision: self.revision, reason };
                effects.push(slot.tell_crossing(&change, evaluated, &decided, &self.mutes));
                self.await_reminder(number);
            }
        }
        effects
    }

    /// Notes of a value that is too late to decide anything, and newer than what was seen, that rules did not look there.
    fn pass_over(&mut self, datastream: DatastreamId, late: Evaluated) {
        for number in self.index.entry(datastream).slots() {
            let slot = &mut self.slots[number as usize];
            let Judge::Threshold { limits, machine, last, .. } = &mut slot.state.judge else { continue };
            let is_newer = last.is_none_or(|last| last.observed_at < late.observed_at);
            if is_newer && machine.pass_over(limits, late.value, late.flag) && !slot.dirty {
                slot.dirty = true;
                self.dirty.push(number);
            }
        }
    }

    fn tick(&mut self, now: UtcMillis) -> Vec<Effect> {
        let over: Vec<RuleId> =
            self.mutes.values().filter(|mute| mute.until <= now).map(|mute| mute.rule.clone()).collect();
        for rule in &over {
            self.mutes.remove(rule);
        }
        let mut effects: Vec<Effect> = over.into_iter().map(Effect::MuteEnded).collect();
        effects.extend(self.look_at_deadlines(now));
        effects
    }

    /// Acknowledges an alert at the level that was seen, or at that of now: nobody takes what they could not know of.
    fn acknowledge(
        &mut self,
        now: UtcMillis,
        alert: AlertId,
        by: Requester,
        (seen, note): (Option<Level>, Option<String>),
    ) -> Effect {
        let is_it = |slot: &Slot| slot.state.alert.as_ref().is_some_and(|open| open.id == alert);
        let Some(number) = self.slots.iter().position(is_it) else { return Effect::Refused(Refusal::NotOpen) };
        let SlotState { judge, alert: Some(open) } = &mut self.slots[number].state else {
            return Effect::Refused(Refusal::NotOpen);
        };
        let level = seen.filter(|seen| *seen != Level::Normal).map_or(judge.level(), |seen| seen.min(judge.level()));
        if Some(level) <= open.acknowledged {
            return Effect::Refused(Refusal::AlreadyAcknowledged);
        }
        open.acknowledged = Some(level);
        self.mark_dirty(number);
        Effect::Acknowledged(Acknowledged { alert, level, by, note, decided_at: now })
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
    fn tell_crossing(
        &mut self,
        change: &Change,
        evaluated: Evaluated,
        decided: &Decided,
        mutes: &BTreeMap<RuleId, Mute>,
    ) -> Effect {
        let told = Told {
            from: change.from,
            to: change.to,
            peak: change.excursion.peak,
            onset: change.excursion.onset,
            onset_at_latest: change.excursion.onset_at_latest,
            observed_at: evaluated.observed_at,
            value: Some((evaluated.value, evaluated.flag)),
            worst: Some((change.excursion.worst, change.excursion.worst_at)),
            heard: None,
        };
        self.tell(told, decided, mutes)
    }

    /// Tells that the level of no data is no longer `from`.
    fn tell_no_data(
        &mut self,
        from: Level,
        decided: &Decided,
        heard: Option<UtcMillis>,
        mutes: &BTreeMap<RuleId, Mute>,
    ) -> Option<Effect> {
        let Judge::NoData(no_data) = &self.state.judge else { return None };
        let told = Told {
            from,
            to: no_data.level,
            peak: no_data.peak,
            onset: no_data.onset?,
            onset_at_latest: false,
            observed_at: decided.now,
            value: None,
            worst: None,
            heard,
        };
        Some(self.tell(told, decided, mutes))
    }

    /// Keeps the record of the open alert in step with its level, and tells the change.
    fn tell(&mut self, told: Told, decided: &Decided, mutes: &BTreeMap<RuleId, Mute>) -> Effect {
        let open = self.state.alert.get_or_insert_with(|| OpenAlert {
            id: id::of(&self.key.rule, &self.key.subject, told.onset),
            sequence: 0,
            acknowledged: None,
            told_unconfirmed: false,
            told_at: decided.now,
            reminders: 0,
            rule: Arc::clone(&self.rule),
        });
        open.sequence = open.sequence.saturating_add(1);
        let tells = match decided.reason.confirms() {
            // Once for each level: a sensor that comes and goes would be told of again and again.
            Some(false) => !std::mem::replace(&mut open.told_unconfirmed, true),
            Some(true) => false,
            None => {
                open.told_unconfirmed = false;
                true
            }
        };
        if tells {
            (open.told_at, open.reminders) = (decided.now, 0);
        }
        let muted = mutes.get(&self.key.rule).filter(|mute| decided.now < mute.until);
        let transition = Transition {
            alert: open.id,
            sequence: open.sequence,
            rule: Arc::clone(&open.rule),
            rule_revision: decided.revision,
            subject: self.key.subject.clone(),
            told,
            reason: decided.reason,
            decided_at: decided.now,
            muted_until: muted.map(|mute| mute.until),
            tells,
        };
        if told.to == Level::Normal {
            self.state.alert = None;
        }
        Effect::Transition(Box::new(transition))
    }
}
