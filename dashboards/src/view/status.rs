//! Bakau itself.

use bakau_answers::Status;
use bakau_model::{MessageLedger, ReadingLedger, UtcMillis};

use super::Frame;

/// The page about Bakau itself (`/status`).
#[derive(Debug, Clone)]
pub struct StatusView {
    /// Around the content.
    pub frame: Frame,
    /// How it is doing; agencies in the order in which they are shown.
    pub status: Status,
    /// The ledgers cover receptions from here...
    pub ledger_from: UtcMillis,
    /// ...to before here.
    pub ledger_to: UtcMillis,
    /// Where messages went.
    pub messages: MessageLedger,
    /// Where readings went.
    pub readings: ReadingLedger,
}
