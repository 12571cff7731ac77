#[path = "../../tests/views/status.rs"]
mod status;

use bakau_dashboards::{
    page,
    view::{
        AcknowledgeForm, AcknowledgementRow, AlertFilter, AlertPageView, AlertRow, AlertTopic, AlertsView, ClockAhead,
        DeliveryRow, DeliveryState, DeploymentRow, Frame, Freshness, Named, OtherStation, OverviewFilter, OverviewView,
        ParameterPanel, ProblemView, StationCard, StationClass, StationView, StatusView, TransitionRow, ValueCell,
        Window,
    },
};
use bakau_model::{MessageLedger, ReadingLedger, StationKind, Text};

use super::{charts::now, *};

fn text(id: &str, en: &str) -> Text {
    Text { id: id.to_owned(), en: en.to_owned() }
}

fn frame(language: Language, path: &str) -> Frame {
    let time_zone = TimeZone::get("Asia/Jakarta").unwrap();
    Frame {
        language,
        generated_at: now(),
        time_zone,
        path: path.to_owned(),
        active_alerts: 3,
        last_event: "19cd6e50000-7".to_owned(),
    }
}

fn cell(name: &str, label: (&str, &str), value: f64, unit: &str, decimals: u8, age_s: i64) -> ValueCell {
    ValueCell {
        datastream: name.parse().unwrap(),
        label: text(label.0, label.1),
        value: Some(value),
        reading: None,
        unit: Unit::new(unit),
        decimals,
        observed_at: Some(now().saturating_add(-age_s * 1000)),
        level: Level::Normal,
        flag: Flag::NotEvaluated,
        tests: bakau_model::TestResults::NONE,
        stale: false,
        stale_after_ms: 240_000,
    }
}

fn water(station: &str, age_s: i64) -> Vec<ValueCell> {
    let name = |parameter: &str| format!("{station}/{parameter}");
    vec![
        cell(&name("do"), ("Oksigen terlarut", "Dissolved oxygen"), 1.82, "mg/L", 2, age_s),
        cell(&name("level"), ("Muka air", "Water level"), -0.37, "m", 2, age_s),
        cell(&name("temp"), ("Suhu air", "Water temperature"), 29.4, "Cel", 1, age_s),
        cell(&name("sal"), ("Salinitas", "Salinity"), 28.6, "{PSU}", 1, age_s),
        cell(&name("ph"), ("pH", "pH"), 7.81, "[pH]", 2, age_s),
        cell(&name("ec"), ("Daya hantar listrik", "Conductivity"), 45_970.0, "uS/cm", 0, age_s),
        cell(&name("turb"), ("Kekeruhan", "Turbidity"), 18.0, "[NTU]", 0, age_s),
    ]
}

fn air(station: &str, age_s: i64) -> Vec<ValueCell> {
    let name = |parameter: &str| format!("{station}/{parameter}");
    vec![
        cell(&name("pm25"), ("PM2,5", "PM2.5"), 61.0, "ug/m3", 0, age_s),
        cell(&name("pm10"), ("PM10", "PM10"), 88.0, "ug/m3", 0, age_s),
        cell(&name("temp"), ("Suhu udara", "Air temperature"), 22.6, "Cel", 1, age_s),
        cell(&name("rh"), ("Kelembapan", "Humidity"), 81.0, "%", 0, age_s),
    ]
}

/// Where the stations of a city of the examples are, and whose they are.
fn city(id: &str) -> (Text, Text, &'static str, f64, f64) {
    match &id[..3] {
        "btu" => (Text::from("Kota Batu"), text("DLH Kota Batu", "Batu Environment Agency"), "batu", -7.87, 112.53),
        "mlg" => {
            (Text::from("Kota Malang"), text("PDAM Tugu Tirta", "Tugu Tirta Water Utility"), "malang", -7.98, 112.63)
        }
        "psr" => (
            Text::from("Kota Pasuruan"),
            text("DLH Kota Pasuruan", "Pasuruan Environment Agency"),
            "pasuruan",
            -7.645,
            112.91,
        ),
        _ => {
            let agency = text("DLH Kota Probolinggo", "Probolinggo Environment Agency");
            (Text::from("Kota Probolinggo"), agency, "probolinggo", -7.745, 113.215)
        }
    }
}

