//! What the pages of the tests show.

mod status;

use bakau_dashboards::{
    fragment::Held,
    view::{
        AcknowledgeForm, AcknowledgementRow, AlertFilter, AlertPageView, AlertRow, AlertsView, DeliveryRow,
        DeliveryState, DeploymentRow, EpisodeRow, Frame, Freshness, Limit, LimitLine, Named, OtherStation,
        OverviewFilter, OverviewView, ParameterPanel, ProblemView, RuleFacts, RuleFigures, RuleRow, RulesView,
        SettledView, Side, StationCard, StationClass, StationView, StatusView, TakeForm, TransitionRow, ValueCell,
        Watched, Window,
    },
};
use bakau_model::{
    ConditionKind, Flag, Language, Level, MessageLedger, ReadingLedger, State, StationKind, TestResults, Text, Unit,
    UtcMillis,
};
use jiff::tz::TimeZone;

pub(crate) fn now() -> UtcMillis {
    UtcMillis::parse("2026-03-10T09:00:00Z").unwrap()
}

pub(crate) fn frame(language: Language, path: &str) -> Frame {
    let time_zone = TimeZone::get("Asia/Jakarta").unwrap();
    Frame {
        language,
        generated_at: now(),
        time_zone,
        path: path.to_owned(),
        active_alerts: 1,
        alarms: Vec::new(),
        site: None,
        position: "19cd6e50000-7".to_owned(),
        held: Held::default(),
    }
}

pub(crate) fn cell(datastream: &str, value: Option<f64>) -> ValueCell {
    ValueCell {
        datastream: datastream.parse().unwrap(),
        label: Text { id: "Oksigen terlarut".to_owned(), en: "Dissolved oxygen".to_owned() },
        value,
        reading: None,
        unit: Unit::new("mg/L"),
        decimals: 2,
        observed_at: value.map(|_| now().saturating_add(-12_000)),
        state: State::Siaga,
        pending: None,
        level: Level::Siaga,
        flag: Flag::NotEvaluated,
        tests: TestResults::NONE,
        stale: false,
        stale_after_ms: 240_000,
    }
}

pub(crate) fn card(id: &str, name: &str, state: State, freshness: Freshness) -> StationCard {
    let values = vec![cell(&format!("{id}/do"), Some(1.82))];
    StationCard {
        id: id.parse().unwrap(),
        name: Text::from(name),
        agency: Named { id: "dlh".parse().unwrap(), name: Text::from("DLH Probolinggo") },
        city: Some(Named { id: "probolinggo".parse().unwrap(), name: Text::from("Kota Probolinggo") }),
        kind: StationKind::Mangrove,
        latitude: -7.7385,
        longitude: 113.221,
        state,
        acknowledged_at: None,
        freshness,
        clock: None,
        no_data_after_ms: 240_000,
        values,
    }
}

pub(crate) fn alert_row(name: &str) -> AlertRow {
    AlertRow {
        id: "9f2c41d0".to_owned(),
        kind: ConditionKind::Threshold,
        station: Some("prb-bjbr-01".parse().unwrap()),
        subject: Text::from(name),
        datastream: Some("prb-bjbr-01/do@150cm".parse().unwrap()),
        label: Some(Text { id: "Oksigen terlarut".to_owned(), en: "Dissolved oxygen".to_owned() }),
        rule_name: Text { id: "Oksigen rendah".to_owned(), en: "Low oxygen".to_owned() },
        level: Level::Siaga,
        peak: Level::Awas,
        onset: now().saturating_add(-7_200_000),
        onset_at_latest: false,
        observed_at: now().saturating_add(-60_000),
        value: Some(1.82),
        worst: Some((0.41, now().saturating_add(-3_600_000))),
        unit: Unit::new("mg/L"),
        decimals: 2,
        unconfirmed_since: Some(now()),
        decided_at: now().saturating_add(-59_000),
        closed_at: None,
        acknowledged: None,
        present: Some(cell("prb-bjbr-01/do@150cm", Some(1.9))),
        rule: Some(rule()),
        chosen: Some(false),
    }
}

