//! The server's answer to a write and the decision that follows; pure.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::Hold;

/// A refused line or reason is kept up to this length.
const KEPT_BYTES: usize = 500;

/// An answer to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`: seconds, or a date of HTTP.
    pub retry_after: Option<String>,
    /// The server's own clock in its answer, by which a date in `retry_after` counts: ours may differ.
    pub date: Option<String>,
    /// The body.
    pub text: String,
}

impl Answered {
    /// The pause that the server asks for; `None` when it gives none that makes sense.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse::<u32>() {
            return Some(Duration::from_secs(u64::from(seconds)));
        }
        let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond());
        let wait = date(text)?.saturating_sub(date(self.date.as_deref()?)?);
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    }

    /// The server's own words about the error.
    #[must_use]
    pub fn reason(&self) -> String {
        let parsed: Option<serde_json::Value> = serde_json::from_str(&self.text).ok();
        let message = parsed.as_ref().and_then(|value| value.get("message")).and_then(serde_json::Value::as_str);
        message.unwrap_or("InfluxDB gave no reason").to_owned()
    }

    /// Places (from 0) and reasons of the lines that the answer names as not readable; `None` when it names none, or one
    /// that was not sent.
    #[must_use]
    pub fn named(&self, sent: &str) -> Option<BTreeMap<usize, String>> {
        let message = self.reason();
        let parts: Vec<(&str, &str)> =
            message.split("unable to parse '").skip(1).map(|part| part.rsplit_once("': ")).collect::<Option<_>>()?;
        let mut places: HashMap<&str, Vec<usize>> = parts.iter().map(|(line, _)| (*line, Vec::new())).collect();
        for (n, line) in sent.lines().enumerate() {
            if let Some(places) = places.get_mut(line) {
                places.push(n);
            }
        }
        let mut found = BTreeMap::new();
        for (line, why) in parts {
            let places = places.get(line).filter(|places| !places.is_empty())?;
            found.extend(places.iter().map(|&place| (place, bounded(why.trim_end()))));
        }
        (!found.is_empty()).then_some(found)
    }
}

/// At most [`KEPT_BYTES`] of a text.
pub(crate) fn bounded(text: &str) -> String {
    text.char_indices().take_while(|(at, _)| *at < KEPT_BYTES).map(|(_, c)| c).collect()
}

/// What to do next with the body that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything is stored.
    Done,
    /// The same body again, later.
    Again,
    /// The body is too long: send its halves.
    Halve,
    /// The same body, rarely, until somebody changes settings; the reason is for people.
    Hold(Hold),
    /// Some points are refused; the answer may name them by line. Nothing was stored.
    BadLines,
    /// Some points were not stored and the answer says too little about which.
    Partly,
}

/// Decides by the status of an answer.
#[must_use]
pub const fn decide(status: u16) -> Next {
    match status {
        204 => Next::Done,
        408 | 429 | 499 | 500..=599 => Next::Again,
        413 => Next::Halve,
        400 => Next::BadLines,
        422 => Next::Partly,
        401 => Next::Hold(Hold::Token),
        403 => Next::Hold(Hold::Right),
        404 => Next::Hold(Hold::Bucket),
        300..=399 => Next::Hold(Hold::Redirect),
        200..=299 => Next::Hold(Hold::NotInflux),
        _ => Next::Hold(Hold::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_consequence() {
        for (status, next) in [
            (204, Next::Done),
            (200, Next::Hold(Hold::NotInflux)),
            (302, Next::Hold(Hold::Redirect)),
            (400, Next::BadLines),
            (401, Next::Hold(Hold::Token)),
            (403, Next::Hold(Hold::Right)),
            (404, Next::Hold(Hold::Bucket)),
            (408, Next::Again),
            (413, Next::Halve),
            (418, Next::Hold(Hold::Unexpected)),
            (422, Next::Partly),
            (429, Next::Again),
            (499, Next::Again),
            (500, Next::Again),
            (503, Next::Again),
        ] {
            assert_eq!(decide(status), next, "{status}");
        }
    }

    fn answered(text: &str) -> Answered {
        Answered { status: 400, retry_after: None, date: None, text: text.to_owned() }
    }

    #[test]
    fn lines_that_an_answer_names_are_found_again() {
        let text = r#"{"code":"invalid","message":"unable to parse 'b x': invalid field format\nunable to parse 'd v=y 2': invalid number"}"#;
        let found = answered(text).named("a v=1 1\nb x\nc v=1 1\nd v=y 2\n").unwrap();
        assert_eq!(found, BTreeMap::from([(1, "invalid field format".to_owned()), (3, "invalid number".to_owned())]));
    }

    #[test]
    fn an_answer_that_names_what_was_not_sent_is_not_believed() {
        assert_eq!(answered(r#"{"message":"unable to parse 'z': nonsense"}"#).named("a v=1 1\n"), None);
        assert_eq!(answered("no json at all").named("a v=1 1\n"), None);
    }

    #[test]
    fn the_time_to_wait_is_in_seconds_or_a_date_by_the_clock_of_the_server() {
        let wait = |retry_after: &str| {
            let date = Some("Wed, 21 Oct 2026 07:28:00 GMT".to_owned());
            Answered { retry_after: Some(retry_after.to_owned()), date, ..answered("") }.wait()
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:00:00 GMT"), Some(Duration::ZERO), "the past");
        for nonsense in ["", "-1", "1e9", "soon", "99999999999999", "Wed, 99 Oct 2026 07:28:30 GMT"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
        let no_clock = Answered { retry_after: Some("Wed, 21 Oct 2026 07:28:30 GMT".to_owned()), ..answered("") };
        assert_eq!(no_clock.wait(), None);
    }

    #[test]
    fn only_204_is_done() {
        let done: Vec<u16> = (0..=999).filter(|status| decide(*status) == Next::Done).collect();
        assert_eq!(done, [204]);
    }
}
