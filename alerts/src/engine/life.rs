//! Signs of life, and what their absence leads to: stations and datastreams without data, sources that are down, reminders.
//!
//! A sign of life costs one comparison and is looked at again only when a deadline runs out: each deadline waits once in
//! a heap, and when its time has come it is either over or put back to where the signs of life have moved it meanwhile.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    ops::Range,
};

use bakau_model::{Level, MINUTE_MS, SourceName, StationId, UtcMillis};

use super::{
    Decided, Effect, EndpointView, Engine, Heard, Judge, Measured, NoData, Origin, Reason, Reminder, Slot, Subject,
    inhibitors::Inhibitors,
};

/// The time of the last sign of life is written this often per subject. After a kill it is that much behind at most,
/// which moves the onset that people are told and no deadline, because deadlines begin anew at a start.
const SAVED_EVERY_MS: i64 = MINUTE_MS;
/// While a whole station has no data, its datastreams are looked at again this often.
const LOOK_AGAIN_MS: i64 = MINUTE_MS;

/// What of the signs of life survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Remembered {
    /// When they came.
    pub(crate) heard: Heard,
    /// The source that the last one came through.
    pub(crate) source: Option<SourceName>,
}

/// A subject whose signs of life are watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) subject: Subject,
    pub(super) heard: Heard,
    /// The source that the last sign of life came through.
    origin: Option<Origin>,
    /// Its rules, those about thresholds among them.
    slots: Range<u32>,
    /// How many of its rules have an open alert.
    without_data: u32,
    saved: Option<Heard>,
}

/// The signs of life of a subject, and the source of the last one.
type Known = (Heard, Option<Origin>);

/// Every subject that is watched for signs of life, and every deadline.
#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    pub(super) watched: Vec<Watched>,
    places: BTreeMap<Subject, u32>,
    /// Signs of life of subjects that no rule is about now.
    others: BTreeMap<Subject, Known>,
    pub(super) inhibitors: Inhibitors,
    due: BinaryHeap<Reverse<(UtcMillis, u32, Task)>>,
    /// Of [`Life::watched`], to be written.
    dirty: Vec<u32>,
    /// Deadlines count from here at the earliest: while Bakau did not run, nothing could come.
    pub(super) started: Option<UtcMillis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    NoData,
    Reminder,
}

impl Life {
    /// What was heard before a start.
    pub(super) fn remembering(heard: impl IntoIterator<Item = (Subject, Remembered)>) -> Self {
        let mut life = Self::default();
        for (subject, Remembered { heard, source }) in heard {
            let origin = source.and_then(|source| life.inhibitors.origin(&source));
            life.others.insert(subject, (heard, origin));
        }
        life
    }

    /// Takes the signs of life out, for the rules to be set up anew; with those not yet written.
    pub(super) fn take(&mut self) -> (BTreeMap<Subject, Known>, BTreeSet<Subject>) {
        let unsaved = self.dirty.iter().map(|place| self.watched[*place as usize].subject.clone()).collect();
        let mut heard = std::mem::take(&mut self.others);
        heard.extend(self.watched.drain(..).map(|watched| (watched.subject, (watched.heard, watched.origin))));
        self.inhibitors.unwatch();
        self.places.clear();
        self.due.clear();
        self.dirty.clear();
        (heard, unsaved)
    }

    /// Adds a subject with its slots.
    pub(super) fn watch(&mut self, subject: &Subject, (heard, origin): Known, slots: Range<u32>, without_data: u32) {
        let place = u32::try_from(self.watched.len()).unwrap_or(u32::MAX);
        self.places.insert(subject.clone(), place);
        self.watched.push(Watched { subject: subject.clone(), heard, origin, slots, without_data, saved: Some(heard) });
        if let Subject::Source(name) = subject {
            self.inhibitors.watch(name, heard);
        }
    }

