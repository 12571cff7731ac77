//! Prometheus metrics of stores.

#![expect(clippy::expect_used, reason = "names and labels are constants; a typing error shows in the first test")]

use std::sync::LazyLock;

use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, exponential_buckets, histogram_opts, register_histogram,
    register_int_counter, register_int_counter_vec, register_int_gauge,
};

use crate::WriteReceipt;

static ROWS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("bakau_store_rows_total", "Observations written, by outcome.", &["outcome"])
        .expect("constant metric")
});

static WRITE_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.000_5, 2.0, 16).expect("constant buckets");
    register_histogram!(histogram_opts!("bakau_store_write_seconds", "Duration of one store write.", buckets))
        .expect("constant metric")
});

static CURSOR: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("bakau_store_cursor", "Last spool batch that is in the store.").expect("constant metric")
});

static DAMAGED_ROWS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("bakau_store_damaged_rows_total", "Rows left out of answers because they are damaged.")
        .expect("constant metric")
});

pub(crate) fn written(receipt: &WriteReceipt, took: std::time::Duration) {
    ROWS.with_label_values(&["stored"]).inc_by(receipt.counts.stored);
    ROWS.with_label_values(&["duplicate"]).inc_by(receipt.counts.duplicate);
    ROWS.with_label_values(&["corrected"]).inc_by(receipt.counts.corrected);
    ROWS.with_label_values(&["ignored_missing"]).inc_by(receipt.counts.ignored_missing);
    WRITE_SECONDS.observe(took.as_secs_f64());
    at_cursor(receipt.cursor);
}

pub(crate) fn at_cursor(cursor: bakau_model::Seq) {
    CURSOR.set(i64::try_from(cursor.get()).unwrap_or(i64::MAX));
}

/// A damaged row was left out of an answer: counted and named.
pub(crate) fn damaged_row(datastream: i64, observed_at: i64, what: &'static str) {
    DAMAGED_ROWS.inc();
    tracing::error!(datastream, observed_at, what, "damaged row left out");
}
