//! Numbers, ages and times as people of either language write them.

use bakau_model::{DAY_MS, HOUR_MS, Language, MINUTE_MS, SECOND_MS, UtcMillis, thousandths};
use jiff::{Zoned, tz::TimeZone};

use crate::messages::Messages;

crate::texts! {
    fn messages = "../messages/id.toml", "../messages/en.toml";
}

/// Whole numbers with fewer digits than this stand without separators.
const GROUPED_DIGITS: usize = 5;
/// Up to here hours are counted, from here days.
const TWO_DAYS_MS: i64 = 2 * DAY_MS;

/// A number with that many decimals: `5,10` in Bahasa Indonesia, `5.10` in English; thousands grouped from 10,000 on.
///
/// ```
/// use bakau_text::format::number;
/// use bakau_model::Language;
/// assert_eq!(number(-5.1, 2, Language::Id), "−5,10");
/// assert_eq!(number(45970.4, 0, Language::En), "45,970");
/// ```
#[must_use]
pub fn number(value: f64, decimals: u8, language: Language) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.*}", usize::from(decimals.min(12)), value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let zero = text.bytes().all(|digit| digit == b'0' || digit == b'.');
    let (group, point) = separators(language);
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    let point = if fraction.is_empty() { "" } else { point };
    format!("{sign}{}{point}{fraction}", grouped(whole, group))
}

/// A number with as few decimals as say it, at most four; for limits, which people chose.
#[must_use]
pub fn shortest(value: f64, language: Language) -> String {
    let text = format!("{value:.4}");
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction).trim_end_matches('0');
    number(value, u8::try_from(fraction.len()).unwrap_or(4), language)
}

/// A count with grouped thousands.
#[must_use]
pub fn count(value: u64, language: Language) -> String {
    grouped(&value.to_string(), separators(language).0)
}

/// A number that is written already, with its point as people of the language write it; `-0.00` is `0.00`. For texts that
/// repeat a number as it was given, without groups and without a typographic minus.
#[must_use]
pub fn written(number: &str, language: Language) -> String {
    let nothing = number.strip_prefix('-').filter(|digits| digits.chars().all(|c| matches!(c, '0' | '.')));
    nothing.unwrap_or(number).replace('.', separators(language).1)
}

/// A share of 0 to 1 in percent, without the sign: `99,9`, and `100` only of all of it.
#[must_use]
pub fn percent(share: f64, language: Language) -> String {
    let tenths = f64::from(thousandths(share)) / 10.0;
    number(tenths, u8::from(tenths < 100.0), language)
}

/// Bytes in kB, MB or GB (powers of 1000).
///
/// ```
/// use bakau_text::format::bytes;
/// use bakau_model::Language;
/// assert_eq!(bytes(1_500, Language::Id), "1,5 kB");
/// assert_eq!(bytes(2 << 30, Language::En), "2.1 GB");
/// ```
#[must_use]
pub fn bytes(value: u64, language: Language) -> String {
    let (scale, unit) = match value {
        0..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        1_000_000_000.. => (1e9, "GB"),
    };
    format!("{} {unit}", number(value as f64 / scale, 1, language))
}

const fn separators(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Id => (".", ","),
        Language::En => (",", "."),
    }
}

fn grouped(digits: &str, group: &str) -> String {
    if digits.len() < GROUPED_DIGITS {
        return digits.to_owned();
    }
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push_str(group);
        }
        text.push(digit);
    }
    text
}

/// The texts of ages by what they are for, with `{n}` for the number: what a script needs to go on counting.
pub fn ages(language: Language) -> impl Iterator<Item = (&'static str, &'static str)> {
    const AGES: [&str; 10] = [
        "age_now",
        "age_second_one",
        "age_second_many",
        "age_minute_one",
        "age_minute_many",
        "age_hour_one",
        "age_hour_many",
        "age_day_one",
        "age_day_many",
        "age_future",
    ];
    AGES.into_iter().map(move |key| (key.trim_start_matches("age_"), messages(language).text(key)))
}

/// A length of time in words, in its greatest unit.
///
/// ```
/// use bakau_text::format::span;
/// use bakau_model::Language;
/// assert_eq!(span(12_400, Language::Id), "12 detik");
/// assert_eq!(span(3_600_000, Language::En), "1 hour");
/// ```
#[must_use]
pub fn span(ms: i64, language: Language) -> String {
    let (unit, count) = match ms {
        ..MINUTE_MS => ("second", ms.max(0) / SECOND_MS),
        MINUTE_MS..HOUR_MS => ("minute", ms / MINUTE_MS),
        HOUR_MS..TWO_DAYS_MS => ("hour", ms / HOUR_MS),
        TWO_DAYS_MS.. => ("day", ms / DAY_MS),
    };
    let plural = if count == 1 { "one" } else { "many" };
    messages(language).fill(&format!("span_{unit}_{plural}"), &[("n", &count.to_string())])
}

/// A local time: `10 Maret 2026 pukul 16.00 WIB`, `10 March 2026, 16:00 WIB`.
#[must_use]
pub fn local_time(at: UtcMillis, zone: &TimeZone, language: Language) -> String {
    local(at, zone, language, "local_time")
}

