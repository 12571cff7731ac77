//! Counters and gauges of the room, in the default registry.

use std::sync::LazyLock;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, histogram_opts,
    register_histogram, register_int_counter, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

/// The promise is 0.25 s at the 99th percentile; the bounds tell how near it is.
const DECISION_BOUNDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 10.0, 60.0];

/// Everything the room counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) transitions: IntCounterVec,
    pub(crate) deliveries: IntCounterVec,
    pub(crate) outbox_oldest_seconds: IntGauge,
    pub(crate) channel_oldest_seconds: IntGaugeVec,
    pub(crate) escalations: IntCounter,
    pub(crate) cursor: IntGauge,
    pub(crate) decision_seconds: Histogram,
    pub(crate) skipped_batches: IntCounter,
    pub(crate) commit_failures: IntCounter,
    pub(crate) crowded_out: IntGauge,
}

/// The one instance.
#[expect(clippy::expect_used, reason = "names are constants, each registered once")]
pub(crate) static METRICS: LazyLock<Metrics> =
    LazyLock::new(|| Metrics::register().expect("metrics of the alert room"));

impl Metrics {
    fn register() -> Result<Self, prometheus::Error> {
        let decision: HistogramOpts = histogram_opts!(
            "bakau_alerts_decision_seconds",
            "From the arrival of a value to the commit of the alert and its notifications",
            DECISION_BOUNDS.to_vec()
        );
        Ok(Self {
            transitions: register_int_counter_vec!(
                Opts::new("bakau_alerts_transitions_total", "Changes of level, by the level reached"),
                &["level"]
            )?,
            deliveries: register_int_counter_vec!(
                Opts::new(
                    "bakau_alerts_deliveries_total",
                    "Attempts to deliver a notification, by channel and verdict"
                ),
                &["channel", "verdict"]
            )?,
            outbox_oldest_seconds: register_int_gauge!(
                "bakau_alerts_outbox_oldest_seconds",
                "Age of the oldest notification not yet delivered; 0 when none waits"
            )?,
            channel_oldest_seconds: register_int_gauge_vec!(
                Opts::new(
                    "bakau_alerts_channel_oldest_seconds",
                    "Age of the oldest notification not yet delivered, by channel; 0 when none waits"
                ),
                &["channel"]
            )?,
            escalations: register_int_counter!(
                "bakau_alerts_escalations_total",
                "Notifications that did not reach their recipient, so that others were told"
            )?,
            cursor: register_int_gauge!("bakau_alerts_cursor", "Last spool batch evaluated and committed (cursor B)")?,
            decision_seconds: register_histogram!(decision)?,
            skipped_batches: register_int_counter!(
                "bakau_alerts_skipped_batches_total",
                "Spool batches gone before they were evaluated; always 0 unless files were mixed"
            )?,
            commit_failures: register_int_counter!(
                "bakau_alerts_commit_failures_total",
                "Commits of alerts.db that failed and were tried again"
            )?,
            crowded_out: register_int_gauge!(
                "bakau_alerts_ahead_crowded_out",
                "Values from clocks that are ahead that live rules did not keep, because too many waited already"
            )?,
        })
    }
}
