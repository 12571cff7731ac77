//! Points to lines: where the line breaks, what is shaded, what is marked, and fewer points than pixels.

use bakau_model::{Flag, UtcMillis, longest_joined_ms};

use super::{Point, Spread, scale::FAR};

/// A position in the plot: pixels from its left edge, and the value.
pub(super) type Spot = (f64, f64);

/// What is drawn of the points.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Unbroken lines, in order of time.
    pub(super) lines: Vec<Vec<Spot>>,
    /// Unbroken bands of (pixels from the left edge, least, greatest value), in order of time.
    pub(super) bands: Vec<Vec<(f64, f64, f64)>>,
    /// Usable but suspect points.
    pub(super) suspect: Vec<Spot>,
    /// Failed points.
    pub(super) failed: Vec<Spot>,
    /// Points that stand for a part of their stretch of time only.
    pub(super) partial: Vec<Spot>,
    /// Where nothing usable was measured, in pixels from the left edge.
    pub(super) gaps: Vec<(f64, f64)>,
    /// Lowest and highest usable value.
    pub(super) extent: Option<(f64, f64)>,
}

/// Prepares points for a plot `width` pixels wide that covers `from` to `to`.
pub(super) fn prepare(points: &[Point], from: UtcMillis, to: UtcMillis, interval_ms: i64, width: f64) -> Series {
    let mut series = Series::default();
    let scale = width / to.since(from) as f64;
    let x = |at: UtcMillis| at.since(from) as f64 * scale;
    let hole = longest_joined_ms(interval_ms);
    let mut line: Vec<Spot> = Vec::new();
    let mut last_usable = from;
    let mut broken = false;
    for point in points.iter().filter(|point| from <= point.at && point.at <= to) {
        let value = point.value.filter(|value| value.is_finite()).map(|value| value.clamp(-FAR, FAR));
        let Some(value) = value.filter(|_| point.flag.is_usable()) else {
            broken = true;
            if let (Some(value), Flag::Fail) = (value, point.flag) {
                series.failed.push((x(point.at), value));
            }
            continue;
        };
        let first = series.extent.is_none();
        if hole < point.at.since(last_usable) || broken {
            let hole_seen = hole < point.at.since(last_usable) || !first;
            if hole_seen {
                series.gaps.push((x(last_usable), x(point.at)));
            }
            finish(&mut series.lines, &mut line, width);
        }
        broken = false;
        last_usable = point.at;
        line.push((x(point.at), value));
        if point.flag == Flag::Suspect {
            series.suspect.push((x(point.at), value));
        }
        let (low, high) = series.extent.unwrap_or((value, value));
        series.extent = Some((low.min(value), high.max(value)));
    }
    finish(&mut series.lines, &mut line, width);
    if hole < to.since(last_usable) {
        series.gaps.push((x(last_usable), width));
    }
    series.suspect = thin(&series.suspect, 4.0);
    series.failed = thin(&series.failed, 4.0);
    series
}

/// Where those of `points` are that stand for a part of their stretch of time only.
pub(super) fn partial(
    points: &[Point],
    partial: &[UtcMillis],
    from: UtcMillis,
    to: UtcMillis,
    width: f64,
) -> Vec<Spot> {
    let inside = |point: &&Point| from <= point.at && point.at <= to && partial.contains(&point.at);
    let spot = |point: &Point| {
        let value = point.value.filter(|value| value.is_finite())?.clamp(-FAR, FAR);
        Some((point.at.since(from) as f64 * width / to.since(from) as f64, value))
    };
    points.iter().filter(inside).filter_map(spot).collect()
}

/// The bands of `spreads`, one value pair a pixel column, broken where the line of means is.
pub(super) fn bands(
    spreads: &[Spread],
    from: UtcMillis,
    to: UtcMillis,
    interval_ms: i64,
    series: &mut Series,
    width: f64,
) {
    let scale = width / to.since(from) as f64;
    let hole = longest_joined_ms(interval_ms) as f64 * scale;
    let sound = |spread: &&Spread| from <= spread.at && spread.at <= to && spread.low <= spread.high;
    let mut last: Option<(f64, f64, f64)> = None;
    for spread in spreads.iter().filter(sound) {
        let x = spread.at.since(from) as f64 * scale;
        let (low, high) = (spread.low.clamp(-FAR, FAR), spread.high.clamp(-FAR, FAR));
        let (least, greatest) = series.extent.unwrap_or((low, high));
        series.extent = Some((least.min(low), greatest.max(high)));
        match (last, series.bands.last_mut().and_then(|band| band.last_mut())) {
            (Some(_), Some(same)) if same.0.floor() == x.floor() => {
                (same.1, same.2) = (same.1.min(low), same.2.max(high))
            }
            (Some(before), Some(_)) if x - before.0 <= hole => {
                if let Some(band) = series.bands.last_mut() {
                    band.push((x, low, high));
                }
            }
            (Some(_) | None, Some(_) | None) => series.bands.push(vec![(x, low, high)]),
        }
        last = Some((x, low, high));
    }
}

