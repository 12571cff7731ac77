//! One observation as a point: the only place that knows names, types and packing of the fields.
//!
//! All fields are written every time, because fields of an overwritten point merge one by one. A missing value is
//! [`MISSING`] with flag 9. `lag` is a whole number of milliseconds: as seconds with decimals it took 6.5 bytes more.
//! `meta` packs what hardly ever changes from one point to the next, so that it costs next to nothing on disk: the
//! results of the first four tests in 16 bits, 2 bits of time source, 32 bits of deployment, 13 bits of revision. `tests`
//! has the results of the other twelve in 48 bits; points written before there were more than four do not have it.
//! `increment` stands in the points of counters alone, [`UNKNOWN`] where it is not known.

use std::fmt::Write;

use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, TestResults, TimeSource, UtcMillis};

use crate::{
    SeriesPoint, StoredObservation,
    sqlite::row::{flag_of, increment, verdict},
};

/// The one measurement.
pub(crate) const MEASUREMENT: &str = "observation";

/// Content of the field `value` where the device had none: fields merge, so an absent one would keep its old value.
pub const MISSING: f64 = -9_999.0;

/// First and last instant that InfluxDB can hold: nanoseconds in 64 bits, in whole milliseconds.
pub const INSTANTS: (UtcMillis, UtcMillis) = (UtcMillis::new(-9_223_372_036_854), UtcMillis::new(9_223_372_036_854));

/// The field that points of an older format lack; 0 stands for it.
pub(super) const TESTS: &str = "tests";

/// The field that only the points of counters have.
pub(super) const INCREMENT: &str = "increment";

/// Content of the field `increment` where none is known: fields merge, and an increment is never negative.
pub(super) const UNKNOWN: f64 = -1.0;

/// Bits of test results in `meta`; the rest is in [`TESTS`].
const META_TESTS: u32 = 16;

/// Greatest revision that fits into `meta`.
const MAX_REVISION: u32 = (1 << 13) - 1;

/// Why a value cannot become a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// InfluxDB knows no such instant.
    #[error("the instant is outside the years 1677 to 2262")]
    Instant,
    /// Received absurdly long after it was observed.
    #[error("the time between observation and arrival is too long")]
    Lag,
    /// NaN or an infinity.
    #[error("the value is no finite number")]
    Value,
    /// More corrections than can be counted.
    #[error("the value was corrected more than 8,190 times")]
    Revision,
    /// A tag that line protocol cannot carry.
    #[error("the name of the station or parameter cannot be a tag")]
    Tag,
}

/// Whether instants and value can become a point at all.
pub(super) fn check(observation: &Observation) -> Result<(), Unfit> {
    if observation.observed_at < INSTANTS.0 || INSTANTS.1 < observation.observed_at {
        return Err(Unfit::Instant);
    }
    if observation.received_at.get().checked_sub(observation.observed_at.get()).is_none() {
        return Err(Unfit::Lag);
    }
    match observation.value {
        Some(value) if !value.is_finite() => Err(Unfit::Value),
        Some(_) | None => Ok(()),
    }
}

/// Measurement and tags of one datastream.
///
/// # Errors
/// When line protocol cannot carry one of the names.
pub fn series_key(station: &str, parameter: &str) -> Result<String, Unfit> {
    let mut key = MEASUREMENT.to_owned();
    for (name, value) in [("parameter", parameter), ("station", station)] {
        let broken = |c: char| c.is_control() || c == '\u{2028}';
        if value.is_empty()
            || value.ends_with('\\')
            || value.contains(broken)
            || value == "time"
            || value.starts_with('#')
        {
            return Err(Unfit::Tag);
        }
        key.push(',');
        key.push_str(name);
        key.push('=');
        for c in value.chars() {
            if matches!(c, ',' | '=' | ' ') {
                key.push('\\');
            }
            key.push(c);
        }
    }
    Ok(key)
}

/// Adds the line of a value; nothing when it fails. `counted`: the point says whether it has an increment, because one of
/// its series had one.
///
/// # Errors
/// When the value cannot be a point.
pub fn encode(series: &str, row: &StoredObservation, counted: bool, out: &mut String) -> Result<(), Unfit> {
    let observation = &row.observation;
    check(observation)?;
    if MAX_REVISION < row.revision {
        return Err(Unfit::Revision);
    }
    let lag = observation.received_at.since(observation.observed_at);
    let (value, flag) = (observation.value.unwrap_or(MISSING), observation.flag.code());
    let (meta, (_, tests), at) = (meta(row), split(row.tests.code()), observation.observed_at.get());
    // Shortest digits that read back as the same bits, with an exponent where that is shorter.
    let mut write = || {
        write!(out, "{series} value={value:?},flag={flag}i,lag={lag}i,meta={meta}i,{TESTS}={tests}i")?;
        if counted {
            write!(
                out,
                ",{INCREMENT}={:?}",
                row.increment.filter(|increment| increment.is_finite()).unwrap_or(UNKNOWN)
            )?;
        }
        writeln!(out, " {at}")
    };
    write().map_err(|_| Unfit::Value)
}

