//! Charts as others call them: bounds, edge cases, sizes, and the same bytes each time.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first problem")]

use bakau_dashboards::chart::{
    self, ChartError, ChartSpec, LimitLine, MAX_SIDE, MIN_HEIGHT, MIN_WIDTH, Point, Side, Spread,
};
use bakau_model::{Flag, Language, Level, Unit, UtcMillis};
use jiff::tz::TimeZone;
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;

fn spec(points: Vec<Point>) -> ChartSpec {
    let to = UtcMillis::parse("2026-03-10T09:00:00Z").unwrap();
    ChartSpec {
        title: "BeeJay Bakau 01 <&> Oksigen terlarut".to_owned(),
        subtitle: "Kota Probolinggo".to_owned(),
        unit: Unit::new("mg/L"),
        from: to.saturating_add(-24 * 60 * MINUTE_MS),
        to,
        time_zone: TimeZone::get("Asia/Jakarta").unwrap(),
        language: Language::Id,
        width: 640,
        height: 320,
        decimals: 2,
        interval_ms: 10 * MINUTE_MS,
        limits: vec![
            LimitLine { level: Level::Waspada, value: 4.0, side: Side::Low },
            LimitLine { level: Level::Siaga, value: 2.0, side: Side::Low },
            LimitLine { level: Level::Awas, value: 0.5, side: Side::Low },
        ],
        points,
        spreads: Vec::new(),
        partial: Vec::new(),
        dark: false,
    }
}

fn wave(count: i64, interval_ms: i64) -> ChartSpec {
    let mut chart = spec(Vec::new());
    chart.from = chart.to.saturating_add(-count * interval_ms);
    chart.interval_ms = interval_ms;
    // A day's wave and a little noise.
    let hours = |i: i64| (i * interval_ms) as f64 / 3_600_000.0;
    let value = |i: i64| 3.5 + 2.0 * (hours(i) / 24.0 * std::f64::consts::TAU).sin() + 0.3 * (i as f64 * 1.7).cos();
    let at = |i: i64| chart.from.saturating_add(i * interval_ms);
    chart.points = (0..count).map(|i| Point { at: at(i), value: Some(value(i)), flag: Flag::NotEvaluated }).collect();
    chart
}

#[test]
fn a_small_chart_with_gap_and_marks_looks_as_agreed() {
    let mut chart = wave(24, 60 * MINUTE_MS);
    chart.points.drain(6..11);
    chart.points[3].flag = Flag::Suspect;
    chart.points[14].flag = Flag::Fail;
    insta::assert_snapshot!(chart::svg(&chart).unwrap());
}

#[test]
fn a_mean_of_an_hour_that_is_not_over_is_marked_and_the_mark_is_explained() {
    let mut chart = wave(24, 60 * MINUTE_MS);
    let plain = chart::svg(&chart).unwrap();
    chart.partial = vec![chart.points[23].at];
    let marked = chart::svg(&chart).unwrap();
    let rings = |svg: &str| svg.matches("<circle").count();
    // One at the point and one in front of the word, each of two discs.
    assert_eq!((rings(&plain), rings(&marked)), (0, 4));
    assert!(marked.contains("belum penuh") && !plain.contains("belum penuh"));
}

#[test]
fn means_have_a_band_from_least_to_greatest_that_breaks_where_data_is_missing() {
    let mut chart = wave(24, 60 * MINUTE_MS);
    chart.points.drain(6..11);
    let around =
        |point: &Point| Spread { at: point.at, low: point.value.unwrap() - 1.0, high: point.value.unwrap() + 1.5 };
    chart.spreads = chart.points.iter().map(around).collect();
    let svg = chart::svg(&chart).unwrap();
    assert_eq!(svg.matches("<polygon").count(), 2);
    assert!(svg.contains("rata-rata"));
    assert!(svg.contains("<desc>Antara 0,"), "the extremes are those of the band: {}", &svg[..600]);
    chart.spreads.clear();
    assert!(!chart::svg(&chart).unwrap().contains("<polygon"));
}

#[test]
fn a_label_shows_on_which_side_of_a_limit_a_value_is_bad() {
    let low = wave(24, 60 * MINUTE_MS);
    let mut high = low.clone();
    high.limits.iter_mut().for_each(|limit| limit.side = Side::High);
    let lines = |chart: &ChartSpec| chart::svg(chart).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let (low, high) = (lines(&low), lines(&high));
    let differing = low.iter().zip(&high).filter(|(low, high)| low != high);
    assert_eq!((low.len(), differing.count()), (high.len(), 3), "the sign of each of three limits and nothing else");
}

