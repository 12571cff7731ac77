//! The overview of many stations: totals, search, order, table and wall.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first problem")]

use bakau_dashboards::{
    fragment::Held,
    page,
    view::{
        Bounds, Frame, Freshness, ListForm, Named, OverviewFilter, OverviewView, SearchWords, StateFilter, StationCard,
        ValueCell,
    },
};
use bakau_model::{Flag, Language, Level, State, StationKind, TestResults, Text, Unit, UtcMillis};
use jiff::tz::TimeZone;

const AGE_MS: i64 = 12_000;

fn now() -> UtcMillis {
    UtcMillis::parse("2026-03-10T09:00:00Z").unwrap()
}

fn cell(datastream: &str, label: &str, value: f64, level: Level) -> ValueCell {
    ValueCell {
        datastream: datastream.parse().unwrap(),
        label: Text::from(label),
        value: Some(value),
        reading: None,
        unit: Unit::new("mg/L"),
        decimals: 1,
        observed_at: Some(now().saturating_add(-AGE_MS)),
        state: State::raised(level).unwrap_or(State::Normal),
        pending: None,
        level,
        flag: Flag::Good,
        tests: TestResults::NONE,
        stale: false,
        stale_after_ms: 240_000,
    }
}

/// A station that measures oxygen and, where `ph` is given, pH.
fn card(index: usize, name: &str, city: &str, state: State, values: (f64, Option<f64>)) -> StationCard {
    let id = format!("st-{index:03}");
    let oxygen = cell(&format!("{id}/do"), "Oksigen", values.0, state.level().unwrap_or_default());
    let acidity = values.1.map(|value| cell(&format!("{id}/ph"), "pH", value, Level::Normal));
    StationCard {
        name: Text::from(name),
        agency: Named { id: "dlh".parse().unwrap(), name: Text::from("DLH") },
        city: Some(Named { id: city.parse().unwrap(), name: Text::from(city) }),
        kind: StationKind::Water,
        latitude: -7.7 - index as f64 * 0.003,
        longitude: 112.6 + (index % 7) as f64 * 0.01,
        state,
        acknowledged_at: None,
        freshness: match state {
            State::NeverReported => Freshness::NeverReported,
            _ => Freshness::Live { age_ms: AGE_MS + index as i64 * 1_000 },
        },
        clock: None,
        no_data_after_ms: 240_000,
        values: std::iter::once(oxygen).chain(acidity).collect(),
        id: id.parse().unwrap(),
    }
}

fn view(stations: Vec<StationCard>, filter: OverviewFilter) -> OverviewView {
    let frame = Frame {
        language: Language::Id,
        generated_at: now(),
        time_zone: TimeZone::get("Asia/Jakarta").unwrap(),
        path: "/".to_owned(),
        active_alerts: 7,
        alarms: Vec::new(),
        site: None,
        position: String::new(),
        held: Held::default(),
    };
    OverviewView { frame, stations, filter }
}

fn four() -> Vec<StationCard> {
    vec![
        card(0, "Citra", "malang", State::Normal, (6.0, Some(7.1))),
        card(1, "Arjuna", "pasuruan", State::Awas, (0.4, None)),
        card(2, "Bromo", "batu", State::NeverReported, (5.0, None)),
        card(3, "Dampit", "malang", State::Waspada, (3.9, Some(8.3))),
    ]
}

fn drawn(filter: OverviewFilter) -> String {
    page::overview(&view(four(), filter)).unwrap()
}

/// The names of the list in its order.
fn names(html: &str) -> Vec<&str> {
    let list = html.split_once("id=\"lines\"").map_or(html, |(_, list)| list);
    let part = |part: &'_ str| -> Option<String> { Some(part.split_once('>')?.1.split_once('<')?.0.to_owned()) };
    let links = list.split("<a href=\"/stations/").skip(1);
    links.filter_map(part).map(|name| html.find(&name).map(|at| &html[at..at + name.len()]).unwrap()).collect()
}

fn sorted(sort: &str) -> OverviewFilter {
    OverviewFilter { sort: sort.parse().unwrap(), form: Some(ListForm::Table), ..OverviewFilter::default() }
}

