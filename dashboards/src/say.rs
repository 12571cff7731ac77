//! Everything a page says, in its language, counted from its moment and in its zone.

use std::borrow::Borrow;

use bakau_model::{
    ConditionKind, DAY_MS, DatastreamName, Flag, HOUR_MS, Language, Level, State, StationKind, Unit, UtcMillis,
};
use bakau_text::{Messages, format};

use crate::{
    chart_link::ChartLink,
    texts::messages,
    view::{
        AcknowledgementRow, AlertRow, DeliveryState, Frame, Freshness, LimitLine, Pending, Side, StationView,
        ValueCell, Window,
    },
};

/// Time shown before the onset and after the end of an alert.
const AROUND_MS: i64 = 6 * HOUR_MS;
/// The most that is shown of a long alert: a chart's own bound is 367 days.
const LONGEST_AROUND_MS: i64 = 360 * DAY_MS;

mod alarm;
mod doubt;
mod limits;
mod status;

/// The word of a level; English keeps the Indonesian word in front, since that is what signs and sirens say.
pub(crate) fn level_word(level: Level, language: Language) -> String {
    let word = messages(language).text(level_key(Some(level)));
    match (level, language) {
        (Level::Normal, _) | (_, Language::Id) => word.to_owned(),
        (Level::Waspada | Level::Siaga | Level::Awas, Language::En) => {
            format!("{} · {word}", messages(Language::Id).text(level_key(Some(level))))
        }
    }
}

pub(crate) const fn level_key(level: Option<Level>) -> &'static str {
    match level {
        None => "level_none",
        Some(Level::Normal) => "level_normal",
        Some(Level::Waspada) => "level_waspada",
        Some(Level::Siaga) => "level_siaga",
        Some(Level::Awas) => "level_awas",
    }
}

/// What templates call to say things; arguments are `Borrow`, since templates pass fields by reference and locals by
/// value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Say<'a> {
    pub(crate) frame: &'a Frame,
    messages: &'static Messages,
}

impl<'a> Say<'a> {
    pub(crate) fn new(frame: &'a Frame) -> Self {
        Self { frame, messages: messages(frame.language) }
    }

