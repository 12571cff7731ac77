//! Pages as a browser gets them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first problem")]

mod views;

use std::io::Write;

use bakau_dashboards::{
    assets, page,
    view::{
        Alarm, AlertFilter, AlertsView, ClockAhead, Freshness, Grouping, Named, OverviewFilter, SettledView,
        StationView, Window,
    },
};
use bakau_model::{
    ConditionKind, Flag, Language, Level, QualityTest, Reason, State, StationKind, TestResults, Text, UtcMillis,
};

use crate::views::{alert, alerts, card, cell, now, overview, problem, rules, settled, station, status};

const HOSTILE: &str = "<script>alert('x')</script>\" onload=\"x";

fn every_page(language: Language, text: &str) -> Vec<(&'static str, String)> {
    let pages = [
        ("overview", page::overview(&overview(language))),
        ("station", page::station(&station(language, text))),
        ("alerts", page::alerts(&alerts(language, text))),
        ("alert", page::alert(&alert(language, text))),
        ("rules", page::rules(&rules(language))),
        ("status", page::status(&status(language))),
        ("problem", page::problem(&problem(language, text))),
    ];
    pages.into_iter().map(|(name, page)| (name, page.unwrap())).collect()
}

/// Without what changes with every edit of the style sheet, the script or a fragment.
fn stable(html: &str) -> String {
    let mut parts = html.split("/assets/");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_at(part.find('"').unwrap());
        let (stem, extension) = (name.split('-').next().unwrap(), name.rsplit('.').next().unwrap());
        text.push_str(&format!("/assets/{stem}-HASH.{extension}{rest}"));
    }
    let mut parts = text.split(" data-v=\"");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + &part[part.find('"').unwrap() + 1..])
}

#[test]
fn pages_look_as_agreed_in_both_languages() {
    for language in Language::ALL {
        for (name, html) in every_page(language, "BeeJay Bakau 01") {
            insta::assert_snapshot!(format!("{name}_{}", language.tag()), stable(&html));
        }
    }
}

#[test]
fn text_that_people_wrote_is_never_markup() {
    for language in Language::ALL {
        for (name, html) in every_page(language, HOSTILE) {
            assert!(!html.contains("<script>alert") && !html.contains("\" onload=\""), "{name}");
        }
    }
}

#[test]
fn every_message_key_a_page_uses_exists() {
    for (name, html) in every_page(Language::Id, "x") {
        for word in html.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            // A missing text shows its key, and keys hold an underscore; so do the ages handed to the script.
            // So do words of `?kind=`, and so do the reasons, which have a test of their own.
            let known = ConditionKind::KEYS.contains(&word)
                || Reason::ALL.iter().any(|reason| reason.key() == word)
                || word.starts_with("second_")
                || word.starts_with("minute_")
                || word.starts_with("hour_");
            assert!(!word.contains('_') || known || word.starts_with("day_"), "{name}: {word}");
        }
    }
}

#[test]
fn a_doubted_value_says_why_in_words_and_a_station_that_its_clock_is_ahead() {
    let since = UtcMillis::parse("2026-03-10T07:57:00Z").unwrap();
    let clock = |ahead_ms, refused| Some(ClockAhead { ahead_ms, since, refused });
    let words = [
        (
            Language::Id,
            "maju 4 menit sejak 10 Mar 2026 14.57 WIB. Nilainya ditampilkan",
            "maju 3 jam sejak",
            "Jam alat maju 4 menit",
        ),
        (
            Language::En,
            "4 minutes ahead since 10 Mar 2026 14:57 WIB. Its values",
            "3 hours ahead since",
            "Device clock 4 minutes ahead",
        ),
    ];
    for (language, ahead, refused, short) in words {
        let mut view = station(language, "x");
        view.clock = clock(239_700, false);
        let results = |flag| QualityTest::ALL.into_iter().fold(TestResults::NONE, |all, test| all.with(test, flag));
        for flag in [Flag::Suspect, Flag::Fail] {
            view.parameters[0].cell.tests = results(flag);
            let html = page::station(&view).unwrap();
            let why =
                html.split("<small class=\"why\">").nth(1).and_then(|rest| rest.split("</small>").next()).unwrap();
            assert_eq!(why.split("; ").count(), results(flag).reasons().count(), "{why}");
            assert!(!why.contains("why_") && html.contains(ahead), "{why}");
        }
        view.clock = clock(3 * 3_600_000 - 400, true);
        assert!(page::station(&view).unwrap().contains(refused));
        let mut list = overview(language);
        list.stations[0].clock = clock(239_700, false);
        assert!(page::overview(&list).unwrap().contains(short));
    }
}

