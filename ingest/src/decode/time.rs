//! Times as devices and networks write them.

use std::borrow::Cow;

use bakau_model::{UtcMillis, decimal};
use bakau_registry::TimeFormat;
use jiff::civil::DateTime;

use super::{PayloadTime, scan::quote};

/// What stands where a time should be, not yet read as one.
#[derive(Debug, Clone, Default)]
pub(super) enum RawTime<'a> {
    #[default]
    Absent,
    Number(&'a str),
    Text(Cow<'a, str>),
    Other(&'static str),
}

/// Who stamped a time.
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
}

/// Farthest a gateway's time may be from that of the network server: uplinks take seconds, wrong clocks are off by
/// more.
const MAX_GATEWAY_OFFSET_MS: i64 = 600_000;

/// Milliseconds since 1970 of the first and the last instant that can be shown with a calendar date.
const SHOWABLE_MS: std::ops::RangeInclusive<f64> = -377_705_023_201_000.0..=253_402_207_200_000.0;

/// The first usable time, in order of preference. What a device says is used as it is, also when it is no time;
/// network times that are none are passed over.
pub(super) fn choose(specs: &[TimeSpec], found: &[RawTime<'_>]) -> PayloadTime {
    let mut gateway: Option<UtcMillis> = None;
    for (spec, raw) in specs.iter().zip(found) {
        let time = read(raw, spec.format);
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
fn read(raw: &RawTime<'_>, format: TimeFormat) -> PayloadTime {
    match (raw, format) {
        (RawTime::Absent, _) => PayloadTime::Absent,
        (RawTime::Text(text), TimeFormat::Rfc3339) => match UtcMillis::parse(text) {
            Ok(at) => PayloadTime::Device(at),
            Err(error) => PayloadTime::Invalid(error.to_string()),
        },
        (RawTime::Number(written), TimeFormat::Rfc3339) => {
            PayloadTime::Invalid(format!("{} is a number; the route expects RFC 3339 text", quote(written)))
        }
        (RawTime::Text(text), TimeFormat::Local) => local(text),
        (RawTime::Number(written), TimeFormat::Local) => {
            PayloadTime::Invalid(format!("{} is a number; the route expects a date and time", quote(written)))
        }
        (RawTime::Number(written), TimeFormat::EpochS) => epoch(written, 1_000.0),
        (RawTime::Number(written), TimeFormat::EpochMs) => epoch(written, 1.0),
        (RawTime::Text(text), TimeFormat::EpochS) => epoch(text, 1_000.0),
        (RawTime::Text(text), TimeFormat::EpochMs) => epoch(text, 1.0),
        (RawTime::Other(what), _) => PayloadTime::Invalid(format!("{what} is no time")),
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
fn epoch(written: &str, millis_per_unit: f64) -> PayloadTime {
    let Some(number) = decimal(written) else {
        return PayloadTime::Invalid(format!("\"{}\" is no number of seconds or milliseconds", quote(written)));
    };
    match showable(number * millis_per_unit) {
        Some(at) => PayloadTime::Device(at),
        None => PayloadTime::Invalid(format!("{} lies outside the years -9999 to 9999", quote(written))),
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
        RawTime::Text(Cow::Borrowed(text))
    }

    const RFC3339: TimeFormat = TimeFormat::Rfc3339;
    const NETWORK: [TimeSpec; 2] =
        [TimeSpec { clock: Clock::Gateway, format: RFC3339 }, TimeSpec { clock: Clock::Server, format: RFC3339 }];

    #[test]
    fn every_accepted_epoch_has_a_calendar_date() {
        for end in [SHOWABLE_MS.start(), SHOWABLE_MS.end()] {
            let PayloadTime::Device(at) = epoch(&format!("{end}"), 1.0) else { panic!("{end} was refused") };
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
        let specs = [TimeSpec { clock: Clock::Device, format: TimeFormat::EpochS }, NETWORK[1]];
        let server = text("2026-03-10T00:00:01Z");
        let device = |raw| choose(&specs, &[raw, server.clone()]);
        assert_eq!(device(RawTime::Number("1773100800")), PayloadTime::Device(at("2026-03-10T00:00:00Z")));
        assert_eq!(device(RawTime::Absent), PayloadTime::Network(at("2026-03-10T00:00:01Z")));
        assert!(matches!(device(text("noon")), PayloadTime::Invalid(_)));
    }
}
