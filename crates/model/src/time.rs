//! Instants as stored: whole milliseconds since 1970-01-01T00:00:00Z.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute, the grain of the ledgers.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day of 24 hours; civil days of a zone may be longer or shorter.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// Seconds in an hour.
pub const HOUR_S: u32 = 3_600;
/// Seconds in a day of 24 hours.
pub const DAY_S: u32 = 24 * HOUR_S;

/// Default time zone (IANA): of stations and sources that name no other, and of everything that is about no station.
pub const DEFAULT_ZONE: &str = "Asia/Jakarta";

/// A text or number that is no instant between the years -9999 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a time: write it as RFC 3339, for example 2026-03-10T07:00:00+07:00")]
pub struct InvalidTime {
    given: String,
}

/// An instant in UTC milliseconds.
///
/// ```
/// use bakau_model::{MINUTE_MS, UtcMillis};
///
/// let measured = UtcMillis::parse("2026-03-10T09:13:30+07:00")?;
/// assert_eq!(measured.to_string(), "2026-03-10T02:13:30Z");
/// assert_eq!(measured.minute().to_string(), "2026-03-10T02:13:00Z");
/// assert_eq!(measured.saturating_add(2 * MINUTE_MS).since(measured), 120_000);
/// assert!(UtcMillis::parse("2026-03-10T09:13:30").is_err(), "a time without an offset is no instant");
/// # Ok::<(), bakau_model::InvalidTime>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMillis(i64);

impl UtcMillis {
    /// Wraps milliseconds since the epoch.
    #[must_use]
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This instant moved by `millis`, stopping at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant (negative when it is later).
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The start of the minute this instant is in.
    #[must_use]
    pub const fn minute(self) -> Self {
        Self(self.0.div_euclid(MINUTE_MS) * MINUTE_MS)
    }

    /// Reads an RFC 3339 text with offset.
    ///
    /// # Errors
    /// When the text is not RFC 3339 or has no offset.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        match text.parse::<jiff::Timestamp>() {
            Ok(stamp) => Ok(stamp.into()),
            Err(_) => Err(InvalidTime { given: text.chars().take(60).collect() }),
        }
    }

    /// The instant for calendar arithmetic; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_millisecond(self.0).ok()
    }
}

impl From<jiff::Timestamp> for UtcMillis {
    fn from(stamp: jiff::Timestamp) -> Self {
        Self(stamp.as_millisecond())
    }
}

impl fmt::Display for UtcMillis {
    /// RFC 3339 in UTC, with milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_jiff() {
            Some(stamp) => stamp.fmt(f),
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_with_offset_is_read_as_utc() {
        let at = UtcMillis::parse("2026-03-10T07:00:00+07:00").unwrap();
        assert_eq!(at.to_string(), "2026-03-10T00:00:00Z");
    }

    #[test]
    fn a_time_without_offset_is_refused() {
        assert!(UtcMillis::parse("2026-03-10T07:00:00").is_err());
    }

    #[test]
    fn minutes_before_1970_round_down() {
        assert_eq!(UtcMillis::new(-1).minute(), UtcMillis::new(-MINUTE_MS));
        assert_eq!(UtcMillis::new(60_001).minute(), UtcMillis::new(60_000));
    }
}
