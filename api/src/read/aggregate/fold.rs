//! From observations in order of time to one summary per bucket, in memory that does not grow.

use bakau_answers::Statistic;
use bakau_model::{Decimal, Flag, UtcMillis};
use bakau_registry::Datastream;
use bakau_store::{Hour, Sum};
use jiff::tz::TimeZone;

use super::bucket::{Bucket, Step};
use crate::http::query::Span;

/// How values of a parameter are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Arithmetic mean.
    Mean,
    /// Directions in degrees: the direction of the mean unit vector.
    Direction,
    /// Amounts per interval, such as rain: the sum stands where the mean would.
    Sum,
    /// Increments of a counter: their sum, as decimals.
    Counted,
    /// Levels in decibels: the mean of the energies.
    Energy,
}

impl Kind {
    /// The kind of a datastream: a counter, or by parameter and canonical unit (UCUM).
    pub(crate) fn of(datastream: &Datastream) -> Self {
        if datastream.counter().is_some() {
            return Self::Counted;
        }
        Self::of_parameter(datastream.parameter.as_str(), datastream.unit.as_str())
    }

    fn of_parameter(parameter: &str, unit: &str) -> Self {
        match (parameter, unit) {
            (_, "deg") => Self::Direction,
            (_, "dB" | "B[SPL]" | "dB[SPL]") => Self::Energy,
            ("rain" | "rainfall" | "precipitation" | "water_volume" | "energy", _) => Self::Sum,
            _ => Self::Mean,
        }
    }

    /// What answers call it.
    pub(crate) const fn statistic(self) -> Statistic {
        match self {
            Self::Mean => Statistic::Mean,
            Self::Direction => Statistic::VectorMean,
            Self::Sum | Self::Counted => Statistic::Sum,
            Self::Energy => Statistic::EnergyMean,
        }
    }
}

/// What is known of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// The bucket.
    pub(crate) bucket: Bucket,
    /// Mean, sum or direction (see [`Kind`]) of the usable values; `None` where there is none, or no direction prevails.
    pub(crate) value: Option<f64>,
    /// Least usable value.
    pub(crate) min: Option<f64>,
    /// Greatest usable value.
    pub(crate) max: Option<f64>,
    /// Usable values.
    pub(crate) count: u64,
    /// How many of the expected intervals they stand for.
    pub(crate) covered: f64,
    /// Observations expected in [`Summary::part`].
    pub(crate) expected: u64,
    /// The part of the bucket that was asked for, is over, and in which the datastream was there; of no length where
    /// there is none.
    pub(crate) part: Bucket,
}

impl Summary {
    /// Whether it is about less than its whole bucket.
    pub(crate) fn is_partial(&self) -> bool {
        self.part != self.bucket
    }

    /// Share of the expected intervals that usable values stand for, at most 1; `None` where none was expected.
    pub(crate) fn completeness(&self) -> Option<f64> {
        (0 < self.expected).then(|| (self.covered / self.expected as f64).min(1.0))
    }
}

/// What is being added up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// Length of the buckets.
    pub(crate) step: Step,
    /// How values are put together.
    pub(crate) kind: Kind,
    /// Expected milliseconds between observations.
    pub(crate) interval_ms: i64,
    /// What was asked for.
    pub(crate) span: Span,
    /// The part of it that is over and in which the datastream was there: nothing is expected of the rest.
    pub(crate) expects: Span,
    /// Count only values that passed every test.
    pub(crate) good_only: bool,
}

/// Takes observations in order of time and gives a summary for every bucket of the range, empty ones included.
#[derive(Debug)]
pub(crate) struct Folder {
    plan: Plan,
    zone: TimeZone,
    current: Option<Open>,
    /// The usable value before.
    last: Option<UtcMillis>,
    done: Vec<Summary>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    bucket: Bucket,
    count: u64,
    /// Milliseconds that the values stand for.
    covered_ms: i64,
    min: f64,
    max: f64,
    /// Sum of values or energies, or of sines.
    sum: Sum,
    /// Sum of cosines.
    cosines: f64,
    /// Sum of increments, as long as it can be exact.
    counted: Option<Decimal>,
}

