//! `/healthz`, `/readyz`, `/metrics` and `GET /api/v1/sources`: how Bakau itself is doing.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bakau_answers::{self as answers, Readiness, Source, SourceList};
use bakau_ingest::{ExternalBroker, IntakeHealth, NotCommitted, SourceState, SourceStatus};
use bakau_model::{Language, UtcMillis};
use bakau_spool::{Consumer, SpoolError, SpoolReader};
use bakau_store::{Hold, StoreErrorKind, StoreProblem};
use jiff::tz::TimeZone;

use crate::{
    http::{
        access::SeesPeople,
        answer,
        call::{Answered, Call},
        language::texts,
        metrics, times,
    },
    state::AppState,
    v1::catalogue,
};

/// Longest lag of the alert engine behind the spool while Bakau is ready.
const MAX_ALERT_LAG_MS: i64 = 30_000;
/// Most observations read to find the oldest one that a consumer has not taken.
const LAG_OBSERVATIONS: usize = 1;

/// One thing that must work.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// Stable key, also of its name in the message files.
    pub(crate) key: &'static str,
    /// What is wrong, each as (stable key of the message, values); empty when it works.
    reasons: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

impl Check {
    fn new(key: &'static str) -> Self {
        Self { key, reasons: Vec::new() }
    }

    fn fails(mut self, reason: &'static str, values: Vec<(&'static str, String)>) -> Self {
        self.reasons.push((reason, values));
        self
    }

    /// Whether it works.
    pub(crate) fn ok(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The answer in one language.
    pub(crate) fn tell(&self, language: Language) -> answers::Check {
        answers::Check {
            check: self.key.trim_start_matches("ready_").to_owned(),
            name: texts(language).text(self.key).to_owned(),
            ok: self.ok(),
            reasons: self.sentences(language),
        }
    }

    /// What is wrong, for people.
    fn sentences(&self, language: Language) -> Vec<String> {
        let sentence = |(key, values): &(&'static str, Vec<(&'static str, String)>)| {
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            texts(language).fill(key, &values)
        };
        self.reasons.iter().map(sentence).collect()
    }
}

/// The process answers.
pub(crate) async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// Whether the whole line works, with reasons where it does not.
pub(crate) async fn readyz(call: Call) -> Answered {
    let language = call.language();
    let checks = checks(&call.state).await;
    let ready = checks.iter().all(Check::ok);
    let body = Readiness { ready, checks: checks.iter().map(|check| check.tell(language)).collect() };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = answer::json_of_now(&body)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Everything that must work for Bakau to be ready.
pub(crate) async fn checks(state: &AppState) -> Vec<Check> {
    let mut checks = vec![spool_check(state).await, store_check(state).await, alerts_check(state).await];
    checks.push(sources_check(&state.board.sources()));
    checks
}

async fn spool_check(state: &AppState) -> Check {
    let check = Check::new("ready_spool");
    let health = *state.intake.borrow();
    match health {
        IntakeHealth::Blocked(NotCommitted::SpoolFull) => return check.fails("ready_spool_full", Vec::new()),
        IntakeHealth::Blocked(NotCommitted::SpoolFailed) => return check.fails("ready_spool_failed", Vec::new()),
        IntakeHealth::Blocked(NotCommitted::Stopping) => return check.fails("ready_stopping", Vec::new()),
        IntakeHealth::Open => {}
    }
    let spool = state.spool.clone();
    match tokio::task::spawn_blocking(move || spool.size()).await {
        Ok(Ok(_)) => check,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "readiness: spool unreadable");
            check.fails("ready_spool_failed", Vec::new())
        }
        Err(_) => check.fails("ready_stopping", Vec::new()),
    }
}

async fn store_check(state: &AppState) -> Check {
    let check = Check::new("ready_store");
    // A store may answer and still take nothing.
    if let Some(failure) = state.store_board.status().present_failure() {
        return check.fails(store_problem(failure.problem), Vec::new());
    }
    match state.store.health().await {
        Ok(()) => check,
        Err(error) => {
            tracing::warn!(error = %error, "readiness: store does not answer");
            check.fails(store_problem(error.problem()), Vec::new())
        }
    }
}

/// The sentence for a failure of the store, with what can be done about it.
pub(crate) const fn store_problem(problem: StoreProblem) -> &'static str {
    match problem {
        StoreProblem::Kind(kind) => match kind {
            StoreErrorKind::Unavailable => "store_unavailable",
            StoreErrorKind::Full => "store_full",
            StoreErrorKind::Corrupt => "store_corrupt",
            StoreErrorKind::NewerFormat => "store_newer_format",
            StoreErrorKind::Refused | StoreErrorKind::Other => "store_failed",
        },
        StoreProblem::InfluxFull => "store_influx_full",
        StoreProblem::Mapping => "store_mapping",
        StoreProblem::Hold(hold) => match hold {
            Hold::Token => "store_token",
            Hold::Right => "store_right",
            Hold::Bucket => "store_bucket",
            Hold::Redirect => "store_redirect",
            Hold::NotInflux => "store_not_influx",
            Hold::Unexpected => "store_unexpected",
        },
    }
}

