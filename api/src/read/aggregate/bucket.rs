//! Buckets of time: fixed steps counted from local midnight, civil days, months and years in a zone.
//!
//! Buckets tile a range without gap or overlap, whatever the zone does: a day of a clock change has 23 or 25 hours, and
//! a fixed step that meets the end of such a day is cut there, so that every day starts with a new bucket.

use bakau_answers::BucketStep;
use bakau_model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMillis};
use jiff::{Timestamp, Zoned, civil, tz::TimeZone};

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A fixed length that divides a day of 24 hours, counted from local midnight.
    Fixed {
        /// Milliseconds.
        ms: i64,
    },
    /// A civil day.
    Day,
    /// A civil month.
    Month,
    /// A civil year.
    Year,
}

impl From<BucketStep> for Step {
    fn from(step: BucketStep) -> Self {
        match step {
            BucketStep::FiveMinutes => Self::Fixed { ms: 5 * MINUTE_MS },
            BucketStep::QuarterHour => Self::Fixed { ms: 15 * MINUTE_MS },
            BucketStep::Hour => Self::Fixed { ms: HOUR_MS },
            BucketStep::ThreeHours => Self::Fixed { ms: 3 * HOUR_MS },
            BucketStep::EightHours => Self::Fixed { ms: 8 * HOUR_MS },
            BucketStep::Day => Self::Day,
            BucketStep::Month => Self::Month,
            BucketStep::Year => Self::Year,
        }
    }
}

impl Step {
    /// The shortest such a bucket can be, for an upper bound of their number before any is made.
    pub(crate) const fn least_ms(self) -> i64 {
        match self {
            Self::Fixed { ms } => ms,
            Self::Day => 22 * HOUR_MS,
            Self::Month => 27 * DAY_MS,
            Self::Year => 364 * DAY_MS,
        }
    }

    /// The longest such a bucket can be: further apart than this, two buckets are no neighbours.
    pub(crate) const fn most_ms(self) -> i64 {
        match self {
            Self::Fixed { ms } => ms,
            Self::Day => 26 * HOUR_MS,
            Self::Month => 32 * DAY_MS,
            Self::Year => 367 * DAY_MS,
        }
    }

    /// The bucket an instant is in; `None` at the ends of the calendar.
    pub(crate) fn bucket_of(self, at: UtcMillis, zone: &TimeZone) -> Option<Bucket> {
        let today = at.to_jiff()?.to_zoned(zone.clone()).date();
        let tomorrow = today.tomorrow().ok()?;
        // Where a clock goes back over midnight (Newfoundland until 2011) the end of a day comes twice: the new day has begun
        // all the same.
        let date = if start_of(tomorrow, zone)? <= at { tomorrow } else { today };
        let (first, next) = match self {
            Self::Fixed { .. } | Self::Day => (date, date.tomorrow().ok()?),
            Self::Month => (date.first_of_month(), date.last_of_month().tomorrow().ok()?),
            Self::Year => (date.first_of_year(), date.last_of_year().tomorrow().ok()?),
        };
        let (start, end) = (start_of(first, zone)?, start_of(next, zone)?);
        // A zone that skipped a civil day (Samoa in 2011) gives it no length; the instant is in the day it belongs to.
        let bucket = Bucket { start, end };
        match self {
            Self::Fixed { ms } => {
                let steps = at.since(start).div_euclid(ms);
                let start = start.saturating_add(steps * ms);
                Some(Bucket { start, end: start.saturating_add(ms).min(end) })
            }
            Self::Day | Self::Month | Self::Year => Some(bucket),
        }
    }
}

/// First instant of a civil day: midnight, or the first moment after it where a clock change skips midnight.
fn start_of(day: civil::Date, zone: &TimeZone) -> Option<UtcMillis> {
    let zoned: Zoned = day.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some(Timestamp::from(zoned).into())
}

/// One bucket, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// First instant.
    pub(crate) start: UtcMillis,
    /// First instant after it.
    pub(crate) end: UtcMillis,
}

impl Bucket {
    /// The part of it that lies in `[from, to)`; of no length where there is none.
    pub(crate) fn part(&self, from: UtcMillis, to: UtcMillis) -> Self {
        let start = self.start.max(from).min(self.end);
        Self { start, end: self.end.min(to).max(start) }
    }

    /// How many observations `interval_ms` apart are expected in it.
    pub(crate) fn expected(&self, interval_ms: i64) -> u64 {
        u64::try_from(self.end.since(self.start) / interval_ms.max(1)).unwrap_or(0)
    }

    /// The instant in the middle of it.
    pub(crate) fn middle(&self) -> UtcMillis {
        self.start.saturating_add(self.end.since(self.start) / 2)
    }
}

