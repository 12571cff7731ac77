//! Prometheus metrics of the embedded broker.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use crate::metrics::registered;

static CONNECTIONS: LazyLock<IntGauge> =
    LazyLock::new(|| registered(IntGauge::new("bakau_broker_connections", "Open connections of the embedded broker")));

static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts =
        Opts::new("bakau_broker_refused_total", "Connections and messages the embedded broker refused, by reason");
    registered(IntCounterVec::new(opts, &["reason"]))
});

static TAKEOVERS: LazyLock<IntCounter> = LazyLock::new(|| {
    registered(IntCounter::new(
        "bakau_broker_takeovers_total",
        "Connections pushed out by another one with their client id",
    ))
});

pub(super) fn connections(open: usize) {
    CONNECTIONS.set(i64::try_from(open).unwrap_or(i64::MAX));
}

pub(super) fn refused(reason: &'static str) {
    REFUSED.with_label_values(&[reason]).inc();
}

pub(super) fn takeover() {
    TAKEOVERS.inc();
}
