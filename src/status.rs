//! `bakau status`: asks the running process how it is doing and says so in a table.
//!
//! Exit code 0: ready; 1: not ready; 2: nobody answers, or reading is closed and the token is missing.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use bakau_answers::{
    AlertsStatus, ChannelStatus, DeliveryFault, ExternalBroker, OutboxStatus, Source, SourceState, SpoolStatus, Status,
    StoreStatus,
};
use bakau_model::{BlockedReason, Language, SECOND_MS, SourceKind, StoreKind};
use bakau_text::{Messages, format};
use serde::Deserialize;

use crate::{config::Config, words::texts};

/// A process that takes longer than this is as good as away.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Width of the first column.
const LABEL: usize = 20;
const NOT_READY: u8 = 1;
const NOT_REACHABLE: u8 = 2;

/// The part of a problem document that is for people.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
}

/// Asks the process of this configuration, or the one at `url`.
pub(crate) async fn run(config: &Config, url: Option<&str>, language: Language) -> Result<ExitCode> {
    let base = url.map_or_else(|| format!("http://{}", reachable(config.http.listen)), str::to_owned);
    let url = format!("{}/api/v1/status?lang={}", base.trim_end_matches('/'), language.tag());
    let client =
        reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().with_context(|| say!("no_http_client"))?;
    let mut request = client.get(url);
    if let Some(token) = std::env::var("BAKAU_TOKEN").ok().filter(|token| !token.is_empty()) {
        request = request.bearer_auth(token);
    }
    let words = texts(language);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let problem = root_cause(&error);
            eprintln!("{}", words.fill("status_unreachable", &[("url", &base), ("problem", &problem)]));
            return Ok(ExitCode::from(NOT_REACHABLE));
        }
    };
    let code = answer.status();
    if !code.is_success() {
        let detail = answer.json::<Problem>().await.map_or_else(|_| String::new(), |problem| problem.detail);
        let status = code.as_u16().to_string();
        eprintln!("{}", words.fill("status_refused", &[("url", &base), ("status", &status), ("detail", &detail)]));
        if code == reqwest::StatusCode::UNAUTHORIZED {
            eprintln!("{}", words.text("status_token"));
        }
        return Ok(ExitCode::from(NOT_REACHABLE));
    }
    let status: Status = answer.json().await.with_context(|| say!("no_bakau", url = base))?;
    print!("{}", table(&status, &base, language));
    Ok(if status.ready { ExitCode::SUCCESS } else { ExitCode::from(NOT_READY) })
}

/// Where a process that listens on `listen` is reached from the same machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The innermost cause: "connection refused" says more than "error sending request".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Everything, one line per thing.
fn table(status: &Status, base: &str, language: Language) -> String {
    let words = texts(language);
    let unknown = words.text("status_unknown");
    let verdict = words.text(if status.ready { "status_ready" } else { "status_not_ready" });
    let mut out = format!("Bakau {} {base}: {verdict}\n{}\n", status.version, status.now_local);
    heading(&mut out, words.text("status_checks"));
    for check in &status.checks {
        let says = if check.ok { words.text("status_ok").to_owned() } else { check.reasons.join(" ") };
        line(&mut out, &check.name, &says);
    }
    out.push('\n');
    let spool = status.spool.as_ref().map_or_else(|| unknown.to_owned(), |spool| spool_line(spool, words, language));
    line(&mut out, words.text("status_spool"), &spool);
    line(&mut out, words.text("status_store"), &lag_line(status.store.behind_batches, status.store.lag_ms, words));
    for more in store_lines(&status.store, words) {
        line(&mut out, "", &more);
    }
    line(&mut out, words.text("status_alerts"), &alerts_line(&status.alerts, words));
    let outbox =
        status.outbox.as_ref().map_or_else(|| unknown.to_owned(), |outbox| outbox_line(outbox, words, language));
    line(&mut out, words.text("status_outbox"), &outbox);
    for channel in status.outbox.iter().flat_map(|outbox| &outbox.channels) {
        line(&mut out, "", &channel_line(channel, words));
    }
    heading(&mut out, words.text("status_sources"));
    for source in &status.sources {
        line(&mut out, source.name.as_str(), &source_line(source, words));
        if let Some(external) = &source.external {
            line(&mut out, "", &losses_line(external, words));
        }
    }
    heading(&mut out, words.text("status_agencies"));
    for agency in &status.agencies {
        let counts = [
            ("reporting", agency.stations_reporting.to_string()),
            ("stations", agency.stations.to_string()),
            ("current", agency.datastreams_current.to_string()),
            ("datastreams", agency.datastreams.to_string()),
        ];
        let counts: Vec<(&str, &str)> = counts.iter().map(|(name, count)| (*name, count.as_str())).collect();
        let (name, stations) = (agency.name.get(language), words.fill("status_stations", &counts));
        let share = agency.last_24h.as_ref().and_then(|day| day.completeness);
        let day = share.map(|share| {
            words.fill("status_last_day", &[("share", &format!("{} %", format::percent(share, language)))])
        });
        let day = day.unwrap_or_else(|| words.text("status_last_day_unknown").to_owned());
        let _ = writeln!(out, "  {name}: {stations}, {day}");
    }
    out
}

