//! Times as devices and networks write them.

use std::borrow::Cow;

use bakau_model::{MINUTE_MS, UtcMillis, decimal, trim};
use bakau_registry::TimeFormat;
use jiff::civil::DateTime;

use super::{PayloadTime, scan::quote, slot::says_nothing};

/// The raw text or number where a time should be.
#[derive(Debug, Clone, Default)]
pub(super) enum RawTime<'a> {
    #[default]
    Absent,
    Number(&'a str),
    /// With nothing around it; there is something in it.
    Text(Cow<'a, str>),
    Other(&'static str),
}

impl<'a> RawTime<'a> {
    /// What a text says; one that says nothing, in words or by being empty, is no time, as if it were not there.
    pub(super) fn text(text: Cow<'a, str>) -> Self {
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
            Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
        };
        if says_nothing(&text) { Self::Absent } else { Self::Text(text) }
    }
}

/// Clock that stamped a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// The device.
    Device,
    /// A gateway: often without a good clock, so it counts only near the time of the network server.
    Gateway,
    /// The network server.
    Server,
}

/// One place in a payload where a time may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSpec {
    pub(super) clock: Clock,
    pub(super) format: TimeFormat,
    /// Whether the catalogue says the format, and so can say another one.
    pub(super) is_declared: bool,
}

impl TimeSpec {
    /// One whose format is that of the payload's own.
    pub(super) const fn of(clock: Clock, format: TimeFormat) -> Self {
        Self { clock, format, is_declared: false }
    }
}

/// How numbers of times are counted: the unit, how many of them are a second, and what the catalogue calls it.
const UNITS: [(&str, f64, Option<&str>); 4] = [
    ("seconds", 1.0, Some("epoch_s")),
    ("milliseconds", 1e3, Some("epoch_ms")),
    ("microseconds", 1e6, None),
    ("nanoseconds", 1e9, None),
];

/// Seconds since 1970 of the years 2000 to 2100: what devices measure lies there. As milliseconds the same numbers are
/// some weeks of early 1970, as seconds those of milliseconds lie beyond all calendars.
const LIKELY_S: std::ops::RangeInclusive<f64> = 946_684_800.0..=4_102_444_800.0;

/// Farthest a gateway's time may be from that of the network server: uplinks take seconds, wrong clocks are off by
/// more.
const MAX_GATEWAY_OFFSET_MS: i64 = 10 * MINUTE_MS;

/// Milliseconds since 1970 of the first and the last instant that can be shown with a calendar date.
const SHOWABLE_MS: std::ops::RangeInclusive<f64> = -377_705_023_201_000.0..=253_402_207_200_000.0;

