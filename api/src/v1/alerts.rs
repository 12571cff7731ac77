//! `GET /api/v1/alerts`, `/alerts/{id}`, `/alerts/settled` and `POST /alerts/{id}/acknowledge`.
//!
//! Who acknowledged, what they wrote, and who was told are people's business: they are shown with the admin token only.

use std::fmt::Write as _;

use axum::{body::Bytes, extract::Path, http::header};
use bakau_alerts::{
    Acknowledgement as Taken, AlertDetail as Detail, AlertQuery, AlertView, Alerts, AlertsError, DeliveryView,
    Episode as Settled, MAX_NOTE_CHARS, NotificationView, SettledQuery, TransitionView,
};
use bakau_answers::{
    Acknowledged, Acknowledgement, AcknowledgementState, Alert, AlertDetail, AlertList, Delivery, Episode,
    Notification, SettledHistory, Transition,
};
use bakau_model::{AlertId, DAY_MS, DEFAULT_ZONE, Level};
use bakau_registry::Snapshot;
use jiff::tz::TimeZone;

use crate::{
    http::{
        access::{SeesPeople, Writer},
        answer,
        call::{Answered, Call},
        error::{ApiError, ProblemType},
        query::{self, Params},
        times::Times,
    },
    state::AppState,
};

/// Alerts in one answer unless asked otherwise.
const DEFAULT_LIMIT: usize = 100;
/// One less than the alert engine lists at once: the last one tells whether there are more.
const MAX_LIMIT: usize = 999;
/// The range of the settled history without `from`.
const DEFAULT_SETTLED_MS: i64 = 7 * DAY_MS;
/// The settled history is computed from observations at each request.
const MAX_SETTLED_MS: i64 = 400 * DAY_MS;
/// Longest name in an acknowledgement, in characters.
const MAX_NAME_CHARS: usize = 80;

/// Every parameter of the list.
const LIST_PARAMETERS: [&str; 10] =
    ["active", "station", "agency", "datastream", "kind", "level", "from", "to", "before", "limit"];

/// Alerts, newest decision first.
pub(crate) async fn list(call: Call, SeesPeople(people): SeesPeople) -> Answered {
    let params = call.params(&LIST_PARAMETERS)?;
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let (from, to) = (params.time("from")?, params.time("to")?);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        return Err(ApiError::parameter("from", params.text("from"), "parameter_time_order"));
    }
    let query = AlertQuery {
        active_only: params.flag("active")?.unwrap_or(false),
        datastream: params.datastream()?,
        station: params.station()?,
        agency: params.agency()?,
        kind: params.condition_kind()?,
        min_level: params.level()?,
        from,
        to,
        before: params.before_alert()?,
        limit: limit + 1,
    };
    let mut found = call.state.alerts.list(&query).await?;
    let next = answer::last_before_more(&mut found, limit).map(|last| next_address(&params, &last.id, limit));
    let snapshot = call.state.snapshot();
    let alerts = found.iter().map(|alert| tell(&snapshot, alert, people)).collect();
    let list = AlertList { alerts, next };
    Ok(answer::with_next(answer::json(&list)?, list.next.as_deref()))
}

/// Address of the next page: the same query behind the last alert of this one.
fn next_address(params: &Params, last: &AlertId, limit: usize) -> String {
    let mut address = format!("/api/v1/alerts?limit={limit}&before={last}");
    for name in LIST_PARAMETERS.into_iter().filter(|name| !matches!(*name, "limit" | "before")) {
        if let Some(text) = params.text(name) {
            // Writing to a String cannot fail.
            let _ = write!(address, "&{name}={}", query::encode(text));
        }
    }
    address
}

/// One alert with its transitions; with the token also its notifications.
pub(crate) async fn one(call: Call, SeesPeople(people): SeesPeople, Path(id): Path<String>) -> Answered {
    call.params(&[])?;
    let (_, detail) = find(&call.state.alerts, &id).await?;
    answer::json(&AlertDetail {
        alert: tell(&call.state.snapshot(), &detail.alert, people),
        transitions: detail.transitions.iter().map(transition).collect(),
        acknowledgements: detail.acknowledgements.iter().map(|taken| acknowledged(taken, people)).collect(),
        notifications: people.then(|| detail.notifications.into_iter().map(notification).collect()),
    })
}