fn meta(row: &StoredObservation) -> i64 {
    let deployment = i64::from(row.observation.deployment.get());
    i64::from(row.revision) << 50
        | deployment << 18
        | i64::from(row.observation.time_source.code()) << 16
        | split(row.tests.code()).0
}

/// The code of all results as its parts in `meta` and in [`TESTS`].
const fn split(code: u64) -> (i64, i64) {
    ((code & ((1 << META_TESTS) - 1)).cast_signed(), (code >> META_TESTS).cast_signed())
}

/// The code of all results as SQLite holds it, from both fields; `None` where no code has such parts.
fn join(meta: i64, tests: i64) -> Option<i64> {
    let first = meta & ((1 << META_TESTS) - 1);
    (0..1 << (u64::BITS - META_TESTS)).contains(&tests).then_some(tests << META_TESTS | first)
}

/// Names of fields: `value`, then some of those that are whole numbers, in the order of [`RawPoint`], and [`INCREMENT`]
/// last where it is wanted.
pub(super) type Fields = &'static [&'static str];

/// A result type of queries, made of some fields of a point.
pub(super) trait Wanted: Sized + Send + 'static {
    /// The fields that it is made of; others are not asked for.
    const FIELDS: Fields;

    /// The point in our types, or what is wrong with it.
    fn check(point: &RawPoint, of: DatastreamId) -> Result<Self, &'static str>;
}

/// A point as the server gives it back, fields joined; 0 where a field was not asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RawPoint {
    /// The instant.
    pub(super) at: UtcMillis,
    /// Field `value`.
    pub(super) value: f64,
    /// Field `flag`.
    pub(super) flag: i64,
    /// Field `lag`.
    pub(super) lag: i64,
    /// Field `meta`.
    pub(super) meta: i64,
    /// Field `tests`; 0 in points of before.
    pub(super) tests: i64,
    /// Field `increment`, where there is one.
    pub(super) increment: Option<f64>,
}

impl Wanted for SeriesPoint {
    const FIELDS: Fields = &["value", "flag"];

    fn check(point: &RawPoint, _: DatastreamId) -> Result<Self, &'static str> {
        let flag = flag_of(point.flag)?;
        if !point.value.is_finite() {
            return Err("the value is no finite number");
        }
        Ok(Self { observed_at: point.at, value: (flag != Flag::Missing).then_some(point.value), flag })
    }
}

impl Wanted for StoredObservation {
    const FIELDS: Fields = &["value", "flag", "lag", "meta", TESTS, INCREMENT];

    fn check(point: &RawPoint, of: DatastreamId) -> Result<Self, &'static str> {
        let SeriesPoint { observed_at, value, flag } = SeriesPoint::check(point, of)?;
        let bits = point.meta;
        let (_, tests) = verdict(point.flag, join(bits, point.tests).ok_or("a test has no QARTOD code")?)?;
        let time_source = u8::try_from(bits >> 16 & 0x3).ok().and_then(TimeSource::from_code);
        let deployment =
            u32::try_from(bits >> 18 & 0xFFFF_FFFF).map_err(|_| "the deployment number is out of range")?;
        let revision = u32::try_from(bits >> 50).ok().filter(|&revision| revision != 0);
        let tests = if flag == Flag::Missing { TestResults::NONE } else { tests };
        let observation = Observation {
            datastream: of,
            observed_at,
            value,
            deployment: DeploymentId::new(deployment),
            time_source: time_source.ok_or("the time source is unknown")?,
            received_at: observed_at.saturating_add(point.lag),
            flag,
        };
        let revision = revision.ok_or("the revision is not positive")?;
        let increment = increment(point.increment.filter(|&increment| increment != UNKNOWN))?;
        Ok(Self { observation, revision, tests, increment })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use bakau_model::QualityTest;

    use super::*;
    use crate::conformance::observation;

    /// What a server that believes the line gives back.
    fn decode(line: &str) -> RawPoint {
        let (rest, at) = line.trim_end().rsplit_once(' ').unwrap();
        let (_, fields) = rest.rsplit_once(' ').unwrap();
        let field = |name: &str| {
            let found = fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap();
            found.trim_end_matches('i').to_owned()
        };
        let number = |name: &str| field(name).parse::<f64>().unwrap();
        let whole = |name: &str| field(name).parse::<i64>().unwrap();
        let at = UtcMillis::new(at.parse().unwrap());
        let (value, flag, lag) = (number("value"), whole("flag"), whole("lag"));
        let increment = fields.contains(INCREMENT).then(|| number(INCREMENT));
        RawPoint { at, value, flag, lag, meta: whole("meta"), tests: whole(TESTS), increment }
    }

