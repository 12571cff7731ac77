//! The Madura Strait off Probolinggo and Pasuruan: tide, surge, salt and warmth.

use std::f64::consts::TAU;

use bakau_model::{HOUR_MS, MINUTE_MS};

use super::{sky::Sky, sun, wetness};
use crate::{noise, site::Region};

/// A tidal constituent.
struct Constituent {
    /// Degrees per hour.
    speed: f64,
    amplitude_m: f64,
    /// Hours after 2026-01-01T00:00Z at which it first peaks.
    peak_h: f64,
}

/// Speeds are the astronomical ones. Amplitudes are chosen, not measured: Formzahl (K1 + O1) / (M2 + S2) = 1.15, that of the
/// Surabaya staff [one source], "mixed, mainly semidiurnal" (0.25 to 1.5) with a large K1. Phases put the highest waters
/// into the evenings of November to January and the late mornings of May and June, as reported for this coast.
const CONSTITUENTS: [Constituent; 4] = [
    Constituent { speed: 28.984_104_2, amplitude_m: 0.43, peak_h: 3.6 }, // M2, moon
    Constituent { speed: 30.0, amplitude_m: 0.255, peak_h: 3.2 },        // S2, sun
    Constituent { speed: 15.041_068_6, amplitude_m: 0.50, peak_h: 13.4 }, // K1, moon and sun
    Constituent { speed: 13.943_035_6, amplitude_m: 0.288, peak_h: 7.0 }, // O1, moon
];

/// 2026-01-01T00:00Z.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// Astronomical tide, metres about mean sea level. In Pasuruan it is a little lower and 9 minutes later.
pub(crate) fn tide(region: Region, at_ms: i64) -> f64 {
    let (share, late_ms) = if region == Region::Pasuruan { (0.96, 540_000) } else { (1.0, 0) };
    let hours = (at_ms - late_ms - EPOCH_MS) as f64 / HOUR_MS as f64;
    let part = |c: &Constituent| c.amplitude_m * ((hours - c.peak_h) * c.speed / 360.0 * TAU).cos();
    share * CONSTITUENTS.iter().map(part).sum::<f64>()
}

/// Rise of the sea by wind and pressure, metres. When the diurnal tides of moon and sun add up (each 13.7
/// days), a surge of one to two days comes with them, so that most months hold a very high water, and those of
/// the solstices, when the springs of sun and moon fall together too, always do.
pub(crate) fn surge(seed: u64, at_ms: i64) -> f64 {
    let [_, _, k1, o1] = &CONSTITUENTS;
    let beat_h = 360.0 / (k1.speed - o1.speed);
    let hours = (at_ms - EPOCH_MS) as f64 / HOUR_MS as f64;
    // Both peak together where their phases agree.
    let first_h = (k1.peak_h * k1.speed - o1.peak_h * o1.speed) / (k1.speed - o1.speed);
    let number = ((hours - first_h) / beat_h).round();
    let distance_h = hours - first_h - number * beat_h;
    let strength = 0.52 + 0.06 * noise::white(seed, noise::stream("surge"), number as i64);
    let swell = 0.035 * noise::smooth(seed, noise::stream("swell"), at_ms, 7 * HOUR_MS);
    strength * (-(distance_h / 34.0).powi(2)).exp() + swell
}

/// Sea level, metres about mean sea level.
pub(crate) fn level(seed: u64, region: Region, at_ms: i64) -> f64 {
    tide(region, at_ms) + surge(seed, at_ms)
}

/// How far the water of an instant is sea and not creek, from -1 (low water) to 1 (high water): salt arrives with the water
/// and lies `lag_min` behind the level.
pub(crate) fn flood(region: Region, at_ms: i64, lag_min: i64) -> f64 {
    (tide(region, at_ms - lag_min * MINUTE_MS) / 1.15).clamp(-1.0, 1.0)
}

/// Salinity of the coastal sea: fresher with the rivers of the wet season.
pub(crate) fn salinity(sky: &Sky, at_ms: i64) -> f64 {
    33.6 - 2.4 * wetness(at_ms) + 0.4 * sky.wander("sea_salinity", 60)
}

