//! Prometheus metrics of this crate.

use std::sync::LazyLock;

use bakau_model::SourceName;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, exponential_buckets};

/// A metric registered in the default registry; a second registration of the same name keeps this one unregistered.
pub(crate) fn registered<M: prometheus::core::Collector + Clone + 'static>(made: prometheus::Result<M>) -> Option<M> {
    let metric = made.ok()?;
    if let Err(error) = prometheus::register(Box::new(metric.clone())) {
        tracing::warn!(%error, "metric not registered");
    }
    Some(metric)
}

static MESSAGES: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let opts = Opts::new("bakau_ingest_messages_total", "Messages made durable, by source and outcome");
    registered(IntCounterVec::new(opts, &["source", "outcome"]))
});

static LOST_IN_BROKER: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let help = "Messages lost in an external broker, by its own counters";
    registered(IntCounterVec::new(Opts::new("bakau_source_lost_in_broker_total", help), &["source"]))
});

static BROKER_RESTARTS: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let help = "Restarts of an external broker seen since Bakau started; after a crash it has forgotten messages";
    registered(IntCounterVec::new(Opts::new("bakau_source_broker_restarts_total", help), &["source"]))
});

static SESSIONS_LOST: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let help = "Sessions an external broker lost since Bakau started, with everything it had queued in them";
    registered(IntCounterVec::new(Opts::new("bakau_source_sessions_lost_total", help), &["source"]))
});

static TAKEOVERS: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let help = "Times an external broker said that another client took the session over, since Bakau started";
    registered(IntCounterVec::new(Opts::new("bakau_source_takeovers_total", help), &["source"]))
});

static UNCOUNTED_LOSSES: LazyLock<Option<IntCounterVec>> = LazyLock::new(|| {
    let help = "Sessions lost or taken over that cost a number of messages nobody knows, since Bakau started";
    registered(IntCounterVec::new(Opts::new("bakau_source_uncounted_losses_total", help), &["source"]))
});

static COMMIT_SECONDS: LazyLock<Option<Histogram>> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.000_25, 2.0, 14).ok()?;
    let opts =
        HistogramOpts::new("bakau_ingest_commit_seconds", "Time to write one group to the spool, fsync included");
    registered(Histogram::with_opts(opts.buckets(buckets)))
});

static DURABLE_SECONDS: LazyLock<Option<Histogram>> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.001, 2.0, 14).ok()?;
    let help = "Time from the arrival of the oldest message of a group until the group was durable";
    registered(Histogram::with_opts(HistogramOpts::new("bakau_ingest_durable_seconds", help).buckets(buckets)))
});

static GROUP_MESSAGES: LazyLock<Option<Histogram>> = LazyLock::new(|| {
    let buckets = exponential_buckets(1.0, 2.0, 14).ok()?;
    let opts = HistogramOpts::new("bakau_ingest_group_messages", "Messages acknowledged together after one fsync");
    registered(Histogram::with_opts(opts.buckets(buckets)))
});

static BLOCKED: LazyLock<Option<IntGauge>> = LazyLock::new(|| {
    registered(IntGauge::new("bakau_ingest_blocked", "1 while nothing is acknowledged because the spool refuses"))
});

static CONNECTED: LazyLock<Option<IntGaugeVec>> = LazyLock::new(|| {
    let opts = Opts::new("bakau_source_connected", "1 while the source receives messages");
    registered(IntGaugeVec::new(opts, &["source"]))
});

static STORE_LAG_OBSERVATIONS: LazyLock<Option<IntGauge>> =
    LazyLock::new(|| registered(IntGauge::new("bakau_store_lag_batches", "Spool batches not yet in the store")));

static STORE_LAG_SECONDS: LazyLock<Option<prometheus::Gauge>> = LazyLock::new(|| {
    registered(prometheus::Gauge::new(
        "bakau_store_lag_seconds",
        "Age of the oldest spooled batch that is not in the store",
    ))
});

