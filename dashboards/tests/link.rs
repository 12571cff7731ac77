//! The page behind the link in a message.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first problem")]

use bakau_dashboards::{
    fragment::Held,
    link::{LinkAlert, LinkState, LinkView},
    page,
    view::{AcknowledgementRow, Frame},
};
use bakau_model::{Language, Level, UtcMillis};
use jiff::tz::TimeZone;

const HOSTILE: &str = "<script>alert('x')</script>\" onload=\"x";

fn now() -> UtcMillis {
    UtcMillis::parse("2026-03-10T09:00:00Z").unwrap()
}

fn drawn(language: Language, state: LinkState, text: &str) -> String {
    let time_zone = TimeZone::get("Asia/Jakarta").unwrap();
    let frame = Frame {
        language,
        generated_at: now(),
        time_zone,
        path: "/a/TOKEN".to_owned(),
        active_alerts: 1,
        alarms: Vec::new(),
        site: None,
        position: "19cd6e50000-7".to_owned(),
        held: Held::default(),
    };
    let known = !matches!(state, LinkState::Invalid);
    let alert = known.then(|| LinkAlert {
        path: "/alerts/9f2c41d0".to_owned(),
        sentence: format!("AWAS: Oksigen terlarut 0,42 mg/L di {text}."),
        subject: text.to_owned(),
        level: Some(Level::Awas),
        person: text.to_owned(),
        earlier: Some(AcknowledgementRow {
            level: Level::Siaga,
            at: now().saturating_add(-600_000),
            by: Some(text.to_owned()),
            note: Some(format!("Kata {text}")),
        }),
    });
    page::link(&LinkView { frame, state, alert }).unwrap()
}

fn open(text: &str) -> LinkState {
    LinkState::Open { error: Some(text.to_owned()), note: text.to_owned() }
}

fn taken(text: &str) -> LinkState {
    let (by, note) = (Some(text.to_owned()), Some(text.to_owned()));
    LinkState::Acknowledged(AcknowledgementRow { level: Level::Awas, at: now(), by, note })
}

/// What a page says between its frame's parts.
fn content(page: &str) -> String {
    let inside = page.split("<main id=\"content\">").nth(1).unwrap().split("</main>").next().unwrap();
    inside.replace('>', ">\n")
}

#[test]
fn the_page_of_a_link_says_who_what_and_what_to_do() {
    for language in Language::ALL {
        let open = LinkState::Open { error: None, note: String::new() };
        let all = [open, taken("Sari"), LinkState::Closed(now()), LinkState::Expired, LinkState::Invalid];
        let pages: Vec<_> = all.into_iter().map(|state| content(&drawn(language, state, "BeeJay Bakau"))).collect();
        insta::assert_snapshot!(format!("link_{}", language.tag()), pages.join("\n=====\n"));
    }
}

#[test]
fn whoever_was_told_sees_who_acknowledged_before_and_their_note() {
    for state in [open("x"), LinkState::Closed(now())] {
        let page = drawn(Language::Id, state, "Sari");
        assert!(
            page.contains("Siaga ditangani oleh Sari") && page.contains("<blockquote>Kata Sari</blockquote>"),
            "{page}"
        );
    }
}

#[test]
fn only_an_open_alert_has_a_form_and_it_posts_back_to_the_link() {
    let page = drawn(Language::Id, open("x"), "BeeJay Bakau");
    assert!(page.contains("<form class=\"ack\" method=\"post\" action=\"/a/TOKEN\""), "{page}");
    for state in [taken("Sari"), LinkState::Closed(now()), LinkState::Expired, LinkState::Invalid] {
        assert!(!drawn(Language::Id, state, "BeeJay Bakau").contains("<form"));
    }
}

#[test]
fn the_badge_stands_where_the_level_gives_it_its_colour() {
    let page = drawn(Language::Id, LinkState::Expired, "BeeJay Bakau");
    let (_, behind) = page.split_once("data-level=\"awas\"").unwrap();
    assert!(behind.split("</div>\n").next().unwrap().contains("class=\"badge\""), "{page}");
}

#[test]
fn what_people_wrote_stays_text() {
    for state in [open(HOSTILE), taken(HOSTILE)] {
        assert!(!drawn(Language::En, state, HOSTILE).contains("<script>alert"));
    }
}