    pub(crate) fn t<'k>(&self, key: &'k str) -> &'k str
    where
        'static: 'k,
    {
        self.messages.text(key)
    }

    pub(crate) fn fill(&self, key: &str, name: &str, value: impl std::fmt::Display) -> String {
        self.messages.fill(key, &[(name, &value.to_string())])
    }

    pub(crate) fn fill_all(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.messages.fill(key, values)
    }

    pub(crate) fn text<'x>(&self, text: &'x bakau_model::Text) -> &'x str {
        text.get(self.frame.language)
    }

    pub(crate) fn lang(&self) -> &'static str {
        self.frame.language.tag()
    }

    pub(crate) fn number(&self, value: f64, decimals: u8) -> String {
        format::number(value, decimals, self.frame.language)
    }

    pub(crate) fn count(&self, value: impl Borrow<u64>) -> String {
        let value = *value.borrow();
        format::count(value, self.frame.language)
    }

    pub(crate) fn bytes(&self, value: impl Borrow<u64>) -> String {
        let value = *value.borrow();
        format::bytes(value, self.frame.language)
    }

    pub(crate) fn when(&self, at: impl Borrow<UtcMillis>) -> String {
        format::short_time(*at.borrow(), &self.frame.time_zone, self.frame.language)
    }

    /// When something began; it may have begun before that where nobody looked.
    pub(crate) fn began(&self, at: impl Borrow<UtcMillis>, at_latest: impl Borrow<bool>) -> String {
        let at = self.when(at);
        if *at_latest.borrow() { self.messages.fill("onset_at_latest", &[("time", &at)]) } else { at }
    }

    pub(crate) fn local(&self, at: impl Borrow<UtcMillis>) -> String {
        format::local_time(*at.borrow(), &self.frame.time_zone, self.frame.language)
    }

    pub(crate) fn zone(&self) -> String {
        let short = self.zone_short();
        self.frame.time_zone.iana_name().map_or_else(|| short.clone(), |name| format!("{short} ({name})"))
    }

    pub(crate) fn level(&self, level: impl Borrow<Level>) -> String {
        let level = *level.borrow();
        level_word(level, self.frame.language)
    }

    /// The word of a state.
    pub(crate) fn state_word(&self, state: impl Borrow<State>) -> String {
        let key = match *state.borrow() {
            State::Awas => return self.level(Level::Awas),
            State::Siaga => return self.level(Level::Siaga),
            State::Waspada => return self.level(Level::Waspada),
            State::Normal => return self.level(Level::Normal),
            State::Pending => "state_pending",
            State::Offline => "state_offline",
            State::ClockAhead => "state_clock_ahead",
            State::NoData => "state_no_data",
            State::NoValidData => "state_no_valid_data",
            State::Late => "state_late",
            State::NeverReported => "never",
        };
        self.t(key).to_owned()
    }

    /// The word above the number of stations in a state; one for all that say nothing of a level.
    pub(crate) fn total_word(&self, state: impl Borrow<State>) -> String {
        let state = *state.borrow();
        if state.level().is_none() { self.t("level_none").to_owned() } else { self.state_word(state) }
    }

    /// Since when a limit is crossed, and what it takes for an alarm.
    pub(crate) fn pending(&self, pending: impl Borrow<Pending>) -> String {
        let Pending { level, since, until } = *pending.borrow();
        let key = if self.frame.generated_at < until { "pending_until" } else { "pending_next" };
        let (since, until) = (self.brief(since), self.brief(until));
        self.fill_all(key, &[("level", self.level_short(level)), ("since", &since), ("until", &until)])
    }

    /// The word of an alert's level.
    pub(crate) fn state(&self, level: impl Borrow<Option<Level>>) -> String {
        let level = *level.borrow();
        level.map_or_else(|| self.t("level_none").to_owned(), |level| self.level(level))
    }

    pub(crate) fn kind(&self, kind: impl Borrow<StationKind>) -> &'static str {
        let kind = *kind.borrow();
        match kind {
            StationKind::Air => self.t("kind_air"),
            StationKind::Water => self.t("kind_water"),
            StationKind::Mangrove => self.t("kind_mangrove"),
        }
    }

    pub(crate) fn flag(&self, flag: impl Borrow<Flag>) -> &'static str {
        let flag = *flag.borrow();
        match flag {
            Flag::Good => self.t("flag_1"),
            Flag::NotEvaluated => self.t("flag_2"),
            Flag::Suspect => self.t("flag_3"),
            Flag::Fail => self.t("flag_4"),
            Flag::Missing => self.t("flag_9"),
        }
    }

    /// The value without unit; a dash where there is none.
    pub(crate) fn value(&self, cell: &ValueCell) -> String {
        cell.value.map_or_else(|| "–".to_owned(), |value| self.number(value, cell.decimals))
    }

    /// The reading of a counter, without unit.
    pub(crate) fn reading(&self, reading: impl Borrow<f64>, cell: &ValueCell) -> String {
        self.number(*reading.borrow(), cell.decimals)
    }

    /// A value with its unit.
    pub(crate) fn measure(&self, value: impl Borrow<Option<f64>>, decimals: impl Borrow<u8>, unit: &Unit) -> String {
        let decimals = *decimals.borrow();
        let Some(value) = *value.borrow() else { return self.t("no_value").to_owned() };
        let space = if unit.symbol().is_empty() || unit.symbol() == "°" { "" } else { "\u{a0}" };
        format!("{}{space}{}", self.number(value, decimals), unit.symbol())
    }

    /// A value that is known, with its unit.
    pub(crate) fn measured(&self, value: impl Borrow<f64>, decimals: impl Borrow<u8>, unit: &Unit) -> String {
        self.measure(Some(*value.borrow()), decimals, unit)
    }

    /// `≤ 4` where low values are bad, `≥ 55` where high ones are: a level is raised at its limit.
    pub(crate) fn limit(&self, limit: &LimitLine) -> String {
        let sign = match limit.side {
            Side::Low => '≤',
            Side::High => '≥',
        };
        format!("{sign}\u{a0}{}", format::shortest(limit.value, self.frame.language))
    }

    /// Degrees as `7,73850° LS`, `113,22100° BT` (`S`, `E` in English).
    pub(crate) fn position(&self, latitude: impl Borrow<f64>, longitude: impl Borrow<f64>) -> String {
        let (latitude, longitude) = (*latitude.borrow(), *longitude.borrow());
        let (south, north, east, west) = match self.frame.language {
            Language::Id => ("LS", "LU", "BT", "BB"),
            Language::En => ("S", "N", "E", "W"),
        };
        let part = |degrees: f64, negative, positive| {
            format!("{}° {}", self.number(degrees.abs(), 5), if degrees < 0.0 { negative } else { positive })
        };
        format!("{}; {}", part(latitude, south, north), part(longitude, west, east))
    }

    pub(crate) fn level_short(&self, level: impl Borrow<Level>) -> &'static str {
        let level = *level.borrow();
        self.t(level_key(Some(level)))
    }

    pub(crate) fn window(&self, window: impl Borrow<Window>) -> &'static str {
        let window = *window.borrow();
        match window {
            Window::Day => self.t("range_day"),
            Window::Week => self.t("range_week"),
            Window::Month => self.t("range_month"),
            Window::Year => self.t("range_year"),
        }
    }

    pub(crate) fn delivery(&self, state: impl Borrow<DeliveryState>) -> &'static str {
        let state = *state.borrow();
        match state {
            DeliveryState::Waiting => self.t("delivery_waiting"),
            DeliveryState::Delivered => self.t("delivery_delivered"),
            DeliveryState::Failed => self.t("delivery_failed"),
        }
    }

    /// The instant that long before the page's moment.
    pub(crate) fn before(&self, age_ms: impl Borrow<i64>) -> UtcMillis {
        let age_ms = *age_ms.borrow();
        self.frame.generated_at.saturating_add(age_ms.saturating_neg())
    }

    /// A time as markup of which the script makes an age; holds nothing but our own words and numbers.
    pub(crate) fn ago_time(&self, at: impl Borrow<UtcMillis>) -> String {
        let at = *at.borrow();
        let (ms, when, brief) = (at.get(), self.when(at), self.brief(at));
        format!("<time data-at=\"{ms}\" datetime=\"{at}\" title=\"{when}\">{brief}</time>")
    }

    /// When a value was measured; words for a datastream that never reported.
    pub(crate) fn cell_time(&self, cell: &ValueCell) -> String {
        match cell.observed_at {
            Some(at) => format!("<time data-at=\"{}\" datetime=\"{at}\">{}</time>", at.get(), self.brief(at)),
            None => format!("<time data-at=\"0\">{}</time>", self.t("never_value")),
        }
    }

    /// The age of the newest value in a line of a table, in as little markup as the script needs.
    pub(crate) fn age_of(&self, age_ms: impl Borrow<i64>) -> String {
        let at = self.before(age_ms);
        format!("<small data-at=\"{}\">{}</small>", at.get(), self.brief(at))
    }

    /// When a value in a list was measured, in as little markup as the script needs.
    pub(crate) fn cell_age(&self, cell: &ValueCell) -> String {
        match cell.observed_at {
            Some(at) => format!("<small data-at=\"{}\">{}</small>", at.get(), self.brief(at)),
            None => format!("<small data-at=\"0\">{}</small>", self.t("never_value")),
        }
    }

    /// Text of an acknowledgement; with the name where the reader may see people.
    pub(crate) fn acknowledged(&self, acknowledgement: &AcknowledgementRow) -> String {
        self.acknowledged_as("alert_acknowledged", acknowledgement)
    }

    /// The same, with the level that it holds for.
    pub(crate) fn acknowledged_level(&self, acknowledgement: &AcknowledgementRow) -> String {
        self.acknowledged_as("alert_acknowledged_level", acknowledgement)
    }

    fn acknowledged_as(&self, key: &str, acknowledgement: &AcknowledgementRow) -> String {
        let (level, time) = (self.level_short(acknowledgement.level), self.when(acknowledgement.at));
        match &acknowledgement.by {
            Some(name) => self.fill_all(&format!("{key}_by"), &[("level", level), ("name", name), ("time", &time)]),
            None => self.fill_all(key, &[("level", level), ("time", &time)]),
        }
    }

    /// Text for a level that nobody has acknowledged.
    pub(crate) fn not_acknowledged(&self, level: impl Borrow<Level>) -> String {
        self.fill("alert_level_open", "level", self.level_short(level))
    }

    /// The clock, or the day where that is another.
    pub(crate) fn brief(&self, at: impl Borrow<UtcMillis>) -> String {
        format::brief_time(*at.borrow(), self.frame.generated_at, &self.frame.time_zone, self.frame.language)
    }

    /// The state of a station in a word or two, for lists where nothing may move when it changes.
    pub(crate) fn fresh_short(&self, freshness: &Freshness) -> &'static str {
        match freshness {
            Freshness::Live { .. } => self.t("map_live"),
            Freshness::Stale { .. } => self.t("map_no_data"),
            Freshness::Offline { .. } => self.t("offline_short"),
            Freshness::NeverReported => self.t("never"),
        }
    }

    /// How many of an agency's stations report.
    pub(crate) fn ready(&self, reporting: impl Borrow<usize>, expected: impl Borrow<usize>) -> String {
        let (reporting, expected) = (reporting.borrow().to_string(), expected.borrow().to_string());
        self.fill_all("ready_count", &[("n", &reporting), ("all", &expected)])
    }

    pub(crate) fn number_of(&self, count: impl Borrow<usize>) -> String {
        self.count(u64::try_from(*count.borrow()).unwrap_or(u64::MAX))
    }

    pub(crate) fn km(&self, km: impl Borrow<f64>) -> String {
        format::shortest(*km.borrow(), self.frame.language)
    }

    /// A distance, as exact as positions of stations are.
    pub(crate) fn distance(&self, km: impl Borrow<f64>) -> String {
        let km = *km.borrow();
        format!("{}\u{a0}km", self.number(km, u8::from(km < 9.95)))
    }

    pub(crate) fn chart<'d>(&self, datastream: &'d DatastreamName, window: impl Borrow<Window>) -> ChartLink<'d> {
        let window = *window.borrow();
        let ending = ChartLink::ending(self.frame.generated_at, window);
        ChartLink { datastream, window, ending, between: None, language: self.frame.language }
    }

    /// How to name the data of a station in a report.
    pub(crate) fn cite(&self, station: &StationView) -> String {
        let values = [
            ("agency", self.text(&station.agency)),
            ("station", self.text(&station.name)),
            ("id", station.id.as_str()),
            ("time", &self.local(self.frame.generated_at)),
        ];
        self.fill_all("cite", &values)
    }

    /// What a chart shows, for those who do not see it.
    pub(crate) fn chart_alt(&self, cell: &ValueCell, station: &StationView) -> String {
        let values = [
            ("parameter", cell.label.get(self.frame.language)),
            ("station", station.name.get(self.frame.language)),
            ("range", self.window(station.window)),
            ("value", &self.measure(cell.value, cell.decimals, &cell.unit)),
        ];
        self.messages.fill("chart_alt", &values)
    }

    pub(crate) fn alert_alt(&self, alert: &AlertRow) -> String {
        let values = [
            ("parameter", self.alert_label(alert)),
            ("station", self.text(&alert.subject)),
            ("time", &self.began(alert.onset, alert.onset_at_latest)),
            ("value", &self.measure(alert.value, alert.decimals, &alert.unit)),
        ];
        self.messages.fill("alert_chart_alt", &values)
    }

    /// What an alert is about, besides where.
    pub(crate) fn alert_label<'x>(&self, alert: &'x AlertRow) -> &'x str {
        let technical = match alert.kind {
            ConditionKind::Threshold => "",
            ConditionKind::NoData => self.t("alert_no_data"),
            ConditionKind::SourceDown => self.t("alert_source_down"),
            ConditionKind::StoreDown => self.t("alert_store_failing"),
        };
        match &alert.label {
            Some(label) if technical.is_empty() => self.text(label),
            Some(_) | None => technical,
        }
    }

    /// Where and what.
    pub(crate) fn alert_title(&self, alert: &AlertRow) -> String {
        let place = self.text(&alert.subject);
        match &alert.label {
            Some(label) if alert.kind.is_technical() => {
                format!("{place} · {}: {}", self.text(label), self.alert_label(alert))
            }
            Some(_) | None => format!("{place} · {}", self.alert_label(alert)),
        }
    }

    pub(crate) fn condition(&self, kind: impl Borrow<ConditionKind>) -> &'static str {
        match *kind.borrow() {
            ConditionKind::Threshold => self.t("condition_threshold"),
            ConditionKind::NoData => self.t("condition_no_data"),
            ConditionKind::SourceDown => self.t("condition_source_down"),
            ConditionKind::StoreDown => self.t("condition_store_down"),
        }
    }

    /// Chart of an alert: from 6 hours before its onset to 6 hours after its end, or now.
    pub(crate) fn alert_chart<'d>(&self, alert: &AlertRow, datastream: &'d DatastreamName) -> ChartLink<'d> {
        let ending = ChartLink::ending(self.frame.generated_at, Window::Day);
        let end = alert.closed_at.map_or(ending, |closed| closed.saturating_add(AROUND_MS)).min(ending);
        let from = alert.onset.saturating_add(-AROUND_MS).max(end.saturating_add(-LONGEST_AROUND_MS));
        let between = (from < end).then_some((from, end));
        ChartLink { datastream, window: Window::Day, ending, between, language: self.frame.language }
    }

    /// Path of this page in another language.
    pub(crate) fn switch(&self, language: Language) -> String {
        self.link_in(&self.frame.path, language)
    }

    /// A path that keeps the page's language.
    pub(crate) fn link(&self, path: &str) -> String {
        match self.frame.language {
            Language::Id => path.to_owned(),
            Language::En => self.link_in(path, Language::En),
        }
    }

    fn link_in(&self, path: &str, language: Language) -> String {
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{path}{join}lang={}", language.tag())
    }

    /// Minutes from UTC to the page's zone, and its short name: what the script needs to write a clock.
    pub(crate) fn offset(&self) -> i32 {
        self.zoned().map_or(0, |zoned| zoned.offset().seconds() / 60)
    }

    pub(crate) fn zone_short(&self) -> String {
        self.zoned().map_or_else(|| "UTC".to_owned(), |zoned| format::zone_name(&zoned))
    }

    fn zoned(&self) -> Option<jiff::Zoned> {
        self.frame.generated_at.to_jiff().map(|stamp| stamp.to_zoned(self.frame.time_zone.clone()))
    }

    /// What the script needs to say: a JSON object of texts, for a data attribute.
    pub(crate) fn words(&self) -> String {
        let ages = format::ages(self.frame.language).map(|(key, text)| (key, text.to_owned()));
        let levels = Level::ALL.into_iter().map(|level| (level.key(), self.level(level)));
        let others =
            [("none", "level_none"), ("pending", "state_pending"), ("lost", "disconnected"), ("news", "live_news")];
        let others = others.map(|(key, message)| (key, self.messages.text(message).to_owned()));
        json_object(ages.chain(levels).chain(others))
    }
}

/// Keys and texts are our own; only quotes and backslashes need care.
fn json_object<'k>(members: impl Iterator<Item = (&'k str, String)>) -> String {
    let member =
        |(key, text): (&str, String)| format!("\"{key}\":\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", members.map(member).collect::<Vec<_>>().join(","))
}
