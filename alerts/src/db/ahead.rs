//! Values from the future that wait for their time: a restart loses none of them.

use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, TimeSource};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{DbError, time};
use crate::engine::WaitingKey;

/// Keeps a value that waits, or forgets one that no longer does.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    (observed_at, datastream): WaitingKey,
    observation: Option<&Observation>,
) -> Result<(), DbError> {
    let Some(observation) = observation else {
        let delete = sqlx::query("DELETE FROM ahead WHERE observed_at = ? AND datastream = ?");
        delete.bind(observed_at.get()).bind(datastream.get()).execute(connection).await?;
        return Ok(());
    };
    let insert = sqlx::query(
        "INSERT OR REPLACE INTO ahead (observed_at, datastream, received_at, value, flag) VALUES (?, ?, ?, ?, ?)",
    );
    let insert = insert.bind(observed_at.get()).bind(datastream.get()).bind(observation.received_at.get());
    insert.bind(observation.value).bind(observation.flag.code()).execute(connection).await?;
    Ok(())
}

/// Every value that waits.
pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Vec<Observation>, DbError> {
    let select = sqlx::query("SELECT observed_at, datastream, received_at, value, flag FROM ahead ORDER BY 1, 2");
    let read = |row: &SqliteRow| {
        Ok(Observation {
            datastream: DatastreamId::new(row.try_get("datastream")?),
            observed_at: time(row, "observed_at")?,
            value: row.try_get("value")?,
            // Rules ask for neither.
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at: time(row, "received_at")?,
            flag: Flag::from_code(row.try_get("flag")?).ok_or(DbError::Damaged("flag"))?,
        })
    };
    select.fetch_all(connection).await?.iter().map(read).collect()
}
