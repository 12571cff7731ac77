//! Ways to reach people: render (pure), send, classify (pure).

pub(crate) mod webhook;

use std::time::Duration;

use bakau_model::UtcMillis;

/// What came back from a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An HTTP answer, the `Retry-After` header as given, and the beginning of the body.
    Http { status: u16, retry_after: Option<String>, body: String },
    /// No answer: refused, unreachable, interrupted, timed out.
    None(String),
    /// It could not be sent as it is configured; somebody can put that right.
    NotConfigured(String),
    /// It cannot be sent at all.
    Impossible(String),
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver has it.
    Sent,
    /// Try again; not before that time, where the receiver asked for it.
    Retry { not_before: Option<UtcMillis> },
    /// Trying again does not help.
    Failed,
}

/// A receiver may ask for this much patience at most.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Decides by the answer alone.
pub(crate) fn classify(answer: &Answer, now: UtcMillis) -> Verdict {
    match answer {
        Answer::Http { status: 200..=299, .. } => Verdict::Sent,
        Answer::Http { status: 408 | 425 | 429 | 500..=599, retry_after, .. } => {
            Verdict::Retry { not_before: retry_after.as_deref().and_then(|text| not_before(text, now)) }
        }
        Answer::None(_) | Answer::NotConfigured(_) => Verdict::Retry { not_before: None },
        Answer::Http { .. } | Answer::Impossible(_) => Verdict::Failed,
    }
}

impl Answer {
    /// What happened, in a sentence for the delivery log; the body is the receiver's own text.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Http { status, body, .. } if body.is_empty() => format!("answer {status}"),
            Self::Http { status, body, .. } => format!("answer {status}: {body}"),
            Self::None(text) | Self::NotConfigured(text) | Self::Impossible(text) => text.clone(),
        }
    }

    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::Http { status, .. } => Some(*status),
            Self::None(_) | Self::NotConfigured(_) | Self::Impossible(_) => None,
        }
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date.
fn not_before(text: &str, now: UtcMillis) -> Option<UtcMillis> {
    let limit = i64::try_from(LONGEST_RETRY_AFTER.as_millis()).unwrap_or(i64::MAX);
    let wait_ms = match text.trim().parse::<u32>() {
        Ok(seconds) => i64::from(seconds) * 1000,
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            UtcMillis::from(date).since(now)
        }
    };
    Some(now.saturating_add(wait_ms.clamp(0, limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, retry_after: Option<&str>) -> Answer {
        Answer::Http { status, retry_after: retry_after.map(str::to_owned), body: String::new() }
    }

    #[test]
    fn verdicts_follow_from_the_answer() {
        let now = UtcMillis::new(0);
        let retry = Verdict::Retry { not_before: None };
        for (status, verdict) in [
            (200, Verdict::Sent),
            (204, Verdict::Sent),
            (301, Verdict::Failed),
            (400, Verdict::Failed),
            (401, Verdict::Failed),
            (404, Verdict::Failed),
            (408, retry),
            (410, Verdict::Failed),
            (425, retry),
            (429, retry),
            (500, retry),
            (503, retry),
            (599, retry),
        ] {
            assert_eq!(classify(&http(status, None), now), verdict, "{status}");
        }
        assert_eq!(classify(&Answer::None("timed out".to_owned()), now), retry);
        assert_eq!(classify(&Answer::NotConfigured("no secret".to_owned()), now), retry);
        assert_eq!(classify(&Answer::Impossible("bad address".to_owned()), now), Verdict::Failed);
    }

    #[test]
    fn retry_after_is_honoured_up_to_an_hour() {
        let now = UtcMillis::parse("2026-03-10T00:00:00Z").unwrap();
        let wait = |text: &str| match classify(&http(503, Some(text)), now) {
            Verdict::Retry { not_before } => not_before.map(|at| at.since(now) / 1000),
            Verdict::Sent | Verdict::Failed => panic!("not a retry"),
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Tue, 10 Mar 2026 00:05:00 GMT"), Some(300));
        assert_eq!(wait("Mon, 09 Mar 2026 00:05:00 GMT"), Some(0));
        assert_eq!(wait("99999999"), Some(3600));
        assert_eq!(wait("soon"), None);
    }
}
