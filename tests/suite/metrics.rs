//! How the harness reads `/metrics`.

use bakau_tests::metrics::p99_ms;

#[test]
fn the_percentile_is_that_of_what_came_between() {
    let page = |small: u32, all: u32| {
        format!(
            "x_bucket{{le=\"0.1\"}} {small}\nx_bucket{{le=\"2\"}} {all}\nx_bucket{{le=\"+Inf\"}} {all}\nx_count {all}\n"
        )
    };
    assert_eq!(p99_ms("", &page(100, 100), "x"), Some((100.0, 100)));
    assert_eq!(p99_ms(&page(0, 50), &page(100, 150), "x"), Some((100.0, 100)));
    assert_eq!(p99_ms(&page(0, 50), &page(90, 150), "x"), Some((2_000.0, 100)));
    assert_eq!(p99_ms(&page(1, 1), &page(1, 1), "x"), None);
}
