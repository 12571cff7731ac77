//! Means with their least and greatest value per hour or civil day, for charts so long that single values would be a
//! blot.

use bakau_dashboards::chart::{Point, Spread};
use bakau_model::{Flag, UtcMillis};
use jiff::{ToSpan as _, Unit, ZonedRound, tz::TimeZone};

use crate::query::Span;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Longest chart of single values, and of hourly means.
const SINGLE_MS: i64 = 10 * DAY_MS;
const HOURLY_MS: i64 = 100 * DAY_MS;

/// What a mean is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Hours of UTC.
    Hour,
    /// Civil days.
    Day(TimeZone),
}

impl Step {
    /// The step that suits a chart over `span`; `None` where single values do.
    pub(crate) fn of(span: Span, interval_ms: i64, zone: &TimeZone) -> Option<Self> {
        match span.to.since(span.from) {
            ..=SINGLE_MS => None,
            ..=HOURLY_MS => Some(Self::Hour),
            _ => Some(Self::Day(zone.clone())),
        }
        .filter(|step| 2 * interval_ms <= step.millis())
    }

    /// Length, or nearly so for days on which clocks change.
    pub(crate) const fn millis(&self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day(_) => DAY_MS,
        }
    }

    /// Start and end of the stretch that holds `at`.
    fn around(&self, at: UtcMillis) -> (UtcMillis, UtcMillis) {
        let plain = |length: i64| {
            let start = UtcMillis::new(at.get().div_euclid(length) * length);
            (start, start.saturating_add(length))
        };
        match self {
            Self::Hour => plain(HOUR_MS),
            Self::Day(zone) => civil_day(at, zone).unwrap_or_else(|| plain(DAY_MS)),
        }
    }
}

fn civil_day(at: UtcMillis, zone: &TimeZone) -> Option<(UtcMillis, UtcMillis)> {
    let start = at.to_jiff()?.to_zoned(zone.clone());
    let start = start.round(ZonedRound::new().smallest(Unit::Day).mode(jiff::RoundMode::Trunc)).ok()?;
    let end = start.checked_add(1.day()).ok()?;
    Some((start.timestamp().into(), end.timestamp().into()))
}

/// Collects values in order of time.
#[derive(Debug)]
pub(crate) struct Means {
    step: Step,
    current: Option<Stretch>,
    /// One mean for each stretch with a usable value.
    pub(crate) points: Vec<Point>,
    /// What they are means of.
    pub(crate) spreads: Vec<Spread>,
}

#[derive(Debug)]
struct Stretch {
    start: UtcMillis,
    end: UtcMillis,
    count: u32,
    sum: f64,
    low: f64,
    high: f64,
}

impl Means {
    /// Of stretches of that length.
    pub(crate) const fn new(step: Step) -> Self {
        Self { step, current: None, points: Vec::new(), spreads: Vec::new() }
    }

    /// Takes the next value; unusable ones count for nothing.
    pub(crate) fn push(&mut self, point: Point) {
        let Some(value) = point.value.filter(|value| value.is_finite() && point.flag.is_usable()) else { return };
        if self.current.as_ref().is_some_and(|stretch| stretch.end <= point.at) {
            self.close();
        }
        let stretch = self.current.get_or_insert_with(|| {
            let (start, end) = self.step.around(point.at);
            Stretch { start, end, count: 0, sum: 0.0, low: value, high: value }
        });
        (stretch.count, stretch.sum) = (stretch.count + 1, stretch.sum + value);
        (stretch.low, stretch.high) = (stretch.low.min(value), stretch.high.max(value));
    }

    /// Length of a stretch.
    pub(crate) const fn step_ms(&self) -> i64 {
        self.step.millis()
    }

    /// Closes the last stretch.
    pub(crate) fn finish(mut self) -> Self {
        self.close();
        self
    }

    fn close(&mut self) {
        let Some(stretch) = self.current.take() else { return };
        let at = stretch.start.saturating_add(stretch.end.since(stretch.start) / 2);
        let mean = stretch.sum / f64::from(stretch.count.max(1));
        self.points.push(Point { at, value: Some(mean), flag: Flag::NotEvaluated });
        self.spreads.push(Spread { at, low: stretch.low, high: stretch.high });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        UtcMillis::parse(text).unwrap()
    }

    fn means(step: Step, values: &[(&str, Option<f64>, Flag)]) -> Means {
        let mut means = Means::new(step);
        for (time, value, flag) in values {
            means.push(Point { at: at(time), value: *value, flag: *flag });
        }
        means.finish()
    }

    #[test]
    fn an_hour_has_the_mean_and_the_extremes_of_its_usable_values_in_its_middle() {
        let values = [
            ("2026-03-10T09:00:00Z", Some(1.0), Flag::Good),
            ("2026-03-10T09:20:00Z", Some(9.0), Flag::Suspect),
            ("2026-03-10T09:40:00Z", Some(500.0), Flag::Fail),
            ("2026-03-10T09:50:00Z", None, Flag::Missing),
            ("2026-03-10T11:00:00Z", Some(4.0), Flag::Good),
        ];
        let means = means(Step::Hour, &values);
        let found: Vec<_> = means.points.iter().map(|point| (point.at.to_string(), point.value)).collect();
        assert_eq!(found.len(), 2, "an hour without a value has no mean");
        assert_eq!(found[0], ("2026-03-10T09:30:00Z".to_owned(), Some(5.0)));
        assert_eq!(means.spreads[0], Spread { at: at("2026-03-10T09:30:00Z"), low: 1.0, high: 9.0 });
    }

    #[test]
    fn a_day_is_civil() {
        let zone = TimeZone::get("Asia/Jakarta").unwrap();
        let values = [("2026-03-09T16:59:00Z", Some(1.0), Flag::Good), ("2026-03-09T17:00:00Z", Some(2.0), Flag::Good)];
        let means = means(Step::Day(zone), &values);
        let found: Vec<_> = means.points.iter().map(|point| point.at.to_string()).collect();
        assert_eq!(found, ["2026-03-09T05:00:00Z", "2026-03-10T05:00:00Z"], "midnight in Jakarta divides them");
    }

    #[test]
    fn long_charts_show_means_unless_values_are_rarer() {
        let span = |days: i64| Span { from: UtcMillis::new(0), to: UtcMillis::new(days * DAY_MS) };
        let zone = TimeZone::UTC;
        assert_eq!(Step::of(span(7), 60_000, &zone), None);
        assert_eq!(Step::of(span(30), 60_000, &zone), Some(Step::Hour));
        assert_eq!(Step::of(span(365), 60_000, &zone), Some(Step::Day(TimeZone::UTC)));
        assert_eq!(Step::of(span(30), HOUR_MS, &zone), None);
    }
}
