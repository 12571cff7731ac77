//! What the environment does at an instant: small models with the relations a specialist looks for, not of any real place.
//!
//! Every value is a pure function of seed, site and time, so that history and live values join without a seam. Weather
//! belongs to a region and is shared by its stations: one shower washes the air, swells the river and freshens the creek.
//! Magnitudes are typical ones of East Java (M-med unless a comment says more); they are there so that charts look right
//! and rules have something to do, not to be cited.

pub(crate) mod air;
pub(crate) mod chemistry;
pub(crate) mod mangrove;
pub(crate) mod rain;
pub(crate) mod river;
pub(crate) mod sea;
pub(crate) mod sky;
pub(crate) mod sun;

use std::f64::consts::TAU;

use bakau_model::{DAY_MS, HOUR_MS};

use crate::{
    channel::Channel,
    noise,
    site::{Place, Site},
};
use sky::Sky;

/// East Java keeps UTC+7 all year.
pub(crate) const ZONE_MS: i64 = 7 * HOUR_MS;

/// Values by channel, in canonical units.
pub(crate) type Channels = Vec<(Channel, f64)>;

/// Civil day in East Java, counted from 1970.
pub(crate) fn local_day(at_ms: i64) -> i64 {
    (at_ms + ZONE_MS).div_euclid(DAY_MS)
}

/// Milliseconds since midnight in East Java.
fn ms_of_day(at_ms: i64) -> i64 {
    (at_ms + ZONE_MS).rem_euclid(DAY_MS)
}

/// Hour of the day in East Java, 0 to 24.
pub(crate) fn hour_of_day(at_ms: i64) -> f64 {
    ms_of_day(at_ms) as f64 / HOUR_MS as f64
}

/// Saturday or Sunday in East Java; 1970-01-01 was a Thursday.
pub(crate) fn is_weekend(at_ms: i64) -> bool {
    matches!((local_day(at_ms) + 3).rem_euclid(7), 5 | 6)
}

/// The season from 0 (driest, July) to 1 (wettest, January).
pub(crate) fn wetness(at_ms: i64) -> f64 {
    0.5 * (1.0 + ((sun::day_of_year(at_ms) - 20.0) / 365.25 * TAU).cos())
}

/// A daily wave from -1 to 1 with its greatest value at `peak_hour`.
pub(crate) fn day_wave(at_ms: i64, peak_hour: f64) -> f64 {
    ((hour_of_day(at_ms) - peak_hour) / 24.0 * TAU).cos()
}

/// A bump from 0 to 1 around an hour of the day, about `width` hours wide on each side.
pub(crate) fn bump(at_ms: i64, hour: f64, width: f64) -> f64 {
    let distance = (hour_of_day(at_ms) - hour + 12.0).rem_euclid(24.0) - 12.0;
    (-(distance / width).powi(2)).exp()
}

/// A site at an instant, under its sky.
pub(crate) struct Scene<'a> {
    pub(crate) site: &'a Site,
    pub(crate) seed: u64,
    pub(crate) at_ms: i64,
    pub(crate) sky: Sky,
    stream: u64,
}

impl Scene<'_> {
    /// Wandering of this site alone, from -1 to 1, over about so many hours.
    pub(crate) fn wander(&self, what: &str, hours: i64) -> f64 {
        noise::smooth(self.seed, self.stream ^ noise::stream(what), self.at_ms, hours * HOUR_MS)
    }

    /// A value as an instrument shows it: with scatter of up to `scatter` that changes from second to second.
    pub(crate) fn meter(&self, channel: Channel, value: f64, scatter: f64) -> f64 {
        let stream = !self.stream ^ noise::stream(channel.code());
        value + scatter * noise::white(self.seed, stream, self.at_ms.div_euclid(1_000))
    }

    /// The weather instruments every station may carry; `window_ms` is the time its rain gauge counted.
    fn weather(&self, window_ms: i64) -> Channels {
        let (sky, height) = (&self.sky, self.site.elevation_m);
        let (speed, from) = sky.wind();
        vec![
            (Channel::AirTemperature, self.meter(Channel::AirTemperature, sky.temperature(height), 0.06)),
            (Channel::Humidity, self.meter(Channel::Humidity, sky.humidity(height), 0.4).clamp(5.0, 100.0)),
            (Channel::Pressure, self.meter(Channel::Pressure, sky.pressure(height), 0.05)),
            (Channel::WindSpeed, self.meter(Channel::WindSpeed, speed, 0.15).max(0.0)),
            (Channel::WindDirection, self.meter(Channel::WindDirection, from, 4.0).rem_euclid(360.0)),
            (Channel::Rain, sky.rain.gauge(self.at_ms, window_ms)),
            (Channel::Par, self.meter(Channel::Par, sky.par(), 0.01 * sky.par()).max(0.0)),
            (Channel::Battery, self.meter(Channel::Battery, sky.battery(), 0.01)),
        ]
    }
}

/// Every value of a site at an instant; `window_ms` is the time since its last message, over which rain is counted by
/// gauges that do not count on.
pub(crate) fn values(site: &Site, seed: u64, at_ms: i64, window_ms: i64) -> Channels {
    let sky = Sky::over(seed, site.region, at_ms);
    let scene = Scene { site, seed, at_ms, sky, stream: noise::stream(&site.id) };
    let mut channels = match &site.place {
        Place::Street { share_of_main_road } => air::channels(&scene, *share_of_main_road),
        Place::Weather => Vec::new(),
        Place::River(river) => river::channels(&scene, river),
        Place::Spring => river::spring(&scene),
        Place::TidalRiver => river::tidal(&scene),
        Place::Harbour => mangrove::harbour(&scene),
        Place::Creek => mangrove::creek(&scene),
        Place::Soil => mangrove::soil(&scene),
    };
    let counted_ms = if site.counts_on() { ms_of_day(at_ms) } else { window_ms };
    channels.extend(scene.weather(counted_ms));
    channels.retain(|(channel, _)| site.channels.contains(channel));
    channels
}

#[cfg(test)]
mod tests;
