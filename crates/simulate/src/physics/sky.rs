//! The weather of a region at an instant: light, warmth, damp, pressure and wind belong together.

use std::f64::consts::TAU;

use bakau_model::HOUR_MS;

use super::{bump, chemistry, day_wave, rain::Rain, sun, wetness};
use crate::{noise, site::Region};

/// The sky over one region around an instant.
#[derive(Debug, Clone)]
pub(crate) struct Sky {
    seed: u64,
    region: Region,
    at_ms: i64,
    pub(crate) rain: Rain,
    /// Light of each of the last hours, now first: warmth, photosynthesis and batteries remember it.
    light: [f64; 16],
}

impl Sky {
    pub(crate) fn over(seed: u64, region: Region, at_ms: i64) -> Self {
        let rain = Rain::around(seed, region, at_ms);
        let mut sky = Self { seed, region, at_ms, rain, light: [0.0; 16] };
        let mut hours = at_ms;
        let light = std::array::from_fn(|_| {
            let light = sky.light_at(hours);
            hours -= HOUR_MS;
            light
        });
        sky.light = light;
        sky
    }

    /// Wandering with the weather, from -1 to 1, the same at every station of the region.
    pub(crate) fn wander(&self, what: &str, hours: i64) -> f64 {
        noise::smooth(self.seed, self.region.stream() ^ noise::stream(what), self.at_ms, hours * HOUR_MS)
    }

    /// Share of the sky that is clouded.
    fn cloud(&self, at_ms: i64) -> f64 {
        let stream = self.region.stream() ^ noise::stream("cloud");
        let wet = wetness(at_ms);
        let fields = 0.22 * noise::smooth(self.seed, stream, at_ms, 3 * HOUR_MS)
            + 0.13 * noise::smooth(self.seed, stream, at_ms, HOUR_MS / 4);
        let afternoon = 0.28 * wet * bump(at_ms, 15.0, 2.5);
        (0.24 + 0.22 * wet + fields + afternoon + self.rain.intensity(at_ms) / 8.0).clamp(0.0, 0.97)
    }

    /// Light as a share of what a clear sky with the sun overhead gives.
    fn light_at(&self, at_ms: i64) -> f64 {
        let height = sun::height(at_ms, self.region.latitude(), self.region.longitude());
        // Low sun shines through more air.
        if height <= 0.0 { 0.0 } else { height.powf(1.15) * (1.0 - 0.74 * self.cloud(at_ms)) }
    }

    pub(crate) fn light(&self) -> f64 {
        self.light[0]
    }

    /// Mean light of the last hours, those long past counting less.
    pub(crate) fn light_memory(&self, constant_h: f64) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        let fade = (-1.0 / constant_h).exp();
        let mut weight = 1.0;
        for light in self.light {
            sum += weight * light;
            weights += weight;
            weight *= fade;
        }
        sum / weights
    }

    /// Photosynthetically active radiation, umol/m2/s.
    pub(crate) fn par(&self) -> f64 {
        2_250.0 * self.light()
    }

    /// Air temperature at a height, Cel: 6 K less per kilometre, warm after the light, cool after rain.
    pub(crate) fn temperature(&self, elevation_m: f64) -> f64 {
        let season = 0.7 * ((sun::day_of_year(self.at_ms) - 295.0) / 365.25 * TAU).cos();
        let swing = if self.region.is_coast() { 8.5 } else { 12.0 };
        let warmth = swing * (self.light_memory(3.0) - 0.22);
        let shower = (0.13 * self.rain.memory(self.at_ms, 2.0)).min(3.5);
        27.6 + season - 0.006 * elevation_m + warmth - shower + 0.8 * self.wander("temperature", 30)
    }

    /// Dew point at a height, Cel; never above the air temperature.
    pub(crate) fn dew_point(&self, elevation_m: f64) -> f64 {
        let rain = (0.06 * self.rain.memory(self.at_ms, 6.0)).min(1.2);
        let dew = 20.4 + 3.2 * wetness(self.at_ms) - 0.004_9 * elevation_m + rain + 1.0 * self.wander("dew_point", 40);
        dew.min(self.temperature(elevation_m) - 0.15)
    }

    pub(crate) fn humidity(&self, elevation_m: f64) -> f64 {
        chemistry::humidity(self.temperature(elevation_m), self.dew_point(elevation_m))
    }

    /// Air pressure at a height, hPa, with the tide of the atmosphere: highest at 10 and 22 o'clock.
    pub(crate) fn pressure(&self, elevation_m: f64) -> f64 {
        let tide = 1.4 * (2.0 * (super::hour_of_day(self.at_ms) - 10.0) / 24.0 * TAU).cos();
        let sea_level = 1_010.6 + tide + 0.4 * day_wave(self.at_ms, 7.0) + 1.3 * self.wander("pressure", 90);
        chemistry::pressure_at(elevation_m, sea_level, self.temperature(elevation_m))
    }

    /// Wind as (speed in m/s, direction it comes from in degrees): monsoon, and on the coast the sea breeze by day and the
    /// land breeze by night; the sea lies in the north.
    pub(crate) fn wind(&self) -> (f64, f64) {
        let wet = wetness(self.at_ms);
        let breeze = if self.region.is_coast() { 1.0 } else { 0.35 };
        // Components towards east and north.
        let monsoon_east = -1.7 + 2.9 * wet + 0.8 * self.wander("wind_east", 9);
        let monsoon_north = 0.9 - 1.1 * wet + 0.8 * self.wander("wind_north", 9);
        let sea_breeze = -8.5 * self.light_memory(2.5);
        let land_breeze = 1.6 * (1.0 - (4.0 * self.light_memory(2.5)).min(1.0));
        let (east, north) = (monsoon_east, monsoon_north + breeze * (sea_breeze + land_breeze));
        let gusts = 1.0 + 0.25 * noise::smooth(self.seed, self.region.stream() ^ 0x6755, self.at_ms, 180_000);
        let outflow = (self.rain.intensity(self.at_ms) / 25.0).min(1.0) * 3.0;
        let shelter = if self.region.is_coast() { 1.0 } else { 0.7 };
        let speed = (east.hypot(north) + outflow) * gusts * shelter;
        let from = (-east).atan2(-north).to_degrees().rem_euclid(360.0);
        (speed.max(0.1), from)
    }

    /// Voltage of a 12 V battery on a solar panel: what the last day brought, and the charge of the moment.
    pub(crate) fn battery(&self) -> f64 {
        12.15 + 2.2 * self.light_memory(16.0).min(0.32) + 1.1 * self.light().min(0.6)
    }
}
