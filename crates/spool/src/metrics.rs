//! Counters of the spool in the default registry.

use std::sync::LazyLock;

use prometheus::{IntCounter, register_int_counter};

/// Counters, made at first use.
pub(crate) struct Metrics {
    pub(crate) commits: IntCounter,
    pub(crate) messages: IntCounter,
    pub(crate) bytes: IntCounter,
    pub(crate) full: IntCounter,
    pub(crate) set_aside: IntCounter,
    pub(crate) trimmed: IntCounter,
    pub(crate) raw_bytes: IntCounter,
    pub(crate) raw_failed: IntCounter,
    pub(crate) quarantine_dropped: IntCounter,
}

pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    commits: counter("bakau_spool_commits_total", "Transactions written to the spool."),
    messages: counter("bakau_spool_messages_total", "Messages written to the spool."),
    bytes: counter("bakau_spool_written_bytes_total", "Blob bytes written to the spool."),
    full: counter("bakau_spool_full_total", "Groups refused because the spool was full."),
    set_aside: counter("bakau_spool_set_aside_total", "Damaged blobs met while reading and left out."),
    trimmed: counter("bakau_spool_trimmed_batches_total", "Consumed batches removed."),
    raw_bytes: counter("bakau_spool_raw_bytes_total", "Bytes written to the raw record."),
    raw_failed: counter("bakau_spool_raw_failed_total", "Times the raw record refused batches, which then stay."),
    quarantine_dropped: counter(
        "bakau_spool_quarantine_dropped_total",
        "Oldest quarantined messages removed because quarantine was full.",
    ),
});

#[expect(clippy::expect_used, reason = "the names above are constant, valid and registered once")]
fn counter(name: &str, help: &str) -> IntCounter {
    register_int_counter!(name, help).expect("a valid metric registered once")
}
