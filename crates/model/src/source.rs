//! Kinds of sources, and why a source may be blocked.

use serde::{Deserialize, Serialize};

crate::words! {
    /// Kind of a source.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum SourceKind {
        /// A connection to an external broker.
        Client => "client",
        /// The embedded broker.
        Broker => "broker",
    }
}

crate::words! {
    /// Why a source takes no messages although it could reach its broker.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum BlockedReason {
        /// The spool reached its bound.
        SpoolFull => "spool_full",
        /// The spool could not be written.
        SpoolFailed => "spool_failed",
        /// The broker holds a message above the packet limit of this source; nothing behind it comes through.
        OversizedMessage => "oversized_message",
        /// The broker refused the credentials, the client id or the subscription.
        Refused => "refused",
        /// The broker's certificate is not one this source trusts, or the broker does not accept ours.
        Tls => "tls",
        /// Another client seems to use the client id of this source: the broker ended its connections again and again, and the
        /// present one has not lasted yet.
        Contested => "contested",
    }
}
