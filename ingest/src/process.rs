//! Route, decode and identify in one pure step: from message to observations.
//!
//! Everything that depends only on source and topic is worked out once and remembered, so that a known topic costs one
//! lookup. A new registry revision forgets all of it.

mod message;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_model::{DEFAULT_ZONE, Envelope, Missing, Observation, QuarantineReason, SourceName, StationStatus};
use bakau_registry::Snapshot;
use bakau_spool::QuarantineDraft;
use jiff::tz::TimeZone;

use self::message::{Clock, Owners, Sender};

use crate::{
    decode::{Decoded, Decoder},
    frames::{Frame, Frames},
    identify::AcceptWindow,
    owner::{Devices, Owner},
    route::Matcher,
};

/// Topics remembered per source; above, the memory is emptied, so that invented topics cannot fill it for ever.
const MAX_TOPICS: usize = 65_536;

bakau_model::words! {
    /// Outcome of a message; every spooled message has exactly one.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Outcome {
        /// At least one observation came out of it.
        Decoded => "decoded",
        /// None did; the quarantine list says why.
        Quarantined => "quarantined",
        /// No route takes its topic.
        Unrouted => "unrouted",
        /// A retained delivery without device time: when it was measured nobody knows.
        IgnoredRetained => "ignored_retained",
        /// A repeated delivery without device time of a message that is already spooled, or a radio frame that was taken.
        IgnoredDuplicate => "ignored_duplicate",
    }
}

/// The limits of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Accept windows of sources that have one of their own.
    pub windows: BTreeMap<SourceName, AcceptWindow>,
    /// Time zones (IANA names, checked) of sources whose devices send local times without an offset.
    pub zones: BTreeMap<SourceName, String>,
    /// Codes and words that mean "no value" in everything of a source, for sources that have some.
    pub missing: BTreeMap<SourceName, Missing>,
    /// The accept window of the others.
    pub default_window: AcceptWindow,
    /// Largest payload that is decoded.
    pub max_payload_bytes: usize,
}

/// Results of processing, added to the group of the message.
#[derive(Debug, Default)]
pub struct Findings {
    /// Observations, each with the index of its envelope.
    pub observations: Vec<(u32, Observation)>,
    /// Statuses of stations.
    pub statuses: Vec<StationStatus>,
    /// Quarantined messages and readings.
    pub quarantine: Vec<QuarantineDraft>,
}

/// Outcome of one message and counts of its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processed {
    /// The message's outcome.
    pub outcome: Outcome,
    /// Readings found in it.
    pub readings: u64,
    /// Of these, readings put into quarantine.
    pub quarantined: u64,
}

/// Result of routing for one topic.
#[derive(Debug)]
struct Known {
    route: usize,
    owner: Owner,
    /// Time zone of times without an offset, where the format has such times.
    zone: Option<TimeZone>,
}

/// Decoder and devices of one route.
#[derive(Debug)]
struct Line {
    decoder: Decoder,
    devices: Devices,
}

#[derive(Debug)]
struct SourceMemory {
    name: SourceName,
    window: AcceptWindow,
    missing: Missing,
    topics: HashMap<Arc<str>, Known>,
}

/// Turns messages into observations, by one registry snapshot at a time.
#[derive(Debug)]
pub struct Processor {
    limits: Limits,
    snapshot: Arc<Snapshot>,
    matcher: Matcher,
    lines: Vec<Line>,
    sources: Vec<SourceMemory>,
    frames: Frames,
    decoded: Decoded,
}

impl Processor {
    /// Starts with a snapshot.
    #[must_use]
    pub fn new(limits: Limits, snapshot: Arc<Snapshot>) -> Self {
        let matcher = Matcher::compile(&snapshot.routes);
        let line = |route: &bakau_registry::Route| Line { decoder: Decoder::of(route), devices: Devices::of(route) };
        let lines = snapshot.routes.iter().map(line).collect();
        Self {
            limits,
            snapshot,
            matcher,
            lines,
            sources: Vec::new(),
            frames: Frames::default(),
            decoded: Decoded::default(),
        }
    }

