//! Messages and readings that could not be used, with a copy of the message so that they outlive its batch.

use std::collections::BTreeMap;

use bakau_model::{QuarantineReason, UtcMillis};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{BatchDraft, QuarantineRow, RefusedReading, SpoolError, SpoolErrorKind, ledger};

/// Longest stored name of a reading and longest stored detail, in bytes.
const READING_BYTES: usize = 256;
const DETAIL_BYTES: usize = 1024;

/// Most rows, and payload bytes, one listing returns.
const LIST_ROWS: usize = 1000;
const LIST_BYTES: usize = 16 << 20;

/// Most bytes kept, payloads and rows: a flood of poison must not take the disk from good messages, so the oldest go first.
pub(crate) const KEEP_BYTES: u64 = 1 << 30;

/// Most messages one call of [`drop_oldest`] removes.
const DROP_MESSAGES: i64 = 256;

/// What a message takes beside its payload, so that empty payloads count too.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// What a row takes beside its texts.
const ROW_OVERHEAD_BYTES: usize = 64;

/// Adds the quarantine of a draft, each message once however many of its readings are listed.
pub(crate) fn add(connection: &Connection, draft: &BatchDraft) -> Result<(), SpoolError> {
    if draft.quarantine.is_empty() {
        return Ok(());
    }
    let mut bytes_end: u64 = newest(connection)?;
    let mut row_bytes: BTreeMap<u32, usize> = BTreeMap::new();
    for item in &draft.quarantine {
        let reading = item.reading.as_ref().map_or(0, |reading| reading.len().min(READING_BYTES));
        *row_bytes.entry(item.envelope).or_default() +=
            ROW_OVERHEAD_BYTES + reading + item.detail.len().min(DETAIL_BYTES);
    }
    let mut message_ids: BTreeMap<u32, i64> = BTreeMap::new();
    let mut insert_message = connection.prepare_cached(
        "INSERT INTO quarantined_message (source, topic, received_at, bytes_end, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut insert = connection
        .prepare_cached("INSERT INTO quarantine (message, reading, reason, detail) VALUES (?1, ?2, ?3, ?4)")?;
    for item in &draft.quarantine {
        let message = match message_ids.get(&item.envelope) {
            Some(id) => *id,
            None => {
                let envelope = usize::try_from(item.envelope).ok().and_then(|index| draft.envelopes.get(index));
                let envelope = envelope.ok_or_else(|| {
                    let message = "a quarantine row names an envelope that is not in its draft";
                    SpoolError::new(SpoolErrorKind::InvalidDraft, message)
                })?;
                let rows = row_bytes.get(&item.envelope).copied().unwrap_or_default();
                bytes_end += (envelope.payload.len() + MESSAGE_OVERHEAD_BYTES + rows) as u64;
                let received_at = envelope.received_at.get();
                let source = envelope.source.as_str();
                let payload: &[u8] = &envelope.payload;
                let id = insert_message.insert(params![source, &*envelope.topic, received_at, bytes_end, payload])?;
                message_ids.insert(item.envelope, id);
                id
            }
        };
        let reading = item.reading.as_deref().map(|reading| cut(reading, READING_BYTES));
        insert.execute(params![message, reading, item.reason.key(), cut(&item.detail, DETAIL_BYTES)])?;
    }
    Ok(())
}

/// One page of the list: ids after `after_id`, or before it when `newest_first` (0 then means from the newest).
pub(crate) fn list(
    connection: &Connection,
    after_id: u64,
    limit: usize,
    newest_first: bool,
) -> Result<Vec<QuarantineRow>, SpoolError> {
    let sql = if newest_first {
        "SELECT q.id, q.reading, q.reason, q.detail, m.source, m.topic, m.received_at, m.payload
         FROM quarantine q JOIN quarantined_message m ON m.id = q.message WHERE q.id < ?1 ORDER BY q.id DESC"
    } else {
        "SELECT q.id, q.reading, q.reason, q.detail, m.source, m.topic, m.received_at, m.payload
         FROM quarantine q JOIN quarantined_message m ON m.id = q.message WHERE ?1 < q.id ORDER BY q.id"
    };
    let bound = if newest_first && after_id == 0 { i64::MAX } else { i64::try_from(after_id).unwrap_or(i64::MAX) };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([bound])?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while found.len() < limit.min(LIST_ROWS)
        && bytes < LIST_BYTES
        && let Some(row) = rows.next()?
    {
        let row = quarantine_row(row)?;
        bytes += row.payload.len();
        found.push(row);
    }
    Ok(found)
}

/// Rows of the list that a search for one reason goes back, so that it ends soon however long the list is.
const SEARCHED_ROWS: i64 = 20_000;

/// The newest rows of one reason behind `after_id`, in rising order, without their messages.
pub(crate) fn refused(
    connection: &Connection,
    reason: QuarantineReason,
    after_id: u64,
    limit: usize,
) -> Result<Vec<RefusedReading>, SpoolError> {
    let mut statement = connection.prepare_cached(
        "SELECT q.id, q.reading, q.detail, m.received_at FROM quarantine q JOIN quarantined_message m ON m.id = q.message
         WHERE q.id > max(?1, (SELECT coalesce(max(id), 0) FROM quarantine) - ?2) AND q.reason = ?3
         ORDER BY q.id DESC LIMIT ?4",
    )?;
    let after = i64::try_from(after_id).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let row = |row: &rusqlite::Row<'_>| {
        let received_at = UtcMillis::new(row.get(3)?);
        Ok(RefusedReading { id: row.get(0)?, reading: row.get(1)?, detail: row.get(2)?, received_at })
    };
    let found = statement.query_map(params![after, SEARCHED_ROWS, reason.key(), limit], row)?;
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

/// Removes the oldest messages while more than `keep_bytes` are held; returns how many.
pub(crate) fn drop_oldest(connection: &Connection, keep_bytes: u64) -> Result<usize, SpoolError> {
    let oldest_kept = i64::try_from(newest(connection)?.saturating_sub(keep_bytes)).unwrap_or(i64::MAX);
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT id, bytes_end FROM quarantined_message ORDER BY id LIMIT ?2)
             WHERE bytes_end <= ?1",
        )?
        .query_row([oldest_kept, DROP_MESSAGES], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    connection.prepare_cached("DELETE FROM quarantine WHERE message <= ?1")?.execute([last])?;
    Ok(connection.prepare_cached("DELETE FROM quarantined_message WHERE id <= ?1")?.execute([last])?)
}

fn newest(connection: &Connection) -> Result<u64, SpoolError> {
    let mut statement =
        connection.prepare_cached("SELECT bytes_end FROM quarantined_message ORDER BY id DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or_default())
}

fn quarantine_row(row: &rusqlite::Row<'_>) -> Result<QuarantineRow, SpoolError> {
    let reason = QuarantineReason::from_key(row.get_ref(2)?.as_str().unwrap_or_default()).ok_or_else(|| {
        SpoolError::new(SpoolErrorKind::Corrupt, "the spool holds an unknown reason; run `bakau verify`")
    })?;
    Ok(QuarantineRow {
        id: row.get(0)?,
        source: ledger::source(row.get_ref(4)?.as_str())?,
        topic: row.get(5)?,
        payload: row.get(7)?,
        reading: row.get(1)?,
        reason,
        detail: row.get(3)?,
        received_at: UtcMillis::new(row.get(6)?),
    })
}

/// The start of a text, ending at a whole character.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
