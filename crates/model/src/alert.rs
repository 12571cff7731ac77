//! What alerts and their notifications are called wherever they are spoken of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hex;

/// A text that is no alert id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not an alert id: it is 32 characters of 0-9 and a-f")]
pub struct InvalidAlertId {
    given: String,
}

/// Identity of an alert: the first 128 bits of SHA-256 over rule, subject and onset, written as 32 hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
pub struct AlertId([u8; 16]);

impl AlertId {
    /// The id of such a hash.
    #[must_use]
    pub const fn new(hash: [u8; 16]) -> Self {
        Self(hash)
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

crate::words! {
    /// Kind of condition of a rule, and so of the alerts that it raises.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum ConditionKind {
        /// A value crossed a threshold: the environment.
        Threshold => "threshold",
        /// Nothing comes from a station or a datastream.
        NoData => "no_data",
        /// A source brings no messages.
        SourceDown => "source_down",
        /// The store takes no data.
        StoreDown => "store_down",
    }
}

impl ConditionKind {
    /// Whether other alerts can stand for those of this kind.
    #[must_use]
    pub const fn can_be_inhibited(self) -> bool {
        match self {
            Self::NoData => true,
            Self::Threshold | Self::SourceDown | Self::StoreDown => false,
        }
    }

    /// Whether it says something about the equipment and nothing about the environment.
    #[must_use]
    pub const fn is_technical(self) -> bool {
        match self {
            Self::Threshold => false,
            Self::NoData | Self::SourceDown | Self::StoreDown => true,
        }
    }
}

crate::words! {
    /// Where one notification stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum NotificationState {
        /// Still to be sent, or to be tried again.
        Pending = 0 => "pending",
        /// The receiver took it.
        Sent = 1 => "sent",
        /// Given up after the last attempt, or refused for good.
        Failed = 2 => "failed",
        /// Not sent on purpose, such as under a mute.
        Cancelled = 3 => "cancelled",
    }
}

crate::words! {
    /// Why a notification is sent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum NotificationKind {
        /// The level changed.
        Transition => "transition",
        /// The alert is still open and nobody has acknowledged the level that it has.
        Reminder => "reminder",
        /// Somebody else could not be reached.
        Escalation => "escalation",
    }
}

crate::words! {
    /// What came of one attempt to deliver a notification.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum DeliveryVerdict {
        /// The receiver has it.
        Sent => "sent",
        /// It is tried again.
        Retry => "retry",
        /// It was given up.
        Failed => "failed",
        /// The channel cannot work as it is configured; it is tried again now and then.
        NotConfigured => "not_configured",
    }
}

crate::words! {
    /// Why a level changed, or what is known about it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum TransitionReason {
        /// An observation crossed a threshold of the rule.
        Threshold => "threshold",
        /// Suspect values say that the level no longer holds: it stands, and cannot be confirmed.
        Unconfirmed => "unconfirmed",
        /// A good value has confirmed a level that could not be confirmed.
        Confirmed => "confirmed",
        /// Nothing has ever been received, although it has been expected for too long.
        NeverReported => "never_reported",
        /// Nothing has been received for too long.
        NoData => "no_data",
        /// The station said that it is offline, or its broker said it in its name.
        Offline => "offline",
        /// The source has been without connection, or has taken no messages, for too long.
        SourceDown => "source_down",
        /// The store has taken no data for too long.
        StoreDown => "store_down",
        /// Data comes again, or what was down is back.
        Returned => "returned",
        /// The rule's figures or what it watches changed.
        RuleChanged => "rule_changed",
        /// The rule is no longer registered.
        RuleRemoved => "rule_removed",
        /// The engine's memory of the alert was damaged on disk; the rule starts anew.
        StateLost => "state_lost",
    }
}

impl TransitionReason {
    /// Of news about an alert whose level stands: whether a good value confirms it, or suspect ones speak against it. `None`
    /// of what decides a level.
    #[must_use]
    pub const fn confirms(self) -> Option<bool> {
        match self {
            Self::Unconfirmed => Some(false),
            Self::Confirmed => Some(true),
            Self::Threshold
            | Self::NeverReported
            | Self::NoData
            | Self::Offline
            | Self::SourceDown
            | Self::StoreDown
            | Self::Returned
            | Self::RuleChanged
            | Self::RuleRemoved
            | Self::StateLost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_refused_with_the_expected_form() {
        for bad in ["", "xyz", "+0000000000000000000000000000000", "0123456789ABCDEF0123456789abcdef"] {
            assert!(bad.parse::<AlertId>().unwrap_err().to_string().contains("32 characters"), "{bad}");
        }
    }
}
