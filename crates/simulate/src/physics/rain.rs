//! Rain: afternoon showers of the wet season, shared by every station of a region.

use bakau_model::{DAY_MS, HOUR_MS, MINUTE_MS};

use super::{local_day, wetness};
use crate::{noise, site::Region};

/// Showers of so many days before are still felt, in rivers and soil.
const DAYS: i64 = 6;
/// What one tip of the bucket of a rain gauge holds, mm.
const TIP_MM: f64 = 0.2;

/// One convective shower: sets in quickly, fades slowly. Its intensity is `x e^-x` with `x` in units of its rise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shower {
    onset_ms: i64,
    rise_ms: f64,
    depth_mm: f64,
}

impl Shower {
    fn age(&self, at_ms: i64) -> f64 {
        ((at_ms - self.onset_ms) as f64 / self.rise_ms).max(0.0)
    }

    /// Millimetres that have fallen until an instant.
    fn fallen(&self, at_ms: i64) -> f64 {
        let x = self.age(at_ms);
        self.depth_mm * (1.0 - (1.0 + x) * (-x).exp())
    }

    /// Millimetres per hour.
    fn intensity(&self, at_ms: i64) -> f64 {
        let x = self.age(at_ms);
        self.depth_mm / (self.rise_ms / HOUR_MS as f64) * x * (-x).exp()
    }
}

/// The showers of a region that matter at an instant.
#[derive(Debug, Clone)]
pub(crate) struct Rain(Vec<Shower>);

impl Rain {
    pub(crate) fn around(seed: u64, region: Region, at_ms: i64) -> Self {
        let today = local_day(at_ms);
        Self((today - DAYS..=today).flat_map(|day| showers(seed, region, day)).collect())
    }

    /// Millimetres per hour.
    pub(crate) fn intensity(&self, at_ms: i64) -> f64 {
        self.0.iter().map(|shower| shower.intensity(at_ms)).sum()
    }

    /// What a tipping bucket counted in the `window_ms` before an instant, mm.
    pub(crate) fn gauge(&self, at_ms: i64, window_ms: i64) -> f64 {
        let tips = |shower: &Shower, at: i64| (shower.fallen(at) / TIP_MM).floor();
        let counted = |shower: &Shower| tips(shower, at_ms) - tips(shower, at_ms - window_ms);
        self.0.iter().map(counted).sum::<f64>() * TIP_MM
    }

    /// Rain still felt, mm: what has fallen, forgotten with a time constant.
    pub(crate) fn memory(&self, at_ms: i64, constant_h: f64) -> f64 {
        let felt = |shower: &Shower| {
            let hours = (at_ms - shower.onset_ms) as f64 / HOUR_MS as f64;
            shower.fallen(at_ms) * (-hours.max(0.0) / constant_h).exp()
        };
        self.0.iter().map(felt).sum()
    }

    /// What runs off, as the mean mm/h of its hydrograph: a gamma curve whose area is the rain that fell.
    pub(crate) fn runoff(&self, at_ms: i64, lag_h: f64, constant_h: f64) -> f64 {
        let flowing = |shower: &Shower| {
            let x = (((at_ms - shower.onset_ms) as f64 / HOUR_MS as f64 - lag_h) / constant_h).max(0.0);
            shower.depth_mm / constant_h * x * (-x).exp()
        };
        self.0.iter().map(flowing).sum()
    }
}

/// The showers that begin on a local day: none, one, or one and a smaller one in the evening.
fn showers(seed: u64, region: Region, day: i64) -> impl Iterator<Item = Shower> {
    let stream = region.stream() ^ noise::stream("shower");
    let draw = move |what: i64| noise::white(seed, stream, day * 16 + what) / 2.0 + 0.5;
    let noon_ms = day * DAY_MS + DAY_MS / 2 - super::ZONE_MS;
    let wet = wetness(noon_ms);
    // Wet and dry spells of some days come over all cities together.
    let spell = noise::smooth(seed, noise::stream("spell"), noon_ms, 5 * DAY_MS) / 2.0 + 0.5;
    let chance = (0.03 + 0.75 * wet.powf(1.3)) * region.rainfall() * (0.45 + 1.1 * spell);
    let shower = move |first: i64, hour: f64, scale_mm: f64| Shower {
        onset_ms: noon_ms + ((hour - 12.0 + 4.5 * draw(first + 1)) * HOUR_MS as f64) as i64,
        rise_ms: (8.0 + 22.0 * draw(first + 2)) * MINUTE_MS as f64,
        depth_mm: (-(1.0 - draw(first + 3)).max(0.01).ln() * scale_mm + 0.4).min(110.0),
    };
    let afternoon = (draw(0) < chance).then(|| shower(0, 12.8, 8.0 + 8.0 * wet));
    let evening = (draw(8) < 0.25 * chance).then(|| shower(8, 18.5, 4.0 + 5.0 * wet));
    afternoon.into_iter().chain(evening)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    /// 2026-01-01T00:00:00+07:00.
    const JANUARY: i64 = 1_767_200_400_000;

    fn month_of_rain(seed: u64, first: i64) -> Vec<(i64, f64)> {
        let instants = (1..=30 * 288).map(|step| first + step * 5 * MINUTE);
        instants.map(|at| (at, Rain::around(seed, Region::Malang, at).gauge(at, 5 * MINUTE))).collect()
    }

    #[test]
    fn what_the_gauge_counts_is_what_falls_but_for_the_last_tip() {
        let counted: f64 = month_of_rain(3, JANUARY).iter().map(|(_, amount)| amount).sum();
        let day = local_day(JANUARY + 1);
        let fell: Vec<_> = (day..day + 30).flat_map(|day| showers(3, Region::Malang, day)).collect();
        let depth: f64 = fell.iter().map(|shower| shower.depth_mm).sum();
        assert!(12 <= fell.len(), "only {} showers in January", fell.len());
        // The days before add the tail of their showers, each shower keeps less than a tip.
        assert!((counted - depth).abs() < TIP_MM * fell.len() as f64 + 1.0, "{counted} mm counted, {depth} mm fell");
    }

    #[test]
    fn most_rain_falls_in_the_afternoons_of_the_wet_season() {
        let wet = month_of_rain(1, JANUARY);
        let total = |rain: &[(i64, f64)]| rain.iter().map(|(_, amount)| amount).sum::<f64>();
        let afternoon = |at: i64| (12.0..22.0).contains(&super::super::hour_of_day(at));
        let of_afternoons: f64 = wet.iter().filter(|(at, _)| afternoon(*at)).map(|(_, amount)| amount).sum();
        assert!((100.0..700.0).contains(&total(&wet)), "{} mm in January", total(&wet));
        assert!(0.8 * total(&wet) < of_afternoons);
        let dry = month_of_rain(1, JANUARY + 205 * DAY_MS);
        assert!(4.0 * total(&dry) < total(&wet), "{} mm in July and August", total(&dry));
    }

    #[test]
    fn all_rain_runs_off_in_the_end() {
        let shower = Shower { onset_ms: 0, rise_ms: 900_000.0, depth_mm: 40.0 };
        let rain = Rain(vec![shower]);
        let minutes = 5 * 24 * 60;
        let volume: f64 = (0..minutes).map(|minute| rain.runoff(minute * MINUTE, 1.0, 3.0) / 60.0).sum();
        assert!((volume - 40.0).abs() < 0.1, "{volume} mm of 40 ran off");
        assert!(rain.intensity(900_000) > rain.intensity(3_600_000));
    }
}
