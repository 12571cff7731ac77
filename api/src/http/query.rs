//! Query strings. Programs are read strictly: an unknown, repeated or unusable parameter is named with what is allowed.
//! Pages, pictures and links in messages leave out what they do not know: mail programs and their scanners hang things
//! like `utm_source=` and `fbclid=` on, and whoever follows such a link has misspelled nothing.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use axum::{extract::Query, http::Uri};
use bakau_model::{
    AgencyId, AlertId, ConditionKind, DatastreamId, DatastreamName, Flag, Language, Level, RuleId, StationId, UtcMillis,
};
use bakau_store::RangeQuery;

use crate::http::{
    error::{ApiError, ProblemType},
    language::LANGUAGE_KEY,
};

/// The parameters of one request.
#[derive(Debug, Clone)]
pub(crate) struct Params(Vec<(String, String)>);

/// Half-open range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Inclusive.
    pub(crate) from: UtcMillis,
    /// Exclusive.
    pub(crate) to: UtcMillis,
}

impl Span {
    /// Asks the store for at most so many observations of a datastream in this range, the earliest first.
    pub(crate) const fn query(self, datastream: DatastreamId, limit: usize) -> RangeQuery {
        RangeQuery { datastream, from: self.from, to: self.to, after: None, limit, newest_first: false }
    }
}

bakau_model::words! {
    /// The form of a file of values.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum FileFormat {
        /// One object.
        Json => "json",
        /// Lines with a header, for spreadsheets, R and pandas.
        Csv => "csv",
    }
}

/// Which flags are wanted; a bit for each code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u16);

/// Words of `flags=`; `usable` is what charts, means and rules use.
const FLAG_WORDS: [(&str, &[Flag]); 7] = [
    (Flag::Good.key(), &[Flag::Good]),
    (Flag::NotEvaluated.key(), &[Flag::NotEvaluated]),
    (Flag::Suspect.key(), &[Flag::Suspect]),
    (Flag::Fail.key(), &[Flag::Fail]),
    (Flag::Missing.key(), &[Flag::Missing]),
    ("usable", &[Flag::Good, Flag::NotEvaluated, Flag::Suspect]),
    ("all", &Flag::ALL),
];

impl Flags {
    /// Every flag.
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// Whether a flag is wanted.
    pub(crate) const fn contain(self, flag: Flag) -> bool {
        self.0 & (1 << flag.code()) != 0
    }
}

