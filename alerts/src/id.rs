//! Identity of an alert: a hash, so that the live engine and the settled history name the same episode alike.

use std::{fmt, str::FromStr};

use bakau_model::{RuleId, UtcMillis, hex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::engine::Subject;

/// A text that is no alert id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not an alert id: it is 32 characters of 0-9 and a-f")]
pub struct InvalidAlertId {
    given: String,
}

/// The first 128 bits of SHA-256 over rule, subject and onset; written as 32 hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertId([u8; 16]);

impl AlertId {
    /// The id of the episode of `rule` on `subject` that began at `onset`.
    #[must_use]
    pub fn of(rule: &RuleId, subject: &Subject, onset: UtcMillis) -> Self {
        let mut hash = Sha256::new();
        hash.update(match subject {
            Subject::Datastream(_) => b"bakau alert 1\0".as_slice(),
            Subject::Station(_) => b"bakau station alert 1\0",
            Subject::Source(_) => b"bakau source alert 1\0",
        });
        hash.update(rule.as_str().as_bytes());
        // Text ids never hold a zero byte, so no two (rule, subject, onset) give the same input.
        hash.update([0]);
        match subject {
            Subject::Datastream(number) => hash.update(number.get().to_be_bytes()),
            Subject::Station(station) => hash.update(station.as_str().as_bytes()),
            Subject::Source(source) => hash.update(source.as_str().as_bytes()),
        }
        hash.update(onset.get().to_be_bytes());
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The bytes as stored.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id of stored bytes; `None` when there are not 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for AlertId {
    type Err = InvalidAlertId;
    fn from_str(text: &str) -> Result<Self, InvalidAlertId> {
        let invalid = || InvalidAlertId { given: text.chars().take(60).collect() };
        // One text for one alert: capitals would be another.
        let lowercase = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        hex::decode(text).filter(|_| lowercase).map(Self).ok_or_else(invalid)
    }
}

impl Serialize for AlertId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for AlertId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::{DatastreamId, SourceName, StationId};

    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_text_and_depends_on_every_part() {
        let rule = RuleId::new("do-low").unwrap();
        let seven = Subject::Datastream(DatastreamId::new(7));
        let at = UtcMillis::new(1_000);
        let id = AlertId::of(&rule, &seven, at);
        assert_eq!(id.to_string().parse::<AlertId>().unwrap(), id);
        assert_ne!(id, AlertId::of(&rule, &Subject::Datastream(DatastreamId::new(8)), at));
        assert_ne!(id, AlertId::of(&rule, &seven, UtcMillis::new(1_001)));
        assert_ne!(id, AlertId::of(&RuleId::new("do-lo").unwrap(), &seven, at));
        let station = Subject::Station(StationId::new("a").unwrap());
        assert_ne!(
            AlertId::of(&rule, &station, at),
            AlertId::of(&rule, &Subject::Source(SourceName::new("a").unwrap()), at)
        );
    }

    #[test]
    fn other_texts_are_refused_with_the_expected_form() {
        for bad in ["", "xyz", "+0000000000000000000000000000000", "0123456789ABCDEF0123456789abcdef"] {
            assert!(bad.parse::<AlertId>().unwrap_err().to_string().contains("32 characters"), "{bad}");
        }
    }
}
