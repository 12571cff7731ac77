//! Axes: which values and instants get a tick, and what stands beside it.

use bakau_model::{DAY_MS, Language, MINUTE_MS, UtcMillis};
use bakau_text::format;
use jiff::{
    ToSpan, Unit as Span, Zoned,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// Values beyond this are drawn at it: far outside anything measured, and safe to calculate with.
pub(super) const FAR: f64 = 1e15;
/// Axes with wider numbers use powers of ten.
const PLAIN: f64 = 1e7;
/// More ticks than any axis has room for; bounds the loops.
const MAX_TICKS: usize = 40;

/// A value axis.
#[derive(Debug, Clone)]
pub(super) struct ValueAxis {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// The axis for values between `low` and `high` with about `room` ticks and at most that many decimals.
pub(super) fn value_axis(low: f64, high: f64, room: usize, decimals: u8, language: Language) -> ValueAxis {
    let finest = 10f64.powi(-i32::from(decimals.min(9)));
    let size = low.abs().max(high.abs());
    let span = (high - low).max(finest * 2.0).max(size * 1e-6);
    let middle = low / 2.0 + high / 2.0;
    let (low, high) = (low.min(middle - span / 2.0), high.max(middle + span / 2.0));
    let step = nice_step((high - low) / room.clamp(2, 12) as f64).max(finest);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    let places = (-step.log10()).ceil().clamp(0.0, 9.0) as u8;
    let count = (last - first).clamp(1.0, MAX_TICKS as f64) as usize;
    let ticks = (0..=count).map(|index| (first + index as f64) * step);
    let ticks = ticks.map(|value| (value, axis_number(value, size, places, language))).collect();
    ValueAxis { min: first * step, max: last * step, ticks }
}

fn axis_number(value: f64, size: f64, places: u8, language: Language) -> String {
    if size < PLAIN {
        return format::number(value, places, language);
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.parse().map_or_else(|_| digits.to_owned(), |digits| format::shortest(digits, language));
    format!("{digits}e{power}")
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power);
    nice.into_iter().find(|step| rough <= *step * 1.000_001).unwrap_or(10.0 * power)
}

/// An instant on the time axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeTick {
    pub(super) at: UtcMillis,
    pub(super) label: String,
    /// Start of a day (or of a month where ticks are days apart): drawn stronger.
    pub(super) strong: bool,
}

#[derive(Clone, Copy)]
enum TimeStep {
    Minutes(i64),
    Days(i64),
    Months(i64),
}

const STEPS: &[TimeStep] = &[
    TimeStep::Minutes(1),
    TimeStep::Minutes(2),
    TimeStep::Minutes(5),
    TimeStep::Minutes(10),
    TimeStep::Minutes(15),
    TimeStep::Minutes(30),
    TimeStep::Minutes(60),
    TimeStep::Minutes(120),
    TimeStep::Minutes(180),
    TimeStep::Minutes(360),
    TimeStep::Minutes(720),
    TimeStep::Days(1),
    TimeStep::Days(2),
    TimeStep::Days(5),
    TimeStep::Days(7),
    TimeStep::Days(14),
    TimeStep::Months(1),
    TimeStep::Months(2),
    TimeStep::Months(3),
    TimeStep::Months(6),
    TimeStep::Months(12),
    TimeStep::Months(24),
    TimeStep::Months(60),
    TimeStep::Months(120),
    TimeStep::Months(600),
    TimeStep::Months(2400),
];

impl TimeStep {
    const fn millis(self) -> i64 {
        match self {
            Self::Minutes(minutes) => minutes * MINUTE_MS,
            Self::Days(days) => days * DAY_MS,
            Self::Months(months) => months * 30 * DAY_MS,
        }
    }
}

/// Ticks at round civil times, at most `room` of them.
pub(super) fn time_ticks(
    from: UtcMillis,
    to: UtcMillis,
    room: usize,
    zone: &TimeZone,
    language: Language,
) -> Vec<TimeTick> {
    let span = to.since(from);
    let room = i64::try_from(room.clamp(2, MAX_TICKS)).unwrap_or(2);
    let step = STEPS.iter().copied().find(|step| span / step.millis() < room);
    let Some(step) = step else { return Vec::new() };
    let Some(start) = from.to_jiff().map(|stamp| stamp.to_zoned(zone.clone())) else { return Vec::new() };
    let mut ticks: Vec<TimeTick> = Vec::new();
    let mut next = first_tick(&start, step);
    for _ in 0..4 * MAX_TICKS {
        let Some(civil) = next else { break };
        let Ok(zoned) = civil.to_zoned(zone.clone()) else { break };
        let at = UtcMillis::from(zoned.timestamp());
        if to < at {
            break;
        }
        // A civil time that a clock change skips or repeats gives an instant that is not later; it is left out.
        if from <= at && ticks.last().is_none_or(|last| last.at < at) {
            ticks.push(tick(at, &zoned, step, language));
        }
        next = following(civil, step);
    }
    ticks
}

fn first_tick(start: &Zoned, step: TimeStep) -> Option<DateTime> {
    let midnight = DateTime::from_parts(start.date(), jiff::civil::Time::midnight());
    match step {
        TimeStep::Minutes(_) => Some(midnight),
        TimeStep::Days(days) => {
            let anchor = Date::constant(2024, 1, 1); // a Monday, so that weeks start on one
            let since = i64::from((start.date() - anchor).get_days());
            midnight.checked_sub(since.rem_euclid(days).days()).ok()
        }
        TimeStep::Months(months) => {
            let since = i64::from(start.year()) * 12 + i64::from(start.month()) - 1;
            let month = midnight.date().first_of_month();
            month.checked_sub(since.rem_euclid(months).months()).ok().map(|date| date.at(0, 0, 0, 0))
        }
    }
}

fn following(civil: DateTime, step: TimeStep) -> Option<DateTime> {
    match step {
        TimeStep::Minutes(minutes) => civil.checked_add(minutes.minutes()).ok(),
        TimeStep::Days(days) => civil.checked_add(days.days()).ok(),
        TimeStep::Months(months) => civil.checked_add(months.months()).ok(),
    }
}

fn tick(at: UtcMillis, zoned: &Zoned, step: TimeStep, language: Language) -> TimeTick {
    let midnight = zoned.hour() == 0 && zoned.minute() == 0;
    let (label, strong) = match step {
        TimeStep::Minutes(_) if !midnight => (format::clock(zoned, language), false),
        TimeStep::Minutes(_) => (format::short_date(zoned, language), true),
        TimeStep::Days(_) => (format::short_date(zoned, language), zoned.day() == 1),
        TimeStep::Months(months) if months < 12 => (format::short_month(zoned, language), zoned.month() == 1),
        TimeStep::Months(_) => (zoned.year().to_string(), false),
    };
    TimeTick { at, label, strong }
}

/// `9 Mar 16.00 – 10 Mar 2026 16.00 WIB`: what the time axis covers, in civil time.
pub(super) fn covered(from: UtcMillis, to: UtcMillis, zone: &TimeZone, language: Language) -> String {
    let zoned = |at: UtcMillis| at.to_jiff().map(|stamp| stamp.to_zoned(zone.clone()));
    let (Some(from), Some(to)) = (zoned(from), zoned(to)) else { return String::new() };
    // The nearest minute: axes often end at "now".
    let round = |zoned: Zoned| zoned.round(Span::Minute).unwrap_or(zoned);
    let (from, to) = (round(from), round(to));
    let clock = |zoned: &Zoned| format::clock(zoned, language);
    let year = if from.year() == to.year() { String::new() } else { format!(" {}", from.year()) };
    let start = format!("{}{year} {}", format::short_date(&from, language), clock(&from));
    let end_date = format!("{} {} ", format::short_date(&to, language), to.year());
    format!("{start} – {end_date}{} {}", clock(&to), format::zone_name(&to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        UtcMillis::parse(text).unwrap()
    }

    fn labels(from: &str, to: &str, room: usize) -> Vec<String> {
        let zone = TimeZone::get("Asia/Jakarta").unwrap();
        let ticks = time_ticks(at(from), at(to), room, &zone, Language::Id);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn a_day_has_ticks_at_round_local_hours_and_a_date_at_local_midnight() {
        let labels = labels("2026-03-09T09:00:00Z", "2026-03-10T09:00:00Z", 8);
        assert_eq!(labels, ["18.00", "10 Mar", "06.00", "12.00"]);
    }

    #[test]
    fn a_week_has_a_tick_at_each_local_midnight() {
        let labels = labels("2026-03-03T09:00:00Z", "2026-03-10T09:00:00Z", 8);
        assert_eq!(labels, ["4 Mar", "5 Mar", "6 Mar", "7 Mar", "8 Mar", "9 Mar", "10 Mar"]);
    }

    #[test]
    fn a_year_has_ticks_at_months() {
        assert_eq!(labels("2025-03-01T00:00:00Z", "2026-03-01T00:00:00Z", 6), ["Apr", "Jul", "Okt", "Jan"]);
    }

    #[test]
    fn value_ticks_are_round_numbers_around_the_data() {
        let axis = value_axis(4.12, 7.9, 5, 2, Language::Id);
        let labels: Vec<_> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["4", "5", "6", "7", "8"]);
    }

    #[test]
    fn a_constant_series_still_has_an_axis_with_different_labels() {
        let axis = value_axis(5.1, 5.1, 5, 2, Language::Id);
        assert!(axis.min < 5.1 && 5.1 < axis.max);
        let mut labels: Vec<_> = axis.ticks.iter().map(|(_, label)| label.clone()).collect();
        labels.dedup();
        assert_eq!(labels.len(), axis.ticks.len());
    }

    #[test]
    fn what_the_axis_covers_is_said_in_local_time_with_the_zone() {
        let zone = TimeZone::get("Asia/Jakarta").unwrap();
        let text = covered(at("2026-03-09T09:00:00Z"), at("2026-03-10T09:00:00Z"), &zone, Language::Id);
        assert_eq!(text, "9 Mar 16.00 – 10 Mar 2026 16.00 WIB");
    }
}