/// A short local time for tables: `10 Mar 2026 16.00 WIB`.
#[must_use]
pub fn short_time(at: UtcMillis, zone: &TimeZone, language: Language) -> String {
    local(at, zone, language, "short_time")
}

/// The clock of a moment within a day before `now`, such as `16.00`; the day of an older one, such as `10 Mar`.
#[must_use]
pub fn brief_time(at: UtcMillis, now: UtcMillis, zone: &TimeZone, language: Language) -> String {
    local(at, zone, language, if now.since(at).abs() < DAY_MS { "brief_clock" } else { "brief_day" })
}

fn local(at: UtcMillis, zone: &TimeZone, language: Language, form: &str) -> String {
    let Some(stamp) = at.to_jiff() else { return at.to_string() };
    let zoned = stamp.to_zoned(zone.clone());
    let messages = messages(language);
    let values = [
        ("day", zoned.day().to_string()),
        ("month", month(&zoned, messages).to_owned()),
        ("mon", short_month(&zoned, language)),
        ("year", zoned.year().to_string()),
        ("clock", clock(&zoned, language)),
        ("zone", zone_name(&zoned)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    messages.fill(form, &values)
}

fn month<'a>(zoned: &Zoned, messages: &'a Messages) -> &'a str {
    messages.text("months").split(' ').nth(month_index(zoned)).unwrap_or_default()
}

fn month_index(zoned: &Zoned) -> usize {
    usize::try_from(zoned.month() - 1).unwrap_or_default()
}

/// `10 Maret 2026`.
#[must_use]
pub fn date(zoned: &Zoned, language: Language) -> String {
    format!("{} {} {}", zoned.day(), month(zoned, messages(language)), zoned.year())
}

/// `10 Mar`.
#[must_use]
pub fn short_date(zoned: &Zoned, language: Language) -> String {
    format!("{} {}", zoned.day(), short_month(zoned, language))
}

/// `Mar`.
#[must_use]
pub fn short_month(zoned: &Zoned, language: Language) -> String {
    messages(language).text("months_short").split(' ').nth(month_index(zoned)).unwrap_or_default().to_owned()
}

/// `16.00` in Bahasa Indonesia, `16:00` in English.
#[must_use]
pub fn clock(zoned: &Zoned, language: Language) -> String {
    let colon = match language {
        Language::Id => '.',
        Language::En => ':',
    };
    format!("{:02}{colon}{:02}", zoned.hour(), zoned.minute())
}

/// `WIB`, or the offset where a zone has no letters.
#[must_use]
pub fn zone_name(zoned: &Zoned) -> String {
    let info = zoned.time_zone().to_offset_info(zoned.timestamp());
    let name = info.abbreviation().to_owned();
    if name.starts_with(['+', '-']) { format!("UTC{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(number(5.1, 2, Language::Id), "5,10");
        assert_eq!(number(5.1, 2, Language::En), "5.10");
        assert_eq!(number(1234.5, 1, Language::Id), "1234,5");
        assert_eq!(number(1_234_567.0, 0, Language::Id), "1.234.567");
        assert_eq!(number(1_234_567.89, 1, Language::En), "1,234,567.9");
        assert_eq!(count(12_345, Language::Id), "12.345");
    }

    #[test]
    fn a_small_negative_number_is_not_minus_zero() {
        assert_eq!(number(-0.004, 2, Language::Id), "0,00");
        assert_eq!(number(-0.4, 1, Language::En), "−0.4");
    }

    #[test]
    fn spans_are_said_in_words_with_plurals_where_the_language_has_them() {
        assert_eq!((span(400, Language::Id), span(MINUTE_MS, Language::En)), ("0 detik".into(), "1 minute".into()));
    }

    #[test]
    fn local_times_name_their_zone() {
        let at = UtcMillis::parse("2026-03-10T09:00:00Z").unwrap();
        let jakarta = TimeZone::get("Asia/Jakarta").unwrap();
        assert_eq!(local_time(at, &jakarta, Language::Id), "10 Maret 2026 pukul 16.00 WIB");
        assert_eq!(local_time(at, &jakarta, Language::En), "10 March 2026, 16:00 WIB");
        assert_eq!(date(&at.to_jiff().unwrap().to_zoned(jakarta), Language::En), "10 March 2026");
        assert_eq!(short_time(at, &TimeZone::get("Asia/Makassar").unwrap(), Language::Id), "10 Mar 2026 17.00 WITA");
        assert_eq!(
            short_time(at, &TimeZone::get("America/Sao_Paulo").unwrap(), Language::En),
            "10 Mar 2026 06:00 UTC-03"
        );
    }

    #[test]
    fn shares_are_rounded_down_and_numbers_that_are_written_keep_their_digits() {
        let told = [0.0, 0.29, 0.9996, 1.0].map(|share| percent(share, Language::Id));
        assert_eq!(told, ["0,0", "29,0", "99,9", "100"]);
        let told = ["-0.00", "-1.50", "12345.6"].map(|number| written(number, Language::Id));
        assert_eq!(told, ["0,00", "-1,50", "12345,6"]);
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!(bytes(1_500, Language::Id), "1,5 kB");
        assert_eq!(bytes(2_000_000_000, Language::En), "2.0 GB");
    }
}