async fn alerts_check(state: &AppState) -> Check {
    let check = Check::new("ready_alerts");
    let (spool, now) = (state.spool.clone(), state.clock.now());
    let lag = tokio::task::spawn_blocking(move || lag_ms(&spool, Consumer::Alerts, now)).await;
    match lag {
        Ok(Ok(lag)) if lag <= MAX_ALERT_LAG_MS => check,
        Ok(Ok(_)) => {
            let behind = behind(&state.spool, Consumer::Alerts);
            check.fails("ready_alerts_behind", vec![("behind", behind.to_string())])
        }
        // An unreadable spool is told by its own check.
        Ok(Err(_)) => check.fails("ready_spool_failed", Vec::new()),
        Err(_) => check.fails("ready_stopping", Vec::new()),
    }
}

/// Batches that a consumer has not taken.
pub(crate) fn behind(spool: &SpoolReader, consumer: Consumer) -> u64 {
    spool.last_seq().get().saturating_sub(spool.cursor(consumer).get())
}

/// Age of the oldest observation that a consumer has not taken; 0 when it has all.
pub(crate) fn lag_ms(spool: &SpoolReader, consumer: Consumer, now: UtcMillis) -> Result<i64, SpoolError> {
    if behind(spool, consumer) == 0 {
        return Ok(0);
    }
    let next = spool.read_after(spool.cursor(consumer), LAG_OBSERVATIONS)?;
    let arrivals = next.iter().flat_map(|batch| &batch.observations).map(|sourced| sourced.observation.received_at);
    Ok(arrivals.min().map_or(0, |oldest| now.since(oldest).max(0)))
}

fn sources_check(sources: &[SourceStatus]) -> Check {
    let check = Check::new("ready_sources");
    if sources.is_empty() {
        return check.fails("ready_sources_none", Vec::new());
    }
    sources.iter().fold(check, |check, source| {
        let name = ("source", source.name.to_string());
        match source.state {
            SourceState::Connected => check,
            SourceState::Connecting => check.fails("ready_source_connecting", vec![name]),
            SourceState::Blocked(reason) => {
                check.fails("ready_source_blocked", vec![name, ("reason", reason.key().to_owned())])
            }
            SourceState::Stopped => check.fails("ready_source_stopped", vec![name]),
        }
    })
}

/// Every counter of the process; names and numbers only, nothing a device or a person sent.
pub(crate) async fn prometheus_text() -> Answered {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, metrics::text()?).into_response())
}

/// The sources: where messages come in.
pub(crate) async fn sources(call: Call, SeesPeople(people): SeesPeople) -> Answered {
    call.params(&[])?;
    answer::json(&SourceList { sources: tell_sources(&call.state, people) })
}

/// Every source. What went wrong in words may name machines, so it is told to holders of the token only.
pub(crate) fn tell_sources(state: &AppState, people: bool) -> Vec<Source> {
    let zone = catalogue::platform_zone();
    state.board.sources().into_iter().map(|status| tell_source(status, people, &zone)).collect()
}

fn tell_source(status: SourceStatus, people: bool, zone: &TimeZone) -> Source {
    let (state, reason) = match status.state {
        SourceState::Connecting => (answers::SourceState::Connecting, None),
        SourceState::Connected => (answers::SourceState::Connected, None),
        SourceState::Blocked(reason) => (answers::SourceState::Blocked, Some(reason)),
        SourceState::Stopped => (answers::SourceState::Stopped, None),
    };
    Source {
        name: status.name,
        kind: status.kind,
        state,
        reason,
        since: status.since.into(),
        last_message_at: status.last_message.map(Into::into),
        last_message_at_local: status.last_message.map(|at| times::local(at, zone)),
        messages: status.messages,
        connections: status.connections,
        external: status.external.as_ref().map(|external| tell_external(external, zone)),
        problem: people.then_some(status.problem),
    }
}

/// What is known about losses inside an external broker.
fn tell_external(external: &ExternalBroker, zone: &TimeZone) -> answers::ExternalBroker {
    answers::ExternalBroker {
        counters: external.counters,
        lost_in_broker: external.lost_in_broker,
        last_lost_at: external.last_lost.map(Into::into),
        last_lost_at_local: external.last_lost.map(|at| times::local(at, zone)),
        holds: external.holds,
        restarts: external.restarts,
        last_restart_at: external.last_restart.map(Into::into),
        sessions_lost: external.sessions_lost,
        last_session_lost_at: external.last_session_lost.map(Into::into),
        takeovers: external.takeovers,
        last_takeover_at: external.last_takeover.map(Into::into),
        uncounted_losses: external.uncounted_losses,
        last_uncounted_loss_at: external.last_uncounted_loss.map(Into::into),
    }
}
