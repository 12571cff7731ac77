//! What tells how Bakau itself is doing.

use super::{
    super::schema::{about, boolean, count, list, map, named, nullable, object, text, time},
    Named, next,
};

pub(super) fn operation() -> Named {
    let quarantine = object([
        ("id", count()),
        ("received_at", time()),
        ("source", text()),
        ("topic", text()),
        ("reading", nullable(text())),
        ("reason", text()),
        ("detail", text()),
        ("payload_bytes", count()),
        ("payload_base64", text()),
        ("payload_complete", boolean()),
        ("payload_text", text()),
    ]);
    let line = object([
        ("minute", time()),
        ("source", text()),
        ("messages", map(&count())),
        ("messages_balanced", boolean()),
        ("readings", map(&count())),
        ("readings_balanced", boolean()),
    ]);
    let ledger = object([
        ("from", time()),
        ("to", time()),
        ("consistent", about(boolean(), "nothing was written while it was read")),
        ("balanced", about(boolean(), "nothing is missing")),
        ("messages", map(&count())),
        ("readings", map(&count())),
        ("lines", list(&line)),
    ]);
    vec![
        ("QuarantineRow", quarantine),
        ("QuarantineList", object([("quarantine", list(&named("QuarantineRow"))), ("next", next())])),
        ("Ledger", ledger),
    ]
}
