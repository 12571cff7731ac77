//! Observation -> alert -> delivered notification.
//!
//! The walk: [`engine`] decides (pure), the runner feeds it from the spool and commits its decisions together with
//! the notices they owe, the outbox delivers those until somebody has them. [`settle`] answers afterwards, from
//! stored observations alone, what happened.

mod acknowledge;
mod channel;
mod chart;
mod compose;
mod concerned;
mod config;
mod covering;
mod db;
mod deliver;
pub mod engine;
mod error;
mod escalate;
mod facts;
mod handle;
mod history;
mod id;
mod link;
mod message;
mod metrics;
mod outbox;
mod pace;
mod reserve;
mod retry;
mod routes;
mod runner;
mod secrets;
mod settled;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod through;
mod view;
mod warm;

pub use acknowledge::Link;
pub use bakau_model::{AlertId, AlertKind, NoticeKind, NoticeState};
pub use chart::ChartSource;
pub use config::AlertsConfig;
pub use db::DbError;
pub use engine::{Reason, SourceView};
pub use error::AlertsError;
pub use handle::Alerts;
pub use retry::RetryPolicy;
pub use secrets::{FixedSecrets, Secrets};
pub use settled::{Episode, settle};
pub use sources::{NoSources, Sources};
pub use view::{
    Acknowledgement, AlertDetail, AlertQuery, AlertView, DeliveryView, NoticeView, OutboxView, SettledQuery,
    TransitionView,
};

/// Longest note with an acknowledgement, in characters; it is shown in one line of a page.
pub const MAX_NOTE_CHARS: usize = 1_000;
