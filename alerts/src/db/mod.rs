//! alerts.db
/// Why the alert database failed.
#[derive(Debug, thiserror::Error)]
#[error("alert database: {0}")]
pub struct DbError(String);
