//! The sentence people read, in both languages. Pure.

use bakau_model::{ConditionKind, DEFAULT_ZONE, Flag, Language, Level, MINUTE_MS, Text, UtcMillis};
use bakau_text::{Messages, format, texts};
use jiff::tz::TimeZone;

use crate::{
    engine::Reason,
    message::facts::{Facts, SubjectFacts},
};

texts! {
    /// The texts of this room in one language.
    pub(crate) fn messages = "../../messages/id.toml", "../../messages/en.toml";
}

/// A span of time in words, to the minute.
pub(super) fn duration(millis: i64, words: &Messages) -> String {
    let minutes = millis.max(0) / MINUTE_MS;
    let [days, hours, rest] = [minutes / 1_440, minutes / 60 % 24, minutes % 60].map(|number| number.to_string());
    let values = [("days", days.as_str()), ("hours", hours.as_str()), ("minutes", rest.as_str())];
    let key = match minutes {
        0..60 => "duration_minutes",
        60..1_440 => "duration_hours",
        _ => "duration_days",
    };
    words.fill(key, &values)
}

/// What happened, in both languages.
pub(crate) fn both(facts: &Facts) -> Text {
    Text { id: sentence(facts, Language::Id), en: sentence(facts, Language::En) }
}

/// What happened, in one language, with the station's local time.
pub(crate) fn sentence(facts: &Facts, language: Language) -> String {
    let messages = messages(language);
    let level = |level: Level| messages.text(level_key(level));
    let zone = zone(facts);
    let (time, date) = local_time(facts.observed_at, zone, language);
    let value = measure(facts, facts.value, language).unwrap_or_default();
    let since = facts.heard.unwrap_or(facts.onset);
    let (since_time, since_date) = local_time(since, zone, language);
    let subject = subject(facts, language);
    let limit = facts.limit.map(|limit| format::written(&limit.to_string(), language)).unwrap_or_default();
    let text = messages.fill(
        template(facts),
        &[
            ("level", level(facts.level)),
            ("previous", level(facts.previous_level)),
            ("value", &value),
            ("limit", &limit),
            ("time", &time),
            ("date", &date),
            ("since_time", &since_time),
            ("since_date", &since_date),
            ("parameter", facts.parameter().map_or("", |parameter| parameter.name.get(language))),
            ("station", facts.station().map_or("", |station| station.name.get(language))),
            ("subject", &subject),
            // Last, so that braces in a rule's name stay what they are.
            ("rule", facts.rule.name.get(language)),
        ],
    );
    // The sentence of an alert that cannot be confirmed says it already.
    let marked = facts.flag == Some(Flag::Suspect) && facts.reason != Reason::Unconfirmed;
    if marked { format!("{text} {}", messages.text("suspect")) } else { text }
}

/// The station, the datastream at its station, the source or the store.
pub(crate) fn subject(facts: &Facts, language: Language) -> String {
    let messages = messages(language);
    match &facts.subject {
        SubjectFacts::Datastream { parameter, station, .. } => {
            let (parameter, station) = (parameter.name.get(language), station.name.get(language));
            messages.fill("datastream", &[("parameter", parameter), ("station", station)])
        }
        SubjectFacts::Station(station) => station.name.get(language).to_owned(),
        SubjectFacts::Source(source) => messages.fill("source", &[("source", source.as_str())]),
        SubjectFacts::Store => messages.text("store").to_owned(),
    }
}

/// What it is about, in both languages.
pub(crate) fn subjects(facts: &Facts) -> Text {
    Text { id: subject(facts, Language::Id), en: subject(facts, Language::En) }
}

/// The zone of the times in messages: the station's, or the default.
pub(crate) fn zone(facts: &Facts) -> &str {
    facts.station().map_or(DEFAULT_ZONE, |station| &station.time_zone)
}

/// A value in the parameter's unit, with the decimals and the notation people read.
pub(crate) fn measure(facts: &Facts, value: Option<f64>, language: Language) -> Option<String> {
    let (value, parameter) = value.zip(facts.parameter())?;
    let value = format::written(&format!("{value:.*}", usize::from(parameter.decimals)), language);
    Some(format!("{value} {}", parameter.unit.symbol()).trim_end().to_owned())
}

/// An instant in the station's local time: `02.13 WIB, 10 Maret 2026`.
pub(crate) fn moment(facts: &Facts, at: UtcMillis, language: Language) -> String {
    let (time, date) = local_time(at, zone(facts), language);
    format!("{time}, {date}")
}

/// When it began, as far as that is known.
pub(crate) fn onset(facts: &Facts, language: Language) -> String {
    let at = moment(facts, facts.onset, language);
    if facts.onset_at_latest { messages(language).fill("at_latest", &[("time", &at)]) } else { at }
}

