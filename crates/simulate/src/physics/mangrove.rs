//! A mangrove creek: a mixed, mainly semidiurnal tide, salt water on the flood, little oxygen at night and at low water.

use std::f64::consts::TAU;

use super::{Noise, daily, daylight, oxygen_saturation};

/// Tidal constituents: (period in hours, amplitude in metres, phase in radians at 1970).
///
/// Periods are the astronomical ones. Amplitudes are chosen, not measured: Formzahl (K1 + O1) / (M2 + S2) = 0.75 is
/// "mixed, mainly semidiurnal" (0.25 to 1.5), and all four together stay within the ±1.5 m of the north coast.
const CONSTITUENTS: [(f64, f64, f64); 4] = [
    (12.420_601_2, 0.52, 0.6), // M2, moon
    (12.0, 0.25, 1.9),         // S2, sun
    (23.934_469_6, 0.38, 1.2), // K1, moon and sun
    (25.819_341_7, 0.20, 4.1), // O1, moon
];

/// Sea level without weather, metres about mean sea level.
pub(crate) fn tide(at_ms: i64) -> f64 {
    let hours = at_ms as f64 / 3_600_000.0;
    CONSTITUENTS.iter().map(|(period, amplitude, phase)| amplitude * (hours / period * TAU - phase).cos()).sum()
}

/// (parameter, value) in canonical units: m about MSL, {PSU}, uS/cm, mg/L, Cel, [pH], [NTU], Cel, %.
pub(crate) fn values(noise: Noise, at_ms: i64) -> Vec<(&'static str, f64)> {
    let level = tide(at_ms) + 0.06 * noise.weather("water_level", at_ms);
    let temperature = 29.3 + 1.5 * daily(at_ms, 14.5) + 0.5 * noise.weather("water_temperature", at_ms);
    // The creek's salt arrives with the water: about an hour behind the level.
    let flooded = (tide(at_ms - 3_600_000) / 1.2).clamp(-1.0, 1.0);
    let salinity = 27.0 + 4.5 * flooded + 1.0 * noise.weather("salinity", at_ms);
    let light_of_the_day = 0.5 * (1.0 + daily(at_ms, 15.0));
    let share =
        0.52 + 0.26 * light_of_the_day + 0.03 * daylight(at_ms) + 0.07 * flooded + 0.03 * noise.weather("do", at_ms);
    let oxygen = oxygen_saturation(temperature, salinity) * share;
    let acidity = 7.55 + 0.2 * light_of_the_day + 0.1 * flooded + 0.04 * noise.weather("ph", at_ms);
    // Conductance of sea water at 25 °C: 53,087 uS/cm at 35 PSU; the exponent fits 45,970 uS/cm at 29.9 PSU, a pair measured
    // by a NERRS sonde.
    let conductivity = 53_087.0 * (salinity / 35.0).max(0.0).powf(0.914);
    let turbidity = 25.0 + 12.0 * noise.weather("turbidity", at_ms) - 6.0 * flooded;
    let air = 27.5 + 3.2 * daily(at_ms, 14.0) + 0.8 * noise.weather("air_temperature", at_ms);
    let humidity = 79.0 - 3.0 * (air - 27.5) + 4.0 * noise.weather("humidity", at_ms);
    vec![
        ("water_level", level + 0.008 * noise.scatter("water_level", at_ms)),
        ("salinity", salinity + 0.1 * noise.scatter("salinity", at_ms)),
        ("conductivity", conductivity + 40.0 * noise.scatter("conductivity", at_ms)),
        ("do", (oxygen + 0.04 * noise.scatter("do", at_ms)).max(0.0)),
        ("water_temperature", temperature + 0.05 * noise.scatter("water_temperature", at_ms)),
        ("ph", acidity + 0.02 * noise.scatter("ph", at_ms)),
        ("turbidity", (turbidity + 1.0 * noise.scatter("turbidity", at_ms)).max(0.5)),
        ("air_temperature", air + 0.1 * noise.scatter("air_temperature", at_ms)),
        ("humidity", (humidity + 0.5 * noise.scatter("humidity", at_ms)).clamp(30.0, 100.0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 1_440;

    #[test]
    fn a_month_of_tide_has_the_range_of_the_north_coast() {
        let levels: Vec<f64> = (0..29 * DAY).map(|minute| tide(1_770_000_000_000 + minute * MINUTE)).collect();
        let (low, high) =
            levels.iter().fold((0.0_f64, 0.0_f64), |(low, high), level| (low.min(*level), high.max(*level)));
        assert!((0.8..=1.5).contains(&high), "high water {high}");
        assert!((-1.5..=-0.8).contains(&low), "low water {low}");
    }

    #[test]
    fn most_days_have_two_high_waters_of_unequal_height() {
        let at = |minute: i64| tide(1_770_000_000_000 + minute * MINUTE);
        let highs: Vec<f64> = (1..29 * DAY).filter(|&m| at(m - 1) < at(m) && at(m + 1) <= at(m)).map(at).collect();
        assert!((40..=58).contains(&highs.len()), "{} high waters in 29 days", highs.len());
        let unequal = highs.windows(2).filter(|pair| 0.2 < (pair[0] - pair[1]).abs()).count();
        assert!(highs.len() / 4 < unequal, "only {unequal} unequal pairs");
    }
}