fn finish(lines: &mut Vec<Vec<Spot>>, line: &mut Vec<Spot>, width: f64) {
    if !line.is_empty() {
        lines.push(downsample(std::mem::take(line), width));
    }
}

/// Keeps the lowest and highest point of each pixel column, in order of time, and both ends, where there are more points
/// than that.
fn downsample(line: Vec<Spot>, width: f64) -> Vec<Spot> {
    if (line.len() as f64) < width * 2.0 {
        return line;
    }
    let mut kept: Vec<Spot> = line.first().copied().into_iter().collect();
    for column in line.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        keep_extremes(column, &mut kept);
    }
    kept.extend(line.last());
    kept
}

fn keep_extremes(column: &[Spot], kept: &mut Vec<Spot>) {
    let by_value = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let lowest = (0..column.len()).min_by(by_value).unwrap_or(0);
    let highest = (0..column.len()).max_by(by_value).unwrap_or(0);
    kept.push(column[lowest.min(highest)]);
    if lowest != highest {
        kept.push(column[lowest.max(highest)]);
    }
}

/// Keeps the lowest and highest mark of each group of columns, so that many marks stay marks and not a blot.
fn thin(marks: &[Spot], columns: f64) -> Vec<Spot> {
    let mut kept = Vec::new();
    for group in marks.chunk_by(|a, b| (a.0 / columns).floor() == (b.0 / columns).floor()) {
        if group.len() <= 2 {
            kept.extend_from_slice(group);
            continue;
        }
        let low = group.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = group.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        kept.extend(low.into_iter().chain(high));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn point(minute: i64, value: f64) -> Point {
        Point { at: UtcMillis::new(minute * MINUTE), value: Some(value), flag: Flag::NotEvaluated }
    }

    fn run(points: &[Point], minutes: i64) -> Series {
        prepare(points, UtcMillis::new(0), UtcMillis::new(minutes * MINUTE), MINUTE, 100.0)
    }

    #[test]
    fn a_hole_of_two_and_a_half_intervals_is_none_and_of_three_is_a_gap() {
        let joined = run(&[point(0, 1.0), point(1, 1.0), point(3, 1.0)], 4);
        assert_eq!((joined.lines.len(), joined.gaps.len()), (1, 0));
        let broken = run(&[point(0, 1.0), point(1, 1.0), point(4, 1.0)], 4);
        assert_eq!(broken.lines.len(), 2);
        assert_eq!(broken.gaps, [(25.0, 100.0)]);
    }

    #[test]
    fn a_missing_and_a_failed_value_break_the_line_and_only_the_failed_one_is_marked() {
        let missing = Point { at: UtcMillis::new(MINUTE), value: None, flag: Flag::Missing };
        let failed = Point { at: UtcMillis::new(3 * MINUTE), value: Some(9999.0), flag: Flag::Fail };
        let series = run(&[point(0, 1.0), missing, point(2, 2.0), failed, point(4, 1.0)], 4);
        assert_eq!(series.lines.len(), 3);
        assert_eq!(series.failed, [(75.0, 9999.0)]);
        assert_eq!(series.extent, Some((1.0, 2.0)));
        assert_eq!(series.gaps.len(), 2);
    }

    #[test]
    fn time_without_data_at_both_ends_is_a_gap() {
        let series = run(&[point(40, 1.0), point(41, 1.0)], 100);
        assert_eq!(series.gaps, [(0.0, 40.0), (41.0, 100.0)]);
        assert_eq!(run(&[], 100).gaps, [(0.0, 100.0)]);
    }

    #[test]
    fn fewer_points_than_pixels_keep_every_extreme() {
        let mut points: Vec<_> = (0..10_000).map(|minute| point(minute, 5.0)).collect();
        points[4567].value = Some(-3.0);
        points[7654].value = Some(42.0);
        let series = run(&points, 10_000);
        let values: Vec<f64> = series.lines.iter().flatten().map(|spot| spot.1).collect();
        assert!(values.len() <= 204, "{}", values.len());
        assert!(values.contains(&-3.0) && values.contains(&42.0));
        assert!(series.lines[0].windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn infinite_values_count_as_missing() {
        let series = run(&[point(0, f64::INFINITY), point(1, 2.0), point(2, f64::NEG_INFINITY)], 2);
        assert_eq!(series.extent, Some((2.0, 2.0)));
    }
}