impl Params {
    /// Reads the query of `uri`; `lang` is allowed everywhere.
    pub(crate) fn parse(uri: &Uri, allowed: &[&'static str]) -> Result<Self, ApiError> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Err(ApiError::new(ProblemType::InvalidParameter).detail("parameter_query"));
        };
        for (at, (name, _)) in pairs.iter().enumerate() {
            if name != LANGUAGE_KEY && !allowed.contains(&name.as_str()) {
                let detail = if allowed.is_empty() { "parameter_none_known" } else { "parameter_unknown" };
                return Err(ApiError::parameter(name, None, detail).with("allowed", &allowed.join(", ")));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::parameter(name, None, "parameter_repeated"));
            }
        }
        let params = Self(pairs);
        params.parsed::<Language>(LANGUAGE_KEY, "parameter_choice", "id, en")?;
        Ok(params)
    }

    /// Reads the query of an address that people follow: what is not in `allowed` is left out, and of a repeated
    /// parameter the first counts. A value that cannot be used is still named by whoever asks for it.
    pub(crate) fn lenient(uri: &Uri, allowed: &[&'static str]) -> Self {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
        let known = |(name, _): &(String, String)| allowed.contains(&name.as_str());
        Self(pairs.unwrap_or_default().into_iter().filter(known).collect())
    }

    /// The text of a parameter; an empty one counts as not given, because forms send those.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        detail: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ApiError::parameter(name, Some(text), detail).with("allowed", allowed))
    }

    /// A whole number within `allowed`.
    pub(crate) fn number<T: FromStr + PartialOrd + Display>(
        &self,
        name: &'static str,
        allowed: RangeInclusive<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().ok().filter(|number| allowed.contains(number)).map(Some).ok_or_else(|| {
            let allowed = format!("{}..{}", allowed.start(), allowed.end());
            ApiError::parameter(name, Some(text), "parameter_number").with("allowed", &allowed)
        })
    }

    /// Rows wanted in one answer, at least 1.
    pub(crate) fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        Ok(self.number("limit", 1..=most)?.unwrap_or(default))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        self.parsed(name, "parameter_choice", "true, false")
    }

    /// The form of the answer: JSON unless CSV is asked for.
    pub(crate) fn format(&self) -> Result<FileFormat, ApiError> {
        let words = FileFormat::ALL.map(|format| (format.key(), format));
        Ok(self.choice("format", &words)?.unwrap_or(FileFormat::Json))
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(ApiError::parameter(name, Some(text), "parameter_choice").with("allowed", &allowed.join(", ")))
            }
        }
    }

    /// An RFC 3339 time.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<UtcMillis>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // An unescaped + of an offset arrives as a space; nothing else can be meant by one there.
        let text = if text.contains(['T', 't']) { text.replace(' ', "+") } else { text.to_owned() };
        match UtcMillis::parse(&text) {
            Ok(at) => Ok(Some(at)),
            Err(_) => Err(ApiError::parameter(name, Some(&text), "parameter_time").with("allowed", "RFC 3339")),
        }
    }

    /// `from` and `to`; without `to` up to just after `now`, without `from` the `default_ms` before `to`.
    pub(crate) fn span(&self, now: UtcMillis, default_ms: i64) -> Result<Span, ApiError> {
        // One millisecond later, so that what was observed this very moment is inside.
        let to = self.time("to")?.unwrap_or_else(|| now.saturating_add(1));
        let from = self.time("from")?.unwrap_or_else(|| to.saturating_add(-default_ms));
        if to <= from {
            return Err(ApiError::parameter("from", self.text("from"), "parameter_time_order"));
        }
        Ok(Span { from, to })
    }

    /// A datastream name.
    pub(crate) fn datastream(&self) -> Result<Option<DatastreamName>, ApiError> {
        self.parsed("datastream", "parameter_datastream", "station/parameter, station/parameter@qualifier")
    }

    /// A station id.
    pub(crate) fn station(&self) -> Result<Option<StationId>, ApiError> {
        self.parsed("station", "parameter_station", "[a-z0-9_-]")
    }

    /// Another text id, such as of a city.
    pub(crate) fn id<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, ApiError> {
        self.parsed(name, "parameter_id", "[a-z0-9_-]")
    }

    /// `flags`: words with commas between them; every flag where not given.
    pub(crate) fn flags(&self) -> Result<Flags, ApiError> {
        let Some(text) = self.text("flags") else { return Ok(Flags::ALL) };
        let words = text.split(',').map(|word| FLAG_WORDS.iter().find(|(known, _)| *known == word.trim()));
        let mut bits =
            words.map(|word| word.map(|(_, flags)| flags.iter().fold(0, |bits, flag| bits | 1 << flag.code())));
        bits.try_fold(0, |all, bits: Option<u16>| bits.map(|bits| all | bits)).map(Flags).ok_or_else(|| {
            let allowed = FLAG_WORDS.map(|(word, _)| word).join(", ");
            ApiError::parameter("flags", Some(text), "parameter_choice").with("allowed", &allowed)
        })
    }

    /// An agency id.
    pub(crate) fn agency(&self) -> Result<Option<AgencyId>, ApiError> {
        self.parsed("agency", "parameter_agency", "[a-z0-9_-]")
    }

    /// The kind of condition that an alert is about.
    pub(crate) fn condition_kind(&self) -> Result<Option<ConditionKind>, ApiError> {
        self.choice("kind", &ConditionKind::ALL.map(|kind| (kind.key(), kind)))
    }

    /// A raised level.
    pub(crate) fn level(&self) -> Result<Option<Level>, ApiError> {
        self.choice("level", &Level::RAISED.map(|level| (level.key(), level)))
    }

    /// The last alert of the page before.
    pub(crate) fn before_alert(&self) -> Result<Option<AlertId>, ApiError> {
        let before = self.text("before");
        let read = before.map(str::parse).transpose();
        read.map_err(|_| ApiError::parameter("before", before, "parameter_alert"))
    }

    /// A rule id.
    pub(crate) fn rule(&self) -> Result<Option<RuleId>, ApiError> {
        self.parsed("rule", "parameter_rule", "[a-z0-9_-]")
    }
}