#[test]
fn stations_stand_worst_first_and_those_without_data_before_calm_ones() {
    let html = page::overview(&overview(Language::Id)).unwrap();
    let place = |name: &str| html.find(&format!(">{name}</a>")).unwrap();
    let order = ["Probolinggo", "Surabaya", "Malang", "Batu"].map(place);
    assert!(order.is_sorted(), "{order:?}");
    assert!(html.contains("Belum pernah melapor"));
}

#[test]
fn the_overview_shows_what_is_asked_for_in_groups_and_counts_who_reports() {
    let mut view = overview(Language::Id);
    view.stations[3].agency = Named { id: "pdam".parse().unwrap(), name: Text::from("PDAM Surabaya") };
    view.filter.group = Grouping::Agency;
    let html = page::overview(&view).unwrap();
    assert!(html.contains("2 dari 3 melapor") && html.contains("0 dari 1 melapor"));
    let headings: Vec<usize> = ["DLH Probolinggo <small>3 stasiun", "PDAM Surabaya <small>1 stasiun"]
        .map(|title| html.find(title).unwrap())
        .into();
    assert!(headings.is_sorted(), "the group of the worst station stands first");
    // Who misses the greatest part is listed first.
    assert!(html.find("/?agency=pdam").unwrap() < html.find("/?agency=dlh").unwrap());
    view.filter = OverviewFilter { agency: Some("pdam".parse().unwrap()), ..OverviewFilter::default() };
    let html = page::overview(&view).unwrap();
    assert!(html.contains(">Surabaya</a>") && !html.contains(">Batu</a>") && html.contains("(1 dari 4)"));
    view.filter.kind = Some(StationKind::Air);
    assert!(page::overview(&view).unwrap().contains("Tidak ada stasiun yang cocok"));
}

#[test]
fn a_stations_page_shows_it_among_those_near_it_and_measures_the_way_to_the_nearest() {
    let html = page::station(&station(Language::En, "BeeJay Bakau 01")).unwrap();
    let (before, after) = html.split_once("</svg>\n\n<p class=\"hint\">").unwrap();
    let map = before.rsplit_once("<svg class=\"map").unwrap().1;
    assert!(map.contains("class=\"pin here\" data-station=\"prb-bjbr-01\" data-level=\"siaga\""), "{map}");
    // Only places: levels of others would not be kept current.
    assert_eq!((map.matches("class=\"pin place\"").count(), map.matches("data-level").count()), (2, 1));
    assert!(
        after.starts_with("Nearest: <a href=\"/stations/prb-kota-01?lang=en\">prb-kota-01</a> 1.8\u{a0}km"),
        "{after}"
    );
    assert!(after.contains("btu-alun-01</a> 78\u{a0}km"), "{after}");
}

#[test]
fn a_stations_page_names_what_measures_now_before_what_measured_once() {
    let html = page::station(&station(Language::Id, "BeeJay Bakau 01")).unwrap();
    let table = html.split("<h2 id=\"instruments\">").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = table.split("<tr").skip(2).collect();
    assert!(rows[0].contains("B-2") && rows[0].contains("Oksigen terlarut, pH") && rows[0].contains("masih terpasang"));
    assert!(rows[1].starts_with(" class=\"past\"") && rows[1].contains("A-1"), "{}", rows[1]);
    assert!(rows[1].contains("1 Jun 2025 07.00 WIB") && rows[1].contains("1 Jan 2026 07.00 WIB"), "{}", rows[1]);
}

#[test]
fn technical_alerts_stand_apart_and_are_never_taken_for_the_environment() {
    let mut view = alerts(Language::Id, "BeeJay Bakau 01");
    let html = page::alerts(&view).unwrap();
    let place = |text: &str| html.find(text).unwrap();
    assert!(place("Oksigen terlarut</a>") < place("<h2 id=\"technical\">"));
    assert!(place("<h2 id=\"technical\">") < place("BeeJay Bakau 01 · tidak mengirim data"));
    view.alerts[0].closed_at = Some(now());
    view.filter = AlertFilter { all: true, days: Some(7), level: Some(Level::Siaga), ..AlertFilter::default() };
    assert_eq!(view.filter.path(), "/alerts?all=true&level=siaga&days=7");
    let html = page::alerts(&view).unwrap();
    assert!(html.find("id=\"technical\"").unwrap() < html.find("id=\"history\"").unwrap());
}

