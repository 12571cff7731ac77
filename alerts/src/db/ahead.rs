//! Values from the future that wait for their time: a restart loses none of them.

use bakau_model::{DatastreamId, DeploymentId, Observation, TimeSource};
use rusqlite::{Connection, params};

use super::{
    DbError,
    rows::{all, execute, flag, time},
};
use crate::engine::WaitingKey;

/// Keeps a value that waits, or forgets one that no longer does.
pub(super) fn write(
    connection: &Connection,
    (observed_at, datastream): WaitingKey,
    observation: Option<&Observation>,
) -> Result<(), DbError> {
    let key = (observed_at.get(), datastream.get());
    let Some(Observation { received_at, value, flag, .. }) = observation else {
        return execute(connection, "DELETE FROM ahead WHERE observed_at = ? AND datastream = ?", key);
    };
    execute(
        connection,
        "INSERT OR REPLACE INTO ahead (observed_at, datastream, received_at, value, flag) VALUES (?, ?, ?, ?, ?)",
        params![key.0, key.1, received_at.get(), value, flag.code()],
    )
}

/// Every value that waits.
pub(super) fn read(connection: &Connection) -> Result<Vec<Observation>, DbError> {
    let sql = "SELECT observed_at, datastream, received_at, value, flag FROM ahead ORDER BY 1, 2";
    all(connection, sql, [], |row| {
        Ok(Observation {
            datastream: DatastreamId::new(row.get("datastream")?),
            observed_at: time(row, "observed_at")?,
            value: row.get("value")?,
            // Rules ask for neither.
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at: time(row, "received_at")?,
            flag: flag(row, "flag")?.ok_or(DbError::Damaged("flag"))?,
        })
    })
}
