//! `GET /api/v1/status`: how Bakau itself is doing, in one answer; what `/status` shows and `bakau status` prints.

use std::{cmp::Reverse, collections::BTreeMap};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
};
use bakau_alerts::{AlertsError, NoticeState, NoticeView, OutboxView};
use bakau_dashboards::view::DeliveryFault;
use bakau_ingest::StoreStatus;
use bakau_model::{ChannelId, Language, UtcMillis};
use bakau_spool::{Consumer, SpoolSize};
use serde_json::{Value, json};

use crate::{
    http::{access::SeesPeople, answer, error::ApiError, language, query::Params, times},
    read::readiness,
    state::AppState,
    v1::{
        catalogue,
        health::{self, Check},
    },
};

/// How long a fault of a channel is shown.
const FAULTS_MS: i64 = 86_400_000;
/// Notices looked through for faults.
const MOST_FAULTS: usize = 1_000;

/// Everything the status page shows; sentences in the reader's language.
pub(crate) async fn status(
    State(state): State<AppState>,
    SeesPeople(people): SeesPeople,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Params::parse(&uri, &[])?;
    let language = language::of_request(&uri, &headers);
    // Before the checks, so that a failure that is told of has its reason among them.
    let store = store(&state, people, language).await;
    let checks = health::checks(&state).await;
    let now = state.clock.now();
    let value = json!({
        "now": answer::time(now),
        "now_local": times::local(now, &catalogue::platform_zone()),
        "version": env!("CARGO_PKG_VERSION"),
        "ready": checks.iter().all(Check::ok),
        "checks": checks.iter().map(|check| health::check_value(check, language)).collect::<Vec<Value>>(),
        "spool": spool(&state).await,
        "store": store,
        "alerts": alerts(&state).await,
        "outbox": outbox(&state, people).await,
        "sources": health::source_values(&state, people),
        "agencies": readiness::values(&state).await,
        "registry_revision": state.snapshot().revision,
    });
    let mut response = answer::json(&value)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// How much the spool holds; `None` where it cannot be read: a check says so.
pub(crate) async fn spool_size(state: &AppState) -> Option<SpoolSize> {
    let spool = state.spool.clone();
    tokio::task::spawn_blocking(move || spool.size()).await.ok()?.ok()
}

async fn spool(state: &AppState) -> Value {
    let Some(size) = spool_size(state).await else { return Value::Null };
    let SpoolSize { unconsumed_bytes, unconsumed_messages, disk_free_bytes, .. } = size;
    json!({
        "unconsumed_bytes": unconsumed_bytes,
        "unconsumed_messages": unconsumed_messages,
        "max_bytes": state.config.spool_max_bytes,
        "disk_free_bytes": disk_free_bytes,
    })
}

/// How long the oldest batch has waited that a consumer has still to take; `None` where the spool cannot be read.
pub(crate) async fn lag_ms(state: &AppState, consumer: Consumer) -> Option<i64> {
    let (spool, now) = (state.spool.clone(), state.clock.now());
    tokio::task::spawn_blocking(move || health::lag_ms(&spool, consumer, now)).await.ok()?.ok()
}

/// How far a consumer of the spool is behind, in batches and by the age of the oldest one it has still to take.
async fn consumer(state: &AppState, consumer: Consumer) -> Value {
    let lag_ms = lag_ms(state, consumer).await;
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

/// A channel that lately did not deliver.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FaultyChannel {
    pub(crate) id: ChannelId,
    /// Notices that are tried again.
    pub(crate) retrying: u64,
    /// Notices that were given up.
    pub(crate) failed: u64,
    pub(crate) last_attempt_at: UtcMillis,
    /// What the newest attempt met...
    pub(crate) fault: DeliveryFault,
    /// ...in the receiver's own words, which may name people.
    pub(crate) detail: String,
}

/// Faults of the last day by channel, the one in most trouble first.
fn faulty_channels(notices: &[NoticeView], now: UtcMillis) -> Vec<FaultyChannel> {
    let mut channels: BTreeMap<&ChannelId, FaultyChannel> = BTreeMap::new();
    for notice in notices {
        let Some(last) = notice.deliveries.last().filter(|last| now.since(last.at) < FAULTS_MS) else { continue };
        let fault = match (last.verdict.as_str(), last.http_status) {
            ("not_configured", _) => DeliveryFault::NotConfigured,
            (_, Some(code)) => DeliveryFault::Answered(code),
            (_, None) => DeliveryFault::NoAnswer,
        };
        let (id, detail) = (notice.channel.clone(), last.detail.clone());
        let new = FaultyChannel { id, retrying: 0, failed: 0, last_attempt_at: last.at, fault, detail };
        let channel = channels.entry(&notice.channel).or_insert_with(|| new.clone());
        if channel.last_attempt_at < last.at {
            *channel = FaultyChannel { retrying: channel.retrying, failed: channel.failed, ..new };
        }
        match notice.state {
            NoticeState::Failed => channel.failed += 1,
            NoticeState::Pending | NoticeState::Sent | NoticeState::Cancelled => channel.retrying += 1,
        }
    }
    let mut channels: Vec<FaultyChannel> = channels.into_values().collect();
    channels.sort_by_key(|channel| Reverse((channel.retrying, channel.failed)));
    channels
}

/// Notices that nobody has yet and channels with faults; `None` where the alert database cannot be read.
pub(crate) async fn outbox_state(state: &AppState) -> Option<(OutboxView, Vec<FaultyChannel>)> {
    let read = async {
        let outbox = state.alerts.outbox().await?;
        let faulty = if outbox.retrying + outbox.failed == 0 {
            Vec::new()
        } else {
            state.alerts.delivery_problems(MOST_FAULTS).await?
        };
        Ok::<_, AlertsError>((outbox, faulty_channels(&faulty, state.clock.now())))
    };
    match read.await {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::warn!(%error, "status without outbox");
            None
        }
    }
}

