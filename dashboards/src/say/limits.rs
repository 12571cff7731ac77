//! Limits: how long they must be crossed, where what they raised ends, and how sure their figures are.

use std::borrow::Borrow;

use bakau_model::{Flag, Level, UtcMillis};
use bakau_text::format;

use super::Say;
use crate::{
    chart_link::ChartLink,
    standing::{self, Piece, Standing},
    view::{Limit, RuleFacts, Side, Watched, Window},
};

impl Say<'_> {
    /// How long a limit must be crossed before its level is raised.
    pub(crate) fn hold(&self, hold_s: impl Borrow<u32>) -> String {
        match *hold_s.borrow() {
            0 => self.t("limit_at_once").to_owned(),
            seconds => self.fill("limit_hold", "span", self.duration(seconds)),
        }
    }

    /// A length of time, exactly: hours from two on.
    pub(crate) fn duration(&self, seconds: impl Borrow<u32>) -> String {
        let (key, n) = match *seconds.borrow() {
            seconds if seconds.is_multiple_of(3_600) && 3_600 < seconds => ("duration_hours", seconds / 3_600),
            seconds if seconds.is_multiple_of(60) && 0 < seconds => ("duration_minutes", seconds / 60),
            seconds => ("duration_seconds", seconds),
        };
        self.fill(key, "n", n)
    }

    /// Where what a limit raised ends.
    pub(crate) fn clear(&self, limit: &Limit) -> String {
        let key = match limit.line.side {
            Side::Low => "limit_clear_above",
            Side::High => "limit_clear_below",
        };
        self.fill(key, "value", format::shortest(limit.clear, self.frame.language))
    }

    /// Where everything that a rule raised has ended; empty for a rule without limits.
    pub(crate) fn ends(&self, rule: &RuleFacts) -> String {
        let ends: Vec<String> = rule.ends().map(|limit| self.clear(limit)).collect();
        ends.join(self.t("limit_and"))
    }

    /// After how long without anything a level holds.
    pub(crate) fn after(&self, after: &(Level, u32)) -> String {
        self.fill("limit_after", "span", self.duration(after.1))
    }

    /// How sure the figures of a text are, in a word.
    pub(crate) fn standing(&self, text: &bakau_model::Text) -> &'static str {
        self.standing_word(standing::of(self.text(text)))
    }

    /// The word for how sure a figure is.
    pub(crate) fn standing_word(&self, standing: impl Borrow<Standing>) -> &'static str {
        match *standing.borrow() {
            Standing::Verified => self.t("standing_verified"),
            Standing::Unverified => self.t("standing_unverified"),
        }
    }

    /// A text about figures in pieces, so that marks can be shown as words.
    pub(crate) fn pieces<'t>(&self, text: &'t bakau_model::Text) -> Vec<Piece<'t>> {
        standing::pieces(self.text(text))
    }

    /// What a rule watches.
    pub(crate) fn watched(&self, watched: &Watched) -> String {
        match watched {
            Watched::One(name) => self.text(name).to_owned(),
            Watched::Parameter(name, None) => self.fill("watched_parameter", "parameter", self.text(name)),
            Watched::Parameter(name, Some(kind)) => {
                let values = [("parameter", self.text(name)), ("kind", self.kind(kind))];
                self.fill_all("watched_parameter_kind", &values)
            }
            Watched::Stations(None) => self.t("watched_stations").to_owned(),
            Watched::Stations(Some(kind)) => self.fill("watched_stations_kind", "kind", self.kind(kind)),
            Watched::Source(None) => self.t("watched_sources").to_owned(),
            Watched::Source(Some(source)) => self.fill("watched_source", "source", source),
            Watched::Store => self.t("watched_store").to_owned(),
        }
    }

    /// What is in the file of a chart's values.
    pub(crate) fn file(&self, chart: &ChartLink<'_>) -> String {
        let key = match chart.window {
            Window::Day | Window::Week => "chart_file_single",
            Window::Month => "chart_file_hours",
            Window::Year => "chart_file_days",
        };
        let (from, to) = chart.file_span();
        self.fill_all(key, &[("from", &self.when(from)), ("to", &self.when(to))])
    }

    /// The word of a flag that casts doubt on a value.
    pub(crate) fn doubted(&self, flag: impl Borrow<Flag>) -> Option<&'static str> {
        match *flag.borrow() {
            flag @ (Flag::Suspect | Flag::Fail | Flag::Missing) => Some(self.flag(flag)),
            Flag::Good | Flag::NotEvaluated => None,
        }
    }

    /// A clock with its zone, or the day where that is another.
    pub(crate) fn brief_zone(&self, at: impl Borrow<UtcMillis>) -> String {
        let at = *at.borrow();
        format!("{}\u{a0}{}", self.brief(at), self.zone_short())
    }

    /// This page with names and notes, for holders of the token.
    pub(crate) fn with_people(&self) -> String {
        let join = if self.frame.path.contains('?') { '&' } else { '?' };
        self.link(&format!("{}{join}people=true", self.frame.path))
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::Language;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{fragment::Held, view::Frame};

    #[test]
    fn times_are_said_exactly() {
        let frame = Frame {
            language: Language::En,
            generated_at: UtcMillis::new(0),
            time_zone: TimeZone::UTC,
            path: "/rules".to_owned(),
            active_alerts: 0,
            alarms: Vec::new(),
            site: None,
            position: String::new(),
            held: Held::default(),
        };
        let say = Say::new(&frame);
        let said = [0, 45, 60, 3_600, 5_400, 7_200, 86_400].map(|seconds: u32| say.duration(seconds));
        assert_eq!(said, ["0 s", "45 s", "1 min", "60 min", "90 min", "2 h", "24 h"]);
        assert_eq!([say.hold(0), say.hold(300)], ["from the first value on", "must last 5 min"]);
        assert_eq!(say.with_people(), "/rules?people=true&lang=en");
    }
}
