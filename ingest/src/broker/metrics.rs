//! Prometheus metrics of the embedded broker.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use crate::metrics::registered;

static CONNECTIONS: LazyLock<Option<IntGauge>> =
    LazyLock::new(|| registered(IntGauge::new("bakau_broker_connections", "Open connections of the embedded broker")));

static REFUSED: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let opts =
        Opts::new("bakau_broker_refused_total", "Connections and messages the embedded broker refused, by reason");
    registered(IntCounterVec::new(opts, &["reason"]))
});

static TAKEOVERS: LazyLock<Option<IntCounter>> = LazyLock::new(|| {
    registered(IntCounter::new(
        "bakau_broker_takeovers_total",
        "Connections pushed out by another one with their client id",
    ))
});

pub(super) fn connections(open: usize) {
    if let Some(metric) = CONNECTIONS.as_ref() {
        metric.set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}

pub(super) fn refused(reason: &'static str) {
    if let Some(metric) = REFUSED.as_ref() {
        metric.with_label_values(&[reason]).inc();
    }
}

pub(super) fn takeover() {
    if let Some(metric) = TAKEOVERS.as_ref() {
        metric.inc();
    }
}