pub(crate) const fn level_key(level: Level) -> &'static str {
    match level {
        Level::Normal => "level_normal",
        Level::Waspada => "level_waspada",
        Level::Siaga => "level_siaga",
        Level::Awas => "level_awas",
    }
}

fn template(facts: &Facts) -> &'static str {
    match facts.reason {
        Reason::Unconfirmed => "unconfirmed",
        Reason::Confirmed => "confirmed",
        Reason::NeverReported => "never_reported",
        Reason::NoData => "no_data",
        Reason::Offline => "offline",
        Reason::StoreDown => "store_failing",
        Reason::Returned if facts.kind == ConditionKind::StoreDown => "store_returned",
        Reason::Returned if facts.kind == ConditionKind::SourceDown => "source_returned",
        Reason::SourceDown => "source_down",
        Reason::Returned => "returned",
        Reason::RuleChanged if facts.value.is_none() => "rule_changed_no_data",
        Reason::RuleRemoved if facts.value.is_none() => "rule_removed_no_data",
        Reason::StateLost if facts.value.is_none() => "state_lost_no_data",
        Reason::RuleChanged => "rule_changed",
        Reason::RuleRemoved => "rule_removed",
        Reason::StateLost => "state_lost",
        Reason::Threshold if facts.level == Level::Normal => "normal",
        Reason::Threshold if facts.level < facts.previous_level => "lowered",
        Reason::Threshold if facts.previous_level == Level::Normal => "raised",
        Reason::Threshold => "escalated",
    }
}

/// `02.13 WIB` and `10 Maret 2026`; in UTC where the zone is unknown, which the text then says.
fn local_time(at: UtcMillis, zone: &str, language: Language) -> (String, String) {
    let Some(stamp) = at.to_jiff() else { return (at.to_string(), String::new()) };
    let zoned = stamp.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC));
    let time = format!("{} {}", format::clock(&zoned, language), format::zone_name(&zoned));
    (time, format::date(&zoned, language))
}

#[cfg(test)]
mod tests {
    use bakau_model::Parameter;

    use super::*;
    use crate::testing::facts;

    #[test]
    fn every_kind_of_transition_reads_well_in_both_languages() {
        let shown: Vec<String> = [
            (Level::Normal, Level::Awas, Reason::Threshold, 0.423, Some(0.5)),
            (Level::Waspada, Level::Siaga, Reason::Threshold, 1.9, Some(2.0)),
            (Level::Awas, Level::Siaga, Reason::Threshold, 0.9, Some(0.8)),
            (Level::Awas, Level::Normal, Reason::Threshold, 4.75, Some(4.5)),
            (Level::Siaga, Level::Siaga, Reason::Unconfirmed, 6.1, None),
            (Level::Siaga, Level::Siaga, Reason::Confirmed, 1.9, None),
            (Level::Siaga, Level::Normal, Reason::RuleChanged, 1.9, None),
            (Level::Siaga, Level::Normal, Reason::RuleRemoved, 1.9, None),
            (Level::Siaga, Level::Normal, Reason::StateLost, 1.9, None),
        ]
        .into_iter()
        .map(|(from, to, reason, value, limit)| facts(from, to, reason, value, limit))
        .flat_map(|facts| Language::ALL.map(|language| sentence(&facts, language)))
        .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn a_suspect_value_is_marked_for_verification() {
        let mut facts = facts(Level::Normal, Level::Awas, Reason::Threshold, 0.4, Some(0.5));
        facts.flag = Some(Flag::Suspect);
        assert!(sentence(&facts, Language::Id).ends_with("perlu verifikasi."));
    }

    #[test]
    fn values_without_unit_leave_no_gap_and_zero_has_no_sign() {
        let mut facts = facts(Level::Normal, Level::Awas, Reason::Threshold, -0.001, Some(-0.5));
        if let SubjectFacts::Datastream { parameter, .. } = &mut facts.subject {
            parameter.code = Parameter::new("ph").unwrap();
            parameter.name = "pH".into();
            parameter.unit = bakau_model::Unit::new("[pH]");
        }
        let text = sentence(&facts, Language::Id);
        assert!(
            text.starts_with("AWAS: pH 0,00 di BeeJay Bakau (batas -0,5) pukul 02.13 WIB, 10 Maret 2026."),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_zone_is_told_in_utc() {
        let mut facts = facts(Level::Normal, Level::Awas, Reason::Threshold, 0.4, Some(0.5));
        if let SubjectFacts::Datastream { station, .. } = &mut facts.subject {
            station.time_zone = "Mars/Olympus".to_owned();
        }
        assert!(sentence(&facts, Language::Id).contains("pukul 19.13 UTC, 9 Maret 2026"));
    }
}