/// Percent-encodes everything but unreserved characters, for links.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(query: &str) -> Result<Params, ApiError> {
        Params::parse(&format!("/x?{query}").parse().unwrap(), &["from", "to", "limit", "datastream", "active"])
    }

    fn named(error: &ApiError) -> String {
        error.document("/x", Language::En).parameter.unwrap()
    }

    #[test]
    fn unknown_and_repeated_parameters_are_named() {
        assert_eq!(named(&params("frm=1").unwrap_err()), "frm");
        assert_eq!(named(&params("limit=1&limit=2").unwrap_err()), "limit");
        assert_eq!(named(&params("lang=fr").unwrap_err()), "lang");
    }

    #[test]
    fn a_time_needs_an_offset_and_survives_an_unescaped_plus() {
        let at = |query: &str| params(query).unwrap().time("from");
        let expected = UtcMillis::parse("2026-03-10T00:00:00Z").unwrap();
        assert_eq!(at("from=2026-03-10T07:00:00%2B07:00").unwrap(), Some(expected));
        assert_eq!(at("from=2026-03-10T07:00:00+07:00").unwrap(), Some(expected));
        assert_eq!(named(&at("from=2026-03-10").unwrap_err()), "from");
        assert_eq!(named(&at("from=2026-03-10T07:00:00").unwrap_err()), "from");
    }

    #[test]
    fn flags_are_words_with_commas_between_them() {
        let flags = |query: &str| Params::parse(&format!("/x?{query}").parse().unwrap(), &["flags"]).unwrap().flags();
        assert_eq!(flags("").unwrap(), Flags::ALL);
        let two = flags("flags=good,suspect").unwrap();
        assert_eq!(Flag::ALL.map(|flag| two.contain(flag)), [true, false, true, false, false]);
        let usable = flags("flags=usable").unwrap();
        assert!(Flag::ALL.into_iter().all(|flag| usable.contain(flag) == flag.is_usable()));
        assert_eq!(named(&flags("flags=good,,fail").unwrap_err()), "flags");
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        for bad in ["0", "10001", "-1", "1.5", "x"] {
            let query = format!("limit={bad}");
            assert_eq!(named(&params(&query).unwrap().limit(100, 10_000).unwrap_err()), "limit");
        }
        assert_eq!(params("limit=").unwrap().limit(100, 10_000).unwrap(), 100);
    }

    #[test]
    fn a_span_that_ends_before_it_starts_is_refused() {
        let query = "from=2026-03-10T00:00:00Z&to=2026-03-10T00:00:00Z";
        assert!(params(query).unwrap().span(UtcMillis::new(0), 1).is_err());
    }

    #[test]
    fn an_address_that_people_follow_may_carry_what_others_hung_on_it() {
        let read = |query: &str| Params::lenient(&format!("/x?{query}").parse().unwrap(), &["kind", "limit"]);
        let params = read("utm_source=mail&kind=air&fbclid=%FF%&kind=water&lang=xx&&=&limit=x");
        assert_eq!(params.text("kind"), Some("air"));
        assert_eq!(params.text("utm_source"), None);
        assert_eq!(named(&params.limit(1, 10).unwrap_err()), "limit");
    }

    proptest! {
        #[test]
        fn what_is_encoded_for_a_link_is_read_back(text in "\\PC{0,40}") {
            let uri: Uri = format!("/x?from={}", encode(&text)).parse().unwrap();
            let params = Params::parse(&uri, &["from"]).unwrap();
            prop_assert_eq!(params.text("from").unwrap_or_default(), text);
        }

        #[test]
        fn any_query_is_read_or_refused(query in "[!-~]{0,60}") {
            if let Ok(uri) = format!("/x?{query}").parse::<Uri>() {
                let _ = Params::parse(&uri, &["from", "to"]).and_then(|params| params.span(UtcMillis::new(0), 1));
            }
        }

        #[test]
        fn any_value_of_any_parameter_is_read_or_refused_by_its_own_name(value in "\\PC{1,60}") {
            let read = |name: &str| Params::parse(&format!("/x?{name}={}", encode(&value)).parse().unwrap(), &[
                "flags", "limit", "from", "datastream", "station", "agency", "rule", "active",
            ]).unwrap();
            let refused = [
                ("flags", read("flags").flags().err()),
                ("limit", read("limit").limit(1, 10).err()),
                ("from", read("from").time("from").err()),
                ("datastream", read("datastream").datastream().err()),
                ("station", read("station").station().err()),
                ("agency", read("agency").agency().err()),
                ("rule", read("rule").rule().err()),
                ("active", read("active").flag("active").err()),
            ];
            for (name, error) in refused {
                if let Some(error) = error {
                    prop_assert_eq!(named(&error), name);
                }
            }
        }

        #[test]
        fn flags_are_those_of_their_words_in_any_order(words in prop::collection::vec(0..FLAG_WORDS.len(), 1..6)) {
            let text: Vec<&str> = words.iter().map(|word| FLAG_WORDS[*word].0).collect();
            let uri = format!("/x?flags={}", text.join(","));
            let flags = Params::parse(&uri.parse().unwrap(), &["flags"]).unwrap().flags().unwrap();
            for flag in Flag::ALL {
                let wanted = words.iter().any(|word| FLAG_WORDS[*word].1.contains(&flag));
                prop_assert_eq!(flags.contain(flag), wanted);
            }
        }
    }
}
