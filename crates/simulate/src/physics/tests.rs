//! Relations between the values, over weeks and seeds: what a specialist would look for first.

use super::*;
use crate::demo::sites;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2026-02-02T00:00:00+07:00, a Monday in the wet season.
const WET: i64 = 1_769_965_200_000;
/// 2026-08-03T00:00:00+07:00, a Monday in the dry season.
const DRY: i64 = 1_785_690_000_000;

fn site(id: &str) -> Site {
    sites().into_iter().find(|site| site.id == id).unwrap()
}

/// Every channel of a site in steps of so many minutes: what it does not measure is there too.
fn run(id: &str, seed: u64, start: i64, days: i64, step_min: i64) -> Vec<(i64, Vec<(Channel, f64)>)> {
    let all = sites().into_iter().flat_map(|site| site.channels).collect();
    let site = Site { channels: all, ..site(id) };
    let instants = (0..days * 1_440 / step_min).map(|step| start + step * step_min * MINUTE);
    instants.map(|at| (at, values(&site, seed, at, step_min * MINUTE))).collect()
}

fn of(row: &[(Channel, f64)], channel: Channel) -> f64 {
    row.iter().find(|(found, _)| *found == channel).unwrap().1
}

fn column(rows: &[(i64, Vec<(Channel, f64)>)], channel: Channel) -> Vec<f64> {
    rows.iter().map(|(_, row)| of(row, channel)).collect()
}

/// Means of a channel by hour of the day.
fn by_hour(rows: &[(i64, Vec<(Channel, f64)>)], channel: Channel, days: impl Fn(i64) -> bool) -> [f64; 24] {
    let mut sums = [(0.0, 0_u32); 24];
    for (at, row) in rows.iter().filter(|(at, _)| days(*at)) {
        let sum = &mut sums[hour_of_day(*at) as usize];
        *sum = (sum.0 + of(row, channel), sum.1 + 1);
    }
    sums.map(|(sum, count)| sum / f64::from(count.max(1)))
}

fn peak(hours: &[f64; 24], within: std::ops::Range<usize>) -> usize {
    within.max_by(|a, b| hours[*a].total_cmp(&hours[*b])).unwrap()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    product(a, of_a, b, of_b) / (product(a, of_a, a, of_a) * product(b, of_b, b, of_b)).sqrt()
}

#[test]
fn fine_dust_has_two_traffic_peaks_on_working_days_and_a_smaller_morning_at_weekends() {
    for start in [WET, DRY] {
        let rows = run("mlg-kota-01", 1, start, 28, 20);
        let working = by_hour(&rows, Channel::Pm25, |at| !is_weekend(at));
        let weekend = by_hour(&rows, Channel::Pm25, is_weekend);
        assert!((6..=8).contains(&peak(&working, 3..12)), "{working:?}");
        assert!((17..=20).contains(&peak(&working, 12..24)), "{working:?}");
        assert!(1.2 * working[12] < working[7] && 1.1 * working[13] < working[18], "{working:?}");
        assert!(weekend[7] < 0.85 * working[7], "{} against {}", weekend[7], working[7]);
    }
}

#[test]
fn a_main_road_exceeds_the_daily_limit_in_single_hours_of_some_days_of_every_month() {
    for month in 0..12 {
        let rows = run("mlg-kota-01", 1, WET + month * 30 * 24 * HOUR, 30, 30);
        let mut days: Vec<_> =
            rows.iter().filter(|(_, row)| 55.0 < of(row, Channel::Pm25)).map(|(at, _)| local_day(*at)).collect();
        days.dedup();
        assert!((1..=22).contains(&days.len()), "{} days in month {month}", days.len());
    }
}

#[test]
fn nitrogen_dioxide_and_ozone_are_opposed() {
    let rows = run("mlg-kota-01", 4, DRY, 28, 30);
    let r = correlation(&column(&rows, Channel::No2), &column(&rows, Channel::O3));
    assert!(r < -0.3, "r = {r}");
    let ozone = by_hour(&rows, Channel::O3, |_| true);
    assert!((11..=15).contains(&peak(&ozone, 0..24)), "{ozone:?}");
}

