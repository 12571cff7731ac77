//! Route, decode and identify in one pure step: what becomes of a message.
//!
//! Everything that depends only on source and topic is worked out once and remembered, so that a known topic costs one
//! lookup. A new registry revision forgets all of it.

mod message;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_model::{Envelope, Observation, QuarantineReason, SourceName, StationStatus};
use bakau_registry::Snapshot;
use bakau_spool::QuarantineDraft;
use jiff::tz::TimeZone;

use self::message::{Clock, Owners, Sender};

use crate::{
    decode::{Decoded, Decoder},
    identify::AcceptWindow,
    owner::{Devices, Owner},
    route::Matcher,
};

/// The time zone of local times where neither route nor source has one.
const DEFAULT_TIME_ZONE: &str = "Asia/Jakarta";

/// Topics remembered per source; above, the memory is emptied, so that invented topics cannot fill it for ever.
const MAX_TOPICS: usize = 65_536;

/// What became of a message; every spooled message has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// At least one observation came out of it.
    Decoded,
    /// None did; the quarantine list says why.
    Quarantined,
    /// No route takes its topic.
    Unrouted,
    /// A retained delivery without device time: when it was measured nobody knows.
    IgnoredRetained,
    /// A repeated delivery without device time of a message that is already spooled.
    IgnoredDuplicate,
}

impl Outcome {
    /// Every outcome, in the order of the ledger.
    pub const ALL: [Self; 5] =
        [Self::Decoded, Self::Quarantined, Self::Unrouted, Self::IgnoredRetained, Self::IgnoredDuplicate];

    /// The stable key used in metrics.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::Quarantined => "quarantined",
            Self::Unrouted => "unrouted",
            Self::IgnoredRetained => "ignored_retained",
            Self::IgnoredDuplicate => "ignored_duplicate",
        }
    }
}

/// The limits of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Accept windows of sources that have one of their own.
    pub windows: BTreeMap<SourceName, AcceptWindow>,
    /// Time zones (IANA names, checked) of sources whose devices send local times without an offset.
    pub zones: BTreeMap<SourceName, String>,
    /// The accept window of the others.
    pub default_window: AcceptWindow,
    /// Largest payload that is decoded.
    pub max_payload_bytes: usize,
}

/// What processing adds to the group it belongs to.
#[derive(Debug, Default)]
pub struct Findings {
    /// Observations, each with the index of its envelope.
    pub observations: Vec<(u32, Observation)>,
    /// What stations said about being there.
    pub statuses: Vec<StationStatus>,
    /// What could not be used.
    pub quarantine: Vec<QuarantineDraft>,
}

/// What became of one message and of its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processed {
    /// The message's outcome.
    pub outcome: Outcome,
    /// Readings found in it.
    pub readings: u64,
    /// Of these, readings put into quarantine.
    pub quarantined: u64,
}

/// What is known about the messages of one topic.
#[derive(Debug)]
struct Known {
    route: usize,
    owner: Owner,
    /// That of times without an offset, where the format has such times.
    zone: Option<TimeZone>,
}

/// What belongs to one route.
#[derive(Debug)]
struct Line {
    decoder: Decoder,
    devices: Devices,
}

#[derive(Debug)]
struct SourceMemory {
    name: SourceName,
    window: AcceptWindow,
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
    decoded: Decoded,
}

impl Processor {
    /// Starts with a snapshot.
    #[must_use]
    pub fn new(limits: Limits, snapshot: Arc<Snapshot>) -> Self {
        let matcher = Matcher::compile(&snapshot.routes);
        let line = |route: &bakau_registry::Route| Line {
            decoder: Decoder::compile(&route.format),
            devices: Devices::of(route),
        };
        let lines = snapshot.routes.iter().map(line).collect();
        Self { limits, snapshot, matcher, lines, sources: Vec::new(), decoded: Decoded::default() }
    }

    /// Changes to another snapshot; does nothing when it is the same one.
    pub fn use_snapshot(&mut self, snapshot: &Arc<Snapshot>) {
        if !Arc::ptr_eq(&self.snapshot, snapshot) {
            *self = Self::new(self.limits.clone(), Arc::clone(snapshot));
        }
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
        if let Err(error) = decoder.decode(&envelope.payload, &mut self.decoded) {
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
        let processed = sender.identify(&self.decoded, clock, &mut owners, findings);
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
                self.sources.push(SourceMemory { name: envelope.source.clone(), window, topics: HashMap::new() });
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
                TimeZone::get(of_route.or_else(of_source).map_or(DEFAULT_TIME_ZONE, String::as_str)).ok()
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
