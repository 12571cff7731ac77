//! Points that a server does not take, or that cannot become points.

use bakau_model::UtcMillis;
use rusqlite::{Connection, Transaction, params};

use super::bounded;
use crate::{RefusedPoint, StoreError};

/// Points in quarantine as they are.
pub(crate) fn put_quarantine(transaction: &Transaction<'_>, points: &[RefusedPoint]) -> Result<(), StoreError> {
    let mut put = transaction
        .prepare_cached("INSERT OR REPLACE INTO refused (series, observed_at, reason, line) VALUES (?1, ?2, ?3, ?4)")?;
    for RefusedPoint { series, observed_at, reason, line } in points {
        put.execute(params![series, observed_at.get(), reason, line])?;
    }
    Ok(())
}

/// A page of the quarantine.
pub(crate) fn quarantine(
    connection: &Connection,
    after: Option<&(String, UtcMillis)>,
    limit: usize,
) -> Result<Vec<RefusedPoint>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT series, observed_at, reason, line FROM refused
         WHERE (series, observed_at) > (?1, ?2) ORDER BY series, observed_at LIMIT ?3",
    )?;
    let (series, at) = after.map_or(("", i64::MIN), |(series, at)| (series.as_str(), at.get()));
    let found = statement.query_map(params![series, at, bounded(limit)], |row| {
        let (series, observed_at) = (row.get(0)?, UtcMillis::new(row.get(1)?));
        Ok(RefusedPoint { series, observed_at, reason: row.get(2)?, line: row.get(3)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
