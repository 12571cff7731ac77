//! Where messages come in, and why one of those places may take none.

use serde::{Deserialize, Serialize};

/// What kind of source it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A connection to an external broker.
    Client,
    /// The embedded broker.
    Broker,
}

/// Why a source takes no messages although it could reach its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BlockedReason {
    /// The spool reached its bound.
    SpoolFull,
    /// The spool could not be written.
    SpoolFailed,
    /// The broker holds a message above the packet limit of this source; nothing behind it comes through.
    OversizedMessage,
    /// The broker refused the credentials, the client id or the subscription.
    Refused,
    /// The broker's certificate is not one this source trusts, or the broker does not accept ours.
    Tls,
    /// Another client seems to use the client id of this source: the broker ended its connections again and again, and the
    /// present one has not lasted yet.
    Contested,
}

impl BlockedReason {
    /// The stable key used in the API and in message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
            Self::OversizedMessage => "oversized_message",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Contested => "contested",
        }
    }
}
