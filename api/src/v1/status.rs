//! `GET /api/v1/status`: how Bakau itself is doing, in one answer; what `/status` shows and `bakau status` prints.

use std::{cmp::Reverse, collections::BTreeMap};

use bakau_alerts::{AlertsError, NotificationState, NotificationView};
use bakau_answers::{
    AlertsStatus, ChannelStatus, DeliveryFault, OutboxStatus, SpoolStatus, Status, StoreError, StoreStatus,
};
use bakau_ingest::StoreStatus as Writing;
use bakau_model::{ChannelId, DAY_MS, DeliveryVerdict, Language, UtcMillis};
use bakau_spool::{Consumer, SpoolSize};
use jiff::tz::TimeZone;

use crate::{
    http::{
        access::SeesPeople,
        answer,
        call::{Answered, Call},
        language, times,
    },
    read::readiness,
    state::AppState,
    v1::{
        catalogue,
        health::{self, Check},
    },
};

/// How long a fault of a channel is shown.
const FAULTS_MS: i64 = DAY_MS;
/// Most notifications read to find faults.
const MOST_FAULTS: usize = 1_000;

/// Everything the status page shows; sentences in the reader's language.
pub(crate) async fn status(call: Call, SeesPeople(people): SeesPeople) -> Answered {
    call.params(&[])?;
    answer::json_of_now(&tell(&call.state, people, call.language()).await)
}

/// How Bakau itself is doing. What receivers, brokers and stores answered may name people and machines: only for `people`.
pub(crate) async fn tell(state: &AppState, people: bool, language: Language) -> Status {
    let zone = catalogue::platform_zone();
    // Before the checks, so that a failure that is told of has its reason among them.
    let store = store(state, people, language, &zone).await;
    let checks = health::checks(state).await;
    let now = state.clock.now();
    Status {
        now: now.into(),
        now_local: times::local(now, &zone),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: checks.iter().all(Check::ok),
        checks: checks.iter().map(|check| check.tell(language)).collect(),
        spool: spool(state).await,
        store,
        alerts: alerts(state).await,
        outbox: outbox(state, people, &zone).await,
        sources: health::tell_sources(state, people),
        agencies: readiness::readiness(state).await,
        registry_revision: state.snapshot().revision,
    }
}

/// How much the spool holds; `None` where it cannot be read: a check says so.
async fn spool(state: &AppState) -> Option<SpoolStatus> {
    let spool = state.spool.clone();
    let size = tokio::task::spawn_blocking(move || spool.size()).await.ok()?.ok()?;
    let SpoolSize { unconsumed_bytes, unconsumed_messages, disk_free_bytes, .. } = size;
    Some(SpoolStatus {
        unconsumed_bytes,
        unconsumed_messages,
        max_bytes: state.config.spool_max_bytes,
        disk_free_bytes,
    })
}

/// Age of the oldest batch that a consumer has not taken, in milliseconds; `None` where the spool cannot be read.
async fn lag_ms(state: &AppState, consumer: Consumer) -> Option<i64> {
    let (spool, now) = (state.spool.clone(), state.clock.now());
    tokio::task::spawn_blocking(move || health::lag_ms(&spool, consumer, now)).await.ok()?.ok()
}

async fn store(state: &AppState, people: bool, language: Language, zone: &TimeZone) -> StoreStatus {
    let lag_ms = lag_ms(state, Consumer::Store).await;
    let Writing { last_write, failing, failure } = state.store_board.status();
    StoreStatus {
        behind_batches: health::behind(&state.spool, Consumer::Store),
        lag_ms,
        kind: state.config.store_kind,
        last_write_at: last_write.map(Into::into),
        last_write_at_local: last_write.map(|at| times::local(at, zone)),
        last_error: failure.map(|failure| StoreError {
            reason: language::texts(language).text(health::store_problem(failure.problem)).to_owned(),
            key: failure.problem.key().to_owned(),
            present: failing,
            since: failure.since.into(),
            at: failure.last.into(),
            at_local: times::local(failure.last, zone),
            problem: people.then_some(failure.words),
        }),
    }
}

async fn alerts(state: &AppState) -> AlertsStatus {
    let lag_ms = lag_ms(state, Consumer::Alerts).await;
    let active = state.alerts.active();
    AlertsStatus {
        behind_batches: health::behind(&state.spool, Consumer::Alerts),
        lag_ms,
        active: active.len() as u64,
        level: active.iter().map(|alert| alert.level).max().unwrap_or_default(),
    }
}