    /// Changes to another snapshot; does nothing when it is the same one.
    pub(crate) fn use_snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        if !Arc::ptr_eq(&self.snapshot, snapshot) {
            let frames = std::mem::take(&mut self.frames);
            *self = Self { frames, ..Self::new(self.limits.clone(), Arc::clone(snapshot)) };
        }
    }

    /// The messages worked out since the last call are durable: their radio frames are not taken again.
    pub fn keep(&mut self) {
        self.frames.keep();
    }

    /// The messages worked out since then were not taken, and come again.
    pub(crate) fn undo(&mut self) {
        self.frames.undo();
    }

    /// Remembers the radio frames of spooled messages from before a restart; `taken` says which observations came of
    /// them then.
    pub(crate) fn recall<'e>(
        &mut self,
        envelopes: impl Iterator<Item = &'e Envelope>,
        taken: impl Fn(&Observation) -> bool,
    ) {
        let mut findings = Findings::default();
        for envelope in envelopes {
            let at = self.remember(envelope);
            let known = self.sources.get(at).and_then(|source| source.topics.get(&*envelope.topic));
            let line = known.and_then(|known| self.lines.get(known.route));
            if !line.is_some_and(|line| line.decoder.has_frames()) {
                continue;
            }
            findings.observations.clear();
            findings.quarantine.clear();
            self.process(0, envelope, |_| false, &mut findings);
            // What the registry of today makes of it counts only if it was taken then.
            if findings.observations.iter().any(|(_, observation)| taken(observation)) {
                self.frames.keep();
            } else {
                self.frames.undo();
            }
        }
    }

    /// Whether any route takes radio frames.
    #[must_use]
    pub(crate) fn has_frames(&self) -> bool {
        self.lines.iter().any(|line| line.decoder.has_frames())
    }

    /// The registry revision in use.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.snapshot.revision
    }

    /// Works out one message. `index` is its place in the group; `spooled_before` tells whether the same source, topic
    /// and payload were spooled recently, and is asked only about repeated deliveries without device time.
    pub fn process(
        &mut self,
        index: u32,
        envelope: &Envelope,
        spooled_before: impl FnOnce(&Envelope) -> bool,
        findings: &mut Findings,
    ) -> Processed {
        let at = self.remember(envelope);
        let Some(source) = self.sources.get(at) else { return Processed::without_readings(Outcome::Unrouted) };
        let Some(known) = source.topics.get(&*envelope.topic) else {
            return Processed::without_readings(Outcome::Unrouted);
        };
        let Some(Line { decoder, devices }) = self.lines.get_mut(known.route) else {
            return Processed::without_readings(Outcome::Unrouted);
        };
        let whole = |reason, detail| QuarantineDraft { envelope: index, reading: None, reason, detail };
        if self.limits.max_payload_bytes < envelope.payload.len() {
            let (given, limit) = (envelope.payload.len(), self.limits.max_payload_bytes);
            let detail = format!("the payload has {given} bytes; at most {limit} are decoded");
            findings.quarantine.push(whole(QuarantineReason::Undecodable, detail));
            return Processed::without_readings(Outcome::Quarantined);
        }
        if let Err(error) = decoder.decode(&envelope.payload, &source.missing, &mut self.decoded) {
            findings.quarantine.push(whole(error.reason, error.detail));
            return Processed::without_readings(Outcome::Quarantined);
        }
        let sender = Sender { index, envelope, snapshot: &self.snapshot };
        if let Some(online) = self.decoded.online {
            return sender.status(online, &known.owner, findings);
        }
        let timeless = self.decoded.sets.iter().any(|set| set.time.depends_on_arrival());
        if timeless && let Some(outcome) = ignored(envelope, spooled_before) {
            self.decoded.sets.retain(|set| !set.time.depends_on_arrival());
            if self.decoded.sets.is_empty() {
                return Processed::without_readings(outcome);
            }
        }
        let clock = Clock { window: source.window, zone: known.zone.as_ref() };
        let mut owners = Owners { owner: &known.owner, devices, slots: decoder.slots() };
        let before = (findings.observations.len(), findings.quarantine.len());
        let processed = sender.identify(&self.decoded, clock, &mut owners, findings);
        let first = findings.observations.get(before.0);
        if let Some(frame) = first.and_then(|(_, first)| Frame::of(&self.decoded, first)) {
            if self.frames.is_repeated(&frame) {
                findings.observations.truncate(before.0);
                findings.quarantine.truncate(before.1);
                return Processed::without_readings(Outcome::IgnoredDuplicate);
            }
            self.frames.add(frame);
        }
        if processed.readings == 0 && self.decoded.broken.is_empty() {
            let paths: Vec<_> = decoder.slots().iter().take(5).map(|slot| slot.path.as_str()).collect();
            let detail = format!("none of the mapped values is in the payload: {}", paths.join(", "));
            findings.quarantine.push(whole(QuarantineReason::Undecodable, detail));
        }
        processed
    }

    /// Makes sure that the topic is known if a route takes it; returns the place of the source.
    fn remember(&mut self, envelope: &Envelope) -> usize {
        let at = match self.sources.iter().position(|source| source.name == envelope.source) {
            Some(at) => at,
            None => {
                let window = self.limits.windows.get(&envelope.source).copied().unwrap_or(self.limits.default_window);
                let missing = self.limits.missing.get(&envelope.source).cloned().unwrap_or_default();
                let (name, topics) = (envelope.source.clone(), HashMap::new());
                self.sources.push(SourceMemory { name, window, missing, topics });
                self.sources.len() - 1
            }
        };
        if let Some(source) = self.sources.get_mut(at)
            && !source.topics.contains_key(&*envelope.topic)
            && let Some(routed) = self.matcher.find(&envelope.source, &envelope.topic)
            && let Some(line) = self.lines.get(routed.route)
        {
            let owner = line.devices.owner(routed, line.decoder.slots(), &self.snapshot);
            let zone = if line.decoder.has_local_times() {
                let of_route = self.snapshot.routes.get(routed.route).and_then(|route| route.time_zone.as_ref());
                let of_source = || self.limits.zones.get(&envelope.source);
                TimeZone::get(of_route.or_else(of_source).map_or(DEFAULT_ZONE, String::as_str)).ok()
            } else {
                None
            };
            if MAX_TOPICS <= source.topics.len() {
                source.topics.clear();
            }
            source.topics.insert(Arc::clone(&envelope.topic), Known { route: routed.route, owner, zone });
        }
        at
    }
}

impl Processed {
    const fn without_readings(outcome: Outcome) -> Self {
        Self { outcome, readings: 0, quarantined: 0 }
    }
}

/// Whether readings without device time of this delivery are no observations, and why.
fn ignored(envelope: &Envelope, spooled_before: impl FnOnce(&Envelope) -> bool) -> Option<Outcome> {
    if envelope.retained {
        return Some(Outcome::IgnoredRetained);
    }
    (envelope.dup && spooled_before(envelope)).then_some(Outcome::IgnoredDuplicate)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