impl Folder {
    /// For a range whose buckets lie in `zone`.
    pub(crate) fn new(plan: Plan, zone: TimeZone) -> Self {
        let current = plan.step.bucket_of(plan.span.from, &zone).map(Open::new);
        Self { plan, zone, current, last: None, done: Vec::new() }
    }

    /// How it puts values together.
    pub(crate) const fn kind(&self) -> Kind {
        self.plan.kind
    }

    /// Takes the next observation.
    pub(crate) fn push(&mut self, at: UtcMillis, value: Option<f64>, flag: Flag) {
        self.advance(at);
        let wanted = if self.plan.good_only { flag == Flag::Good } else { flag.is_usable() };
        let Some(value) = value.filter(|value| wanted && value.is_finite()) else { return };
        let covered_ms = self.stands_for(at);
        if let Some(open) = &mut self.current {
            open.covered_ms = open.covered_ms.saturating_add(covered_ms);
            open.add(value, self.plan.kind);
        }
    }

    /// Takes an hour behind everything taken so far; false, and nothing is taken, where single values would say more: at
    /// the edge of a bucket that is no whole hour, or when values lie closer than expected.
    pub(crate) fn push_hour(&mut self, hour: &Hour) -> bool {
        self.advance(hour.start);
        let interval = self.plan.interval_ms.max(1);
        let end = hour.start.saturating_add(Hour::MS);
        let Some(open) = self.current.as_mut().filter(|open| open.bucket.start <= hour.start && end <= open.bucket.end)
        else {
            return false;
        };
        if hour.usable == 0 {
            return true;
        }
        if hour.gap_ms < interval - interval / 4 {
            return false;
        }
        self.last = hour.last_at;
        open.count += hour.usable;
        let covered_ms = i64::try_from(hour.usable).unwrap_or(i64::MAX).saturating_mul(interval);
        open.covered_ms = open.covered_ms.saturating_add(covered_ms);
        open.min = open.min.min(hour.min);
        open.max = open.max.max(hour.max);
        open.sum.join(hour.sum);
        true
    }

    /// The time that a usable value stands for: the interval, or the time since the one before where a station sends more
    /// often than it must, so that many values of one hour do not hide that there are none of the next. A quarter of
    /// the interval is what arrival may be early.
    fn stands_for(&mut self, at: UtcMillis) -> i64 {
        let interval = self.plan.interval_ms.max(1);
        let since = self.last.replace(at).map_or(interval, |last| at.since(last));
        if since < interval - interval / 4 { since } else { interval }
    }

    /// Every summary, earliest first.
    pub(crate) fn finish(mut self) -> Vec<Summary> {
        let last = self.plan.span.to.saturating_add(-1);
        self.advance(last);
        let open = self.current.take();
        self.done.extend(open.map(|open| open.summary(&self.plan)));
        self.done
    }

    /// Closes buckets until the current one holds `at`.
    fn advance(&mut self, at: UtcMillis) {
        while let Some(open) = self.current.filter(|open| open.bucket.end <= at) {
            self.done.push(open.summary(&self.plan));
            self.current = self.plan.step.bucket_of(open.bucket.end, &self.zone).map(Open::new);
        }
    }
}