fn card(id: &str, name: &str, kind: StationKind, level: Option<Level>, values: Vec<ValueCell>) -> StationCard {
    let (city_name, agency_name, key, latitude, longitude) = city(id);
    let number: f64 = id[id.len() - 2..].parse().unwrap();
    StationCard {
        id: id.parse().unwrap(),
        name: Text::from(name),
        agency: Named { id: format!("opd-{key}").parse().unwrap(), name: agency_name },
        city: Some(Named { id: key.parse().unwrap(), name: city_name }),
        kind,
        latitude: latitude + (number * 1.7).sin() * 0.018,
        longitude: longitude + (number * 2.3).cos() * 0.022,
        level,
        taken: None,
        freshness: Freshness::Live { age_ms: 12_000 },
        clock: None,
        silent_after_ms: 240_000,
        current_until: values.iter().filter_map(ValueCell::current_until).max(),
        values,
    }
}

fn overview(language: Language) -> OverviewView {
    let (air_kind, water_kind, mangrove_kind) = (StationKind::Air, StationKind::Water, StationKind::Mangrove);
    let normal = Some(Level::Normal);
    let mut mangrove =
        card("prb-bjbr-01", "Mangrove BeeJay Bakau", mangrove_kind, Some(Level::Siaga), water("prb-bjbr-01", 12));
    mangrove.values[0].level = Level::Siaga;
    let mut malang =
        card("mlg-brantas-02", "Sungai Brantas, Jembatan Muharto", water_kind, None, water("mlg-brantas-02", 17_600));
    malang.freshness = Freshness::Stale { age_ms: 17_600_000 };
    malang.values.iter_mut().for_each(|cell| cell.stale = true);
    let mut batu = card("btu-alun-01", "Alun-alun Batu", air_kind, Some(Level::Waspada), air("btu-alun-01", 41));
    batu.values[0].level = Level::Waspada;
    batu.values[1].flag = Flag::Suspect;
    batu.clock = Some(clock_ahead());
    let mut silent = card("prb-mayangan-03", "Pelabuhan Mayangan", water_kind, None, water("prb-mayangan-03", 0));
    silent.freshness = Freshness::NeverReported;
    silent.values.truncate(3);
    for cell in &mut silent.values {
        (cell.value, cell.observed_at, cell.flag, cell.stale) = (None, None, Flag::Missing, true);
    }
    let long = "Stasiun pemantau kualitas air muara Sungai Kedunggaleng sisi barat";
    let mut awas = card("prb-kedung-04", long, water_kind, Some(Level::Awas), water("prb-kedung-04", 3));
    awas.values[1].level = Level::Awas;
    awas.values[1].value = Some(1.63);
    let stations = vec![
        card("btu-selecta-02", "Selecta", air_kind, normal, air("btu-selecta-02", 22)),
        card("btu-brantas-03", "Hulu Brantas, Sumber Brantas", water_kind, normal, water("btu-brantas-03", 22)),
        card("mlg-kota-01", "Malang Kota", air_kind, normal, air("mlg-kota-01", 9)),
        card("mlg-arjosari-03", "Terminal Arjosari", air_kind, normal, air("mlg-arjosari-03", 31)),
        card("psr-kota-01", "Alun-alun Pasuruan", air_kind, normal, air("psr-kota-01", 4)),
        card("psr-gembong-02", "Muara Gembong", water_kind, normal, water("psr-gembong-02", 17)),
        card("psr-mangrove-03", "Mangrove Penunggul", mangrove_kind, normal, water("psr-mangrove-03", 17)),
        mangrove,
        silent,
        malang,
        batu,
        awas,
    ];
    OverviewView { frame: frame(language, "/"), stations, filter: OverviewFilter::default() }
}

fn limits() -> Vec<LimitLine> {
    [(Level::Waspada, 4.0), (Level::Siaga, 2.0), (Level::Awas, 0.5)]
        .map(|(level, value)| LimitLine { level, value, side: Side::Low })
        .into()
}

fn alert(id: &str, level: Level, peak: Level, closed: bool) -> AlertRow {
    let at = |text: &str| UtcMillis::parse(text).unwrap();
    AlertRow {
        id: id.to_owned(),
        topic: AlertTopic::Threshold,
        station: Some("prb-bjbr-01".parse().unwrap()),
        subject: Text::from("BeeJay Bakau 01"),
        datastream: Some("prb-bjbr-01/do".parse().unwrap()),
        label: Some(text("Oksigen terlarut", "Dissolved oxygen")),
        rule_name: text("Oksigen rendah", "Low oxygen"),
        level,
        peak,
        onset: at("2026-03-10T06:10:00Z"),
        onset_at_latest: false,
        observed_at: at("2026-03-10T07:40:00Z"),
        value: Some(1.82),
        worst: Some((0.41, at("2026-03-10T07:05:00Z"))),
        unit: Unit::new("mg/L"),
        decimals: 2,
        unconfirmed_since: None,
        decided_at: at("2026-03-10T07:40:03Z"),
        closed_at: closed.then(|| at("2026-03-10T08:30:00Z")),
        acknowledged: closed.then(|| AcknowledgementRow {
            level: Level::Waspada,
            at: at("2026-03-10T07:55:00Z"),
            by: Some("Sari W.".to_owned()),
            note: Some("Aerator dinyalakan, pantau 1 jam lagi.".to_owned()),
        }),
    }
}

