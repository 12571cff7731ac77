//! Street air: traffic, a layer that is shallow at night, rain that washes, sun that makes ozone.

use super::{Channels, Scene, bump, hour_of_day, is_weekend, wetness};
use crate::channel::Channel;

/// Emission of traffic as a share of the morning peak of a working day.
pub(crate) fn traffic(at_ms: i64) -> f64 {
    let (morning, evening, late) = if is_weekend(at_ms) { (0.35, 0.75, 0.4) } else { (1.0, 0.9, 0.15) };
    let day =
        0.42 / (1.0 + (-(hour_of_day(at_ms) - 6.0) * 2.0).exp()) / (1.0 + ((hour_of_day(at_ms) - 20.0) * 1.5).exp());
    0.10 + day + morning * bump(at_ms, 6.8, 1.1) + evening * bump(at_ms, 17.4, 1.6) + late * bump(at_ms, 20.5, 1.5)
}

pub(crate) fn channels(scene: &Scene<'_>, share_of_main_road: f64) -> Channels {
    let sky = &scene.sky;
    let (speed, _) = sky.wind();
    // The mixed layer grows with the warmth of the ground.
    let layer_m = 260.0 + 3_000.0 * sky.light_memory(2.5).powf(1.2);
    let dilution = (420.0 / layer_m).powf(0.45) * (2.4 / (0.9 + speed)).powf(0.4);
    // Still days come in spells, more of them in the dry season.
    let stagnation = (0.62 * sky.wander("stagnation", 52) + 0.12 * scene.wander("street", 3)).exp();
    let dry = 1.0 - wetness(scene.at_ms);
    let washed = (-0.05 * sky.rain.memory(scene.at_ms, 3.0)).exp();
    let emission = traffic(scene.at_ms) * share_of_main_road * dilution * stagnation;

    let background = (9.0 + 9.0 * dry) * (0.75 + 0.25 * dilution) * stagnation;
    let pm25 = (background + 21.0 * emission) * washed;
    // Dust that wheels raise from dry roads.
    let coarse = (5.0 + 5.0 * dry + 11.0 * emission) * (1.0 + 0.06 * speed) * washed.powi(2);
    let sun = sky.light_memory(1.2);
    let no2 = (13.0 * dilution * stagnation.sqrt() + 42.0 * emission) * (1.0 - 0.5 * sun) * washed.sqrt();
    // Sunlight makes ozone through the day; fresh exhaust eats it.
    let ozone = 16.0 + 150.0 * sky.light_memory(3.0) * (0.75 + 0.35 * dry) - 0.5 * no2;
    vec![
        (Channel::Pm25, scene.meter(Channel::Pm25, pm25, 0.6).max(1.0)),
        (Channel::Pm10, scene.meter(Channel::Pm10, pm25 + coarse, 0.9).max(2.0)),
        (Channel::No2, scene.meter(Channel::No2, no2, 0.7).max(0.5)),
        (Channel::O3, scene.meter(Channel::O3, ozone.max(3.0), 0.8).max(0.5)),
        (Channel::Co, scene.meter(Channel::Co, 260.0 + 1_500.0 * emission, 12.0).max(60.0)),
        (Channel::So2, scene.meter(Channel::So2, 5.0 + 6.0 * emission * (1.0 + 0.5 * dry), 0.4).max(0.5)),
        (Channel::Co2, scene.meter(Channel::Co2, 418.0 + 28.0 * dilution + 45.0 * emission, 1.0)),
    ]
}
