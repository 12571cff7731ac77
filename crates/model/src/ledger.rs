//! The two ledgers: outcomes of every message and every reading, by minute and source.

use derive_more::AddAssign;
use serde::{Deserialize, Serialize};

use crate::{SourceName, UtcMillis};

/// One line of a ledger: a minute of `received_at` and a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Start of the minute.
    pub minute: UtcMillis,
    /// The source.
    pub source: SourceName,
}

/// Outcomes of messages. Balanced when
/// `received = decoded + quarantined + unrouted + denied + ignored_retained + ignored_duplicate`.
///
/// `received` is counted on arrival, each outcome where it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AddAssign, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageLedger {
    /// Messages that arrived.
    pub received: u64,
    /// Understood; at least one reading went on.
    pub decoded: u64,
    /// Not understood at all: listed in quarantine.
    pub quarantined: u64,
    /// No route matches the topic.
    pub unrouted: u64,
    /// Refused by rights or limits; never spooled.
    pub denied: u64,
    /// Retained deliveries without device time.
    pub ignored_retained: u64,
    /// Repeated deliveries without device time.
    pub ignored_duplicate: u64,
    /// Messages lost in an external broker by its own counters, noticed in this minute: dropped for whichever of its
    /// subscribers, or received while somebody else had Bakau's session. They never reached Bakau, so they are in neither
    /// side of the balance.
    pub lost_in_broker: u64,
}

impl MessageLedger {
    /// Whether every received message has exactly one outcome.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.received
            == self.decoded
                + self.quarantined
                + self.unrouted
                + self.denied
                + self.ignored_retained
                + self.ignored_duplicate
    }
}

/// Outcomes of readings. Balanced when
/// `decoded = stored + duplicate + corrected + ignored_missing + quarantined + waiting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AddAssign, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReadingLedger {
    /// Readings found in decoded messages.
    pub decoded: u64,
    /// Stored under a new key.
    pub stored: u64,
    /// Same key, same value.
    pub duplicate: u64,
    /// Same key, another number, or a number where there was none; the old version is kept as superseded.
    pub corrected: u64,
    /// No value where the key has a number: the number stays.
    pub ignored_missing: u64,
    /// Listed in quarantine.
    pub quarantined: u64,
    /// In the spool, not yet in the store.
    pub waiting: u64,
}

impl ReadingLedger {
    /// Whether every decoded reading has exactly one outcome.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.decoded
            == self.stored + self.duplicate + self.corrected + self.ignored_missing + self.quarantined + self.waiting
    }
}
