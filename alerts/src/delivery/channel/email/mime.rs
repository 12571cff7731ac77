//! The mail itself: plain text beside a small page, with the chart inside. Pure.

use std::time::{Duration, SystemTime};

use bakau_model::UtcMillis;
use bytes::Bytes;
use lettre::{
    Message,
    message::{
        Attachment, Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

/// The chart's name inside the mail, which the page refers to as `cid:`.
pub(crate) const CHART_CID: &str = "bagan@bakau";

/// What a mail says, and to whom.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) from: &'a str,
    pub(crate) to_name: &'a str,
    pub(crate) to: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) text: String,
    pub(crate) html: String,
    /// When it was decided to send it; the same for every attempt.
    pub(crate) date: UtcMillis,
    /// The same for every attempt, so that a mail sent twice is shown once.
    pub(crate) key: &'a str,
    /// What it belongs to; mails of one thread are shown together.
    pub(crate) thread: &'a str,
    pub(crate) urgent: bool,
    pub(crate) chart: Option<Bytes>,
}

/// The mail, or why it cannot be written.
pub(crate) fn letter(letter: Letter<'_>) -> Result<Message, String> {
    let domain = domain_of(letter.from);
    let thread = format!("<alert-{}@{domain}>", letter.thread);
    let mut builder = Message::builder()
        .from(mailbox("Bakau", letter.from)?)
        .to(mailbox(letter.to_name, letter.to)?)
        .subject(one_line(letter.subject))
        .date(system_time(letter.date))
        .message_id(Some(format!("<{}@{domain}>", letter.key)))
        .in_reply_to(thread.clone())
        .references(thread)
        // Out-of-office notes must not answer a machine (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if letter.urgent {
        builder = builder.raw_header(header("Importance", "high"));
    }
    let page = SinglePart::html(letter.html);
    let page = match letter.chart {
        None => MultiPart::alternative().singlepart(SinglePart::plain(letter.text)).singlepart(page),
        Some(chart) => {
            let kind = ContentType::parse("image/png").map_err(|error| error.to_string())?;
            let picture = Attachment::new_inline_with_name(CHART_CID.to_owned(), "bagan.png".to_owned());
            let related = MultiPart::related().singlepart(page).singlepart(picture.body(chart.to_vec(), kind));
            MultiPart::alternative().singlepart(SinglePart::plain(letter.text)).multipart(related)
        }
    };
    builder.multipart(page).map_err(|error| format!("the mail cannot be written: {error}"))
}

/// The part of an address behind the `@`.
pub(crate) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, String> {
    let parsed = address.parse().map_err(|error| format!("'{address}' is no usable mail address: {error}"))?;
    Ok(Mailbox::new(Some(one_line(name)), parsed))
}

/// A header is one line, whatever a catalogue says.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn system_time(at: UtcMillis) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(at.get()).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Letter<'static> {
        Letter {
            from: "bakau@kota.example",
            to_name: "Sari Dewi, S.T.",
            to: "sari@dlh.example",
            subject: "[AWAS] Oksigen terlarut 0,42 mg/L · BeeJay Bakau",
            text: "AWAS".to_owned(),
            html: "<p>AWAS</p>".to_owned(),
            date: UtcMillis::new(1_773_075_600_000),
            key: "00ff",
            thread: "abcd",
            urgent: true,
            chart: None,
        }
    }

    fn text(mail: Letter<'_>) -> String {
        String::from_utf8(letter(mail).unwrap().formatted()).unwrap()
    }

    #[test]
    fn mails_of_one_alert_form_a_thread_and_each_keeps_its_id_across_attempts() {
        let mail = text(sample());
        for line in [
            "Message-ID: <00ff@kota.example>",
            "In-Reply-To: <alert-abcd@kota.example>",
            "References: <alert-abcd@kota.example>",
            "Date: Mon, 09 Mar 2026 17:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "Importance: high",
            "From: Bakau <bakau@kota.example>",
        ] {
            assert!(mail.lines().any(|found| found == line), "{line} is not in\n{mail}");
        }
    }

    #[test]
    fn the_chart_is_inside_the_mail_and_plain_text_stands_beside_the_page() {
        let chart = Some(Bytes::from_static(b"\x89PNG..."));
        let mail = text(Letter { chart, ..sample() });
        let order = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"];
        let positions: Vec<_> = order.iter().map(|kind| mail.find(kind).unwrap()).collect();
        assert!(positions.is_sorted(), "{mail}");
        assert!(mail.contains("Content-ID: <bagan@bakau>") && mail.contains("inline"), "{mail}");
        assert!(!text(sample()).contains("multipart/related"));
    }

    #[test]
    fn a_name_or_subject_cannot_add_a_header() {
        let mail = text(Letter { to_name: "Sari\r\nBcc: x@y.example", subject: "a\r\nBcc: x@y.example", ..sample() });
        assert!(!mail.lines().any(|line| line.starts_with("Bcc:")), "{mail}");
    }

    #[test]
    fn an_unusable_address_is_told_with_the_address() {
        let error = letter(Letter { to: "not an address", ..sample() }).unwrap_err();
        assert!(error.contains("'not an address'"), "{error}");
    }
}