/// The first usable time, in order of preference. What a device says is used as it is, also when it is no time;
/// network times that are none are passed over.
pub(super) fn choose(specs: &[TimeSpec], found: &[RawTime<'_>]) -> PayloadTime {
    let mut gateway: Option<UtcMillis> = None;
    for (spec, raw) in specs.iter().zip(found) {
        let time = read(raw, *spec);
        match (spec.clock, time) {
            (_, PayloadTime::Absent) => {}
            (Clock::Device, time) => return time,
            (Clock::Gateway, PayloadTime::Device(at)) => gateway = gateway.or(Some(at)),
            (Clock::Server, PayloadTime::Device(at)) => {
                let near = gateway.filter(|gateway| gateway.since(at).saturating_abs() <= MAX_GATEWAY_OFFSET_MS);
                return PayloadTime::Network(near.unwrap_or(at));
            }
            (Clock::Gateway | Clock::Server, _) => {}
        }
    }
    gateway.map_or(PayloadTime::Absent, PayloadTime::Network)
}

/// Reads a time as its device's own.
fn read(raw: &RawTime<'_>, spec: TimeSpec) -> PayloadTime {
    match (raw, spec.format) {
        (RawTime::Absent, _) => PayloadTime::Absent,
        (RawTime::Text(text), TimeFormat::Rfc3339) => match UtcMillis::parse(text) {
            Ok(at) => PayloadTime::Device(at),
            Err(error) => {
                PayloadTime::Invalid(format!("{error}{}", decimal(text).map_or_else(String::new, |n| hint(n, spec))))
            }
        },
        (RawTime::Number(written), TimeFormat::Rfc3339) => a_number(written, "RFC 3339 text", spec),
        (RawTime::Text(text), TimeFormat::Local) => local(text),
        (RawTime::Number(written), TimeFormat::Local) => a_number(written, "a date and time", spec),
        (RawTime::Number(written), TimeFormat::EpochS | TimeFormat::EpochMs) => epoch(written, spec),
        (RawTime::Text(text), TimeFormat::EpochS | TimeFormat::EpochMs) => epoch(text, spec),
        (RawTime::Other(what), _) => PayloadTime::Invalid(format!("{what} is no time")),
    }
}

fn a_number(written: &str, expected: &str, spec: TimeSpec) -> PayloadTime {
    let looks = decimal(written).map_or_else(String::new, |number| hint(number, spec));
    PayloadTime::Invalid(format!("{} is a number; the route expects {expected}{looks}", quote(written)))
}

/// The unit in which a number is an instant of our time, and that instant.
pub(super) fn looks_like(number: f64) -> Option<(&'static str, UtcMillis)> {
    likely(number).map(|(unit, _, at)| (unit, at))
}

fn likely(number: f64) -> Option<(&'static str, Option<&'static str>, UtcMillis)> {
    let (unit, per_second, format) =
        UNITS.into_iter().find(|(_, per_second, _)| LIKELY_S.contains(&(number / per_second)))?;
    Some((unit, format, showable(number / per_second * 1e3)?))
}

/// What a number that is no time as the route reads it looks like, and what to do about it.
fn hint(number: f64, spec: TimeSpec) -> String {
    match likely(number) {
        None => String::new(),
        Some((unit, _, at)) if !spec.is_declared => format!("; it looks like {unit} ({at})"),
        Some((unit, Some(format), at)) => {
            format!("; it looks like {unit} ({at}): time_format = \"{format}\" reads them")
        }
        Some((unit, None, at)) => {
            format!("; it looks like {unit} ({at}), which no time_format reads: send seconds or milliseconds")
        }
    }
}

/// A local time; one that has an offset after all (Tasmota can be told to add it) is the instant it says.
fn local(text: &str) -> PayloadTime {
    if let Ok(at) = UtcMillis::parse(text) {
        return PayloadTime::Device(at);
    }
    // An offset that is none, or a zone name, must not be dropped silently: only date and time are accepted.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'T' | b' ' | b'.'));
    match text.parse::<DateTime>() {
        Ok(civil) if plain => PayloadTime::Local(civil),
        Ok(_) | Err(_) => {
            PayloadTime::Invalid(format!("\"{}\" is no date and time such as 2026-03-10T07:00:00", quote(text)))
        }
    }
}

/// A number of seconds or milliseconds since 1970.
fn epoch(written: &str, spec: TimeSpec) -> PayloadTime {
    let (unit, millis_per_unit) =
        if spec.format == TimeFormat::EpochMs { ("milliseconds", 1.0) } else { ("seconds", 1e3) };
    let Some(number) = decimal(written) else {
        let detail = format!("\"{}\" is no number of {unit} since 1970{}", quote(written), written_out(written, spec));
        return PayloadTime::Invalid(detail);
    };
    // Every message comes through here: what is said of a wrong time is worked out only where there is one.
    let refused = |why: String| PayloadTime::Invalid(format!("{} {unit} since 1970 {why}", quote(written)));
    match (showable(number * millis_per_unit), looks_like(number)) {
        (Some(at), Some((other, _))) if other != unit => refused(format!("are {at}{}", hint(number, spec))),
        (Some(at), _) => PayloadTime::Device(at),
        (None, _) => refused(format!("lie outside the years -9999 to 9999{}", hint(number, spec))),
    }
}

/// Which format reads a text where a number is expected.
fn written_out(text: &str, spec: TimeSpec) -> &'static str {
    if !spec.is_declared {
        ""
    } else if UtcMillis::parse(text).is_ok() {
        ": time_format = \"rfc3339\" reads it"
    } else if matches!(local(text), PayloadTime::Local(_)) {
        ": time_format = \"local\" reads it, in the time zone of the route"
    } else {
        ""
    }
}

