//! What the environment does at an instant: small models, honest about day, night and tide, not about any real place.
//!
//! Times of day are solar time of East Java (UTC+7 all year). Figures are typical ones for Java's north coast and its
//! rivers; they are there so that charts look right and rules have something to do, not to be cited.

pub(crate) mod air;
pub(crate) mod mangrove;
pub(crate) mod water;

use std::f64::consts::TAU;

use crate::noise;

/// Hour of the day in East Java, 0 to 24.
pub(crate) fn hour_of_day(at_ms: i64) -> f64 {
    (at_ms + 7 * 3_600_000).rem_euclid(86_400_000) as f64 / 3_600_000.0
}

/// Height of the sun as a share of noon: 0 from 18 to 6 o'clock. Day length barely changes at 8 degrees south.
pub(crate) fn daylight(at_ms: i64) -> f64 {
    ((hour_of_day(at_ms) - 6.0) / 12.0 * TAU / 2.0).sin().max(0.0)
        * f64::from(u8::from((6.0..18.0).contains(&hour_of_day(at_ms))))
}

/// A daily wave from -1 to 1 with its greatest value at `peak_hour`.
pub(crate) fn daily(at_ms: i64, peak_hour: f64) -> f64 {
    ((hour_of_day(at_ms) - peak_hour) / 24.0 * TAU).cos()
}

/// A bump from 0 to 1 around an hour of the day, about `width` hours wide on each side.
fn bump(at_ms: i64, hour: f64, width: f64) -> f64 {
    let distance = (hour_of_day(at_ms) - hour + 12.0).rem_euclid(24.0) - 12.0;
    (-(distance / width).powi(2)).exp()
}

/// Noise of one parameter of one station: a slow weather part and a fast instrument part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) seed: u64,
    pub(crate) station: u64,
}

impl Noise {
    /// Wandering with the weather, from -1 to 1, over about six hours.
    pub(crate) fn weather(self, parameter: &str, at_ms: i64) -> f64 {
        noise::smooth(self.seed, self.station ^ noise::stream(parameter), at_ms, 6 * 3_600_000)
    }

    /// Scatter of the instrument, from -1 to 1, other in each second.
    pub(crate) fn scatter(self, parameter: &str, at_ms: i64) -> f64 {
        noise::white(self.seed, !self.station ^ noise::stream(parameter), at_ms.div_euclid(1_000))
    }
}

/// Oxygen that fresh water holds at one atmosphere, mg/L: Benson and Krause (1980, 1984), as in USGS Office of Water Quality
/// Technical Memorandum 2011.03; salinity in PSU lowers it. Checked against 8.26 mg/L at 25 °C and 7.83 at 28 °C.
pub(crate) fn oxygen_saturation(temperature_c: f64, salinity_psu: f64) -> f64 {
    let kelvin = temperature_c + 273.15;
    let fresh = -139.344_11 + 1.575_701e5 / kelvin - 6.642_308e7 / kelvin.powi(2) + 1.243_800e10 / kelvin.powi(3)
        - 8.621_949e11 / kelvin.powi(4);
    let salt = salinity_psu * (1.767_4e-2 - 10.754 / kelvin + 2_140.7 / kelvin.powi(2));
    (fresh - salt).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oxygen_saturation_meets_published_values() {
        assert!((oxygen_saturation(25.0, 0.0) - 8.26).abs() < 0.01);
        assert!((oxygen_saturation(28.0, 0.0) - 7.83).abs() < 0.01);
        assert!((oxygen_saturation(28.0, 30.0) - 6.62).abs() < 0.02);
        assert!((oxygen_saturation(32.0, 34.0) - 6.08).abs() < 0.02);
    }

    #[test]
    fn the_sun_is_up_from_six_to_six_east_java_time() {
        let at = |hour: i64| daylight(hour * 3_600_000 - 7 * 3_600_000);
        assert_eq!((at(0), at(5), at(18), at(23)), (0.0, 0.0, 0.0, 0.0));
        assert!((at(12) - 1.0).abs() < 1e-9 && 0.2 < at(7));
    }

    #[test]
    fn a_bump_before_midnight_reaches_over_midnight() {
        let at = |hour: i64| bump(hour * 3_600_000 - 7 * 3_600_000, 23.0, 2.0);
        assert!((at(1) - at(21)).abs() < 1e-9);
    }
}
