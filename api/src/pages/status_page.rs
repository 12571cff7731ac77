//! `/status`: what an operator needs of what `GET /api/v1/status` tells, as a page.

use std::cmp::Reverse;

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_dashboards::{
    page,
    view::{
        AgencyRow, BlockedReason, BrokerLosses, ChannelRow, CheckRow, Lag, Named, NoticesStatus, SourceKind, SourceRow,
        SourceState, SpoolStatus, StatusView,
    },
};
use bakau_ingest::ExternalBroker;
use bakau_spool::{Consumer, SpoolSize};

use crate::{
    http::{access::SeesPeople, error::ApiError, query::Span},
    pages::views,
    read::readiness,
    state::AppState,
    v1::{
        health::{self, Check},
        ledger, status,
    },
};

/// Time the ledgers on the page cover.
const LEDGER_MS: i64 = 3_600_000;

/// How Bakau itself is doing. What receivers and brokers answered may name people and machines: with the token only.
pub(crate) async fn status(
    State(state): State<AppState>,
    SeesPeople(people): SeesPeople,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let frame = views::frame(&state, &uri, &headers, None);
    let checks = health::checks(&state).await;
    let now = frame.generated_at;
    let span = ledger::whole_minutes(Span { from: now.saturating_add(-LEDGER_MS), to: now.saturating_add(1) });
    // The page that says what does not work must not need it.
    let total = match ledger::read(&state, span).await {
        Ok(ledger) => ledger.total(),
        Err(error) => {
            tracing::warn!(cause = error.cause(), "status page without ledger");
            ledger::Line::default()
        }
    };
    let row = |check: &Check| CheckRow {
        name: check.name(frame.language).to_owned(),
        ok: check.ok(),
        detail: check.sentences(frame.language).join(" "),
    };
    let view = StatusView {
        ready: checks.iter().all(Check::ok),
        checks: checks.iter().map(row).collect(),
        sources: sources(&state, people),
        spool: status::spool_size(&state).await.map(|size| spool(&state, size)),
        store: lag(&state, Consumer::Store).await,
        is_influx: state.config.store_kind == "influx",
        last_write: state.store_board.status().last_write,
        alerts: lag(&state, Consumer::Alerts).await,
        notices: notices(&state, people).await,
        agencies: agencies(&state).await,
        ledger_from: span.from,
        ledger_to: span.to,
        messages: total.messages,
        readings: total.readings,
        frame,
    };
    views::show(&uri, page::status(&view))
}

fn spool(state: &AppState, size: SpoolSize) -> SpoolStatus {
    SpoolStatus {
        bytes: size.unconsumed_bytes,
        max_bytes: state.config.spool_max_bytes,
        unconsumed_messages: size.unconsumed_messages,
        disk_free: size.disk_free_bytes,
    }
}

async fn lag(state: &AppState, consumer: Consumer) -> Lag {
    let batches = health::behind(&state.spool, consumer);
    Lag { batches, waited_ms: status::lag_ms(state, consumer).await }
}

async fn notices(state: &AppState, people: bool) -> Option<NoticesStatus> {
    let (outbox, channels) = status::outbox_state(state).await?;
    let row = |channel: status::FaultyChannel| ChannelRow {
        channel: channel.id.to_string(),
        retrying: channel.retrying,
        failed: channel.failed,
        last_attempt_at: channel.last_attempt_at,
        fault: channel.fault,
        detail: Some(channel.detail).filter(|_| people),
    };
    Some(NoticesStatus {
        waiting: outbox.waiting,
        retrying: outbox.retrying,
        failed: outbox.failed,
        oldest_at: outbox.oldest,
        channels: channels.into_iter().map(row).collect(),
    })
}

/// Who misses the greatest part stands first.
async fn agencies(state: &AppState) -> Vec<AgencyRow> {
    let row = |readiness: readiness::Readiness| AgencyRow {
        agency: Named { id: readiness.agency, name: readiness.name },
        stations: readiness.stations,
        reporting: readiness.reporting,
        datastreams: readiness.datastreams,
        current: readiness.current,
        last_day: readiness.last_day.and_then(|part| part.share()),
    };
    let mut rows: Vec<AgencyRow> = readiness::readiness(state).await.0.into_iter().map(row).collect();
    let missing = |row: &AgencyRow| {
        let share = |part: u32, all: u32| u64::from(all.saturating_sub(part)) * 10_000 / u64::from(all.max(1));
        Reverse((share(row.reporting, row.stations), share(row.current, row.datastreams)))
    };
    rows.sort_by_key(missing);
    rows
}

fn sources(state: &AppState, people: bool) -> Vec<SourceRow> {
    let row = |status: bakau_ingest::SourceStatus| SourceRow {
        name: status.name.to_string(),
        kind: match status.kind {
            bakau_ingest::SourceKind::Client => SourceKind::Client,
            bakau_ingest::SourceKind::Broker => SourceKind::Broker,
        },
        state: source_state(status.state),
        since: status.since,
        last_message_at: status.last_message,
        received: status.messages,
        problem: status.problem.filter(|_| people),
        losses: status.external.as_ref().map(losses),
    };
    state.board.sources().into_iter().map(row).collect()
}

fn source_state(state: bakau_ingest::SourceState) -> SourceState {
    use bakau_ingest::BlockedReason as Reason;
    match state {
        bakau_ingest::SourceState::Connecting => SourceState::Connecting,
        bakau_ingest::SourceState::Connected => SourceState::Connected,
        bakau_ingest::SourceState::Stopped => SourceState::Stopped,
        bakau_ingest::SourceState::Blocked(reason) => SourceState::Blocked(match reason {
            Reason::SpoolFull => BlockedReason::SpoolFull,
            Reason::SpoolFailed => BlockedReason::SpoolFailed,
            Reason::OversizedMessage => BlockedReason::OversizedMessage,
            Reason::Refused => BlockedReason::Refused,
            Reason::Tls => BlockedReason::Tls,
            Reason::Contested => BlockedReason::Contested,
        }),
    }
}

fn losses(external: &ExternalBroker) -> BrokerLosses {
    BrokerLosses {
        counters: external.counters,
        dropped: (external.lost_in_broker, external.last_lost),
        restarts: (external.restarts, external.last_restart),
        sessions: (external.sessions_lost, external.last_session_lost),
        takeovers: (external.takeovers, external.last_takeover),
        uncounted: (external.uncounted_losses, external.last_uncounted_loss),
    }
}