/// The zone of a name; `None` where the zone database does not know it.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Half and quarter hours, clock changes at and off midnight, a skipped day, no change at all.
    const ZONES: [&str; 12] = [
        "Asia/Jakarta",
        "Asia/Makassar",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Australia/Adelaide",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Pacific/Apia",
        "Pacific/Chatham",
        "Europe/London",
        "UTC",
    ];

    fn at(text: &str) -> UtcMillis {
        UtcMillis::parse(text).unwrap()
    }

    #[test]
    fn a_day_whose_end_comes_twice_has_ended_the_first_time() {
        let newfoundland = zone("America/St_Johns").unwrap();
        let second = Step::Day.bucket_of(at("2002-10-27T03:29:59Z"), &newfoundland).unwrap();
        assert_eq!(second, Bucket { start: at("2002-10-27T02:30:00Z"), end: at("2002-10-28T03:30:00Z") });
        let before = Step::Day.bucket_of(at("2002-10-27T02:29:59Z"), &newfoundland).unwrap();
        assert_eq!(before.end, second.start);
    }

    #[test]
    fn a_day_in_jakarta_starts_at_seventeen_hours_utc_the_day_before() {
        let bucket = Step::Day.bucket_of(at("2026-03-10T03:00:00Z"), &zone("Asia/Jakarta").unwrap()).unwrap();
        assert_eq!(bucket, Bucket { start: at("2026-03-09T17:00:00Z"), end: at("2026-03-10T17:00:00Z") });
        assert_eq!(bucket.expected(300_000), 288);
    }

    #[test]
    fn days_of_a_clock_change_have_23_and_25_hours() {
        let london = zone("Europe/London").unwrap();
        let hours = |text| {
            let bucket = Step::Day.bucket_of(at(text), &london).unwrap();
            bucket.end.since(bucket.start) / HOUR_MS
        };
        assert_eq!((hours("2026-03-29T12:00:00Z"), hours("2026-10-25T12:00:00Z")), (23, 25));
        assert_eq!(hours("2026-06-01T12:00:00Z"), 24);
    }

    #[test]
    fn an_hour_of_a_zone_with_an_odd_offset_starts_at_its_own_full_hour() {
        let bucket =
            Step::Fixed { ms: HOUR_MS }.bucket_of(at("2026-03-10T00:20:00Z"), &zone("Asia/Kathmandu").unwrap());
        assert_eq!(bucket.unwrap().start, at("2026-03-10T00:15:00Z"));
    }

    #[test]
    fn a_bucket_cut_by_the_range_expects_only_its_part() {
        let bucket = Bucket { start: at("2026-03-10T00:00:00Z"), end: at("2026-03-10T01:00:00Z") };
        assert_eq!(bucket.part(at("2026-03-10T00:30:00Z"), at("2026-03-11T00:00:00Z")).expected(60_000), 30);
        assert_eq!(bucket.part(at("2026-03-10T02:00:00Z"), at("2026-03-11T00:00:00Z")).expected(60_000), 0);
        assert_eq!(bucket.part(at("2026-03-09T02:00:00Z"), at("2026-03-09T03:00:00Z")).expected(60_000), 0);
    }

    /// Every bucket from an instant on until another one: each holds its own ends and nothing lies between two.
    fn tile(step: Step, zone: &TimeZone, from: UtcMillis, to: UtcMillis) {
        let mut here = from;
        while here < to {
            let bucket = step.bucket_of(here, zone).unwrap();
            let name = zone.iana_name();
            assert!((bucket.start..bucket.end).contains(&here), "{name:?} {step:?}: {here} is not in {bucket:?}");
            assert_eq!(step.bucket_of(bucket.start, zone), Some(bucket), "{name:?} {step:?}: its start is elsewhere");
            let last = bucket.end.saturating_add(-1);
            assert_eq!(step.bucket_of(last, zone), Some(bucket), "{name:?} {step:?}: its end is elsewhere");
            here = bucket.end;
        }
    }

    #[test]
    fn buckets_tile_the_last_clock_changes_of_every_zone_there_is() {
        let now = at("2026-03-10T00:00:00Z");
        let mut changes = 0;
        for name in jiff::tz::db().available() {
            let zone = zone(name.as_str()).unwrap();
            for change in zone.preceding(now.to_jiff().unwrap()).take(2) {
                let change = UtcMillis::from(change.timestamp());
                changes += 1;
                for (word, step) in BucketStep::ALL.map(|step| (step.key(), Step::from(step))) {
                    let around = if word == "5m" { 2 * HOUR_MS } else { 30 * HOUR_MS };
                    tile(step, &zone, change.saturating_add(-around), change.saturating_add(around));
                }
            }
        }
        assert!(500 < changes, "only {changes} clock changes were tried");
    }

    proptest! {
        #[test]
        fn buckets_tile_time_without_gap_or_overlap(
            zone_at in 0..ZONES.len(), step_at in 0..BucketStep::ALL.len(), start_s in 1_000_000_000_i64..1_900_000_000, count in 1..60
        ) {
            let (zone, step) = (zone(ZONES[zone_at]).unwrap(), Step::from(BucketStep::ALL[step_at]));
            let mut here = UtcMillis::new(start_s * 1_000);
            for _ in 0..count {
                let bucket = step.bucket_of(here, &zone).unwrap();
                prop_assert!((bucket.start..bucket.end).contains(&here), "{here} is not in {bucket:?}");
                prop_assert_eq!(step.bucket_of(bucket.start, &zone), Some(bucket), "its start is in another one");
                prop_assert_eq!(step.bucket_of(bucket.end.saturating_add(-1), &zone), Some(bucket), "its end is in another one");
                here = bucket.end;
            }
        }

        #[test]
        fn civil_buckets_are_as_long_as_said(
            zone_at in 0..ZONES.len(), start_s in 1_000_000_000_i64..1_900_000_000
        ) {
            let zone = zone(ZONES[zone_at]).unwrap();
            for step in [Step::Day, Step::Month, Step::Year] {
                let bucket = step.bucket_of(UtcMillis::new(start_s * 1_000), &zone).unwrap();
                let length = bucket.end.since(bucket.start);
                prop_assert!((step.least_ms()..=step.most_ms()).contains(&length), "{step:?} {bucket:?}");
            }
        }
    }
}