    /// Everything heard, of subjects in force and of others.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (Subject, Remembered)> {
        let others = self.others.iter().map(|(subject, (heard, origin))| (subject, *heard, *origin));
        let watched = self.watched.iter().map(|watched| (&watched.subject, watched.heard, watched.origin));
        watched.chain(others).map(|(subject, heard, origin)| (subject.clone(), self.remembered(heard, origin)))
    }

    fn remembered(&self, heard: Heard, origin: Option<Origin>) -> Remembered {
        Remembered { heard, source: origin.and_then(|origin| self.inhibitors.name(origin)).cloned() }
    }

    pub(super) fn place(&self, subject: &Subject) -> Option<u32> {
        self.places.get(subject).copied()
    }

    /// Signs of life of subjects that no rule is about.
    pub(super) fn set_others(&mut self, others: BTreeMap<Subject, Known>) {
        self.others = others;
    }

    /// Whether an alert about no data is open on it.
    pub(super) fn is_without_data(&self, place: u32) -> bool {
        0 < self.watched[place as usize].without_data
    }

    fn heard(&self, place: u32) -> Heard {
        self.watched[place as usize].heard
    }

    /// The signs of life of a subject, whether a rule is about it or not.
    pub(super) fn heard_of(&self, subject: &Subject) -> Heard {
        let other = || self.others.get(subject).map(|(heard, _)| *heard).unwrap_or_default();
        self.place(subject).map_or_else(other, |place| self.heard(place))
    }

    /// The source of the last sign of life of a subject, whether a rule is about it or not.
    pub(super) fn origin_of(&self, subject: &Subject) -> Option<Origin> {
        let other = || self.others.get(subject).and_then(|(_, origin)| *origin);
        self.place(subject).map_or_else(other, |place| self.watched[place as usize].origin)
    }

    /// The signs of life to be written.
    pub(super) fn take_dirty(&mut self) -> Vec<(Subject, Remembered)> {
        let mut changed = Vec::with_capacity(self.dirty.len());
        for place in std::mem::take(&mut self.dirty) {
            let watched = &mut self.watched[place as usize];
            watched.saved = Some(watched.heard);
            let (subject, heard, origin) = (watched.subject.clone(), watched.heard, watched.origin);
            changed.push((subject, self.remembered(heard, origin)));
        }
        changed
    }

    pub(super) fn touch(&mut self, place: u32) {
        let watched = &mut self.watched[place as usize];
        if watched.saved.take().is_some() {
            self.dirty.push(place);
        }
    }

    /// Takes a sign of life; whether anything may follow from it.
    fn hear(&mut self, place: u32, at: UtcMillis, origin: Option<Origin>) -> bool {
        let watched = &mut self.watched[place as usize];
        // What a station says of itself does not tell its source.
        let moved = origin.is_some() && watched.origin != origin;
        watched.origin = origin.or(watched.origin);
        let heard = &mut watched.heard;
        heard.last = Some(heard.last.map_or(at, |last| last.max(at)));
        let returned = heard.offline_since.is_some_and(|since| since < at);
        if returned {
            heard.offline_since = None;
        }
        let old = |saved: Heard| saved.last.is_none_or(|last| SAVED_EVERY_MS <= at.since(last));
        if returned || moved || watched.saved.is_some_and(old) {
            self.touch(place);
        }
        // A station that is offline stays so until something is received after that was said.
        let watched = &self.watched[place as usize];
        0 < watched.without_data && watched.heard.offline_since.is_none()
    }
}

impl Engine {
    /// A value has arrived: its datastream and its station are alive, unless it is old, from the buffer of a gateway.
    pub(super) fn note_life(&mut self, now: UtcMillis, measured: &Measured, effects: &mut Vec<Effect>) {
        if self.lateness_ms < measured.received_at.since(measured.observed_at) {
            return;
        }
        let (own, station) = self.index.entry(measured.datastream).watched();
        // A sensor of which the station has nothing to report but that it is missing, or that has failed, is not alive.
        let valid = measured.value.is_some() && measured.flag.is_usable();
        let own = own.filter(|_| valid);
        for place in [station, own].into_iter().flatten() {
            // Values that fail are no sign of health either: they end no alert.
            let failed = measured.value.is_some() && !valid;
            if self.life.hear(place, measured.received_at, measured.origin) && !failed {
                self.end_no_data(now, place, effects);
            }
        }
    }

