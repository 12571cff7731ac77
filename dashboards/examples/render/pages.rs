//! The views of the tests, with more stations and longer texts where a page is worth a look.

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/views/mod.rs"]
mod views;

use bakau_dashboards::{
    page,
    view::{
        AlertFilter, AlertsView, ClockAhead, Freshness, Named, OtherStation, OverviewFilter, OverviewView,
        ParameterPanel, StationCard, StationView, ValueCell,
    },
};
use bakau_model::{QualityTest, State, StationKind, TestResults, Text};

pub(super) use self::views::now;
use super::*;

fn text(id: &str, en: &str) -> Text {
    Text { id: id.to_owned(), en: en.to_owned() }
}

/// Parameter, labels, value, unit and decimals.
type Measured = (&'static str, &'static str, &'static str, f64, &'static str, u8);

const WATER: [Measured; 6] = [
    ("do", "Oksigen terlarut", "Dissolved oxygen", 1.82, "mg/L", 2),
    ("level", "Muka air", "Water level", -0.37, "m", 2),
    ("temp", "Suhu air", "Water temperature", 29.4, "Cel", 1),
    ("sal", "Salinitas", "Salinity", 28.6, "{PSU}", 1),
    ("ph", "pH", "pH", 7.81, "[pH]", 2),
    ("ec", "Daya hantar listrik", "Conductivity", 45_970.0, "uS/cm", 0),
];
const AIR: [Measured; 4] = [
    ("pm25", "PM2,5", "PM2.5", 61.0, "ug/m3", 0),
    ("pm10", "PM10", "PM10", 88.0, "ug/m3", 0),
    ("temp", "Suhu udara", "Air temperature", 22.6, "Cel", 1),
    ("rh", "Kelembapan", "Humidity", 81.0, "%", 0),
];

fn cells(station: &str, measured: &[Measured], age_s: i64) -> Vec<ValueCell> {
    let cell = |&(parameter, id, en, value, unit, decimals): &Measured| ValueCell {
        label: text(id, en),
        unit: Unit::new(unit),
        decimals,
        observed_at: Some(now().saturating_add(-age_s * 1_000)),
        state: State::Normal,
        pending: None,
        level: Level::Normal,
        ..views::cell(&format!("{station}/{parameter}"), Some(value))
    };
    measured.iter().map(cell).collect()
}

