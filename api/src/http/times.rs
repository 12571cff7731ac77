//! Times as text, straight into an answer: RFC 3339 in UTC or in a zone, without an allocation per row.

use std::{io::Write as _, ops::Range};

use bakau_model::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UtcMillis};
use jiff::tz::TimeZone;

const MINUTE_S: i32 = 60;
/// Years that RFC 3339 can write; other instants are told as UTC the way the model displays them.
const YEARS: Range<i16> = 0..10_000;

/// Writes instants of one zone, remembering the day and the offset of the last one: rows come in order of time.
#[derive(Debug)]
pub(crate) struct Times {
    zone: Option<TimeZone>,
    /// The offset in force within `valid`, a whole number of minutes, because that is what RFC 3339 can say.
    offset_ms: i64,
    valid: Range<i64>,
    suffix: [u8; 6],
    suffix_len: usize,
    day: i64,
    date: [u8; 11],
}

impl Times {
    /// In UTC, written with `Z`.
    pub(crate) fn utc() -> Self {
        Self::with(None, i64::MIN..i64::MAX, *b"Z     ", 1)
    }

    /// In a zone, written with its offset.
    pub(crate) fn local(zone: TimeZone) -> Self {
        Self::with(Some(zone), 0..0, *b"+00:00", 6)
    }

    fn with(zone: Option<TimeZone>, valid: Range<i64>, suffix: [u8; 6], suffix_len: usize) -> Self {
        Self { zone, offset_ms: 0, valid, suffix, suffix_len, day: i64::MIN, date: [0; 11] }
    }

    /// Appends an instant; milliseconds only where there are any.
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, at: UtcMillis) {
        let Some(within) = self.prepare(at.get()) else {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{at}");
            return;
        };
        out.extend_from_slice(&self.date);
        two_digits(out, within / HOUR_MS);
        out.push(b':');
        two_digits(out, within / MINUTE_MS % 60);
        out.push(b':');
        two_digits(out, within / SECOND_MS % 60);
        fraction(out, within % SECOND_MS);
        out.extend_from_slice(&self.suffix[..self.suffix_len]);
    }

    /// An instant as a text of its own.
    pub(crate) fn text(&mut self, at: UtcMillis) -> String {
        let mut out = Vec::with_capacity(29);
        self.append(&mut out, at);
        // Only ASCII is ever written.
        String::from_utf8(out).unwrap_or_default()
    }

    /// Milliseconds within the local day, with date and offset of it at hand; `None` where RFC 3339 has no word for it.
    fn prepare(&mut self, at: i64) -> Option<i64> {
        if !self.valid.contains(&at) {
            self.find_offset(at)?;
        }
        let local = at.checked_add(self.offset_ms)?;
        let day = local.div_euclid(DAY_MS);
        if day != self.day {
            self.date = date(day)?;
            self.day = day;
        }
        Some(local.rem_euclid(DAY_MS))
    }

    fn find_offset(&mut self, at: i64) -> Option<()> {
        let zone = self.zone.as_ref()?;
        let stamp = UtcMillis::new(at).to_jiff()?;
        let minutes = (f64::from(zone.to_offset(stamp).seconds()) / f64::from(MINUTE_S)).round() as i32;
        let next = zone.following(stamp).next();
        self.valid = at..next.map_or(i64::MAX, |next| next.timestamp().as_millisecond());
        self.offset_ms = i64::from(minutes) * MINUTE_MS;
        self.suffix[0] = if minutes < 0 { b'-' } else { b'+' };
        let (hours, minutes) = (minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60);
        self.suffix[1..].copy_from_slice(&[digit(hours / 10), digit(hours), b':', digit(minutes / 10), digit(minutes)]);
        Some(())
    }
}

/// An instant in a zone, as a text of its own.
pub(crate) fn local(at: UtcMillis, zone: &TimeZone) -> String {
    Times::local(zone.clone()).text(at)
}

fn date(day: i64) -> Option<[u8; 11]> {
    let stamp = UtcMillis::new(day.checked_mul(DAY_MS)?).to_jiff()?;
    let date = TimeZone::UTC.to_datetime(stamp).date();
    if !YEARS.contains(&date.year()) {
        return None;
    }
    let (year, month, day) = (date.year().unsigned_abs(), date.month().unsigned_abs(), date.day().unsigned_abs());
    let (year, month, day) = (u32::from(year), u32::from(month), u32::from(day));
    Some([
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b'T',
    ])
}

/// The last decimal digit of a number.
fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

fn two_digits(out: &mut Vec<u8>, number: i64) {
    let number = u32::try_from(number).unwrap_or_default();
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

fn fraction(out: &mut Vec<u8>, millis: i64) {
    if millis == 0 {
        return;
    }
    let millis = u32::try_from(millis).unwrap_or_default();
    let digits = [b'.', digit(millis / 100), digit(millis / 10), digit(millis)];
    let used = if millis % 100 == 0 {
        2
    } else if millis % 10 == 0 {
        3
    } else {
        4
    };
    out.extend_from_slice(&digits[..used]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_zone(name: &str, at: &str) -> String {
        local(UtcMillis::parse(at).unwrap(), &TimeZone::get(name).unwrap())
    }

    #[test]
    fn a_local_time_carries_its_offset() {
        assert_eq!(in_zone("Asia/Jakarta", "2026-03-10T17:00:00.25Z"), "2026-03-11T00:00:00.25+07:00");
        assert_eq!(in_zone("America/St_Johns", "2026-07-01T00:00:00Z"), "2026-06-30T21:30:00-02:30");
        assert_eq!(in_zone("Asia/Kathmandu", "2026-07-01T00:00:00Z"), "2026-07-01T05:45:00+05:45");
    }

    #[test]
    fn the_offset_changes_with_the_season_in_the_middle_of_a_series() {
        let mut times = Times::local(TimeZone::get("Europe/Berlin").unwrap());
        let start = UtcMillis::parse("2026-03-29T00:59:59Z").unwrap();
        assert_eq!(times.text(start), "2026-03-29T01:59:59+01:00");
        assert_eq!(times.text(start.saturating_add(1_000)), "2026-03-29T03:00:00+02:00");
        assert_eq!(times.text(start), "2026-03-29T01:59:59+01:00", "also backwards");
    }

    proptest! {
        #[test]
        fn utc_is_written_as_the_model_displays_it(at in any::<i64>(), near in -5_000_000_000_000i64..5_000_000_000_000) {
            let mut times = Times::utc();
            for at in [at, near, near + 1] {
                let at = UtcMillis::new(at);
                prop_assert_eq!(times.text(at), at.to_string());
            }
        }

        #[test]
        fn a_local_time_is_the_same_instant(
            at in -2_000_000_000_000i64..4_000_000_000_000,
            steps in prop::collection::vec(-40_000_000_000i64..40_000_000_000, 1..6),
            zone in prop::sample::select(vec![
                "Asia/Jakarta", "Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia", "UTC",
            ]),
        ) {
            let mut times = Times::local(TimeZone::get(zone).unwrap());
            for step in steps {
                let at = UtcMillis::new(at + step);
                prop_assert_eq!(UtcMillis::parse(&times.text(at)).unwrap(), at);
            }
        }
    }
}