#[test]
fn no_data_is_said_in_words() {
    let mut chart = spec(Vec::new());
    assert!(chart::svg(&chart).unwrap().contains("tidak ada data"));
    chart.language = Language::En;
    assert!(chart::svg(&chart).unwrap().contains("no data"));
    assert!(chart::png(&chart).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn two_runs_give_the_same_bytes() {
    let chart = wave(1440, MINUTE_MS);
    assert_eq!(chart::svg(&chart).unwrap(), chart::svg(&chart).unwrap());
    assert_eq!(chart::png(&chart).unwrap(), chart::png(&chart).unwrap());
}

#[test]
fn names_are_escaped_in_an_svg() {
    let svg = chart::svg(&spec(Vec::new())).unwrap();
    assert!(svg.contains("&lt;&amp;&gt;") && !svg.contains("<&>"));
}

#[test]
fn a_png_of_usual_size_is_at_most_20_kb() {
    for (count, interval) in [(144, 10 * MINUTE_MS), (1440, MINUTE_MS), (43_200, MINUTE_MS)] {
        for dark in [false, true] {
            let chart = ChartSpec { dark, ..wave(count, interval) };
            let size = chart::png(&chart).unwrap().len();
            assert!(size <= 20_000, "{count} points: {size} bytes");
        }
    }
}

#[test]
fn sizes_times_and_counts_out_of_bounds_are_refused() {
    for (width, height) in [(MIN_WIDTH - 1, 320), (640, MIN_HEIGHT - 1), (MAX_SIDE + 1, 320), (640, u32::MAX), (0, 0)] {
        let chart = ChartSpec { width, height, ..spec(Vec::new()) };
        assert!(matches!(chart::svg(&chart), Err(ChartError::Size { .. })), "{width}x{height}");
        assert!(matches!(chart::png(&chart), Err(ChartError::Size { .. })), "{width}x{height}");
    }
    let mut chart = spec(Vec::new());
    chart.to = chart.from;
    assert!(matches!(chart::svg(&chart), Err(ChartError::EmptyTime)));
}

fn any_value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        Just(Some(f64::INFINITY)),
        Just(Some(f64::NEG_INFINITY)),
        Just(Some(f64::MAX)),
        Just(Some(f64::MIN)),
        Just(Some(f64::MIN_POSITIVE)),
        Just(Some(0.0)),
        Just(Some(5.1)),
        (-1e3..1e3).prop_map(Some),
        prop::num::f64::NORMAL.prop_map(Some),
    ]
}

fn any_point() -> impl Strategy<Value = Point> {
    let flag = prop::sample::select(Flag::ALL.to_vec());
    (-100_000_000i64..100_000_000, any_value(), flag).prop_map(|(at, value, flag)| Point {
        at: UtcMillis::new(at),
        value,
        flag,
    })
}

prop_compose! {
    fn any_chart()(
        mut points in prop::collection::vec(any_point(), 0..60),
        from in -100_000_000i64..100_000_000,
        length in prop_oneof![1i64..1000, 1i64..1_000_000_000, 1i64..10_000_000_000_000],
        width in MIN_WIDTH..700,
        height in MIN_HEIGHT..400,
        decimals in 0u8..20,
        interval_ms in prop_oneof![Just(0i64), Just(-5), 1i64..1_000_000, Just(i64::MAX)],
        limits in prop::collection::vec((prop::sample::select(Level::ALL.to_vec()), any_value()), 0..5),
        title in "\\PC{0,80}",
        dark: bool,
    ) -> ChartSpec {
        points.sort_by_key(|point| point.at);
        let limits = limits.into_iter().filter_map(|(level, value)| value.map(|value| LimitLine { level, value, side: Side::High }));
        ChartSpec {
            title, width, height, decimals, interval_ms, dark, limits: limits.collect(),
            from: UtcMillis::new(from), to: UtcMillis::new(from + length),
            ..spec(points)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_points_limits_and_sizes_give_a_chart(chart in any_chart()) {
        let svg = chart::svg(&chart).unwrap();
        prop_assert!(svg.trim_end().ends_with("</svg>"));
        let drawn = svg.split_once("</title>").map_or("", |(_, drawn)| drawn);
        prop_assert!(!drawn.contains("\"NaN") && !drawn.contains("\"inf"));
        prop_assert!(chart::png(&chart).unwrap().starts_with(b"\x89PNG"));
    }
}