/// A rule with a limit from a source and one from memory.
pub(crate) fn rule() -> RuleFacts {
    let limit = |level, value, clear| Limit { line: LimitLine { level, value, side: Side::Low }, clear };
    RuleFacts {
        id: "do-rendah".parse().unwrap(),
        name: Text { id: "Oksigen rendah".to_owned(), en: "Low oxygen".to_owned() },
        source: Text {
            id: "4 mg/L: kelas 2 [S7]; 2 mg/L: hipoksia [M-high].".to_owned(),
            en: "4 mg/L: class 2 [S7]; 2 mg/L: hypoxia [M-high].".to_owned(),
        },
        figures: RuleFigures::Limits {
            hold_s: 3_600,
            limits: vec![limit(Level::Waspada, 4.0, 4.5), limit(Level::Siaga, 2.0, 2.2)],
        },
    }
}

/// The page of two rules.
pub(crate) fn rules(language: Language) -> RulesView {
    let name = Text { id: "Oksigen terlarut".to_owned(), en: "Dissolved oxygen".to_owned() };
    let low = RuleRow {
        facts: rule(),
        kind: ConditionKind::Threshold,
        watched: Watched::Parameter(name, Some(StationKind::Water)),
        unit: Unit::new("mg/L"),
        repeat_s: Some(7_200),
    };
    let figures = RuleFigures::After(vec![(Level::Waspada, 1_800)]);
    let silent = RuleRow {
        facts: RuleFacts { id: "diam".parse().unwrap(), figures, ..rule() },
        kind: ConditionKind::NoData,
        watched: Watched::Stations(None),
        unit: Unit::new(""),
        repeat_s: None,
    };
    RulesView { frame: frame(language, "/rules"), rules: vec![low, silent] }
}

/// A settled history of one episode.
pub(crate) fn settled() -> SettledView {
    let AlertRow { label, rule_name, peak, onset, unit, decimals, .. } = alert_row("");
    let (label, end) = (label.unwrap_or_else(|| Text::from("")), Some(now()));
    let row = EpisodeRow {
        id: alert_row("").id,
        label,
        rule_name,
        peak,
        onset,
        onset_at_latest: false,
        end,
        peak_value: 0.41,
        unit,
        decimals,
    };
    SettledView {
        from: now().saturating_add(-30 * 86_400_000),
        until: now().saturating_add(-7_200_000),
        episodes: vec![row],
    }
}

pub(crate) fn no_data(name: &str) -> AlertRow {
    let (kind, datastream, label, value) = (ConditionKind::NoData, None, None, None);
    let level = Level::Waspada;
    let silent = RuleFigures::After(vec![(Level::Waspada, 1_800), (Level::Siaga, 7_200)]);
    let rule = Some(RuleFacts { figures: silent, ..rule() });
    AlertRow {
        id: "77aa41d0".to_owned(),
        kind,
        datastream,
        label,
        value,
        level,
        present: None,
        rule,
        ..alert_row(name)
    }
}

pub(crate) fn overview(language: Language) -> OverviewView {
    let live = Freshness::Live { age_ms: 12_000 };
    let stations = vec![
        card("btu-01", "Batu", State::Normal, live),
        card("mlg-01", "Malang", State::NeverReported, Freshness::NeverReported),
        card("prb-01", "Probolinggo", State::Awas, live),
        card("sby-01", "Surabaya", State::Late, Freshness::Stale { age_ms: 7_200_000 }),
    ];
    OverviewView { frame: frame(language, "/"), stations, filter: OverviewFilter::default() }
}

pub(crate) fn other(id: &str, latitude: f64, longitude: f64) -> OtherStation {
    let (id, name, city) = (id.parse().unwrap(), Text::from(id), Text::from("Kota"));
    OtherStation { id, name, city, latitude, longitude }
}

pub(crate) fn deployment(labels: &[&str], serial: &str, from: &str, to: Option<&str>) -> DeploymentRow {
    let time = |text: &str| UtcMillis::parse(text).unwrap();
    DeploymentRow {
        labels: labels.iter().map(|label| Text::from(*label)).collect(),
        make: "Bakau".to_owned(),
        model: "Sonde".to_owned(),
        serial: serial.to_owned(),
        from: time(from),
        to: to.map(time),
    }
}

