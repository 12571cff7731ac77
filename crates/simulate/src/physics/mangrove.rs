//! Harbour, mangrove creek and mangrove soil: what the tide brings, light and rain change.

use bakau_model::HOUR_MS;

use super::{Channels, Scene, chemistry, sea, wetness};
use crate::channel::Channel;

/// A mangrove creek with a sonde on its bed: sea water on the flood, the creek's own on the ebb.
pub(crate) fn creek(scene: &Scene<'_>) -> Channels {
    let sky = &scene.sky;
    let (region, at_ms) = (scene.site.region, scene.at_ms);
    let flood = sea::flood(region, at_ms, 45);
    let ebb = 0.5 * (1.0 - flood);
    let runoff = sky.rain.runoff(at_ms, 2.0, 4.0);
    let fresh = (0.04 + 0.12 * ebb * wetness(at_ms) + (0.25 + 0.75 * ebb) * runoff / (runoff + 5.0)).min(0.9);
    // Where rain is scarce, water that stood between the roots comes out saltier than the sea.
    let evaporated = 1.0 + 0.07 * ebb * (1.0 - wetness(at_ms));
    let salinity = sea::salinity(sky, at_ms) * evaporated * (1.0 - fresh);
    let temperature =
        sea::temperature(sky, at_ms) + ebb * (5.0 * (sky.light_memory(4.0) - 0.2) - 0.25 * runoff.min(3.0));

    // Mud and roots breathe all day and night, algae only in the light; the flood brings oxygen in.
    let algae = 1.0 * sky.light_memory(3.5);
    let load = 0.05 * runoff.min(2.0) + 0.12 * scene.wander("load", 60);
    let share = (0.335 + algae + 0.11 * flood - load).clamp(0.03, 1.7);
    let oxygen = chemistry::oxygen_saturation(temperature, salinity, sky.pressure(scene.site.elevation_m)) * share;
    let acidity = 7.25 + 0.6 * (share - 0.4) + 0.25 * (1.0 - fresh) + 0.03 * scene.wander("ph", 20);
    let current = (sea::tide(region, at_ms) - sea::tide(region, at_ms - HOUR_MS / 2)).abs() * 2.0;
    let (wind, _) = sky.wind();
    let turbidity = 8.0 + 55.0 * current + 2.2 * wind + 35.0 * runoff + 4.0 * scene.wander("turbidity", 4);
    vec![
        (Channel::WaterLevel, scene.meter(Channel::WaterLevel, sea::level(scene.seed, region, at_ms), 0.005)),
        (Channel::Salinity, scene.meter(Channel::Salinity, salinity, 0.03).max(0.0)),
        (
            Channel::Conductivity,
            scene.meter(Channel::Conductivity, chemistry::conductivity_at_25(salinity), 20.0).max(0.0),
        ),
        (Channel::Do, scene.meter(Channel::Do, oxygen, 0.03).max(0.0)),
        (Channel::WaterTemperature, scene.meter(Channel::WaterTemperature, temperature, 0.02)),
        (Channel::Ph, scene.meter(Channel::Ph, acidity, 0.01)),
        (Channel::Turbidity, scene.meter(Channel::Turbidity, turbidity, 0.6).max(1.0)),
    ]
}

/// A quay in the open harbour.
pub(crate) fn harbour(scene: &Scene<'_>) -> Channels {
    let sky = &scene.sky;
    let (region, at_ms) = (scene.site.region, scene.at_ms);
    let flood = sea::flood(region, at_ms, 20);
    let runoff = sky.rain.runoff(at_ms, 3.0, 5.0);
    let salinity = sea::salinity(sky, at_ms) * (1.0 - 0.05 * (1.0 - flood) - 0.02 * runoff.min(4.0));
    let temperature = sea::temperature(sky, at_ms);
    let share = 0.80 + 0.6 * (sky.light_memory(3.5) - 0.18) + 0.05 * flood - 0.02 * runoff.min(3.0);
    let oxygen = chemistry::oxygen_saturation(temperature, salinity, sky.pressure(scene.site.elevation_m)) * share;
    let (wind, _) = sky.wind();
    let turbidity = 5.0 + 1.8 * wind + 10.0 * runoff + 2.0 * scene.wander("turbidity", 5);
    vec![
        (Channel::WaterLevel, scene.meter(Channel::WaterLevel, sea::level(scene.seed, region, at_ms), 0.006)),
        (Channel::WaterTemperature, scene.meter(Channel::WaterTemperature, temperature, 0.02)),
        (Channel::Salinity, scene.meter(Channel::Salinity, salinity, 0.03)),
        (Channel::Conductivity, scene.meter(Channel::Conductivity, chemistry::conductivity_at_25(salinity), 20.0)),
        (Channel::Do, scene.meter(Channel::Do, oxygen, 0.03).max(0.0)),
        (Channel::Ph, scene.meter(Channel::Ph, 8.0 + 0.15 * (share - 0.8), 0.01)),
        (Channel::Turbidity, scene.meter(Channel::Turbidity, turbidity, 0.3).max(0.5)),
    ]
}

/// Height of the mangrove floor about mean sea level, m: only the higher half of the tides reaches it.
const FLOOR_M: f64 = 0.45;

/// Soil between the roots: soaked by each tide that reaches it, drying and salting until the next.
pub(crate) fn soil(scene: &Scene<'_>) -> Channels {
    let (region, at_ms) = (scene.site.region, scene.at_ms);
    let (mut wet, mut weights) = (0.0, 0.0);
    for step in 0..30 {
        let level = sea::level(scene.seed, region, at_ms - step * 2 * HOUR_MS);
        let weight = (-f64::from(i32::try_from(step).unwrap_or(0)) / 12.0).exp();
        wet += weight / (1.0 + (-(level - FLOOR_M) * 12.0).exp());
        weights += weight;
    }
    let tide = wet / weights;
    let rain = (scene.sky.rain.memory(at_ms, 24.0) / 40.0).min(1.0);
    let moisture = 0.40 + 0.42 * tide.sqrt() * 0.75 + 0.08 * rain;
    // Less water, the same salt.
    let pore = 30.0 + 11.0 * (1.0 - tide) * (1.2 - wetness(at_ms)) - 7.0 * rain + 0.6 * scene.wander("pore", 30);
    let sky = &scene.sky;
    let temperature = 27.6 + 4.0 * (sky.light_memory(9.0) - 0.2) - 0.6 * rain + 0.3 * scene.wander("soil", 40);
    vec![
        (Channel::SoilMoisture, scene.meter(Channel::SoilMoisture, moisture, 0.002).clamp(0.0, 0.9)),
        (Channel::SoilConductivity, scene.meter(Channel::SoilConductivity, pore * 1_000.0, 60.0)),
        (Channel::SoilTemperature, scene.meter(Channel::SoilTemperature, temperature, 0.02)),
    ]
}