/// Episodes of the settled history of a rule or a datastream.
pub(crate) async fn settled(call: Call) -> Answered {
    let (params, state) = (call.params(&["rule", "datastream", "from", "to"])?, &call.state);
    let (rule, datastream) = (params.rule()?, params.datastream()?);
    if rule.is_some() == datastream.is_some() {
        return Err(ApiError::parameter("rule", None, "parameter_one_of").with("allowed", "rule, datastream"));
    }
    if let Some(datastream) = &datastream {
        crate::v1::catalogue::find_datastream(&state.snapshot(), datastream)?;
    }
    let span = params.span(state.clock.now(), DEFAULT_SETTLED_MS)?;
    if MAX_SETTLED_MS < span.to.since(span.from) {
        return Err(ApiError::parameter("from", params.text("from"), "parameter_longest").with("allowed", "400 d"));
    }
    let query = SettledQuery { datastream, rule, from: span.from, to: span.to };
    // Asked for first: the answer goes at least so far.
    let settled_until = state.alerts.settled_until().into();
    let episodes = state.alerts.settled(&query).await?;
    let episodes = episodes.into_iter().map(episode).collect();
    answer::json(&SettledHistory { from: span.from.into(), to: span.to.into(), settled_until, episodes })
}

/// Records an acknowledgement.
pub(crate) async fn acknowledge(writer: Writer, call: Call, Path(id): Path<String>, body: Bytes) -> Answered {
    let kind = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(ApiError::new(ProblemType::UnsupportedMediaType));
    }
    let body: Acknowledgement =
        serde_json::from_slice(&body).map_err(|_| ApiError::new(ProblemType::InvalidBody).detail("body_json"))?;
    let alert =
        record_acknowledgement(&call.state, &writer, &id, (&body.name, body.level), body.note.as_deref()).await?;
    answer::json(&tell(&call.state.snapshot(), &alert, true))
}

/// Name and note of an acknowledgement as they are kept.
pub(crate) fn acknowledgement_texts<'t>(
    name: &'t str,
    note: Option<&'t str>,
) -> Result<(&'t str, Option<&'t str>), ApiError> {
    let name = name.trim();
    if name.is_empty() || MAX_NAME_CHARS < name.chars().count() || name.chars().any(char::is_control) {
        return Err(ApiError::body("name", "body_name"));
    }
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| MAX_NOTE_CHARS < note.chars().count()) {
        return Err(ApiError::body("note", "body_note"));
    }
    Ok((name, note))
}