#[test]
fn coarse_dust_holds_the_fine_and_rain_washes_both() {
    let rows = run("mlg-kota-01", 2, WET, 28, 10);
    assert!(rows.iter().all(|(_, row)| 0.95 * of(row, Channel::Pm25) <= of(row, Channel::Pm10)));
    // The same hour of day, with and without rain.
    let evenings = |wet: bool| {
        let picked = rows
            .iter()
            .filter(|(at, row)| (16.0..19.0).contains(&hour_of_day(*at)) && (0.4 < of(row, Channel::Rain)) == wet);
        let values: Vec<_> = picked.map(|(_, row)| of(row, Channel::Pm25)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(evenings(true) < 0.8 * evenings(false), "{} in rain, {} without", evenings(true), evenings(false));
}

#[test]
fn a_gauge_that_counts_on_says_what_has_fallen_since_midnight() {
    let counting = site("mlg-bango-01");
    let plain = Site { wire: crate::wire::Wire::Json, ..counting.clone() };
    assert!(counting.counts_on() && !plain.counts_on());
    let (step, mut fallen, mut wet_days) = (10 * MINUTE, 0.0, 0);
    for at in (1..=20 * 144).map(|n| WET + n * step) {
        let rain = |site: &Site| of(&values(site, 2, at, step), Channel::Rain);
        let is_midnight = (at - WET) % (24 * HOUR) == 0;
        wet_days += usize::from(is_midnight && 1.0 < fallen);
        fallen = if is_midnight { 0.0 } else { fallen + rain(&plain) };
        assert!((rain(&counting) - fallen).abs() < 1e-6, "{} instead of {fallen}", rain(&counting));
    }
    assert!(3 < wet_days, "{wet_days} days of 20 were wet");
}

#[test]
fn oxygen_follows_the_light_by_some_hours_in_rivers_and_creeks() {
    for id in ["mlg-brantas-01", "btu-brantas-01", "prb-bjbr-01", "psr-bakau-01", "prb-mayangan-01"] {
        let rows = run(id, 1, DRY, 59, 30);
        let oxygen = by_hour(&rows, Channel::Do, |_| true);
        let light = by_hour(&rows, Channel::Par, |_| true);
        let (noon, highest) = (peak(&light, 0..24), peak(&oxygen, 0..24));
        assert!((10..=12).contains(&noon), "{id}: light peaks at {noon}");
        assert!((noon + 1..=noon + 5).contains(&highest), "{id}: oxygen peaks at {highest}: {oxygen:?}");
        let lowest = (0..24).min_by(|a, b| oxygen[*a].total_cmp(&oxygen[*b])).unwrap();
        assert!((2..=7).contains(&lowest), "{id}: oxygen is lowest at {lowest}: {oxygen:?}");
    }
}

#[test]
fn a_mangrove_creek_is_hypoxic_in_some_nights_and_never_at_noon() {
    for (month, seed) in (0..12).zip([1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]) {
        let rows = run("prb-bjbr-01", seed, WET + month * 30 * 24 * HOUR, 30, 20);
        let hypoxic: Vec<_> = rows.iter().filter(|(_, row)| of(row, Channel::Do) < 2.0).map(|(at, _)| *at).collect();
        let mut days: Vec<_> = hypoxic.iter().map(|at| local_day(*at)).collect();
        days.dedup();
        assert!((2..=26).contains(&days.len()), "{} nights in month {month}", days.len());
        let noon = hypoxic.iter().filter(|at| (11.0..15.0).contains(&hour_of_day(**at))).count();
        assert!(noon <= hypoxic.len() / 20, "{noon} of {} at noon", hypoxic.len());
    }
}

#[test]
fn oxygen_is_bounded_by_what_the_water_holds_at_its_temperature_salt_and_height() {
    for id in ["btu-brantas-01", "prb-bjbr-01"] {
        for (_, row) in run(id, 3, WET, 28, 30) {
            let salt = if id.starts_with("prb") { of(&row, Channel::Salinity) } else { 0.0 };
            let held =
                chemistry::oxygen_saturation(of(&row, Channel::WaterTemperature), salt, of(&row, Channel::Pressure));
            let share = of(&row, Channel::Do) / held;
            assert!((0.0..1.75).contains(&share), "{id}: {share} of saturation");
        }
    }
}

#[test]
fn conductivity_is_that_of_the_salinity_beside_it() {
    for id in ["prb-bjbr-01", "prb-mayangan-01", "psr-gembong-01"] {
        for (_, row) in run(id, 3, WET, 14, 30) {
            let from_conductivity = chemistry::salinity(of(&row, Channel::Conductivity), 25.0);
            let said = of(&row, Channel::Salinity);
            assert!((from_conductivity - said).abs() < 0.12, "{id}: {said} PSU, {from_conductivity} by conductivity");
        }
    }
}

#[test]
fn salt_follows_the_tide_and_gives_way_to_rain() {
    let rows = run("prb-bjbr-01", 1, WET, 59, 30);
    let r = correlation(&column(&rows, Channel::Salinity), &column(&rows, Channel::WaterLevel));
    assert!(0.25 < r, "r = {r}");
    let lowest =
        |start| column(&run("prb-bjbr-01", 1, start, 28, 30), Channel::Salinity).into_iter().fold(40.0, f64::min);
    assert!(lowest(WET) + 4.0 < lowest(DRY), "wet {} PSU, dry {} PSU", lowest(WET), lowest(DRY));
}

#[test]
fn a_rivers_flow_is_that_of_its_level_and_a_flood_is_turbid_before_it_is_high() {
    let Place::River(river) = site("btu-brantas-01").place else { panic!("it is a river") };
    let rows = run("btu-brantas-01", 1, WET, 28, 10);
    for (_, row) in &rows {
        let stage = river.stage_of(of(row, Channel::Flow));
        assert!((stage - of(row, Channel::WaterLevel)).abs() < 0.004, "{stage} m against {row:?}");
    }
    let flow = column(&rows, Channel::Flow);
    let top = (0..flow.len()).max_by(|a, b| flow[*a].total_cmp(&flow[*b])).unwrap();
    let turbidity = column(&rows, Channel::Turbidity);
    let around = top.saturating_sub(30)..(top + 30).min(flow.len());
    let murkiest = around.max_by(|a, b| turbidity[*a].total_cmp(&turbidity[*b])).unwrap();
    assert!(murkiest < top, "turbidity {murkiest}, flow {top}");
    let calm = turbidity.iter().copied().fold(f64::MAX, f64::min);
    assert!(8.0 * calm < turbidity[murkiest], "{calm} to {} NTU", turbidity[murkiest]);
    let thin = correlation(&flow, &column(&rows, Channel::Conductivity));
    assert!(thin < -0.5, "flood water is thin: r = {thin}");
}

#[test]
fn the_hills_are_cooler_and_their_air_is_thinner() {
    let mean = |id: &str, channel| {
        let values = column(&run(id, 1, WET, 28, 60), channel);
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!((900.0..922.0).contains(&mean("btu-bumiaji-01", Channel::Pressure)));
    assert!((1_005.0..1_014.0).contains(&mean("prb-kota-01", Channel::Pressure)));
    let (hills, plateau, coast) = (
        mean("btu-bumiaji-01", Channel::AirTemperature),
        mean("mlg-kota-01", Channel::AirTemperature),
        mean("prb-kota-01", Channel::AirTemperature),
    );
    assert!(hills + 1.5 < plateau && plateau + 1.5 < coast, "{hills}, {plateau}, {coast}");
    assert!((20.0..24.0).contains(&hills) && (26.0..29.0).contains(&coast), "{hills}, {plateau}, {coast}");
}

#[test]
fn the_coast_has_sea_wind_by_day_and_land_wind_by_night() {
    let rows = run("prb-mayangan-01", 1, DRY, 28, 30);
    let share_from_sea = |hour: f64| {
        let picked: Vec<_> = rows.iter().filter(|(at, _)| (hour_of_day(*at) - hour).abs() < 1.0).collect();
        let sea = picked.iter().filter(|(_, row)| !(90.0..270.0).contains(&of(row, Channel::WindDirection))).count();
        sea as f64 / picked.len() as f64
    };
    assert!(0.75 < share_from_sea(13.0), "{} at 13 o'clock", share_from_sea(13.0));
    assert!(share_from_sea(3.0) < 0.35, "{} at 3 o'clock", share_from_sea(3.0));
}

#[test]
fn a_battery_charges_by_day_and_sinks_by_night() {
    let volts = by_hour(&run("prb-bjbr-02", 1, DRY, 28, 30), Channel::Battery, |_| true);
    assert!((9..=15).contains(&peak(&volts, 0..24)), "{volts:?}");
    assert!(volts[5] < volts[18] && 11.8 < volts[5] && volts[12] < 14.4, "{volts:?}");
}

#[test]
fn soil_is_wettest_when_the_tides_reach_it_and_dries_and_salts_between() {
    let rows = run("prb-bjbr-02", 1, DRY, 59, 60);
    let (moisture, salt) = (column(&rows, Channel::SoilMoisture), column(&rows, Channel::SoilConductivity));
    assert!(correlation(&moisture, &salt) < -0.6);
    let (low, high) =
        moisture.iter().fold((1.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    assert!(low + 0.08 < high && 0.3 < low && high < 0.8, "{low} to {high}");
}

#[test]
fn history_and_live_values_join_without_a_seam() {
    for site in sites() {
        let row = |at: i64| values(&site, 9, at, 300_000);
        let (before, after) = (row(WET + 13 * HOUR), row(WET + 13 * HOUR + 1));
        for ((channel, a), (_, b)) in before.iter().zip(&after) {
            assert!((a - b).abs() <= 0.02 * a.abs().max(1.0), "{}: {channel:?} {a} to {b}", site.id);
        }
    }
}
