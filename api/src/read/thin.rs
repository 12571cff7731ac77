//! Fewer points for a long chart: per bucket of time the first, the least, the greatest and the last usable value, so
//! that no peak is lost, plus one point that was unusable or missing where there was nothing else.

use bakau_dashboards::chart::Point;
use bakau_model::UtcMillis;

use crate::http::query::Span;

/// Collects points in order of time, in memory that depends on the number of buckets only.
#[derive(Debug)]
pub(crate) struct Thinner {
    from: UtcMillis,
    bucket_ms: i64,
    /// Every point, as long as there are few enough to draw as they are.
    whole: Option<Vec<Point>>,
    whole_limit: usize,
    thinned: Vec<Point>,
    current: Option<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    number: i64,
    /// First, least, greatest and last usable point.
    usable: Option<[Point; 4]>,
    /// A point without usable value.
    other: Option<Point>,
}

/// Points to draw, and the spacing above which two of them have a gap between.
#[derive(Debug)]
pub(crate) struct Thinned {
    /// In order of time.
    pub(crate) points: Vec<Point>,
    /// Length of a bucket, where points were left out.
    pub(crate) bucket_ms: Option<i64>,
}

impl Thinner {
    /// For a chart over `span` with `buckets` distinguishable columns.
    pub(crate) fn new(span: Span, buckets: u32) -> Self {
        let buckets = i64::from(buckets.max(1));
        let bucket_ms = (span.to.since(span.from) / buckets).max(1);
        let whole_limit = usize::try_from(4 * buckets).unwrap_or(usize::MAX);
        Self { from: span.from, bucket_ms, whole: Some(Vec::new()), whole_limit, thinned: Vec::new(), current: None }
    }

    /// Takes the next point.
    pub(crate) fn push(&mut self, point: Point) {
        match &mut self.whole {
            Some(whole) if whole.len() < self.whole_limit => whole.push(point),
            Some(_) | None => self.whole = None,
        }
        let number = point.at.since(self.from).div_euclid(self.bucket_ms);
        if self.current.as_ref().is_some_and(|bucket| bucket.number != number) {
            self.close();
        }
        let bucket = self.current.get_or_insert(Bucket { number, usable: None, other: None });
        bucket.take(point);
    }

    /// What to draw.
    pub(crate) fn finish(mut self) -> Thinned {
        if let Some(points) = self.whole {
            return Thinned { points, bucket_ms: None };
        }
        self.close();
        Thinned { points: self.thinned, bucket_ms: Some(self.bucket_ms) }
    }

    fn close(&mut self) {
        let Some(bucket) = self.current.take() else { return };
        match bucket.usable {
            Some(mut points) => {
                points.sort_by_key(|point| point.at);
                for point in points {
                    if self.thinned.last().is_none_or(|last| last.at < point.at) {
                        self.thinned.push(point);
                    }
                }
            }
            None => self.thinned.extend(bucket.other),
        }
    }
}

impl Bucket {
    fn take(&mut self, point: Point) {
        let Some(value) = point.value.filter(|_| point.flag.is_usable()) else {
            self.other = Some(point);
            return;
        };
        let Some([_, least, greatest, last]) = &mut self.usable else {
            self.usable = Some([point; 4]);
            return;
        };
        if least.value.is_none_or(|least| value < least) {
            *least = point;
        }
        if greatest.value.is_none_or(|greatest| greatest < value) {
            *greatest = point;
        }
        *last = point;
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::Flag;
    use proptest::prelude::*;

    use super::*;

    fn point(at: i64, value: Option<f64>, flag: Flag) -> Point {
        Point { at: UtcMillis::new(at), value, flag }
    }

    fn thin(points: &[Point], buckets: u32) -> Thinned {
        let span = Span { from: UtcMillis::new(0), to: UtcMillis::new(10_000) };
        let mut thinner = Thinner::new(span, buckets);
        points.iter().for_each(|point| thinner.push(*point));
        thinner.finish()
    }

    #[test]
    fn few_points_are_drawn_as_they_are() {
        let points = [point(1, Some(1.0), Flag::Good), point(2, None, Flag::Missing)];
        let thinned = thin(&points, 10);
        assert_eq!((thinned.points.as_slice(), thinned.bucket_ms), (points.as_slice(), None));
    }

    #[test]
    fn a_stretch_without_values_stays_visible() {
        let points: Vec<Point> = (0..10_000)
            .map(|at| {
                let missing = (5_000..6_000).contains(&at);
                let flag = if missing { Flag::Missing } else { Flag::Good };
                point(at, (!missing).then_some(at as f64), flag)
            })
            .collect();
        let thinned = thin(&points, 10);
        assert_eq!(thinned.bucket_ms, Some(1_000));
        assert_eq!(thinned.points.iter().filter(|point| point.value.is_none()).count(), 1);
    }

    proptest! {
        #[test]
        fn peaks_and_order_survive_and_the_number_is_bounded(
            values in prop::collection::vec(-1e6..1e6f64, 1..2_000), buckets in 1u32..40
        ) {
            let step = 10_000 / i64::try_from(values.len()).unwrap();
            let points: Vec<Point> =
                values.iter().zip(0i64..).map(|(value, n)| point(n * step, Some(*value), Flag::Good)).collect();
            let thinned = thin(&points, buckets).points;
            let most = |points: &[Point]| points.iter().filter_map(|point| point.value).fold(f64::MIN, f64::max);
            let least = |points: &[Point]| points.iter().filter_map(|point| point.value).fold(f64::MAX, f64::min);
            prop_assert_eq!(most(&thinned), most(&points));
            prop_assert_eq!(least(&thinned), least(&points));
            prop_assert!(thinned.windows(2).all(|pair| pair[0].at < pair[1].at));
            prop_assert!(thinned.len() <= 4 * (buckets as usize + 1));
        }
    }
}