/// A city of the examples: its prefix in ids, its key, its name, the agency, and where it is.
type City = (&'static str, &'static str, &'static str, (&'static str, &'static str), f64, f64);

const CITIES: [City; 4] = [
    ("btu", "batu", "Kota Batu", ("DLH Kota Batu", "Batu Environment Agency"), -7.87, 112.53),
    ("mlg", "malang", "Kota Malang", ("PDAM Tugu Tirta", "Tugu Tirta Water Utility"), -7.98, 112.63),
    ("psr", "pasuruan", "Kota Pasuruan", ("DLH Kota Pasuruan", "Pasuruan Environment Agency"), -7.645, 112.91),
    (
        "prb",
        "probolinggo",
        "Kota Probolinggo",
        ("DLH Kota Probolinggo", "Probolinggo Environment Agency"),
        -7.745,
        113.215,
    ),
];

fn card(id: &str, name: &str, kind: StationKind, state: State) -> StationCard {
    let (_, key, city, agency, latitude, longitude) = CITIES.into_iter().find(|city| id.starts_with(city.0)).unwrap();
    let number: f64 = id[id.len() - 2..].parse().unwrap();
    let values = cells(id, if kind == StationKind::Air { &AIR } else { &WATER }, 12);
    StationCard {
        agency: Named { id: format!("opd-{key}").parse().unwrap(), name: text(agency.0, agency.1) },
        city: Some(Named { id: key.parse().unwrap(), name: Text::from(city) }),
        kind,
        latitude: latitude + (number * 1.7).sin() * 0.018,
        longitude: longitude + (number * 2.3).cos() * 0.022,
        values,
        ..views::card(id, name, state, Freshness::Live { age_ms: 12_000 })
    }
}

/// Twelve stations of four cities, calm ones and each kind of trouble.
fn overview(language: Language) -> OverviewView {
    let (air, water, mangrove_kind) = (StationKind::Air, StationKind::Water, StationKind::Mangrove);
    let normal = State::Normal;
    let mut mangrove = card("prb-bjbr-01", "Mangrove BeeJay Bakau", mangrove_kind, State::Siaga);
    mangrove.values[0].level = Level::Siaga;
    let mut stale = card("mlg-brantas-02", "Sungai Brantas, Jembatan Muharto", water, State::Late);
    stale.freshness = Freshness::Stale { age_ms: 17_600_000 };
    stale.values.iter_mut().for_each(|cell| cell.stale = true);
    let mut ahead = card("btu-alun-01", "Alun-alun Batu", air, State::Waspada);
    ahead.values[0].level = Level::Waspada;
    ahead.values[1].flag = Flag::Suspect;
    ahead.clock = Some(clock_ahead());
    let mut never = card("prb-mayangan-03", "Pelabuhan Mayangan", water, State::NeverReported);
    never.freshness = Freshness::NeverReported;
    never.values.truncate(3);
    for cell in &mut never.values {
        (cell.value, cell.observed_at, cell.flag, cell.stale) = (None, None, Flag::Missing, true);
    }
    let long = "Stasiun pemantau kualitas air muara Sungai Kedunggaleng sisi barat";
    let mut awas = card("prb-kedung-04", long, water, State::Awas);
    (awas.values[1].level, awas.values[1].value) = (Level::Awas, Some(1.63));
    let stations = vec![
        card("btu-selecta-02", "Selecta", air, normal),
        card("btu-brantas-03", "Hulu Brantas, Sumber Brantas", water, normal),
        card("mlg-kota-01", "Malang Kota", air, normal),
        card("mlg-arjosari-03", "Terminal Arjosari", air, normal),
        card("psr-kota-01", "Alun-alun Pasuruan", air, normal),
        card("psr-gembong-02", "Muara Gembong", water, normal),
        card("psr-mangrove-03", "Mangrove Penunggul", mangrove_kind, normal),
        mangrove,
        never,
        stale,
        ahead,
        awas,
    ];
    OverviewView { frame: views::frame(language, "/"), stations, filter: OverviewFilter::default() }
}

fn clock_ahead() -> ClockAhead {
    ClockAhead { ahead_ms: 239_800, since: now().saturating_add(-3_600_000), refused: false }
}

fn station(language: Language) -> StationView {
    let other = |card: StationCard| OtherStation {
        id: card.id,
        name: card.name,
        city: card.city.map(|city| city.name).unwrap(),
        latitude: card.latitude,
        longitude: card.longitude,
    };
    let others = overview(language).stations.into_iter().filter(|card| card.id.as_str() != "prb-bjbr-01").map(other);
    let mut view = views::station(language, "BeeJay Bakau 01");
    let panel = |cell| ParameterPanel { cell, rules: Vec::new(), interval_ms: 600_000, vertical_datum: None };
    let mut panels: Vec<_> = cells("prb-bjbr-01", &WATER, 12).into_iter().map(panel).collect();
    panels[0].rules = vec![views::rule()];
    panels[0].cell.level = Level::Siaga;
    panels[1].vertical_datum = Some("MSL".to_owned());
    let doubted = |test, flag| TestResults::NONE.with(test, flag).with(QualityTest::MissingCode, flag);
    panels[4].cell.flag = Flag::Fail;
    panels[4].cell.tests = doubted(QualityTest::GrossRange, Flag::Fail);
    panels[5].cell.flag = Flag::Suspect;
    panels[5].cell.tests = doubted(QualityTest::Clock, Flag::Suspect);
    (view.others, view.parameters, view.clock) = (others.collect(), panels, Some(clock_ahead()));
    view.city = Text::from("Kota Probolinggo");
    view.alerts = alerts(language).alerts;
    view
}

/// Open and closed alerts, with a way to older ones.
fn alerts(language: Language) -> AlertsView {
    let mut view = views::alerts(language, "BeeJay Bakau 01");
    let mut closed = views::alert_row("Alun-alun Batu");
    (closed.level, closed.closed_at) = (Level::Normal, Some(now().saturating_add(-1_800_000)));
    (closed.present, closed.chosen) = (None, None);
    view.alerts.push(closed);
    view.filter = AlertFilter { all: true, ..AlertFilter::default() };
    view
}

pub(super) fn write(folder: &Path) {
    for language in Language::ALL {
        let pages = [
            ("overview", page::overview(&overview(language))),
            ("station", page::station(&station(language))),
            ("alerts", page::alerts(&alerts(language))),
            ("alert", page::alert(&views::alert(language, "Aerator dinyalakan, pantau 1 jam lagi."))),
            ("rules", page::rules(&views::rules(language))),
            ("status", page::status(&views::status(language))),
            ("problem", page::problem(&views::problem(language, "Stasiun tidak ditemukan"))),
        ];
        for (name, html) in pages {
            fs::write(folder.join(format!("{name}-{}.html", language.tag())), html.unwrap()).unwrap();
        }
    }
}

/// Draws the overview; returns its size.
pub(super) fn overview_size() -> usize {
    page::overview(&overview(Language::Id)).unwrap().len()
}
