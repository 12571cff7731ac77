//! Where messages come in.

use bakau_model::{BlockedReason, SourceKind, SourceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Time, told};

/// Every source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceList {
    /// By name.
    pub sources: Vec<Source>,
}

/// A source of messages and how it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Its configured name.
    pub name: SourceName,
    /// The broker inside Bakau, or a client of another one.
    pub kind: SourceKind,
    /// What it is doing.
    pub state: SourceState,
    /// Why it is blocked.
    #[schema(required)]
    pub reason: Option<BlockedReason>,
    /// In that state since.
    pub since: Time,
    /// When its newest message arrived, whatever became of it.
    #[schema(required)]
    pub last_message_at: Option<Time>,
    /// The same in the zone of the platform.
    #[schema(required, format = DateTime)]
    pub last_message_at_local: Option<String>,
    /// Messages since the start, whatever became of them.
    pub messages: u64,
    /// Connections opened since the start.
    pub connections: u64,
    /// What an external broker lost, apart from what Bakau counts itself; null for the broker inside Bakau.
    #[schema(required)]
    pub external: Option<ExternalBroker>,
    /// What went wrong last, in words that may name machines; with the admin token only.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "told")]
    #[schema(value_type = Option<String>)]
    pub problem: Option<Option<String>>,
}

/// What a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Trying to reach its broker, or to open its port.
    Connecting,
    /// Messages can arrive.
    Connected,
    /// Reachable, but taking no messages, or not all of them.
    Blocked,
    /// Ended on purpose.
    Stopped,
}

/// What an external broker lost, as far as it can be seen from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExternalBroker {
    /// Whether the broker tells its counters; without them, `lost_in_broker` and `restarts` say nothing.
    pub counters: bool,
    /// Messages it lost by its own counters.
    pub lost_in_broker: u64,
    /// When last.
    #[schema(required)]
    pub last_lost_at: Option<Time>,
    /// The same in the zone of the platform.
    #[schema(required, format = DateTime)]
    pub last_lost_at_local: Option<String>,
    /// Messages it holds for Bakau at present.
    #[schema(required)]
    pub holds: Option<u64>,
    /// Restarts seen.
    pub restarts: u64,
    /// When last.
    #[schema(required)]
    pub last_restart_at: Option<Time>,
    /// Sessions it lost.
    pub sessions_lost: u64,
    /// When last.
    #[schema(required)]
    pub last_session_lost_at: Option<Time>,
    /// How often another client took the session over (MQTT 5).
    pub takeovers: u64,
    /// When last.
    #[schema(required)]
    pub last_takeover_at: Option<Time>,
    /// Sessions lost or taken over at a cost in messages that nobody knows.
    pub uncounted_losses: u64,
    /// When last.
    #[schema(required)]
    pub last_uncounted_loss_at: Option<Time>,
}