/// Checks the texts and tells the engine; shared by the API and the form on the page.
pub(crate) async fn record_acknowledgement(
    state: &AppState,
    writer: &Writer,
    id: &str,
    (name, seen): (&str, Option<Level>),
    note: Option<&str>,
) -> Result<AlertView, ApiError> {
    let (name, note) = acknowledgement_texts(name, note)?;
    let (id, _) = find(&state.alerts, id).await?;
    let taken = state.alerts.acknowledge(&id, &writer.named(name), seen, note.map(str::to_owned)).await;
    match taken {
        Ok(alert) => Ok(alert),
        Err(error @ (AlertsError::AlreadyAcknowledged(_) | AlertsError::Closed(_))) => {
            let detail = state.alerts.get(&id).await?;
            Err(match detail {
                Some(detail) => conflict(error, &detail.alert),
                None => error.into(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Why an acknowledgement is refused; with names, because the caller holds the token.
fn conflict(error: AlertsError, alert: &AlertView) -> ApiError {
    match (&alert.acknowledged, alert.closed_at) {
        (Some(by), _) if matches!(error, AlertsError::AlreadyAcknowledged(_)) => {
            ApiError::new(ProblemType::AlreadyAcknowledged)
                .with("acknowledged_by", &by.by)
                .with_time("acknowledged_at", by.at)
        }
        (_, Some(closed_at)) => ApiError::new(ProblemType::AlertClosed).with_time("closed_at", closed_at),
        (_, None) => error.into(),
    }
}

/// The alert of an id from a path.
pub(crate) async fn find(alerts: &Alerts, id: &str) -> Result<(AlertId, Detail), ApiError> {
    let unknown = || ApiError::new(ProblemType::AlertNotFound).with("alert", id);
    let id: AlertId = id.parse().map_err(|_| unknown())?;
    let detail = alerts.get(&id).await?.ok_or_else(unknown)?;
    Ok((id, detail))
}

impl From<AlertsError> for ApiError {
    fn from(error: AlertsError) -> Self {
        match &error {
            AlertsError::NotFound(id) => Self::new(ProblemType::AlertNotFound).with("alert", &id.to_string()),
            AlertsError::AlreadyAcknowledged(_) => Self::caused(ProblemType::AlreadyAcknowledged, &error),
            AlertsError::Closed(_) => Self::caused(ProblemType::AlertClosed, &error),
            AlertsError::Unknown(name) => Self::parameter("rule", Some(name), "parameter_rule"),
            AlertsError::TooLong { .. } => Self::body("note", "body_note"),
            AlertsError::Store(_) => Self::caused(ProblemType::StoreUnavailable, &error),
            AlertsError::LinkInvalid
            | AlertsError::LinkExpired
            | AlertsError::Busy
            | AlertsError::Db(_)
            | AlertsError::Client(_) => Self::caused(ProblemType::AlertsUnavailable, &error),
        }
    }
}

fn tell(snapshot: &Snapshot, alert: &AlertView, people: bool) -> Alert {
    let datastream = alert.datastream.as_ref().and_then(|name| snapshot.datastream(name));
    let zone_name = alert.station.as_ref().map_or(DEFAULT_ZONE, |id| snapshot.zone_name(id));
    let mut local = Times::local(TimeZone::get(zone_name).unwrap_or(TimeZone::UTC));
    let taken = alert.acknowledged.as_ref();
    Alert {
        id: alert.id,
        rule: alert.rule.clone(),
        rule_name: alert.rule_name.clone(),
        kind: alert.kind,
        agency: alert.agency.clone(),
        station: alert.station.clone(),
        datastream: alert.datastream.clone(),
        source: alert.source.clone(),
        unit: datastream.map(|datastream| datastream.unit.clone()),
        level: alert.level,
        peak: alert.peak,
        time_zone: zone_name.to_owned(),
        onset: alert.onset.into(),
        onset_local: local.text(alert.onset),
        onset_at_latest: alert.onset_at_latest,
        observed_at: alert.updated.into(),
        observed_at_local: local.text(alert.updated),
        value: alert.value,
        flag: alert.flag.map(Into::into),
        worst: alert.worst,
        worst_at: alert.worst_at.map(Into::into),
        worst_at_local: alert.worst_at.map(|at| local.text(at)),
        opened_at: alert.opened_at.into(),
        decided_at: alert.decided_at.into(),
        closed_at: alert.closed_at.map(Into::into),
        closed_at_local: alert.closed_at.map(|at| local.text(at)),
        closed_reason: alert.closed_reason,
        unconfirmed_since: alert.unconfirmed_since.map(Into::into),
        acknowledgement: acknowledgement(alert),
        acknowledged_by: taken.filter(|_| people).map(|taken| taken.by.clone()),
        note: taken.filter(|_| people).map(|taken| taken.note.clone()),
    }
}

/// Whether and how far an alert is acknowledged.
pub(crate) fn acknowledgement(alert: &AlertView) -> AcknowledgementState {
    let taken = alert.acknowledged.as_ref();
    AcknowledgementState {
        acknowledged: alert.is_acknowledged(),
        acknowledged_level: taken.map(|taken| taken.level),
        acknowledged_at: taken.map(|taken| taken.at.into()),
    }
}

fn acknowledged(taken: &Taken, people: bool) -> Acknowledged {
    Acknowledged {
        level: taken.level,
        at: taken.at.into(),
        by: people.then(|| taken.by.clone()),
        note: people.then(|| taken.note.clone()),
    }
}

fn transition(transition: &TransitionView) -> Transition {
    Transition {
        sequence: transition.sequence,
        from: transition.from,
        to: transition.to,
        reason: transition.reason,
        observed_at: transition.observed_at.into(),
        value: transition.value,
        flag: transition.flag.map(Into::into),
        decided_at: transition.decided_at.into(),
        rule_revision: transition.rule_revision,
        muted_until: transition.muted_until.map(Into::into),
    }
}

fn notification(notification: NotificationView) -> Notification {
    let delivery = |delivery: DeliveryView| Delivery {
        attempt: delivery.attempt,
        at: delivery.at.into(),
        verdict: delivery.verdict,
        http_status: delivery.http_status,
        duration_ms: delivery.duration_ms,
        detail: delivery.detail,
    };
    Notification {
        id: notification.id,
        transition: notification.transition,
        kind: notification.kind,
        person: notification.person,
        channel: notification.channel,
        recipient: notification.recipient,
        state: notification.state,
        attempts: notification.attempts,
        next_attempt_at: notification.next_attempt_at.map(Into::into),
        last_result: notification.last_result,
        deliveries: notification.deliveries.into_iter().map(delivery).collect(),
    }
}

fn episode(episode: Settled) -> Episode {
    Episode {
        id: episode.id,
        rule: episode.rule,
        datastream: episode.datastream,
        onset: episode.onset.into(),
        onset_at_latest: episode.onset_at_latest,
        peak: episode.peak,
        end: episode.end.map(Into::into),
        peak_value: episode.peak_value,
        observations: episode.count,
    }
}
