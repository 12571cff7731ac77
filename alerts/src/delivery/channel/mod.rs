//! Ways to reach people: render (pure), send, classify (pure).

pub(crate) mod email;
pub(crate) mod telegram;
pub(crate) mod webhook;

use bakau_model::{HOUR_MS, UtcMillis};
use email::SmtpStep;

/// What came back from a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An HTTP answer, the `Retry-After` header as given, and the beginning of the body.
    Http { status: u16, retry_after: Option<String>, body: String },
    /// An answer of a mail server.
    Smtp { step: SmtpStep, code: u16, text: String },
    /// An answer of Telegram's bot API.
    Telegram { status: u16, retry_after_s: Option<u32>, migrated: bool, description: String },
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
    /// Only a person can put it right: try again now and then, and say so loudly.
    NotConfigured,
    /// Trying again does not help.
    Failed,
}

/// A receiver may ask for this much patience at most.
const LONGEST_RETRY_AFTER_MS: i64 = HOUR_MS;

/// Decides by the answer alone.
pub(crate) fn classify(answer: &Answer, now: UtcMillis) -> Verdict {
    match answer {
        Answer::Http { status: 200..=299, .. } | Answer::Telegram { status: 200..=299, .. } => Verdict::Sent,
        Answer::Http { status: 408 | 425 | 429 | 500..=599, retry_after, .. } => {
            Verdict::Retry { not_before: retry_after.as_deref().and_then(|text| not_before(text, now)) }
        }
        Answer::Telegram { status: 408 | 429 | 500..=599, retry_after_s, .. } => {
            Verdict::Retry { not_before: retry_after_s.map(|seconds| after(i64::from(seconds) * 1000, now)) }
        }
        // The token is wrong (401, 404), or the chat has another number now.
        Answer::Telegram { status: 401 | 404, .. } | Answer::Telegram { migrated: true, .. } => Verdict::NotConfigured,
        Answer::Smtp { step, code, .. } => smtp(*step, *code),
        Answer::None(_) => Verdict::Retry { not_before: None },
        Answer::NotConfigured(_) => Verdict::NotConfigured,
        Answer::Http { .. } | Answer::Telegram { .. } | Answer::Impossible(_) => Verdict::Failed,
    }
}

/// Reply codes by RFC 5321 and RFC 4954: 4xx passes, 5xx stays. What is refused before the mail itself is offered is
/// about the server or the login, and refused for every mail alike.
const fn smtp(step: SmtpStep, code: u16) -> Verdict {
    match (step, code) {
        (SmtpStep::Send, 200..=299) => Verdict::Sent,
        (SmtpStep::Connect | SmtpStep::Login, 500..=599) => Verdict::NotConfigured,
        // Authentication wanted, and none configured.
        (SmtpStep::Send, 530 | 534 | 535 | 538) => Verdict::NotConfigured,
        (SmtpStep::Send, 500..=599) => Verdict::Failed,
        (SmtpStep::Connect | SmtpStep::Login | SmtpStep::Send, _) => Verdict::Retry { not_before: None },
    }
}

impl Answer {
    /// What happened, in a sentence for the delivery log; the body is the receiver's own text.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Http { status: code, body: text, .. }
            | Self::Telegram { status: code, description: text, .. }
            | Self::Smtp { step: SmtpStep::Send, code, text } => answered("", *code, text),
            Self::Smtp { step: SmtpStep::Login, code, text } => answered("login refused, ", *code, text),
            Self::Smtp { step: SmtpStep::Connect, code, text } => answered("greeting refused, ", *code, text),
            Self::None(text) | Self::NotConfigured(text) | Self::Impossible(text) => text.clone(),
        }
    }

    /// The status code of the protocol, where there was an answer.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::Http { status: code, .. } | Self::Telegram { status: code, .. } | Self::Smtp { code, .. } => {
                Some(*code)
            }
            Self::None(_) | Self::NotConfigured(_) | Self::Impossible(_) => None,
        }
    }
}

fn answered(what: &str, code: u16, text: &str) -> String {
    if text.is_empty() { format!("{what}answer {code}") } else { format!("{what}answer {code}: {text}") }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds or an HTTP date.
fn not_before(text: &str, now: UtcMillis) -> Option<UtcMillis> {
    let wait_ms = match text.trim().parse::<u32>() {
        Ok(seconds) => i64::from(seconds) * 1000,
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            UtcMillis::from(date).since(now)
        }
    };
    Some(after(wait_ms, now))
}

fn after(wait_ms: i64, now: UtcMillis) -> UtcMillis {
    now.saturating_add(wait_ms.clamp(0, LONGEST_RETRY_AFTER_MS))
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
        assert_eq!(classify(&Answer::NotConfigured("no secret".to_owned()), now), Verdict::NotConfigured);
        assert_eq!(classify(&Answer::Impossible("bad address".to_owned()), now), Verdict::Failed);
    }

    #[test]
    fn retry_after_is_honoured_up_to_an_hour() {
        let now = UtcMillis::parse("2026-03-10T00:00:00Z").unwrap();
        let wait = |text: &str| match classify(&http(503, Some(text)), now) {
            Verdict::Retry { not_before } => not_before.map(|at| at.since(now) / 1000),
            Verdict::Sent | Verdict::NotConfigured | Verdict::Failed => panic!("not a retry"),
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Tue, 10 Mar 2026 00:05:00 GMT"), Some(300));
        assert_eq!(wait("Mon, 09 Mar 2026 00:05:00 GMT"), Some(0));
        assert_eq!(wait("99999999"), Some(3600));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_mail_servers_verdict_depends_on_how_far_the_conversation_came() {
        let retry = Verdict::Retry { not_before: None };
        for (step, code, verdict) in [
            (SmtpStep::Send, 250, Verdict::Sent),
            (SmtpStep::Send, 421, retry),
            (SmtpStep::Send, 450, retry),
            (SmtpStep::Send, 452, retry),
            (SmtpStep::Send, 550, Verdict::Failed),
            (SmtpStep::Send, 552, Verdict::Failed),
            (SmtpStep::Send, 530, Verdict::NotConfigured),
            (SmtpStep::Connect, 421, retry),
            (SmtpStep::Connect, 554, Verdict::NotConfigured),
            (SmtpStep::Login, 454, retry),
            (SmtpStep::Login, 535, Verdict::NotConfigured),
        ] {
            let answer = Answer::Smtp { step, code, text: String::new() };
            assert_eq!(classify(&answer, UtcMillis::new(0)), verdict, "{step:?} {code}");
        }
    }

    #[test]
    fn telegrams_verdict_depends_on_whether_somebody_can_put_it_right() {
        let now = UtcMillis::new(0);
        let answer = |status, retry_after_s, migrated| {
            classify(&Answer::Telegram { status, retry_after_s, migrated, description: String::new() }, now)
        };
        let retry = Verdict::Retry { not_before: None };
        assert_eq!(answer(200, None, false), Verdict::Sent);
        assert_eq!(answer(429, Some(14), false), Verdict::Retry { not_before: Some(UtcMillis::new(14_000)) });
        assert_eq!(answer(429, Some(u32::MAX), false), Verdict::Retry { not_before: Some(UtcMillis::new(3_600_000)) });
        assert_eq!(answer(502, None, false), retry);
        assert_eq!(answer(401, None, false), Verdict::NotConfigured);
        assert_eq!(answer(404, None, false), Verdict::NotConfigured);
        assert_eq!(answer(400, None, true), Verdict::NotConfigured);
        assert_eq!(answer(400, None, false), Verdict::Failed);
        assert_eq!(answer(403, None, false), Verdict::Failed);
    }
}