#[test]
fn a_closed_alert_is_told_by_its_worst_value_and_an_open_one_by_its_last() {
    let (mut list, mut one) = (alerts(Language::Id, "BeeJay Bakau 01"), alert(Language::Id, "BeeJay Bakau 01"));
    for html in [page::alerts(&list).unwrap(), page::alert(&one).unwrap()] {
        assert!(html.contains("1,82\u{a0}mg/L") && !html.contains("0,41"), "what may still get worse");
    }
    list.alerts[0].closed_at = Some(now());
    one.alert.closed_at = Some(now());
    let html = page::alerts(&list).unwrap();
    assert!(html.contains("0,41\u{a0}mg/L<small>terburuk, 10 Mar 2026 15.00 WIB</small>"), "{html}");
    assert!(!html.contains("1,82"));
    let html = page::alert(&one).unwrap();
    assert!(html.contains("0,41\u{a0}mg/L<small>10 Mar 2026 15.00 WIB</small>"), "{html}");
    assert!(html.contains("Nilai saat selesai</dt><dd>1,82\u{a0}mg/L"), "{html}");
}

#[test]
fn an_onset_that_nobody_saw_is_told_as_the_latest_that_it_can_be() {
    for (language, words) in [(Language::Id, "paling lambat sejak"), (Language::En, "at the latest since")] {
        let (mut list, mut one) = (alerts(language, "BeeJay Bakau 01"), alert(language, "BeeJay Bakau 01"));
        let mut place = StationView { settled: Some(settled()), ..station(language, "BeeJay Bakau 01") };
        let pages = |list: &_, one: &_, place: &_| {
            [page::alerts(list).unwrap(), page::alert(one).unwrap(), page::station(place).unwrap()]
        };
        assert!(pages(&list, &one, &place).iter().all(|html| !html.contains(words)));
        list.alerts[0].onset_at_latest = true;
        one.alert.onset_at_latest = true;
        place.settled.iter_mut().for_each(|settled| settled.episodes[0].onset_at_latest = true);
        for html in pages(&list, &one, &place) {
            assert!(html.contains(words), "{html}");
        }
    }
}

#[test]
fn the_settled_history_says_up_to_when_it_is() {
    for (language, until) in [
        (Language::Id, "sampai 10 Mar 2026 14.00 WIB. Data yang datang terlambat masih dapat mengubahnya."),
        (Language::En, "up to 10 Mar 2026 14:00 WIB. Data that comes late can still change it."),
    ] {
        let mut view = StationView { settled: Some(settled()), ..station(language, "BeeJay Bakau 01") };
        assert!(page::station(&view).unwrap().contains(until));
        view.settled.iter_mut().for_each(|settled| settled.episodes.clear());
        assert!(page::station(&view).unwrap().contains(until), "also where nothing was crossed up to then");
        view.settled = None;
        assert!(!page::station(&view).unwrap().contains(until));
    }
}

#[test]
fn the_list_of_alerts_says_how_it_is_sorted() {
    let mut view = AlertsView { next: None, ..alerts(Language::En, "BeeJay Bakau 01") };
    assert!(page::alerts(&view).unwrap().contains("Active alerts: the worst first. Closed alerts: the newest first."));
    view.next = Some("/alerts?before=9f2c41d0".to_owned());
    assert!(page::alerts(&view).unwrap().contains("On each page active alerts stand worst first."));
}

#[test]
fn a_mark_that_a_station_is_acknowledged_says_that_it_is_about_its_level() {
    for (language, mark, title) in [
        (Language::Id, "tingkat ini ditangani", "Semua alarm setingkat di stasiun ini ditangani, terakhir 10 Mar 2026"),
        (
            Language::En,
            "this level acknowledged",
            "Every alert at this level here is acknowledged, the last one 10 Mar 2026",
        ),
    ] {
        let html = page::station(&station(language, "BeeJay Bakau 01")).unwrap();
        assert!(html.contains(&format!("<span>{mark}</span>")) && html.contains(title), "{html}");
    }
}

#[test]
fn the_status_page_says_when_nobody_is_told_and_never_that_what_was_given_up_is_delivered() {
    let mut view = status(Language::Id);
    let notifications = view.status.outbox.as_mut().unwrap();
    (notifications.waiting, notifications.failed) = (0, 3);
    let html = page::status(&view).unwrap();
    assert!(html.contains("Tidak ada pemberitahuan yang menunggu.") && !html.contains("terkirim."), "{html}");
    view.status.outbox.as_mut().unwrap().has_recipients = false;
    let html = page::status(&view).unwrap();
    assert!(html.contains("Tidak ada yang diberi tahu: katalog tidak memuat satu pun penerima."), "{html}");
    assert!(!html.contains("✓ Tidak ada pemberitahuan"), "{html}");
}

