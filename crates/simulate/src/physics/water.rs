//! A river station: algae make oxygen by day, everything eats it by night, warm water holds less.

use super::{Noise, daily, daylight, oxygen_saturation};

/// (parameter, value) in canonical units: mg/L, [pH], Cel, uS/cm, [NTU], m.
pub(crate) fn values(noise: Noise, at_ms: i64) -> Vec<(&'static str, f64)> {
    let temperature = 26.0 + 1.4 * daily(at_ms, 15.0) + 0.8 * noise.weather("water_temperature", at_ms);
    // Share of saturation: lowest before sunrise, highest in the afternoon.
    let light_of_the_day = 0.5 * (1.0 + daily(at_ms, 15.0));
    let share = 0.68 + 0.22 * light_of_the_day + 0.04 * daylight(at_ms) + 0.05 * noise.weather("do", at_ms);
    let oxygen = oxygen_saturation(temperature, 0.0) * share;
    let acidity = 7.3 + 0.25 * light_of_the_day + 0.08 * noise.weather("ph", at_ms);
    // Rain upstream: muddy and thin at the same time.
    let flood = noise.weather("flood", at_ms).max(0.0).powi(2);
    let conductivity = 320.0 - 120.0 * flood + 15.0 * noise.weather("conductivity", at_ms);
    let level = 0.42 + 0.9 * flood + 0.04 * noise.weather("water_level", at_ms);
    let turbidity = 18.0 + 140.0 * flood + 4.0 * noise.weather("turbidity", at_ms);
    vec![
        ("do", (oxygen + 0.05 * noise.scatter("do", at_ms)).max(0.0)),
        ("ph", acidity + 0.02 * noise.scatter("ph", at_ms)),
        ("water_temperature", temperature + 0.05 * noise.scatter("water_temperature", at_ms)),
        ("conductivity", conductivity + 2.0 * noise.scatter("conductivity", at_ms)),
        ("turbidity", (turbidity + 1.0 * noise.scatter("turbidity", at_ms)).max(0.5)),
        ("water_level", level + 0.004 * noise.scatter("water_level", at_ms)),
    ]
}