fn heading(out: &mut String, text: &str) {
    // Writing to a String cannot fail; nor below.
    let _ = writeln!(out, "\n{text}");
}

fn line(out: &mut String, label: &str, says: &str) {
    let _ = writeln!(out, "  {label:LABEL$} {says}");
}

fn spool_line(spool: &SpoolStatus, words: &Messages, language: Language) -> String {
    let (bytes, max) = (format::bytes(spool.unconsumed_bytes, language), format::bytes(spool.max_bytes, language));
    let messages = spool.unconsumed_messages.to_string();
    let says = words.fill("status_spool_size", &[("bytes", &bytes), ("max", &max), ("messages", &messages)]);
    let free = spool.disk_free_bytes.map(|free| format::bytes(free, language));
    let free = free.as_deref().unwrap_or_else(|| words.text("status_unknown"));
    format!("{says}; {}", words.fill("status_disk_free", &[("free", free)]))
}

fn lag_line(batches: u64, lag_ms: Option<i64>, words: &Messages) -> String {
    let seconds = lag_ms.map_or_else(|| words.text("status_unknown").to_owned(), |ms| (ms / 1_000).to_string());
    words.fill("status_behind", &[("batches", &batches.to_string()), ("lag", &seconds)])
}

fn alerts_line(alerts: &AlertsStatus, words: &Messages) -> String {
    let active = words.fill("status_active", &[("active", &alerts.active.to_string())]);
    format!("{}; {active}", lag_line(alerts.behind_batches, alerts.lag_ms, words))
}

/// What the store is, when it last took something, and what went wrong last.
fn store_lines(store: &StoreStatus, words: &Messages) -> Vec<String> {
    let kind = words.text(match store.kind {
        StoreKind::Embedded => "store_embedded",
        StoreKind::Influx => "store_influx",
    });
    let never = words.text("status_no_write").to_owned();
    let last = store.last_write_at_local.as_deref();
    let mut lines =
        vec![format!("{kind}; {}", last.map_or(never, |at| words.fill("status_last_write", &[("at", at)])))];
    if let Some(error) = &store.last_error {
        let key = if error.present { "status_store_fails" } else { "status_store_failed" };
        lines.push(words.fill(key, &[("at", &error.at_local), ("reason", &error.reason)]));
        lines.extend(error.problem.iter().filter(|_| error.present).map(|problem| format!("({problem})")));
    }
    lines
}

fn outbox_line(outbox: &OutboxStatus, words: &Messages, language: Language) -> String {
    let counts = [outbox.waiting, outbox.retrying, outbox.failed].map(|count| count.to_string());
    let [waiting, retrying, failed] = &counts;
    let values = [("waiting", waiting.as_str()), ("retrying", retrying.as_str()), ("failed", failed.as_str())];
    let mut says = words.fill("status_outbox_size", &values);
    if let Some(age) = outbox.oldest_age_s {
        let _ = write!(
            says,
            "; {}",
            words.fill("status_outbox_age", &[("age", &format::span(age.saturating_mul(SECOND_MS), language))])
        );
    }
    says
}

/// Which channel does not deliver, since its newest attempt, and why.
fn channel_line(channel: &ChannelStatus, words: &Messages) -> String {
    let fault = match (channel.fault, channel.code) {
        (DeliveryFault::Answered, Some(code)) => words.fill("fault_answered", &[("code", &code.to_string())]),
        (DeliveryFault::NotConfigured, _) => words.text("fault_not_configured").to_owned(),
        (DeliveryFault::NoAnswer, _) | (DeliveryFault::Answered, None) => words.text("fault_no_answer").to_owned(),
    };
    let (retrying, failed) = (channel.retrying.to_string(), channel.failed.to_string());
    let values = [
        ("channel", channel.channel.as_str()),
        ("retrying", &retrying),
        ("failed", &failed),
        ("at", &channel.last_attempt_at_local),
        ("fault", &fault),
    ];
    let mut says = words.fill("status_channel", &values);
    if let Some(detail) = channel.detail.as_deref().filter(|detail| !detail.is_empty()) {
        let _ = write!(says, " ({detail})");
    }
    says
}