impl Open {
    const fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            count: 0,
            covered_ms: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: Sum::ZERO,
            cosines: 0.0,
            counted: Some(Decimal::ZERO),
        }
    }

    fn add(&mut self, value: f64, kind: Kind) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let part = match kind {
            Kind::Mean | Kind::Sum => value,
            Kind::Counted => {
                self.counted = self.counted.zip(Decimal::of(value)).and_then(|(sum, part)| sum.plus(part));
                value
            }
            Kind::Energy => 10_f64.powf(value / 10.0),
            Kind::Direction => {
                let radians = value.to_radians();
                self.cosines += radians.cos();
                radians.sin()
            }
        };
        self.sum.add(part);
    }

    fn summary(&self, plan: &Plan) -> Summary {
        let any = 0 < self.count;
        let (sum, count) = (self.sum.value(), self.count as f64);
        let value = any.then(|| match plan.kind {
            Kind::Mean => Some(sum / count),
            Kind::Sum => Some(sum),
            Kind::Counted => Some(self.counted.map_or(sum, Decimal::value)),
            Kind::Energy => Some(10.0 * (sum / count).log10()),
            Kind::Direction => direction(sum / count, self.cosines / count),
        });
        let part = self.bucket.part(plan.expects.from.max(plan.span.from), plan.expects.to.min(plan.span.to));
        Summary {
            bucket: self.bucket,
            value: value.flatten(),
            min: any.then_some(self.min),
            max: any.then_some(self.max),
            count: self.count,
            covered: self.covered_ms as f64 / plan.interval_ms.max(1) as f64,
            expected: part.expected(plan.interval_ms),
            part,
        }
    }
}