/// Faults of the last day by channel, the one in most trouble first.
fn faulty_channels(
    notifications: &[NotificationView],
    now: UtcMillis,
    people: bool,
    zone: &TimeZone,
) -> Vec<ChannelStatus> {
    let mut channels: BTreeMap<&ChannelId, ChannelStatus> = BTreeMap::new();
    for notification in notifications {
        let Some(last) = notification.deliveries.last().filter(|last| now.since(last.at) < FAULTS_MS) else { continue };
        let (fault, code) = match (last.verdict, last.http_status) {
            (DeliveryVerdict::NotConfigured, _) => (DeliveryFault::NotConfigured, None),
            (DeliveryVerdict::Sent | DeliveryVerdict::Retry | DeliveryVerdict::Failed, code) => {
                (if code.is_some() { DeliveryFault::Answered } else { DeliveryFault::NoAnswer }, code)
            }
        };
        let new = ChannelStatus {
            channel: notification.channel.clone(),
            retrying: 0,
            failed: 0,
            last_attempt_at: last.at.into(),
            last_attempt_at_local: times::local(last.at, zone),
            fault,
            code,
            detail: people.then(|| last.detail.clone()),
        };
        let channel = channels.entry(&notification.channel).or_insert_with(|| new.clone());
        if channel.last_attempt_at < new.last_attempt_at {
            *channel = ChannelStatus { retrying: channel.retrying, failed: channel.failed, ..new };
        }
        match notification.state {
            NotificationState::Failed => channel.failed += 1,
            NotificationState::Pending | NotificationState::Sent | NotificationState::Cancelled => {
                channel.retrying += 1
            }
        }
    }
    let mut channels: Vec<ChannelStatus> = channels.into_values().collect();
    channels.sort_by_key(|channel| Reverse((channel.retrying, channel.failed)));
    channels
}

/// Notifications that nobody has yet and channels with faults; `None` where the alert database cannot be read.
async fn outbox(state: &AppState, people: bool, zone: &TimeZone) -> Option<OutboxStatus> {
    let read = async {
        let outbox = state.alerts.outbox().await?;
        let quiet = outbox.retrying + outbox.failed == 0;
        let faulty = if quiet { Vec::new() } else { state.alerts.delivery_problems(MOST_FAULTS).await? };
        Ok::<_, AlertsError>((outbox, faulty))
    };
    let (now, snapshot) = (state.clock.now(), state.snapshot());
    let by_rule = snapshot.rules.values().any(|rule| !rule.channels.is_empty());
    match read.await {
        Ok((outbox, faulty)) => Some(OutboxStatus {
            has_recipients: by_rule || !snapshot.notification_routes.is_empty(),
            waiting: outbox.waiting,
            retrying: outbox.retrying,
            failed: outbox.failed,
            oldest_at: outbox.oldest.map(Into::into),
            oldest_age_s: outbox.oldest.map(|at| now.since(at).max(0) / 1_000),
            channels: faulty_channels(&faulty, now, people, zone),
        }),
        Err(error) => {
            tracing::warn!(%error, "status without outbox");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use bakau_alerts::{DeliveryView, NotificationKind};

    use super::*;

    fn notification(
        channel: &str,
        state: NotificationState,
        at: i64,
        verdict: DeliveryVerdict,
        code: Option<u16>,
    ) -> NotificationView {
        let delivery = DeliveryView {
            attempt: 1,
            at: UtcMillis::new(at),
            verdict,
            http_status: code,
            duration_ms: 1,
            detail: format!("said at {at}"),
        };
        NotificationView {
            id: at,
            transition: 1,
            alert: "00000000000000000000000000000000".parse().unwrap(),
            kind: NotificationKind::Transition,
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
        let notifications = [
            notification("mail", NotificationState::Failed, 6_000, DeliveryVerdict::Failed, Some(550)),
            notification("old", NotificationState::Failed, 5_000, DeliveryVerdict::Failed, Some(404)),
            notification("mail", NotificationState::Pending, 9_000, DeliveryVerdict::Retry, None),
            notification("mail", NotificationState::Pending, 8_000, DeliveryVerdict::Retry, Some(451)),
            notification("bot", NotificationState::Pending, 7_000, DeliveryVerdict::NotConfigured, Some(401)),
        ];
        let found = faulty_channels(&notifications, now, true, &TimeZone::UTC);
        let said: Vec<_> = found.iter().map(|c| (c.channel.as_str(), c.retrying, c.failed, c.fault)).collect();
        let expected = [("mail", 2, 1, DeliveryFault::NoAnswer), ("bot", 1, 0, DeliveryFault::NotConfigured)];
        assert_eq!(said, expected);
        assert_eq!(found[0].detail.as_deref(), Some("said at 9000"));
        let public = faulty_channels(&notifications, now, false, &TimeZone::UTC);
        assert!(public.iter().all(|channel| channel.detail.is_none()), "receivers may name people");
    }
}
