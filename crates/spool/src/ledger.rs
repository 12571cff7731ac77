//! Both ledgers in one table, a row per minute and source.

use std::collections::BTreeMap;

use bakau_model::{LedgerKey, MessageLedger, SourceName, UtcMillis};
use rusqlite::{Connection, params};

use crate::{BatchDraft, ReadingCounts, SpoolError, SpoolErrorKind};

/// Adds the changes of a draft, one statement per minute and source.
pub(crate) fn add(connection: &Connection, draft: &BatchDraft) -> Result<(), SpoolError> {
    let mut changes: BTreeMap<&LedgerKey, (MessageLedger, ReadingCounts)> = BTreeMap::new();
    for (key, messages) in &draft.messages {
        changes.entry(key).or_default().0 += *messages;
    }
    for (key, readings) in &draft.readings {
        let sum = &mut changes.entry(key).or_default().1;
        sum.decoded += readings.decoded;
        sum.quarantined += readings.quarantined;
    }
    let mut upsert = connection.prepare_cached(
        "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT DO UPDATE SET
            received = received + excluded.received,
            decoded = decoded + excluded.decoded,
            quarantined = quarantined + excluded.quarantined,
            unrouted = unrouted + excluded.unrouted,
            denied = denied + excluded.denied,
            ignored_retained = ignored_retained + excluded.ignored_retained,
            ignored_duplicate = ignored_duplicate + excluded.ignored_duplicate,
            lost_in_broker = lost_in_broker + excluded.lost_in_broker,
            readings_decoded = readings_decoded + excluded.readings_decoded,
            readings_quarantined = readings_quarantined + excluded.readings_quarantined",
    )?;
    for (key, (messages, readings)) in changes {
        upsert.execute(params![
            key.minute.get(),
            key.source.as_str(),
            messages.received,
            messages.decoded,
            messages.quarantined,
            messages.unrouted,
            messages.denied,
            messages.ignored_retained,
            messages.ignored_duplicate,
            messages.lost_in_broker,
            readings.decoded,
            readings.quarantined,
        ])?;
    }
    Ok(())
}

/// The message ledger of the minutes that start in `from..to`.
pub(crate) fn messages(
    connection: &Connection,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<BTreeMap<LedgerKey, MessageLedger>, SpoolError> {
    read(
        connection,
        "SELECT minute, source, received, decoded, quarantined, unrouted, denied, ignored_retained, ignored_duplicate,
                lost_in_broker
         FROM ledger WHERE ?1 <= minute AND minute < ?2",
        (from, to),
        |row| {
            Ok(MessageLedger {
                received: row.get(2)?,
                decoded: row.get(3)?,
                quarantined: row.get(4)?,
                unrouted: row.get(5)?,
                denied: row.get(6)?,
                ignored_retained: row.get(7)?,
                ignored_duplicate: row.get(8)?,
                lost_in_broker: row.get(9)?,
            })
        },
    )
}

/// The spool's part of the reading ledger of the minutes that start in `from..to`.
pub(crate) fn readings(
    connection: &Connection,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<BTreeMap<LedgerKey, ReadingCounts>, SpoolError> {
    read(
        connection,
        "SELECT minute, source, readings_decoded, readings_quarantined FROM ledger WHERE ?1 <= minute AND minute < ?2",
        (from, to),
        |row| Ok(ReadingCounts { decoded: row.get(2)?, quarantined: row.get(3)? }),
    )
}

/// Rows of zeros are left out: a minute may have messages without readings.
fn read<T: Default + PartialEq>(
    connection: &Connection,
    sql: &str,
    (from, to): (UtcMillis, UtcMillis),
    value: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<BTreeMap<LedgerKey, T>, SpoolError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![from.get(), to.get()])?;
    let mut lines = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key = LedgerKey { minute: UtcMillis::new(row.get(0)?), source: source(row.get_ref(1)?.as_str())? };
        let value = value(row)?;
        if value != T::default() {
            lines.insert(key, value);
        }
    }
    Ok(lines)
}

/// A source name as stored.
pub(crate) fn source(stored: Result<&str, rusqlite::types::FromSqlError>) -> Result<SourceName, SpoolError> {
    stored.ok().and_then(|name| SourceName::new(name).ok()).ok_or_else(|| {
        SpoolError::new(SpoolErrorKind::Corrupt, "the spool holds a source name that is none; run `bakau verify`")
    })
}
