//! Copies of radio frames: two gateways receive one frame, and a device repeats it until it is acknowledged. Most copies
//! end at the network server; those that come through carry another time, and would count twice.
//!
//! A copy has the device, the session, the counter and the content of a frame that was taken. That is not enough: a device
//! that cannot remember its counter sends the same one with the same reading again and again, and each is a measurement. So
//! a frame is a copy only within [`RETRY_MS`], or within [`LATE_MS`] where the counter shows that it counts: see
//! [`Frames::is_repeated`]. Nothing of this is stored; after a restart it is rebuilt from what was spooled.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use bakau_model::{DAY_MS, DatastreamId, MINUTE_MS, Observation, UtcMillis};

use crate::decode::{Decoded, PayloadTime, RawValue};

/// Frames remembered of a device.
const FRAMES_PER_DEVICE: usize = 16;

/// Devices remembered: 50 times what one network server of a city has, at most 15 MB.
const MAX_DEVICES: usize = 16_384;

/// How long a device repeats a frame that nobody acknowledged, and how late a second gateway is.
const RETRY_MS: i64 = 2 * MINUTE_MS;

/// How late a copy may be that a gateway kept while its network was away.
const LATE_MS: i64 = DAY_MS;

/// A frame of a device of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Hash of the ids of its device.
    device: u64,
    session: u64,
    counter: u64,
    content: u64,
    /// Datastream of its first reading, so that nobody can suppress frames of a station he may not publish for.
    datastream: DatastreamId,
    /// Time of the network server, else of arrival.
    at: UtcMillis,
}

impl Frame {
    /// The frame of a message of which `first` is an observation; `None` where the format has none.
    pub(crate) fn of(decoded: &Decoded, first: &Observation) -> Option<Self> {
        let id = decoded.frame?;
        let set = decoded.sets.first()?;
        let mut device = DefaultHasher::new();
        for id in &*set.devices {
            id.to_ascii_lowercase().hash(&mut device);
        }
        let at = match set.time {
            PayloadTime::Network(at) => at,
            PayloadTime::Absent
            | PayloadTime::Device(_)
            | PayloadTime::Local(_)
            | PayloadTime::Relative(_)
            | PayloadTime::Invalid(_) => first.received_at,
        };
        Some(Self {
            device: device.finish(),
            session: id.session,
            counter: id.counter,
            content: id.content.unwrap_or_else(|| content_of(decoded)),
            datastream: first.datastream,
            at,
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        let Self { device, session, counter, content, datastream, at: _ } = *self;
        (device, session, counter) == (other.device, other.session, other.counter)
            && (content, datastream) == (other.content, other.datastream)
    }
}

/// What was decoded, where the network does not pass on what the device sent.
fn content_of(decoded: &Decoded) -> u64 {
    let mut content = DefaultHasher::new();
    for set in &decoded.sets {
        if let PayloadTime::Device(at) = set.time {
            at.get().hash(&mut content);
        }
    }
    for reading in &decoded.readings {
        reading.slot.hash(&mut content);
        match &reading.value {
            RawValue::Number(number) => number.to_bits().hash(&mut content),
            RawValue::Null => 0_u8.hash(&mut content),
            RawValue::NotANumber(text) | RawValue::OtherUnit(text) => text.hash(&mut content),
        }
    }
    content.finish()
}

/// The last frames of each device.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    devices: HashMap<u64, VecDeque<Frame>>,
    /// Devices that got a frame since the last [`Self::keep`], each with the frame that left for it.
    added: Vec<(u64, Option<Frame>)>,
}

impl Frames {
    /// Whether this is another copy of a frame that was taken.
    ///
    /// Within two minutes every equal frame is. Within a day it is one if no frame of its session since then has a counter
    /// as low: the device has not begun anew. And it must have counted before: either to a counter that a device which
    /// begins anew reaches only after the frame has left this memory, or from a lower one directly to the newest.
    pub(crate) fn is_repeated(&self, frame: &Frame) -> bool {
        let Some(known) = self.devices.get(&frame.device) else { return false };
        known.iter().enumerate().any(|(place, old)| {
            let apart = old.at.since(frame.at).saturating_abs();
            old.is_like(frame) && (apart <= RETRY_MS || (apart <= LATE_MS && counts_on(known, place, old)))
        })
    }

    /// Remembers a frame that was taken, until [`Self::undo`].
    pub(crate) fn add(&mut self, frame: Frame) {
        let known = self.devices.entry(frame.device).or_default();
        let oldest = if FRAMES_PER_DEVICE <= known.len() { known.pop_front() } else { None };
        known.push_back(frame);
        self.added.push((frame.device, oldest));
    }

    /// What was added is durable.
    pub(crate) fn keep(&mut self) {
        let newest = |frames: &VecDeque<Frame>| frames.back().map_or(i64::MIN, |frame| frame.at.get());
        if MAX_DEVICES < self.devices.len() {
            let last = self.added.last().and_then(|(device, _)| self.devices.get(device)).map_or(i64::MIN, newest);
            self.devices.retain(|_, frames| last.saturating_sub(LATE_MS) <= newest(frames));
        }
        if MAX_DEVICES < self.devices.len() {
            self.devices.clear();
        }
        self.added.clear();
    }

    /// What was added since the last [`Self::keep`] was not taken after all.
    pub(crate) fn undo(&mut self) {
        while let Some((device, oldest)) = self.added.pop() {
            let Some(known) = self.devices.get_mut(&device) else { continue };
            known.pop_back();
            if let Some(oldest) = oldest {
                known.push_front(oldest);
            }
        }
    }
}

/// Whether the counter of a known frame was counted to, and was passed by every later frame of its session.
fn counts_on(known: &VecDeque<Frame>, place: usize, old: &Frame) -> bool {
    let in_session = |frame: &&Frame| frame.session == old.session;
    let mut later = known.iter().skip(place + 1).filter(in_session).peekable();
    if later.peek().is_some() {
        return FRAMES_PER_DEVICE as u64 <= old.counter && later.all(|frame| old.counter < frame.counter);
    }
    match known.iter().take(place).rfind(in_session) {
        Some(before) => before.counter < old.counter,
        None => 1 < old.counter,
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