    fn any_row() -> impl Strategy<Value = StoredObservation> {
        let instants = INSTANTS.0.get()..=INSTANTS.1.get();
        let value = proptest::option::of(proptest::num::f64::NORMAL | proptest::num::f64::ZERO);
        let lag = -1_000_000_000_000_000_i64..1_000_000_000_000_000;
        let increment = proptest::option::of(0.0_f64..1e9);
        (instants, value, lag, any::<u32>(), 0..3_usize, 1..=MAX_REVISION, any_results(), increment).prop_map(
            |(at, value, lag, deployment, source, revision, tests, increment)| {
                let tests = if value.is_some() { tests } else { TestResults::NONE };
                let observation = observation(7, at, value);
                let observation = Observation {
                    received_at: UtcMillis::new(at + lag),
                    deployment: DeploymentId::new(deployment),
                    time_source: TimeSource::ALL[source],
                    flag: if tests == TestResults::NONE { observation.flag } else { tests.aggregate() },
                    ..observation
                };
                StoredObservation { observation, revision, tests, increment }
            },
        )
    }

    /// What every test can say of a value that is there.
    fn any_results() -> impl Strategy<Value = TestResults> {
        let flags = [Flag::NotEvaluated, Flag::Good, Flag::Suspect, Flag::Fail];
        let each = prop::collection::vec(prop::sample::select(flags.to_vec()), QualityTest::ALL.len());
        each.prop_map(|flags| {
            let with = |results: TestResults, (test, flag)| results.with(test, flag);
            QualityTest::ALL.into_iter().zip(flags).fold(TestResults::NONE, with)
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was_written(row in any_row(), counted in any::<bool>()) {
            let (mut line, key) = (String::new(), series_key("s 1", "do@1,5").unwrap());
            let counted = counted || row.increment.is_some();
            encode(&key, &row, counted, &mut line).unwrap();
            prop_assert_eq!(line.contains(",increment="), counted, "only counters have the field");
            prop_assert_eq!(line.matches('\n').count(), 1);
            let (point, datastream) = (decode(&line), DatastreamId::new(7));
            prop_assert_eq!(StoredObservation::check(&point, datastream), Ok(row));
            // What was not asked for is not there.
            prop_assert_eq!(SeriesPoint::check(&RawPoint { lag: 0, meta: 0, tests: 0, increment: None, ..point }, datastream), Ok((&row).into()));
        }

        #[test]
        fn no_bit_of_sixteen_tests_is_dropped(code in any::<u64>(), other_bits in any::<i64>()) {
            let (meta, tests) = split(code);
            prop_assert_eq!(join(meta | other_bits << META_TESTS, tests), Some(code.cast_signed()));
            prop_assert_eq!(join(meta, tests | 1 << (u64::BITS - META_TESTS)), None, "of which test would that be?");
        }

        #[test]
        fn a_point_of_before_has_the_results_of_the_first_four_tests(row in any_row()) {
            let first_four = TestResults::from_code(row.tests.code() & 0xFFFF).unwrap();
            let (mut line, key) = (String::new(), series_key("s1", "do").unwrap());
            let flag = if first_four == TestResults::NONE { row.observation.flag } else { first_four.aggregate() };
            let observation = Observation { flag, ..row.observation };
            encode(&key, &StoredObservation { observation, tests: first_four, ..row }, false, &mut line).unwrap();
            // Their fields are the same but for the one that is absent, which reads as 0.
            prop_assert!(line.contains(",tests=0i "));
            let read = StoredObservation::check(&RawPoint { tests: 0, ..decode(&line) }, DatastreamId::new(7));
            prop_assert_eq!(read.map(|read| read.tests), Ok(first_four));
        }

        #[test]
        fn any_name_is_refused_or_stays_one_tag(name in ".*") {
            if let Ok(key) = series_key(&name, "do") {
                prop_assert!(!key.contains('\n') && !key.ends_with('\\'));
                let plain = key.replace("\\,", "").replace("\\=", "").replace("\\ ", "");
                prop_assert_eq!((plain.matches(',').count(), plain.matches('=').count()), (2, 2));
                prop_assert!(!plain.contains(' '));
            }
        }
    }

    #[test]
    fn what_line_protocol_cannot_carry_is_refused() {
        for name in ["", "a\nb", "a\\", "time", "#a"] {
            assert_eq!(series_key(name, "do"), Err(Unfit::Tag), "{name:?}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(check(&observation(1, 1, Some(value))), Err(Unfit::Value));
        }
        assert_eq!(check(&observation(1, INSTANTS.1.get() + 1, Some(1.0))), Err(Unfit::Instant));
        assert_eq!(
            check(&Observation { received_at: UtcMillis::new(i64::MAX), ..observation(1, -1, None) }),
            Err(Unfit::Lag)
        );
    }
}