pub(crate) fn station(language: Language, name: &str) -> StationView {
    let cell = cell("prb-bjbr-01/do@150cm", Some(1.82));
    StationView {
        frame: frame(language, "/stations/prb-bjbr-01?range=week"),
        id: "prb-bjbr-01".parse().unwrap(),
        name: Text::from(name),
        agency: Text::from("DLH Probolinggo"),
        city: Text::from("Probolinggo"),
        kind: StationKind::Mangrove,
        state: State::Siaga,
        acknowledged_at: Some(now().saturating_add(-1_200_000)),
        freshness: Freshness::Live { age_ms: 12_000 },
        clock: None,
        latitude: -7.7385,
        longitude: 113.221,
        elevation_m: Some(3.0),
        description: None,
        class: Some(StationClass::Water { class: 2, source: Text::from("PP 22/2021") }),
        others: vec![other("prb-kota-01", -7.754, 113.216), other("btu-alun-01", -7.87, 112.53)],
        deployments: vec![
            deployment(&["Oksigen terlarut"], "A-1", "2025-06-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
            deployment(&["Oksigen terlarut", "pH"], "B-2", "2026-01-01T00:00:00Z", None),
        ],
        parameters: vec![ParameterPanel { cell, rules: vec![rule()], interval_ms: 600_000, vertical_datum: None }],
        window: Window::Week,
        alerts: vec![alert_row(name)],
        settled: None,
    }
}

pub(crate) fn alert(language: Language, text: &str) -> AlertPageView {
    let mut alert = alert_row(text);
    let taken = |level, minutes: i64, by: Option<&str>| AcknowledgementRow {
        level,
        at: now().saturating_add(-minutes * 60_000),
        by: by.map(str::to_owned),
        note: by.map(str::to_owned),
    };
    let acknowledgements = vec![taken(Level::Waspada, 60, None), taken(Level::Siaga, 5, Some(text))];
    alert.acknowledged = acknowledgements.last().cloned();
    let (from, to, observed_at) = (Level::Normal, Level::Siaga, now());
    let delivery = DeliveryRow {
        channel: "piket".to_owned(),
        recipient: "s…".to_owned(),
        level: Level::Siaga,
        state: DeliveryState::Failed,
        attempts: 5,
        last_attempt_at: Some(now()),
    };
    AlertPageView {
        acknowledgements,
        frame: frame(language, "/alerts/9f2c41d0"),
        alert,
        transitions: vec![TransitionRow { from, to, doubt: None, observed_at, decided_at: now(), value: None }],
        deliveries: vec![delivery],
        can_acknowledge: true,
        form_error: Some(text.to_owned()),
        form: AcknowledgeForm { name: text.to_owned(), note: text.to_owned() },
    }
}

pub(crate) fn status(language: Language) -> StatusView {
    StatusView {
        frame: frame(language, "/status"),
        status: status::at(now()),
        ledger_from: now().saturating_add(-3_600_000),
        ledger_to: now(),
        messages: MessageLedger { received: 3, decoded: 2, quarantined: 1, ..MessageLedger::default() },
        readings: ReadingLedger { decoded: 2, stored: 1, ..ReadingLedger::default() },
    }
}

pub(crate) fn problem(language: Language, text: &str) -> ProblemView {
    ProblemView { frame: frame(language, "/x"), status: 404, title: text.to_owned(), detail: text.to_owned() }
}

pub(crate) fn alerts(language: Language, name: &str) -> AlertsView {
    let next = Some("/alerts?before=9f".to_owned());
    AlertsView {
        frame: frame(language, "/alerts"),
        filter: AlertFilter::default(),
        agencies: vec![Named { id: "dlh".parse().unwrap(), name: Text::from("DLH Probolinggo") }],
        stations: vec![Named { id: "prb-bjbr-01".parse().unwrap(), name: Text::from(name) }],
        alerts: vec![alert_row(name), no_data(name)],
        next,
        form: TakeForm::default(),
    }
}
