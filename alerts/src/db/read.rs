//! Reading alerts, decision log and delivery log for people.

use std::{collections::BTreeSet, str::FromStr};

use bakau_model::{ChannelId, DeliveryVerdict, Flag, Text, UtcMillis};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{Db, DbError, level, optional_person, optional_time, rule_id, time};
use crate::{
    Acknowledgement, AlertDetail, AlertId, AlertKind, AlertQuery, AlertView, DeliveryView, NoticeKind, NoticeState,
    NoticeView, OutboxView, TransitionView, engine::Reason, message::facts::Facts,
};

const ALERTS: &str =
    "SELECT id, rule, rule_name, kind, agency, station, datastream, source, level, peak, onset, updated, value, flag,
    worst, worst_at, decided_at, opened_at, closed_at, closed_reason, ack_level, ack_by, ack_person,
    ack_at, ack_note, unconfirmed_since, onset_at_latest FROM alerts WHERE 1 = 1";
const NOTICES: &str =
    "SELECT outbox.id, transition_id, alert, kind, person, channel, recipient, state, attempts, next_attempt_at,
    last_result FROM outbox JOIN transitions ON transitions.id = transition_id WHERE ";
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

impl Db {
    pub(crate) async fn list(&self, query: &AlertQuery) -> Result<Vec<AlertView>, DbError> {
        let mut select = QueryBuilder::<Sqlite>::new(ALERTS);
        if query.active_only {
            select.push(" AND closed_at IS NULL");
        }
        if let Some(datastream) = &query.datastream {
            select.push(" AND datastream = ").push_bind(datastream.as_str());
        }
        if let Some(station) = &query.station {
            select.push(" AND station = ").push_bind(station.as_str());
        }
        if let Some(agency) = &query.agency {
            select.push(" AND agency = ").push_bind(agency.as_str());
        }
        if let Some(kind) = query.kind {
            select.push(" AND kind = ").push_bind(kind.key());
        }
        if let Some(level) = query.min_level {
            select.push(" AND peak >= ").push_bind(level.code());
        }
        if let Some(from) = query.from {
            select.push(" AND (closed_at IS NULL OR closed_at >= ").push_bind(from.get()).push(")");
        }
        if let Some(to) = query.to {
            select.push(" AND opened_at < ").push_bind(to.get());
        }
        if let Some(before) = &query.before {
            select.push(" AND (opened_at, id) < (SELECT opened_at, id FROM alerts WHERE id = ");
            select.push_bind(before.bytes().as_slice()).push(")");
        }
        let limit = if query.limit == 0 { PAGE } else { query.limit.min(LARGEST_PAGE) };
        select.push(" ORDER BY opened_at DESC, id DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = select.build().fetch_all(&self.read).await?;
        rows.iter().map(alert_view).collect()
    }

    /// Every alert that is not closed, newest first.
    pub(crate) async fn active(&self) -> Result<Vec<AlertView>, DbError> {
        let mut select = QueryBuilder::<Sqlite>::new(ALERTS);
        select.push(" AND closed_at IS NULL ORDER BY opened_at DESC, id DESC");
        let rows = select.build().fetch_all(&self.read).await?;
        rows.iter().map(alert_view).collect()
    }

    pub(crate) async fn alert(&self, id: &AlertId) -> Result<Option<AlertView>, DbError> {
        let mut connection = self.read.acquire().await?;
        Ok(alert_views(&mut connection, &BTreeSet::from([*id])).await?.pop())
    }

    pub(crate) async fn detail(&self, id: &AlertId) -> Result<Option<AlertDetail>, DbError> {
        let mut connection = self.read.acquire().await?;
        let Some(alert) = alert_views(&mut connection, &BTreeSet::from([*id])).await?.pop() else { return Ok(None) };
        let select = sqlx::query("SELECT * FROM transitions WHERE alert = ? ORDER BY id");
        let rows = select.bind(id.bytes().as_slice()).fetch_all(&mut *connection).await?;
        let transitions = rows.iter().map(transition_view).collect::<Result<_, _>>()?;
        let select = sqlx::query("SELECT * FROM acknowledgements WHERE alert = ? ORDER BY id");
        let rows = select.bind(id.bytes().as_slice()).fetch_all(&mut *connection).await?;
        let acknowledgements =
            rows.iter().filter_map(|row| acknowledgement(row).transpose()).collect::<Result<_, _>>()?;
        let mut select = QueryBuilder::<Sqlite>::new(NOTICES);
        select.push("alert = ").push_bind(id.bytes().as_slice()).push(" ORDER BY outbox.id");
        let notices = notices(&mut connection, select).await?;
        Ok(Some(AlertDetail { alert, transitions, acknowledgements, notices }))
    }

    /// What the last transition of an alert told.
    pub(crate) async fn last_facts(&self, id: &AlertId) -> Result<Option<Facts>, DbError> {
        let select = sqlx::query_scalar("SELECT facts FROM transitions WHERE alert = ? ORDER BY sequence DESC LIMIT 1");
        let facts: Option<String> = select.bind(id.bytes().as_slice()).fetch_optional(&self.read).await?;
        facts.map(|facts| serde_json::from_str(&facts).map_err(|_| DbError::Damaged("transition"))).transpose()
    }

    /// The number of the last transition of an alert; 0 where there is none.
    pub(crate) async fn last_sequence(&self, id: &AlertId) -> Result<u32, DbError> {
        let select = sqlx::query_scalar("SELECT coalesce(max(sequence), 0) FROM transitions WHERE alert = ?");
        Ok(select.bind(id.bytes().as_slice()).fetch_one(&self.read).await?)
    }

    /// How many notices wait or were given up.
    pub(crate) async fn outbox(&self) -> Result<OutboxView, DbError> {
        let select = sqlx::query(
            "SELECT count(*) FILTER (WHERE state = 0) AS waiting,
                    count(*) FILTER (WHERE state = 0 AND 0 < attempts) AS retrying,
                    count(*) FILTER (WHERE state = 2) AS failed,
                    min(created_at) FILTER (WHERE state = 0) AS oldest
             FROM outbox",
        );
        let row = select.fetch_one(&self.read).await?;
        let count = |name| row.try_get::<i64, _>(name).map(|count| u64::try_from(count).unwrap_or_default());
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok(OutboxView {
            waiting: count("waiting")?,
            retrying: count("retrying")?,
            failed: count("failed")?,
            oldest: oldest.map(UtcMillis::new),
        })
    }

    /// Notices that failed or are being tried again: failed ones first, then the most tried.
    pub(crate) async fn delivery_problems(&self, limit: usize) -> Result<Vec<NoticeView>, DbError> {
        let mut connection = self.read.acquire().await?;
        let mut select = QueryBuilder::<Sqlite>::new(NOTICES);
        select.push("state = ").push_bind(NoticeState::Failed.code());
        select.push(" OR (state = 0 AND 0 < attempts) ORDER BY state DESC, attempts DESC, outbox.id DESC LIMIT ");
        select.push_bind(i64::try_from(limit.min(LARGEST_PAGE)).unwrap_or(i64::MAX));
        notices(&mut connection, select).await
    }
}

pub(super) async fn alert_views(
    connection: &mut SqliteConnection,
    ids: &BTreeSet<AlertId>,
) -> Result<Vec<AlertView>, DbError> {
    let mut views = Vec::with_capacity(ids.len());
    for id in ids {
        let mut select = QueryBuilder::<Sqlite>::new(ALERTS);
        select.push(" AND id = ").push_bind(id.bytes().as_slice());
        if let Some(row) = select.build().fetch_optional(&mut *connection).await? {
            views.push(alert_view(&row)?);
        }
    }
    Ok(views)
}

async fn notices(
    connection: &mut SqliteConnection,
    mut select: QueryBuilder<Sqlite>,
) -> Result<Vec<NoticeView>, DbError> {
    let rows = select.build().fetch_all(&mut *connection).await?;
    let mut notices: Vec<NoticeView> = rows.iter().map(notice_view).collect::<Result<_, _>>()?;
    for notice in &mut notices {
        let select = sqlx::query("SELECT * FROM deliveries WHERE outbox_id = ? ORDER BY attempt, id");
        let rows = select.bind(notice.id).fetch_all(&mut *connection).await?;
        notice.deliveries = rows.iter().map(delivery_view).collect::<Result<_, _>>()?;
    }
    Ok(notices)
}

fn alert_id(row: &SqliteRow, column: &str) -> Result<AlertId, DbError> {
    AlertId::from_bytes(row.try_get(column)?).ok_or(DbError::Damaged("alert id"))
}

/// A text of its own type in a column that may be empty.
fn optional<T: FromStr>(row: &SqliteRow, column: &str, what: &'static str) -> Result<Option<T>, DbError> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| DbError::Damaged(what))).transpose()
}

fn flag(row: &SqliteRow, column: &str) -> Result<Option<Flag>, DbError> {
    let code: Option<u8> = row.try_get(column)?;
    code.map(|code| Flag::from_code(code).ok_or(DbError::Damaged("flag"))).transpose()
}

pub(super) fn acknowledgement(row: &SqliteRow) -> Result<Option<Acknowledgement>, DbError> {
    let by: Option<String> = row.try_get("ack_by")?;
    let Some((by, at)) = by.zip(optional_time(row, "ack_at")?) else { return Ok(None) };
    let (level, person) = (level(row, "ack_level")?, optional_person(row, "ack_person")?);
    Ok(Some(Acknowledgement { level, by, person, at, note: row.try_get("ack_note")? }))
}

fn alert_view(row: &SqliteRow) -> Result<AlertView, DbError> {
    let rule_name: Text = serde_json::from_str(row.try_get("rule_name")?).map_err(|_| DbError::Damaged("rule name"))?;
    let reason: Option<&str> = row.try_get("closed_reason")?;
    Ok(AlertView {
        id: alert_id(row, "id")?,
        rule: rule_id(row, "rule")?,
        rule_name,
        kind: AlertKind::from_key(row.try_get("kind")?).ok_or(DbError::Damaged("alert kind"))?,
        agency: optional(row, "agency", "agency id")?,
        station: optional(row, "station", "station id")?,
        datastream: optional(row, "datastream", "datastream name")?,
        source: optional(row, "source", "source name")?,
        level: level(row, "level")?,
        peak: level(row, "peak")?,
        onset: time(row, "onset")?,
        onset_at_latest: row.try_get("onset_at_latest")?,
        updated: time(row, "updated")?,
        value: row.try_get("value")?,
        flag: flag(row, "flag")?,
        worst: row.try_get("worst")?,
        worst_at: optional_time(row, "worst_at")?,
        decided_at: time(row, "decided_at")?,
        opened_at: time(row, "opened_at")?,
        closed_at: optional_time(row, "closed_at")?,
        closed_reason: reason.map(|key| Reason::from_key(key).ok_or(DbError::Damaged("reason"))).transpose()?,
        acknowledged: acknowledgement(row)?,
        unconfirmed_since: optional_time(row, "unconfirmed_since")?,
    })
}

fn transition_view(row: &SqliteRow) -> Result<TransitionView, DbError> {
    Ok(TransitionView {
        id: row.try_get("id")?,
        sequence: row.try_get("sequence")?,
        from: level(row, "from_level")?,
        to: level(row, "to_level")?,
        reason: Reason::from_key(row.try_get("reason")?).ok_or(DbError::Damaged("reason"))?,
        observed_at: time(row, "observed_at")?,
        value: row.try_get("value")?,
        flag: flag(row, "flag")?,
        decided_at: time(row, "decided_at")?,
        rule_revision: row.try_get::<i64, _>("rule_revision")?.cast_unsigned(),
        muted_until: optional_time(row, "muted_until")?,
    })
}

fn notice_view(row: &SqliteRow) -> Result<NoticeView, DbError> {
    let state = NoticeState::from_code(row.try_get("state")?).ok_or(DbError::Damaged("notice state"))?;
    let next: UtcMillis = time(row, "next_attempt_at")?;
    Ok(NoticeView {
        id: row.try_get("id")?,
        transition: row.try_get("transition_id")?,
        alert: alert_id(row, "alert")?,
        kind: NoticeKind::from_key(row.try_get("kind")?).ok_or(DbError::Damaged("notice kind"))?,
        person: optional_person(row, "person")?,
        channel: ChannelId::new(row.try_get("channel")?).map_err(|_| DbError::Damaged("channel id"))?,
        recipient: row.try_get("recipient")?,
        state,
        attempts: row.try_get("attempts")?,
        next_attempt_at: (state == NoticeState::Pending).then_some(next),
        last_result: row.try_get("last_result")?,
        deliveries: Vec::new(),
    })
}

fn delivery_view(row: &SqliteRow) -> Result<DeliveryView, DbError> {
    Ok(DeliveryView {
        attempt: row.try_get("attempt")?,
        at: time(row, "at")?,
        verdict: DeliveryVerdict::from_key(row.try_get("verdict")?).ok_or(DbError::Damaged("delivery verdict"))?,
        http_status: row.try_get("http_status")?,
        duration_ms: row.try_get("duration_ms")?,
        detail: row.try_get("detail")?,
    })
}
