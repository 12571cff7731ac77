//! Prometheus metrics of this crate.

#![expect(clippy::expect_used, reason = "names and labels are constants; a typing error shows in the first test")]

use std::sync::LazyLock;

use bakau_model::SourceName;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, core::Collector,
    exponential_buckets,
};

/// A metric registered in the default registry; a second registration of the same name keeps this one unregistered.
pub(crate) fn registered<M: Collector + Clone + 'static>(made: prometheus::Result<M>) -> M {
    let metric = made.expect("a constant metric");
    if let Err(error) = prometheus::register(Box::new(metric.clone())) {
        tracing::warn!(%error, "metric not registered");
    }
    metric
}

fn by_source(name: &str, help: &str) -> IntCounterVec {
    registered(IntCounterVec::new(Opts::new(name, help), &["source"]))
}

/// A histogram whose 14 buckets double.
fn doubling(name: &str, help: &str, first: f64) -> Histogram {
    let buckets = exponential_buckets(first, 2.0, 14).expect("constant buckets");
    registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
}

static MESSAGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts = Opts::new("bakau_ingest_messages_total", "Messages made durable, by source and outcome");
    registered(IntCounterVec::new(opts, &["source", "outcome"]))
});

static LOST_IN_BROKER: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Messages lost in an external broker, by its own counters";
    by_source("bakau_source_lost_in_broker_total", help)
});

static BROKER_RESTARTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Restarts of an external broker seen since Bakau started; after a crash it has forgotten messages";
    by_source("bakau_source_broker_restarts_total", help)
});

static SESSIONS_LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Sessions an external broker lost since Bakau started, with everything it had queued in them";
    by_source("bakau_source_sessions_lost_total", help)
});

static TAKEOVERS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Times an external broker said that another client took the session over, since Bakau started";
    by_source("bakau_source_takeovers_total", help)
});

static UNCOUNTED_LOSSES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Sessions lost or taken over that cost a number of messages nobody knows, since Bakau started";
    by_source("bakau_source_uncounted_losses_total", help)
});

static COMMIT_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    doubling("bakau_ingest_commit_seconds", "Time to write one group to the spool, fsync included", 0.000_25)
});

static DURABLE_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let help = "Time from the arrival of the oldest message of a group until the group was durable";
    doubling("bakau_ingest_durable_seconds", help, 0.001)
});

static GROUP_MESSAGES: LazyLock<Histogram> =
    LazyLock::new(|| doubling("bakau_ingest_group_messages", "Messages acknowledged together after one fsync", 1.0));

static BLOCKED: LazyLock<IntGauge> = LazyLock::new(|| {
    registered(IntGauge::new("bakau_ingest_blocked", "1 while nothing is acknowledged because the spool refuses"))
});

static CONNECTED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let opts = Opts::new("bakau_source_connected", "1 while the source receives messages");
    registered(IntGaugeVec::new(opts, &["source"]))
});

static STORE_LAG_BATCHES: LazyLock<IntGauge> =
    LazyLock::new(|| registered(IntGauge::new("bakau_store_lag_batches", "Spool batches not yet in the store")));

static STORE_LAG_SECONDS: LazyLock<Gauge> = LazyLock::new(|| {
    registered(Gauge::new("bakau_store_lag_seconds", "Age of the oldest spooled batch that is not in the store"))
});

static CROWDED_RANGES: LazyLock<IntCounter> = LazyLock::new(|| {
    let help = "Late values judged without their neighbours because there are too many of these";
    registered(IntCounter::new("bakau_quality_crowded_ranges_total", help))
});

/// Late values were judged without their neighbours.
pub(crate) fn crowded_range() {
    CROWDED_RANGES.inc();
}

/// Counts messages of one source with one outcome.
pub(crate) fn messages(source: &SourceName, outcome: &'static str, count: u64) {
    if 0 < count {
        MESSAGES.with_label_values(&[source.as_str(), outcome]).inc_by(count);
    }
}

/// Counts messages lost before they came here.
pub(crate) fn lost_in_broker(source: &SourceName, count: u64) {
    if 0 < count {
        LOST_IN_BROKER.with_label_values(&[source.as_str()]).inc_by(count);
    }
}

/// Makes the counters of a source behind an external broker known at zero: a counter that first appears with 1 has no
/// increase that an alarm could see.
pub(crate) fn external_broker(source: &SourceName) {
    for metric in [&LOST_IN_BROKER, &BROKER_RESTARTS, &SESSIONS_LOST, &TAKEOVERS, &UNCOUNTED_LOSSES] {
        metric.with_label_values(&[source.as_str()]).inc_by(0);
    }
}

pub(crate) fn broker_restarted(source: &SourceName) {
    BROKER_RESTARTS.with_label_values(&[source.as_str()]).inc();
}

/// Counts a lost session.
pub(crate) fn session_lost(source: &SourceName) {
    SESSIONS_LOST.with_label_values(&[source.as_str()]).inc();
}

/// Counts a session that another client took over.
pub(crate) fn taken_over(source: &SourceName) {
    TAKEOVERS.with_label_values(&[source.as_str()]).inc();
}

/// Counts a loss of unknown size.
pub(crate) fn uncounted_loss(source: &SourceName) {
    UNCOUNTED_LOSSES.with_label_values(&[source.as_str()]).inc();
}

/// Notes one group that became durable.
pub(crate) fn committed(seconds: f64, messages: usize) {
    COMMIT_SECONDS.observe(seconds);
    GROUP_MESSAGES.observe(messages as f64);
}

/// Notes how long the oldest message of a group waited until it was durable.
pub(crate) fn durable_after(millis: i64) {
    DURABLE_SECONDS.observe(millis.max(0) as f64 / 1_000.0);
}

/// Notes whether acknowledging stopped.
pub(crate) fn blocked(blocked: bool) {
    BLOCKED.set(i64::from(blocked));
}

/// Notes whether a source receives messages.
pub(crate) fn source_connected(source: &SourceName, connected: bool) {
    CONNECTED.with_label_values(&[source.as_str()]).set(i64::from(connected));
}

/// Notes how far the store is behind the spool.
pub(crate) fn store_lag(batches: u64, seconds: f64) {
    STORE_LAG_BATCHES.set(i64::try_from(batches).unwrap_or(i64::MAX));
    STORE_LAG_SECONDS.set(seconds);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A counter of a source as Prometheus reads it; `None` where it is not told at all.
    pub(crate) fn told(metric: &str, source: &str) -> Option<u64> {
        let text = prometheus::TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap();
        let row = format!("{metric}{{source=\"{source}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&row)).map(|value| value.parse().unwrap())
    }

    #[test]
    fn losses_behind_a_source_are_told_from_zero_on_and_apart() {
        let source = SourceName::new("counted").unwrap();
        let all = || {
            [
                "bakau_source_lost_in_broker_total",
                "bakau_source_broker_restarts_total",
                "bakau_source_sessions_lost_total",
                "bakau_source_takeovers_total",
                "bakau_source_uncounted_losses_total",
            ]
            .map(|metric| told(metric, "counted"))
        };
        assert_eq!(all(), [None; 5]);
        external_broker(&source);
        assert_eq!(all(), [Some(0); 5]);
        lost_in_broker(&source, 7);
        broker_restarted(&source);
        (0..2).for_each(|_| session_lost(&source));
        (0..3).for_each(|_| taken_over(&source));
        (0..4).for_each(|_| uncounted_loss(&source));
        assert_eq!(all(), [Some(7), Some(1), Some(2), Some(3), Some(4)]);
    }
}
