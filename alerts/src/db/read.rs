//! Reading alerts, decision log and delivery log for people.

use bakau_model::{DeliveryVerdict, UtcMillis};
use rusqlite::{Connection, Params, Row, params_from_iter, types::Value};

use super::{
    Db, DbError,
    rows::{
        alert_id, all, facts, first, flag, level, optional, optional_person, optional_text, optional_time, parsed,
        rule_id, text, time, value,
    },
};
use crate::{
    Acknowledgement, AlertDetail, AlertId, AlertQuery, AlertView, ConditionKind, DeliveryView, NotificationKind,
    NotificationState, NotificationView, OutboxView, TransitionView, engine::Reason, message::facts::Facts,
};

const ALERTS: &str =
    "SELECT id, rule, rule_name, kind, agency, station, datastream, source, level, peak, onset, updated, value, flag,
    worst, worst_at, decided_at, opened_at, closed_at, closed_reason, ack_level, ack_by, ack_person,
    ack_at, ack_note, unconfirmed_since, onset_at_latest FROM alerts WHERE 1 = 1";
const NOTIFICATIONS: &str =
    "SELECT outbox.id, transition_id, alert, kind, person, channel, recipient, state, attempts, next_attempt_at,
    last_result FROM outbox JOIN transitions ON transitions.id = transition_id WHERE ";
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

impl Db {
    pub(crate) async fn list(&self, query: &AlertQuery) -> Result<Vec<AlertView>, DbError> {
        let (select, values) = listed(query);
        self.readers.run(move |connection| all(connection, &select, params_from_iter(values), view)).await
    }

    /// Every alert that is not closed, newest first.
    pub(crate) async fn active(&self) -> Result<Vec<AlertView>, DbError> {
        let select = format!("{ALERTS} AND closed_at IS NULL ORDER BY opened_at DESC, id DESC");
        self.readers.run(move |connection| all(connection, &select, [], view)).await
    }

    pub(crate) async fn alert(&self, id: AlertId) -> Result<Option<AlertView>, DbError> {
        self.readers.run(move |connection| alert_view(connection, id)).await
    }

    pub(crate) async fn detail(&self, id: AlertId) -> Result<Option<AlertDetail>, DbError> {
        self.readers.run(move |connection| detail(connection, id)).await
    }

    /// What the last transition of an alert told.
    pub(crate) async fn last_facts(&self, id: AlertId) -> Result<Option<Facts>, DbError> {
        let select = "SELECT facts FROM transitions WHERE alert = ? ORDER BY sequence DESC LIMIT 1";
        self.readers.run(move |connection| first(connection, select, [id.bytes()], facts)).await
    }

    /// The number of the last transition of an alert; 0 where there is none.
    pub(crate) async fn last_sequence(&self, id: AlertId) -> Result<u32, DbError> {
        let select = "SELECT coalesce(max(sequence), 0) FROM transitions WHERE alert = ?";
        self.readers.run(move |connection| value(connection, select, [id.bytes()])).await
    }

    /// How many notifications wait or were given up.
    pub(crate) async fn outbox(&self) -> Result<OutboxView, DbError> {
        let ask = |connection: &Connection| {
            let select = "SELECT count(*) FILTER (WHERE state = 0) AS waiting,
                        count(*) FILTER (WHERE state = 0 AND 0 < attempts) AS retrying,
                        count(*) FILTER (WHERE state = 2) AS failed,
                        min(created_at) FILTER (WHERE state = 0) AS oldest
                 FROM outbox";
            let counted = first(connection, select, [], |row| {
                let (waiting, retrying, failed) = (row.get("waiting")?, row.get("retrying")?, row.get("failed")?);
                Ok(OutboxView { waiting, retrying, failed, oldest: optional_time(row, "oldest")? })
            })?;
            counted.ok_or(DbError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
        };
        self.readers.run(ask).await
    }

    /// Notifications that failed or are being tried again: failed ones first, then the most tried.
    pub(crate) async fn delivery_problems(&self, limit: usize) -> Result<Vec<NotificationView>, DbError> {
        let select =
            "state = ? OR (state = 0 AND 0 < attempts) ORDER BY state DESC, attempts DESC, outbox.id DESC LIMIT ?";
        let params = (NotificationState::Failed.code(), limit.min(LARGEST_PAGE));
        self.readers.run(move |connection| notifications(connection, select, params)).await
    }
}

/// The statement of a query and what it asks with.
fn listed(query: &AlertQuery) -> (String, Vec<Value>) {
    let (mut select, mut values) = (ALERTS.to_owned(), Vec::new());
    let mut only = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            select.push_str(" AND ");
            select.push_str(condition);
            values.push(value);
        }
    };
    only("datastream = ?", query.datastream.as_ref().map(|datastream| datastream.to_string().into()));
    only("station = ?", query.station.as_ref().map(|station| station.to_string().into()));
    only("agency = ?", query.agency.as_ref().map(|agency| agency.to_string().into()));
    only("kind = ?", query.kind.map(|kind| kind.key().to_owned().into()));
    only("peak >= ?", query.min_level.map(|level| i64::from(level.code()).into()));
    only("(closed_at IS NULL OR closed_at >= ?)", query.from.map(|from| from.get().into()));
    only("opened_at < ?", query.to.map(|to| to.get().into()));
    only(
        "(opened_at, id) < (SELECT opened_at, id FROM alerts WHERE id = ?)",
        query.before.map(|before| before.bytes().to_vec().into()),
    );
    if query.active_only {
        select.push_str(" AND closed_at IS NULL");
    }
    let limit = if query.limit == 0 { PAGE } else { query.limit.min(LARGEST_PAGE) };
    select.push_str(" ORDER BY opened_at DESC, id DESC LIMIT ?");
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    (select, values)
}

