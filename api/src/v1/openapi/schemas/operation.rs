//! What tells how Bakau itself is doing.

use serde_json::Value;

use super::{
    super::schema::{about, boolean, count, extended, list, map, named, nullable, number, object, text, time, words},
    Named, level, local, next,
};

pub(super) fn operation() -> Named {
    let check = object([
        ("check", text()),
        ("name", text()),
        ("ok", boolean()),
        ("reasons", about(list(&text()), "sentences in the reader's language")),
    ]);
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
        ("Readiness", object([("ready", boolean()), ("checks", list(&named("Check")))])),
        ("Check", check),
        ("QuarantineRow", quarantine),
        ("QuarantineList", object([("quarantine", list(&named("QuarantineRow"))), ("next", next())])),
        ("Ledger", ledger),
        ("Source", source()),
        ("SourceList", object([("sources", list(&named("Source")))])),
        ("Status", status()),
    ]
}

fn source() -> Value {
    let external = object([
        ("counters", about(boolean(), "whether the broker tells its counters")),
        ("lost_in_broker", count()),
        ("last_lost_at", nullable(time())),
        ("last_lost_at_local", nullable(local())),
        ("holds", nullable(count())),
        ("restarts", count()),
        ("last_restart_at", nullable(time())),
        ("sessions_lost", count()),
        ("last_session_lost_at", nullable(time())),
        ("takeovers", about(count(), "how often another client took the session over (MQTT 5)")),
        ("last_takeover_at", nullable(time())),
        ("uncounted_losses", about(count(), "sessions lost or taken over at a cost in messages that nobody knows")),
        ("last_uncounted_loss_at", nullable(time())),
    ]);
    object([
        ("name", text()),
        ("kind", words(&["client", "broker"])),
        ("state", words(&["connecting", "connected", "blocked", "stopped"])),
        ("reason", about(nullable(text()), "why it is blocked")),
        ("since", time()),
        ("last_message_at", nullable(time())),
        ("last_message_at_local", nullable(local())),
        ("messages", count()),
        ("connections", count()),
        ("external", about(nullable(external), "what an external broker lost, apart from what Bakau counts itself")),
        ("?problem", about(nullable(text()), "with the admin token only")),
    ])
}

fn status() -> Value {
    let lag = || object([("behind_batches", count()), ("lag_ms", nullable(count()))]);
    let spool = object([
        ("unconsumed_bytes", count()),
        ("unconsumed_messages", count()),
        ("max_bytes", count()),
        ("disk_free_bytes", about(nullable(count()), "of the disk that holds the data; null where it cannot tell")),
    ]);
    let error = object([
        ("key", about(text(), "why, as a word for programs: `unavailable`, `full`, `token`, `bucket`, ...")),
        ("reason", about(text(), "why, and what can be done about it")),
        ("present", about(boolean(), "whether it goes on")),
        ("since", time()),
        ("at", time()),
        ("at_local", local()),
        ("problem", about(nullable(text()), "details; with the admin token only")),
    ]);
    let store = extended(
        lag(),
        [
            ("kind", about(text(), "`embedded` or `influx`")),
            ("last_write_at", nullable(time())),
            ("last_write_at_local", nullable(local())),
            ("last_error", nullable(error)),
        ],
    );
    object([
        ("now", time()),
        ("now_local", local()),
        ("version", text()),
        ("ready", boolean()),
        ("checks", list(&named("Check"))),
        ("spool", nullable(spool)),
        ("store", store),
        ("alerts", extended(lag(), [("active", count()), ("level", level())])),
        ("outbox", nullable(outbox())),
        ("sources", list(&named("Source"))),
        ("agencies", list(&agency())),
        ("registry_revision", count()),
    ])
}

fn agency() -> Value {
    let day = object([
        ("from", about(time(), "the last 24 whole hours")),
        ("from_local", local()),
        ("to", time()),
        ("to_local", local()),
        ("observed", about(count(), "usable values")),
        ("expected", about(count(), "by the declared intervals")),
        (
            "completeness",
            about(nullable(number()), "share of the expected intervals that usable values stand for, 0 to 1"),
        ),
    ]);
    object([
        ("id", text()),
        ("name", named("Text")),
        ("stations", count()),
        ("stations_reporting", count()),
        ("datastreams", count()),
        ("datastreams_current", count()),
        ("last_24h", about(nullable(day), "null while it is not known; counted anew every few minutes when asked for")),
    ])
}

fn outbox() -> Value {
    let channel = object([
        ("channel", text()),
        ("retrying", count()),
        ("failed", count()),
        ("last_attempt_at", time()),
        ("last_attempt_at_local", local()),
        ("fault", about(words(&["no_answer", "answered", "not_configured"]), "what the newest attempt met")),
        ("code", about(nullable(count()), "that the receiver answered with, by its protocol")),
        ("?detail", about(text(), "with the admin token only")),
    ]);
    object([
        ("waiting", about(count(), "notices that nobody has yet")),
        ("retrying", about(count(), "those of them that were tried at least once")),
        ("failed", count()),
        ("oldest_at", nullable(time())),
        ("oldest_age_s", nullable(count())),
        ("channels", about(list(&channel), "channels that did not deliver in the last 24 hours")),
    ])
}