static CROWDED_RANGES: LazyLock<Option<prometheus::IntCounter>> = LazyLock::new(|| {
    let help = "Late values judged without their neighbours because there are too many of these";
    registered(prometheus::IntCounter::new("bakau_quality_crowded_ranges_total", help))
});

/// Late values were judged without their neighbours.
pub(crate) fn crowded_range() {
    if let Some(metric) = CROWDED_RANGES.as_ref() {
        metric.inc();
    }
}

/// Counts messages of one source with one outcome.
pub(crate) fn messages(source: &SourceName, outcome: &'static str, count: u64) {
    if 0 < count
        && let Some(metric) = MESSAGES.as_ref()
    {
        metric.with_label_values(&[source.as_str(), outcome]).inc_by(count);
    }
}

/// Counts messages lost before they came here.
pub(crate) fn lost_in_broker(source: &SourceName, count: u64) {
    if 0 < count
        && let Some(metric) = LOST_IN_BROKER.as_ref()
    {
        metric.with_label_values(&[source.as_str()]).inc_by(count);
    }
}

/// Makes the counters of a source behind an external broker known at zero: a counter that first appears with 1 has no
/// increase that an alarm could see.
pub(crate) fn external_broker(source: &SourceName) {
    for metric in [&LOST_IN_BROKER, &BROKER_RESTARTS, &SESSIONS_LOST, &TAKEOVERS, &UNCOUNTED_LOSSES] {
        if let Some(metric) = metric.as_ref() {
            metric.with_label_values(&[source.as_str()]).inc_by(0);
        }
    }
}

pub(crate) fn broker_restarted(source: &SourceName) {
    if let Some(metric) = BROKER_RESTARTS.as_ref() {
        metric.with_label_values(&[source.as_str()]).inc();
    }
}

/// Counts a lost session.
pub(crate) fn session_lost(source: &SourceName) {
    if let Some(metric) = SESSIONS_LOST.as_ref() {
        metric.with_label_values(&[source.as_str()]).inc();
    }
}

/// Counts a session that another client took over.
pub(crate) fn taken_over(source: &SourceName) {
    if let Some(metric) = TAKEOVERS.as_ref() {
        metric.with_label_values(&[source.as_str()]).inc();
    }
}

/// Counts a loss of unknown size.
pub(crate) fn uncounted_loss(source: &SourceName) {
    if let Some(metric) = UNCOUNTED_LOSSES.as_ref() {
        metric.with_label_values(&[source.as_str()]).inc();
    }
}

/// Notes one group that became durable.
pub(crate) fn committed(seconds: f64, messages: usize) {
    if let (Some(time), Some(size)) = (COMMIT_SECONDS.as_ref(), GROUP_MESSAGES.as_ref()) {
        time.observe(seconds);
        size.observe(messages as f64);
    }
}

/// Notes how long the oldest message of a group waited until it was durable.
pub(crate) fn durable_after(millis: i64) {
    if let Some(metric) = DURABLE_SECONDS.as_ref() {
        metric.observe(millis.max(0) as f64 / 1_000.0);
    }
}

/// Notes whether acknowledging stopped.
pub(crate) fn blocked(blocked: bool) {
    if let Some(metric) = BLOCKED.as_ref() {
        metric.set(i64::from(blocked));
    }
}

/// Notes whether a source receives messages.
pub(crate) fn source_connected(source: &SourceName, connected: bool) {
    if let Some(metric) = CONNECTED.as_ref() {
        metric.with_label_values(&[source.as_str()]).set(i64::from(connected));
    }
}

/// Notes how far the store is behind the spool.
pub(crate) fn store_lag(batches: u64, seconds: f64) {
    if let (Some(count), Some(time)) = (STORE_LAG_OBSERVATIONS.as_ref(), STORE_LAG_SECONDS.as_ref()) {
        count.set(i64::try_from(batches).unwrap_or(i64::MAX));
        time.set(seconds);
    }
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
