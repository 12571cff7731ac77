//! The key that signs the links in messages: made at the first start, kept with the alerts it opens.

use rusqlite::{Connection, TransactionBehavior};

use super::{
    Db, DbError,
    rows::{execute, value},
};
use crate::delivery::link::LinkKey;

impl Db {
    /// The key of this installation.
    pub(crate) async fn link_key(&self) -> Result<LinkKey, DbError> {
        let fresh = LinkKey::random().map_err(|error| DbError::Key(error.to_string()))?;
        self.writer.run(move |connection| kept_or(connection, &fresh)).await
    }
}

fn kept_or(connection: &mut Connection, fresh: &LinkKey) -> Result<LinkKey, DbError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let insert = "INSERT INTO link_key (one, key) VALUES (1, ?) ON CONFLICT DO NOTHING";
    execute(&transaction, insert, [fresh.bytes().as_slice()])?;
    let kept: Vec<u8> = value(&transaction, "SELECT key FROM link_key", [])?;
    transaction.commit()?;
    LinkKey::from_bytes(&kept).ok_or(DbError::Damaged("link key"))
}
