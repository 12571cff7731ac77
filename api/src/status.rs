//! `GET /api/v1/status`: how Bakau itself is doing, in one answer; what `/status` shows and `bakau status` prints.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
};
use bakau_dashboards::view::Freshness;
use bakau_ingest::StoreStatus;
use bakau_model::{AgencyId, Language};
use bakau_spool::{Consumer, SpoolSize};
use serde_json::{Value, json};

use crate::{
    access::SeesPeople,
    answer, catalogue,
    error::ApiError,
    gather::Gatherer,
    health::{self, Check},
    language,
    query::Params,
    state::AppState,
    times,
};

/// Everything the status page shows; sentences in the reader's language.
pub(crate) async fn status(
    State(state): State<AppState>,
    SeesPeople(people): SeesPeople,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let language = language::of_request(&uri, &headers);
    let checks = health::checks(&state).await;
    let now = state.clock.now();
    let value = json!({
        "now": answer::time(now),
        "now_local": times::local(now, &catalogue::platform_zone()),
        "version": env!("CARGO_PKG_VERSION"),
        "ready": checks.iter().all(Check::ok),
        "checks": checks.iter().map(|check| health::check_value(check, language)).collect::<Vec<Value>>(),
        "spool": spool(&state).await,
        "store": store(&state, people, language).await,
        "alerts": alerts(&state).await,
        "outbox": outbox(&state).await,
        "sources": health::source_values(&state, people),
        "agencies": agencies(&state),
        "registry_revision": state.snapshot().revision,
    });
    let mut response = answer::json(&value)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `null` where the spool cannot be read; a check says so.
async fn spool(state: &AppState) -> Value {
    let spool = state.spool.clone();
    let Ok(Ok(size)) = tokio::task::spawn_blocking(move || spool.size()).await else { return Value::Null };
    let SpoolSize { unconsumed_bytes, unconsumed_messages, .. } = size;
    json!({
        "unconsumed_bytes": unconsumed_bytes,
        "unconsumed_messages": unconsumed_messages,
        "max_bytes": state.config.spool_max_bytes,
    })
}

/// How far a consumer of the spool is behind, in batches and by the age of the oldest one it has still to take.
async fn consumer(state: &AppState, consumer: Consumer) -> Value {
    let (spool, now) = (state.spool.clone(), state.clock.now());
    let lag = tokio::task::spawn_blocking(move || health::lag_ms(&spool, consumer, now)).await;
    let lag_ms = lag.ok().and_then(Result::ok);
    json!({ "behind_batches": health::behind(&state.spool, consumer), "lag_ms": lag_ms })
}

/// The store: how far behind, last write, and what went wrong last; details that may name machines with the token only.
async fn store(state: &AppState, people: bool, language: Language) -> Value {
    let mut value = consumer(state, Consumer::Store).await;
    let StoreStatus { last_write, failing, failure } = state.store_board.status();
    let zone = catalogue::platform_zone();
    value["kind"] = state.config.store_kind.into();
    value["last_write_at"] = json!(last_write.map(answer::time));
    value["last_write_at_local"] = json!(last_write.map(|at| times::local(at, &zone)));
    value["last_error"] = failure.map_or(Value::Null, |failure| {
        json!({
            "key": failure.key,
            "reason": language::texts(language).text(health::store_problem(failure.key)),
            "present": failing,
            "since": answer::time(failure.since),
            "at": answer::time(failure.last),
            "at_local": times::local(failure.last, &zone),
            "problem": people.then_some(failure.problem),
        })
    });
    value
}

async fn alerts(state: &AppState) -> Value {
    let mut value = consumer(state, Consumer::Alerts).await;
    let active = state.alerts.active();
    value["active"] = active.len().into();
    value["level"] = json!(active.iter().map(|alert| alert.level).max().unwrap_or_default());
    value
}

/// Notices that nobody has yet; `null` where the alert database cannot be read.
async fn outbox(state: &AppState) -> Value {
    match state.alerts.outbox().await {
        Ok(outbox) => json!({
            "waiting": outbox.waiting,
            "retrying": outbox.retrying,
            "failed": outbox.failed,
            "oldest_at": outbox.oldest.map(answer::time),
            "oldest_age_s": outbox.oldest.map(|at| state.clock.now().since(at).max(0) / 1_000),
        }),
        Err(error) => {
            tracing::warn!(%error, "status without outbox");
            Value::Null
        }
    }
}

#[derive(Debug, Default)]
struct Reporting {
    stations: u32,
    reporting: u32,
    datastreams: u32,
    current: u32,
}

/// Of each agency: how many of its stations and datastreams have a current value.
fn agencies(state: &AppState) -> Value {
    let gatherer = Gatherer::new(state);
    let mut counts: BTreeMap<AgencyId, Reporting> = BTreeMap::new();
    for card in gatherer.stations() {
        let count = counts.entry(card.agency.id).or_default();
        count.stations += 1;
        count.reporting += u32::from(matches!(card.freshness, Freshness::Live { .. }));
        for cell in &card.values {
            count.datastreams += 1;
            count.current += u32::from(cell.observed_at.is_some() && !cell.stale);
        }
    }
    let agencies = gatherer.snapshot().agencies.values().map(|agency| {
        let count = counts.get(&agency.id);
        json!({
            "id": agency.id,
            "name": answer::text(&agency.name),
            "stations": count.map_or(0, |count| count.stations),
            "stations_reporting": count.map_or(0, |count| count.reporting),
            "datastreams": count.map_or(0, |count| count.datastreams),
            "datastreams_current": count.map_or(0, |count| count.current),
        })
    });
    agencies.collect()
}
