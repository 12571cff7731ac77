//! Counters of requests, and the text in which the counters of the process are served.

use std::{sync::LazyLock, time::Duration};

use axum::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, TextEncoder};

use crate::http::error::ApiError;

/// Seconds from "served from memory" to the request timeout.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::register);

impl Metrics {
    #[expect(clippy::expect_used, reason = "names and labels are constants; a test touches them")]
    fn register() -> Self {
        let requests = Opts::new("bakau_api_requests_total", "HTTP requests answered");
        let requests = IntCounterVec::new(requests, &["route", "method", "status"]).expect("constant metric");
        let seconds = HistogramOpts::new("bakau_api_request_seconds", "Seconds until an answer began");
        let seconds = HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["route"]).expect("constant metric");
        // Registering can only fail for a name taken twice; counting goes on either way.
        let _ = prometheus::register(Box::new(requests.clone()));
        let _ = prometheus::register(Box::new(seconds.clone()));
        Self { requests, seconds }
    }
}

/// Counts one answer. `route` is a pattern of the router, never what a client typed, so the number of rows is bounded.
pub(crate) fn answered(route: &str, method: &Method, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET | Method::HEAD | Method::POST | Method::OPTIONS | Method::PUT | Method::DELETE => method.as_str(),
        _ => "other",
    };
    METRICS.requests.with_label_values(&[route, method, status.as_str()]).inc();
    METRICS.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
}

/// Every counter of the process in the Prometheus text format.
pub(crate) fn text() -> Result<String, ApiError> {
    let families = prometheus::gather();
    Ok(TextEncoder::new().encode_to_string(&families)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_by_route_and_status() {
        answered("/test", &Method::GET, StatusCode::OK, Duration::from_millis(3));
        let text = text().unwrap();
        assert!(text.contains("bakau_api_requests_total{method=\"GET\",route=\"/test\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("bakau_api_request_seconds_count{route=\"/test\"} 1"));
    }
}
