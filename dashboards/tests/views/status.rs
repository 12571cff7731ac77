//! A status with something of everything, as the API tells it.

use bakau_answers::Status;
use bakau_model::UtcMillis;
use serde_json::{Value, json};

/// The status at an instant: not ready, a source that is blocked, another that lost what nobody counted.
pub(crate) fn at(now: UtcMillis) -> Status {
    let at = now.to_string();
    let earlier = |by_s: i64| now.saturating_add(-by_s * 1_000).to_string();
    let losses = |counters: bool, lost: u64, unknown: u64, takeovers: u64| {
        let at = |count: u64| (count != 0).then_some(&at);
        json!({
            "counters": counters, "lost_in_broker": lost, "last_lost_at": at(lost), "last_lost_at_local": at(lost),
            "holds": null, "restarts": 0, "last_restart_at": null, "sessions_lost": unknown,
            "last_session_lost_at": at(unknown), "takeovers": takeovers, "last_takeover_at": at(takeovers),
            "uncounted_losses": unknown, "last_uncounted_loss_at": at(unknown),
        })
    };
    let source = |name: &str, kind: &str, state: &str, reason: Option<&str>, external: Value| {
        json!({
            "name": name, "kind": kind, "state": state, "reason": reason, "since": at, "last_message_at": null,
            "last_message_at_local": null, "messages": 12_345, "connections": 1, "external": external,
        })
    };
    let status = json!({
        "now": at, "now_local": at, "version": "0.1.0", "ready": false,
        "checks": [{ "check": "spool", "name": "Spool", "ok": false, "reasons": ["penuh"] }],
        "spool": { "unconsumed_bytes": 1_000_000, "unconsumed_messages": 0, "max_bytes": 2_000_000, "disk_free_bytes": null },
        "store": {
            "behind_batches": 3, "lag_ms": 72_000, "kind": "influx", "last_write_at": earlier(72),
            "last_write_at_local": earlier(72), "last_error": null,
        },
        "alerts": { "behind_batches": 1, "lag_ms": null, "active": 0, "level": "normal" },
        "outbox": {
            "has_recipients": true, "waiting": 3, "retrying": 2, "failed": 1, "oldest_at": earlier(3_600), "oldest_age_s": 3_600,
            "channels": [{
                "channel": "mail", "retrying": 2, "failed": 1, "last_attempt_at": at, "last_attempt_at_local": at,
                "fault": "answered", "code": 550,
            }],
        },
        "sources": [
            source("broker", "broker", "connected", None, Value::Null),
            source("kota", "client", "blocked", Some("tls"), losses(true, 40, 0, 0)),
            source("lama", "client", "connecting", None, losses(false, 0, 2, 1)),
        ],
        "agencies": [{
            "id": "dlh", "name": { "id": "DLH Probolinggo", "en": "DLH Probolinggo" }, "stations": 4,
            "stations_reporting": 3, "datastreams": 20, "datastreams_current": 15,
            "last_24h": {
                "from": earlier(86_400), "from_local": earlier(86_400), "to": at, "to_local": at, "observed": 1,
                "expected": 1, "completeness": 0.9959,
            },
        }],
        "registry_revision": 12,
    });
    serde_json::from_value(status).unwrap()
}
