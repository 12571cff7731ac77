//! Where the sun stands.

use std::f64::consts::TAU;

use bakau_model::{DAY_MS, MINUTE_MS};

/// Day of the year, 0 to 365.25, good to a day.
pub(crate) fn day_of_year(at_ms: i64) -> f64 {
    (at_ms as f64 / DAY_MS as f64).rem_euclid(365.2425)
}

/// Sine of the sun's height over the horizon; 0 at night. Declination and equation of time after Spencer (1971), leading
/// terms: good to a few minutes.
pub(crate) fn height(at_ms: i64, latitude: f64, longitude: f64) -> f64 {
    let year = day_of_year(at_ms) / 365.2425 * TAU;
    let declination = 0.006_918 - 0.399_912 * year.cos() + 0.070_257 * year.sin() - 0.006_758 * (2.0 * year).cos();
    let minutes = 229.18 * (-0.032_077 * year.sin() + 0.001_868 * year.cos() - 0.040_849 * (2.0 * year).sin());
    let solar_ms = at_ms as f64 + longitude * 240_000.0 + minutes * MINUTE_MS as f64;
    let hour_angle = (solar_ms / DAY_MS as f64).fract() * TAU - TAU / 2.0;
    let latitude = latitude.to_radians();
    let sine = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour_angle.cos();
    sine.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// 2026-03-21T00:00:00Z.
    const EQUINOX: i64 = 1_774_051_200_000;

    fn java(at_ms: i64) -> f64 {
        height(at_ms, -7.7, 113.0)
    }

    #[test]
    fn the_sun_rises_and_sets_near_half_past_five_in_east_java() {
        // 113 degrees east is solar time 32 min ahead of the zone.
        for (hour, up) in [(5.0, false), (6.0, true), (17.0, true), (18.0, false), (23.0, false)] {
            let at = EQUINOX + ((hour - 7.0) * HOUR as f64) as i64;
            assert_eq!(0.0 < java(at), up, "at {hour} o'clock");
        }
    }

    #[test]
    fn the_noon_sun_is_overhead_in_october_and_lower_in_june() {
        let noon = |day: i64| (0..48).map(|half| java(EQUINOX + day * 24 * HOUR + half * HOUR / 2)).fold(0.0, f64::max);
        assert!(0.995 < noon(205), "October: {}", noon(205));
        let june = noon(92);
        assert!((june - (31.1_f64).to_radians().cos()).abs() < 0.01, "June: {june}");
    }
}