/// Temperature of the coastal sea, Cel: warmest around November.
pub(crate) fn temperature(sky: &Sky, at_ms: i64) -> f64 {
    let season = 0.8 * ((sun::day_of_year(at_ms) - 325.0) / 365.25 * TAU).cos();
    28.9 + season + 2.4 * (sky.light_memory(5.0) - 0.2) + 0.4 * sky.wander("sea_temperature", 70)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::hour_of_day;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 1_440 * MINUTE;

    /// Amplitude of a frequency in a year of hourly levels, by correlation; a year separates all four.
    fn amplitude(levels: &[f64], speed: f64) -> f64 {
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (hour, level) in levels.iter().enumerate() {
            let angle = hour as f64 * speed / 360.0 * TAU;
            cosine += level * angle.cos();
            sine += level * angle.sin();
        }
        cosine.hypot(sine) * 2.0 / levels.len() as f64
    }

    #[test]
    fn the_spectrum_of_a_year_is_mixed_mainly_semidiurnal_with_a_large_k1() {
        let levels: Vec<_> =
            (0..369 * 24).map(|hour| level(5, Region::Probolinggo, EPOCH_MS + hour * 60 * MINUTE)).collect();
        let [m2, s2, k1, o1] = [28.984_104_2, 30.0, 15.041_068_6, 13.943_035_6].map(|speed| amplitude(&levels, speed));
        let formzahl = (k1 + o1) / (m2 + s2);
        assert!((1.05..1.25).contains(&formzahl), "Formzahl {formzahl}");
        assert!(m2 < k1 && s2 < o1, "K1 {k1}, M2 {m2}, O1 {o1}, S2 {s2}");
        let energy = levels.iter().map(|level| level.powi(2)).sum::<f64>() / levels.len() as f64;
        let explained = [m2, s2, k1, o1].map(|amplitude| amplitude.powi(2) / 2.0).iter().sum::<f64>();
        assert!(0.85 < explained / energy, "the four explain {explained} of {energy}");
    }

    #[test]
    fn a_month_has_the_range_of_the_north_coast_and_one_rob() {
        for month in 0..12 {
            let start = EPOCH_MS + month * 30 * DAY;
            let instants = (0..30 * 288).map(|step| start + step * 5 * MINUTE);
            let levels: Vec<_> = instants.map(|at| level(1, Region::Probolinggo, at)).collect();
            let low = levels.iter().copied().fold(0.0, f64::min);
            let high = levels.iter().copied().fold(0.0, f64::max);
            // Rob is reported for November to January and May to June.
            let rob = if matches!(month, 0 | 5 | 10 | 11) { 1.2 } else { 1.0 };
            assert!((rob..=1.75).contains(&high), "high water {high} in month {month}");
            assert!((-1.6..=-0.8).contains(&low), "low water {low}");
        }
    }

    #[test]
    fn the_highest_waters_come_on_december_evenings_and_june_mornings() {
        // Hour of the highest water of a month: 2026-12 and 2026-06.
        let highest = |first_day: i64| {
            let instants = (0..30 * 96).map(|step| EPOCH_MS + first_day * DAY + step * 15 * MINUTE);
            let at = instants.max_by(|a, b| tide(Region::Probolinggo, *a).total_cmp(&tide(Region::Probolinggo, *b)));
            hour_of_day(at.unwrap())
        };
        let (december, june) = (highest(334), highest(151));
        assert!((18.5..24.0).contains(&december), "December at {december}");
        assert!((8.0..16.0).contains(&june), "June at {june}");
    }

    #[test]
    fn most_days_have_two_high_waters_of_unequal_height() {
        let at = |minute: i64| tide(Region::Probolinggo, EPOCH_MS + minute * MINUTE);
        let highs: Vec<f64> = (1..29 * 1_440).filter(|&m| at(m - 1) < at(m) && at(m + 1) <= at(m)).map(at).collect();
        assert!((36..=58).contains(&highs.len()), "{} high waters in 29 days", highs.len());
        let unequal = highs.windows(2).filter(|pair| 0.2 < (pair[0] - pair[1]).abs()).count();
        assert!(highs.len() / 4 < unequal, "only {unequal} unequal pairs");
    }
}