/// The instant of milliseconds since 1970, if it has a calendar date.
pub(super) fn showable(millis: f64) -> Option<UtcMillis> {
    let millis = millis.round();
    SHOWABLE_MS.contains(&millis).then(|| UtcMillis::new(millis as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        UtcMillis::parse(text).unwrap()
    }

    fn text(text: &str) -> RawTime<'_> {
        RawTime::text(Cow::Borrowed(text))
    }

    fn declared(format: TimeFormat) -> TimeSpec {
        TimeSpec { clock: Clock::Device, format, is_declared: true }
    }

    const RFC3339: TimeFormat = TimeFormat::Rfc3339;
    const NETWORK: [TimeSpec; 2] = [TimeSpec::of(Clock::Gateway, RFC3339), TimeSpec::of(Clock::Server, RFC3339)];

    #[test]
    fn every_accepted_epoch_has_a_calendar_date() {
        for end in [SHOWABLE_MS.start(), SHOWABLE_MS.end()] {
            let PayloadTime::Device(at) = epoch(&format!("{end}"), declared(TimeFormat::EpochMs)) else {
                panic!("{end} was refused")
            };
            assert!(at.to_jiff().is_some(), "{end}");
        }
    }

    #[test]
    fn a_local_time_stays_local_and_one_with_offset_is_an_instant() {
        assert!(matches!(local("2026-03-10T07:00:00"), PayloadTime::Local(_)));
        assert_eq!(local("2026-03-10T07:00:00+07:00"), PayloadTime::Device(at("2026-03-10T00:00:00Z")));
        for bad in ["", "07:00", "2026-03-10T07:00:00[Asia/Jakarta]", "2026-13-10T07:00:00", "10.03.2026 07:00"] {
            assert!(matches!(local(bad), PayloadTime::Invalid(_)), "{bad}");
        }
    }

    #[test]
    fn a_gateways_time_counts_only_near_that_of_the_server() {
        let (server, near) = (text("2026-03-10T00:00:01Z"), text("2026-03-10T00:00:00Z"));
        let network = |at_text| PayloadTime::Network(at(at_text));
        assert_eq!(choose(&NETWORK, &[near.clone(), server.clone()]), network("2026-03-10T00:00:00Z"));
        assert_eq!(choose(&NETWORK, &[text("1980-01-06T00:00:00Z"), server.clone()]), network("2026-03-10T00:00:01Z"));
        assert_eq!(choose(&NETWORK, &[text("soon"), server]), network("2026-03-10T00:00:01Z"));
        assert_eq!(choose(&NETWORK, &[near, RawTime::Absent]), network("2026-03-10T00:00:00Z"));
        assert_eq!(choose(&NETWORK, &[RawTime::Absent, RawTime::Absent]), PayloadTime::Absent);
    }

    #[test]
    fn a_devices_own_time_comes_first_even_when_it_is_none() {
        let specs = [declared(TimeFormat::EpochS), NETWORK[1]];
        let server = text("2026-03-10T00:00:01Z");
        let device = |raw| choose(&specs, &[raw, server.clone()]);
        assert_eq!(device(RawTime::Number("1773100800")), PayloadTime::Device(at("2026-03-10T00:00:00Z")));
        assert_eq!(device(RawTime::Absent), PayloadTime::Network(at("2026-03-10T00:00:01Z")));
        assert!(matches!(device(text("noon")), PayloadTime::Invalid(_)));
    }

    #[test]
    fn what_surrounds_a_time_is_no_part_of_it_and_one_that_says_nothing_is_none() {
        let instant = PayloadTime::Device(at("2026-03-10T00:00:00Z"));
        for (format, written) in [
            (RFC3339, "2026-03-10T00:00:00Z"),
            (TimeFormat::EpochS, "1773100800"),
            (TimeFormat::EpochMs, "1773100800000"),
        ] {
            for (before, behind) in
                [("", ""), (" ", ""), ("", " \t\r\n"), ("\u{feff}", "\0\0"), ("\0", "\u{a0}\u{feff} ")]
            {
                let padded = text_owned(format!("{before}{written}{behind}"));
                assert_eq!(read(&padded, declared(format)), instant, "{padded:?}");
            }
            for nothing in
                ["", " ", "\0", "\u{feff}", "nan", "NaN", "-nan", "null", "NULL", "None", "undefined", " nan "]
            {
                assert_eq!(read(&text(nothing), declared(format)), PayloadTime::Absent, "{nothing:?}");
            }
            for something in ["inf", "-", "?", "soon", "nano"] {
                assert!(matches!(read(&text(something), declared(format)), PayloadTime::Invalid(_)), "{something}");
            }
        }
        assert!(matches!(read(&text(" 2026-03-10T07:00:00 "), declared(TimeFormat::Local)), PayloadTime::Local(_)));
    }

    fn text_owned(text: String) -> RawTime<'static> {
        RawTime::text(Cow::Owned(text))
    }

    #[test]
    fn a_time_in_another_unit_is_refused_with_the_setting_that_reads_it() {
        let told = |format, written: &'static str| match read(&RawTime::Number(written), declared(format)) {
            PayloadTime::Invalid(detail) => detail,
            other => panic!("{other:?}"),
        };
        let (s, ms, local) = (TimeFormat::EpochS, TimeFormat::EpochMs, TimeFormat::Local);
        let refused = [
            (s, "1773100800000"),
            (s, "1773100800000000"),
            (s, "1773100800000000000"),
            (s, "1e300"),
            (ms, "1773100800"),
            (ms, "1773100800.5"),
            (ms, "1773100800000000"),
            (ms, "1773100800000000000"),
            (RFC3339, "1773100800"),
            (RFC3339, "1773100800000"),
            (RFC3339, "5"),
            (local, "1773100800"),
        ];
        let texts = [(s, "2026-03-10T00:00:00Z"), (ms, "2026-03-10 07:00:00"), (s, "soon"), (RFC3339, "1773100800")];
        let mut lines: Vec<_> = refused.into_iter().map(|(format, written)| told(format, written)).collect();
        lines
            .extend(texts.into_iter().map(|(format, written)| format!("{:?}", read(&text(written), declared(format)))));
        let undeclared = TimeSpec::of(Clock::Device, local);
        lines.push(format!("{:?}", read(&RawTime::Number("1773100800"), undeclared)));
        insta::assert_snapshot!(lines.join("\n"));
        for (format, written) in
            [(s, "0"), (s, "86400"), (ms, "0"), (ms, "86400000"), (ms, "946684799"), (ms, "4102444801")]
        {
            assert!(matches!(read(&RawTime::Number(written), declared(format)), PayloadTime::Device(_)), "{written}");
        }
    }
}
