use super::{pages::now, *};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

pub(super) fn spec(
    title: &str,
    unit: &str,
    decimals: u8,
    days: f64,
    interval: i64,
    wave: impl Fn(f64) -> f64,
) -> ChartSpec {
    let to = now();
    let from = to.saturating_add(-((days * DAY as f64) as i64));
    let count = (to.since(from)) / interval;
    let points = (0..count).map(|i| {
        let at = from.saturating_add(i * interval);
        Point { at, value: Some(wave(i as f64 * interval as f64 / 3_600_000.0)), flag: Flag::NotEvaluated }
    });
    ChartSpec {
        title: title.to_owned(),
        subtitle: "BPBD Kota Probolinggo · kedalaman 150 cm".to_owned(),
        unit: Unit::new(unit),
        from,
        to,
        time_zone: TimeZone::get("Asia/Jakarta").unwrap(),
        language: Language::Id,
        width: 640,
        height: 320,
        decimals,
        interval_ms: interval,
        limits: Vec::new(),
        points: points.collect(),
        spreads: Vec::new(),
        partial: Vec::new(),
        dark: false,
    }
}

fn noise(i: f64) -> f64 {
    let x = (i * 12.9898).sin() * 43758.5453;
    x - x.floor() - 0.5
}

fn day(h: f64) -> f64 {
    (h / 24.0 * std::f64::consts::TAU).sin()
}

fn tide(h: f64) -> f64 {
    0.9 * (h / 12.42 * std::f64::consts::TAU).sin() + 0.4 * (h / 24.84 * std::f64::consts::TAU).sin()
}

fn limit(level: Level, value: f64) -> LimitLine {
    LimitLine { level, value, side: Side::High }
}

/// A band around means.
fn spreads(points: &[Point], half: impl Fn(f64) -> f64) -> Vec<Spread> {
    let around = |point: &Point| {
        let (mean, half) = (point.value.unwrap(), half(point.at.get() as f64 / 3_600_000.0));
        Spread { at: point.at, low: mean - half, high: mean + half * 1.6 }
    };
    points.iter().map(around).collect()
}

