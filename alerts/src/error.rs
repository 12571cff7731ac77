//! What can go wrong for callers of the room.

use bakau_store::StoreError;

use crate::{AlertId, db::DbError};

/// Why a call to [`crate::Alerts`] failed; callers branch on the variant, people read the sentence.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// No alert has that id.
    #[error("there is no alert {0}")]
    NotFound(AlertId),
    /// Somebody acknowledged it at this level, or at a higher one, before.
    #[error("alert {0} has already been acknowledged at this level")]
    AlreadyAcknowledged(AlertId),
    /// It is over; there is nothing to acknowledge.
    #[error("alert {0} is closed, so it can no longer be acknowledged")]
    Closed(AlertId),
    /// A link was not made here, or its person or alert is gone.
    #[error("this link was not made here or is no longer valid")]
    LinkInvalid,
    /// A link is too old to act on.
    #[error("this link has expired")]
    LinkExpired,
    /// No rule or datastream of that name is registered.
    #[error("'{0}' is not registered: check the name with `bakau check` or on the station's page")]
    Unknown(String),
    /// A text given by a person is longer than allowed.
    #[error("a note may have at most {limit} characters, this one has {given}")]
    TooLong {
        /// Characters allowed.
        limit: usize,
        /// Characters given.
        given: usize,
    },
    /// The engine did not take the command in time or is stopping; the command stays in the inbox and will be taken.
    #[error("the alert engine did not answer in time; the request is kept and will be carried out when it runs again")]
    Busy,
    /// The alert database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The store failed to answer for the settled history.
    #[error("the settled history cannot be read from the store: {0}")]
    Store(#[from] StoreError),
    /// The HTTP client for webhooks cannot be built.
    #[error("the HTTP client for webhooks cannot be set up: {0}")]
    Client(String),
}