#[test]
fn a_total_shows_its_stations_alone_and_then_all_again_and_keeps_what_was_searched() {
    let words = SearchWords::new("malang");
    let html = drawn(OverviewFilter { words: words.clone(), ..OverviewFilter::default() });
    assert!(html.contains("id=\"total-waspada\" href=\"/?q=malang&#38;level=waspada\""), "{html}");
    let count = |html: &str, level: &str| {
        let total = html.split(&format!("id=\"total-{level}\"")).nth(1).unwrap();
        total.split("class=\"n\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    assert_eq!(
        (count(&html, "awas"), count(&html, "waspada"), count(&html, "normal")),
        ("0".into(), "1".into(), "1".into())
    );
    let html = drawn(OverviewFilter { words, level: Some(StateFilter::Waspada), ..OverviewFilter::default() });
    assert!(html.contains("(1 dari 4)") && html.contains("Dampit</a>") && !html.contains("Citra</a>"));
    // The other totals stay, and the way back is the total itself.
    assert_eq!((count(&html, "waspada"), count(&html, "normal")), ("1".into(), "1".into()));
    assert!(html.contains("id=\"total-waspada\" href=\"/?q=malang\" aria-current=\"true\""), "{html}");
}

#[test]
fn what_is_searched_stands_in_its_field_and_nothing_found_keeps_the_way_back() {
    let words = SearchWords::new("<b>\"");
    let html = drawn(OverviewFilter { words, form: Some(ListForm::Table), ..OverviewFilter::default() });
    assert!(html.contains("value=\"&#60;b&#62;&#34;\"") && html.contains("Tidak ada stasiun yang cocok"), "{html}");
    assert!(html.contains("class=\"clear\" href=\"/?view=table\""), "{html}");
}

#[test]
fn the_table_is_in_the_order_asked_for_and_says_so() {
    for (sort, order) in [
        ("-level", ["Arjuna", "Dampit", "Bromo", "Citra"]),
        ("level", ["Citra", "Bromo", "Dampit", "Arjuna"]),
        ("name", ["Arjuna", "Bromo", "Citra", "Dampit"]),
        ("-name", ["Dampit", "Citra", "Bromo", "Arjuna"]),
        // Equal ones stay worst first.
        ("city", ["Bromo", "Dampit", "Citra", "Arjuna"]),
        ("-city", ["Arjuna", "Dampit", "Citra", "Bromo"]),
        ("age", ["Citra", "Arjuna", "Dampit", "Bromo"]),
        // Who has no value is last both ways.
        ("-age", ["Dampit", "Arjuna", "Citra", "Bromo"]),
        ("ph", ["Citra", "Dampit", "Arjuna", "Bromo"]),
        ("-ph", ["Dampit", "Citra", "Arjuna", "Bromo"]),
        ("do", ["Arjuna", "Dampit", "Bromo", "Citra"]),
    ] {
        let html = drawn(sorted(sort));
        assert_eq!(names(&html), order, "{sort}");
        let direction = if sort.starts_with('-') { "descending" } else { "ascending" };
        assert_eq!(html.matches(" aria-sort=").count(), 1, "{sort}");
        assert!(html.contains(&format!("aria-sort=\"{direction}\"")), "{sort}");
    }
    assert!(drawn(sorted("name")).contains("<a href=\"/?sort=-name&#38;view=table\">Stasiun</a>"));
}

#[test]
fn many_stations_are_lines_and_few_are_cards_until_somebody_chooses() {
    let many = |count| (0..count).map(|n| card(n, &format!("S{n}"), "batu", State::Normal, (6.0, None))).collect();
    let html =
        |count, form| page::overview(&view(many(count), OverviewFilter { form, ..OverviewFilter::default() })).unwrap();
    let is_table = |html: &str| html.contains("id=\"lines\"") && !html.contains("class=\"stations\"");
    assert!(!is_table(&html(30, None)) && is_table(&html(31, None)));
    assert!(!is_table(&html(31, Some(ListForm::Cards))) && is_table(&html(2, Some(ListForm::Table))));
}

#[test]
fn the_wall_shows_every_station_worst_first_whatever_the_order_of_the_list() {
    let filter = OverviewFilter { form: Some(ListForm::Wall), ..sorted("name") };
    let html = drawn(OverviewFilter { form: Some(ListForm::Wall), ..filter });
    assert_eq!(names(&html), ["Arjuna", "Dampit", "Bromo", "Citra"]);
    assert!(html.contains("<b>7</b> alarm terbuka") && html.contains("data-clock>16.00</b>"), "{html}");
    assert!(html.contains("class=\"tiles huge\"") && !html.contains("id=\"mapbox\""));
}

#[test]
fn the_map_shows_a_part_without_leaving_any_station_out_of_the_list() {
    let part = Bounds::parse("112.6,-7.705,112.615,-7.695");
    let html = drawn(OverviewFilter { bounds: part, ..sorted("-level") });
    let pins = html.matches("class=\"pin\"").count();
    assert!((1..4).contains(&pins), "{pins}");
    assert_eq!(names(&html).len(), 4);
    assert!(html.contains("id=\"map-all\"") && html.contains("data-go=\"all\" href=\"/?view=table\""), "{html}");
    assert!(!drawn(sorted("-level")).contains("id=\"map-all\""));
}
