//! A street-side air station: two traffic peaks, a shallow night layer, humidity against temperature.

use super::{Noise, bump, daily, daylight};

/// (parameter, value) in canonical units: ug/m3, Cel, %.
pub(crate) fn values(noise: Noise, at_ms: i64) -> Vec<(&'static str, f64)> {
    let temperature = 27.0 + 4.5 * daily(at_ms, 14.0) + 1.2 * noise.weather("air_temperature", at_ms);
    let humidity = 76.0 - 3.2 * (temperature - 27.0) + 5.0 * noise.weather("humidity", at_ms);
    let traffic = bump(at_ms, 7.0, 1.5) + 0.9 * bump(at_ms, 17.5, 2.0);
    // Less mixing at night keeps what the day made near the ground.
    let stagnation = 1.0 + 0.35 * (1.0 - daylight(at_ms)) + 0.4 * noise.weather("stagnation", at_ms);
    let pm25 = (14.0 + 16.0 * traffic) * stagnation;
    let pm10 = pm25 * (1.55 + 0.15 * noise.weather("dust", at_ms));
    let no2 = (12.0 + 38.0 * traffic) * stagnation;
    // Ozone needs sun and is eaten by fresh exhaust.
    let ozone = (18.0 + 75.0 * daylight(at_ms) - 10.0 * traffic).max(4.0);
    vec![
        ("pm25", (pm25 + 1.2 * noise.scatter("pm25", at_ms)).max(1.0)),
        ("pm10", (pm10 + 1.8 * noise.scatter("pm10", at_ms)).max(2.0)),
        ("air_temperature", temperature + 0.1 * noise.scatter("air_temperature", at_ms)),
        ("humidity", (humidity + 0.5 * noise.scatter("humidity", at_ms)).clamp(30.0, 100.0)),
        ("no2", (no2 + 1.0 * noise.scatter("no2", at_ms)).max(0.5)),
        ("o3", (ozone + 1.0 * noise.scatter("o3", at_ms)).max(0.5)),
    ]
}
