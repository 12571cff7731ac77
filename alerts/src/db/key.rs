//! The key that signs the links in messages: made at the first start, kept with the alerts it opens.

use super::{Db, DbError};
use crate::delivery::link::LinkKey;

impl Db {
    /// The key of this installation.
    pub(crate) async fn link_key(&self) -> Result<LinkKey, DbError> {
        let fresh =
            LinkKey::random().map_err(|error| DbError::Sqlite(sqlx::Error::Io(std::io::Error::other(error))))?;
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let insert = sqlx::query("INSERT INTO link_key (one, key) VALUES (1, ?) ON CONFLICT DO NOTHING");
        insert.bind(fresh.bytes().as_slice()).execute(&mut *transaction).await?;
        let kept: Vec<u8> = sqlx::query_scalar("SELECT key FROM link_key").fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        LinkKey::from_bytes(&kept).ok_or(DbError::Damaged("link key"))
    }
}