/// Every case worth a look, by file name.
pub(super) fn cases() -> Vec<(&'static str, ChartSpec)> {
    let mut cases = Vec::new();
    let oxygen = |h: f64| 3.4 + 1.9 * day(h) + 0.25 * noise(h * 7.0);
    let mut water = spec("BeeJay Bakau 01 · Oksigen terlarut", "mg/L", 2, 1.0, 10 * MINUTE, oxygen);
    water.limits = vec![limit(Level::Waspada, 4.0), limit(Level::Siaga, 2.0), limit(Level::Awas, 0.5)];
    cases.push(("limits", water.clone()));
    let mut gaps = water;
    gaps.points.retain(|p| !(40..70).contains(&(p.at.since(gaps.from) / (10 * MINUTE))));
    for i in [80, 81, 82, 100] {
        gaps.points[i].flag = Flag::Suspect;
        gaps.points[i].value = gaps.points[i].value.map(|v| v + 1.4);
    }
    gaps.points[20].flag = Flag::Fail;
    gaps.points[20].value = Some(999.0);
    for i in 26..28 {
        gaps.points[i].flag = Flag::Missing;
        gaps.points[i].value = None;
    }
    gaps.points.truncate(105);
    cases.push(("gaps", gaps));
    let mut level = spec("BeeJay Bakau 01 · Muka air", "m", 2, 7.0, 10 * MINUTE, tide);
    level.limits = vec![limit(Level::Waspada, 1.2), limit(Level::Siaga, 1.35), limit(Level::Awas, 1.5)];
    cases.push(("tide-week", level));
    let pm = |h: f64| (30.0 + 18.0 * day(h) + 25.0 * noise(h) + 8.0 * noise(h / 30.0)).max(2.0);
    let mut air = spec("Alun-alun Batu · PM2,5", "ug/m3", 0, 30.0, MINUTE, pm);
    air.limits = vec![limit(Level::Waspada, 55.5), limit(Level::Siaga, 150.0), limit(Level::Awas, 250.0)];
    cases.push(("month", air));
    let mut means =
        spec("Alun-alun Batu · PM2,5", "ug/m3", 0, 30.0, 60 * MINUTE, |h| 30.0 + 18.0 * day(h) + 8.0 * noise(h));
    means.points.drain(300..340);
    means.spreads = spreads(&means.points, |h| 6.0 + 8.0 * (noise(h) + 0.5));
    means.limits = vec![limit(Level::Waspada, 55.5), limit(Level::Siaga, 150.0)];
    cases.push(("means", means));
    cases.push(("constant", spec("Suhu konstan", "Cel", 1, 1.0, 10 * MINUTE, |_| 16.9)));
    let mut one = spec("Satu titik", "Cel", 1, 1.0, 10 * MINUTE, |_| -3.2);
    one.points = vec![one.points[70]];
    cases.push(("one-point", one.clone()));
    one.points.clear();
    one.limits = vec![limit(Level::Waspada, 30.0)];
    cases.push(("empty", one));
    cases.push(("negative", spec("Suhu puncak", "Cel", 1, 2.0, 10 * MINUTE, |h| -2.0 + 4.0 * day(h))));
    cases.push(("big", spec("Daya hantar listrik", "uS/cm", 0, 1.0, 10 * MINUTE, |h| 45_970.0 + 2200.0 * tide(h))));
    cases.push(("huge", spec("Sangat besar", "1", 0, 1.0, 10 * MINUTE, |h| 3.2e12 * (1.0 + day(h)))));
    let long =
        "Stasiun dengan nama yang panjang sekali di muara Sungai Kedunggaleng Barat Daya · Padatan tersuspensi total";
    cases.push(("long-title", spec(long, "mg/L", 1, 0.04, MINUTE, |h| 40.0 + 5.0 * noise(h * 60.0))));
    cases
}

pub(super) fn write(folder: &Path) {
    for (name, spec) in cases() {
        for (width, height, dark, suffix) in
            [(640, 320, false, ""), (640, 320, true, "-dark"), (360, 260, false, "-narrow")]
        {
            let language = if dark { Language::En } else { Language::Id };
            let spec = ChartSpec { width, height, dark, language, ..spec.clone() };
            fs::write(folder.join(format!("{name}{suffix}.svg")), chart::svg(&spec).unwrap()).unwrap();
            fs::write(folder.join(format!("{name}{suffix}.png")), chart::png(&spec).unwrap()).unwrap();
        }
    }
}

/// What the time budget is about: seven days of one value a minute, calm and restless.
pub(super) fn timed() -> Vec<(&'static str, ChartSpec)> {
    let cases = cases();
    let case = |wanted: &str| cases.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
    let limits = vec![limit(Level::Waspada, 55.5), limit(Level::Siaga, 150.0), limit(Level::Awas, 250.0)];
    let level = spec("BeeJay Bakau 01 · Muka air", "m", 2, 7.0, MINUTE, |h| tide(h) + 0.02 * noise(h * 60.0));
    let pm = |h: f64| (30.0 + 18.0 * day(h) + 25.0 * noise(h) + 8.0 * noise(h / 30.0)).max(2.0);
    let air = ChartSpec { limits, ..spec("Alun-alun Batu · PM2,5", "ug/m3", 0, 7.0, MINUTE, pm) };
    let jumps = |h: f64| ((h * 60.0).round() * 37.0 % 1401.0) / 100.0;
    let jumps = ChartSpec { width: 800, ..spec("Beban 0 · Oksigen terlarut", "mg/L", 2, 7.0, MINUTE, jumps) };
    vec![
        ("day of 10 minutes", case("limits")),
        ("week of minutes, tide", level),
        ("week of minutes, PM2.5", air),
        ("week of minutes, jumping at each, 800 x 320", jumps),
    ]
}
