//! Bakau itself.

use bakau_model::{AgencyId, MessageLedger, ReadingLedger, UtcMillis};

use super::{Frame, Named};

/// Why messages wait outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockedReason {
    /// The spool reached its bound.
    SpoolFull,
    /// The spool cannot be written.
    SpoolFailed,
    /// The broker holds a message above the limit of this source.
    OversizedMessage,
    /// The broker refused login, client id or subscription.
    Refused,
    /// One of the two certificates is not trusted.
    Tls,
    /// Somebody else seems to use the client id of this source.
    Contested,
}

/// How a source of messages is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Not there yet, or again.
    Connecting,
    /// Messages can arrive.
    Connected,
    /// Messages wait outside because of this.
    Blocked(BlockedReason),
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
    /// What went wrong last, for an administrator; never filled for the public.
    pub problem: Option<String>,
    /// What ended inside an external broker; `None` for the one inside Bakau, which acknowledges only what is stored.
    pub losses: Option<BrokerLosses>,
}

/// What an external broker lost, as far as it can be seen from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerLosses {
    /// Whether the broker tells its counters; without, `dropped` and `restarts` say nothing.
    pub counters: bool,
    /// Messages it lost by its own counters, and when last.
    pub dropped: (u64, Option<UtcMillis>),
    /// Restarts seen, and the last.
    pub restarts: (u64, Option<UtcMillis>),
    /// Sessions it lost, and when last.
    pub sessions: (u64, Option<UtcMillis>),
    /// Times another client took the session over, and the last.
    pub takeovers: (u64, Option<UtcMillis>),
    /// Losses of which nobody knows how many messages they cost, and the last.
    pub uncounted: (u64, Option<UtcMillis>),
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

/// How full the spool and its disk are.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpoolStatus {
    /// Bytes not yet consumed.
    pub bytes: u64,
    /// Bytes allowed for data not yet consumed; 0 where there is no bound.
    pub max_bytes: u64,
    /// Messages not yet consumed.
    pub unconsumed_messages: u64,
    /// Bytes free on its disk; `None` where the file system cannot tell.
    pub disk_free: Option<u64>,
}

/// How far somebody is behind the spool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    /// Batches still to take.
    pub batches: u64,
    /// How long the oldest of them has waited; `None` where that cannot be read.
    pub waited_ms: Option<i64>,
}

/// Notices that nobody has yet.
#[derive(Debug, Clone, Default)]
pub struct NoticesStatus {
    /// How many wait.
    pub waiting: u64,
    /// How many of them were tried in vain.
    pub retrying: u64,
    /// How many were ever given up.
    pub failed: u64,
    /// Since when the oldest one waits.
    pub oldest_at: Option<UtcMillis>,
    /// Channels with faults lately.
    pub channels: Vec<ChannelRow>,
}

/// Why a channel did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    /// Nobody answered.
    NoAnswer,
    /// The receiver answered with this code.
    Answered(u16),
    /// It cannot work as it is configured.
    NotConfigured,
}

/// A channel that did not deliver lately.
#[derive(Debug, Clone)]
pub struct ChannelRow {
    /// Its name in the registry.
    pub channel: String,
    /// Notices that are tried again.
    pub retrying: u64,
    /// Notices that were given up.
    pub failed: u64,
    /// Newest attempt.
    pub last_attempt_at: UtcMillis,
    /// What it met.
    pub fault: DeliveryFault,
    /// The receiver's own words, for an administrator; never filled for the public.
    pub detail: Option<String>,
}

/// How much of an agency's data is there.
#[derive(Debug, Clone)]
pub struct AgencyRow {
    /// The agency.
    pub agency: Named<AgencyId>,
    /// Its stations.
    pub stations: u32,
    /// Those that report.
    pub reporting: u32,
    /// Values its stations measure.
    pub datastreams: u32,
    /// Those with a current value.
    pub current: u32,
    /// How much of what was expected in the last 24 hours is there, 0 to 1; `None` where that is not known.
    pub last_day: Option<f64>,
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
    /// The spool; `None` where it cannot be read.
    pub spool: Option<SpoolStatus>,
    /// How far the store is behind.
    pub store: Lag,
    /// Whether the store is InfluxDB and not Bakau's own.
    pub is_influx: bool,
    /// When the store last took something; `None` before the first time.
    pub last_write: Option<UtcMillis>,
    /// How far the rules are behind.
    pub alerts: Lag,
    /// Notices; `None` where they cannot be read.
    pub notices: Option<NoticesStatus>,
    /// Readiness by agency, the least ready first.
    pub agencies: Vec<AgencyRow>,
    /// The ledgers cover receptions from here...
    pub ledger_from: UtcMillis,
    /// ...to before here.
    pub ledger_to: UtcMillis,
    /// Where messages went.
    pub messages: MessageLedger,
    /// Where readings went.
    pub readings: ReadingLedger,
}