    /// A station said whether it is online.
    pub(super) fn note_status(
        &mut self,
        now: UtcMillis,
        station: &StationId,
        (online, kept): (bool, bool),
        at: UtcMillis,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(place) = self.life.place(&Subject::Station(station.clone())) else { return effects };
        let heard = self.life.heard(place);
        // What a broker had kept is news only of a station that was offline, or of which nothing is known.
        let news = if online { heard.offline_since.is_some() } else { heard.last.is_none() };
        if kept && !news {
            return effects;
        }
        if online {
            if self.life.hear(place, at, None) {
                self.end_no_data(now, place, &mut effects);
            }
            return effects;
        }
        let heard = &mut self.life.watched[place as usize].heard;
        if heard.offline_since.is_some() || heard.last.is_some_and(|last| at < last) {
            return effects;
        }
        heard.offline_since = Some(at);
        self.life.touch(place);
        for number in self.life.watched[place as usize].slots.clone() {
            self.look_at_no_data(now, number, &mut effects);
        }
        effects
    }

    /// The state of every source and of the store; one that is not named has been taken out of the configuration.
    pub(super) fn note_endpoints(&mut self, now: UtcMillis, endpoints: &[EndpointView]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let views: BTreeMap<Subject, &EndpointView> =
            endpoints.iter().map(|view| (view.endpoint.clone().into(), view)).collect();
        for place in 0..self.life.watched.len() {
            let watched = &mut self.life.watched[place];
            let source = match &watched.subject {
                Subject::Source(name) => Some(name.clone()),
                Subject::Store => None,
                Subject::Datastream(_) | Subject::Station(_) => continue,
            };
            let down = views.get(&watched.subject).filter(|view| !view.up).map(|view| view.since);
            // A source that fails in several ways one after the other has been down since the first of them.
            let down = down.map(|since| watched.heard.offline_since.map_or(since, |before| before.min(since)));
            if watched.heard.offline_since == down {
                continue;
            }
            watched.heard.offline_since = down;
            let (slots, was_told) = (watched.slots.clone(), 0 < watched.without_data);
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            self.life.touch(place);
            if down.is_none() {
                source.iter().for_each(|name| self.life.inhibitors.found(name, now, was_told));
                self.life.watched[place as usize].heard.last = Some(now);
                self.end_no_data(now, place, &mut effects);
            } else {
                source.iter().for_each(|name| self.life.inhibitors.lost(name));
                slots.for_each(|number| self.await_no_data(number));
            }
        }
        effects
    }