/// Degrees of a mean vector; `None` where the directions cancel each other out.
fn direction(sine: f64, cosine: f64) -> Option<f64> {
    (1e-9 < sine.hypot(cosine)).then(|| {
        let degrees = sine.atan2(cosine).to_degrees().rem_euclid(360.0);
        // The remainder of a tiny negative angle rounds to 360.
        if degrees < 360.0 { degrees } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use bakau_model::HOUR_MS;
    use proptest::prelude::*;

    use super::*;
    use crate::read::aggregate::bucket;
    use bakau_answers::BucketStep;

    fn plan(kind: Kind) -> Plan {
        let from = UtcMillis::parse("2026-03-10T00:00:00+07:00").unwrap();
        let span = Span { from, to: from.saturating_add(3 * HOUR_MS) };
        Plan { step: Step::Fixed { ms: HOUR_MS }, kind, interval_ms: 600_000, span, expects: span, good_only: false }
    }

    fn fold(plan: Plan, values: &[(i64, Option<f64>, Flag)]) -> Vec<Summary> {
        let mut folder = Folder::new(plan, bucket::zone("Asia/Jakarta").unwrap());
        for (minutes, value, flag) in values {
            folder.push(plan.span.from.saturating_add(minutes * 60_000), *value, *flag);
        }
        folder.finish()
    }

    #[test]
    fn empty_buckets_are_there_and_completeness_counts_usable_values() {
        let good = Flag::Good;
        let found = fold(
            plan(Kind::Mean),
            &[
                (0, Some(1.0), good),
                (10, Some(3.0), Flag::Suspect),
                (20, Some(99.0), Flag::Fail),
                (130, None, Flag::Missing),
            ],
        );
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].value, found[0].min, found[0].max), (Some(2.0), Some(1.0), Some(3.0)));
        assert_eq!((found[0].count, found[0].expected, found[0].completeness()), (2, 6, Some(2.0 / 6.0)));
        assert_eq!((found[1].value, found[1].count, found[2].count), (None, 0, 0));
        let strict = Plan { good_only: true, ..plan(Kind::Mean) };
        assert_eq!(fold(strict, &[(0, Some(1.0), good), (10, Some(3.0), Flag::Suspect)])[0].count, 1);
    }

    #[test]
    fn many_values_of_half_an_hour_do_not_hide_that_the_other_half_has_none() {
        // Expected every ten minutes, sent every minute: for the first half of the second hour only.
        let every_minute = |minutes: std::ops::Range<i64>| minutes.map(|minute| (minute, Some(1.0), Flag::Good));
        let values: Vec<_> = every_minute(0..90).collect();
        let found = fold(plan(Kind::Mean), &values);
        let completeness: Vec<_> = found.iter().map(|summary| summary.completeness().unwrap()).collect();
        assert_eq!((found[1].count, found[1].expected), (30, 6));
        assert_eq!(completeness, [1.0, 0.5, 0.0]);
        // Two minutes early or late is still the interval.
        let jitter = [0, 12, 20, 32, 40, 52].map(|minute| (minute, Some(1.0), Flag::Good));
        assert_eq!(fold(plan(Kind::Mean), &jitter)[0].completeness(), Some(1.0));
    }

    #[test]
    fn directions_around_north_do_not_average_to_south() {
        let found = fold(plan(Kind::Direction), &[(0, Some(350.0), Flag::Good), (10, Some(20.0), Flag::Good)]);
        assert!((found[0].value.unwrap() - 5.0).abs() < 1e-9);
        let opposed = fold(plan(Kind::Direction), &[(0, Some(90.0), Flag::Good), (10, Some(270.0), Flag::Good)]);
        assert_eq!(opposed[0].value, None);
    }

    #[test]
    fn rain_is_summed_and_noise_averaged_as_energy() {
        let rain = fold(plan(Kind::Sum), &[(0, Some(1.5), Flag::Good), (10, Some(2.0), Flag::Good)]);
        assert_eq!(rain[0].value, Some(3.5));
        let noise = fold(plan(Kind::Energy), &[(0, Some(60.0), Flag::Good), (10, Some(70.0), Flag::Good)]);
        assert!((noise[0].value.unwrap() - 67.403_627).abs() < 1e-5);
        let of = Kind::of_parameter;
        assert_eq!((of("wind_direction", "deg"), of("rain", "mm")), (Kind::Direction, Kind::Sum));
    }

    #[test]
    fn increments_add_up_as_decimals_and_what_is_not_known_counts_as_nothing() {
        let found = fold(
            plan(Kind::Counted),
            &[
                (0, Some(0.1), Flag::Good),
                (10, None, Flag::Suspect),
                (20, Some(0.2), Flag::NotEvaluated),
                (30, Some(99.0), Flag::Fail),
            ],
        );
        assert_ne!(0.1 + 0.2, 0.3, "what doubles say");
        assert_eq!((found[0].value, found[0].count, found[0].max), (Some(0.3), 2, Some(0.2)));
    }

    #[test]
    fn what_is_not_over_or_before_the_datastream_was_there_expects_nothing_and_is_partial() {
        let whole = plan(Kind::Mean);
        let (from, to) =
            (whole.span.from.saturating_add(HOUR_MS / 2), whole.span.from.saturating_add(HOUR_MS + HOUR_MS / 3));
        let found = fold(
            Plan { expects: Span { from, to }, ..whole },
            &[(40, Some(1.0), Flag::Good), (70, Some(1.0), Flag::Good)],
        );
        let said: Vec<_> = found.iter().map(|summary| (summary.expected, summary.is_partial())).collect();
        assert_eq!(said, [(3, true), (2, true), (0, true)]);
        assert_eq!(found.iter().map(Summary::completeness).collect::<Vec<_>>(), [Some(1.0 / 3.0), Some(0.5), None]);
        assert!(fold(whole, &[]).iter().all(|summary| !summary.is_partial() && summary.expected == 6));
    }

    proptest! {
        #[test]
        fn every_usable_value_is_counted_once(
            values in prop::collection::vec((0_i64..180, -1e6_f64..1e6), 0..200), step in 0..BucketStep::ALL.len()
        ) {
            let mut values = values;
            values.sort_by_key(|value| value.0);
            let plan = Plan { step: Step::from(BucketStep::ALL[step]), ..plan(Kind::Mean) };
            let rows: Vec<_> = values.iter().map(|(minutes, value)| (*minutes, Some(*value), Flag::Good)).collect();
            let found = fold(plan, &rows);
            prop_assert_eq!(found.iter().map(|summary| summary.count).sum::<u64>(), values.len() as u64);
            let total: f64 = found.iter().filter_map(|summary| Some(summary.value? * summary.count as f64)).sum();
            let expected: f64 = values.iter().map(|value| value.1).sum();
            prop_assert!((total - expected).abs() < 1e-3, "{total} is not {expected}");
            prop_assert!(found.windows(2).all(|pair| pair[0].bucket.end == pair[1].bucket.start));
        }
    }
}