pub(super) fn alert_view(connection: &Connection, id: AlertId) -> Result<Option<AlertView>, DbError> {
    first(connection, &format!("{ALERTS} AND id = ?"), [id.bytes()], view)
}

fn detail(connection: &Connection, id: AlertId) -> Result<Option<AlertDetail>, DbError> {
    let Some(alert) = alert_view(connection, id)? else { return Ok(None) };
    let id = [id.bytes()];
    let transitions = all(connection, "SELECT * FROM transitions WHERE alert = ? ORDER BY id", id, transition_view)?;
    let acknowledgements =
        all(connection, "SELECT * FROM acknowledgements WHERE alert = ? ORDER BY id", id, acknowledgement)?;
    let acknowledgements = acknowledgements.into_iter().flatten().collect();
    let notifications = notifications(connection, "alert = ? ORDER BY outbox.id", id)?;
    Ok(Some(AlertDetail { alert, transitions, acknowledgements, notifications }))
}

fn notifications(
    connection: &Connection,
    condition: &str,
    params: impl Params,
) -> Result<Vec<NotificationView>, DbError> {
    let mut notifications = all(connection, &format!("{NOTIFICATIONS}{condition}"), params, notification_view)?;
    for notification in &mut notifications {
        let select = "SELECT * FROM deliveries WHERE outbox_id = ? ORDER BY attempt, id";
        notification.deliveries = all(connection, select, [notification.id], delivery_view)?;
    }
    Ok(notifications)
}

pub(super) fn acknowledgement(row: &Row<'_>) -> Result<Option<Acknowledgement>, DbError> {
    let by: Option<String> = row.get("ack_by")?;
    let Some((by, at)) = by.zip(optional_time(row, "ack_at")?) else { return Ok(None) };
    let (level, person) = (level(row, "ack_level")?, optional_person(row, "ack_person")?);
    Ok(Some(Acknowledgement { level, by, person, at, note: row.get("ack_note")? }))
}

fn view(row: &Row<'_>) -> Result<AlertView, DbError> {
    let rule_name = serde_json::from_str(text(row, "rule_name")?).map_err(|_| DbError::Damaged("rule name"))?;
    let reason = optional_text(row, "closed_reason")?;
    Ok(AlertView {
        id: alert_id(row, "id")?,
        rule: rule_id(row, "rule")?,
        rule_name,
        kind: ConditionKind::from_key(text(row, "kind")?).ok_or(DbError::Damaged("alert kind"))?,
        agency: optional(row, "agency", "agency id")?,
        station: optional(row, "station", "station id")?,
        datastream: optional(row, "datastream", "datastream name")?,
        source: optional(row, "source", "source name")?,
        level: level(row, "level")?,
        peak: level(row, "peak")?,
        onset: time(row, "onset")?,
        onset_at_latest: row.get("onset_at_latest")?,
        updated: time(row, "updated")?,
        value: row.get("value")?,
        flag: flag(row, "flag")?,
        worst: row.get("worst")?,
        worst_at: optional_time(row, "worst_at")?,
        decided_at: time(row, "decided_at")?,
        opened_at: time(row, "opened_at")?,
        closed_at: optional_time(row, "closed_at")?,
        closed_reason: reason.map(|key| Reason::from_key(key).ok_or(DbError::Damaged("reason"))).transpose()?,
        acknowledged: acknowledgement(row)?,
        unconfirmed_since: optional_time(row, "unconfirmed_since")?,
    })
}

fn transition_view(row: &Row<'_>) -> Result<TransitionView, DbError> {
    Ok(TransitionView {
        id: row.get("id")?,
        sequence: row.get("sequence")?,
        from: level(row, "from_level")?,
        to: level(row, "to_level")?,
        reason: Reason::from_key(text(row, "reason")?).ok_or(DbError::Damaged("reason"))?,
        observed_at: time(row, "observed_at")?,
        value: row.get("value")?,
        flag: flag(row, "flag")?,
        decided_at: time(row, "decided_at")?,
        rule_revision: row.get("rule_revision")?,
        muted_until: optional_time(row, "muted_until")?,
    })
}

fn notification_view(row: &Row<'_>) -> Result<NotificationView, DbError> {
    let state = NotificationState::from_code(row.get("state")?).ok_or(DbError::Damaged("notification state"))?;
    let next: UtcMillis = time(row, "next_attempt_at")?;
    Ok(NotificationView {
        id: row.get("id")?,
        transition: row.get("transition_id")?,
        alert: alert_id(row, "alert")?,
        kind: NotificationKind::from_key(text(row, "kind")?).ok_or(DbError::Damaged("notification kind"))?,
        person: optional_person(row, "person")?,
        channel: parsed(row, "channel", "channel id")?,
        recipient: row.get("recipient")?,
        state,
        attempts: row.get("attempts")?,
        next_attempt_at: (state == NotificationState::Pending).then_some(next),
        last_result: row.get("last_result")?,
        deliveries: Vec::new(),
    })
}

fn delivery_view(row: &Row<'_>) -> Result<DeliveryView, DbError> {
    Ok(DeliveryView {
        attempt: row.get("attempt")?,
        at: time(row, "at")?,
        verdict: DeliveryVerdict::from_key(text(row, "verdict")?).ok_or(DbError::Damaged("delivery verdict"))?,
        http_status: row.get("http_status")?,
        duration_ms: row.get("duration_ms")?,
        detail: row.get("detail")?,
    })
}
