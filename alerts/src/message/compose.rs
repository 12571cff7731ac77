//! What a message to a person says: everything needed to decide at night whether to get up. Pure.
//!
//! The parts are composed once and then written as plain text, as a small page for mail, and as Telegram's HTML.

use bakau_model::{Flag, Language, Level, UtcMillis};
use bakau_text::{Messages, escape, escape_quoted};

use crate::{
    Acknowledgement, ConditionKind, NotificationKind,
    delivery::channel::{email::CHART_CID, telegram},
    engine::Reason,
    message::{
        facts::Facts,
        text::{self, messages},
    },
};

/// What is known of a notification besides its facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) kind: NotificationKind,
    /// The name of the person it is for.
    pub(crate) person: &'a str,
    pub(crate) language: Language,
    /// When the notification was made.
    pub(crate) at: UtcMillis,
    /// Who has acknowledged the alert by now, and up to which level.
    pub(crate) acknowledged: Option<&'a Acknowledgement>,
    /// Address of the alert's page, and of the page that acknowledges it.
    pub(crate) links: Option<&'a Links>,
}

/// Addresses in a message.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub(crate) alert: String,
    /// None where there is nothing to acknowledge.
    pub(crate) acknowledge: Option<String>,
}

/// A message, ready to be written in any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    level: Level,
    technical: bool,
    /// The word on the coloured field.
    badge: String,
    /// Why it comes now, where it is no news.
    preface: Option<String>,
    sentence: String,
    /// Labelled lines.
    lines: Vec<(String, String)>,
    /// (label, address), the most important first.
    links: Vec<(String, String)>,
    footer: String,
}

/// Puts a message together.
pub(crate) fn compose(facts: &Facts, about: Circumstances<'_>) -> Message {
    let words = messages(about.language);
    let language = about.language;
    let badge = badge(facts, words);
    let headline = headline(facts, language);
    let (subject, preface) = match about.kind {
        NotificationKind::Transition => ("subject", None),
        NotificationKind::Reminder => ("subject_reminder", Some(reminder(facts, about, words))),
        NotificationKind::Escalation => ("subject_escalation", Some(words.text("escalation").to_owned())),
    };
    Message {
        subject: words.fill(subject, &[("badge", &badge), ("headline", &headline)]),
        level: facts.level,
        technical: facts.kind.is_technical(),
        badge,
        preface,
        sentence: text::sentence(facts, language),
        lines: lines(facts, about, words),
        links: links(facts, about, words),
        footer: words.fill("footer", &[("person", about.person)]),
    }
}

impl Message {
    /// Whether a chart helps: where a value has become worse.
    pub(crate) fn wants_chart(facts: &Facts, kind: NotificationKind) -> bool {
        let worse = facts.previous_level < facts.level;
        !facts.kind.is_technical() && (worse || kind != NotificationKind::Transition) && facts.datastream().is_some()
    }

    /// Whether a mail program shall mark it.
    pub(crate) fn is_urgent(&self) -> bool {
        Level::Siaga <= self.level
    }