fn alerts(language: Language, all: bool) -> AlertsView {
    let active = alert("9f2c41d07be1a8c3", Level::Siaga, Level::Siaga, false);
    let mut active = active;
    let taken = |level| AcknowledgementRow {
        level,
        at: UtcMillis::parse("2026-03-10T07:14:00Z").unwrap(),
        by: None,
        note: None,
    };
    active.acknowledged = Some(taken(Level::Waspada));
    let mut air = alert("77aa41d07be1a8c3", Level::Waspada, Level::Awas, false);
    air.acknowledged = Some(taken(Level::Waspada));
    air.subject = Text::from("Alun-alun Batu");
    (air.label, air.rule_name) = (Some(text("PM2,5", "PM2.5")), text("Udara tidak sehat", "Unhealthy air"));
    (air.value, air.unit, air.decimals) = (Some(61.0), Unit::new("ug/m3"), 0);
    let closed = alert("31bb41d07be1a8c3", Level::Normal, Level::Waspada, true);
    let mut silent = alert("78aa41d07be1a8c3", Level::Waspada, Level::Waspada, false);
    (silent.topic, silent.datastream, silent.label) = (AlertTopic::Silence, None, None);
    (silent.subject, silent.rule_name) = (Text::from("Pelabuhan Mayangan"), text("Stasiun diam", "Silent station"));
    let alerts = if all { vec![active, air, silent, closed.clone(), closed] } else { vec![active, air, silent] };
    let next = all.then(|| "/alerts?all=true&before=31bb41d07be1a8c3".to_owned());
    let filter = AlertFilter { all, ..AlertFilter::default() };
    let (agencies, stations) = (Vec::new(), Vec::new());
    AlertsView { frame: frame(language, &filter.path()), filter, agencies, stations, alerts, next }
}

fn doubted(test: bakau_model::QualityTest, flag: Flag) -> bakau_model::TestResults {
    bakau_model::TestResults::NONE.with(test, flag)
}

fn clock_ahead() -> ClockAhead {
    ClockAhead { ahead_ms: 239_800, since: now().saturating_add(-3_600_000), refused: false }
}

fn station(language: Language) -> StationView {
    let (old, new) = ("2025-03-03T01:30:00Z", "2026-01-12T02:00:00Z");
    let deployment = |serial: &str, from: &str, to: Option<&str>| DeploymentRow {
        labels: vec![text("Oksigen terlarut", "Dissolved oxygen"), text("Suhu air", "Water temperature")],
        make: "YSI".to_owned(),
        model: "EXO2".to_owned(),
        serial: serial.to_owned(),
        from: UtcMillis::parse(from).unwrap(),
        to: to.map(|to| UtcMillis::parse(to).unwrap()),
    };
    let other = |card: StationCard| OtherStation {
        id: card.id,
        name: card.name,
        city: card.city.map(|city| city.name).unwrap(),
        latitude: card.latitude,
        longitude: card.longitude,
    };
    let others = overview(language).stations.into_iter().filter(|card| card.id.as_str() != "prb-bjbr-01").map(other);
    let mut panels: Vec<_> = water("prb-bjbr-01", 12)
        .into_iter()
        .map(|cell| ParameterPanel { cell, limits: Vec::new(), interval_ms: 600_000, vertical_datum: None })
        .collect();
    panels[0].limits = limits();
    panels[0].cell.level = Level::Siaga;
    panels[1].vertical_datum = Some("MSL".to_owned());
    panels[5].cell.flag = Flag::Suspect;
    panels[5].cell.tests = doubted(bakau_model::QualityTest::MissingCode, Flag::Suspect)
        .with(bakau_model::QualityTest::Clock, Flag::Suspect);
    panels[4].cell.flag = Flag::Fail;
    panels[4].cell.tests = doubted(bakau_model::QualityTest::GrossRange, Flag::Fail)
        .with(bakau_model::QualityTest::MissingCode, Flag::Fail);
    panels.truncate(6);
    StationView {
        frame: frame(language, "/stations/prb-bjbr-01"),
        id: "prb-bjbr-01".parse().unwrap(),
        name: Text::from("BeeJay Bakau 01"),
        agency: text("Dinas Lingkungan Hidup Kota Probolinggo", "Environment Agency of Probolinggo"),
        city: Text::from("Kota Probolinggo"),
        kind: StationKind::Mangrove,
        level: Some(Level::Siaga),
        taken: Some(now().saturating_add(-1_200_000)),
        freshness: Freshness::Live { age_ms: 12_000 },
        clock: Some(clock_ahead()),
        current_until: Some(now().saturating_add(228_000)),
        latitude: -7.7385,
        longitude: 113.221,
        elevation_m: Some(3.0),
        description: None,
        class: Some(StationClass::Water { class: 2, source: Text::from("PP 22/2021") }),
        others: others.collect(),
        deployments: vec![deployment("17C100418", old, Some(new)), deployment("19H102233", new, None)],
        parameters: panels,
        window: Window::Day,
        alerts: alerts(language, true).alerts,
        settled: None,
    }
}

