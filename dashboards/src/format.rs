//! Numbers, ages and times as people of either language write them.

use bakau_model::{Language, UtcMillis};
use jiff::tz::TimeZone;

/// A number with that many decimals: `5,10` in Bahasa Indonesia, `5.10` in English; thousands grouped from 10,000.
#[must_use]
pub fn number(value: f64, decimals: u8, language: Language) -> String {
    let _ = (value, decimals, language);
    todo!()
}

/// A count with grouped thousands.
#[must_use]
pub fn count(value: u64, language: Language) -> String {
    let _ = (value, language);
    todo!()
}

/// An age in words: `12 detik lalu`, `12 seconds ago`.
#[must_use]
pub fn age(age_ms: i64, language: Language) -> String {
    let _ = (age_ms, language);
    todo!()
}

/// A local time: `10 Maret 2026 pukul 16.00 WIB`, `10 March 2026, 16:00 WIB`.
#[must_use]
pub fn local_time(at: UtcMillis, zone: &TimeZone, language: Language) -> String {
    let _ = (at, zone, language);
    todo!()
}