async fn outbox(state: &AppState, people: bool) -> Value {
    let Some((outbox, channels)) = outbox_state(state).await else { return Value::Null };
    let zone = catalogue::platform_zone();
    let channel = |channel: &FaultyChannel| {
        let (fault, code) = match channel.fault {
            DeliveryFault::NoAnswer => ("no_answer", None),
            DeliveryFault::Answered(code) => ("answered", Some(code)),
            DeliveryFault::NotConfigured => ("not_configured", None),
        };
        let mut value = json!({
            "channel": channel.id,
            "retrying": channel.retrying,
            "failed": channel.failed,
            "last_attempt_at": answer::time(channel.last_attempt_at),
            "last_attempt_at_local": times::local(channel.last_attempt_at, &zone),
            "fault": fault,
            "code": code,
        });
        if people {
            value["detail"] = channel.detail.as_str().into();
        }
        value
    };
    json!({
        "waiting": outbox.waiting,
        "retrying": outbox.retrying,
        "failed": outbox.failed,
        "oldest_at": outbox.oldest.map(answer::time),
        "oldest_age_s": outbox.oldest.map(|at| state.clock.now().since(at).max(0) / 1_000),
        "channels": channels.iter().map(channel).collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use bakau_alerts::{DeliveryView, NoticeKind};

    use super::*;

    fn notice(channel: &str, state: NoticeState, at: i64, verdict: &str, code: Option<u16>) -> NoticeView {
        let delivery = DeliveryView {
            attempt: 1,
            at: UtcMillis::new(at),
            verdict: verdict.to_owned(),
            http_status: code,
            duration_ms: 1,
            detail: format!("said at {at}"),
        };
        NoticeView {
            id: at,
            transition: 1,
            alert: "00000000000000000000000000000000".parse().unwrap(),
            kind: NoticeKind::Transition,
            person: None,
            channel: channel.parse().unwrap(),
            recipient: "somebody".to_owned(),
            state,
            attempts: 1,
            next_attempt_at: None,
            last_result: None,
            deliveries: vec![delivery],
        }
    }

    #[test]
    fn channels_in_trouble_tell_their_newest_fault_and_old_ones_are_left_out() {
        let now = UtcMillis::new(FAULTS_MS + 5_000);
        let notices = [
            notice("mail", NoticeState::Failed, 6_000, "failed", Some(550)),
            notice("old", NoticeState::Failed, 5_000, "failed", Some(404)),
            notice("mail", NoticeState::Pending, 9_000, "retry", None),
            notice("mail", NoticeState::Pending, 8_000, "retry", Some(451)),
            notice("bot", NoticeState::Pending, 7_000, "not_configured", Some(401)),
        ];
        let found = faulty_channels(&notices, now);
        let said: Vec<_> = found.iter().map(|c| (c.id.as_str(), c.retrying, c.failed, c.fault)).collect();
        let expected = [("mail", 2, 1, DeliveryFault::NoAnswer), ("bot", 1, 0, DeliveryFault::NotConfigured)];
        assert_eq!(said, expected);
        assert_eq!(found[0].detail, "said at 9000");
    }
}