    /// Plain text, also the alternative of the page.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.preface.clone());
        parts.push(self.sentence.clone());
        let lines: Vec<_> = self.lines.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        parts.push(lines.join("\n"));
        let links: Vec<_> = self.links.iter().map(|(label, address)| format!("{label}:\n{address}")).collect();
        parts.push(links.join("\n\n"));
        parts.push(format!("-- \n{}", self.footer));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }

    /// A small page: no script, no style sheet, nothing loaded from elsewhere; readable without pictures, and in a dark
    /// mail program too, since no text colour is set without its background.
    pub(crate) fn html(&self, chart: bool) -> String {
        let [ground, ink, _] = signs(self.level, self.technical);
        let mut page = format!(
            "<!doctype html>\n<html><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <meta name=\"supported-color-schemes\" content=\"light dark\"></head>\n\
             <body style=\"margin:0;padding:16px;font:16px/1.5 -apple-system,'Segoe UI',Roboto,sans-serif\">\n\
             <div style=\"max-width:600px;margin:0 auto\">\n\
             <p style=\"margin:0 0 12px\"><span style=\"display:inline-block;padding:4px 12px;border-radius:4px;\
             font-weight:bold;background:{ground};color:{ink}\">{}</span></p>\n",
            escape_quoted(&self.badge)
        );
        if let Some(preface) = &self.preface {
            page += &format!("<p style=\"margin:0 0 12px\"><b>{}</b></p>\n", escape_quoted(preface));
        }
        page += &format!("<p style=\"margin:0 0 12px;font-size:18px\">{}</p>\n", escape_quoted(&self.sentence));
        if let [(label, address), ..] = self.links.as_slice() {
            // A table cell, because that is the only button every mail program draws.
            page += &format!(
                "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:16px 0\"><tr>\
                 <td style=\"border-radius:6px;background:#0b5d4e\"><a href=\"{}\" style=\"display:inline-block;\
                 padding:12px 20px;color:#ffffff;font-weight:bold;text-decoration:none\">{}</a></td></tr></table>\n",
                escape_quoted(address),
                escape_quoted(label)
            );
        }
        if chart {
            page += &format!(
                "<p style=\"margin:0 0 12px\"><img src=\"cid:{CHART_CID}\" width=\"600\" alt=\"{}\" \
                 style=\"max-width:100%;height:auto;border:0\"></p>\n",
                escape_quoted(&self.subject)
            );
        }
        page += "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:0 0 12px\">\n";
        for (label, value) in &self.lines {
            page += &format!(
                "<tr><td style=\"padding:2px 16px 2px 0;vertical-align:top;opacity:.75\">{}</td>\
                 <td style=\"padding:2px 0\">{}</td></tr>\n",
                escape_quoted(label),
                escape_quoted(value)
            );
        }
        page += "</table>\n";
        for (label, address) in self.links.iter().skip(1) {
            page += &format!(
                "<p style=\"margin:0 0 12px\"><a href=\"{}\">{}</a></p>\n",
                escape_quoted(address),
                escape_quoted(label)
            );
        }
        page + &format!(
            "<p style=\"margin:24px 0 0;font-size:13px;opacity:.75\">{}</p>\n</div></body></html>\n",
            escape_quoted(&self.footer)
        )
    }

    /// Telegram's HTML; a text that grows too long loses its labelled lines, never its sentence or its links.
    pub(crate) fn telegram(&self) -> String {
        let whole = self.telegram_with(&self.lines);
        if whole.chars().count() <= telegram::MAX_TEXT_CHARS { whole } else { self.telegram_with(&[]) }
    }

    fn telegram_with(&self, lines: &[(String, String)]) -> String {
        let [.., mark] = signs(self.level, self.technical);
        let mut parts = vec![format!("{mark} <b>{}</b>", escape(&self.badge))];
        parts.extend(self.preface.as_deref().map(|preface| format!("<b>{}</b>", escape(preface))));
        // Names come from the catalogue, which bounds nothing so tightly that a message would always fit.
        parts.push(escape(&self.sentence.chars().take(1_500).collect::<String>()));
        if !lines.is_empty() {
            let line = |(label, value): &(String, String)| format!("{}: {}", escape(label), escape(value));
            parts.push(lines.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        let link = |(label, address): &(String, String)| {
            format!("<a href=\"{}\">{}</a>", escape_quoted(address), escape(label))
        };
        parts.extend((!self.links.is_empty()).then(|| self.links.iter().map(link).collect::<Vec<_>>().join("\n")));
        parts.push(format!("<i>{}</i>", escape(&self.footer)));
        parts.join("\n\n")
    }

    /// The line under a chart that is sent by itself.
    pub(crate) fn caption(&self) -> String {
        self.subject.chars().take(200).collect()
    }
}

/// `AWAS`, `DITUTUP`, `Data terputus (SIAGA)`: what happened, in a word.
fn badge(facts: &Facts, words: &Messages) -> String {
    let level = words.text(text::level_key(facts.level));
    let is_over = facts.level == Level::Normal;
    match facts.reason {
        Reason::RuleChanged | Reason::RuleRemoved | Reason::StateLost => words.text("badge_closed").to_owned(),
        Reason::Unconfirmed => words.fill("badge_unconfirmed", &[("level", level)]),
        Reason::Threshold
        | Reason::Confirmed
        | Reason::NeverReported
        | Reason::NoData
        | Reason::Offline
        | Reason::SourceDown
        | Reason::StoreDown
        | Reason::Returned => match facts.kind {
            ConditionKind::Threshold if facts.flag == Some(Flag::Suspect) => {
                words.fill("badge_suspect", &[("level", level)])
            }
            ConditionKind::Threshold => level.to_owned(),
            ConditionKind::NoData if is_over => words.text("badge_returned").to_owned(),
            ConditionKind::SourceDown if is_over => words.text("badge_source_returned").to_owned(),
            ConditionKind::NoData => words.fill("badge_no_data", &[("level", level)]),
            ConditionKind::SourceDown => words.fill("badge_source", &[("level", level)]),
            ConditionKind::StoreDown if is_over => words.text("badge_store_back").to_owned(),
            ConditionKind::StoreDown => words.fill("badge_store", &[("level", level)]),
        },
    }
}

/// `Oksigen terlarut 0,42 mg/L · BeeJay Bakau`.
fn headline(facts: &Facts, language: Language) -> String {
    let place = match facts.station() {
        Some(station) => station.name.get(language).to_owned(),
        None => text::subject(facts, language),
    };
    let Some(parameter) = facts.parameter() else { return place };
    let name = parameter.name.get(language);
    match text::measure(facts, facts.value, language) {
        Some(value) => format!("{name} {value} · {place}"),
        None => format!("{name} · {place}"),
    }
}

fn lines(facts: &Facts, about: Circumstances<'_>, words: &Messages) -> Vec<(String, String)> {
    let language = about.language;
    let mut lines = Vec::new();
    let mut line = |key: &str, value: Option<String>| {
        lines.extend(value.filter(|value| !value.is_empty()).map(|value| (words.text(key).to_owned(), value)));
    };
    let moment = |at| text::moment(facts, at, language);
    let ended = facts.level == Level::Normal;
    line("line_value", text::measure(facts, facts.value, language));
    line("line_worst", text::measure(facts, facts.worst.filter(|_| ended), language));
    line("line_limit", text::measure(facts, facts.limit, language));
    line("line_source", Some(facts.rule.source.get(language).to_owned()));
    line("line_station", facts.station().map(|station| format!("{} ({})", station.name.get(language), station.id)));
    line("line_agency", facts.agency.as_ref().map(|agency| agency.name.get(language).to_owned()));
    line("line_since", Some(text::onset(facts, language)));
    line("line_duration", ended.then(|| since(facts, about, words)));
    line("line_peak", ended.then(|| words.text(text::level_key(facts.peak)).to_owned()));
    line(
        "line_acknowledged",
        about.acknowledged.map(|taken| {
            let time = moment(taken.at);
            let level = words.text(text::level_key(taken.level));
            let line = words.fill("acknowledged", &[("time", &time), ("level", level), ("name", &taken.by)]);
            taken.note.as_ref().map_or(line.clone(), |note| format!("{line}: {note}"))
        }),
    );
    lines
}

/// Why a reminder comes: nobody has taken the alert, or nobody at the level that it has by now.
fn reminder(facts: &Facts, about: Circumstances<'_>, words: &Messages) -> String {
    let duration = since(facts, about, words);
    let Some(taken) = about.acknowledged else { return words.fill("reminder", &[("duration", &duration)]) };
    let [level, before] = [facts.level, taken.level].map(|level| words.text(text::level_key(level)));
    let values = [("duration", duration.as_str()), ("level", level), ("before", before), ("name", &taken.by)];
    words.fill("reminder_higher", &values)
}

fn links(facts: &Facts, about: Circumstances<'_>, words: &Messages) -> Vec<(String, String)> {
    let Some(links) = about.links else { return Vec::new() };
    let is_open = about.acknowledged.is_none_or(|taken| taken.level < facts.level);
    let asked = links.acknowledge.iter().filter(|_| is_open);
    let acknowledge = |address: &String| (words.text("link_acknowledge").to_owned(), address.clone());
    asked.map(acknowledge).chain([(words.text("link_alert").to_owned(), links.alert.clone())]).collect()
}

/// How long the episode has lasted, or lasted: to the minute.
fn since(facts: &Facts, about: Circumstances<'_>, words: &Messages) -> String {
    let end = if about.kind == NotificationKind::Reminder { about.at } else { facts.observed_at };
    let duration = text::duration(end.since(facts.onset), words);
    if facts.onset_at_latest { words.fill("at_least", &[("duration", &duration)]) } else { duration }
}

/// Ground and ink of a level, which have a contrast of at least 4.5, and the mark that a phone shows in its list of chats.
const fn signs(level: Level, technical: bool) -> [&'static str; 3] {
    match (level, technical) {
        (Level::Normal, _) => ["#1b7f4b", "#ffffff", "🟢"],
        (_, true) => ["#4a5560", "#ffffff", "🔌"],
        (Level::Waspada, false) => ["#ffd23f", "#1a1a1a", "🟡"],
        (Level::Siaga, false) => ["#f08a24", "#1a1a1a", "🟠"],
        (Level::Awas, false) => ["#b3181e", "#ffffff", "🔴"],
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{
        message::facts::SubjectFacts,
        testing::{facts, minute},
    };

    fn links() -> Links {
        Links {
            alert: "https://bakau.example/alerts/00ff?lang=id".to_owned(),
            acknowledge: Some("https://bakau.example/a/TOKEN".to_owned()),
        }
    }

    fn about(language: Language, links: &Links) -> Circumstances<'_> {
        let at = minute(150);
        Circumstances {
            kind: NotificationKind::Transition,
            person: "Sari",
            language,
            at,
            acknowledged: None,
            links: Some(links),
        }
    }

    fn awas() -> Facts {
        facts(Level::Normal, Level::Awas, Reason::Threshold, 0.423, Some(0.5))
    }

    fn back_to_normal() -> Facts {
        let facts = facts(Level::Awas, Level::Normal, Reason::Threshold, 4.75, Some(4.5));
        Facts { observed_at: minute(130 + 133), worst: Some(0.31), ..facts }
    }

    fn no_data(reason: Reason, to: Level) -> Facts {
        let mut facts = facts(Level::Normal, to, reason, 0.0, None);
        let SubjectFacts::Datastream { station, .. } = &facts.subject else { panic!() };
        facts.subject = SubjectFacts::Station(station.clone());
        let heard = (reason != Reason::NeverReported).then(|| minute(118));
        Facts { kind: ConditionKind::NoData, value: None, worst: None, flag: None, heard, ..facts }
    }

    fn store(reason: Reason, to: Level) -> Facts {
        Facts { kind: ConditionKind::StoreDown, subject: SubjectFacts::Store, agency: None, ..no_data(reason, to) }
    }

    fn source_down() -> Facts {
        let facts = no_data(Reason::SourceDown, Level::Siaga);
        let subject = SubjectFacts::Source(bakau_model::SourceName::new("kota").unwrap());
        Facts { kind: ConditionKind::SourceDown, subject, agency: None, ..facts }
    }

    /// Every kind of message, by name.
    fn samples() -> Vec<(&'static str, Facts, NotificationKind)> {
        let news = NotificationKind::Transition;
        let unconfirmed = facts(Level::Awas, Level::Awas, Reason::Unconfirmed, 6.1, None);
        vec![
            ("raised", awas(), news),
            ("suspect", Facts { flag: Some(Flag::Suspect), ..awas() }, news),
            ("lowered", facts(Level::Awas, Level::Siaga, Reason::Threshold, 0.9, Some(0.8)), news),
            ("normal", back_to_normal(), news),
            ("unconfirmed", Facts { flag: Some(Flag::Suspect), ..unconfirmed }, news),
            ("rule changed", facts(Level::Siaga, Level::Normal, Reason::RuleChanged, 1.9, None), news),
            ("no_data", no_data(Reason::NoData, Level::Siaga), news),
            ("never reported", no_data(Reason::NeverReported, Level::Waspada), news),
            ("offline", no_data(Reason::Offline, Level::Siaga), news),
            ("returned", Facts { previous_level: Level::Siaga, ..no_data(Reason::Returned, Level::Normal) }, news),
            ("source down", source_down(), news),
            ("store failing", store(Reason::StoreDown, Level::Siaga), news),
            ("store back", Facts { previous_level: Level::Siaga, ..store(Reason::Returned, Level::Normal) }, news),
            ("reminder", awas(), NotificationKind::Reminder),
            ("escalation", awas(), NotificationKind::Escalation),
            ("onset not seen", Facts { onset_at_latest: true, ..awas() }, NotificationKind::Reminder),
        ]
    }

    fn shown(language: Language, write: impl Fn(&Message) -> String) -> String {
        let (open, closed) = (links(), Links { acknowledge: None, ..links() });
        let mut all = String::new();
        for (name, facts, kind) in samples() {
            let links = if facts.level == Level::Normal { &closed } else { &open };
            let message = compose(&facts, Circumstances { kind, ..about(language, links) });
            let _written = writeln!(all, "===== {name}\n{}\n", write(&message).trim_end());
        }
        all
    }

    #[test]
    fn every_kind_of_mail_reads_well_in_both_languages() {
        let mail = |message: &Message| format!("Subject: {}\n\n{}", message.subject, message.text());
        insta::assert_snapshot!("mail_id", shown(Language::Id, mail));
        insta::assert_snapshot!("mail_en", shown(Language::En, mail));
    }

    #[test]
    fn every_kind_of_telegram_message_reads_well_in_both_languages() {
        insta::assert_snapshot!("telegram_id", shown(Language::Id, Message::telegram));
        insta::assert_snapshot!("telegram_en", shown(Language::En, Message::telegram));
    }

    #[test]
    fn the_page_of_a_mail_is_as_agreed() {
        let links = links();
        insta::assert_snapshot!("page", compose(&awas(), about(Language::Id, &links)).html(true));
    }

    #[test]
    fn names_from_the_catalogue_are_text_in_every_form() {
        let mut facts = awas();
        facts.rule.name = "<b>&\"x\"".into();
        facts.rule.source = "<script>".into();
        let links = Links { alert: "https://x/?a=1&b=\"".to_owned(), acknowledge: None };
        let message = compose(&facts, Circumstances { person: "<i>", ..about(Language::Id, &links) });
        for written in [message.html(false), message.telegram()] {
            assert!(!written.contains("<script>") && !written.contains("b=\""), "{written}");
            assert!(written.contains("&lt;script&gt;") && written.contains("a=1&amp;b=&quot;"), "{written}");
        }
        assert!(message.html(false).contains("&lt;b&gt;&amp;&quot;x&quot;"));
        assert!(!message.html(false).contains("cid:"), "no chart, no empty picture");
    }

    #[test]
    fn a_telegram_message_keeps_within_the_limit_and_keeps_its_links() {
        let mut facts = awas();
        facts.rule.source = "&".repeat(5_000).as_str().into();
        facts.rule.name = "n".repeat(3_000).as_str().into();
        let links = links();
        let text = compose(&facts, about(Language::Id, &links)).telegram();
        assert!(text.chars().count() <= telegram::MAX_TEXT_CHARS, "{}", text.chars().count());
        assert!(text.contains("/a/TOKEN"));
    }

    fn budi(level: Level, note: Option<&str>) -> Acknowledgement {
        Acknowledgement { level, by: "Budi".to_owned(), person: None, at: minute(140), note: note.map(str::to_owned) }
    }

    #[test]
    fn once_acknowledged_the_message_says_by_whom_and_asks_nobody_else() {
        let taken = budi(Level::Awas, Some("menuju lokasi"));
        let links = links();
        let text = compose(&awas(), Circumstances { acknowledged: Some(&taken), ..about(Language::Id, &links) }).text();
        assert!(text.contains("Ditangani oleh: Budi untuk AWAS, 02.20 WIB, 10 Maret 2026: menuju lokasi"), "{text}");
        assert!(!text.contains("/a/TOKEN"), "{text}");
    }

    #[test]
    fn what_was_acknowledged_at_a_lower_level_is_asked_for_again() {
        let taken = budi(Level::Waspada, None);
        let links = links();
        let about = Circumstances { acknowledged: Some(&taken), ..about(Language::Id, &links) };
        let text = compose(&awas(), about).text();
        assert!(text.contains("Ditangani oleh: Budi untuk WASPADA") && text.contains("/a/TOKEN"), "{text}");
        let reminder = compose(&awas(), Circumstances { kind: NotificationKind::Reminder, ..about }).text();
        assert!(reminder.contains("Budi menanganinya untuk WASPADA, AWAS belum ditangani siapa pun"), "{reminder}");
        assert!(!reminder.contains("belum ada yang menangani alarm ini"), "{reminder}");
    }

    #[test]
    fn without_a_public_address_there_are_no_links() {
        let links = links();
        let about = Circumstances { links: None, ..about(Language::En, &links) };
        assert!(!compose(&awas(), about).text().contains("http"));
    }

    #[test]
    fn charts_are_for_values_that_became_worse() {
        let news = NotificationKind::Transition;
        assert!(Message::wants_chart(&awas(), news));
        assert!(!Message::wants_chart(&back_to_normal(), news));
        assert!(Message::wants_chart(&awas(), NotificationKind::Reminder));
        assert!(!Message::wants_chart(&no_data(Reason::NoData, Level::Awas), news));
    }
}
