//! Bakau itself.

use bakau_model::{MessageLedger, ReadingLedger, UtcMillis};

use super::Frame;

/// How a source of messages is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// Not there yet, or again.
    Connecting,
    /// Messages can arrive.
    Connected,
    /// Messages wait outside because of this.
    Blocked(String),
    /// Ended with the process.
    Stopped,
}

/// What kind of source it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// The broker inside Bakau.
    Broker,
    /// A connection to another broker.
    Client,
}

/// A source on the status page.
#[derive(Debug, Clone)]
pub struct SourceRow {
    /// Configured name.
    pub name: String,
    /// Kind.
    pub kind: SourceKind,
    /// How it is doing.
    pub state: SourceState,
    /// In that state since.
    pub since: UtcMillis,
    /// Newest message of any outcome.
    pub last_message_at: Option<UtcMillis>,
    /// Messages received since start.
    pub received: u64,
}

/// One thing that must work for Bakau to be ready.
#[derive(Debug, Clone)]
pub struct CheckRow {
    /// Name, in the page's language.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// More, in the page's language; empty when there is nothing to say.
    pub detail: String,
}

/// How full the spool is and how far its consumers are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpoolStatus {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes allowed for data not yet consumed.
    pub max_bytes: u64,
    /// Messages not yet consumed.
    pub unconsumed_messages: u64,
    /// Batches the store has still to write.
    pub store_behind: u64,
    /// Batches the rules have still to see.
    pub alerts_behind: u64,
}

/// The page about Bakau itself (`/status`).
#[derive(Debug, Clone)]
pub struct StatusView {
    /// Around the content.
    pub frame: Frame,
    /// Whether every check works.
    pub ready: bool,
    /// The checks of `/readyz`.
    pub checks: Vec<CheckRow>,
    /// Sources.
    pub sources: Vec<SourceRow>,
    /// Spool and lags.
    pub spool: SpoolStatus,
    /// The ledgers cover receptions from here...
    pub ledger_from: UtcMillis,
    /// ...to before here.
    pub ledger_to: UtcMillis,
    /// Where messages went.
    pub messages: MessageLedger,
    /// Where readings went.
    pub readings: ReadingLedger,
}
