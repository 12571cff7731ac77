//! Where messages and readings went.

use bakau_model::{MessageLedger, QuarantineReason, ReadingLedger, SourceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Where every message and every reading went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// The first minute.
    pub from: Time,
    /// The end, exclusive.
    pub to: Time,
    /// Whether nothing was written while it was read; only then must every line balance.
    pub consistent: bool,
    /// Whether nothing is missing.
    pub balanced: bool,
    /// Where messages went, in all lines.
    pub messages: MessageLedger,
    /// Where readings went, in all lines.
    pub readings: ReadingLedger,
    /// By minute and source.
    pub lines: Vec<LedgerLine>,
}

/// One minute of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerLine {
    /// The minute in which messages were received.
    pub minute: Time,
    /// The source.
    pub source: SourceName,
    /// Where messages went.
    pub messages: MessageLedger,
    /// Whether every message has exactly one outcome.
    pub messages_balanced: bool,
    /// Where readings went.
    pub readings: ReadingLedger,
    /// Whether every reading has exactly one outcome.
    pub readings_balanced: bool,
}

/// A page of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineList {
    /// The newest first.
    pub quarantine: Vec<QuarantineRow>,
    /// Address of the next page, also in the Link header; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// What arrived and could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineRow {
    /// Its number, rising.
    pub id: u64,
    /// When the message arrived.
    pub received_at: Time,
    /// Where it came from.
    pub source: SourceName,
    /// Its topic.
    pub topic: String,
    /// Datastream or path, as far as it is known; null for the whole message.
    #[schema(required)]
    pub reading: Option<String>,
    /// Why.
    pub reason: QuarantineReason,
    /// What exactly.
    pub detail: String,
    /// Bytes of the payload.
    #[schema(minimum = 0)]
    pub payload_bytes: usize,
    /// The payload in Base64; in a list its beginning.
    pub payload_base64: String,
    /// Whether that is all of it.
    pub payload_complete: bool,
    /// Its beginning as text, as far as it is.
    pub payload_text: String,
}