    /// Looks at every deadline that has run out.
    pub(super) fn look_at_deadlines(&mut self, now: UtcMillis) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(Reverse((due, number, task))) = self.life.due.peek().copied()
            && due <= now
        {
            self.life.due.pop();
            let slot = &mut self.slots[number as usize];
            match task {
                // Another deadline may have been set since, and an earlier one may have come first.
                Task::NoData if slot.awaits_no_data != Some(due) => {}
                Task::NoData => {
                    slot.awaits_no_data = None;
                    self.look_at_no_data(now, number, &mut effects);
                }
                Task::Reminder => {
                    slot.awaits_reminder = false;
                    effects.extend(self.remind(now, number));
                    self.await_reminder(number);
                }
            }
        }
        effects
    }

    /// Sets up the deadlines of a slot that has just come into force.
    pub(super) fn await_everything(&mut self, number: u32) {
        self.await_no_data(number);
        self.await_reminder(number);
    }

    fn await_no_data(&mut self, number: u32) {
        let slot = &self.slots[number as usize];
        let Judge::NoData(no_data) = slot.state.judge else { return };
        let Some(place) = self.life.place(&slot.key.subject) else { return };
        let heard = self.life.heard(place);
        let not_before = self.not_before(slot, place, &no_data);
        let Some(since) = no_data.counted_from(&slot.key.subject, &heard, not_before) else { return };
        if let Some(after) = no_data.after.next(no_data.level) {
            self.wake_up(number, since.saturating_add(after));
        }
    }

    fn wake_up(&mut self, number: u32, at: UtcMillis) {
        let awaits = &mut self.slots[number as usize].awaits_no_data;
        if awaits.is_some_and(|before| before <= at) {
            return;
        }
        *awaits = Some(at);
        self.life.due.push(Reverse((at, number, Task::NoData)));
    }

    pub(super) fn await_reminder(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        let Some(open) = slot.state.unattended().filter(|_| !slot.awaits_reminder) else { return };
        if let Some(repeat_s) = open.rule.repeat_s {
            let at = open.told_at.saturating_add(i64::from(repeat_s) * 1000);
            slot.awaits_reminder = true;
            self.life.due.push(Reverse((at, number, Task::Reminder)));
        }
    }

    fn remind(&mut self, now: UtcMillis, number: u32) -> Option<Effect> {
        let slot = &mut self.slots[number as usize];
        slot.state.unattended()?;
        let open = slot.state.alert.as_mut()?;
        let repeat_ms = i64::from(open.rule.repeat_s?) * 1000;
        if now.since(open.told_at) < repeat_ms {
            return None;
        }
        open.told_at = now;
        open.reminders = open.reminders.saturating_add(1);
        let muted = self.mutes.get(&slot.key.rule).filter(|mute| now < mute.until);
        let reminder = Reminder {
            alert: open.id,
            sequence: open.sequence,
            number: open.reminders,
            decided_at: now,
            muted_until: muted.map(|mute| mute.until),
        };
        self.mark_dirty(number as usize);
        Some(Effect::Reminder(reminder))
    }

    /// The source that a subject is behind, where its alert inhibits that of a slot at a level: where it reaches everybody
    /// whom that one would.
    fn inhibitor(&self, slot: &Slot, place: u32, level: Level) -> Option<Origin> {
        let origin = self.life.watched[place as usize].origin?;
        let from = self.life.inhibitors.name(origin).and_then(|name| slot.not_inhibited.by_source.get(name));
        from.is_none_or(|from| level < *from).then_some(origin)
    }

    /// From when a slot may count at the earliest.
    fn not_before(&self, slot: &Slot, place: u32, no_data: &NoData) -> UtcMillis {
        let source = self.life.inhibitors.not_before(self.inhibitor(slot, place, no_data.after.first()));
        [self.life.started, slot.not_before, source].into_iter().flatten().max().unwrap_or(UtcMillis::new(i64::MIN))
    }

    /// The signs of life of a slot as far as they count at `now`; a word that counts later, and when.
    fn heard_by(&self, now: UtcMillis, slot: &Slot, place: u32, no_data: &NoData) -> (Heard, Option<UtcMillis>) {
        let Watched { heard, subject, .. } = &self.life.watched[place as usize];
        let (Subject::Station(_), Some(said)) = (subject, heard.offline_since) else { return (*heard, None) };
        let source = self.inhibitor(slot, place, no_data.after.first());
        let from = self.life.inhibitors.believed_from(source, said, &no_data.after);
        if from <= now { (*heard, None) } else { (Heard { offline_since: None, ..*heard }, Some(from)) }
    }

    /// Raises the level where nothing has come for long enough.
    fn look_at_no_data(&mut self, now: UtcMillis, number: u32, effects: &mut Vec<Effect>) {
        let slot = &self.slots[number as usize];
        let Judge::NoData(no_data) = slot.state.judge else { return };
        let Some(place) = self.life.place(&slot.key.subject) else { return };
        let (heard, later) = self.heard_by(now, slot, place, &no_data);
        let not_before = self.not_before(slot, place, &no_data);
        let Some(since) = no_data.counted_from(&slot.key.subject, &heard, not_before) else { return };
        let due = no_data.due(&slot.key.subject, &heard, now.since(since));
        if due <= no_data.level {
            self.slots[number as usize].waits_for_station = false;
            later.into_iter().for_each(|at| self.wake_up(number, at));
            return self.await_no_data(number);
        }
        if self.life.inhibitors.is_cut_off(self.inhibitor(slot, place, due)) {
            return self.wake_up(number, now.saturating_add(LOOK_AGAIN_MS));
        }
        if self.whole_station_has_no_data(now, number, due) {
            self.slots[number as usize].waits_for_station = true;
            return self.wake_up(number, now.saturating_add(LOOK_AGAIN_MS));
        }
        let slot = &mut self.slots[number as usize];
        if std::mem::take(&mut slot.waits_for_station) {
            // The station is back; its values may still be on their way one by one.
            slot.not_before = Some(now);
            return self.await_no_data(number);
        }
        self.raise_no_data(now, number, due, &heard, effects);
        self.await_no_data(number);
        self.await_reminder(number);
    }

    /// Whether a datastream without data belongs to a station without any, which has a rule of its own.
    fn whole_station_has_no_data(&self, now: UtcMillis, number: u32, due: Level) -> bool {
        let slot = &self.slots[number as usize];
        let (Subject::Datastream(datastream), Judge::NoData(no_data)) = (&slot.key.subject, &slot.state.judge) else {
            return false;
        };
        if slot.not_inhibited.by_station.is_some_and(|from| from <= due) {
            return false;
        }
        let (_, Some(place)) = self.index.entry(*datastream).watched() else { return false };
        let station = &self.life.watched[place as usize];
        let last = station.heard.last.unwrap_or(UtcMillis::new(i64::MIN)).max(self.not_before(slot, place, no_data));
        // Its values stopped one after the other within a round, so the station need not have been without data for quite as long.
        let as_long = no_data.after.of_level(due).is_some_and(|after| after / 2 <= now.since(last));
        station.heard.offline_since.is_some() || 0 < station.without_data || as_long
    }

    fn raise_no_data(&mut self, now: UtcMillis, number: u32, to: Level, heard: &Heard, effects: &mut Vec<Effect>) {
        let decided =
            Decided { now, revision: self.revision, reason: no_data_reason(&self.slots[number as usize], heard) };
        let slot = &mut self.slots[number as usize];
        let Judge::NoData(no_data) = &mut slot.state.judge else { return };
        let from = no_data.raise(to, heard);
        effects.extend(slot.tell_no_data(from, &decided, heard.last, &self.mutes));
        if from == Level::Normal
            && let Some(place) = self.life.place(&self.slots[number as usize].key.subject)
        {
            self.life.watched[place as usize].without_data += 1;
        }
        self.mark_dirty(number as usize);
    }

    /// Ends what the lack of data of a subject has raised.
    fn end_no_data(&mut self, now: UtcMillis, place: u32, effects: &mut Vec<Effect>) {
        let watched = &mut self.life.watched[place as usize];
        watched.without_data = 0;
        let (slots, heard) = (watched.slots.clone(), watched.heard.last);
        for number in slots {
            let slot = &mut self.slots[number as usize];
            let Judge::NoData(no_data) = &mut slot.state.judge else { continue };
            let from = no_data.end();
            if from != Level::Normal {
                let decided = Decided { now, revision: self.revision, reason: Reason::Returned };
                effects.extend(slot.tell_no_data(from, &decided, heard, &self.mutes));
                self.mark_dirty(number as usize);
            }
            self.await_no_data(number);
        }
    }
}

fn no_data_reason(slot: &Slot, heard: &Heard) -> Reason {
    match (&slot.key.subject, heard.offline_since, heard.last) {
        (Subject::Source(_), ..) => Reason::SourceDown,
        (Subject::Store, ..) => Reason::StoreDown,
        (Subject::Station(_) | Subject::Datastream(_), Some(_), _) => Reason::Offline,
        (Subject::Station(_) | Subject::Datastream(_), None, None) => Reason::NeverReported,
        (Subject::Station(_) | Subject::Datastream(_), None, Some(_)) => Reason::NoData,
    }
}
