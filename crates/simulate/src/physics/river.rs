//! Rivers and a spring: rain comes down as turbid, thin water; algae make oxygen by day.

use bakau_model::MINUTE_MS;

use super::{Channels, Scene, chemistry, sea, wetness};
use crate::{channel::Channel, site::River};

/// What a river does at an instant.
pub(crate) fn channels(scene: &Scene<'_>, river: &River) -> Channels {
    let sky = &scene.sky;
    let at_ms = scene.at_ms;
    // The first water of a flood is the dirtiest: its wave runs ahead of the water's.
    let first_flush = sky.rain.runoff(at_ms, 0.6 * river.lag_h, 0.6 * river.lag_h);
    let runoff = sky.rain.runoff(at_ms, river.lag_h, 1.6 * river.lag_h);
    let base = river.base_flow_m3s * (0.7 + 0.5 * wetness(at_ms) + 0.08 * scene.wander("flow", 60));
    let flow = base + river.gain_m3s * runoff;
    let level = river.stage_of(flow);

    let air = sky.temperature(scene.site.elevation_m);
    let temperature =
        air - 0.6 + 1.5 * (sky.light_memory(5.0) - 0.2) - (air - 24.0) * 0.25 - 0.25 * first_flush.min(6.0);
    let waste = river.waste * (base / flow).sqrt() + 0.05 * first_flush.min(4.0);
    let algae = 0.55 * (1.0 - 0.6 * (first_flush / 2.0).min(1.0)) * (sky.light_memory(3.0) - 0.18);
    let share = (0.97 - waste + algae + 0.02 * scene.wander("do", 20)).clamp(0.03, 1.6);
    let pressure = sky.pressure(scene.site.elevation_m);
    let oxygen = chemistry::oxygen_saturation(temperature, 0.0, pressure) * share;
    let conductivity =
        river.conductivity * (0.38 + 0.62 * base / flow) * (1.0 + 0.04 * scene.wander("conductivity", 30));
    let turbidity = river.turbidity * (1.0 + 0.25 * scene.wander("turbidity", 5)) + river.silt * first_flush.powf(1.25);
    let acidity = river.ph + 0.5 * algae - 0.12 * first_flush.min(3.0) + 0.04 * scene.wander("ph", 30);
    vec![
        (Channel::WaterTemperature, scene.meter(Channel::WaterTemperature, temperature, 0.02)),
        (Channel::Do, scene.meter(Channel::Do, oxygen, 0.03).max(0.0)),
        (Channel::Ph, scene.meter(Channel::Ph, acidity, 0.01)),
        (Channel::Conductivity, scene.meter(Channel::Conductivity, conductivity, 1.0)),
        (Channel::Tds, scene.meter(Channel::Tds, 0.64 * conductivity, 1.0)),
        (
            Channel::Turbidity,
            scene.meter(Channel::Turbidity, turbidity.min(1_900.0), 0.02 * turbidity.min(100.0)).max(0.3),
        ),
        (Channel::WaterLevel, scene.meter(Channel::WaterLevel, level, 0.003)),
        (Channel::Flow, flow),
        (Channel::Nitrate, scene.meter(Channel::Nitrate, 1.2 + 5.0 * river.waste * (base / flow), 0.03)),
        (Channel::Ammonia, scene.meter(Channel::Ammonia, 0.02 + 0.4 * waste, 0.005).max(0.0)),
    ]
}

/// A spring: the same water all year, a little cloudier after long rain.
pub(crate) fn spring(scene: &Scene<'_>) -> Channels {
    let soaked = scene.sky.rain.memory(scene.at_ms, 30.0);
    let temperature = 23.6 + 0.15 * scene.wander("water_temperature", 50);
    let turbidity = 0.8 + 0.05 * soaked + 0.15 * scene.wander("turbidity", 8);
    vec![
        (Channel::WaterTemperature, scene.meter(Channel::WaterTemperature, temperature, 0.02)),
        (Channel::Turbidity, scene.meter(Channel::Turbidity, turbidity, 0.05).max(0.1)),
        (Channel::Ph, scene.meter(Channel::Ph, 6.9 + 0.05 * scene.wander("ph", 60), 0.01)),
        (Channel::Conductivity, scene.meter(Channel::Conductivity, 385.0 - 0.3 * soaked, 1.0)),
        (Channel::Tds, scene.meter(Channel::Tds, 0.64 * (385.0 - 0.3 * soaked), 1.0)),
        (Channel::Nitrate, scene.meter(Channel::Nitrate, 4.4 + 0.01 * soaked, 0.03)),
        (Channel::WaterLevel, scene.meter(Channel::WaterLevel, 1.85 + 0.004 * soaked, 0.003)),
    ]
}

/// The lower reach of a city river: the tide pushes salt upstream, rain pushes it out again.
pub(crate) fn tidal(scene: &Scene<'_>) -> Channels {
    let sky = &scene.sky;
    let (region, at_ms) = (scene.site.region, scene.at_ms);
    let runoff = sky.rain.runoff(at_ms, 1.5, 2.5);
    let level = 0.82 * sea::level(scene.seed, region, at_ms - 25 * MINUTE_MS) + 0.16 * runoff.min(6.0);
    let flood = sea::flood(region, at_ms, 70);
    let sea_share = 0.34 * (0.5 * (1.0 + flood)).powf(1.5) * (-0.8 * runoff).exp();
    let salinity = (0.25 + sea::salinity(sky, at_ms) * sea_share).max(0.1);
    let temperature = sea::temperature(sky, at_ms) + 0.4;
    let algae = 0.5 * (sky.light_memory(3.0) - 0.18);
    let share = (0.50 + algae + 0.1 * flood - 0.06 * runoff.min(3.0) + 0.05 * scene.wander("do", 40)).clamp(0.02, 1.4);
    let oxygen = chemistry::oxygen_saturation(temperature, salinity, sky.pressure(scene.site.elevation_m)) * share;
    let turbidity = 28.0 + 10.0 * scene.wander("turbidity", 6) + 90.0 * runoff;
    vec![
        (Channel::WaterLevel, scene.meter(Channel::WaterLevel, level, 0.004)),
        (Channel::WaterTemperature, scene.meter(Channel::WaterTemperature, temperature, 0.02)),
        (Channel::Salinity, scene.meter(Channel::Salinity, salinity, 0.02).max(0.0)),
        (
            Channel::Conductivity,
            scene.meter(Channel::Conductivity, chemistry::conductivity_at_25(salinity), 15.0).max(0.0),
        ),
        (Channel::Do, scene.meter(Channel::Do, oxygen, 0.03).max(0.0)),
        (Channel::Ph, scene.meter(Channel::Ph, 7.2 + 0.3 * algae + 0.25 * sea_share, 0.01)),
        (Channel::Turbidity, scene.meter(Channel::Turbidity, turbidity, 0.8).max(1.0)),
    ]
}
