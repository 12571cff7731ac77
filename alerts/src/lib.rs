//! Observation -> alert -> delivered notification.
//!
//! The walk: `engine` decides (pure), the runner feeds it from the spool and commits its decisions together with
//! the notifications they owe, the outbox delivers those until somebody has them. `settled` answers afterwards, from
//! stored observations alone, what happened.

mod config;
mod db;
mod delivery;
mod engine;
mod error;
mod handle;
mod message;
mod metrics;
mod recipients;
mod runner;
mod settled;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use bakau_model::{AlertId, ConditionKind, NotificationKind, NotificationState};
pub use config::AlertsConfig;
pub use db::DbError;
pub use delivery::{
    retry::RetryPolicy,
    secrets::{FixedSecrets, Secrets},
};
pub use engine::{Endpoint, EndpointView, Reason};
pub use error::AlertsError;
pub use handle::{Alerts, acknowledge::Link};
pub use message::chart::ChartSource;
pub use runner::sources::{NoSources, Sources};
pub use settled::Episode;
pub use view::{
    Acknowledgement, AlertDetail, AlertQuery, AlertView, DeliveryView, NotificationView, OutboxView, PendingView,
    SettledQuery, TransitionView,
};

/// Longest note with an acknowledgement, in characters; it is shown in one line of a page.
pub const MAX_NOTE_CHARS: usize = 1_000;