#[test]
fn the_status_page_says_what_is_lost_late_and_unknown_in_words_and_keeps_what_names_people() {
    let mut view = status(Language::En);
    let html = page::status(&view).unwrap();
    for words in [
        "1 minute behind; batches waiting: 3",
        "batches waiting: 1, since when is unknown",
        "messages: 40, last",
        "unknown: the broker does not say",
        "2×, last",
        "nothing that was acknowledged",
        "<dd>1 hour</dd>",
        "The receiver answered with code 550.",
        "3 of 4 stations report",
        "15 of 20 values are current",
        "last 24 hours: 99.5 % of the expected values",
        "certificate of the broker, or ours",
    ] {
        assert!(html.contains(words), "no '{words}'");
    }
    (view.status.spool, view.status.outbox) = (None, None);
    view.status.agencies[0].last_24h = None;
    assert!(page::status(&view).unwrap().contains("last 24 hours: not known yet"));
    assert_eq!(page::status(&view).unwrap().matches(">unknown<").count(), 2);
    view.status.sources[1].problem = Some(Some(HOSTILE.to_owned()));
    let html = page::status(&view).unwrap();
    assert!(html.contains("Last problem") && !html.contains("<script>alert"));
}

#[test]
fn every_linked_asset_is_there_and_nothing_is_loaded_from_elsewhere() {
    for (name, html) in every_page(Language::En, "x") {
        let links = html.split(['"', ' ']).filter_map(|part| part.strip_prefix("/assets/"));
        assert!(links.clone().count() >= 3);
        for link in links {
            assert!(assets::get(link).is_some(), "{name}: {link}");
        }
        assert!(!html.contains("src=\"http") && !html.contains("<link rel=\"stylesheet\" href=\"http"), "{name}");
    }
}

#[test]
fn images_have_dimensions_so_that_nothing_shifts() {
    for (name, html) in every_page(Language::Id, "x") {
        for tag in html.split('<').filter(|tag| tag.starts_with("img") || tag.starts_with("source")) {
            assert!(tag.contains(" width=\"") && tag.contains(" height=\""), "{name}: <{tag}");
        }
    }
}

#[test]
fn an_overview_of_200_stations_is_at_most_60_kb_compressed() {
    let mut view = overview(Language::Id);
    view.stations = (0..200)
        .map(|i| {
            let id = format!("prb-{i:03}");
            let freshness = Freshness::Live { age_ms: i * 137 };
            let mut card = card(
                &id,
                &format!("Stasiun Kali {i}"),
                [State::Normal, State::Waspada, State::Siaga, State::Awas][i as usize % 4],
                freshness,
            );
            card.values = (0..6)
                .map(|k| {
                    let value = f64::from(k).mul_add(13.7, (i * 7919 % 1000) as f64 / 7.0);
                    let mut cell = cell(&format!("{id}/p{k}"), Some(value));
                    cell.observed_at = Some(now().saturating_add(-(i * 97_561 + i64::from(k) * 31_337) % 600_000));
                    cell
                })
                .collect();
            card
        })
        .collect();
    let html = page::overview(&view).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(html.as_bytes()).unwrap();
    let size = encoder.finish().unwrap().len();
    assert!(size <= 60_000, "{size} of {} bytes", html.len());
    println!("200 stations: {size} bytes compressed, {} plain", html.len());
}

#[test]
fn an_alert_id_cannot_become_another_path() {
    let mut view = alerts(Language::Id, "x");
    view.alerts[0].id = "../status?x=\"".to_owned();
    assert!(page::alerts(&view).unwrap().contains("href=\"/alerts/statusx\""));
}

