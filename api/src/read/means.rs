//! Long charts: one summary per hour or civil day with its least and greatest value, where single values would be a
//! blot.

use bakau_dashboards::chart::{Point, Spread};
use bakau_model::{DAY_MS, Flag, HOUR_MS, UtcMillis};

use crate::{
    http::query::Span,
    read::aggregate::{
        bucket::Step,
        fold::{Kind, Summary},
    },
};

/// Longest chart of single values, and of hours.
const SINGLE_MS: i64 = 10 * DAY_MS;
const HOURLY_MS: i64 = 100 * DAY_MS;
const HOUR: Step = Step::Fixed { ms: HOUR_MS };

/// What is drawn of summaries.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    pub(crate) points: Vec<Point>,
    pub(crate) spreads: Vec<Spread>,
    /// Instants of those points that stand for a part of their bucket.
    pub(crate) partial: Vec<UtcMillis>,
}

/// Length of the buckets of a chart over `span`; `None` where single values are drawn.
pub(crate) fn step_for(span: Span, interval_ms: i64) -> Option<Step> {
    let length = span.to.since(span.from);
    if length <= SINGLE_MS {
        return None;
    }
    let step = if length <= HOURLY_MS { HOUR } else { Step::Day };
    (2 * interval_ms <= step.least_ms()).then_some(step)
}

/// A point and, where it means something, the spread of each bucket that has a value, in the middle of its time; of one
/// that is not over or not asked for as a whole in the middle of the part, with that instant among the partial ones.
///
/// Amounts such as rain, counted or not, are summed, so the range of their single values says nothing about the sum.
pub(crate) fn drawn(summaries: &[Summary], kind: Kind) -> Drawn {
    let Drawn { mut points, mut spreads, mut partial } = Drawn::default();
    for summary in summaries {
        let Some(value) = summary.value else { continue };
        let of = if summary.part.start < summary.part.end { summary.part } else { summary.bucket };
        let at = of.middle();
        partial.extend(summary.is_partial().then_some(at));
        points.push(Point { at, value: Some(value), flag: Flag::NotEvaluated });
        if let (Some(low), Some(high)) = (summary.min, summary.max)
            && !matches!(kind, Kind::Sum | Kind::Counted)
        {
            spreads.push(Spread { at, low, high });
        }
    }
    Drawn { points, spreads, partial }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::aggregate::bucket::Bucket;

    fn summary(start: &str, value: Option<f64>) -> Summary {
        let start = UtcMillis::parse(start).unwrap();
        let bucket = Bucket { start, end: start.saturating_add(HOUR_MS) };
        let least = value.map(|value| value - 1.0);
        Summary {
            bucket,
            value,
            min: least,
            max: value.map(|value| value + 4.0),
            count: 2,
            covered: 2.0,
            expected: 6,
            part: bucket,
        }
    }

    #[test]
    fn a_bucket_is_drawn_in_its_middle_and_an_empty_one_not_at_all() {
        let hours = [summary("2026-03-10T09:00:00Z", Some(5.0)), summary("2026-03-10T10:00:00Z", None)];
        let Drawn { points, spreads, partial } = drawn(&hours, Kind::Mean);
        assert_eq!(partial, []);
        let at = UtcMillis::parse("2026-03-10T09:30:00Z").unwrap();
        assert_eq!(points, [Point { at, value: Some(5.0), flag: Flag::NotEvaluated }]);
        assert_eq!(spreads, [Spread { at, low: 4.0, high: 9.0 }]);
        assert_eq!(drawn(&hours, Kind::Sum).spreads, []);
    }

    #[test]
    fn a_bucket_that_is_not_over_is_drawn_in_the_middle_of_what_is_and_marked() {
        let mut hour = summary("2026-03-10T09:00:00Z", Some(5.0));
        hour.part.end = hour.bucket.start.saturating_add(HOUR_MS / 3);
        let at = UtcMillis::parse("2026-03-10T09:10:00Z").unwrap();
        let found = drawn(&[hour], Kind::Mean);
        assert_eq!((found.points[0].at, found.spreads[0].at, &found.partial[..]), (at, at, &[at][..]));
    }

    #[test]
    fn long_charts_show_summaries_unless_values_are_rarer() {
        let span = |days: i64| Span { from: UtcMillis::new(0), to: UtcMillis::new(days * DAY_MS) };
        assert_eq!(step_for(span(7), 60_000), None);
        assert_eq!(step_for(span(30), 60_000), Some(HOUR));
        assert_eq!(step_for(span(365), 60_000), Some(Step::Day));
        assert_eq!(step_for(span(30), HOUR_MS), None);
    }
}
