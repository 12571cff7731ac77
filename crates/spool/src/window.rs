//! Recognises repeated deliveries: fingerprints of the last spooled messages.
//!
//! A fingerprint is SipHash-1-3 of (source, topic, payload) under a random key of this process, 64 bits. Nothing of it
//! is stored: after a restart the window is rebuilt from the envelopes in the file. A sender cannot construct a
//! collision without the key; by chance a given delivery meets one of 65,535 others with probability 4e-15.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

use bakau_model::Envelope;

/// How many messages back a repeated delivery is recognised (promise P2): an MQTT session has at most this many
/// unacknowledged packet identifiers, so nothing older can be delivered again with DUP.
pub(crate) const DELIVERY_WINDOW_MESSAGES: usize = 65_535;

/// Fingerprints of exactly the last 65,535 spooled messages.
#[derive(Debug, Clone)]
pub struct DeliveryWindow {
    key: RandomState,
    capacity: usize,
    arrivals: VecDeque<u64>,
    counts: HashMap<u64, u32, BuildHasherDefault<AlreadyHashed>>,
}

impl Default for DeliveryWindow {
    fn default() -> Self {
        Self::with_capacity(DELIVERY_WINDOW_MESSAGES)
    }
}

impl DeliveryWindow {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { key: RandomState::new(), capacity, arrivals: VecDeque::new(), counts: HashMap::default() }
    }

    /// Whether a message with the same source, topic and payload is among the last 65,535 inserted.
    #[must_use]
    pub fn contains(&self, envelope: &Envelope) -> bool {
        self.counts.contains_key(&self.fingerprint(envelope))
    }

    /// Remembers a spooled message and forgets the oldest when there are more than 65,535.
    pub fn insert(&mut self, envelope: &Envelope) {
        self.insert_fingerprint(self.fingerprint(envelope));
    }

    /// How many messages are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    pub(crate) fn fingerprint(&self, envelope: &Envelope) -> u64 {
        let mut hasher = self.key.build_hasher();
        // Lengths first, so that moving a byte from topic to payload changes the input.
        hasher.write_usize(envelope.source.as_str().len());
        hasher.write_usize(envelope.topic.len());
        hasher.write(envelope.source.as_str().as_bytes());
        hasher.write(envelope.topic.as_bytes());
        hasher.write(&envelope.payload);
        hasher.finish()
    }

    pub(crate) fn insert_fingerprint(&mut self, fingerprint: u64) {
        if self.capacity <= self.arrivals.len()
            && let Some(oldest) = self.arrivals.pop_front()
            && let Some(count) = self.counts.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&oldest);
            }
        }
        self.arrivals.push_back(fingerprint);
        *self.counts.entry(fingerprint).or_insert(0) += 1;
    }
}

/// Fingerprints are hashes already; hashing them again would only cost time.
#[derive(Debug, Clone, Copy, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::envelope;

    fn numbered(number: usize) -> Envelope {
        envelope("broker", "topic", &number.to_le_bytes(), 0)
    }

    #[test]
    fn exactly_the_last_65_535_messages_are_remembered() {
        let mut window = DeliveryWindow::default();
        (0..=65_535).for_each(|number| window.insert(&numbered(number)));
        assert!(!window.contains(&numbered(0)));
        assert!((1..=65_535).all(|number| window.contains(&numbered(number))));
        assert_eq!((window.len(), window.counts.len()), (65_535, 65_535));
    }

    #[test]
    fn a_message_spooled_twice_is_remembered_until_its_second_copy_leaves() {
        let mut window = DeliveryWindow::with_capacity(3);
        [0, 0, 1, 2].into_iter().for_each(|number| window.insert(&numbered(number)));
        assert!(window.contains(&numbered(0)));
        window.insert(&numbered(3));
        assert!(!window.contains(&numbered(0)));
    }

    #[test]
    fn source_topic_and_payload_all_count_and_do_not_run_together() {
        let mut window = DeliveryWindow::default();
        window.insert(&envelope("a", "bc", b"d", 1));
        assert!(window.contains(&envelope("a", "bc", b"d", 99)), "the time of arrival does not count");
        for other in [("b", "bc", b"d"), ("a", "bd", b"d"), ("a", "bc", b"e")] {
            assert!(!window.contains(&envelope(other.0, other.1, other.2, 1)));
        }
        assert!(!window.contains(&envelope("a", "b", b"cd", 1)) && !window.contains(&envelope("ab", "c", b"d", 1)));
    }
}