#[test]
fn title_icon_and_script_are_told_how_many_alerts_of_the_worst_level_wait_for_somebody() {
    let alarm = |id: &str, level| Alarm { id: id.to_owned(), level };
    let cases = [
        (vec![], "<title>", "/assets/icon-", ""),
        (
            vec![alarm("a", Level::Siaga), alarm("b", Level::Siaga)],
            "<title>(2 Siaga) ",
            "/assets/icon-siaga-",
            "a.siaga b.siaga",
        ),
        (
            vec![alarm("a", Level::Siaga), alarm("b", Level::Awas)],
            "<title>(1 Awas) ",
            "/assets/icon-awas-",
            "a.siaga b.awas",
        ),
    ];
    for language in [Language::Id, Language::En] {
        for (alarms, title, icon, told) in cases.clone() {
            let mut view = overview(language);
            view.frame.alarms = alarms;
            let html = page::overview(&view).unwrap();
            let stations = if language == Language::Id { "Stasiun" } else { "Monitoring" };
            assert!(html.contains(&format!("{title}{stations}")), "{title}");
            assert!(html.contains(&format!("<link rel=\"icon\" href=\"{icon}")), "{icon}");
            assert!(html.contains(&format!(" data-alarms=\"{told}\"")), "{told}");
        }
    }
}

#[test]
fn a_page_shown_elsewhere_has_a_description_and_a_picture_with_the_address_where_that_is_known() {
    let mut view = station(Language::Id, "x");
    let picture = |html: &str| {
        html.split("og:image\" content=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
    };
    let html = page::station(&view).unwrap();
    assert!(html.contains("<meta name=\"description\" content=\"Nilai terkini, grafik"), "{html}");
    let path = picture(&html).unwrap();
    assert!(path.starts_with("/charts/") && path.contains(".png?"), "{path}");
    view.frame.site = Some("https://pantau.example".to_owned());
    assert_eq!(picture(&page::station(&view).unwrap()).unwrap(), format!("https://pantau.example{path}"));
    let list = page::overview(&overview(Language::En)).unwrap();
    assert!(
        picture(&list).unwrap().starts_with("/assets/icon-")
            && list.contains("rel=\"manifest\" href=\"/assets/manifest-")
    );
}

#[test]
fn marks_of_the_catalogue_are_words_with_the_whole_source_behind_them() {
    for (language, verified, not) in
        [(Language::Id, "terverifikasi", "belum diverifikasi"), (Language::En, "verified", "not verified")]
    {
        let station = page::station(&station(language, "x")).unwrap();
        assert!(station.contains(&format!("title=\"S7\">({verified})</span>")), "{station}");
        assert!(station.contains(&format!("title=\"M-high\">({not})</span>")) && !station.contains("[S7]"));
        assert!(station.contains(&format!(": {not}</summary>")), "the least sure figure decides");
        let list = page::rules(&rules(language)).unwrap();
        assert!(list.contains("[S7]; 2 mg/L"), "as the catalogue has it");
    }
}

#[test]
fn a_limit_says_how_long_it_must_be_crossed_and_where_its_level_ends() {
    let html = page::station(&station(Language::Id, "x")).unwrap();
    for said in ["≤\u{a0}4</b></span> <small>berakhir bila di atas 4,5</small>", "harus bertahan 60 menit"] {
        assert!(html.contains(said), "{said}");
    }
    let mut list = alerts(Language::Id, "x");
    assert!(page::alerts(&list).unwrap().contains("harus bertahan 60 menit; berakhir bila di atas 4,5</small>"));
    list.alerts[0].closed_at = Some(now());
    assert!(!page::alerts(&list).unwrap().contains("class=\"ends\""), "it has ended");
}

#[test]
fn a_history_without_episodes_says_from_when_to_when_and_one_with_names_the_alert_of_the_same_event() {
    let mut view = station(Language::Id, "x");
    view.settled = Some(settled());
    let html = page::station(&view).unwrap();
    assert_eq!(html.matches("Lihat alarmnya").count(), 1);
    view.alerts[0].id = "another".to_owned();
    assert!(!page::station(&view).unwrap().contains("Lihat alarmnya"));
    view.settled = view.settled.map(|settled| SettledView { episodes: Vec::new(), ..settled });
    let html = page::station(&view).unwrap();
    assert!(html.contains("Dari 8 Feb 2026 16.00 WIB sampai 10 Mar 2026 14.00 WIB tidak ada batas"), "{html}");
}

#[test]
fn the_files_below_a_chart_say_what_is_in_them() {
    let mut view = station(Language::En, "x");
    for (window, said) in [
        (Window::Day, "single values, 9 Mar 2026 16:"),
        (Window::Month, "a summary of each hour, 8 Feb 2026"),
        (Window::Year, "a summary of each day, 10 Mar 2025"),
    ] {
        view.window = window;
        let html = page::station(&view).unwrap();
        assert!(html.contains(&format!("<small>In the file: {said}")), "{said}: {html}");
    }
}
