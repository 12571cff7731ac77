//! Signed HTTP POST.
//!
//! `Bakau-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">` lets the receiver check who sent the body
//! and when; `Bakau-Idempotency-Key` is the same for every attempt, so a receiver can drop what it already has.

use std::{error::Error, fmt::Write, time::Duration};

use bakau_model::{
    AgencyId, DatastreamName, Flag, Level, Parameter, Secret, SourceName, StationId, Text, UtcMillis, hex,
};
use hmac::{Hmac, Mac};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::Serialize;
use sha2::Sha256;

use super::Answer;
use crate::{
    AlertId, ConditionKind, NotificationKind,
    db::DueNotification,
    engine::Reason,
    message::{facts::RuleFacts, text},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Enough of an answer to see what a receiver complains about.
const ANSWER_BYTES: usize = 512;

/// The client every webhook is sent with.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    // Whoever starts Bakau may have installed the same provider before; then this changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // The environment is read in one place only; a proxy would be configured like everything else.
        .no_proxy()
        .user_agent(concat!("bakau/", env!("CARGO_PKG_VERSION")))
        .build()
}

#[derive(Serialize)]
struct Body<'a> {
    /// Which transition: the alert and its position within it.
    id: String,
    idempotency_key: &'a str,
    kind: NotificationKind,
    alert: AlertPart,
    /// These three are null where the alert is about a whole station or a source; a source has no station.
    station: Option<StationPart<'a>>,
    datastream: Option<&'a DatastreamName>,
    parameter: Option<ParameterPart<'a>>,
    source: Option<&'a SourceName>,
    agency: Option<&'a AgencyId>,
    value: Option<f64>,
    unit: Option<&'a str>,
    flag: Option<Flag>,
    /// The raise or clear value that was passed.
    limit: Option<f64>,
    level: Level,
    previous_level: Level,
    observed_at: String,
    decided_at: String,
    rule: &'a RuleFacts,
    text: Text,
}

#[derive(Serialize)]
struct AlertPart {
    id: AlertId,
    kind: ConditionKind,
    /// Notifications may overtake each other; receivers order by this.
    sequence: u32,
    onset: String,
    /// Whether it may have begun before that, where nobody looked.
    onset_at_latest: bool,
    peak: Level,
    /// The worst value so far, in the canonical unit.
    worst: Option<f64>,
    open: bool,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct StationPart<'a> {
    id: &'a StationId,
    name: &'a Text,
    time_zone: &'a str,
}

#[derive(Serialize)]
struct ParameterPart<'a> {
    code: &'a Parameter,
    name: &'a Text,
}

/// The body: the same bytes for every attempt.
pub(crate) fn render(notification: &DueNotification, public_url: Option<&str>) -> Result<String, serde_json::Error> {
    let facts = &notification.facts;
    serde_json::to_string(&Body {
        id: format!("{}-{}", facts.alert, facts.sequence),
        idempotency_key: &notification.idempotency_key,
        kind: notification.kind,
        alert: AlertPart {
            id: facts.alert,
            kind: facts.kind,
            sequence: facts.sequence,
            onset: facts.onset.to_string(),
            onset_at_latest: facts.onset_at_latest,
            peak: facts.peak,
            worst: facts.worst,
            open: facts.level != Level::Normal,
            reason: facts.reason,
            url: public_url.map(|url| format!("{}/alerts/{}", url.trim_end_matches('/'), facts.alert)),
        },
        station: facts.station().map(|station| StationPart {
            id: &station.id,
            name: &station.name,
            time_zone: &station.time_zone,
        }),
        datastream: facts.datastream(),
        parameter: facts.parameter().map(|parameter| ParameterPart { code: &parameter.code, name: &parameter.name }),
        source: facts.source(),
        agency: facts.agency.as_ref().map(|agency| &agency.id),
        value: facts.value,
        unit: facts.parameter().map(|parameter| parameter.unit.as_str()),
        flag: facts.flag,
        limit: facts.limit,
        level: facts.level,
        previous_level: facts.previous_level,
        observed_at: facts.observed_at.to_string(),
        decided_at: facts.decided_at.to_string(),
        rule: &facts.rule,
        text: text::both(facts),
    })
}

/// The value of the `Bakau-Signature` header.
pub(crate) fn sign(secret: &Secret, now: UtcMillis, body: &str) -> String {
    let seconds = now.get().div_euclid(1000);
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("an HMAC key");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("t={seconds},v1={}", hex::encode(&mac.finalize().into_bytes()))
}

/// Posts a body and waits for the answer, at most [`TOTAL_TIMEOUT`].
pub(crate) async fn send(client: &Client, url: &str, signature: &str, idempotency_key: &str, body: String) -> Answer {
    let request = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Bakau-Signature", signature)
        .header("Bakau-Idempotency-Key", idempotency_key)
        .body(body);
    let mut response = match sent(request, str::to_owned).await {
        Ok(response) => response,
        Err(answer) => return answer,
    };
    let status: StatusCode = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    let beginning = beginning(&mut response, ANSWER_BYTES).await;
    let body = String::from_utf8_lossy(&beginning).chars().filter(|c| !c.is_control()).collect();
    Answer::Http { status: status.as_u16(), retry_after, body }
}

/// Sends a request; why there is no answer goes through `safe`, besides that it has no address.
pub(super) async fn sent(request: RequestBuilder, safe: impl Fn(&str) -> String) -> Result<Response, Answer> {
    request.send().await.map_err(|error| {
        let is_builder = error.is_builder();
        let told = safe(&told(error));
        if is_builder { Answer::Impossible(format!("not a usable address: {told}")) } else { Answer::None(told) }
    })
}

/// The beginning of an answer. Its status has decided: a body that breaks off changes nothing.
pub(super) async fn beginning(response: &mut Response, most: usize) -> Vec<u8> {
    let mut beginning = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = most.saturating_sub(beginning.len());
        beginning.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room <= chunk.len() {
            break;
        }
    }
    beginning
}

/// The error with its causes but without the address, which may hold a token.
fn told(error: reqwest::Error) -> String {
    let kind = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "no answer in time",
        (false, true) => "no connection",
        (false, false) => "interrupted",
    };
    let error = error.without_url();
    let mut text = format!("{kind}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _written = write!(text, ": {inner}");
        cause = inner.source();
    }
    text.chars().take(ANSWER_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, notification};

    #[test]
    fn the_body_says_everything_a_receiver_needs() {
        let facts = facts(Level::Normal, Level::Awas, Reason::Threshold, 0.42, Some(0.5));
        let body = render(&notification(facts, None), Some("https://bakau.example/")).unwrap();
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&body).unwrap()).unwrap()
        );
    }

    #[test]
    fn the_signature_is_the_hmac_of_time_and_body() {
        // Computed with: printf '1773083580.{}' | openssl dgst -sha256 -hmac rahasia
        let header = sign(&Secret::new("rahasia"), UtcMillis::new(1_773_083_580_999), "{}");
        assert_eq!(header, "t=1773083580,v1=162b6ef82eaddcc46147614661dc9867c638d9dd8c0e251c5f1cea213a14445a");
    }
}