fn alert_page(language: Language) -> AlertPageView {
    let row = |from, to, at: &str, value| {
        let observed_at = UtcMillis::parse(at).unwrap();
        let decided_at = observed_at.saturating_add(3000);
        TransitionRow { from, to, doubt: None, observed_at, decided_at, value: Some(value) }
    };
    let delivery = |level, state, detail: Option<&str>| DeliveryRow {
        channel: "piket-probolinggo".to_owned(),
        recipient: "s…".to_owned(),
        level,
        state,
        attempts: 2,
        last_attempt_at: Some(now()),
        detail: detail.map(str::to_owned),
    };
    AlertPageView {
        acknowledgements: vec![AcknowledgementRow {
            level: Level::Waspada,
            at: UtcMillis::parse("2026-03-10T07:14:00Z").unwrap(),
            by: Some("Sari W.".to_owned()),
            note: Some("Aerator dinyalakan, pantau 1 jam lagi.".to_owned()),
        }],
        frame: frame(language, "/alerts/9f2c41d07be1a8c3"),
        alert: alert("9f2c41d07be1a8c3", Level::Siaga, Level::Siaga, false),
        limits: limits(),
        rule_source: Some(Text::from("PP 22/2021 Lampiran VIII")),
        transitions: vec![
            row(Level::Normal, Level::Waspada, "2026-03-10T06:10:00Z", 3.91),
            row(Level::Waspada, Level::Siaga, "2026-03-10T07:40:00Z", 1.82),
        ],
        deliveries: vec![
            delivery(Level::Waspada, DeliveryState::Delivered, Some("200 OK")),
            delivery(Level::Siaga, DeliveryState::Waiting, Some("503 Service Unavailable")),
        ],
        can_acknowledge: true,
        form_error: Some(match language {
            Language::Id => "Token salah. Periksa kembali lalu kirim lagi.".to_owned(),
            Language::En => "The token is wrong. Check it and send again.".to_owned(),
        }),
        form: AcknowledgeForm { name: "Sari W.".to_owned(), note: String::new() },
    }
}

fn status(language: Language) -> StatusView {
    StatusView {
        frame: frame(language, "/status"),
        status: status::at(now()),
        ledger_from: UtcMillis::parse("2026-03-09T09:00:00Z").unwrap(),
        ledger_to: UtcMillis::parse("2026-03-10T09:00:00Z").unwrap(),
        messages: MessageLedger {
            received: 86_412,
            decoded: 86_350,
            quarantined: 40,
            unrouted: 12,
            denied: 10,
            ..MessageLedger::default()
        },
        readings: ReadingLedger {
            decoded: 604_450,
            stored: 604_000,
            duplicate: 400,
            corrected: 2,
            ignored_missing: 1,
            quarantined: 46,
            waiting: 0,
        },
    }
}

fn problem(language: Language) -> ProblemView {
    let (title, detail) = match language {
        Language::Id => (
            "Stasiun tidak ditemukan",
            "Tidak ada stasiun dengan kode “prb-bjbr-99”. Periksa alamatnya, atau pilih dari daftar stasiun.",
        ),
        Language::En => (
            "Station not found",
            "There is no station with the code “prb-bjbr-99”. Check the address, or choose from the list of stations.",
        ),
    };
    ProblemView {
        frame: frame(language, "/stations/prb-bjbr-99"),
        status: 404,
        title: title.to_owned(),
        detail: detail.to_owned(),
        request_id: Some("a81f-2209".to_owned()),
    }
}

pub(super) fn write(folder: &Path) {
    for language in Language::ALL {
        let pages = [
            ("overview", page::overview(&overview(language))),
            ("station", page::station(&station(language))),
            ("alerts", page::alerts(&alerts(language, true))),
            ("alert", page::alert(&alert_page(language))),
            ("status", page::status(&status(language))),
            ("problem", page::problem(&problem(language))),
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