/// What an external broker lost; "unknown" and not 0 where it does not tell.
fn losses_line(external: &ExternalBroker, words: &Messages) -> String {
    let counted = |count: u64| match count {
        0 if !external.counters => words.text("status_unknown").to_owned(),
        count => count.to_string(),
    };
    let (lost, restarts) = (counted(external.lost_in_broker), counted(external.restarts));
    let [sessions, takeovers, uncounted] =
        [external.sessions_lost, external.takeovers, external.uncounted_losses].map(|count| count.to_string());
    let lost = external
        .last_lost_at_local
        .as_deref()
        .map_or_else(|| lost.clone(), |at| words.fill("status_lost_last", &[("lost", &lost), ("at", at)]));
    let values = [
        ("lost", lost.as_str()),
        ("restarts", &restarts),
        ("sessions", &sessions),
        ("takeovers", &takeovers),
        ("uncounted", &uncounted),
    ];
    words.fill("status_losses", &values)
}

fn source_line(source: &Source, words: &Messages) -> String {
    let kind = words.text(match source.kind {
        SourceKind::Broker => "kind_broker",
        SourceKind::Client => "kind_client",
    });
    let state = words.text(match source.state {
        SourceState::Connected => "state_connected",
        SourceState::Connecting => "state_connecting",
        SourceState::Blocked => "state_blocked",
        SourceState::Stopped => "state_stopped",
    });
    let mut says = format!("{kind}, {state}");
    let problem = source.problem.as_ref().and_then(Option::as_deref);
    for more in [source.reason.map(BlockedReason::key), problem].into_iter().flatten() {
        let _ = write!(says, " ({more})");
    }
    let last = source.last_message_at_local.as_deref();
    let last = last.map(|at| words.fill("status_last_message", &[("at", at)]));
    let last = last.unwrap_or_else(|| words.text("status_no_message").to_owned());
    let received = words.fill("status_received", &[("messages", &source.messages.to_string())]);
    let _ = write!(says, "; {received}; {last}");
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"now":"2026-03-10T09:00:00Z","now_local":"2026-03-10T16:00:00+07:00","version":"0.1.0","ready":false,
        "checks":[{"check":"spool","name":"Spool","ok":true,"reasons":[]},{"check":"store","name":"Penyimpanan",
        "ok":false,"reasons":["Penyimpanan tidak menjawab."]}],"spool":{"unconsumed_bytes":1536,
        "unconsumed_messages":7,"max_bytes":2147483648,"disk_free_bytes":32212254720},"store":{"behind_batches":3,
        "lag_ms":4200,"kind":"influx","last_write_at_local":"2026-03-10T15:59:00+07:00","last_error":{"key":"token",
        "reason":"InfluxDB menolak token.","present":true,"at_local":"2026-03-10T16:00:00+07:00","problem":"401",
        "since":"2026-03-10T09:00:00Z","at":"2026-03-10T09:00:00Z"},"last_write_at":"2026-03-10T08:59:00Z"},
        "alerts":{"behind_batches":0,"lag_ms":null,"active":2,"level":"siaga"},"outbox":{"has_recipients":true,"waiting":2,"retrying":1,
        "failed":0,"oldest_at":"2026-03-10T08:59:00Z","oldest_age_s":93600,"channels":[{"channel":"surel",
        "retrying":1,"failed":0,"last_attempt_at_local":"2026-03-10T15:58:00+07:00","fault":"answered","code":451,
        "detail":"greylisted","last_attempt_at":"2026-03-10T08:58:00Z"},{"channel":"bot","retrying":1,"failed":2,
        "last_attempt_at_local":"2026-03-10T15:57:00+07:00","fault":"no_answer","code":null,
        "last_attempt_at":"2026-03-10T08:58:00Z"}]},"sources":[{"name":"mosquitto","kind":"client",
        "state":"blocked","reason":"refused","messages":12,"last_message_at_local":null,
        "external":{"counters":false,"lost_in_broker":0,"last_lost_at_local":null,"restarts":0,"sessions_lost":1,
        "takeovers":0,"uncounted_losses":1,"last_lost_at":null,"holds":null,"last_restart_at":null,
        "last_session_lost_at":null,"last_takeover_at":null,"last_uncounted_loss_at":null},
        "since":"2026-03-10T09:00:00Z","last_message_at":null,"connections":1},{"name":"kota","kind":"client",
        "state":"connected","messages":40,"last_message_at_local":null,"external":{"counters":true,
        "lost_in_broker":31,"last_lost_at_local":"2026-03-10T15:40:00+07:00","restarts":2,"sessions_lost":0,
        "takeovers":0,"uncounted_losses":0,"last_lost_at":"2026-03-10T08:40:00Z","holds":null,
        "last_restart_at":null,"last_session_lost_at":null,"last_takeover_at":null,"last_uncounted_loss_at":null},
        "reason":null,"since":"2026-03-10T09:00:00Z","last_message_at":null,"connections":1}],
        "agencies":[{"id":"dlh","name":{"id":"Dinas Lingkungan Hidup","en":"Environment Agency"},"stations":4,
        "stations_reporting":3,"datastreams":10,"datastreams_current":9,"last_24h":{"completeness":0.9996,
        "from":"2026-03-10T09:00:00Z","from_local":"2026-03-10T09:00:00Z","to":"2026-03-10T09:00:00Z",
        "to_local":"2026-03-10T09:00:00Z","observed":1,"expected":1}},{"id":"dpu","name":{"id":"Dinas PU",
        "en":"Public Works"},"stations":1,"stations_reporting":1,"datastreams":1,"datastreams_current":1,
        "last_24h":null}],"registry_revision":1}"#;

    #[test]
    fn the_table_says_what_does_not_work_in_the_language_asked_for() {
        let status: Status = serde_json::from_str(ANSWER).unwrap();
        let said = table(&status, "http://x", Language::Id);
        for part in [
            "BELUM SIAP",
            "Penyimpanan tidak menjawab.",
            "1,5 kB dari 2,1 GB",
            "3 dari 4 stasiun melapor, 9 dari 10 nilai terkini, 24 jam terakhir 99,9 % dari nilai yang diharapkan",
            "Dinas PU: 1 dari 1 stasiun melapor, 1 dari 1 nilai terkini, 24 jam terakhir belum diketahui",
            "(refused); 12 pesan diterima; belum ada pesan",
            "InfluxDB 2; tulisan terakhir 2026-03-10T15:59:00+07:00",
            "GAGAL 2026-03-10T16:00:00+07:00: InfluxDB menolak token.",
            "; 32,2 GB bebas di disk",
            "tertua sejak 26 jam",
            "saluran surel: 1 sedang dicoba lagi, 0 gagal; terakhir 2026-03-10T15:58:00+07:00: jawaban 451 (greylisted)",
            "saluran bot: 1 sedang dicoba lagi, 2 gagal; terakhir 2026-03-10T15:57:00+07:00: tidak ada jawaban",
            "hilang di broker: tidak diketahui; broker mulai ulang: tidak diketahui; sesi hilang: 1",
            "hilang di broker: 31 pesan (terakhir 2026-03-10T15:40:00+07:00); broker mulai ulang: 2; sesi hilang: 0",
        ] {
            assert!(said.contains(part), "no '{part}' in:\n{said}");
        }
        let said = table(&status, "http://x", Language::En);
        for part in [
            "NOT READY",
            "1.5 kB of 2.1 GB",
            "Environment Agency: 3 of 4",
            "no message yet",
            "unknown s",
            "32.2 GB free on the disk",
            "oldest for 26 hours",
            "channel bot: 1 retrying, 2 failed",
            "lost in the broker: unknown; restarts of the broker: unknown; sessions lost: 1, taken over: 0; losses of an \
             unknown number of messages: 1",
        ] {
            assert!(said.contains(part), "no '{part}' in:\n{said}");
        }
    }

    #[test]
    fn a_process_that_listens_everywhere_is_asked_on_this_machine() {
        assert_eq!(reachable("0.0.0.0:8080".parse().unwrap()), "127.0.0.1:8080".parse().unwrap());
        assert_eq!(reachable("[::]:80".parse().unwrap()), "[::1]:80".parse().unwrap());
        assert_eq!(reachable("10.0.0.5:80".parse().unwrap()), "10.0.0.5:80".parse().unwrap());
    }
}
