//! Route, decode and identify in one pure step: what becomes of a message.
//!
//! Everything that depends only on source and topic is worked out once and remembered, so that a known topic costs one
//! lookup. A new registry revision forgets all of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_model::{Envelope, Observation, QuarantineReason, SourceName, StationStatus};
use bakau_registry::Snapshot;
use bakau_spool::QuarantineDraft;

use crate::{
    decode::{Decoded, Decoder, DeviceTime, ReadingSet},
    identify::{self, AcceptWindow, Resolved, Stamp},
    route::Matcher,
};

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
    slots: Vec<Resolved>,
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
    decoders: Vec<Decoder>,
    sources: Vec<SourceMemory>,
    decoded: Decoded,
}

impl Processor {
    /// Starts with a snapshot.
    #[must_use]
    pub fn new(limits: Limits, snapshot: Arc<Snapshot>) -> Self {
        let matcher = Matcher::compile(&snapshot.routes);
        let decoders = snapshot.routes.iter().map(|route| Decoder::compile(&route.format)).collect();
        Self { limits, snapshot, matcher, decoders, sources: Vec::new(), decoded: Decoded::default() }
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
        let Some(decoder) = self.decoders.get_mut(known.route) else {
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
        let timeless = self.decoded.sets.iter().any(|set| set.time == DeviceTime::Absent);
        if timeless && let Some(outcome) = ignored(envelope, spooled_before) {
            self.decoded.sets.retain(|set| set.time != DeviceTime::Absent);
            if self.decoded.sets.is_empty() {
                return Processed::without_readings(outcome);
            }
        }
        let message = Message { index, envelope, slots: &known.slots, window: source.window };
        let processed = message.identify(&self.decoded, findings);
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
        {
            let slots = self.decoders.get(routed.route).map_or(&[][..], Decoder::slots);
            let slots = identify::resolve(&self.snapshot, slots, routed.station);
            if MAX_TOPICS <= source.topics.len() {
                source.topics.clear();
            }
            source.topics.insert(Arc::clone(&envelope.topic), Known { route: routed.route, slots });
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

/// A decoded message on its way through identification.
struct Message<'a> {
    index: u32,
    envelope: &'a Envelope,
    slots: &'a [Resolved],
    window: AcceptWindow,
}

impl Message<'_> {
    fn identify(&self, decoded: &Decoded, findings: &mut Findings) -> Processed {
        let before = findings.observations.len();
        let mut processed = Processed::without_readings(Outcome::Quarantined);
        for set in &decoded.sets {
            let stamp = identify::stamp(&set.time, self.envelope.received_at, self.window);
            processed.readings += set.count as u64;
            processed.quarantined += self.identify_set(decoded, set, &stamp, findings);
        }
        for (place, detail) in &decoded.broken {
            let (reading, reason) = (Some(place.clone()), QuarantineReason::Undecodable);
            findings.quarantine.push(QuarantineDraft { envelope: self.index, reading, reason, detail: detail.clone() });
        }
        if before < findings.observations.len() {
            processed.outcome = Outcome::Decoded;
        }
        processed
    }

    /// Adds the observations and faults of one set; returns how many readings went to quarantine.
    fn identify_set(
        &self,
        decoded: &Decoded,
        set: &ReadingSet,
        stamp: &Result<Stamp, identify::Fault>,
        findings: &mut Findings,
    ) -> u64 {
        let mut quarantined = 0;
        for reading in decoded.readings_of(set) {
            let Some(resolved) = self.slots.get(reading.slot) else { continue };
            let observed = match (&resolved.target, stamp) {
                (Err(fault), _) | (Ok(_), Err(fault)) => Err(fault.clone()),
                (Ok(target), Ok(stamp)) => identify::observe(target, &reading.value, *stamp, self.envelope.received_at),
            };
            match observed {
                Ok(observation) => findings.observations.push((self.index, observation)),
                Err(fault) => {
                    quarantined += 1;
                    findings.quarantine.push(QuarantineDraft {
                        envelope: self.index,
                        reading: Some(resolved.label.clone()),
                        reason: fault.reason,
                        detail: fault.detail,
                    });
                }
            }
        }
        quarantined
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
